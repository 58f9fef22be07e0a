//! Preview links: a draft in delivery's shape, for whoever has the link.
//!
//! An article has at most one. Its [`token`] is signed and says which article, until when, and a
//! random serial; the table `preview_links` holds the serial of the one that is good, so that a new
//! link ends the one before, and the trash ends it for good.

mod handlers;
mod store;
mod token;
pub mod wire;

pub use store::revoke;

use crate::http::mount::Mount;

/// Mounts the making and the reading of previews.
pub fn routes<M: Mount>(config: &mut M) {
    config.service(handlers::create).service(handlers::read);
}
