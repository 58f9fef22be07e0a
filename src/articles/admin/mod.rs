//! Articles, as their editors see them.

mod actions;
mod bulk;
mod edit;
mod external;
mod list;

use super::lists;
use super::store::{Stored, Writer};
use super::wire::{Edits, Publication, PublishInput};
use crate::auth::{Caller, Permission};
use crate::db::Timestamp;
use crate::error::ApiResult;
use crate::http::fields::{Check, Member, Object};
use crate::http::mount::Mount;
use crate::writes::Answer;

/// Mounts the articles of management.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(list::list)
        .service(edit::create)
        .service(bulk::bulk)
        .service(edit::read)
        .service(edit::patch)
        .service(edit::delete)
        .service(actions::submit)
        .service(actions::reject)
        .service(actions::publish)
        .service(actions::unpublish)
        .service(actions::restore)
        .service(actions::reorder)
        .service(external::put_external);
}

/// What publishing is asked for in a body: absent and null are none.
fn checked_publication(
    check: &mut Check,
    caller: &Caller,
    asked: Member<Object<PublishInput>>,
) -> ApiResult<Option<Publication>> {
    let Some(asked) = asked.given() else {
        return Ok(None);
    };
    caller.check(Permission::Publish)?;
    Ok(Some(asked.0.checked(check, "/publish")))
}

/// Checks that the writer may change the article so: what is public, and when anything is to be, is
/// for those who may publish.
pub(super) fn checked_update(writer: &Writer, was: &Stored, edits: &Edits) -> ApiResult<()> {
    if edits.published_at != was.row.published_at {
        writer.check(Permission::Publish)?;
    }
    checked_released(writer, was)
}

/// Checks that the writer may touch the article as it is: what is public, or is to be, is for those who
/// may publish.
fn checked_released(writer: &Writer, was: &Stored) -> ApiResult<()> {
    if was.row.status_at(writer.act.by.now).is_released() {
        writer.check(Permission::Publish)?;
    }
    Ok(())
}

/// 200 with the article.
pub(super) fn saved(stored: Stored, now: Timestamp) -> ApiResult<Answer> {
    let article = lists::managed(stored, now);
    Answer::ok(&article, article.version)
}

/// 201 with the article.
fn created(stored: Stored, now: Timestamp) -> ApiResult<Answer> {
    let article = lists::managed(stored, now);
    let location = format!("/v1/admin/articles/{}", article.id);
    Answer::created(&article, article.version, location)
}
