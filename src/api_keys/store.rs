//! Queries of API keys.

use diesel::prelude::*;

use crate::audit::{self, By, Event, Resource};
use crate::auth::NewKey;
use crate::db::schema::api_keys;
use crate::db::{Conn, JsonOf, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::http::paging::{Found, Paging, Place};

use super::wire::ApiKey;

/// An API key as it is stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = api_keys)]
#[allow(
    missing_docs,
    reason = "named as the columns, which the migration explains"
)]
pub struct KeyRow {
    pub id: i64,
    pub name: String,
    pub prefix: String,
    pub hash: Vec<u8>,
    pub old_expires_at: Option<Timestamp>,
    pub scopes: JsonOf<Vec<String>>,
    pub sections: Option<JsonOf<Vec<i64>>>,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub created_by: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// A key's editable members, checked.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named as the columns")]
pub struct Edits {
    pub name: String,
    pub scopes: Vec<String>,
    pub sections: Option<Vec<i64>>,
    pub expires_at: Option<Timestamp>,
}

/// The key of this id; 404 where there is none.
pub fn find(conn: &mut Conn, id: i64) -> ApiResult<KeyRow> {
    api_keys::table
        .find(id)
        .select(KeyRow::as_select())
        .first(conn)
        .optional()?
        .ok_or_else(|| ApiError::not_found("API key"))
}

/// Makes a key.
pub fn create(conn: &mut Conn, edits: Edits, key: &NewKey, by: &By) -> ApiResult<KeyRow> {
    let id: i64 = diesel::insert_into(api_keys::table)
        .values((
            api_keys::name.eq(edits.name),
            api_keys::prefix.eq(key.shown()),
            api_keys::hash.eq(key.hash()),
            api_keys::scopes.eq(JsonOf(edits.scopes)),
            api_keys::sections.eq(edits.sections.map(JsonOf)),
            api_keys::expires_at.eq(edits.expires_at),
            api_keys::created_by.eq(by.actor.user_id()),
            api_keys::created_at.eq(by.now),
            api_keys::updated_at.eq(by.now),
            api_keys::version.eq(1_i64),
        ))
        .returning(api_keys::id)
        .get_result(conn)?;
    let row = find(conn, id)?;
    tell(conn, by, Event::ApiKeyCreated, id, [None, Some(&row)])?;
    Ok(row)
}

/// Changes a key's members; the key itself stays.
pub fn update(conn: &mut Conn, was: &KeyRow, edits: Edits, by: &By) -> ApiResult<KeyRow> {
    diesel::update(api_keys::table.find(was.id))
        .set((
            api_keys::name.eq(edits.name),
            api_keys::scopes.eq(JsonOf(edits.scopes)),
            api_keys::sections.eq(edits.sections.map(JsonOf)),
            api_keys::expires_at.eq(edits.expires_at),
            api_keys::updated_at.eq(by.now),
            api_keys::version.eq(was.version + 1),
        ))
        .execute(conn)?;
    let row = find(conn, was.id)?;
    tell(
        conn,
        by,
        Event::ApiKeyUpdated,
        was.id,
        [Some(was), Some(&row)],
    )?;
    Ok(row)
}

/// Puts a new key in the old one's place; the old one stays good for so many seconds.
pub fn rotate(
    conn: &mut Conn,
    was: &KeyRow,
    key: &NewKey,
    overlap_seconds: i64,
    by: &By,
) -> ApiResult<KeyRow> {
    let old = Some(&was.hash).filter(|_| overlap_seconds > 0);
    let until = by.now.plus_seconds(overlap_seconds);
    diesel::update(api_keys::table.find(was.id))
        .set((
            api_keys::prefix.eq(key.shown()),
            api_keys::hash.eq(key.hash()),
            api_keys::old_hash.eq(old),
            api_keys::old_expires_at.eq(old.map(|_| until)),
            api_keys::updated_at.eq(by.now),
            api_keys::version.eq(was.version + 1),
        ))
        .execute(conn)?;
    let row = find(conn, was.id)?;
    tell(
        conn,
        by,
        Event::ApiKeyRotated,
        was.id,
        [Some(was), Some(&row)],
    )?;
    Ok(row)
}

/// Revokes a key: it is gone, and its id is never used again.
pub fn revoke(conn: &mut Conn, was: &KeyRow, by: &By) -> ApiResult<()> {
    diesel::delete(api_keys::table.find(was.id)).execute(conn)?;
    Ok(tell(
        conn,
        by,
        Event::ApiKeyRevoked,
        was.id,
        [Some(was), None],
    )?)
}

fn tell(
    conn: &mut Conn,
    by: &By,
    event: Event,
    id: i64,
    states: [Option<&KeyRow>; 2],
) -> QueryResult<()> {
    let states = states.map(|row| row.map(ApiKey::from));
    audit::record_change(conn, by, event, (Resource::ApiKey, id), states)
}

/// A page of keys, by id.
pub fn page(conn: &mut Conn, paging: &Paging) -> QueryResult<Found<KeyRow>> {
    let total = if paging.exact {
        Some(api_keys::table.count().get_result(conn)?)
    } else {
        None
    };
    let mut query = api_keys::table.into_boxed();
    if let Place::After(cursor) = &paging.place {
        query = query.filter(api_keys::id.gt(cursor.id));
    }
    let rows = query
        .order(api_keys::id)
        .limit(paging.limit + 1)
        .offset(paging.offset())
        .select(KeyRow::as_select())
        .load(conn)?;
    Ok(paging.cut(rows, total, |row| (String::new(), row.id)))
}
