//! API keys, for systems that read and push content: each with scopes, and with sections or the
//! whole site.
//!
//! A key is shown once, when it is made or rotated; what is kept is its hash. [`crate::auth`] finds
//! the caller behind one.

mod handlers;
mod store;
pub mod wire;

use utoipa_actix_web::service_config::ServiceConfig;

crate::path_id! {
    /// The id of an API key in a management path.
    ApiKeyId, "API key"
}

/// Mounts the API keys.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(handlers::list)
        .service(handlers::create)
        .service(handlers::read)
        .service(handlers::patch)
        .service(handlers::rotate)
        .service(handlers::revoke);
}
