//! Members of bodies: absent, null or given; and the checks they share. All faults of a body are
//! reported at once.

use std::fmt;
use std::marker::PhantomData;

use language_tags::LanguageTag;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::db::Timestamp;
use crate::error::{ApiError, Code, Fault, FaultCode};

use super::reference::Slug;

/// A member of a JSON object that may be absent, null or given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Member<T> {
    /// Not in the object.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A value.
    Given(T),
}

impl<T> Member<T> {
    /// The value, where one is given.
    pub fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Whether the member is in the object, be it null.
    pub fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// What the member becomes: `current` where it is absent.
    pub fn or_keep(self, current: Option<T>) -> Option<T> {
        match self {
            Self::Absent => current,
            Self::Null => None,
            Self::Given(value) => Some(value),
        }
    }

    /// The member with its value checked and turned into another type; `None` means that a fault
    /// was reported, or that the value is blank: both become null.
    pub fn check<U>(self, check: impl FnOnce(T) -> Option<U>) -> Member<U> {
        match self {
            Self::Absent => Member::Absent,
            Self::Null => Member::Null,
            Self::Given(value) => check(value).map_or(Member::Null, Member::Given),
        }
    }
}

impl Member<String> {
    /// The member with blank text as null.
    pub fn blank_is_null(self) -> Self {
        match self {
            Self::Given(text) if trim(&text).is_empty() => Self::Null,
            member => member,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Given))
    }
}

/// An object of a body. Structs that serde derives take arrays, too, by the order of their members;
/// this takes nothing but an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer
            .deserialize_map(ObjectVisitor(PhantomData))
            .map(Self)
    }
}

/// An action's body: nothing, or an object with nothing in it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoMembers {}

impl<T> Member<Object<T>> {
    /// What `current` becomes by an object of a merge patch (RFC 7396): the object's members are
    /// merged into it in turn.
    pub fn merge<U>(
        self,
        current: Option<U>,
        merge: impl FnOnce(T, Option<U>) -> Option<U>,
    ) -> Option<U> {
        match self {
            Self::Absent => current,
            Self::Null => None,
            Self::Given(Object(value)) => merge(value, current),
        }
    }
}

/// The longest web address, in characters.
pub const MAX_URL: usize = 2000;

/// Collects the faults of one body.
#[derive(Debug, Default)]
pub struct Check {
    faults: Vec<Fault>,
}

impl Check {
    /// Reports a fault at this pointer.
    pub fn fault(&mut self, pointer: &str, code: FaultCode, detail: impl AsRef<str>) {
        let name = pointer.trim_start_matches('/');
        let detail = format!("{name} {}", detail.as_ref());
        self.faults.push(Fault::member(pointer, code, detail));
    }

    /// Reports a fault that another check found.
    pub fn report(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Whether a fault was reported of this member or of one below it.
    pub fn has_fault_at(&self, pointer: &str) -> bool {
        let at = |fault: &Fault| {
            let rest = fault
                .pointer
                .as_deref()
                .and_then(|told| told.strip_prefix(pointer));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.faults.iter().any(at)
    }

    /// Ends the check: 422 with all faults, if there are any.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Faults(Code::ValidationFailed, self.faults))
        }
    }

