//! Queries of the purges that wait.

use std::collections::BTreeSet;

use diesel::dsl::{auto_type, max, min};
use diesel::prelude::*;

use crate::db::schema::{purge_urls, purges};
use crate::db::{Conn, Timestamp};
use crate::http::keys::Key;

/// The most keys in one request: servers take header lines of 8 KB.
pub const MAX_KEYS: usize = 250;
/// The most purges that wait. A cache that was away for longer is told to drop everything.
pub const MAX_WAITING: i64 = 10_000;
/// How many purges are looked at together.
const AT_ONCE: i64 = 500;
/// How long a sender may take, in seconds, before another one goes on for it.
const HELD_SECONDS: i64 = 60;
/// What a cache has been sent that is to drop everything: some purges may be lost to it.
const LOST: i64 = -1;

/// Who is at it, and until when.
#[derive(AsChangeset)]
#[diesel(table_name = purge_urls, treat_none_as_null = true)]
struct Hold {
    holder: Option<i64>,
    held_until: Option<Timestamp>,
}

/// Nobody is.
const FREE: Hold = Hold {
    holder: None,
    held_until: None,
};

/// What is to be sent.
#[derive(Debug)]
pub enum Claim {
    /// Nothing.
    Nothing,
    /// Nothing yet: another sender is at it.
    Held,
    /// These.
    Batch(Batch),
}

/// Purges that go together.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// Their keys, each once. More than [`MAX_KEYS`] only where one write has named so many.
    pub keys: Vec<String>,
    /// The last one's id.
    pub last: i64,
}

/// What a cache has been sent; `None`: nobody has sent anything to it yet.
fn sent(conn: &mut Conn, url: &str) -> QueryResult<Option<i64>> {
    purge_urls::table
        .find(url)
        .select(purge_urls::sent)
        .first(conn)
        .optional()
}

/// Forgets caches that are none any more, so that nothing is kept for them.
pub fn keep_only(conn: &mut Conn, urls: &[String]) -> QueryResult<()> {
    diesel::delete(purge_urls::table.filter(purge_urls::url.ne_all(urls))).execute(conn)?;
    Ok(())
}

/// The newest purge, where there is anything to send to a cache; 0 where it is to drop everything and no
/// purge waits.
pub fn newest(conn: &mut Conn, url: &str) -> QueryResult<Option<i64>> {
    let last = last(conn)?;
    Ok(match sent(conn, url)? {
        None | Some(LOST) => Some(last),
        Some(sent) => Some(last).filter(|last| *last > sent),
    })
}

/// How many purges not all caches have.
pub fn waiting(conn: &mut Conn) -> QueryResult<i64> {
    purges::table.count().get_result(conn)
}

/// Claims what a cache is to be sent next, up to this purge, for a sender of this name. A cache that is new
/// drops everything: nobody knows what it has.
pub fn claim(
    conn: &mut Conn,
    url: &str,
    (holder, now): (i64, Timestamp),
    until: i64,
) -> QueryResult<Claim> {
    if sent(conn, url)?.is_none() {
        diesel::insert_into(purge_urls::table)
            .values((purge_urls::url.eq(url), purge_urls::sent.eq(LOST)))
            .execute(conn)?;
    }
    trim(conn)?;
    let is_free = purge_urls::held_until
        .is_null()
        .or(purge_urls::held_until.assume_not_null().le(now));
    let held_until = now.plus_seconds(HELD_SECONDS);
    let claimed = diesel::update(purge_urls::table.find(url).filter(is_free))
        .set(Hold {
            holder: Some(holder),
            held_until: Some(held_until),
        })
        .execute(conn)?;
    if claimed == 0 {
        return Ok(Claim::Held);
    }
    let sent = sent(conn, url)?.unwrap_or(LOST);
    if sent == LOST {
        let keys = vec![Key::All.to_string()];
        return Ok(Claim::Batch(Batch { keys, last: until }));
    }
    let rows: Vec<(i64, String)> = purges::table
        .filter(purges::id.gt(sent).and(purges::id.le(until)))
        .order(purges::id)
        .limit(AT_ONCE)
        .select((purges::id, purges::keys))
        .load(conn)?;
    match merged(&rows) {
        Some(batch) => Ok(Claim::Batch(batch)),
        None => {
            release(conn, url, holder)?;
            Ok(Claim::Nothing)
        }
    }
}

