//! What is found in articles as a whole.

use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::articles::text::render;
use CheckCode::{
    ExternalLink, ImageWithoutAlt, JavascriptLink, ListedWord, MissingSource, MissingSummary,
    OfficeMarkup, RelativeLink,
};

/// A checker with these words, of a site at `www.example.com`.
fn checker(words: &str) -> Checker {
    Checker {
        words: Words::parse(words.as_bytes()).expect("a list"),
        site_host: host("https://www.example.com"),
        blocks: Vec::new(),
    }
}

/// An article that lacks nothing, with this body.
fn article(body: Body<'_>) -> Article<'_> {
    Article {
        title: "晨渡",
        summary: Some("船工上船了。"),
        source: Some("青屿日报"),
        body: Some(body),
        ..Article::default()
    }
}

/// What is found in a body, with the text (its first characters) at each place.
fn found(words: &str, format: BodyFormat, source: &str) -> Vec<(CheckCode, Option<String>)> {
    let text = render(format, source).map_or(String::new(), |rendered| rendered.text);
    let text = text.as_str();
    let body = Body {
        format,
        source,
        text,
    };
    let findings = checker(words).look_at(&article(body));
    let mut told: Vec<Finding> = findings.told().to_vec();
    told.sort_by_key(|finding| (finding.offset.is_none(), finding.offset));
    let at = |offset: usize| source.chars().skip(offset).take(8).collect::<String>();
    told.iter()
        .map(|finding| {
            assert_eq!(finding.pointer, "/body/content");
            (finding.code, finding.offset.map(at))
        })
        .collect()
}

fn html(source: &str) -> Vec<(CheckCode, Option<String>)> {
    found("", BodyFormat::Html, source)
}

fn markdown(source: &str) -> Vec<(CheckCode, Option<String>)> {
    found("", BodyFormat::Markdown, source)
}

fn at(code: CheckCode, text: &str) -> (CheckCode, Option<String>) {
    (code, Some(text.to_owned()))
}

#[test]
fn what_is_missing_is_found() {
    let article = Article {
        title: "晨渡",
        summary: Some("　"),
        cover_alt: Some(" "),
        ..Article::default()
    };
    let findings = checker("").look_at(&article);
    let told: Vec<_> = findings
        .told()
        .iter()
        .map(|f| (f.code, f.pointer))
        .collect();
    assert_eq!(
        told,
        [
            (MissingSummary, "/summary"),
            (MissingSource, "/source"),
            (ImageWithoutAlt, "/cover/alt"),
        ]
    );
    assert!(
        findings
            .told()
            .iter()
            .all(|finding| finding.offset.is_none())
    );
    let whole = super::tests::article(Body {
        format: BodyFormat::Text,
        source: "船归。",
        text: "船归。",
    });
    assert_eq!(checker("").look_at(&whole), Findings::default());
}

#[test]
fn html_is_looked_at_as_it_was_sent() {
    let source = "<p>潮<a href=\"班次.html\">一</a>\
        <a href=' JAVA&#x0A;script:x()'>二</a><a href=#注>三</a>\
        <a href=https://tide.example/1>四</a><a href='https://img.www.example.com/'>五</a></p>\
        <img src='//cdn.example/港.png' alt=港><img src=https://tide.example/a.png>\
        <img src='https://www.example.com/b.png' alt=' &nbsp;'><script>'<img src=x>'</script>";
    assert_eq!(
        html(source),
        [
            at(RelativeLink, "班次.html\""),
            at(JavascriptLink, " JAVA&#x"),
            at(ExternalLink, "https://"),
            at(RelativeLink, "//cdn.ex"),
            at(ImageWithoutAlt, "<img src"),
            at(ImageWithoutAlt, "<img src"),
        ]
    );
    assert_eq!(html("<a href>x</a>"), [at(RelativeLink, "href>x</")]);
    assert_eq!(
        html("<img alt=x src=\"\">"),
        [at(RelativeLink, "src=\"\">")]
    );
}

#[test]
fn pasted_markup_is_one_finding_for_each_place() {
    let pasted = "<p class=MsoNormal style='mso-margin:0'><span style='mso-x:1'>潮汐<o:p></o:p>\
        </span></p>\n<p class=MsoNormal><o:p>&nbsp;</o:p></p>\n<p class=MsoNormal>涨了</p>";
    assert_eq!(
        html(pasted),
        [at(OfficeMarkup, "<p class"), at(OfficeMarkup, "<o:p></o"),]
    );
    let header = "<!--[if gte mso 9]><xml>x</xml><![endif]--><style>p.a {mso-style-name:x}</style>\
        <p>潮</p><![if !supportLists]>1<![endif]><v:shape>";
    assert_eq!(
        html(header),
        [
            at(OfficeMarkup, "<!--[if "),
            at(OfficeMarkup, "<![if !s"),
            at(OfficeMarkup, "<v:shape"),
        ]
    );
}

#[test]
fn markdown_is_looked_at_as_it_was_sent() {
    let source = "潮 [一](./班次.html \"表\") ![](https://www.example.com/港.png) [二](#注)\n\n\
        > 引 <a href=\"javascript:x\">三</a>\n>\n> <div class=MsoNormal>\n> <img src=\"/四.png\">\n> </div>\n\n\
        [五][r] <https://tide.example/5> www.tide.example ![港][r]\n\n[r]: 五.html\n\n`<a href=/x>`";
    assert_eq!(
        markdown(source),
        [
            at(RelativeLink, "./班次.htm"),
            at(ImageWithoutAlt, "![](http"),
            at(JavascriptLink, "javascri"),
            at(OfficeMarkup, "<div cla"),
            at(ImageWithoutAlt, "<img src"),
            at(RelativeLink, "/四.png\">"),
            at(ExternalLink, "https://"),
            at(ExternalLink, "www.tide"),
            (RelativeLink, None),
            (RelativeLink, None),
        ]
    );
}

#[test]
fn words_are_found_with_their_places() {
    let words = "暗礁\nreef\n大气\n大\namp";
    let listed = |format, source: &str| found(words, format, source);
    let source =
        "<p title=\"暗礁\">暗礁&amp;ReeF<!--暗礁--><style>暗礁</style> 大<b>气</b> 暗礁</p>";
    assert_eq!(
        listed(BodyFormat::Html, source),
        [
            at(ListedWord, "暗礁\">暗礁&a"),
            at(ListedWord, "暗礁&amp;R"),
            at(ListedWord, "ReeF<!--"),
            at(ListedWord, "暗礁</p>"),
            (ListedWord, None),
        ]
    );
    let source = "# 暗礁\n\n大**气** ![reef](https://www.example.com/reef.png)";
    assert_eq!(
        listed(BodyFormat::Markdown, source),
        [
            at(ListedWord, "暗礁\n\n大**气"),
            at(ListedWord, "reef](ht"),
            (ListedWord, None),
        ]
    );
    assert_eq!(
        listed(BodyFormat::Text, "🎉大气<b>&amp;"),
        [at(ListedWord, "大气<b>&am"), at(ListedWord, "amp;")]
    );
    let article = Article {
        title: "避开暗礁",
        subtitle: Some("Reefs"),
        short_title: Some("大气"),
        summary: Some("无大事"),
        source: Some("青屿日报"),
        ..Article::default()
    };
    let findings = checker(words).look_at(&article);
    let told = findings.told().iter().map(|f| (f.pointer, f.offset));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("/title", Some(2)),
            ("/subtitle", Some(0)),
            ("/short_title", Some(0)),
            ("/summary", Some(1)),
        ]
    );
    assert_eq!(
        findings.told()[0].detail,
        "\"暗礁\" is on the list of words"
    );
}

