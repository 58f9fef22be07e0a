//! Keysets: order by a key and the id, and go on behind a cursor.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::db::Timestamp;
use crate::error::ApiResult;
use crate::http::paging::{Found, Paging, Place, foreign_cursor};

/// Orders a boxed query by a key and the id, and keeps what comes after a cursor's item.
macro_rules! keyset {
    ($query:expr, $key:expr, $id:expr, $direction:expr, $after:expr) => {{
        let mut query = $query;
        match $direction {
            Direction::Descending => {
                if let Some((key, id)) = $after {
                    query = query
                        .filter($key.le(key.clone()))
                        .filter($key.lt(key).or($id.lt(id)));
                }
                query.order(($key.desc(), $id.desc()))
            }
            Direction::Ascending => {
                if let Some((key, id)) = $after {
                    query = query
                        .filter($key.ge(key.clone()))
                        .filter($key.gt(key).or($id.gt(id)));
                }
                query.order(($key.asc(), $id.asc()))
            }
        }
    }};
}

pub(super) use keyset;

/// A sort key as a cursor carries it.
pub(super) trait CursorKey: Sized + Clone {
    fn encode(&self) -> String;
    fn decode(text: &str) -> Option<Self>;
}

impl CursorKey for Timestamp {
    fn encode(&self) -> String {
        self.millis().to_string()
    }

    fn decode(text: &str) -> Option<Self> {
        text.parse().ok().and_then(Self::from_millis)
    }
}

impl CursorKey for Vec<u8> {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self)
    }

    fn decode(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()
    }
}

/// The key and id that a page follows; 400 where the key can't be read.
pub(super) fn after<K: CursorKey>(paging: &Paging) -> ApiResult<Option<(K, i64)>> {
    match &paging.place {
        Place::Page(_) => Ok(None),
        Place::After(cursor) => match K::decode(&cursor.key) {
            Some(key) => Ok(Some((key, cursor.id))),
            None => Err(foreign_cursor()),
        },
    }
}

/// The ids of a page's rows, and the key of the last one where more follow.
pub(super) fn found<K: CursorKey>(
    rows: Vec<(i64, K)>,
    paging: &Paging,
    total: Option<i64>,
) -> Found<i64> {
    let cut = paging.cut(rows, total, |(id, key)| (key.encode(), *id));
    Found {
        items: cut.items.into_iter().map(|(id, _)| id).collect(),
        more: cut.more,
        total: cut.total,
    }
}
