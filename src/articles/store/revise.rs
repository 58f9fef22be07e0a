//! Every save of an article is kept as a revision.

use diesel::prelude::*;
use serde_json::Value;

use crate::articles::lists;
use crate::articles::rules::Status;
use crate::audit::{self, By, Change};
use crate::db::later::{self, Later};
use crate::db::schema::revisions;
use crate::db::{Conn, JsonOf, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::insert_all;

use super::{Act, Stored};

#[derive(Insertable)]
#[diesel(table_name = revisions, treat_none_as_default_value = false)]
struct NewRevision {
    article_id: i64,
    version: i64,
    at: Timestamp,
    actor: &'static str,
    actor_id: Option<i64>,
    actor_name: Option<String>,
    note: Option<String>,
    status: &'static str,
    kept: bool,
    changed: JsonOf<Vec<String>>,
    content: JsonOf<Value>,
}

/// Keeps the state that a write has made. What was there before the first revision that the article
/// has is kept with it, so that nothing is lost of what is older than the log.
pub(super) fn revise(
    conn: &mut Conn,
    act: &Act,
    was: Option<&Stored>,
    is: &Stored,
    changes: &[Change],
) -> ApiResult<()> {
    let (id, now) = (is.row.id, act.by.now);
    if let Some(was) = was
        && !has(conn, id, was.row.version)?
    {
        let unknown = By {
            actor: audit::Actor::system(),
            ..act.by.clone()
        };
        insert(conn, &unknown, was.row.updated_at, None, Vec::new(), was)?;
    }
    let changed = changes.iter().map(|change| change.member.clone()).collect();
    insert(conn, &act.by, now, act.note.as_deref(), changed, is)?;
    if was.is_some() {
        unkeep(conn, is, now)?;
    }
    Ok(())
}

fn insert(
    conn: &mut Conn,
    by: &By,
    at: Timestamp,
    note: Option<&str>,
    changed: Vec<String>,
    stored: &Stored,
) -> ApiResult<()> {
    let actor = &by.actor;
    let shown = lists::managed(stored.clone(), by.now);
    let content = serde_json::to_value(&shown).map_err(|e| ApiError::Internal(e.to_string()))?;
    let row = NewRevision {
        article_id: stored.row.id,
        version: stored.row.version,
        at,
        actor: actor.kind.as_str(),
        actor_id: actor.id,
        actor_name: actor.name.clone(),
        note: note.map(ToOwned::to_owned),
        status: stored.row.status_at(by.now).as_str(),
        kept: true,
        changed: JsonOf(changed),
        // The article as management shows it.
        content: JsonOf(content),
    };
    Ok(later::write(conn, vec![row])?)
}

impl Later for NewRevision {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(revisions::table).values(rows)
        })
    }
}

fn has(conn: &mut Conn, id: i64, version: i64) -> QueryResult<bool> {
    revisions::table
        .find((id, version))
        .select(revisions::version)
        .first::<i64>(conn)
        .optional()
        .map(|found| found.is_some())
}

/// Hands to retention what is neither the newest nor the newest that was released.
fn unkeep(conn: &mut Conn, is: &Stored, now: Timestamp) -> QueryResult<()> {
    let older = || {
        revisions::table
            .filter(revisions::article_id.eq(is.row.id))
            .filter(revisions::version.lt(is.row.version))
            .filter(revisions::kept.eq(true))
    };
    let mut protected = None;
    if !is.row.status_at(now).is_released() {
        let released = [Status::Scheduled.as_str(), Status::Published.as_str()];
        protected = older()
            .filter(revisions::status.eq_any(released))
            .order(revisions::version.desc())
            .select(revisions::version)
            .first::<i64>(conn)
            .optional()?;
    }
    diesel::update(older().filter(revisions::version.ne(protected.unwrap_or(0))))
        .set(revisions::kept.eq(false))
        .execute(conn)?;
    Ok(())
}
