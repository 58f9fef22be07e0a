//! API keys: what one looks like, and who calls with it.

use aws_lc_rs::digest::{SHA256, digest};
use diesel::prelude::*;

use crate::app::App;
use crate::audit::Actor;
use crate::db::schema::api_keys;
use crate::db::{Conn, JsonOf, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::http::client::Origin;
use crate::http::frame::{KEY_PREFIX, random_token};

use super::access::Scope;
use super::guard::{Caller, Identity, Proof};

/// A key is `lanmu_` and 43 characters of base64url (256 random bits).
const PREFIX: &str = KEY_PREFIX;
const RANDOM_BYTES: usize = 32;
const LENGTH: usize = PREFIX.len() + 43;
/// How much of a key is kept in the clear, for people to tell keys apart: its prefix and 6 of 43
/// characters.
const SHOWN: usize = PREFIX.len() + 6;
/// How exactly the last use is told, in seconds: so a key that is used all the time seldom writes.
const LAST_USED_SECONDS: i64 = 60;

/// A new key, in the clear.
pub struct NewKey(String);

impl NewKey {
    /// A random one.
    pub fn random() -> Self {
        Self(format!("{PREFIX}{}", random_token(RANDOM_BYTES)))
    }

    /// Its text, to be shown once.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Its beginning, to tell it from others.
    pub fn shown(&self) -> &str {
        &self.0[..SHOWN]
    }

    /// What is kept of it.
    pub fn hash(&self) -> Vec<u8> {
        secret_hash(&self.0)
    }
}

/// What is kept of a random secret: its SHA-256. (256 random bits need no slow hash.)
pub(super) fn secret_hash(secret: &str) -> Vec<u8> {
    digest(&SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// Whether the text looks like an API key.
pub(super) fn is_one(text: &str) -> bool {
    text.len() == LENGTH && text.starts_with(PREFIX)
}

/// The caller behind a key: it exists and has not expired. Notes that it was used.
pub(super) async fn find_caller(
    app: &App,
    key: &str,
    origin: Origin,
    now: Timestamp,
) -> ApiResult<Option<Caller>> {
    let hash = secret_hash(key);
    let asked = hash.clone();
    let found = app
        .db
        .glance(move |conn| find(conn, &asked, now).map_err(ApiError::from))
        .await?;
    let Some(row) = found else {
        return Ok(None);
    };
    let is_stale = |last: Timestamp| last.plus_seconds(LAST_USED_SECONDS) <= now;
    if row.last_used_at.is_none_or(is_stale) {
        let id = row.id;
        let noted = app
            .db
            .write(move |conn| note_use(conn, id, now).map_err(ApiError::from));
        // The request is good all the same.
        if let Err(error) = noted.await {
            tracing::error!(%error, "the use of an API key can't be noted");
        }
    }
    Ok(Some(row.caller(hash, &origin)))
}

/// What is known of a key that is good.
#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
pub(super) struct KeyRow {
    id: i64,
    name: String,
    scopes: JsonOf<Vec<String>>,
    sections: Option<JsonOf<Vec<i64>>>,
    last_used_at: Option<Timestamp>,
}

impl KeyRow {
    /// The caller that showed the key of this hash.
    pub(super) fn caller(self, hash: Vec<u8>, origin: &Origin) -> Caller {
        let scopes = self.scopes.0.iter().filter_map(|name| Scope::parse(name));
        Caller {
            identity: Identity::ApiKey {
                id: self.id,
                scopes: scopes.collect(),
            },
            sections: self.sections.map(|sections| sections.0),
            actor: Actor::api_key(self.id, self.name, origin),
            proof: Proof::Key(hash),
        }
    }
}

/// The key of this hash, where it is good at this instant.
pub(super) fn find(conn: &mut Conn, hash: &[u8], now: Timestamp) -> QueryResult<Option<KeyRow>> {
    let is_new = api_keys::hash.eq(hash);
    let is_old = api_keys::old_hash
        .assume_not_null()
        .eq(hash)
        .and(api_keys::old_hash.is_not_null())
        .and(api_keys::old_expires_at.is_not_null())
        .and(api_keys::old_expires_at.assume_not_null().gt(now));
    let is_open = api_keys::expires_at
        .is_null()
        .or(api_keys::expires_at.assume_not_null().gt(now));
    api_keys::table
        .filter(is_new.or(is_old))
        .filter(is_open)
        .select(KeyRow::as_select())
        .first(conn)
        .optional()
}

fn note_use(conn: &mut Conn, id: i64, now: Timestamp) -> QueryResult<usize> {
    diesel::update(api_keys::table.find(id))
        .set(api_keys::last_used_at.eq(now))
        .execute(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_looks_like_one() {
        let key = NewKey::random();
        assert!(is_one(key.text()));
        assert!(key.text().starts_with(key.shown()));
        assert_ne!(key.text(), NewKey::random().text());
        assert_ne!(key.hash(), key.text().as_bytes());
    }

    #[test]
    fn a_token_is_no_key() {
        assert!(!is_one("eyJ0eXAiOiJhdCtqd3QifQ.e30.c2ln"));
        assert!(!is_one("lanmu_short"));
    }
}
