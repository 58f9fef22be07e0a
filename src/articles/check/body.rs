//! What is looked for in a body, as its author wrote it.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::PatternID;

use crate::articles::wire::BodyFormat;
use crate::http::fields::trim;

use super::Checker;
use super::finding::{CheckCode, Collector};
use super::markup::{self, Piece, Tag, Value, has_office_style, is_office_comment};
use super::{links, markdown, quoted};

/// Where findings in a body point to.
const POINTER: &str = "/body/content";
/// The longest character reference, in bytes with its `&` and `;`.
const MAX_REFERENCE: usize = 34;

/// A body as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// How it is written.
    pub format: BodyFormat,
    /// What the author sent.
    pub source: &'a str,
    /// The plain text of what is served.
    pub text: &'a str,
}

/// Looks at a body.
pub(super) fn look(body: Body<'_>, checker: &Checker, collector: &mut Collector) {
    let mut look = Look {
        checker,
        collector,
        in_office: false,
        runs: Vec::new(),
        said: Vec::new(),
    };
    match body.format {
        BodyFormat::Html => {
            markup::read(body.source, |piece| {
                look.piece(&piece, body.source, Some);
                look.keep(&piece, body.source);
            });
            look.words(body);
        }
        BodyFormat::Markdown => {
            markdown::read(body.source, &mut look);
            look.runs = unreferenced(body.source, 0..body.source.len()).collect();
            look.words(body);
        }
        BodyFormat::Text => {
            let words = checker.words.find(body.source);
            words.for_each(|word| {
                collector.add(CheckCode::ListedWord, POINTER, || {
                    let detail = listed(&body.source[word.range()]);
                    (Some(word.start()), detail)
                });
            });
        }
    }
    collector.settle(body.source);
}

/// What a finding of a listed word says.
pub(super) fn listed(word: &str) -> String {
    format!("{} is on the list of words", quoted(word))
}

/// A body that is being looked at.
pub(super) struct Look<'a> {
    checker: &'a Checker,
    collector: &'a mut Collector,
    /// Whether nothing but markup has come since the last sign of an office suite.
    in_office: bool,
    /// Where text stands in the source that readers may be shown, in order.
    runs: Vec<Range<usize>>,
    /// Texts besides the plain text: of pictures, and titles.
    said: Vec<String>,
}

