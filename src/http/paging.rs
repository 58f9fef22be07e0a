//! Lists: page numbers and keyset cursors, the envelope's `page` member, `Link` (RFC 8288).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, FaultCode};

use super::params::{Reader, query_of};

/// The most items of one page.
pub const MAX_LIMIT: i64 = 100;
/// How many items a page has unless it is asked for.
pub const DEFAULT_LIMIT: i64 = 20;
const MAX_PAGE: i64 = 10_000_000;
/// The longest cursor, in characters: the longest sort key takes some 2,000.
const MAX_CURSOR: usize = 4000;

/// Where in a list a page stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"limit": 20, "number": 1, "total": 56, "total_pages": 3, "next_cursor": "WyItcHVibGlzaGVkX2F0Il0"}))]
pub struct PageInfo {
    /// The most items of a page.
    #[schema(minimum = 1, maximum = 100)]
    pub limit: i64,
    /// This page's number, from 1; null when the list is read by cursor.
    #[schema(required, nullable, minimum = 1)]
    pub number: Option<i64>,
    /// All items of the list; null with `count=none`.
    #[schema(required, nullable, minimum = 0)]
    pub total: Option<i64>,
    /// All pages of the list; null with `count=none`.
    #[schema(required, nullable, minimum = 0)]
    pub total_pages: Option<i64>,
    /// The `cursor` of what follows; null at the end, and in lists that have pages only.
    #[schema(required, nullable, max_length = 4000)]
    pub next_cursor: Option<String>,
}

/// Paging parameters, for the document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `Paging` reads")]
pub struct PagingParams {
    /// The most items to return.
    #[param(minimum = 1, maximum = 100, default = 20, example = 20)]
    limit: Option<i64>,
    /// Number of the page, from 1. Not together with `cursor`.
    #[param(minimum = 1, maximum = 10000000, default = 1, example = 1)]
    page: Option<i64>,
    /// `next_cursor` of the answer before: what follows it, stable while items are added. Not
    /// together with `page`; use it with the same `sort` and filters.
    #[param(max_length = 4000, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// Whether to count all items: `exact` or `none`. Default `exact` with `page`, `none` with
    /// `cursor`.
    #[param(pattern = "^(exact|none)$", example = "exact")]
    count: Option<String>,
}

/// Paging parameters of lists that have pages only, for the document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `Paging` reads")]
pub struct PagesOnlyParams {
    /// The most items to return.
    #[param(minimum = 1, maximum = 100, default = 20, example = 20)]
    limit: Option<i64>,
    /// Number of the page, from 1.
    #[param(minimum = 1, maximum = 10000000, default = 1, example = 1)]
    page: Option<i64>,
    /// Whether to count all items: `exact` or `none`.
    #[param(pattern = "^(exact|none)$", default = "exact", example = "exact")]
    count: Option<String>,
}

/// The place in a list that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The page of this number, from 1.
    Page(i64),
    /// What follows this item.
    After(Cursor),
}

/// The last item of the page before: its sort key and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    sort: String,
    /// The sort key as text; what it means is the list's own affair.
    pub key: String,
    /// The id, which decides between equal keys.
    pub id: i64,
}

impl Cursor {
    /// A cursor for a list sorted that way.
    pub fn new(sort: &str, key: impl Into<String>, id: i64) -> Self {
        Self {
            sort: sort.to_owned(),
            key: key.into(),
            id,
        }
    }

    fn encode(&self) -> String {
        let parts = (&self.sort, &self.key, self.id);
        // Strings and a number always serialise.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&parts).unwrap_or_default())
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (sort, key, id) = serde_json::from_slice(&bytes).ok()?;
        Some(Self { sort, key, id })
    }
}

/// A cursor that can be read, but that the list never gave out.
pub fn foreign_cursor() -> ApiError {
    let detail = "cursor is none that this list gave out";
    ApiError::bad_parameter("cursor", FaultCode::InvalidCursor, detail)
}

