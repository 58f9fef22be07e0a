//! Salts of visitor hashes, and the deletion of what is past.

use std::time::Duration;

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::clock::SiteZone;
use crate::db::schema::hit_salts;
use crate::db::{Conn, Timestamp, dialect};
use crate::each;

use super::counts::first_day;
use crate::hits::rules::HIT_ID_SECONDS;

/// A day's salt, where there is one.
pub fn find_salt(conn: &mut Conn, day: NaiveDate) -> QueryResult<Option<Vec<u8>>> {
    hit_salts::table
        .find(day)
        .select(hit_salts::salt)
        .first(conn)
        .optional()
}

/// The day's salt, made by whoever needs it first.
pub fn salt(conn: &mut Conn, day: NaiveDate) -> QueryResult<Vec<u8>> {
    if let Some(salt) = find_salt(conn, day)? {
        return Ok(salt);
    }
    let fresh = crate::http::frame::random_token(32).into_bytes();
    each!(conn, c => diesel::insert_into(hit_salts::table)
        .values((hit_salts::day.eq(day), hit_salts::salt.eq(&fresh)))
        .on_conflict(hit_salts::day)
        .do_nothing()
        .execute(c))?;
    // Another node may have been first.
    Ok(find_salt(conn, day)?.unwrap_or(fresh))
}

/// How many rows are deleted in one go.
const TIDY_ROWS: usize = 10_000;

/// Deletes hit ids, visits and salts that are past, up to 10,000 of each, and returns how many.
/// Rows that a hit is renewing right now are passed over.
pub fn tidy(
    conn: &mut Conn,
    zone: SiteZone,
    window: Duration,
    now: Timestamp,
) -> QueryResult<usize> {
    let window = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
    let mut deleted = 0;
    for (table, key, age) in [
        ("hit_ids", "hit_id", HIT_ID_SECONDS),
        ("hit_visits", "visitor", window),
    ] {
        let oldest = dialect::instant(conn, now.plus_seconds(-age));
        let skip_locked = dialect::skip_locked(conn);
        let sql = format!(
            "DELETE FROM {table} WHERE (article_id, {key}) IN \
             (SELECT article_id, {key} FROM {table} WHERE seen_at < {oldest} \
              LIMIT {TIDY_ROWS}{skip_locked})"
        );
        deleted += diesel::sql_query(sql).execute(conn)?;
    }
    let yesterday = first_day(zone.day(now), 2);
    let salts =
        diesel::delete(hit_salts::table.filter(hit_salts::day.lt(yesterday))).execute(conn)?;
    Ok(deleted + salts)
}
