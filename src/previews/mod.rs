//! Preview links: a draft in delivery's shape, for whoever has the link.
//!
//! An article has at most one. Its [`token`] is signed and says which article, until when, and a
//! random serial; the table `preview_links` holds the serial of the one that is good, so that a new
//! link ends the one before, and the trash ends it for good.

mod handlers;
mod store;
mod token;
pub mod wire;

use utoipa_actix_web::service_config::ServiceConfig;

pub use store::revoke;

/// Mounts the making and the reading of previews.
pub fn routes(config: &mut ServiceConfig) {
    config.service(handlers::create).service(handlers::read);
}