    /// Reports a required member that is missing, null or blank.
    pub fn required<T>(&mut self, pointer: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.fault(pointer, FaultCode::Required, "is required");
        }
        value
    }

    /// A required line of text of up to `max` characters; blank counts as missing.
    pub fn required_line(
        &mut self,
        pointer: &str,
        text: Option<String>,
        max: usize,
    ) -> Option<String> {
        let given = text.filter(|text| !trim(text).is_empty());
        let text = self.required(pointer, given)?;
        self.line(pointer, &text, max)
    }

    /// One line of text of up to `max` characters, trimmed; blank is `None`.
    pub fn line(&mut self, pointer: &str, text: &str, max: usize) -> Option<String> {
        let text = trim(text);
        if text.is_empty() {
            return None;
        }
        if text.chars().any(char::is_control) {
            self.fault(
                pointer,
                FaultCode::InvalidCharacters,
                "must not have control characters",
            );
            return None;
        }
        self.length(pointer, text, max)
    }

    /// Text of up to `max` characters that may have line breaks and tabs, trimmed; blank is
    /// `None`.
    pub fn text(&mut self, pointer: &str, text: &str, max: usize) -> Option<String> {
        let text = trim(text);
        if text.is_empty() {
            return None;
        }
        if !has_only_text_characters(text) {
            self.fault(
                pointer,
                FaultCode::InvalidCharacters,
                "must not have control characters",
            );
            return None;
        }
        self.length(pointer, text, max)
    }

    fn length(&mut self, pointer: &str, text: &str, max: usize) -> Option<String> {
        if text.chars().count() > max {
            self.fault(
                pointer,
                FaultCode::TooLong,
                format!("must have at most {max} characters"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// Up to `max` lines of up to `length` characters each, without repetitions, in order.
    pub fn lines(
        &mut self,
        pointer: &str,
        items: Vec<String>,
        max: usize,
        length: usize,
    ) -> Vec<String> {
        if items.len() > max {
            self.fault(
                pointer,
                FaultCode::TooMany,
                format!("must have at most {max} items"),
            );
            return Vec::new();
        }
        let mut kept: Vec<String> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let pointer = format!("{pointer}/{index}");
            if trim(item).is_empty() {
                self.fault(&pointer, FaultCode::Required, "must not be blank");
            } else if let Some(line) = self.line(&pointer, item, length)
                && !kept.contains(&line)
            {
                kept.push(line);
            }
        }
        kept
    }

    /// An absolute `http` or `https` address; blank is `None`.
    pub fn web_url(&mut self, pointer: &str, text: &str) -> Option<String> {
        let line = self.line(pointer, text, MAX_URL)?;
        if is_web_url(&line) {
            return Some(line);
        }
        self.fault(
            pointer,
            FaultCode::Invalid,
            "must be a web address, http or https",
        );
        None
    }

    /// An absolute `http` or `https` address, or a path from the site's root (`/…`); blank is
    /// `None`.
    pub fn link(&mut self, pointer: &str, text: &str) -> Option<String> {
        let line = self.line(pointer, text, MAX_URL)?;
        let is_path =
            line.starts_with('/') && !line.starts_with("//") && !line.contains(['\\', ' ']);
        if is_path || is_web_url(&line) {
            return Some(line);
        }
        let detail = "must be a web address, http or https, or a path that begins with one /";
        self.fault(pointer, FaultCode::Invalid, detail);
        None
    }

    /// A slug; blank is `None`.
    pub fn slug(&mut self, pointer: &str, text: &str) -> Option<Slug> {
        if trim(text).is_empty() {
            return None;
        }
        let slug = Slug::parse(text.trim());
        if slug.is_none() {
            let detail = "must be 1 to 120 of a-z, 0-9 and -, not digits alone, and not \"tree\"";
            self.fault(pointer, FaultCode::Invalid, detail);
        }
        slug
    }

    /// A BCP 47 language tag, in canonical form; blank is `None`.
    pub fn language(&mut self, pointer: &str, text: &str) -> Option<String> {
        let line = self.line(pointer, text, 35)?;
        let tag = canonical_language(&line);
        if tag.is_none() {
            let detail = "must be a language tag (BCP 47), as zh-CN or en";
            self.fault(pointer, FaultCode::Invalid, detail);
        }
        tag
    }

    /// An RFC 3339 instant; blank is `None`.
    pub fn instant(&mut self, pointer: &str, text: &str) -> Option<Timestamp> {
        if trim(text).is_empty() {
            return None;
        }
        let instant = Timestamp::parse(text.trim());
        if instant.is_none() {
            let detail = "must be an instant (RFC 3339), as 2026-01-31T09:00:00+08:00";
            self.fault(pointer, FaultCode::Invalid, detail);
        }
        instant
    }

    /// A whole number within the range.
    pub fn number(&mut self, pointer: &str, number: i64, min: i64, max: i64) -> Option<i64> {
        if (min..=max).contains(&number) {
            return Some(number);
        }
        self.fault(
            pointer,
            FaultCode::OutOfRange,
            format!("must be from {min} to {max}"),
        );
        None
    }
}

/// Whether the text has no control characters but line breaks and tabs.
pub fn has_only_text_characters(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Trims white space, ideographic spaces (U+3000), zero-width characters and byte-order marks from
/// both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}' | '\u{FEFF}')
    })
}

/// The canonical form of a BCP 47 language tag, where the text is a valid one.
pub fn canonical_language(text: &str) -> Option<String> {
    let tag = LanguageTag::parse(text).ok()?;
    tag.validate().ok()?;
    tag.canonicalize().ok().map(LanguageTag::into_string)
}

fn is_web_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let rest = text.get(url.scheme().len()..).unwrap_or_default();
        let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        is_web && rest.starts_with("://") && !text.contains(' ')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_text_is_none_and_ends_are_trimmed() {
        let mut check = Check::default();
        assert_eq!(check.line("/a", "\u{3000}\u{200B} \u{FEFF}", 9), None);
        assert_eq!(
            check.line("/a", "\u{3000}标题\u{200B}", 9).as_deref(),
            Some("标题")
        );
        assert!(check.finish().is_ok());
    }

    #[test]
    fn only_web_addresses_are_links() {
        let mut check = Check::default();
        for bad in [
            "javascript:alert(1)",
            "//evil.example/x",
            "data:text/html,x",
            "x",
            "/a\\b",
        ] {
            assert_eq!(check.link("/url", bad), None, "{bad}");
        }
        for good in ["https://example.com/a?b#c", "/uploads/图.png"] {
            assert!(check.link("/url", good).is_some(), "{good}");
        }
    }

    #[test]
    fn language_tags_are_canonical() {
        assert_eq!(canonical_language("ZH-cn").as_deref(), Some("zh-CN"));
        assert_eq!(
            canonical_language("zh-hans-CN").as_deref(),
            Some("zh-Hans-CN")
        );
        assert_eq!(canonical_language("english"), None);
        assert_eq!(canonical_language("x y"), None);
    }
}
