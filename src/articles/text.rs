//! What a body becomes: safe HTML, plain text, a word count; and the key that titles sort by.

use std::cell::{Cell, RefCell};
use std::sync::LazyLock;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use icu_collator::options::CollatorOptions;
use icu_collator::{Collator, CollatorBorrowed};
use icu_locale_core::locale;
use unicode_segmentation::UnicodeSegmentation;

use super::limits::{Budget, TooComplex, check_growth, check_markdown, pieces};
use super::wire::BodyFormat;

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

/// How many elements stand within each other at most. Elements that end by themselves (paragraphs,
/// list items, cells) count only by what stands between them.
fn depth(html: &str, budget: Budget) -> Result<usize, TooComplex> {
    let sink = tokenize(html, Depth::default(), budget)?;
    Ok(sink.deepest.get())
}

/// Feeds a sink with the tokens of HTML.
fn tokenize<S: TokenSink>(html: &str, sink: S, budget: Budget) -> Result<S, TooComplex> {
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let input = BufferQueue::default();
    for piece in pieces(html) {
        budget.check()?;
        input.push_back(StrTendril::from(piece));
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    Ok(tokenizer.sink)
}

#[derive(Default)]
struct Depth {
    open: Cell<usize>,
    deepest: Cell<usize>,
}

impl TokenSink for Depth {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else {
            return TokenSinkResult::Continue;
        };
        let ends_by_itself = matches!(
            &*tag.name,
            "p" | "li"
                | "dt"
                | "dd"
                | "tr"
                | "td"
                | "th"
                | "thead"
                | "tbody"
                | "tfoot"
                | "option"
                | "area"
                | "base"
                | "br"
                | "col"
                | "embed"
                | "hr"
                | "img"
                | "input"
                | "link"
                | "meta"
                | "source"
                | "track"
                | "wbr"
        );
        if !ends_by_itself {
            let open = match tag.kind {
                TagKind::StartTag => self.open.get() + 1,
                TagKind::EndTag => self.open.get().saturating_sub(1),
            };
            self.open.set(open);
            self.deepest.set(self.deepest.get().max(open));
        }
        TokenSinkResult::Continue
    }
}

/// The allow-list of bodies: text, headings, lists, tables, figures, pictures, links. No styles,
/// scripts, handlers or forms; links to `http`, `https`, `mailto` and `tel`, or within the site.
static SANITIZER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut builder = ammonia::Builder::default();
    builder
        .rm_tags(["map", "area", "hgroup", "nav"])
        .add_tags(["input", "tfoot"])
        .add_tag_attributes("input", ["disabled", "checked"])
        .set_tag_attribute_value("input", "type", "checkbox")
        .set_tag_attribute_value("input", "disabled", "")
        .add_tag_attributes("td", ["rowspan", "colspan"])
        .add_tag_attributes("th", ["rowspan", "colspan", "scope"])
        .add_tag_attributes("ol", ["start", "reversed"])
        .add_generic_attributes(["id"])
        .attribute_filter(|_, attribute, value| {
            let is_kept = attribute != "id" || is_footnote(value);
            is_kept.then(|| value.into())
        })
        .url_schemes(["http", "https", "mailto", "tel"].into())
        .link_rel(Some("noopener noreferrer"));
    builder
});

