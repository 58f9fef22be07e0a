//! What readers may see, and until when an answer about it stays right.
//!
//! [`is_public`] is the one predicate behind every delivery read. It looks at `listings`, whose
//! rows exist only for articles that are published or scheduled in a section that is shown
//! (`articles::store` keeps that right); time decides the rest.

use actix_web::{HttpRequest, HttpResponse};
use diesel::dsl::{auto_type, min};
use diesel::prelude::*;

use crate::app::App;
use crate::config::CachePolicy;
use crate::db::schema::listings;
use crate::db::{Conn, Timestamp, dialect};
use crate::error::{ApiError, ApiResult};
use crate::http::answer::{Delivery, cache_control};

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
            .filter(listings::article_id.eq_any(chunk))
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

/// Answers a delivery read: `work` runs in one snapshot, and what it gives, 404 included, is
/// cacheable until the next edge.
pub async fn deliver<F>(
    app: &App,
    req: &HttpRequest,
    policy: CachePolicy,
    work: F,
) -> ApiResult<HttpResponse>
where
    F: FnOnce(&mut Conn, Timestamp) -> ApiResult<Delivery> + Send + 'static,
{
    let clock = app.clock.clone();
    let (result, edge) = app
        .db
        .read(move |conn| {
            // Taken here: the unit may have waited for its connection.
            let now = clock.now();
            let edge = next_edge(conn, now)?;
            // An answer of 404 or 308 is one, too: only faults of the database end the unit.
            Ok::<_, ApiError>(match work(conn, now) {
                Err(error) if !is_answer(&error) => return Err(error),
                result => (result, edge),
            })
        })
        .await?;
    let cache_control = cache_control(policy, app.clock.now(), edge);
    match result {
        Ok(delivery) => delivery.answer(req.headers(), &cache_control),
        Err(error @ ApiError::Moved(_)) => Err(error),
        Err(error) => Err(ApiError::Cacheable(Box::new(error), cache_control)),
    }
}

fn is_answer(error: &ApiError) -> bool {
    match error {
        ApiError::Moved(_) => true,
        other => other.code() == crate::error::Code::NotFound,
    }
}
