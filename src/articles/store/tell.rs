//! What the audit log is told of articles.

use crate::articles::lists;
use crate::articles::wire::ManagedArticle;
use crate::audit::{self, By, Change, Entry, Event, Resource};
use crate::db::Conn;
use crate::error::ApiResult;

use super::Stored;

/// Records what happened to an article: the members that changed, and a change of its date, once it
/// was set, as an event of its own.
pub(super) fn tell(
    conn: &mut Conn,
    by: &By,
    event: Event,
    was: Option<&Stored>,
    is: Option<&Stored>,
) -> ApiResult<()> {
    let Some(id) = was.or(is).map(|stored| stored.row.id) else {
        return Ok(());
    };
    let wire = |stored: Option<&Stored>| -> Option<ManagedArticle> {
        stored.map(|stored| lists::managed(stored.clone(), by.now))
    };
    let changes = audit::between(wire(was).as_ref(), wire(is).as_ref());
    let is_first_date = match (was, is) {
        (Some(was), Some(_)) => was.row.published_at.is_none(),
        _ => true,
    };
    let is_date = |change: &Change| change.member == "published_at" && !is_first_date;
    let (dates, others): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_date);
    let only_the_date = event == Event::ArticleUpdated && others.is_empty();
    if dates.is_empty() || !only_the_date {
        let entry = Entry::new(event, Resource::Article, id).with(others);
        audit::record(conn, by, entry)?;
    }
    if !dates.is_empty() {
        let entry = Entry::new(Event::ArticleDateChanged, Resource::Article, id).with(dates);
        audit::record(conn, by, entry)?;
    }
    Ok(())
}