#[test]
fn the_worst_are_told_first_and_then_by_place() {
    let source = format!(
        "{}暗礁<a href=javascript:x>",
        "<a href=x>一</a>".repeat(500)
    );
    let checker = checker("暗礁");
    let body = Body {
        format: BodyFormat::Html,
        source: &source,
        text: "暗礁",
    };
    let findings = checker.look_at(&article(body));
    assert_eq!(findings.count(RelativeLink), 500);
    let told = findings.told();
    assert_eq!(told.len(), MAX_TOLD);
    let first: Vec<_> = told.iter().take(3).map(|finding| finding.code).collect();
    assert_eq!(first, [ListedWord, JavascriptLink, RelativeLink]);
    assert!(told[2..].is_sorted_by_key(|finding| finding.offset));
}

/// What is found in a body of this size takes no longer than this.
fn assert_prompt(format: BodyFormat, source: &str) {
    let checker = checker("暗礁\n礁\na\na<a\nhref");
    let began = Instant::now();
    let body = Body {
        format,
        source,
        text: source,
    };
    checker.look_at(&article(body));
    let start: String = source.chars().take(20).collect();
    assert!(began.elapsed().as_secs() < 20, "{format:?} {start:?}");
}

#[test]
fn hostile_bodies_take_time_in_proportion() {
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=1")).collect();
    for unit in [
        "<",
        "<a href=",
        "<a href=x>",
        "<a href=\"",
        "<img src=x>",
        "<o:p>",
        "<!--",
        "<!--[if mso",
        "<![if",
        "&",
        "&amp",
        "a礁",
        "<style>mso-",
        "<b title='a' alt=",
        "<a\n",
    ] {
        assert_prompt(BodyFormat::Html, &unit.repeat(1_000_000 / unit.len()));
    }
    assert_prompt(BodyFormat::Html, &format!("<a{attributes}>x"));
    assert_prompt(BodyFormat::Text, &"a".repeat(1_000_000));
    for unit in [
        "[a](b) ",
        "![](b) ",
        "![a][r] ",
        "<a href=x>",
        "<img>\n\n",
        "<o:p>\n",
        "> <img src=x>\n",
        "www.a.b ",
        "\\&",
    ] {
        let source = format!("[r]: x\n\n{}", unit.repeat(200_000 / unit.len()));
        assert_prompt(BodyFormat::Markdown, &source);
    }
    let nested = format!("{}a{}", "![".repeat(5000), "](b)".repeat(5000));
    assert_prompt(BodyFormat::Markdown, &nested);
}

