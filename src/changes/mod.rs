//! The change log: what every write of content moves an entry of, and what followers read.
//!
//! It is compacted: each article and section has one row, and a change moves it to a new `seq`. So
//! reading from the start gives everything that is public once, and reading from any place gives
//! what changed since, deletions included; nothing of it ever runs out. `seq` grows under the lock
//! of content writers, so that no reader passes over a commit that comes later.

mod cursor;
mod handlers;
mod store;
pub mod wire;

pub use crate::db::content::generation;
pub use store::{Visible, articles_since, knows, record, record_new};

use crate::http::mount::Mount;

/// Mounts the change log.
pub fn routes<M: Mount>(config: &mut M) {
    config.service(handlers::list);
}
