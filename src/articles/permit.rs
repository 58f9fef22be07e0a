//! Which articles a caller may do something with.

use std::collections::HashSet;

use diesel::prelude::*;

use crate::auth::{Caller, Extent, Permission};
use crate::db::schema::articles;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult, Code};
use crate::sections::{Reach, not_yours};

use super::lists;
use super::rules::Status;
use super::store::{self, Stored};

/// The article of this id, where the caller may do that with it. What the caller has no part in (it
/// stands in a section of others, or is somebody else's where only one's own counts) is 403 where
/// readers see it, else 404, as is what isn't there. What of its own is no draft any more is 403 for
/// those who may write drafts only.
pub fn find_for(
    conn: &mut Conn,
    caller: &Caller,
    permission: Permission,
    id: i64,
    now: Timestamp,
) -> ApiResult<Stored> {
    let reach = Reach::load(conn, caller)?;
    find_within(conn, caller, &reach, permission, id, now)
}

/// Those of these articles that the caller may do that with, whatever their state.
pub fn within_reach(
    conn: &mut Conn,
    caller: &Caller,
    permission: Permission,
    ids: &[i64],
) -> ApiResult<HashSet<i64>> {
    caller.check(permission)?;
    let reach = Reach::load(conn, caller)?;
    let only_by = caller.only_by(permission);
    let mut within = HashSet::with_capacity(ids.len());
    for chunk in ids.chunks(500) {
        let rows: Vec<(i64, i64, Option<i64>)> = articles::table
            .filter(articles::id.eq_any(chunk))
            .select((articles::id, articles::section_id, articles::created_by))
            .load(conn)?;
        let theirs = rows.into_iter().filter(|(_, section, by)| {
            reach.covers(*section) && (only_by.is_none() || only_by == *by)
        });
        within.extend(theirs.map(|(id, ..)| id));
    }
    Ok(within)
}

/// [`find_for`] for a caller whose reach is known.
pub(super) fn find_within(
    conn: &mut Conn,
    caller: &Caller,
    reach: &Reach,
    permission: Permission,
    id: i64,
    now: Timestamp,
) -> ApiResult<Stored> {
    let stored = store::find(conn, id)?;
    let by = caller.only_by(permission);
    let is_theirs = by.is_some() && by != stored.row.created_by;
    if is_theirs || !reach.covers(stored.row.section_id) {
        return Err(if lists::is_public_now(conn, id, now)? {
            not_yours()
        } else {
            ApiError::not_found("article")
        });
    }
    caller.check(permission)?;
    let is_draft = matches!(stored.row.status_at(now), Status::Draft | Status::Trashed);
    if caller.extent(permission) == Extent::OwnDrafts && !is_draft {
        let detail = "the account may change its articles only while they are drafts";
        return Err(ApiError::new(Code::Forbidden, detail));
    }
    Ok(stored)
}
