//! Keys by which caches elsewhere drop answers: an answer carries those of what it shows and of the lists
//! that it was made from, and a write names the same ones.
//!
//! A write of an article names every list that the article is or was in, and every write that readers see
//! anything of names [`Key::SITE`]. So keys may be left out where others stand for them: see [`Keys::text`].

use std::collections::BTreeSet;
use std::fmt;

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::error::{ApiError, ApiResult};

/// What an answer shows or was made from. Orders before what it stands for: the site's list is
/// [`Key::List`] of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Whatever there is.
    All,
    /// What is listed in a section and below it, and how its sections stand.
    List(i64),
    /// A section, as answers show it.
    Section(i64),
    /// An article, as answers show it.
    Article(i64),
}

impl Key {
    /// What is listed in the site: every write that readers see anything of names it.
    pub const SITE: Self = Self::List(0);
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::List(0) => f.write_str("list"),
            Self::List(section) => write!(f, "list-{section}"),
            Self::Section(id) => write!(f, "section-{id}"),
            Self::Article(id) => write!(f, "article-{id}"),
        }
    }
}

/// How keys are spelled for caches: `LANMU_CDN_KEYS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Surrogate-Key: a b c`, as Fastly and Varnish have it.
    SurrogateKey,
    /// `Cache-Tag: a,b,c`, as Cloudflare and Akamai have it.
    CacheTag,
}

impl KeyHeader {
    /// The header's name.
    pub fn name(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::SurrogateKey => "surrogate-key",
            Self::CacheTag => "cache-tag",
        })
    }

    /// What stands between two keys.
    pub fn separator(self) -> &'static str {
        match self {
            Self::SurrogateKey => " ",
            Self::CacheTag => ",",
        }
    }

    /// The header with these keys.
    pub fn header(self, keys: &Keys) -> ApiResult<(HeaderName, HeaderValue)> {
        let text = keys.text(self.separator());
        let value = HeaderValue::from_str(&text);
        let value = value.map_err(|error| ApiError::Internal(error.to_string()))?;
        Ok((self.name(), value))
    }
}

/// The most bytes of keys that an answer carries. CDNs take 16 KB, but proxies read the whole head of an
/// answer into 4 KB unless they are told otherwise, and most lists need less than half of this.
pub const MAX_BYTES: usize = 2048;

/// The keys of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(BTreeSet<Key>);

impl Keys {
    /// Of a list of a section, or of the site where there is none.
    pub fn of_list(section: Option<i64>) -> Self {
        let mut keys = Self::default();
        keys.0.insert(section.map_or(Key::SITE, Key::List));
        keys.0.extend(section.map(Key::Section));
        keys
    }

    /// With these, too.
    pub fn and(mut self, more: impl IntoIterator<Item = Key>) -> Self {
        self.0.extend(more);
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys as they are sent. Where they are more than [`MAX_BYTES`], those of articles are left out of
    /// lists, which are named by whatever writes an article in them; where that is not enough, all are but
    /// those that every write names.
    fn text(&self, separator: &str) -> String {
        let is_of_list = self.0.iter().any(|key| matches!(key, Key::List(_)));
        let is_article = |key: &Key| matches!(key, Key::Article(_));
        let all = joined(self.0.iter().copied(), separator);
        if all.len() <= MAX_BYTES {
            return all;
        }
        let others = self.0.iter().copied().filter(|key| !is_article(key));
        let others = joined(others, separator);
        if is_of_list && others.len() <= MAX_BYTES {
            return others;
        }
        joined([Key::SITE], separator)
    }
}

impl FromIterator<Key> for Keys {
    fn from_iter<T: IntoIterator<Item = Key>>(keys: T) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// The keys and [`Key::All`], which every answer carries.
fn joined(keys: impl IntoIterator<Item = Key>, separator: &str) -> String {
    let mut text = Key::All.to_string();
    for key in keys {
        text.push_str(separator);
        text.push_str(&key.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_spelled_as_caches_have_them() {
        let keys = Keys::of_list(Some(3)).and([Key::Article(12), Key::Section(3), Key::SITE]);
        let surrogate = KeyHeader::SurrogateKey.header(&keys).expect("valid");
        assert_eq!(surrogate.0, "surrogate-key");
        assert_eq!(surrogate.1, "all list list-3 section-3 article-12");
        let tags = KeyHeader::CacheTag.header(&keys).expect("valid");
        assert_eq!(tags.0, "cache-tag");
        assert_eq!(tags.1, "all,list,list-3,section-3,article-12");
    }

    #[test]
    fn too_many_keys_become_coarser_ones() {
        let articles = |n: i64| (1_000_000..1_000_000 + n).map(Key::Article);
        let list = Keys::of_list(Some(3)).and([Key::Section(4)]);
        let text = |keys: Keys| keys.text(" ");
        assert!(text(list.clone().and(articles(100))).ends_with("article-1000099"));
        assert_eq!(
            text(list.clone().and(articles(200))),
            "all list-3 section-3 section-4"
        );
        let sections = (1_000_000..1_000_200).map(Key::Section);
        assert_eq!(text(list.and(sections.clone())), "all list");
        // Nothing stands for the article of an answer that is of no list but the site's.
        assert_eq!(text(articles(1).chain(sections).collect()), "all list");
    }

    proptest! {
        #[test]
        fn keys_are_bounded_and_never_lost(
            articles in 0_i64..300, sections in 0_i64..300, list in proptest::option::of(1_i64..9),
        ) {
            let keys = list.map_or_else(Keys::default, |list| Keys::of_list(Some(list)));
            let keys = keys.and((1..=articles).map(Key::Article));
            let keys = keys.and((1..=sections).map(|id| Key::Section(100 + id)));
            let text = keys.text(",");
            prop_assert!(text.len() <= MAX_BYTES);
            let sent: Vec<&str> = text.split(',').collect();
            let is_sent = |key: Key| sent.contains(&key.to_string().as_str());
            for key in &keys.0 {
                let stands_for = match key {
                    Key::Article(_) => keys.0.iter().any(|k| matches!(k, Key::List(_)) && is_sent(*k)),
                    _ => false,
                };
                prop_assert!(is_sent(*key) || is_sent(Key::SITE) || stands_for, "{}", key);
            }
        }
    }
}
