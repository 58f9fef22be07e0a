//! HTML as its author wrote it, piece by piece and with the place of each: what is served is
//! sanitised and tells nothing of what was sent.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::Range;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};

/// A piece of HTML. Places are bytes.
#[derive(Debug)]
pub enum Piece<'a> {
    /// A start tag.
    Tag(&'a Tag),
    /// Text between tags, with its references undone.
    Text {
        /// Where it stands.
        place: Range<usize>,
        /// The text.
        text: Cow<'a, str>,
        /// Whether it is a script or a style sheet.
        is_hidden: bool,
    },
    /// A comment, or what browsers take for one (`<!…>`, `<?…>`).
    Comment {
        /// Where it stands.
        place: Range<usize>,
    },
}

/// A start tag and what is looked at of its attributes: of several of a name, the first one counts.
#[derive(Debug, Default)]
pub struct Tag {
    /// Where its `<` stands.
    pub at: usize,
    /// The name, in small letters.
    pub name: String,
    /// The `href`.
    pub href: Option<Value>,
    /// The `src`.
    pub src: Option<Value>,
    /// The `alt`.
    pub alt: Option<Value>,
    /// The `title`.
    pub title: Option<Value>,
    /// Whether its name, an attribute's name, its class or its style is that of an office suite.
    pub is_office: bool,
}

/// The value of an attribute, with its references undone.
#[derive(Debug, Default)]
pub struct Value {
    /// The value.
    pub text: String,
    /// Where it stands; the name where there is none.
    pub place: Range<usize>,
}

/// The prefixes of elements, attributes and name spaces that Word and WPS write.
const OFFICE: [&[u8]; 8] = [b"o", b"w", b"v", b"x", b"m", b"w10", b"st1", b"wps"];

/// Which attribute is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Href,
    Src,
    Alt,
    Title,
    Class,
    Style,
    Other,
}

/// Tells the pieces of HTML, in order. The time that it takes is in proportion to the text.
pub fn read(html: &str, mut tell: impl FnMut(Piece<'_>)) {
    let mut tag: Option<Tag> = None;
    let mut reading = Reading::Other;
    let mut is_hidden = false;
    let callback = |event: CallbackEvent<'_>, span: Span<usize>| -> Option<Infallible> {
        let place = span.start..span.end;
        match event {
            CallbackEvent::OpenStartTag { name } => {
                tag = Some(Tag {
                    at: span.start,
                    name: String::from_utf8_lossy(name).into_owned(),
                    is_office: has_office_prefix(name),
                    ..Tag::default()
                });
            }
            CallbackEvent::AttributeName { name } => {
                if let Some(tag) = &mut tag {
                    reading = tag.begin(name, place);
                }
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some(tag) = &mut tag {
                    tag.value(reading, value, place);
                }
            }
            CallbackEvent::CloseStartTag { .. } => {
                if let Some(tag) = tag.take() {
                    is_hidden = matches!(tag.name.as_str(), "script" | "style");
                    tell(Piece::Tag(&tag));
                }
            }
            CallbackEvent::EndTag { .. } => is_hidden = false,
            CallbackEvent::String { value } => tell(Piece::Text {
                place,
                text: String::from_utf8_lossy(value),
                is_hidden,
            }),
            CallbackEvent::Comment { .. } => tell(Piece::Comment { place }),
            CallbackEvent::Doctype { .. } | CallbackEvent::Error(_) => {}
        }
        None
    };
    let mut emitter = CallbackEmitter::new(callback);
    emitter.naively_switch_states(true);
    // Text in memory can always be read.
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
}

impl Tag {
    fn slot(&mut self, reading: Reading) -> Option<&mut Option<Value>> {
        match reading {
            Reading::Href => Some(&mut self.href),
            Reading::Src => Some(&mut self.src),
            Reading::Alt => Some(&mut self.alt),
            Reading::Title => Some(&mut self.title),
            Reading::Class | Reading::Style | Reading::Other => None,
        }
    }

