//! What the audit log is told of articles.

use crate::articles::lists;
use crate::articles::wire::ManagedArticle;
use crate::audit::{self, By, Change, Entry, Event, Resource};
use crate::db::{Conn, Timestamp};
use crate::error::ApiResult;

use super::Stored;
use super::life::published_event;

/// The members that publishing is about.
const PUBLISHING: &[&str] = &["status", "published_at", "expires_at"];

/// Records what happened to an article: the members that changed, and a change of its date, once it
/// was set, as an event of its own.
pub(super) fn tell(
    conn: &mut Conn,
    by: &By,
    event: Event,
    was: Option<&Stored>,
    is: Option<&Stored>,
    changes: Vec<Change>,
) -> ApiResult<()> {
    let Some(id) = was.or(is).map(|stored| stored.row.id) else {
        return Ok(());
    };
    let (dates, others) = parted(was, is, changes);
    let only_the_date = event == Event::ArticleUpdated && others.is_empty();
    if dates.is_empty() || !only_the_date {
        record(conn, by, event, id, others)?;
    }
    record_dates(conn, by, id, dates)
}

/// Records that an article was made or changed, and published in the same breath, as two events:
/// each is found by its name. A change of what publishing is about belongs to the second one alone;
/// where nothing else changed, there is no first one.
pub(super) fn tell_published(
    conn: &mut Conn,
    by: &By,
    was: Option<&Stored>,
    is: &Stored,
    changes: Vec<Change>,
) -> ApiResult<()> {
    let id = is.row.id;
    let (dates, others) = parted(was, Some(is), changes);
    let is_publishing = |change: &Change| PUBLISHING.contains(&change.member.as_str());
    let (publishing, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_publishing);
    if was.is_none() {
        record(conn, by, Event::ArticleCreated, id, others)?;
    } else if !others.is_empty() {
        record(conn, by, Event::ArticleUpdated, id, others)?;
    }
    record(conn, by, published_event(is), id, publishing)?;
    record_dates(conn, by, id, dates)
}

/// What changed from one state to the next, as management shows them.
pub(super) fn changes(now: Timestamp, was: Option<&Stored>, is: Option<&Stored>) -> Vec<Change> {
    let wire = |stored: Option<&Stored>| -> Option<ManagedArticle> {
        stored.map(|stored| lists::managed(stored.clone(), now))
    };
    audit::between(wire(was).as_ref(), wire(is).as_ref())
}

/// The change of the date, where it was set before, and all else.
fn parted(
    was: Option<&Stored>,
    is: Option<&Stored>,
    changes: Vec<Change>,
) -> (Vec<Change>, Vec<Change>) {
    let is_first_date = match (was, is) {
        (Some(was), Some(_)) => was.row.published_at.is_none(),
        _ => true,
    };
    let is_date = |change: &Change| change.member == "published_at" && !is_first_date;
    changes.into_iter().partition(is_date)
}

fn record(conn: &mut Conn, by: &By, event: Event, id: i64, changes: Vec<Change>) -> ApiResult<()> {
    let entry = Entry::new(event, Resource::Article, id).with(changes);
    Ok(audit::record(conn, by, entry)?)
}

fn record_dates(conn: &mut Conn, by: &By, id: i64, dates: Vec<Change>) -> ApiResult<()> {
    if dates.is_empty() {
        return Ok(());
    }
    record(conn, by, Event::ArticleDateChanged, id, dates)
}
