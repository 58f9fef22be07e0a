//! The signing key: Ed25519, from a file by setting or made on first start and kept in the
//! database for all nodes.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use jsonwebtoken::{DecodingKey, EncodingKey};
use thiserror::Error;

use crate::db::schema::signing_keys;
use crate::db::{Conn, Timestamp};

use super::wire::{Jwk, Jwks};

/// Why there is no signing key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file can't be read.
    #[error("can't be read: {0}")]
    File(std::io::Error),
    /// The file holds no Ed25519 private key.
    #[error(
        "holds no Ed25519 private key in PEM (PKCS #8): make one with `openssl genpkey -algorithm ed25519`"
    )]
    NoKey,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

/// The key that signs access tokens, and what is public of it.
pub struct Keys {
    pub(super) kid: String,
    pub(super) issuer: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    public: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// The key in this PEM file.
    pub fn from_file(path: &Path, issuer: &str) -> Result<Self, KeyError> {
        let text = std::fs::read_to_string(path).map_err(KeyError::File)?;
        let block = pem::parse(text).map_err(|_| KeyError::NoKey)?;
        Self::from_pkcs8(block.contents(), issuer)
    }

    /// The key in the database; made now if there is none.
    pub fn from_database(conn: &mut Conn, now: Timestamp, issuer: &str) -> Result<Self, KeyError> {
        let newest = |conn: &mut Conn| {
            signing_keys::table
                .order((signing_keys::created_at.desc(), signing_keys::kid))
                .select(signing_keys::pkcs8)
                .first::<Vec<u8>>(conn)
                .optional()
        };
        if let Some(pkcs8) = newest(conn)? {
            return Self::from_pkcs8(&pkcs8, issuer);
        }
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::NoKey)?;
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::NoKey)?;
        let keys = Self::from_pkcs8(document.as_ref(), issuer)?;
        diesel::insert_into(signing_keys::table)
            .values((
                signing_keys::kid.eq(&keys.kid),
                signing_keys::pkcs8.eq(document.as_ref()),
                signing_keys::created_at.eq(now),
            ))
            .execute(conn)?;
        Ok(keys)
    }

    fn from_pkcs8(pkcs8: &[u8], issuer: &str) -> Result<Self, KeyError> {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| KeyError::NoKey)?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        // A file may hold PKCS #8 version 1 or 2; the token library wants version 1.
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::NoKey)?;
        Ok(Self {
            kid: thumbprint(&public),
            issuer: issuer.to_owned(),
            encoding: EncodingKey::from_ed_der(document.as_ref()),
            decoding: DecodingKey::from_ed_components(&public).map_err(|_| KeyError::NoKey)?,
            public,
        })
    }

    /// The public keys, as a JWK set (RFC 7517, RFC 8037).
    pub fn public(&self) -> Jwks {
        Jwks {
            keys: vec![Jwk {
                kty: "OKP",
                crv: "Ed25519",
                x: self.public.clone(),
                kid: self.kid.clone(),
                purpose: "sig",
                alg: "EdDSA",
            }],
        }
    }
}

/// The key's id: its JWK thumbprint (RFC 7638).
fn thumbprint(public: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}
