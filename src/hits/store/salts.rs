//! Salts of visitor hashes.

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::hit_salts;
use crate::each;

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
