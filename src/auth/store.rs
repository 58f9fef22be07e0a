//! Queries of accounts, sessions and refresh tokens.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use diesel::dsl::exists;
use diesel::prelude::*;
use thiserror::Error;

use crate::db::schema::{refresh_tokens, sessions, signing_keys, users};
use crate::db::{Conn, MultiBackend, Timestamp};
use crate::http::frame::random_token;

use super::password::{self, MAX_PASSWORD, MIN_PASSWORD};
use super::token::Verified;
use super::wire::Me;
use super::{Caller, Permission};

/// What kind of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// May do everything.
    Admin,
}

impl Role {
    /// The one table of who may do what.
    pub fn may(self, permission: Permission) -> bool {
        match (self, permission) {
            (Self::Admin, _) => true,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "admin" => Ok(Self::Admin),
            _ => Err(format!("there is no role {text:?}: use admin")),
        }
    }
}

/// Why an account can't be made.
#[derive(Debug, Error)]
pub enum AddUserError {
    /// Not an e-mail address.
    #[error("{0:?} is no e-mail address")]
    Email(String),
    /// The password is too short or too long.
    #[error("a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")]
    Password,
    /// There is one already.
    #[error("an account with the e-mail address {0} exists already")]
    Exists(String),
    /// The database failed.
    #[error("{0}")]
    Failed(String),
}

impl From<diesel::result::Error> for AddUserError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<crate::db::DbError> for AddUserError {
    fn from(error: crate::db::DbError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// How e-mail addresses are compared: without regard to case.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

fn is_email(email: &str) -> bool {
    let parts = email.split_once('@');
    email.chars().count() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && parts.is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        })
}

/// Makes an account and returns its id.
pub fn add_user(
    conn: &mut Conn,
    email: &str,
    role: Role,
    password: &str,
    now: Timestamp,
) -> Result<i64, AddUserError> {
    let email = email.trim();
    if !is_email(email) {
        return Err(AddUserError::Email(email.to_owned()));
    }
    if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&password.chars().count()) {
        return Err(AddUserError::Password);
    }
    let key = email_key(email);
    let taken = users::table
        .filter(users::email_key.eq(&key))
        .count()
        .get_result::<i64>(conn)?;
    if taken > 0 {
        return Err(AddUserError::Exists(email.to_owned()));
    }
    let hash = password::hash(password).map_err(|e| AddUserError::Failed(e.to_string()))?;
    Ok(diesel::insert_into(users::table)
        .values((
            users::email.eq(email),
            users::email_key.eq(key),
            users::password_hash.eq(hash),
            users::role.eq(role.to_string()),
            users::disabled.eq(false),
            users::created_at.eq(now),
            users::updated_at.eq(now),
            users::version.eq(1_i64),
        ))
        .returning(users::id)
        .get_result(conn)?)
}

/// Id and password hash of the active account with this e-mail address.
pub fn find_login(conn: &mut Conn, email: &str) -> QueryResult<Option<(i64, String)>> {
    users::table
        .filter(
            users::email_key
                .eq(email_key(email))
                .and(users::disabled.eq(false)),
        )
        .select((users::id, users::password_hash))
        .first(conn)
        .optional()
}

/// The account as itself sees it.
pub fn find_me(conn: &mut Conn, user_id: i64) -> QueryResult<Option<Me>> {
    let row: Option<(i64, String, String, Timestamp)> = users::table
        .find(user_id)
        .select((users::id, users::email, users::role, users::created_at))
        .first(conn)
        .optional()?;
    Ok(row.map(|(id, email, role, created_at)| Me {
        id,
        email,
        role,
        created_at,
    }))
}

/// The caller behind a good access token: its key is still kept, its session is open and its
/// account active.
pub fn find_caller(
    conn: &mut Conn,
    token: &Verified,
    now: Timestamp,
) -> QueryResult<Option<Caller>> {
    let (user_id, session_id) = (token.user_id, token.session_id);
    let mut query = sessions::table
        .inner_join(users::table)
        .filter(
            sessions::id
                .eq(session_id)
                .and(sessions::user_id.eq(user_id)),
        )
        .filter(
            sessions::revoked_at
                .is_null()
                .and(sessions::expires_at.gt(now)),
        )
        .filter(users::disabled.eq(false))
        .select(users::role)
        .into_boxed::<MultiBackend>();
    if let Some(kid) = &token.kept_key {
        query = query.filter(exists(signing_keys::table.find(kid)));
    }
    let role: Option<String> = query.first(conn).optional()?;
    Ok(role.and_then(|role| role.parse().ok()).map(|role| Caller {
        user_id,
        session_id,
        role,
    }))
}

