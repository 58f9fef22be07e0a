//! What readers may see, and until when an answer about it stays right.
//!
//! [`is_public`] is the one predicate behind every delivery read. It looks at `listings`, whose
//! rows exist only for articles that are published or scheduled in a section that is shown
//! (`articles::store` keeps that right); time decides the rest.

use std::collections::HashSet;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use diesel::dsl::{auto_type, min};
use diesel::prelude::*;

use crate::app::App;
use crate::cache::{Kept, Said, answer};
use crate::clock::SiteZone;
use crate::config::CachePolicy;
use crate::db::schema::listings;
use crate::db::{Conn, Source, Timestamp, among, dialect};
use crate::error::{ApiError, ApiResult};
use crate::hits;
use crate::http::answer::{Delivery, Prepared, REVALIDATE};
use crate::http::keys::KeyHeader;
use crate::view::View;

/// The listing's article is public at this instant: published, and not expired.
#[auto_type(no_type_alias)]
pub fn is_public(now: Timestamp) -> _ {
    let published = listings::published_at.le(now);
    let not_expired = listings::expires_at
        .is_null()
        .or(listings::expires_at.assume_not_null().gt(now));
    published.and(not_expired)
}

/// The same as a condition on `listings` in plain SQL, for statements that are put together as text.
pub fn is_public_sql(conn: &Conn, now: Timestamp) -> String {
    let now = dialect::instant(conn, now);
    format!(
        "(listings.published_at <= {now} \
          AND (listings.expires_at IS NULL OR listings.expires_at > {now}))"
    )
}

/// Those of these articles that are public in a section or below it, in the site for 0: found one by one by
/// the listings' key. (With the instant in the statement SQLite would walk the section by its dates.)
pub fn public_of(
    conn: &mut Conn,
    section_id: i64,
    ids: &[i64],
    now: Timestamp,
) -> QueryResult<Vec<i64>> {
    let times = times_of(conn, section_id, ids)?.into_iter();
    let public = times.filter(|(_, from, before)| is_within(*from, *before, now));
    Ok(public.map(|(id, ..)| id).collect())
}

/// Those of these articles that are listed in a section, with when they are public: from, and before.
pub fn times_of(
    conn: &mut Conn,
    section_id: i64,
    ids: &[i64],
) -> QueryResult<Vec<(i64, Timestamp, Option<Timestamp>)>> {
    let mut times = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(MAX_IDS) {
        let rows: Vec<(i64, Timestamp, Option<Timestamp>)> = listings::table
            .filter(listings::section_id.eq(section_id))
            .filter(among(listings::article_id, chunk))
            .select((
                listings::article_id,
                listings::published_at,
                listings::expires_at,
            ))
            .load(conn)?;
        times.extend(rows);
    }
    Ok(times)
}

