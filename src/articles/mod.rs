//! Articles: written and published in management, read in delivery.
//!
//! [`rules`] is the life cycle, [`text`] what becomes of a body, [`check`] what is looked for before
//! publishing, [`wire`] the JSON, [`store`] every write, [`lists`] every read. What readers may see
//! stands in the table `listings`, which [`store::relist`] keeps right and `visibility` filters by
//! time.

mod admin;
pub mod check;
mod handlers;
mod limits;
pub mod lists;
mod permit;
pub mod prepare;
pub mod revisions;
pub mod rules;
pub mod store;
pub mod text;
pub mod wire;

use std::collections::HashMap;

use diesel::QueryResult;

use crate::app::App;
use crate::config::Site;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::http::mount::Mount;
use crate::http::reference::{Ref, moved};
use crate::sections::Tree;
use crate::slugs::{self, Resource, Target};
use crate::view::View;

use lists::Include;
use wire::{Article, ArticleSummary};

pub use permit::{find_for, within_reach};
pub use store::{Name, named};

crate::path_id! {
    /// The id of an article in a management path.
    ArticleId, "article"
}

/// Mounts the articles of delivery and of management.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(handlers::list)
        .service(handlers::read)
        .service(handlers::neighbors)
        .service(handlers::related)
        .service(handlers::qr)
        .service(handlers::archive)
        .service(handlers::tags)
        .service(check::admin::check);
    admin::routes(config);
    revisions::routes(config);
}

/// The id of the public article that a delivery path names. 404 where there is none; 308 to
/// `/v1/articles/{slug}{rest}` where it was an old slug.
pub fn resolve_public(
    conn: &mut Conn,
    text: &str,
    rest: &str,
    query: &str,
    now: Timestamp,
) -> ApiResult<i64> {
    let target = find_public(conn, text, now)?;
    if target.is_old {
        let slug =
            store::slug_of(conn, target.id)?.ok_or_else(|| ApiError::not_found("article"))?;
        return Err(moved(&format!("/v1/articles/{slug}{rest}"), query));
    }
    Ok(target.id)
}

/// The whole public article that a delivery path names. 404 where there is none; 308 where it was an old
/// slug.
pub fn read_public(
    conn: &mut Conn,
    text: &str,
    query: &str,
    view: &View,
    site: &Site,
    with_hits: bool,
) -> ApiResult<Article> {
    let missing = || ApiError::not_found("article");
    let reference = Ref::parse(text).ok_or_else(missing)?;
    let target = slugs::resolve(conn, Resource::Article, &reference)?.ok_or_else(missing)?;
    if target.is_old {
        // 308, or 404 where it isn't public.
        resolve_public(conn, text, "", query, view.now)?;
    }
    lists::article(conn, target.id, view, site, with_hits)?.ok_or_else(missing)
}

/// The id of the public article that a write path or a parameter names; an old slug serves as well.
pub fn resolve_public_for_write(conn: &mut Conn, text: &str, now: Timestamp) -> ApiResult<i64> {
    find_public(conn, text, now).map(|target| target.id)
}

/// The id that an article's slug leads to, an old slug too, whether it is public or not.
pub fn resolve(conn: &mut Conn, slug: &str) -> QueryResult<Option<i64>> {
    let Some(reference) = Ref::parse(slug) else {
        return Ok(None);
    };
    let target = slugs::resolve(conn, Resource::Article, &reference)?;
    Ok(target.map(|target| target.id))
}

fn find_public(conn: &mut Conn, text: &str, now: Timestamp) -> ApiResult<Target> {
    let missing = || ApiError::not_found("article");
    let reference = Ref::parse(text).ok_or_else(missing)?;
    let target = slugs::resolve(conn, Resource::Article, &reference)?.ok_or_else(missing)?;
    if lists::is_public_now(conn, target.id, now)? {
        Ok(target)
    } else {
        Err(missing())
    }
}

/// The newest articles of each of these sections, with what stands below it.
pub fn newest_in_each(
    conn: &mut Conn,
    tree: &Tree,
    site: &Site,
    section_ids: &[i64],
    limit: i64,
    now: Timestamp,
) -> ApiResult<HashMap<i64, Vec<ArticleSummary>>> {
    let ids = lists::newest_in_each(conn, section_ids, limit, now)?;
    let mut wanted: Vec<i64> = ids.values().flatten().copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let found = lists::summaries(conn, &wanted, tree, site, Include::default())?;
    let by_id: HashMap<i64, ArticleSummary> = found.into_iter().map(|a| (a.id, a)).collect();
    let pick = |ids: Vec<i64>| ids.iter().filter_map(|id| by_id.get(id).cloned()).collect();
    Ok(ids
        .into_iter()
        .map(|(section, ids)| (section, pick(ids)))
        .collect())
}

/// How many articles one transaction brings up to date: each is read whole, and others wait for it.
const AT_ONCE: i64 = 20;

/// Writes down what time has made of articles since the last time, and returns of how many: see
/// [`store::due_ids`]. Any number of nodes may do it at once.
pub async fn tick(app: &App) -> ApiResult<usize> {
    let mut settled = 0;
    loop {
        let now = app.clock.now();
        let due = app
            .db
            .read(move |conn| store::due_ids(conn, now, AT_ONCE).map_err(ApiError::from))
            .await?;
        if due.is_empty() {
            return Ok(settled);
        }
        let done = app
            .db
            .write(move |conn| store::settle_due(conn, &due, now))
            .await?;
        settled += done;
        if done == 0 {
            // Another node was faster.
            return Ok(settled);
        }
    }
}

/// Deletes for good what has been in the trash for `LANMU_TRASH_DAYS`, and returns how many.
pub async fn tidy(app: &App) -> ApiResult<usize> {
    let Some(days) = app.config.trash_days else {
        return Ok(0);
    };
    let mut deleted = 0;
    loop {
        let now = app.clock.now();
        let before = now.plus_seconds(-days * 24 * 3600);
        let gone = app
            .db
            .write(move |conn| store::delete_trashed(conn, before, AT_ONCE, now))
            .await?;
        deleted += gone;
        if gone == 0 {
            return Ok(deleted);
        }
    }
}
