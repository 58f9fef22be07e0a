//! What a body becomes: safe HTML, plain text, a word count; and the key that titles sort by.

mod collation;
mod html;
mod plain;

use unicode_segmentation::UnicodeSegmentation;

use crate::articles::limits::{Budget, TooComplex, check_growth, check_html, check_markdown};
use crate::articles::wire::BodyFormat;
use html::{SANITIZER, depth, markdown, paragraphs, without_indents};

pub use collation::title_key;
pub use html::markdown_options;
pub use plain::plain;

/// A rendered body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Sanitised HTML.
    pub html: String,
    /// Plain text: paragraphs apart by a blank line.
    pub text: String,
    /// Han characters and other words; punctuation isn't counted.
    pub words: i64,
}

/// The most elements of a body that may stand within each other. (The work of a parser by the HTML
/// standard grows with the square of the depth.)
pub const MAX_NESTING: usize = 200;

/// Renders and sanitises what an author sent.
pub fn render(format: BodyFormat, content: &str) -> Result<Rendered, TooComplex> {
    let budget = Budget::begin();
    let raw = match format {
        BodyFormat::Html => content.to_owned(),
        BodyFormat::Markdown => {
            check_markdown(content)?;
            let raw = markdown(content);
            check_growth(content, &raw)?;
            raw
        }
        BodyFormat::Text => paragraphs(content),
    };
    check_html(&raw)?;
    if depth(&raw, budget)? > MAX_NESTING {
        return Err(TooComplex);
    }
    let clean = SANITIZER.clean_from_reader(budget.reader(&raw));
    let html = without_indents(&clean.map_err(|_| TooComplex)?.to_string());
    let text = plain(&html, budget)?;
    let words = count_words(&text);
    Ok(Rendered { html, text, words })
}

/// Whether a body has text, or a picture.
pub fn shows_something(html: &str, text: &str) -> bool {
    !text.is_empty() || html.contains("<img ")
}

/// Han characters and other words (UAX #29, where each Han character is a word of its own).
pub fn count_words(text: &str) -> i64 {
    i64::try_from(text.unicode_words().count()).unwrap_or(i64::MAX)
}

