//! Access tokens: JWT (RFC 7519, RFC 9068) signed with EdDSA, one algorithm, every claim required.

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::db::Timestamp;
use crate::error::{ApiError, ApiResult};

use super::keys::Keys;

/// How long an access token is good for, in seconds.
pub const ACCESS_SECONDS: i64 = 15 * 60;
/// How far two clocks may be apart, in seconds.
const LEEWAY: i64 = 5;
const AUDIENCE: &str = "lanmu";
const TYPE: &str = "at+jwt";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
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

/// What a good token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The account.
    pub user_id: i64,
    /// The session.
    pub session_id: i64,
}

impl Keys {
    /// A token for this account and session, good from `now` on.
    pub fn sign(&self, user_id: i64, session_id: i64, now: Timestamp) -> ApiResult<String> {
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
        header.kid = Some(self.kid.clone());
        encode(&header, &claims, &self.encoding).map_err(|e| ApiError::Internal(e.to_string()))
    }

    /// What the token says, where it is good at this instant.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Verified> {
        let header = decode_header(token).ok()?;
        if header.typ.as_deref() != Some(TYPE) || header.kid.as_deref() != Some(&self.kid) {
            return None;
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Time is checked below, by the service's own clock.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &self.decoding, &validation)
            .ok()?
            .claims;
        let seconds = now.millis() / 1000;
        let begins = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
        if seconds >= claims.exp + LEEWAY || begins > seconds + LEEWAY {
            return None;
        }
        Some(Verified {
            user_id: claims.sub.parse().ok()?,
            session_id: claims.sid,
        })
    }
}