/// What a request asks of a list's paging.
#[derive(Debug, Clone)]
pub struct Paging {
    /// The most items of a page.
    pub limit: i64,
    /// Where to begin.
    pub place: Place,
    /// Whether to count all items.
    pub exact: bool,
    path: String,
    /// What the query says besides the place.
    kept: Vec<(&'static str, String)>,
    cursors: bool,
    sort: String,
}

/// What a list found: at most `limit` items, and the key of the last one where more follow.
#[derive(Debug)]
pub struct Found<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// Sort key and id of the last item, where more follow.
    pub more: Option<(String, i64)>,
    /// All items, where they were counted.
    pub total: Option<i64>,
}

impl Paging {
    /// Reads `limit`, `page`, `cursor` and `count`, after all else of the query. A list `sort`ed this way
    /// has cursors or not.
    pub fn read(reader: &mut Reader, sort: &str, cursors: bool) -> Self {
        let limit = reader.integer_or("limit", 1..=MAX_LIMIT, DEFAULT_LIMIT);
        let page = reader.integer("page", 1..=MAX_PAGE);
        let cursor_text = reader.text_within("cursor", MAX_CURSOR);
        let count = reader.choice("count", &[("exact", true), ("none", false)]);
        let cursor = cursor_text.as_ref().and_then(|text| {
            let cursor = Cursor::decode(text).filter(|cursor| cursors && cursor.sort == sort);
            if cursor.is_none() {
                let detail = if cursors {
                    "is none that this list gave out for this sort"
                } else {
                    "is not for this sort, which has pages only"
                };
                reader.fault("cursor", FaultCode::InvalidCursor, detail);
            }
            cursor
        });
        if page.is_some() && cursor_text.is_some() {
            reader.fault(
                "cursor",
                FaultCode::Conflicting,
                "can't be given together with page",
            );
        }
        let place = match cursor {
            Some(cursor) => Place::After(cursor),
            None => Place::Page(page.unwrap_or(1)),
        };
        let exact = match place {
            Place::Page(_) => reader.or("count", count, true),
            // Said again in the link to the first page, which is counted unless it says otherwise.
            Place::After(_) => count.unwrap_or(false),
        };
        if place == Place::Page(1) {
            reader.or("page", page, 1);
        }
        let kept = reader.normal().iter();
        let kept = kept.filter(|(name, _)| !["page", "cursor"].contains(name));
        Self {
            limit,
            exact,
            path: reader.path().to_owned(),
            kept: kept.cloned().collect(),
            cursors,
            sort: sort.to_owned(),
            place,
        }
    }

    /// How many items to pass over: 0 with a cursor.
    pub fn offset(&self) -> i64 {
        match self.place {
            Place::Page(number) => (number - 1) * self.limit,
            Place::After(_) => 0,
        }
    }

    /// The page of rows that were read with one more than `limit`: the last row's key and id stand
    /// for it where more follow.
    pub fn cut<T>(
        &self,
        mut rows: Vec<T>,
        total: Option<i64>,
        key: impl FnOnce(&T) -> (String, i64),
    ) -> Found<T> {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let more = rows.last().filter(|_| more).map(key);
        Found {
            items: rows,
            more,
            total,
        }
    }

    /// The envelope's `page` member and the `Link` header's value.
    pub fn describe<T>(&self, found: &Found<T>) -> (PageInfo, Option<String>) {
        let total = found.total.filter(|_| self.exact);
        let total_pages = total.map(|total| (total + self.limit - 1) / self.limit);
        let next_cursor = match (&found.more, self.cursors) {
            (Some((key, id)), true) => Some(Cursor::new(&self.sort, key.clone(), *id).encode()),
            _ => None,
        };
        let number = match self.place {
            Place::Page(number) => Some(number),
            Place::After(_) => None,
        };
        let links = self.links(
            number,
            total_pages,
            found.more.is_some(),
            next_cursor.as_deref(),
        );
        (
            PageInfo {
                limit: self.limit,
                number,
                total,
                total_pages,
                next_cursor,
            },
            links,
        )
    }

