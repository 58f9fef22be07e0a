//! What names a resource in a path or parameter: an id or a slug.

use std::fmt;

use actix_web::HttpRequest;

use unicode_script::{Script, UnicodeScript};

use crate::error::{ApiError, ApiResult};

/// The longest slug, in characters.
pub const MAX_SLUG: usize = 120;

/// Slugs that would hide a path of the API.
const RESERVED: &[&str] = &["tree"];

/// A slug: `[a-z0-9-]`, 1 to 120 characters, never all digits, not reserved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slug(String);

impl Slug {
    /// The text as a slug, where it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=MAX_SLUG).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.bytes().all(|b| b.is_ascii_digit())
            && !RESERVED.contains(&text);
        well_formed.then(|| Self(text.to_owned()))
    }

    /// A slug made from a title: Chinese by pinyin, other letters lower-cased and stripped of
    /// diacritics, words joined by `-`. `fallback` serves where nothing is left, and in front of
    /// digits alone.
    pub fn from_title(title: &str, fallback: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut word = String::new();
        for character in title.chars() {
            if character.script() == Script::Han {
                flush(&mut words, &mut word);
                if let Some(syllable) = pinyin::ToPinyin::to_pinyin(&character) {
                    // ü is typed v, as in every input method.
                    words.push(ascii(&syllable.plain().replace('ü', "v")));
                }
            } else if character.is_alphanumeric() {
                word.push_str(&ascii(&character.to_lowercase().to_string()));
            } else if character != '\'' && character != '’' {
                flush(&mut words, &mut word);
            }
        }
        flush(&mut words, &mut word);
        let mut slug = String::new();
        for word in words.iter().filter(|word| !word.is_empty()) {
            let joint = usize::from(!slug.is_empty());
            if slug.len() + joint + word.len() > MAX_SLUG {
                if slug.is_empty() {
                    slug = word[..MAX_SLUG].to_owned();
                }
                break;
            }
            if joint == 1 {
                slug.push('-');
            }
            slug.push_str(word);
        }
        Self::parse(&slug).unwrap_or_else(|| {
            let parts = [fallback, slug.as_str()];
            let mut joined = parts
                .iter()
                .filter(|p| !p.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join("-");
            joined.truncate(MAX_SLUG);
            Self(joined)
        })
    }

    /// This slug for the `n`th resource of the name: `-2`, `-3`, … at the end.
    pub fn numbered(&self, n: u64) -> Self {
        if n <= 1 {
            return self.clone();
        }
        let suffix = format!("-{n}");
        let keep = self.0.len().min(MAX_SLUG - suffix.len());
        Self(format!("{}{suffix}", self.0[..keep].trim_end_matches('-')))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn flush(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

/// What ASCII letters and digits are in the text, without diacritics (`é` is `e`, `ü` is `u`).
fn ascii(text: &str) -> String {
    use icu_normalizer::DecomposingNormalizerBorrowed;
    DecomposingNormalizerBorrowed::new_nfkd()
        .normalize_iter(text.chars())
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// An id or a slug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ref {
    /// An id: decimal digits.
    Id(i64),
    /// A slug.
    Slug(Slug),
}

impl Ref {
    /// The text as a reference, where it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok().filter(|id| *id >= 1).map(Self::Id);
        }
        Slug::parse(text).map(Self::Slug)
    }
}

/// The id in a management path's `{id}`; 404 where it can't be one.
pub fn path_id(req: &HttpRequest, what: &str) -> ApiResult<i64> {
    path_number(req, "id", what)
}

/// The number from 1 on in this segment of a path; 404 where it can't be one.
pub fn path_number(req: &HttpRequest, segment: &str, what: &str) -> ApiResult<i64> {
    match req.match_info().get(segment).and_then(Ref::parse) {
        Some(Ref::Id(id)) => Ok(id),
        _ => Err(ApiError::not_found(what)),
    }
}

/// Declares the extractor of a kind of resource's id in a management path, or of what else numbers it
/// in this segment.
#[macro_export]
macro_rules! path_id {
    ($(#[$meta:meta])* $name:ident, $noun:literal) => {
        $crate::path_id! { $(#[$meta])* $name, $noun, "id" }
    };
    ($(#[$meta:meta])* $name:ident, $noun:literal, $segment:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub i64);

        impl actix_web::FromRequest for $name {
            type Error = $crate::error::ApiError;
            type Future = std::future::Ready<$crate::error::ApiResult<Self>>;

            fn from_request(
                req: &actix_web::HttpRequest,
                _: &mut actix_web::dev::Payload,
            ) -> Self::Future {
                let number = $crate::http::reference::path_number(req, $segment, $noun);
                std::future::ready(number.map(Self))
            }
        }
    };
}

/// 308 from an old slug to the live one, with the query kept.
pub fn moved(path: &str, query: &str) -> ApiError {
    let mark = if query.is_empty() { "" } else { "?" };
    ApiError::Moved(format!("{path}{mark}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn titles_become_readable_slugs() {
        for (title, slug) in [
            ("空气质量排名", "kong-qi-zhi-liang-pai-ming"),
            ("街坊故事", "jie-fang-gu-shi"),
            ("2026年春运安排（二）", "2026-nian-chun-yun-an-pai-er"),
            ("Harbour's Café: A Guide", "harbours-cafe-a-guide"),
            ("旅行 Guide 2026", "lv-xing-guide-2026"),
            ("ＡＢＣ公告", "abc-gong-gao"),
            ("2026", "article-2026"),
            ("🎉🎉", "article"),
            ("tree", "article-tree"),
        ] {
            assert_eq!(Slug::from_title(title, "article").as_str(), slug, "{title}");
        }
    }

    #[test]
    fn digits_are_an_id() {
        assert_eq!(Ref::parse("12"), Some(Ref::Id(12)));
        assert!(matches!(Ref::parse("12-a"), Some(Ref::Slug(_))));
        for text in [
            "",
            "0",
            "99999999999999999999",
            "Ä",
            "a_b",
            "A",
            "tree",
            "-1 ",
        ] {
            assert_eq!(Ref::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_title_gives_a_slug(title in "\\PC{0,80}", n in 1_u64..100_000) {
            let slug = Slug::from_title(&title, "article");
            prop_assert_eq!(Slug::parse(slug.as_str()), Some(slug.clone()));
            let numbered = slug.numbered(n);
            prop_assert_eq!(Slug::parse(numbered.as_str()), Some(numbered.clone()));
        }
    }
}
