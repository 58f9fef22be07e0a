//! Revisions: what each save of an article made of it, what differs between two of them, and how an
//! earlier one is brought back.
//!
//! [`super::store`] keeps a revision with every save. [`restoring`] says which members come back,
//! [`diff`] what changed, [`Retention`] which revisions go.

mod diff;
mod handlers;
mod restoring;
mod retention;
mod store;
pub mod wire;

pub use retention::Retention;

crate::path_id! {
    /// The version of a revision in its path.
    Version, "revision", "version"
}

use crate::http::mount::Mount;

/// Mounts the revisions of articles.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(handlers::list)
        .service(handlers::read)
        .service(handlers::diff)
        .service(handlers::restore);
}
