//! Access tokens: JWT (RFC 7519, RFC 9068) signed with EdDSA, one algorithm, every claim required.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::db::Timestamp;
use crate::error::{ApiError, ApiResult};

use super::keys::Keys;

/// How long an access token is good for, in seconds.
pub const ACCESS_SECONDS: i64 = 15 * 60;
/// How far two clocks may be apart, in seconds.
pub const LEEWAY: i64 = 5;
const AUDIENCE: &str = "lanmu";
const TYPE: &str = "at+jwt";

/// All that a header has. One with anything besides (a key or an address of one, `crit`, `b64`, …)
/// isn't ours: what a token says about its own key is never looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    typ: String,
    alg: String,
    kid: String,
}

/// What a token has to say, and may. A claim that comes twice is an error of serde's.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: i64,
    iat: i64,
    exp: i64,
    /// Not ours to set, but honoured (RFC 7519 §4.1.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

impl Claims {
    /// Whether the token is good at this second. One that lasts longer than ours isn't ours.
    fn are_timely(&self, now: i64) -> bool {
        let begins = self.nbf.unwrap_or(self.iat).max(self.iat);
        let lasts = self.exp.saturating_sub(self.iat);
        (1..=ACCESS_SECONDS).contains(&lasts)
            && begins <= now + LEEWAY
            && now < self.exp.saturating_add(LEEWAY)
    }

    /// The account, by its id as this service writes it.
    fn user_id(&self) -> Option<i64> {
        let id: i64 = self.sub.parse().ok()?;
        (id.to_string() == self.sub).then_some(id)
    }
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The account.
    pub user_id: i64,
    /// The session.
    pub session_id: i64,
    /// Id of the key, where the database must still have it: a deleted key is worth nothing from
    /// then on, whatever this node last read. None: the key is from a file.
    pub kept_key: Option<String>,
}

/// The id of the key that a token names, where its header is one of ours. Nothing is proven yet.
pub fn named_key(token: &str) -> Option<String> {
    let (head, _) = token.split_once('.')?;
    let head: Head = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
    (head.typ == TYPE && head.alg == "EdDSA").then_some(head.kid)
}

impl Keys {
    /// A token for this account and session, good from `now` on.
    pub fn sign(&self, user_id: i64, session_id: i64, now: Timestamp) -> ApiResult<String> {
        let ring = self.ring();
        let key = ring
            .signer(now)
            .ok_or_else(|| ApiError::Internal("no key signs".to_owned()))?;
        let issued = now.millis() / 1000;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user_id.to_string(),
            sid: session_id,
            iat: issued,
            exp: issued + ACCESS_SECONDS,
            nbf: None,
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.kid.clone());
        encode(&header, &claims, &key.encoding).map_err(|e| ApiError::Internal(e.to_string()))
    }

    /// What the token says, where it is good at this instant.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Verified> {
        let kid = named_key(token)?;
        let ring = self.ring();
        let key = ring.verifier(&kid, now)?;
        let claims = self.proven(token, &key.decoding)?;
        if !claims.are_timely(now.millis() / 1000) {
            return None;
        }
        Some(Verified {
            user_id: claims.user_id()?,
            session_id: claims.sid,
            kept_key: ring.is_of_database().then_some(kid),
        })
    }

    /// What a token says that this key has signed.
    fn proven(&self, token: &str, key: &DecodingKey) -> Option<Arc<Claims>> {
        let sha = digest(&SHA256, token.as_bytes());
        let sha: [u8; 32] = sha.as_ref().try_into().ok()?;
        if let Some(claims) = self.proven.get(&sha) {
            return Some(claims);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Time is checked by the service's own clock.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, key, &validation).ok()?.claims;
        let claims = Arc::new(claims);
        self.proven.insert(sha, Arc::clone(&claims));
        Some(claims)
    }
}