impl Look<'_> {
    /// Looks at a piece of HTML; `place` tells where in the body's source something stands.
    pub(super) fn piece(
        &mut self,
        piece: &Piece<'_>,
        html: &str,
        place: impl Fn(usize) -> Option<usize>,
    ) {
        match piece {
            Piece::Tag(tag) => self.tag(tag, place),
            Piece::Comment { place: at } => {
                if is_office_comment(html.get(at.clone()).unwrap_or_default()) {
                    self.office(|| place(at.start));
                }
            }
            Piece::Text {
                text,
                is_hidden: true,
                place: at,
            } => {
                if has_office_style(text) {
                    self.office(|| place(at.start));
                }
            }
            Piece::Text { text, .. } => self.text(text),
        }
    }

    fn tag(&mut self, tag: &Tag, place: impl Fn(usize) -> Option<usize>) {
        if tag.is_office {
            self.office(|| place(tag.at));
        }
        for (value, is_link) in [(&tag.href, true), (&tag.src, false)] {
            if let Some(value) = value {
                self.address(&value.text, is_link, || place(value.place.start));
            }
        }
        // Browsers take `image` for a misspelt `img`.
        if matches!(tag.name.as_str(), "img" | "image") {
            let alt = tag.alt.as_ref().map(|alt| alt.text.as_str());
            self.picture(alt.unwrap_or_default(), || place(tag.at));
        }
        for value in [&tag.alt, &tag.title].into_iter().flatten() {
            self.say(&value.text);
        }
    }

    /// Keeps where text stands that readers may be shown.
    fn keep(&mut self, piece: &Piece<'_>, source: &str) {
        let mut keep = |place: &Range<usize>| {
            self.runs.extend(unreferenced(source, place.clone()));
        };
        match piece {
            Piece::Tag(tag) => {
                let values = [&tag.alt, &tag.title].into_iter().flatten();
                let mut places: Vec<_> = values.filter(|v| !v.text.is_empty()).collect();
                places.sort_by_key(|value: &&Value| value.place.start);
                places.iter().for_each(|value| keep(&value.place));
            }
            Piece::Text {
                place,
                is_hidden: false,
                ..
            } => keep(place),
            Piece::Text { .. } | Piece::Comment { .. } => {}
        }
    }

    /// An address, of a link or of what is shown.
    pub(super) fn address(
        &mut self,
        address: &str,
        is_link: bool,
        place: impl FnOnce() -> Option<usize>,
    ) {
        let Some(code) = links::judge(address, is_link, self.checker.site_host.as_deref()) else {
            return;
        };
        let told = match code {
            CheckCode::RelativeLink => "has no scheme: write the whole address",
            CheckCode::ExternalLink => "leads to another site",
            _ => "runs a script, or opens a page that is in the link itself: take it out",
        };
        self.collector.add(code, POINTER, || {
            (place(), format!("{} {told}", quoted(address)))
        });
    }

    /// A picture with this alternative text.
    pub(super) fn picture(&mut self, alt: &str, place: impl FnOnce() -> Option<usize>) {
        self.in_office = false;
        if trim(alt).is_empty() {
            let detail = "the picture has no alternative text: say what it shows";
            self.collector.add(CheckCode::ImageWithoutAlt, POINTER, || {
                (place(), detail.to_owned())
            });
        }
    }

    /// Text that readers are shown.
    pub(super) fn text(&mut self, text: &str) {
        self.in_office &= trim(text).is_empty();
    }

    /// Text that the plain text doesn't have.
    pub(super) fn say(&mut self, text: &str) {
        if !text.is_empty() {
            self.said.push(text.to_owned());
        }
    }

    /// A sign of an office suite. What follows with nothing to read between is the same place.
    fn office(&mut self, place: impl FnOnce() -> Option<usize>) {
        if !std::mem::replace(&mut self.in_office, true) {
            let detail =
                "this is left over from an office suite: paste the text without its styles";
            self.collector.add(CheckCode::OfficeMarkup, POINTER, || {
                (place(), detail.to_owned())
            });
        }
    }

    /// Tells the listed words: the plain text has those that readers meet, and the source has their
    /// places, unless markup or references split them.
    fn words(self, body: Body<'_>) {
        let words = &self.checker.words;
        let texts = || std::iter::once(body.text).chain(self.said.iter().map(String::as_str));
        let mut left: HashMap<PatternID, usize> = HashMap::new();
        for word in texts().flat_map(|text| words.find(text)) {
            *left.entry(word.pattern()).or_default() += 1;
        }
        let mut take = |pattern: PatternID| {
            let left = left.get_mut(&pattern).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        };
        for run in &self.runs {
            let text = body.source.get(run.clone()).unwrap_or_default();
            for word in words.find(text).filter(|word| take(word.pattern())) {
                self.collector.add(CheckCode::ListedWord, POINTER, || {
                    let place = run.start + word.start();
                    (Some(place), listed(&text[word.range()]))
                });
            }
        }
        for text in texts() {
            for word in words.find(text).filter(|word| take(word.pattern())) {
                self.collector.add(CheckCode::ListedWord, POINTER, || {
                    (None, listed(&text[word.range()]))
                });
            }
        }
    }
}

/// The parts of a range between character references (`&amp;`), whose names are no text.
fn unreferenced(source: &str, range: Range<usize>) -> impl Iterator<Item = Range<usize>> + '_ {
    let (end, mut from) = (range.end, range.start);
    let mut look = range.start;
    std::iter::from_fn(move || {
        while from < end {
            let text = source.get(look..end).unwrap_or_default();
            let Some(at) = text.find('&') else {
                let last = from..end;
                from = end;
                return Some(last);
            };
            let name = text.as_bytes()[at + 1..].iter().take(MAX_REFERENCE);
            let length = name
                .clone()
                .take_while(|b| b.is_ascii_alphanumeric() || **b == b'#');
            let length = length.count();
            let ends = name.clone().nth(length) == Some(&b';');
            if length == 0 || !ends {
                look += at + 1;
                continue;
            }
            let part = from..look + at;
            from = look + at + length + 2;
            look = from;
            if !part.is_empty() {
                return Some(part);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(source: &str) -> Vec<&str> {
        let parts = unreferenced(source, 0..source.len());
        parts.map(|part| &source[part]).collect()
    }

    #[test]
    fn names_of_references_are_no_text() {
        assert_eq!(
            parts("潮&amp;汐&#x6D9B;&nbsp;a & b &c"),
            ["潮", "汐", "a & b &c"]
        );
        assert_eq!(parts("&amp;"), [""; 0]);
        assert_eq!(parts("&;a"), ["&;a"]);
        let long = format!("&{};", "a".repeat(40));
        assert_eq!(parts(&long), [&long]);
    }

    proptest! {
        #[test]
        fn parts_are_all_but_the_references(source in "([a文&;#]|&lt;){0,30}") {
            let mut end = 0;
            for part in unreferenced(&source, 0..source.len()) {
                let between = &source[end..part.start];
                prop_assert!(between.is_empty() || between.ends_with(';'), "{between:?}");
                prop_assert!(!source[part.clone()].contains("&lt;"));
                end = part.end;
            }
            prop_assert!(source[end..].is_empty() || source[end..].ends_with(';'));
        }
    }
}