/// How long a session lasts without signing in again, in seconds.
const SESSION_SECONDS: i64 = 30 * 24 * 3600;
/// How long a used refresh token does no harm, in seconds.
const REUSE_SECONDS: i64 = 10;

/// A session and its next refresh token.
pub struct Opened {
    /// The account.
    pub user_id: i64,
    /// The session.
    pub session_id: i64,
    /// The refresh token, in the clear: shown once.
    pub refresh_token: String,
}

/// Opens a session.
pub fn open_session(conn: &mut Conn, user_id: i64, now: Timestamp) -> QueryResult<Opened> {
    let session_id = diesel::insert_into(sessions::table)
        .values((
            sessions::user_id.eq(user_id),
            sessions::created_at.eq(now),
            sessions::expires_at.eq(now.plus_seconds(SESSION_SECONDS)),
        ))
        .returning(sessions::id)
        .get_result(conn)?;
    let refresh_token = add_refresh_token(conn, session_id)?;
    Ok(Opened {
        user_id,
        session_id,
        refresh_token,
    })
}

fn add_refresh_token(conn: &mut Conn, session_id: i64) -> QueryResult<String> {
    let token = random_token(32);
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::hash.eq(hash(&token)),
            refresh_tokens::session_id.eq(session_id),
        ))
        .execute(conn)?;
    Ok(token)
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

/// What a refresh token is worth.
pub enum Refreshed {
    /// The next tokens of its session.
    Tokens(Opened),
    /// It was used seconds ago: the client lost the answer, or sent it twice at once.
    JustUsed,
    /// Unknown, expired or revoked; a reused one has revoked its session.
    Invalid,
}

/// Whether there is such a refresh token, whatever it is worth.
pub fn knows_refresh_token(conn: &mut Conn, token: &str) -> QueryResult<bool> {
    let found = refresh_tokens::table.find(hash(token));
    diesel::select(exists(found)).get_result(conn)
}

/// Deletes sessions that are over, with their refresh tokens, and returns how many.
pub fn tidy(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    diesel::delete(sessions::table.filter(sessions::expires_at.le(now))).execute(conn)
}

/// Uses a refresh token.
pub fn refresh(conn: &mut Conn, token: &str, now: Timestamp) -> QueryResult<Refreshed> {
    type Row = (
        i64,
        i64,
        Option<Timestamp>,
        Option<Timestamp>,
        Timestamp,
        bool,
    );
    let found: Option<Row> = refresh_tokens::table
        .inner_join(sessions::table.inner_join(users::table))
        .filter(refresh_tokens::hash.eq(hash(token)))
        .select((
            sessions::id,
            users::id,
            refresh_tokens::used_at,
            sessions::revoked_at,
            sessions::expires_at,
            users::disabled,
        ))
        .first(conn)
        .optional()?;
    let Some((session_id, user_id, used_at, revoked_at, expires_at, disabled)) = found else {
        return Ok(Refreshed::Invalid);
    };
    if disabled || revoked_at.is_some() || expires_at <= now {
        return Ok(Refreshed::Invalid);
    }
    if let Some(used_at) = used_at {
        if now <= used_at.plus_seconds(REUSE_SECONDS) {
            return Ok(Refreshed::JustUsed);
        }
        tracing::info!(
            session_id,
            "a used refresh token came again: the session is revoked"
        );
        revoke_session(conn, session_id, now)?;
        return Ok(Refreshed::Invalid);
    }
    diesel::update(refresh_tokens::table.find(hash(token)))
        .set(refresh_tokens::used_at.eq(now))
        .execute(conn)?;
    let refresh_token = add_refresh_token(conn, session_id)?;
    Ok(Refreshed::Tokens(Opened {
        user_id,
        session_id,
        refresh_token,
    }))
}

/// Ends a session with all its tokens.
pub fn revoke_session(conn: &mut Conn, session_id: i64, now: Timestamp) -> QueryResult<usize> {
    diesel::update(sessions::table.find(session_id))
        .set(sessions::revoked_at.eq(now))
        .execute(conn)
}