/// The places that are told hold what was found.
fn assert_places(format: BodyFormat, source: &str, text: &str) {
    let words = ["暗礁", "ab"];
    let body = Body {
        format,
        source,
        text,
    };
    let findings = checker(&words.join("\n")).look_at(&article(body));
    for finding in findings.told() {
        let Some(offset) = finding.offset else {
            continue;
        };
        let rest: String = source.chars().skip(offset).collect();
        let quoted = finding.detail.split('"').nth(1).unwrap_or_default();
        let is_there = match finding.code {
            ListedWord => rest.starts_with(quoted),
            ImageWithoutAlt => {
                rest.starts_with("<im") || rest.starts_with("<IM") || rest.starts_with("![")
            }
            OfficeMarkup => rest.starts_with('<') || rest.contains("mso-"),
            // Without a value, the attribute itself is the place.
            _ if quoted.is_empty() => rest.starts_with("href") || rest.starts_with("src"),
            // References are undone, and the beginning of a link is what is sure.
            _ => {
                let is_plain = !quoted.contains(' ') && !rest.starts_with('&');
                let first: String = quoted.chars().take(1).collect();
                let stripped = quoted.strip_prefix("http://").unwrap_or(quoted);
                let start: String = stripped.chars().take(1).collect();
                !is_plain || rest.starts_with(&first) || rest.starts_with(&start)
            }
        };
        assert!(is_there, "{finding:?} in {source:?}");
    }
}

proptest! {
    #[test]
    fn places_in_html_hold_what_was_found(
        source in "([<>/='\" !\\-&;ab\r\n文暗礁🎉]|href=|src=|&amp;|<a |<img |</b>|<o:p>|<style>|title=|alt|x\\.html|javascript:|<!--\\[if mso){0,40}",
        text in "[ab暗礁文]{0,20}",
    ) {
        assert_places(BodyFormat::Html, &source, &text);
    }

    #[test]
    fn places_in_markdown_hold_what_was_found(
        source in "([<>*_`\\\\ !&;ab\r\n文暗礁🎉#|\\-]|\\]\\(|\\[|!\\[|\\)|> |\t|\n\n|<a href='x\\.html'>|<img src=y>|<div class=Mso>|https://a\\.b/c|www\\.a\\.b){0,40}",
        text in "[ab暗礁文]{0,20}",
    ) {
        assert_places(BodyFormat::Markdown, &source, &text);
    }

    #[test]
    fn any_text_can_be_looked_at(source in any::<String>(), text in any::<String>()) {
        for format in [BodyFormat::Html, BodyFormat::Markdown, BodyFormat::Text] {
            let body = Body { format, source: &source, text: &text };
            let findings = checker("a\n文").look_at(&article(body));
            let length = source.chars().count();
            prop_assert!(findings.told().iter().all(|f| f.offset.is_none_or(|at| at <= length)));
        }
    }
}