/// The ids that footnotes are linked by; no other id is let through.
fn is_footnote(id: &str) -> bool {
    let rest = id.strip_prefix("fnref-").or_else(|| id.strip_prefix("fn-"));
    rest.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// CommonMark with GitHub's extensions (tables, strike-through, autolinks, task lists, footnotes).
/// Emphasis works beside Chinese punctuation, too.
fn markdown(content: &str) -> String {
    let mut options = comrak::Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.cjk_friendly_emphasis = true;
    // Raw HTML is let through here: the sanitiser decides on it, as on any HTML.
    options.render.r#unsafe = true;
    comrak::markdown_to_html(content, &options)
}

/// Plain text: a blank line ends a paragraph, a single line break stays one.
fn paragraphs(content: &str) -> String {
    let normal = content.replace("\r\n", "\n").replace('\r', "\n");
    let mut html = String::new();
    let mut lines: Vec<String> = Vec::new();
    for line in normal.lines().chain([""]) {
        if line.trim().is_empty() {
            if !lines.is_empty() {
                html.push_str(&format!("<p>{}</p>\n", lines.join("<br>")));
                lines.clear();
            }
        } else {
            lines.push(ammonia::clean_text(line.trim()).replace("&#32;", " "));
        }
    }
    html
}

/// Takes off the spaces (U+3000, no-break, plain) that indent paragraphs of pasted pages. Works on
/// sanitised HTML, where `<` always begins a tag.
fn without_indents(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find("<p") {
        let Some(end) = rest[start..].find('>').map(|end| start + end + 1) else {
            break;
        };
        out.push_str(&rest[..end]);
        let is_paragraph = rest[start + 2..].starts_with(['>', ' ']);
        rest = &rest[end..];
        if is_paragraph {
            rest = trim_indent(rest);
        }
    }
    out.push_str(rest);
    out
}

fn trim_indent(mut text: &str) -> &str {
    loop {
        let trimmed = text.trim_start_matches(['\u{3000}', '\u{A0}', ' ']);
        let trimmed = trimmed.strip_prefix("&nbsp;").unwrap_or(trimmed);
        if trimmed.len() == text.len() {
            return text;
        }
        text = trimmed;
    }
}

/// The text of sanitised HTML: blocks apart by a blank line, `<br>`, list items and table rows by
/// a line break, cells by a tab.
pub fn plain(html: &str, budget: Budget) -> Result<String, TooComplex> {
    let sink = tokenize(html, PlainText::default(), budget)?;
    Ok(sink.out.into_inner().trim().to_owned())
}

#[derive(Default)]
struct PlainText {
    out: RefCell<String>,
    /// What is to stand before the next text: nothing, a space, a tab, line breaks.
    pending: Cell<Gap>,
    preformatted: Cell<bool>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Tab,
    Line,
    Paragraph,
}

impl PlainText {
    fn gap(&self, gap: Gap) {
        self.pending.set(self.pending.get().max(gap));
    }

    fn flush(&self) {
        let gap = self.pending.take();
        let mut out = self.out.borrow_mut();
        if !out.is_empty() {
            out.push_str(match gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Tab => "\t",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
    }

    fn text(&self, text: &str) {
        if self.preformatted.get() {
            self.flush();
            self.out.borrow_mut().push_str(text);
            return;
        }
        for character in text.chars() {
            if character.is_ascii_whitespace() {
                self.gap(Gap::Space);
            } else {
                if self.pending.get() != Gap::None {
                    self.flush();
                }
                self.out.borrow_mut().push(character);
            }
        }
    }

    fn tag(&self, tag: &Tag) {
        match &*tag.name {
            "br" => self.gap(Gap::Line),
            "li" | "tr" | "dt" | "dd" | "caption" | "figcaption" | "summary" => self.gap(Gap::Line),
            "td" | "th" if tag.kind == TagKind::EndTag => self.gap(Gap::Tab),
            "p" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "dl"
            | "table" | "blockquote" | "figure" | "section" | "article" | "aside" | "header"
            | "footer" | "details" | "hr" | "center" => self.gap(Gap::Paragraph),
            "pre" => {
                self.gap(Gap::Paragraph);
                self.preformatted.set(tag.kind == TagKind::StartTag);
            }
            _ => {}
        }
    }
}

impl TokenSink for PlainText {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::CharacterTokens(text) => self.text(&text),
            Token::TagToken(tag) => self.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
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

static COLLATOR: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| {
    Collator::try_new(locale!("zh").into(), CollatorOptions::default())
        .expect("the data of zh is compiled in")
});

/// How much of a key is kept, in bytes: some 300 Chinese characters. Some letters sort as dozens
/// (the longest title would have a key of 12,000 bytes), and a row of an index has no place for it.
const MAX_TITLE_KEY: usize = 1000;

/// The key that a title sorts by: bytes that compare as ICU's zh collator does (by pinyin,
/// Chinese before other scripts).
pub fn title_key(title: &str) -> Vec<u8> {
    let mut key = Vec::new();
    let Ok(()) = COLLATOR.write_sort_key_to(title, &mut key);
    key.truncate(MAX_TITLE_KEY);
    key
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
