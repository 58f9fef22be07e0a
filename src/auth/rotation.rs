//! Queries of the signing keys, and their rotation.

use diesel::prelude::*;
use serde_json::Value;

use crate::audit::{self, Actor, Change, Entry, Event};
use crate::db::schema::signing_keys;
use crate::db::{Conn, Timestamp};

use super::keys::{Key, KeyError};
use super::ring::{State, TimedKey, states};

/// How long a key has been past before it is deleted, in seconds: far more than clocks differ.
const KEPT_SECONDS: i64 = 3600;

/// When a new key begins to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// After so many seconds, in which everybody gets to know it. Tokens of older keys stay good.
    After(i64),
    /// At once, because an older key has leaked: all other keys are deleted, their tokens end.
    Now,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The new key's id.
    pub kid: String,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// The ids of the keys that were deleted.
    pub deleted: Vec<String>,
}

/// A key as it is kept: id, PKCS #8 document, from when on it signs.
type Row = (String, Vec<u8>, Timestamp);

/// The keys in the order in which they sign. Nodes must agree on it, also where two begin at once.
fn rows(conn: &mut Conn) -> QueryResult<Vec<Row>> {
    type Kept = (String, Vec<u8>, Timestamp, Option<Timestamp>);
    let mut kept: Vec<Kept> = signing_keys::table
        .select((
            signing_keys::kid,
            signing_keys::pkcs8,
            signing_keys::created_at,
            signing_keys::signs_from,
        ))
        .load(conn)?;
    kept.sort_by_cached_key(|(kid, _, created, from)| {
        (from.unwrap_or(*created), *created, kid.clone())
    });
    Ok(kept
        .into_iter()
        .map(|(kid, pkcs8, created, from)| (kid, pkcs8, from.unwrap_or(created)))
        .collect())
}

/// The keys of the database, in the order in which they sign.
pub fn load(conn: &mut Conn) -> Result<Vec<TimedKey>, KeyError> {
    let timed = |(kid, pkcs8, signs_from): Row| {
        Key::from_pkcs8(&pkcs8)
            .map(|key| TimedKey { key, signs_from })
            .map_err(|_| KeyError::Broken(kid))
    };
    rows(conn)?.into_iter().map(timed).collect()
}

/// The keys of the database; one is made where there is none.
pub fn load_or_make(conn: &mut Conn, now: Timestamp) -> Result<Vec<TimedKey>, KeyError> {
    let keys = load(conn)?;
    if !keys.is_empty() {
        return Ok(keys);
    }
    add(conn, now, now)?;
    load(conn)
}

/// Makes a key that begins to sign then, and returns its id.
fn add(conn: &mut Conn, signs_from: Timestamp, now: Timestamp) -> Result<String, KeyError> {
    let (key, pkcs8) = Key::generate()?;
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::kid.eq(&key.kid),
            signing_keys::pkcs8.eq(pkcs8),
            signing_keys::created_at.eq(now),
            signing_keys::signs_from.eq(signs_from),
        ))
        .execute(conn)?;
    Ok(key.kid)
}

/// Makes a new key, which begins to sign as told; the first key of a database begins at once. A
/// second one that is still to come is refused with [`KeyError::Coming`].
pub fn rotate(conn: &mut Conn, now: Timestamp, begin: Begin) -> Result<Rotated, KeyError> {
    let kept = rows(conn)?;
    let signs_from = match begin {
        Begin::After(seconds) if !kept.is_empty() => {
            refuse_a_second(&kept, now)?;
            now.plus_seconds(seconds)
        }
        _ => now,
    };
    let mut deleted = Vec::new();
    if begin == Begin::Now {
        deleted.extend(kept.into_iter().map(|(kid, ..)| kid));
        diesel::delete(signing_keys::table).execute(conn)?;
    }
    let kid = add(conn, signs_from, now)?;
    let entry = Entry {
        event: Event::SigningKeyRotated,
        resource: None,
        changes: vec![
            Change::new("kid", Value::Null, kid.as_str()),
            Change::new("signs_from", Value::Null, signs_from.to_string()),
            Change::new("deleted", Value::Null, deleted.clone()),
        ],
    };
    audit::record(conn, &Actor::system().at(now), entry)?;
    Ok(Rotated {
        kid,
        signs_from,
        deleted,
    })
}

/// One key at a time may come: so the published set stays small.
fn refuse_a_second(kept: &[Row], now: Timestamp) -> Result<(), KeyError> {
    match kept.last() {
        Some((kid, _, signs_from)) if *signs_from > now => Err(KeyError::Coming {
            kid: kid.clone(),
            signs_from: *signs_from,
        }),
        _ => Ok(()),
    }
}

/// Deletes keys whose tokens have long expired, and returns how many.
pub fn tidy(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    let kept = rows(conn)?;
    let begins: Vec<Timestamp> = kept.iter().map(|(_, _, from)| *from).collect();
    let states = states(&begins, now.plus_seconds(-KEPT_SECONDS));
    let past: Vec<String> = kept
        .into_iter()
        .zip(states)
        .filter(|(_, state)| *state == State::Past)
        .map(|((kid, ..), _)| kid)
        .collect();
    if past.is_empty() {
        return Ok(0);
    }
    diesel::delete(signing_keys::table.filter(signing_keys::kid.eq_any(past))).execute(conn)
}
