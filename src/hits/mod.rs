//! Hit counts: exact and durable. A hit is answered after the transaction that holds it has
//! committed.
//!
//! [`rules`] says what counts, [`store`] keeps the ledger (`total = baseline + counted + adjusted`,
//! `received = counted + duplicate + bot + rejected`), and everything that records goes through
//! [`record`].

mod admin;
mod handlers;
mod rules;
pub mod store;
pub mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::clock::SiteZone;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::limits::Share;

pub use rules::{Client, Outcome, Viewer};
pub use store::Recorded;

use wire::HitCount;

/// Mounts the hit counts of delivery and of management.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(handlers::record_one)
        .service(handlers::record_many)
        .service(handlers::read_one)
        .service(handlers::read_many)
        .service(handlers::of_section)
        .service(handlers::top)
        .service(handlers::daily)
        .service(admin::list)
        .service(admin::read)
        .service(admin::set_baseline)
        .service(admin::reset)
        .service(admin::delete);
}

/// One hit that has come in.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The article.
    pub article_id: i64,
    /// What the client calls this hit, so that it can send it again.
    pub hit_id: Option<String>,
    /// When it was, where the client says so.
    pub at: Option<Timestamp>,
}

/// Records hits of one viewer, all in one transaction, and tells what became of each. When this
/// returns, they are on disk. What the viewer's limit allows is found out first: where nothing of
/// it is to be written, nobody's turn to write is taken.
pub async fn record(app: &App, hits: Vec<Hit>, viewer: Viewer) -> ApiResult<Vec<Recorded>> {
    let (zone, window) = (app.config.site.zone, app.config.hit_window);
    let (clock, salts) = (app.clock.clone(), app.salts.clone());
    let allowance = app.limits.hits_from(viewer.address());
    let shares: Vec<Share> = hits.iter().map(|_| allowance.take()).collect();
    if shares.iter().all(|share| *share == Share::Unnoted) {
        let read = app.db.read(move |conn| {
            let now = clock.now();
            store::reject(conn, &hits, zone.day(now), now).map_err(ApiError::from)
        });
        return read.await;
    }
    let (recorded, day_salts) = app
        .db
        .count(move |conn| {
            let now = clock.now();
            let day_salts = salts.of_day(conn, zone.day(now))?;
            let view = store::View {
                visitor: viewer.hash(&day_salts.own),
                visitor_before: day_salts.before.as_ref().map(|salt| viewer.hash(salt)),
                is_bot: viewer.is_bot(),
                shares,
                zone,
                window,
                now,
            };
            let recorded = store::record(conn, &hits, &view)?;
            Ok::<_, ApiError>((recorded, day_salts))
        })
        .await?;
    app.salts.remember(day_salts);
    Ok(recorded)
}

/// The counts of these articles, each present, zero where nothing was ever counted.
pub fn counts_of(
    conn: &mut Conn,
    ids: &[i64],
    zone: SiteZone,
    now: Timestamp,
) -> ApiResult<HashMap<i64, HitCount>> {
    Ok(store::counts(conn, ids, zone.day(now))?)
}

/// The counts of the whole site, of what is public now.
pub fn site_total(conn: &mut Conn, now: Timestamp) -> ApiResult<i64> {
    Ok(store::site_total(conn, now)?)
}

/// The salt of a day, and of the day before where anybody came then.
#[derive(Debug, Clone)]
struct DaySalts {
    day: NaiveDate,
    own: Vec<u8>,
    before: Option<Vec<u8>>,
}

/// The days' salts of visitor hashes: random, shared by all nodes through the database, deleted
/// when the day is well past, so that no hash can be tried again later.
#[derive(Debug, Clone, Default)]
pub struct Salts {
    known: Arc<Mutex<Option<DaySalts>>>,
}

impl Salts {
    fn of_day(&self, conn: &mut Conn, day: NaiveDate) -> ApiResult<DaySalts> {
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(salts) = known.filter(|salts| salts.day == day) {
            return Ok(salts);
        }
        let own = store::salt(conn, day)?;
        let before = match day.pred_opt() {
            Some(before) => store::find_salt(conn, before)?,
            None => None,
        };
        Ok(DaySalts { day, own, before })
    }

    /// Remembers the salts of a day, once they are committed.
    fn remember(&self, salts: DaySalts) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(salts);
    }
}

/// Deletes what the rules of counting no longer need: hit ids, visits and salts that are past.
pub async fn tidy(app: &App) -> ApiResult<usize> {
    let now = app.clock.now();
    let (zone, window) = (app.config.site.zone, app.config.hit_window);
    app.db
        .count(move |conn| store::tidy(conn, zone, window, now).map_err(ApiError::from))
        .await
}