/// The last purge that there is; 0 where none waits.
fn last(conn: &mut Conn) -> QueryResult<i64> {
    let last: Option<i64> = purges::table.select(max(purges::id)).first(conn)?;
    Ok(last.unwrap_or(0))
}

/// The first purges, as many as go into one request.
fn merged(rows: &[(i64, String)]) -> Option<Batch> {
    let mut merged: BTreeSet<&str> = BTreeSet::new();
    let mut last = None;
    for (id, keys) in rows {
        let new = keys.split(' ').filter(|key| !merged.contains(key)).count();
        if last.is_some() && new > 0 && merged.len() + new > MAX_KEYS {
            break;
        }
        merged.extend(keys.split(' '));
        last = Some(*id);
    }
    let keys = merged.into_iter().map(ToOwned::to_owned).collect();
    last.map(|last| Batch { keys, last })
}

/// Deletes what is too much, and notes which caches have lost it.
fn trim(conn: &mut Conn) -> QueryResult<()> {
    let until = last(conn)? - MAX_WAITING;
    let trimmed = diesel::delete(purges::table.filter(purges::id.le(until))).execute(conn)?;
    if trimmed > 0 {
        diesel::update(purge_urls::table.filter(purge_urls::sent.lt(until)))
            // Whoever is at it must not note that it has them.
            .set((purge_urls::sent.eq(LOST), FREE))
            .execute(conn)?;
    }
    Ok(())
}

/// Notes that a cache has what was claimed, and deletes what all have.
pub fn done(conn: &mut Conn, url: &str, holder: i64, last: i64) -> QueryResult<()> {
    let held = diesel::update(purge_urls::table.filter(is_held(url, holder)));
    held.set((purge_urls::sent.eq(last), FREE)).execute(conn)?;
    let all_have: Option<i64> = purge_urls::table
        .filter(purge_urls::sent.ne(LOST))
        .select(min(purge_urls::sent))
        .first(conn)?;
    let all_have = all_have.unwrap_or(0);
    diesel::delete(purges::table.filter(purges::id.le(all_have))).execute(conn)?;
    Ok(())
}

/// Gives back what was claimed.
pub fn release(conn: &mut Conn, url: &str, holder: i64) -> QueryResult<()> {
    let held = diesel::update(purge_urls::table.filter(is_held(url, holder)));
    held.set(FREE).execute(conn)?;
    Ok(())
}

/// The cache is claimed by this sender.
#[auto_type(no_type_alias)]
fn is_held(url: &str, holder: i64) -> _ {
    purge_urls::url.eq(url).and(purge_urls::holder.eq(holder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, keys: impl IntoIterator<Item = usize>) -> (i64, String) {
        let keys: Vec<String> = keys.into_iter().map(|n| format!("k{n}")).collect();
        (id, keys.join(" "))
    }

    #[test]
    fn purges_go_together_as_long_as_there_is_room() {
        assert_eq!(merged(&[]), None);
        let batch = merged(&[row(3, [1, 2]), row(5, [2, 3])]).expect("some");
        assert_eq!((batch.keys.join(" ").as_str(), batch.last), ("k1 k2 k3", 5));
        let rows = [
            row(1, 0..200),
            row(2, 100..MAX_KEYS),
            row(3, [7, 999]),
            row(4, [1]),
        ];
        let batch = merged(&rows).expect("some");
        assert_eq!((batch.keys.len(), batch.last), (MAX_KEYS, 2));
        // One that is too large by itself goes alone.
        let batch = merged(&[row(1, 0..2000), row(2, [1])]).expect("some");
        assert_eq!((batch.keys.len(), batch.last), (2000, 2));
        let batch = merged(&[row(1, 0..2000), row(2, [2001])]).expect("some");
        assert_eq!((batch.keys.len(), batch.last), (2000, 1));
    }
}
