//! What time has made of articles is written down: scheduled becomes published, what has expired is
//! archived, what has lain in the trash is deleted.
//!
//! Readers don't wait for that: the predicate looks at the clock. It is the change log, the audit
//! log and the stored state that are brought up to date.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::articles::rules::Status;
use crate::audit::{self, Actor, Change, Entry, Event, Resource};
use crate::db::schema::articles;
use crate::db::{Conn, Timestamp, content, dialect, purges};
use crate::error::{ApiResult, Code};
use crate::http::keys::Key;

use super::places::list_again;
use super::write::{derive, log_change};
use super::{Act, Stored};

/// By how much the clocks of two nodes may differ, or one be set back, before what time had done is
/// undone. Within it, the difference just passes.
const MAX_SKEW_SECONDS: i64 = 60;

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Ids of articles whose stored state is not what time has made of it.
pub fn due_ids(conn: &mut Conn, now: Timestamp, limit: i64) -> QueryResult<Vec<i64>> {
    let at = dialect::instant(conn, now);
    let ahead = dialect::instant(conn, now.plus_seconds(MAX_SKEW_SECONDS));
    // Instants and numbers only. Each part is the condition of a partial index; the third one walks
    // what is dated ahead of now, which is little. In no order and with repetitions: SQLite would walk
    // the whole table in order to leave them out.
    let sql = format!(
        "SELECT id FROM articles WHERE status = 'scheduled' AND published_at <= {at} \
         UNION ALL SELECT id FROM articles \
           WHERE status IN ('scheduled', 'published') AND expires_at IS NOT NULL \
             AND expires_at <= {at} \
         UNION ALL SELECT id FROM articles WHERE dated_at > {ahead} AND status = 'published' \
         UNION ALL SELECT id FROM articles \
           WHERE status = 'archived' AND ended_at IS NOT NULL AND expires_at > {ahead} \
         LIMIT {limit}"
    );
    let due: Vec<Due> = diesel::sql_query(sql).load(conn)?;
    let mut ids: Vec<i64> = due.into_iter().map(|due| due.id).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Writes down what time has made of these articles, and returns of how many. Exactly once, however
/// many nodes try: each looks again under the lock of content writers.
pub fn settle_due(conn: &mut Conn, ids: &[i64], now: Timestamp) -> ApiResult<usize> {
    let act = Act::of_time(conn, now)?;
    let mut settled = 0;
    for was in super::find_many(conn, ids)? {
        let (id, before) = (was.row.id, was.row.status.clone());
        // A savepoint: one that can't be settled holds up no other.
        match content::part(conn, |conn| settle(conn, was, &act)) {
            Ok(is) => settled += usize::from(is.row.status != before),
            Err(error) if error.code() == Code::Internal => {
                tracing::error!(id, %error, "what time has made of an article can't be written down");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(settled)
}

/// Writes down what time has made of an article, as the service's own doing: its version, which is
/// of what people write, stays. Each step is an event of its own.
pub(super) fn settle(conn: &mut Conn, mut stored: Stored, act: &Act) -> ApiResult<Stored> {
    let now = act.by.now;
    while let Some((to, event)) = next_step(&stored, now) {
        let was = stored.clone();
        stored.row.status = to.as_str().to_owned();
        stored.row.ended_at = (to == Status::Archived).then_some(now);
        derive(&mut stored.row, &act.tree);
        diesel::update(articles::table.find(stored.row.id))
            .set((
                articles::status.eq(to.as_str()),
                articles::ended_at.eq(stored.row.ended_at),
                articles::live.eq(stored.row.live),
            ))
            .execute(conn)?;
        list_again(conn, &act.tree, &stored.row, &stored.also_in)?;
        log_change(conn, now, Some(&was), &stored)?;
        // By the clock it was not public before where it has expired, but caches have met it.
        purges::name([Key::Article(stored.row.id), Key::SITE]);
        let change = Change::new("status", was.row.status, to.as_str());
        let entry = Entry::new(event, Resource::Article, stored.row.id).with(vec![change]);
        audit::record(conn, &Actor::system().at(now), entry)?;
    }
    Ok(stored)
}

/// The step that time has made since the state was written, and what it is called.
fn next_step(stored: &Stored, now: Timestamp) -> Option<(Status, Event)> {
    let row = &stored.row;
    let far_ahead = |at: Timestamp| at > now.plus_seconds(MAX_SKEW_SECONDS);
    match Status::parse(&row.status)? {
        Status::Scheduled if row.published_at.is_none_or(|at| at <= now) => {
            Some((Status::Published, Event::ArticlePublished))
        }
        Status::Scheduled | Status::Published if row.expires_at.is_some_and(|at| at <= now) => {
            Some((Status::Archived, Event::ArticleExpired))
        }
        // The clock that published or archived it was wrong, and has been set back.
        Status::Published if row.published_at.is_some_and(far_ahead) => {
            Some((Status::Scheduled, Event::ArticleScheduled))
        }
        Status::Archived if row.ended_at.is_some() && row.expires_at.is_some_and(far_ahead) => {
            Some((Status::Published, Event::ArticlePublished))
        }
        _ => None,
    }
}

/// Deletes articles that have been in the trash since before this instant, up to so many, and returns
/// how many.
pub fn delete_trashed(
    conn: &mut Conn,
    before: Timestamp,
    limit: i64,
    now: Timestamp,
) -> ApiResult<usize> {
    let before = dialect::instant(conn, before);
    let sql = format!(
        "SELECT id FROM articles WHERE status = 'trashed' AND ended_at <= {before} \
         ORDER BY ended_at, id LIMIT {limit}"
    );
    let due: Vec<Due> = diesel::sql_query(sql).load(conn)?;
    let ids: Vec<i64> = due.into_iter().map(|due| due.id).collect();
    let act = Act::of_time(conn, now)?;
    for was in super::find_many(conn, &ids)? {
        super::delete(conn, &was, &act)?;
    }
    Ok(ids.len())
}
