//! API keys, for systems that read and push content: each with scopes, and with sections or the
//! whole site.
//!
//! A key is shown once, when it is made or rotated; what is kept is its hash. [`crate::auth`] finds
//! the caller behind one.

mod handlers;
mod store;
pub mod wire;

crate::path_id! {
    /// The id of an API key in a management path.
    ApiKeyId, "API key"
}

use crate::http::mount::Mount;

/// Mounts the API keys.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(handlers::list)
        .service(handlers::create)
        .service(handlers::read)
        .service(handlers::patch)
        .service(handlers::rotate)
        .service(handlers::revoke);
}
