//! Random keys that all nodes share through the database, each for one purpose.

use aws_lc_rs::rand;
use diesel::prelude::*;

use crate::db::schema::secrets;
use crate::db::{Conn, Timestamp};
use crate::each;

/// How long a key is, in bytes.
const KEY_BYTES: usize = 32;

/// The key of this name, where it was made before.
pub fn find(conn: &mut Conn, name: &str) -> QueryResult<Option<Vec<u8>>> {
    secrets::table
        .find(name)
        .select(secrets::value)
        .first(conn)
        .optional()
}

/// The key of this name, made by whoever needs it first.
pub fn find_or_make(conn: &mut Conn, name: &str, now: Timestamp) -> QueryResult<Vec<u8>> {
    if let Some(key) = find(conn, name)? {
        return Ok(key);
    }
    let mut fresh = vec![0; KEY_BYTES];
    // The system's random source fails only where the process can't go on in any case.
    rand::fill(&mut fresh).expect("the system has a random source");
    each!(conn, c => diesel::insert_into(secrets::table)
        .values((
            secrets::name.eq(name),
            secrets::value.eq(&fresh),
            secrets::created_at.eq(now),
        ))
        .on_conflict(secrets::name)
        .do_nothing()
        .execute(c))?;
    // Another node may have been first.
    Ok(find(conn, name)?.unwrap_or(fresh))
}