    /// An attribute of this name begins; what to make of its value.
    fn begin(&mut self, name: &[u8], place: Range<usize>) -> Reading {
        self.is_office |= has_office_prefix(name) || is_office_name_space(name);
        let reading = match name {
            b"href" => Reading::Href,
            b"src" => Reading::Src,
            b"alt" => Reading::Alt,
            b"title" => Reading::Title,
            b"class" => Reading::Class,
            b"style" => Reading::Style,
            _ => Reading::Other,
        };
        let Some(slot) = self.slot(reading) else {
            return reading;
        };
        if slot.is_some() {
            return Reading::Other;
        }
        let text = String::new();
        *slot = Some(Value { text, place });
        reading
    }

    fn value(&mut self, reading: Reading, value: &[u8], place: Range<usize>) {
        let text = String::from_utf8_lossy(value);
        match reading {
            Reading::Class => self.is_office |= has_office_class(&text),
            Reading::Style => self.is_office |= has_office_style(&text),
            _ => {
                if let Some(slot) = self.slot(reading) {
                    let text = text.into_owned();
                    *slot = Some(Value { text, place });
                }
            }
        }
    }
}

/// `o:p`, `v:shape`, `st1:place` and the like.
fn has_office_prefix(name: &[u8]) -> bool {
    let colon = name.iter().position(|byte| *byte == b':');
    colon.is_some_and(|colon| OFFICE.contains(&&name[..colon]))
}

/// `xmlns:o` and the like.
fn is_office_name_space(name: &[u8]) -> bool {
    let prefix = name.strip_prefix(b"xmlns:");
    prefix.is_some_and(|prefix| OFFICE.contains(&prefix))
}

/// Whether one of the classes begins with `Mso`, or is a section of Word's.
fn has_office_class(classes: &str) -> bool {
    let begins = |class: &str, with: &str| {
        let start = class.as_bytes().get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    classes
        .split_ascii_whitespace()
        .any(|class| begins(class, "Mso") || begins(class, "WordSection"))
}

/// Whether a style or a style sheet has properties that begin with `mso-`.
pub fn has_office_style(style: &str) -> bool {
    let bytes = style.as_bytes();
    bytes.windows(4).enumerate().any(|(at, window)| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let begins = before
            .is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b';' | b'{' | b'"' | b'\''));
        begins && window.eq_ignore_ascii_case(b"mso-")
    })
}

