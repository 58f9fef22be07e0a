//! Hit counts with their ledgers, in management.

mod corrections;
mod export;
mod import;
mod list;
mod recording;

use crate::app::App;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::http::mount::Mount;

use super::store;
use super::wire::ManagedHitCount;

/// The most that an older system may have counted.
const MAX_BASELINE: i64 = 1_000_000_000_000;
/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// Mounts the management of counts.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(list::list)
        .service(list::read)
        .service(export::export)
        .service(recording::record)
        .service(import::import)
        .service(corrections::set_baseline)
        .service(corrections::adjust)
        .service(corrections::reset)
        .service(corrections::delete);
}

/// The ledger of an article that exists, in whatever state.
fn ledger(conn: &mut Conn, id: i64, app: &App, now: Timestamp) -> ApiResult<ManagedHitCount> {
    let today = app.config.site.zone.day(now);
    let found = store::ledgers(conn, &[id], today)?.remove(&id);
    found.ok_or_else(|| ApiError::not_found("article"))
}
