//! Hit counts: exact and durable. A hit is answered after the transaction that holds it has
//! committed.
//!
//! [`rules`] says what counts, [`engine`] writes what comes in groups, [`store`] keeps the log and the
//! ledger (`total = baseline + counted + adjusted`, `received = counted + duplicate + bot + rejected`).
//! Everything that records goes through [`record`] or [`record_keyed`].

mod admin;
mod engine;
mod handlers;
mod rules;
mod series;
mod shim;
pub mod store;
pub mod wire;

use std::collections::HashMap;

use actix_web::HttpResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::NaiveDate;
use diesel::QueryResult;

use crate::app::App;
use crate::clock::SiteZone;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::http::mount::Mount;
use crate::http::reference::Ref;
use crate::limits::Share;
use crate::secrets;
use crate::writes::{Answer, Keyed, Owner};

pub use engine::{Engine, tidy};
pub use handlers::record_plain;
pub use rules::{Client, Outcome, Salt, Viewer, Visitor};

use wire::HitCount;

/// Mounts the hit counts of delivery and of management.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(handlers::record_one)
        .service(handlers::record_many)
        .service(handlers::read_one)
        .service(handlers::read_many)
        .service(handlers::of_section)
        .service(handlers::top)
        .service(series::daily)
        .service(series::hourly)
        .service(series::monthly)
        .service(shim::read_as_script);
    admin::routes(config);
}

/// What a hit is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The article of this id.
    Id(i64),
    /// The article that this slug leads to.
    Slug(String),
}

/// One hit that has come in.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The article.
    pub target: Target,
    /// What the client calls this hit, so that it can send it again.
    pub hit_id: Option<String>,
    /// When it was, where the client says so.
    pub at: Option<Timestamp>,
    /// Where it was viewed.
    pub client: Client,
    /// Who viewed it, where that is not who asks.
    pub visitor: Option<Visitor>,
    /// What the sender's limit says to it.
    pub share: Share,
}

impl From<Ref> for Target {
    fn from(reference: Ref) -> Self {
        match reference {
            Ref::Id(id) => Self::Id(id),
            Ref::Slug(slug) => Self::Slug(slug.as_str().to_owned()),
        }
    }
}

impl Hit {
    /// A view that nothing else is said about.
    fn plain(target: Target) -> Self {
        Self {
            target,
            hit_id: None,
            at: None,
            client: Client::Other,
            visitor: None,
            share: Share::Judged,
        }
    }
}

/// The hits of one request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The hits, in order.
    pub hits: Vec<Hit>,
    /// Who viewed them; `None`: somebody else each time.
    pub visitor: Option<Visitor>,
    /// Whether that is a bot.
    pub is_bot: bool,
}

/// What became of a hit, and what its article's count is with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The article; 0 where a slug leads to none.
    pub article_id: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// The article's total.
    pub total: i64,
    /// The article's views of today.
    pub today: i64,
}

impl Ask {
    /// Hits of this viewer. What its limit allows is found out at once.
    pub fn of(app: &App, mut hits: Vec<Hit>, viewer: Viewer) -> Self {
        let allowance = app.limits.hits_from(viewer.address());
        for hit in &mut hits {
            hit.share = allowance.take();
        }
        Self {
            hits,
            is_bot: viewer.is_bot(),
            visitor: Some(viewer.into_visitor()),
        }
    }

    /// Whether nothing of it is to be written.
    fn is_unnoted(&self) -> bool {
        self.hits.iter().all(|hit| hit.share == Share::Unnoted)
    }
}

/// Records hits and tells what became of each, in the order given. When it returns, they are on disk.
/// Where the viewer's limit leaves nothing to write, nobody's turn to write is taken.
pub async fn record(app: &App, ask: Ask) -> ApiResult<Vec<Recorded>> {
    if ask.is_unnoted() {
        return engine::reject(app, ask).await;
    }
    app.hits.record(ask).await
}

/// The name of the key that visitors' `Idempotency-Key`s are told apart by.
const KEY_OWNERS: &str = "idempotency_keys";

/// Records hits and answers what `shape` makes of them; with an `Idempotency-Key` once, in the
/// transaction that keeps the answer. Where the viewer's limit leaves nothing to write, no key is
/// kept either. `owner` says whose key it is; where it says nothing, it is the visitor's.
pub async fn record_keyed<F>(
    app: &App,
    keyed: &Keyed,
    owner: Option<Owner>,
    ask: ApiResult<Ask>,
    shape: F,
) -> ApiResult<HttpResponse>
where
    F: FnOnce(Vec<Recorded>) -> ApiResult<Answer> + Send + 'static,
{
    // What is faulty is not kept: nothing limits how much of it anybody sends.
    let ask = ask?;
    if !keyed.is_given() || ask.is_unnoted() {
        return Ok(shape(record(app, ask).await?)?.send());
    }
    let owner = match (owner, &ask.visitor) {
        (Some(owner), _) => owner,
        (None, visitor) => {
            // No address is kept, but what nobody can tell it from.
            let key = Salt::new(&owners_key(app).await?);
            let hash = visitor.as_ref().map(|visitor| visitor.hash(&key));
            Owner::visitor(&URL_SAFE_NO_PAD.encode(hash.unwrap_or_default()))
        }
    };
    let shared = app.clone();
    let work = move |conn: &mut Conn| shape(engine::write(conn, &shared, ask)?);
    keyed.run(app, owner, work).await
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
        .write(move |conn| secrets::find_or_make(conn, KEY_OWNERS, now).map_err(ApiError::from))
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

/// Keeps the sums of sections right where listings come (`sign` 1) or go (-1): pairs of article and
/// section.
pub fn listings_moved(conn: &mut Conn, listings: &[(i64, i64)], sign: i64) -> QueryResult<()> {
    store::move_sums(conn, listings, sign)
}

/// The salt of a day, and of the day before where anybody came then. Salts are random, shared by all
/// nodes through the database, deleted when the day is well past, so that no hash can be tried again
/// later.
#[derive(Debug, Clone)]
pub struct DaySalts {
    day: NaiveDate,
    own: Salt,
    before: Option<Salt>,
}

impl DaySalts {
    /// The salts of a day; its own is made by whoever needs it first.
    fn find_or_make(conn: &mut Conn, day: NaiveDate) -> QueryResult<Self> {
        let own = Salt::new(&store::salt(conn, day)?);
        let before = match day.pred_opt() {
            Some(before) => store::find_salt(conn, before)?.map(|salt| Salt::new(&salt)),
            None => None,
        };
        Ok(Self { day, own, before })
    }
}