/// Whether a comment (with its delimiters) is a condition for an office suite, or names one's
/// name space. Conditions for old browsers are none.
pub fn is_office_comment(comment: &str) -> bool {
    // Who looks at it looks at its beginning.
    let end = comment
        .char_indices()
        .nth(200)
        .map_or(comment.len(), |(end, _)| end);
    let start = comment[..end].to_ascii_lowercase();
    if start.starts_with("<![if") || start.contains("schemas-microsoft-com:office") {
        return true;
    }
    let condition = start.strip_prefix("<!--").map(str::trim_start);
    let condition = condition.and_then(|rest| rest.strip_prefix("[if"));
    let condition = condition.and_then(|rest| rest.split(']').next());
    condition.is_some_and(|text| {
        ["mso", "support", "vml", "wps"]
            .iter()
            .any(|sign| text.contains(sign))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each piece as text, with what stands in the source at its place.
    fn told(html: &str) -> Vec<String> {
        let mut found = Vec::new();
        read(html, |piece| match piece {
            Piece::Tag(tag) => {
                found.push(format!("<{} @{}", tag.name, tag.at));
                for value in [&tag.href, &tag.src, &tag.alt].into_iter().flatten() {
                    found.push(format!("{}={}", value.text, &html[value.place.clone()]));
                }
            }
            Piece::Text { place, text, .. } => found.push(format!("{text}={}", &html[place])),
            Piece::Comment { place } => found.push(html[place].to_owned()),
        });
        found
    }

    #[test]
    fn pieces_are_told_with_their_places() {
        let html = "潮<A HREF='/a?b&amp;c' href=/x>汐&gt;</a><img src=\"图.png\" alt>\
                    <!--[if gte mso 9]>x<![endif]--><![if !vml]><?xml:namespace o?>末";
        assert_eq!(
            told(html),
            [
                "潮=潮",
                "<a @3",
                "/a?b&c=/a?b&amp;c",
                "汐>=汐&gt;",
                "<img @43",
                "图.png=图.png",
                "=alt",
                "<!--[if gte mso 9]>x<![endif]-->",
                "<![if !vml]>",
                "<?xml:namespace o?>",
                "末=末",
            ]
        );
    }

    #[test]
    fn tags_that_never_end_are_none() {
        assert_eq!(told("a<a href='javascript:x"), ["a=a"]);
        assert_eq!(
            told("<script>'<a href=/x>'</script>"),
            ["<script @0", "'<a href=/x>'='<a href=/x>'"]
        );
        // Attributes of an end tag are nobody's.
        assert_eq!(told("<b></b href=/x><i>"), ["<b @0", "<i @15"]);
    }

    #[test]
    fn office_suites_are_known_by_their_signs() {
        let is_office = |html: &str| {
            let mut found = false;
            read(html, |piece| match piece {
                Piece::Tag(tag) => found |= tag.is_office,
                Piece::Comment { place } => found |= is_office_comment(&html[place]),
                Piece::Text { .. } => {}
            });
            found
        };
        for pasted in [
            "<p class=MsoNormal>",
            "<p class='a msoListParagraph'>",
            "<div class=WordSection1>",
            "<span style='color:red;mso-spacerun:yes'>",
            "<span style=\"MSO-fareast-language:ZH-CN\">",
            "<o:p>",
            "<w:sdt>",
            "<v:shape id=x>",
            "<st1:place>",
            "<html xmlns:o='urn:x'>",
            "<img v:shapes='x'>",
            "<!--[if gte mso 9]><xml></xml><![endif]-->",
            "<!--[if supportFields]>",
            "<![if !supportLists]>",
            "<?xml:namespace prefix = o ns = \"urn:schemas-microsoft-com:office:office\" />",
        ] {
            assert!(is_office(pasted), "{pasted}");
        }
        for own in [
            "<p class='almsost also-mso'>",
            "<p style='--almso-x:1'>",
            "<a href='mso-x' title='Mso'>",
            "<!--[if lt IE 9]>x<![endif]-->",
            "<!-- mso -->",
            "<svg xmlns:xlink='x'>",
            "<foo:bar>",
        ] {
            assert!(!is_office(own), "{own}");
        }
    }

    proptest! {
        #[test]
        fn places_are_within_the_text_and_between_characters(
            html in "([<>/='\" !\\-&;a\r\n文🎉\\[\\]?]|href|&amp;|<a |<img |src=|style|alt|title|\u{FEFF}){0,60}",
        ) {
            let mut last = 0;
            let check = |place: Range<usize>| {
                assert!(html.get(place.clone()).is_some(), "{place:?} of {html:?}");
            };
            read(&html, |piece| match piece {
                Piece::Tag(tag) => {
                    assert!(html[tag.at..].starts_with('<'));
                    assert!(last <= tag.at);
                    last = tag.at;
                    for value in [&tag.href, &tag.src, &tag.alt, &tag.title].into_iter().flatten() {
                        check(value.place.clone());
                        assert!(value.place.start > tag.at);
                        let source = &html[value.place.clone()];
                        let is_plain = !value.text.is_empty() && !source.contains(['&', '\r']);
                        assert!(!is_plain || source == value.text, "{source:?} {:?}", value.text);
                    }
                }
                Piece::Text { place, text, .. } => {
                    let source = &html[place.clone()];
                    let is_plain = !source.contains(['&', '\r']);
                    assert!(!is_plain || source == text, "{source:?} is not {text:?}");
                    check(place);
                }
                Piece::Comment { place } => {
                    assert!(html[place.clone()].starts_with('<'));
                    check(place);
                }
            });
        }
    }
}
