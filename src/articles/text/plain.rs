//! Plain text out of sanitised HTML.

use std::cell::{Cell, RefCell};

use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult};

use super::html::tokenize;
use crate::articles::limits::{Budget, TooComplex};

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
