//! Safe HTML: Markdown and text become HTML, and HTML is sanitised.

use std::cell::Cell;
use std::sync::LazyLock;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use crate::articles::limits::{Budget, TooComplex, pieces};

/// How many elements stand within each other at most. Elements that end by themselves (paragraphs,
/// list items, cells) count only by what stands between them.
pub(super) fn depth(html: &str, budget: Budget) -> Result<usize, TooComplex> {
    let sink = tokenize(html, Depth::default(), budget)?;
    Ok(sink.deepest.get())
}

/// Feeds a sink with the tokens of HTML.
pub(super) fn tokenize<S: TokenSink>(html: &str, sink: S, budget: Budget) -> Result<S, TooComplex> {
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
pub(super) static SANITIZER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
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
pub fn markdown_options() -> comrak::Options<'static> {
    let mut options = comrak::Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.cjk_friendly_emphasis = true;
    // Raw HTML is let through here: the sanitiser decides on it, as on any HTML.
    options.render.r#unsafe = true;
    options
}

/// HTML made from Markdown.
pub(super) fn markdown(content: &str) -> String {
    comrak::markdown_to_html(content, &markdown_options())
}

/// Plain text: a blank line ends a paragraph, a single line break stays one.
pub(super) fn paragraphs(content: &str) -> String {
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
pub(super) fn without_indents(html: &str) -> String {
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