    fn links(
        &self,
        number: Option<i64>,
        total_pages: Option<i64>,
        more: bool,
        next_cursor: Option<&str>,
    ) -> Option<String> {
        let page = |n: i64| ("page", n.to_string());
        let mut links = Vec::new();
        match number {
            Some(number) => {
                links.push(self.link("first", Some(page(1))));
                if number > 1 {
                    let last = total_pages.map_or(number - 1, |last| last.clamp(1, number - 1));
                    links.push(self.link("prev", Some(page(last))));
                }
                if more {
                    links.push(self.link("next", Some(page(number + 1))));
                }
                if let Some(last) = total_pages {
                    links.push(self.link("last", Some(page(last.max(1)))));
                }
            }
            None => {
                links.push(self.link("first", None));
                if let Some(cursor) = next_cursor {
                    links.push(self.link("next", Some(("cursor", cursor.to_owned()))));
                }
            }
        }
        Some(links.join(", "))
    }

    fn link(&self, relation: &str, place: Option<(&str, String)>) -> String {
        let kept = self
            .kept
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let place = place.iter().map(|(name, value)| (*name, value.as_str()));
        let query = query_of(kept.chain(place));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("<{}{mark}{query}>; rel=\"{relation}\"", self.path)
    }
}

/// Declares the envelope of a list of `$item`. (A generic type would be inlined into the document
/// once for each use.)
#[macro_export]
macro_rules! list_of {
    ($(#[$meta:meta])* $name:ident, $item:ty) => {
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        $(#[$meta])*
        pub struct $name {
            /// The items of this page, in order.
            #[schema(max_items = 100)]
            pub data: Vec<$item>,
            /// Where in the list this page stands.
            pub page: $crate::http::paging::PageInfo,
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paging(query: &str) -> Paging {
        let mut reader = Reader::new("/v1/articles", query);
        reader.text("tag");
        let paging = Paging::read(&mut reader, "-published_at", true);
        reader.finish().expect("valid");
        paging
    }

    fn found(total: Option<i64>, more: bool) -> Found<()> {
        Found {
            items: vec![],
            more: more.then(|| ("k".to_owned(), 7)),
            total,
        }
    }

    #[test]
    fn links_keep_the_filters() {
        let (page, links) = paging("tag=大气&page=2&limit=5").describe(&found(Some(13), true));
        assert_eq!((page.total_pages, page.number), (Some(3), Some(2)));
        let at = |n| format!("</v1/articles?tag=%E5%A4%A7%E6%B0%94&limit=5&page={n}>");
        let want = format!(
            r#"{}; rel="first", {}; rel="prev", {}; rel="next", {}; rel="last""#,
            at(1),
            at(1),
            at(3),
            at(3)
        );
        assert_eq!(links.as_deref(), Some(want.as_str()));
    }

    #[test]
    fn links_out_of_a_list_by_cursor_keep_whether_to_count() {
        let cursor = Cursor::new("-published_at", "x", 1).encode();
        let (_, links) =
            paging(&format!("cursor={cursor}&count=none")).describe(&found(None, false));
        let first = r#"</v1/articles?count=none>; rel="first""#;
        assert_eq!(links.as_deref(), Some(first));
    }

    #[test]
    fn a_cursor_of_another_sort_is_refused() {
        let cursor = Cursor::new("title", "x", 1).encode();
        let mut reader = Reader::new("/", &format!("cursor={cursor}"));
        Paging::read(&mut reader, "-published_at", true);
        assert!(reader.finish().is_err());
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(sort in ".{0,20}", key in ".{0,50}", id in any::<i64>()) {
            let cursor = Cursor::new(&sort, key, id);
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }

        #[test]
        fn no_text_makes_decoding_panic(text in ".{0,100}") {
            let _ = Cursor::decode(&text);
        }
    }
}
