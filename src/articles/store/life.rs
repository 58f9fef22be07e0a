//! Articles go through their life: published, taken back, trashed, deleted.

use diesel::prelude::*;

use super::tell::{self, tell};
use super::write::{derive, finish, release};
use super::{Act, Stored};
use crate::articles::rules::{Action, Status, step};
use crate::articles::wire::Publication;
use crate::audit::{Change, Event};
use crate::changes::{self, Visible};
use crate::db::Conn;
use crate::db::schema::articles;
use crate::error::ApiResult;
use crate::http::fields::Check;
use crate::previews;
use crate::slugs::{self, Resource};

/// Publishes an article, or schedules it. An end that it had and that is past is dropped: it would
/// undo the publishing at once.
pub fn publish(
    conn: &mut Conn,
    was: &Stored,
    publication: Publication,
    act: &Act,
) -> ApiResult<Stored> {
    let (mut stored, now) = (was.clone(), act.by.now);
    stored.row.status = stored.row.status_at(now).as_str().to_owned();
    stored.row.expires_at = stored.row.expires_at.filter(|end| *end > now);
    stored.row.ended_at = None;
    let shows = stored.details.shows();
    let mut check = Check::default();
    release(&mut check, &mut stored.row, Some(publication), shows, now)?;
    act.check(&mut check, Some(was), &stored);
    check.finish()?;
    let (is, changes) = save_row(conn, was, stored, act)?;
    let event = published_event(&is);
    tell(conn, &act.by, event, Some(was), Some(&is), changes)?;
    Ok(is)
}

/// What publishing is called in the audit log, by what came of it.
pub(super) fn published_event(is: &Stored) -> Event {
    if is.row.status == Status::Scheduled.as_str() {
        Event::ArticleScheduled
    } else {
        Event::ArticlePublished
    }
}

/// Takes an article through a step of its life that needs nothing but its state.
pub fn take(conn: &mut Conn, was: &Stored, action: Action, act: &Act) -> ApiResult<Stored> {
    let (mut stored, now) = (was.clone(), act.by.now);
    if let Some(to) = step(stored.row.status_at(now), action, now)? {
        stored.row.status = to.as_str().to_owned();
    }
    stored.row.ended_at = (action == Action::Trash).then_some(now);
    // Another one has its place by the time that it comes back.
    stored.row.position = stored.row.position.filter(|_| action != Action::Trash);
    let (is, changes) = save_row(conn, was, stored, act)?;
    tell(
        conn,
        &act.by,
        event_of(action),
        Some(was),
        Some(&is),
        changes,
    )?;
    if action == Action::Trash {
        previews::revoke(conn, &[is.row.id])?;
    }
    Ok(is)
}

fn event_of(action: Action) -> Event {
    match action {
        Action::Submit => Event::ArticleSubmitted,
        Action::Reject => Event::ArticleRejected,
        Action::Publish(_) => Event::ArticlePublished,
        Action::Unpublish => Event::ArticleUnpublished,
        Action::Trash => Event::ArticleTrashed,
        Action::Restore => Event::ArticleRestored,
        Action::Delete => Event::ArticleDeleted,
    }
}

/// Saves a new version of the article's row alone; with what changed, for the audit log.
pub(super) fn save_row(
    conn: &mut Conn,
    was: &Stored,
    mut stored: Stored,
    act: &Act,
) -> ApiResult<(Stored, Vec<Change>)> {
    stored.row.version += 1;
    stored.row.updated_at = act.by.now;
    derive(&mut stored.row, &act.tree);
    diesel::update(articles::table.find(stored.row.id))
        .set(&stored.row)
        .execute(conn)?;
    let changes = finish(conn, act, Some(was), &stored)?;
    Ok((stored, changes))
}

/// Deletes an article in the trash for good. Its hit counts and its place in the change log stay,
/// and its id is never used again.
pub fn delete(conn: &mut Conn, was: &Stored, act: &Act) -> ApiResult<()> {
    let now = act.by.now;
    step(was.row.status_at(now), Action::Delete, now)?;
    diesel::delete(articles::table.find(was.row.id)).execute(conn)?;
    slugs::forget(conn, Resource::Article, was.row.id)?;
    let gone = [(was.row.id, Visible::Not)];
    changes::record(conn, Resource::Article, &gone, now)?;
    let (event, changes) = (
        event_of(Action::Delete),
        tell::changes(now, Some(was), None),
    );
    tell(conn, &act.by, event, Some(was), None, changes)
}