/// Minutes that a reader takes: 400 characters a minute in Chinese, Japanese and Korean, 220 words
/// in other languages; 0 without a body.
pub fn reading_minutes(words: i64, lang: &str) -> i64 {
    let primary = lang.split('-').next().unwrap_or_default();
    let pace = if matches!(primary, "zh" | "ja" | "ko" | "yue") {
        400
    } else {
        220
    };
    (words + pace - 1) / pace
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn html(content: &str) -> String {
        render(BodyFormat::Html, content)
            .expect("not too deep")
            .html
    }

    #[test]
    fn what_runs_or_styles_is_gone() {
        for hostile in [
            "<script>alert(1)</script>",
            "<p onclick=alert(1)>x</p>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<a href=\"JaVaScRiPt&colon;alert(1)\">x</a>",
            "<img src=x onerror=alert(1)>",
            "<svg><script>alert(1)</script></svg>",
            "<p style=\"color:red\">x</p>",
            "<iframe src=https://evil.example></iframe>",
            "<form action=/x><button>x</button></form>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
        ] {
            let clean = html(hostile).to_lowercase();
            for sign in [
                "script", "onclick", "onerror", "style", "iframe", "form", "data:",
            ] {
                assert!(!clean.contains(sign), "{hostile} left {clean}");
            }
        }
    }

    #[test]
    fn structure_stays() {
        for kept in [
            "<h2>一</h2>",
            "<ul><li>a</li></ul>",
            "<table><tbody><tr><td colspan=\"2\">1</td></tr></tbody></table>",
            "<figure><img src=\"/a.png\" alt=\"图\"><figcaption>b</figcaption></figure>",
            "<blockquote><p>引</p></blockquote>",
        ] {
            assert_eq!(html(kept), kept);
        }
        assert!(html("<a href=\"/x\">y</a>").contains("href=\"/x\""));
    }

    #[test]
    fn deep_nesting_is_refused_and_long_lists_are_not() {
        for deep in ["<div>", "<b a=1>", "<ul><li>", "<table><tr><td>"] {
            assert_eq!(
                render(BodyFormat::Html, &deep.repeat(500)),
                Err(TooComplex),
                "{deep}"
            );
        }
        assert_eq!(
            render(BodyFormat::Markdown, &">".repeat(500)),
            Err(TooComplex)
        );
        let long = format!(
            "<ul>{}</ul>{}",
            "<li>一".repeat(2000),
            "<p>二<br>".repeat(2000)
        );
        assert!(render(BodyFormat::Html, &long).is_ok());
    }

    #[test]
    fn what_parsers_choke_on_has_an_end() {
        let attributes: String = (0..100_000).map(|n| format!(" a{n}=1")).collect();
        for hostile in [
            format!("<a{attributes}>x</a>"),
            format!("<p>{}", "&".repeat(1_000_000)),
            format!("<p>{}", "&amp".repeat(400_000)),
            format!("<p {}", "<p ".repeat(300_000)),
        ] {
            let began = std::time::Instant::now();
            let _ = render(BodyFormat::Html, &hostile);
            assert!(began.elapsed().as_secs() < 20, "{}", &hostile[..20]);
        }
        let table = format!(
            "|{}\n|{}\n{}",
            "a|".repeat(200),
            "-|".repeat(200),
            "x\n".repeat(2450)
        );
        assert_eq!(render(BodyFormat::Markdown, &table), Err(TooComplex));
    }

    #[test]
    fn footnotes_and_task_lists_work() {
        let source = "一[^1]\n\n- [x] 完成\n\n[^1]: 注\n";
        let html = render(BodyFormat::Markdown, source)
            .expect("not too deep")
            .html;
        for part in [
            "id=\"fn-1\"",
            "href=\"#fn-1\"",
            "id=\"fnref-1\"",
            "type=\"checkbox\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!self::html("<p id=\"top\">x</p>").contains("id="));
    }

    #[test]
    fn pasted_indents_are_taken_off() {
        assert_eq!(
            html("<p>　　正文</p><p>&nbsp;&nbsp;二</p>"),
            "<p>正文</p><p>二</p>"
        );
        assert_eq!(html("<pre>　x</pre>"), "<pre>　x</pre>");
    }

    #[test]
    fn markdown_is_commonmark_with_tables_and_chinese_emphasis() {
        let out = render(
            BodyFormat::Markdown,
            "# 题\n\n**重点。**说明\n\n|a|b|\n|-|-|\n|1|2|\n",
        )
        .expect("not too deep")
        .html;
        assert!(out.contains("<h1>题</h1>"), "{out}");
        assert!(out.contains("<strong>重点。</strong>说明"), "{out}");
        assert!(out.contains("<td>2</td>"), "{out}");
        assert!(
            !render(BodyFormat::Markdown, "<script>x</script>")
                .expect("not too deep")
                .html
                .contains("script")
        );
    }

    #[test]
    fn plain_text_becomes_paragraphs() {
        let out = render(BodyFormat::Text, "　　一 < 二\r\n三\r\n\r\n四").expect("not too deep");
        assert_eq!(out.html.trim(), "<p>一 &lt; 二<br>三</p>\n<p>四</p>");
        assert_eq!(out.text, "一 < 二\n三\n\n四");
    }

    #[test]
    fn text_has_blocks_apart() {
        let html = "<h2>题</h2><p>a <b>b</b>&amp;c</p><ul><li>1</li><li>2</li></ul><table><tr><td>x</td><td>y</td></tr></table>";
        let text = plain(html, Budget::begin()).expect("in time");
        assert_eq!(text, "题\n\na b&c\n\n1\n2\n\nx\ty");
    }

    #[test]
    fn words_are_han_characters_and_other_words() {
        assert_eq!(count_words("空气质量，良好。"), 6);
        assert_eq!(count_words("PM2.5 fell by 12%"), 4);
        assert_eq!(count_words("使用 Rust 编写"), 5);
        assert_eq!(count_words("…—、"), 0);
    }

    #[test]
    fn titles_sort_by_pinyin() {
        let mut titles = ["重庆", "北京", "apple", "阿坝", "Zebra", "上海"];
        titles.sort_by_key(|title| title_key(title));
        assert_eq!(titles, ["阿坝", "北京", "重庆", "上海", "apple", "Zebra"]);
    }

    proptest! {
        #[test]
        fn sanitising_twice_changes_nothing(content in "[<>a-z/=\"' 文&;-]{0,120}") {
            let once = html(&content);
            prop_assert_eq!(&html(&once), &once);
        }

        #[test]
        fn plain_text_survives_as_text(content in "[a-z文<>&\"']{1,40}") {
            let rendered = render(BodyFormat::Text, &content).expect("not too deep");
            prop_assert_eq!(rendered.text, content);
        }
    }
}
