//! Who is calling, and what they may do.
//!
//! Sign-in gives a short-lived access token (JWT, EdDSA) and a refresh token; other systems send an
//! API key. [`guard`] turns either into a [`Caller`] before anything else of a management request is
//! looked at; [`Can`] in a handler's signature says which permission the handler needs, and
//! [`access`] is the one table of who has it.

pub mod access;
mod api_key;
mod aside;
mod guard;
mod handlers;
mod keys;
mod password;
mod ring;
mod rotation;
mod sessions;
mod store;
mod token;
pub mod wire;

use crate::app::App;
use crate::error::ApiResult;
use crate::http::mount::Mount;

pub use access::{
    Extent, ManageApiKeys, ManageUsers, Permission, Preview, Publish, ReadAudit, ReadContent,
    ReadHits, Role, Scope, WriteContent, WriteHits, WriteSections,
};
pub use api_key::NewKey;
pub use guard::{Caller, Can, Identity, Needs, SignedIn, guard};
pub use keys::{Key, KeyError, Keys, keys_of_file};
pub use password::{Passwords, hash_now, weakness};
pub use ring::{Ring, State, TimedKey};
pub use rotation::{Begin, Rotated, load as load_keys, rotate as rotate_keys};
pub use store::{ResetToken, drop_reset, email_key, make_reset, revoke_all_sessions};

/// Mounts `/v1/auth` and the public keys.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(handlers::login)
        .service(handlers::refresh)
        .service(handlers::logout)
        .service(handlers::me)
        .service(handlers::change_password)
        .service(handlers::reset_password)
        .service(handlers::jwks)
        .service(sessions::list)
        .service(sessions::revoke_all)
        .service(sessions::revoke_one)
        .service(sessions::list_of_user)
        .service(sessions::revoke_all_of_user);
}

/// Deletes sessions and one-time tokens that are over, and signing keys that are long past.
pub async fn tidy(app: &App) -> ApiResult<usize> {
    let now = app.clock.now();
    app.db
        .write(move |conn| Ok(store::tidy(conn, now)? + rotation::tidy(conn, now)?))
        .await
}

/// Reads the signing keys anew, so that this node learns of those that were added or deleted.
pub async fn reload_keys(app: &App) -> ApiResult<()> {
    app.keys.reload(&app.db, app.clock.now()).await
}