/// The articles that are listed in these sections and not public at this instant, with the section first:
/// few, for they are what is scheduled, and what has expired just now.
pub fn listed_not_public(
    conn: &mut Conn,
    section_ids: &[i64],
    now: Timestamp,
) -> QueryResult<Vec<(i64, i64)>> {
    let pair = (listings::section_id, listings::article_id);
    let mut found: Vec<(i64, i64)> = listings::table
        .filter(among(listings::section_id, section_ids))
        .filter(listings::published_at.gt(now))
        .select(pair)
        .load(conn)?;
    // Of all sections: SQLite would go through all of one rather than through all that has expired.
    let expired: Vec<(i64, i64)> = listings::table
        .filter(listings::expires_at.is_not_null())
        .filter(listings::expires_at.assume_not_null().le(now))
        .select(pair)
        .load(conn)?;
    let wanted: HashSet<i64> = section_ids.iter().copied().collect();
    found.extend(expired.into_iter().filter(|(of, _)| wanted.contains(of)));
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// How many ids one statement names.
const MAX_IDS: usize = 500;

/// What [`is_public`] says of one listing.
pub fn is_within(from: Timestamp, before: Option<Timestamp>, now: Timestamp) -> bool {
    from <= now && before.is_none_or(|before| now < before)
}

/// Section 0 of the listings: the whole site.
pub const SITE: i64 = 0;

/// The next instant at which time alone changes what readers see: something is published, expires
/// or is no longer pinned.
pub fn next_edge(conn: &mut Conn, now: Timestamp) -> QueryResult<Option<Timestamp>> {
    let site = || listings::table.filter(listings::section_id.eq(SITE));
    let publish: Option<Timestamp> = site()
        .filter(listings::published_at.gt(now))
        .select(min(listings::published_at))
        .first(conn)?;
    let expire: Option<Timestamp> = listings::table
        .filter(listings::expires_at.gt(now))
        .select(min(listings::expires_at))
        .first(conn)?;
    let unpin: Option<Timestamp> = listings::table
        .filter(listings::pinned_until.gt(now))
        .select(min(listings::pinned_until))
        .first(conn)?;
    Ok([publish, expire, unpin].into_iter().flatten().min())
}

/// What a delivery read does. (Boxed: what is around it would be compiled once for each.)
type Work = Arc<dyn Fn(&mut Conn, &View) -> ApiResult<Delivery> + Send + Sync>;

/// What a read made: the instant, the next edge, and what it says.
type Made = (Timestamp, Option<Timestamp>, Said);

/// Answers a delivery read: what `work` gives, 404 included, is kept, here and by caches elsewhere, until
/// the content changes or the next edge comes. All that `work` reads is of one state of the content; it
/// may be run twice. Where it leaves places for counts, these are put in each time it is sent, and caches
/// elsewhere ask about it each time.
pub async fn deliver<F>(
    app: &App,
    req: &HttpRequest,
    policy: CachePolicy,
    work: F,
) -> ApiResult<HttpResponse>
where
    F: Fn(&mut Conn, &View) -> ApiResult<Delivery> + Send + Sync + 'static,
{
    deliver_kept(app, req, policy, Arc::new(work)).await
}

async fn deliver_kept(
    app: &App,
    req: &HttpRequest,
    policy: CachePolicy,
    work: Work,
) -> ApiResult<HttpResponse> {
    let keys = app.config.cdn_keys;
    let make = |epoch| make(app, policy, keys, epoch, work);
    let kept = app.answers.get_or_make(app, req, make).await?;
    if !kept.has_places() {
        return kept.answer(req.headers(), app.clock.now());
    }
    let (clock, zone) = (app.clock.clone(), app.config.site.zone);
    let fill = move |conn: &mut Conn, _| with_counts(conn, &kept.said, zone, clock.now());
    let fill = || app.db.deliver(Source::Primary, fill);
    let said = app.answers.gather(req, fill).await?;
    answer(&said, req.headers(), REVALIDATE)
}

/// Answers a delivery read that is made of counts: it is made anew for whoever asks, in one snapshot, and
/// caches elsewhere ask about it each time, so that it needs no keys.
pub async fn deliver_counted<F>(app: &App, req: &HttpRequest, work: F) -> ApiResult<HttpResponse>
where
    F: Fn(&mut Conn, &View) -> ApiResult<Delivery> + Send + Sync + 'static,
{
    deliver_anew(app, req, Arc::new(work)).await
}

async fn deliver_anew(app: &App, req: &HttpRequest, work: Work) -> ApiResult<HttpResponse> {
    let (clock, views, zone) = (app.clock.clone(), app.views.clone(), app.config.site.zone);
    let make = move |conn: &mut Conn, generation| {
        let view = views.open(conn, generation, clock.now())?;
        let said = said(work(conn, &view), None)?;
        with_counts(conn, &said, zone, view.now)
    };
    let make = || app.db.deliver(Source::Primary, make);
    let said = app.answers.gather(req, make).await?;
    answer(&said, req.headers(), REVALIDATE)
}

/// What an answer says with the counts of now in their places.
fn with_counts(conn: &mut Conn, said: &Said, zone: SiteZone, now: Timestamp) -> ApiResult<Said> {
    let said = match said {
        Ok(said) => said,
        Err(error) => return Ok(Err(error.clone())),
    };
    let ids = || said.places().iter().map(|place| place.article_id);
    let articles: Vec<i64> = ids().filter(|id| *id != SITE).collect();
    let counts = hits::counts_of(conn, &articles, zone, now)?;
    let of_site = match ids().any(|id| id == SITE) {
        true => hits::site_total(conn, now)?,
        false => 0,
    };
    let filled = said.filled(|id| match id {
        SITE => Ok(of_site.to_string()),
        id => serde_json::to_string(&counts.get(&id))
            .map_err(|error| ApiError::Internal(error.to_string())),
    });
    filled.map(Ok)
}

async fn make(
    app: &App,
    policy: CachePolicy,
    keys: Option<KeyHeader>,
    epoch: u64,
    work: Work,
) -> ApiResult<Kept> {
    let (made_at, edge, said) = match at_a_glance(app, keys, &work).await {
        Some(made) => made,
        None => in_snapshot(app, keys, work).await?,
    };
    let article = said.as_ref().ok().and_then(Prepared::article);
    Ok(Kept {
        epoch,
        made_at,
        // An article changes by its own time alone.
        edge: article.map_or(edge, |(_, expires_at)| expires_at),
        policy,
        keys,
        said,
    })
}

/// Reads by what is known, without a transaction: that takes half as many statements. `None` where the
/// content has changed meanwhile, or where anything failed: then it is to be read in a snapshot.
async fn at_a_glance(app: &App, keys: Option<KeyHeader>, work: &Work) -> Option<Made> {
    let (clock, work) = (app.clock.clone(), Arc::clone(work));
    // What two of them have may be of two states, whichever comes first.
    let view = app.views.newest(clock.now())?;
    if app.db.has_replicas() {
        return None;
    }
    let glance = app.db.deliver_glance(move |conn| {
        // The instant is taken here: the unit may have waited for its connection.
        let Some(view) = view.at(clock.now()) else {
            return Ok(None);
        };
        let said = said(work(conn, &view), keys)?;
        let stands = view.is_current(conn)?;
        Ok::<_, ApiError>(stands.then_some((view.now, view.edge(), said)))
    });
    glance.await.ok().flatten()
}

async fn in_snapshot(app: &App, keys: Option<KeyHeader>, work: Work) -> ApiResult<Made> {
    let (clock, views) = (app.clock.clone(), app.views.clone());
    let read = move |conn: &mut Conn, generation| {
        let view = views.open(conn, generation, clock.now())?;
        let said = said(work(conn, &view), keys)?;
        Ok::<_, ApiError>((view.now, view.edge(), said))
    };
    app.db.deliver(Source::Any, read).await
}

/// What is to be kept of an outcome: a 404 or 308 is an answer, too; only faults of the database end the
/// unit.
fn said(outcome: ApiResult<Delivery>, keys: Option<KeyHeader>) -> ApiResult<Said> {
    match outcome {
        Ok(delivery) => delivery.prepared(keys).map(Ok),
        Err(error) if is_answer(&error) => Ok(Err(error)),
        Err(error) => Err(error),
    }
}

fn is_answer(error: &ApiError) -> bool {
    match error {
        ApiError::Moved(_) => true,
        other => other.code() == crate::error::Code::NotFound,
    }
}
