//! The signing keys (Ed25519): from a file by setting, or from the database, where the first start
//! makes one and all nodes share them. A node reads the database's keys anew while it serves.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use quick_cache::sync::Cache;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::db::{Conn, Db, DbError, Timestamp};
use crate::error::{ApiError, ApiResult};

use super::ring::Ring;
use super::rotation;
use super::token::Claims;
use super::wire::{Jwk, Jwks};

/// The most keys of a file, and so of a published set.
const MAX_KEYS: usize = 10;
/// How often, in seconds, the keys are read at most because a token names one that isn't known.
const LOOK_SECONDS: i64 = 1;

/// Why there is no signing key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file can't be read.
    #[error("can't be read: {0}")]
    File(std::io::Error),
    /// The file holds no Ed25519 private key, or something besides.
    #[error(
        "must hold Ed25519 private keys in PEM (PKCS #8) and nothing else: make one with `openssl genpkey -algorithm ed25519`"
    )]
    NoKey,
    /// The file holds a key twice.
    #[error("holds the same key twice: take one of them out")]
    Twice,
    /// The file holds too many keys.
    #[error("holds more than {MAX_KEYS} keys: take the oldest out")]
    TooMany,
    /// A key of the database is none.
    #[error(
        "the signing key {0} in the database is broken: make a new one with `lanmu key rotate --now`"
    )]
    Broken(String),
    /// The system gives no randomness.
    #[error("no key can be made: the system gives no random numbers")]
    NoRandomness,
    /// There is a new key that doesn't sign yet.
    #[error(
        "the new key {kid} is coming already and signs from {signs_from}: wait for it, or end all keys but a new one with --now"
    )]
    Coming {
        /// The new key's id.
        kid: String,
        /// From when on it signs.
        signs_from: Timestamp,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<diesel::result::Error> for KeyError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Database(cause) => cause.into(),
            other => Self::Internal(other.to_string()),
        }
    }
}

/// A key: what signs, what verifies, what is public of it.
pub struct Key {
    /// Its id: its JWK thumbprint (RFC 7638).
    pub kid: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    public: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A new key, and its PKCS #8 document to keep it by.
    pub(super) fn generate() -> Result<(Self, Vec<u8>), KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::NoRandomness)?;
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::NoKey)?;
        let key = Self::from_pkcs8(document.as_ref())?;
        Ok((key, document.as_ref().to_vec()))
    }

    /// The key of a PKCS #8 document, version 1 or 2.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| KeyError::NoKey)?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        // The token library wants version 1.
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::NoKey)?;
        Ok(Self {
            kid: thumbprint(&public),
            encoding: EncodingKey::from_ed_der(document.as_ref()),
            decoding: DecodingKey::from_ed_components(&public).map_err(|_| KeyError::NoKey)?,
            public,
        })
    }

    fn jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP",
            crv: "Ed25519",
            x: self.public.clone(),
            kid: self.kid.clone(),
            purpose: "sig",
            alg: "EdDSA",
        }
    }
}

/// The key's id: its JWK thumbprint (RFC 7638).
fn thumbprint(public: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

/// The keys of this PEM file, in its order.
pub fn keys_of_file(path: &Path) -> Result<Vec<Key>, KeyError> {
    let text = std::fs::read_to_string(path).map_err(KeyError::File)?;
    let blocks = pem::parse_many(text).map_err(|_| KeyError::NoKey)?;
    let keys = blocks
        .iter()
        .map(|block| Key::from_pkcs8(block.contents()))
        .collect::<Result<Vec<_>, _>>()?;
    let is_twice = |(index, key): (usize, &Key)| keys[..index].iter().any(|k| k.kid == key.kid);
    match keys.len() {
        0 => Err(KeyError::NoKey),
        _ if keys.iter().enumerate().any(is_twice) => Err(KeyError::Twice),
        count if count > MAX_KEYS => Err(KeyError::TooMany),
        _ => Ok(keys),
    }
}

/// The node's keys: shared by its threads, and read anew while it serves.
#[derive(Debug)]
pub struct Keys {
    pub(super) issuer: String,
    ring: RwLock<Arc<Ring>>,
    /// When the keys were last read. Held while they are, so that others wait for what comes of it.
    read_at: Mutex<Timestamp>,
    /// What tokens say whose signature was found good, by their SHA-256: to check one takes longer than
    /// most of what it is asked for with. A key's id is its thumbprint, so that a token proves the same
    /// for good.
    pub(super) proven: Cache<[u8; 32], Arc<Claims>>,
}

/// How many tokens a node remembers.
const MAX_PROVEN: usize = 1000;

impl Keys {
    fn new(ring: Ring, now: Timestamp, issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            ring: RwLock::new(Arc::new(ring)),
            read_at: Mutex::new(now),
            proven: Cache::new(MAX_PROVEN),
        }
    }

    /// The keys in this PEM file: the first one signs.
    pub fn from_file(path: &Path, now: Timestamp, issuer: &str) -> Result<Self, KeyError> {
        Ok(Self::new(Ring::File(keys_of_file(path)?), now, issuer))
    }

    /// The keys in the database; one is made now if there is none.
    pub fn from_database(conn: &mut Conn, now: Timestamp, issuer: &str) -> Result<Self, KeyError> {
        let keys = rotation::load_or_make(conn, now)?;
        Ok(Self::new(Ring::Database(keys), now, issuer))
    }

    /// The keys as they were last read.
    pub fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public keys, as a JWK set (RFC 7517, RFC 8037): all that verify at this instant.
    pub fn public(&self, now: Timestamp) -> Jwks {
        Jwks {
            keys: self.ring().verifying(now).map(Key::jwk).collect(),
        }
    }

    /// Reads the database's keys anew. The keys of a file stay as they were at the start.
    pub async fn reload(&self, db: &Db, now: Timestamp) -> ApiResult<()> {
        let mut read_at = self.read_at.lock().await;
        *read_at = now;
        self.read_anew(db, now).await
    }

    /// Reads the database's keys anew, unless that was done within the last second.
    pub async fn catch_up(&self, db: &Db, now: Timestamp) -> ApiResult<()> {
        let mut read_at = self.read_at.lock().await;
        if is_fresh(*read_at, now) {
            return Ok(());
        }
        *read_at = now;
        self.read_anew(db, now).await
    }

    /// Makes sure that a key which another node knows is known here, too. An id that is known costs
    /// nothing; one that isn't, at most one query a second, whoever sends it and however often.
    pub async fn look_for(&self, db: &Db, kid: &str, now: Timestamp) -> ApiResult<()> {
        let ring = self.ring();
        if ring.has(kid) || !ring.is_of_database() {
            return Ok(());
        }
        self.catch_up(db, now).await
    }

    async fn read_anew(&self, db: &Db, now: Timestamp) -> ApiResult<()> {
        if !self.ring().is_of_database() {
            return Ok(());
        }
        let mut keys = db.read(rotation::load).await?;
        if keys.is_empty() {
            let make = move |conn: &mut Conn| rotation::load_or_make(conn, now);
            keys = db.write(make).await?;
        }
        let ring = Arc::new(Ring::Database(keys));
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }
}

/// Whether what was read then is not to be read again now. A clock that was set back starts anew.
fn is_fresh(read_at: Timestamp, now: Timestamp) -> bool {
    (read_at..read_at.plus_seconds(LOOK_SECONDS)).contains(&now)
}
