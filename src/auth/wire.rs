//! JSON of sign-in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::list_of;

/// E-mail and password of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[derive(Default)]
#[schema(example = json!({"email": "admin@example.com", "password": "a long pass phrase"}))]
pub struct LoginRequest {
    /// E-mail address of the account, in any case.
    #[schema(required, value_type = String, min_length = 3, max_length = 254)]
    pub email: Option<String>,
    /// The account's password.
    #[schema(required, value_type = String, format = Password, min_length = 1, max_length = 256)]
    pub password: Option<String>,
}

/// A refresh token.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "b3BhcXVlIHRva2Vu"}))]
pub struct RefreshRequest {
    /// The token that sign-in or the last refresh gave.
    #[schema(required, value_type = String, min_length = 1, max_length = 256)]
    pub refresh_token: Option<String>,
}

/// A change of one's own password.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current_password": "a long pass phrase", "new_password": "a longer pass phrase"}))]
pub struct PasswordChange {
    /// The account's password as it is.
    #[schema(required, value_type = String, format = Password, min_length = 1, max_length = 256)]
    pub current_password: Option<String>,
    /// The new one: 8 to 256 characters, none of the common ones, not the e-mail address.
    #[schema(required, value_type = String, format = Password, min_length = 8, max_length = 256)]
    pub new_password: Option<String>,
}

/// A new password, set with a one-time token.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "b25lLXRpbWUgdG9rZW4", "password": "a longer pass phrase"}))]
pub struct PasswordResetRequest {
    /// The one-time token.
    #[schema(required, value_type = String, min_length = 1, max_length = 256)]
    pub token: Option<String>,
    /// The new password: 8 to 256 characters, none of the common ones, not the e-mail address.
    #[schema(required, value_type = String, format = Password, min_length = 8, max_length = 256)]
    pub password: Option<String>,
}

/// An open session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    /// The session's id.
    #[schema(minimum = 1)]
    pub id: i64,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its tokens were last fetched.
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The client's address then.
    #[schema(required, nullable, max_length = 45)]
    pub address: Option<String>,
    /// What the client called itself then.
    #[schema(required, nullable, max_length = 300)]
    pub user_agent: Option<String>,
    /// Whether this request belongs to it.
    pub current: bool,
}

list_of! {
    /// A page of sessions.
    SessionList, Session
}

/// Tokens of a session.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"access_token": "eyJ0eXAiOiJhdCtqd3QifQ.e30.c2ln", "token_type": "Bearer", "expires_in": 900, "refresh_token": "b3BhcXVlIHRva2Vu"}))]
pub struct Tokens {
    /// The access token (JWT), to be sent as `Authorization: Bearer`.
    #[schema(max_length = 2000)]
    pub access_token: String,
    /// `Bearer`.
    #[schema(max_length = 20)]
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(minimum = 1, maximum = 3600)]
    pub expires_in: i64,
    /// The refresh token, good once.
    #[schema(max_length = 256)]
    pub refresh_token: String,
}

/// The account that is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The account's id.
    #[schema(minimum = 1)]
    pub id: i64,
    /// The account's e-mail address.
    #[schema(max_length = 254)]
    pub email: String,
    /// The name of whose account it is.
    #[schema(required, nullable, max_length = 200)]
    pub name: Option<String>,
    /// The account's role: `admin`, `editor`, `author` or `viewer`.
    #[schema(max_length = 20)]
    pub role: String,
    /// Ids of the sections that the account works in, with all below them; null: everywhere.
    #[schema(required, nullable, max_items = 1000)]
    pub sections: Option<Vec<i64>>,
    /// When the account was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A JWK set (RFC 7517 §5).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "use": "sig", "alg": "EdDSA"}]}))]
pub struct Jwks {
    /// The keys that access tokens are signed with: now, until lately, or soon.
    #[schema(max_items = 10)]
    pub keys: Vec<Jwk>,
}

/// A public key (RFC 7517 §4, RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub struct Jwk {
    /// Key type: `OKP`.
    #[schema(max_length = 20)]
    pub kty: &'static str,
    /// Curve: `Ed25519`.
    #[schema(max_length = 20)]
    pub crv: &'static str,
    /// The public key in base64url.
    #[schema(max_length = 100)]
    pub x: String,
    /// The key's id: its thumbprint (RFC 7638).
    #[schema(max_length = 100)]
    pub kid: String,
    /// Purpose: `sig`.
    #[serde(rename = "use")]
    #[schema(max_length = 20)]
    pub purpose: &'static str,
    /// Algorithm: `EdDSA`.
    #[schema(max_length = 20)]
    pub alg: &'static str,
}
