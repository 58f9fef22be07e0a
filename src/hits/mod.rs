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

use actix_web::HttpResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::clock::SiteZone;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::limits::Share;
use crate::secrets;
use crate::writes::{Answer, Keyed, Lane, Owner};

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

/// Views that are to be recorded.
struct Recording {
    app: App,
    hits: Vec<Hit>,
    viewer: Viewer,
    shares: Vec<Share>,
}

impl Recording {
    /// What the viewer's limit allows is found out at once.
    fn new(app: &App, hits: Vec<Hit>, viewer: Viewer) -> Self {
        let allowance = app.limits.hits_from(viewer.address());
        Self {
            shares: hits.iter().map(|_| allowance.take()).collect(),
            app: app.clone(),
            hits,
            viewer,
        }
    }

    /// Whether nothing of it is to be written.
    fn is_unnoted(&self) -> bool {
        self.shares.iter().all(|share| *share == Share::Unnoted)
    }

    fn reject(self, conn: &mut Conn) -> ApiResult<Vec<Recorded>> {
        let now = self.app.clock.now();
        let day = self.app.config.site.zone.day(now);
        Ok(store::reject(conn, &self.hits, day, now)?)
    }

    fn write(self, conn: &mut Conn) -> ApiResult<(Vec<Recorded>, DaySalts)> {
        let config = &self.app.config;
        let (now, zone) = (self.app.clock.now(), config.site.zone);
        let day_salts = self.app.salts.of_day(conn, zone.day(now))?;
        let before = day_salts.before.as_ref();
        let view = store::View {
            visitor: self.viewer.hash(&day_salts.own),
            visitor_before: before.map(|salt| self.viewer.hash(salt)),
            is_bot: self.viewer.is_bot(),
            shares: self.shares,
            zone,
            window: config.hit_window,
            now,
        };
        let recorded = store::record(conn, &self.hits, &view)?;
        Ok((recorded, day_salts))
    }
}

/// Records views and tells what became of each, in the order given. When it returns, they are on
/// disk. Where the viewer's limit leaves nothing to write, nobody's turn to write is taken.
pub async fn record(app: &App, hits: Vec<Hit>, viewer: Viewer) -> ApiResult<Vec<Recorded>> {
    let recording = Recording::new(app, hits, viewer);
    if recording.is_unnoted() {
        return app.db.read(move |conn| recording.reject(conn)).await;
    }
    let (recorded, day_salts) = app.db.count(move |conn| recording.write(conn)).await?;
    app.salts.remember(day_salts);
    Ok(recorded)
}

/// The name of the key that visitors' `Idempotency-Key`s are told apart by.
const KEY_OWNERS: &str = "idempotency_keys";

/// Records views and answers what `shape` makes of them; with an `Idempotency-Key` once, in the
/// transaction that keeps the answer. Where the viewer's limit leaves nothing to write, no key is
/// kept either.
pub async fn record_keyed<F>(
    app: &App,
    keyed: &Keyed,
    hits: ApiResult<Vec<Hit>>,
    viewer: Viewer,
    shape: F,
) -> ApiResult<HttpResponse>
where
    F: FnOnce(Vec<Recorded>) -> ApiResult<Answer> + Send + 'static,
{
    // What is faulty is not kept: nothing limits how much of it anybody sends.
    let hits = hits?;
    if !keyed.is_given() {
        return Ok(shape(record(app, hits, viewer).await?)?.send());
    }
    let recording = Recording::new(app, hits, viewer.clone());
    if recording.is_unnoted() {
        let rejected = app.db.read(move |conn| recording.reject(conn)).await?;
        return Ok(shape(rejected)?.send());
    }
    // No address is kept, but what nobody can tell it from.
    let hash = viewer.hash(&owners_key(app).await?);
    let owner = Owner::visitor(&URL_SAFE_NO_PAD.encode(hash));
    let work = move |conn: &mut Conn| shape(recording.write(conn)?.0);
    keyed.run(app, Lane::Hits, owner, work).await
}

/// The key that visitors' `Idempotency-Key`s are told apart by. Nobody's turn to write is taken once
/// it is made.
async fn owners_key(app: &App) -> ApiResult<Vec<u8>> {
    let find = |conn: &mut Conn| secrets::find(conn, KEY_OWNERS).map_err(ApiError::from);
    if let Some(key) = app.db.read(find).await? {
        return Ok(key);
    }
    let now = app.clock.now();
    app.db
        .count(move |conn| secrets::find_or_make(conn, KEY_OWNERS, now).map_err(ApiError::from))
        .await
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
