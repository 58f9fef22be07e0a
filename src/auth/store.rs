//! Queries of sign-in: sessions, refresh tokens, one-time tokens, passwords.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::audit::{self, Actor, By, Entry, Event, Resource};
use crate::db::schema::{password_resets, refresh_tokens, sessions, signing_keys, users};
use crate::db::{Conn, JsonOf, Timestamp};
use crate::each;
use crate::http::client::Origin;
use crate::http::frame::random_token;
use crate::http::paging::{Found, Paging, Place};

use super::access::bounds;
use super::api_key::secret_hash;
use super::guard::{Caller, Identity, Proof};
use super::token::Verified;
use super::wire::{Me, Session};

/// How e-mail addresses are compared: without regard to case and to white space around them.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// An account as sign-in sees it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct Login {
    /// The account's id.
    #[diesel(column_name = id)]
    pub user_id: i64,
    /// Its e-mail address.
    pub email: String,
    /// Its password's hash; empty: none.
    pub password_hash: String,
    /// Whether it is disabled.
    pub disabled: bool,
}

impl Login {
    /// The hash that a password must match; `None`: nobody can sign in.
    pub fn usable_hash(&self) -> Option<String> {
        let hash = Some(&self.password_hash).filter(|hash| !hash.is_empty() && !self.disabled);
        hash.cloned()
    }
}

/// The account with this e-mail address.
pub fn find_login(conn: &mut Conn, email: &str) -> QueryResult<Option<Login>> {
    users::table
        .filter(users::email_key.eq(email_key(email)))
        .select(Login::as_select())
        .first(conn)
        .optional()
}

/// The account with this id.
pub fn find_login_by_id(conn: &mut Conn, user_id: i64) -> QueryResult<Option<Login>> {
    users::table
        .find(user_id)
        .select(Login::as_select())
        .first(conn)
        .optional()
}

/// The account as itself sees it.
pub fn find_me(conn: &mut Conn, user_id: i64) -> QueryResult<Option<Me>> {
    type Row = (
        i64,
        String,
        Option<String>,
        String,
        Option<JsonOf<Vec<i64>>>,
        Timestamp,
    );
    let row: Option<Row> = users::table
        .find(user_id)
        .select((
            users::id,
            users::email,
            users::name,
            users::role,
            users::sections,
            users::created_at,
        ))
        .first(conn)
        .optional()?;
    Ok(row.map(|(id, email, name, role, sections, created_at)| Me {
        id,
        email,
        name,
        role,
        sections: sections.map(|sections| sections.0),
        created_at,
    }))
}

/// The caller behind a good access token: its key is still kept, its session is open and its
/// account active.
pub fn find_caller(
    conn: &mut Conn,
    token: &Verified,
    origin: &Origin,
    now: Timestamp,
) -> QueryResult<Option<Caller>> {
    type Row = (String, String, Option<JsonOf<Vec<i64>>>);
    let (user_id, session_id) = (token.user_id, token.session_id);
    let is_of_file = token.kept_key.is_none().into_sql::<Bool>();
    let is_kept = exists(signing_keys::table.find(token.kept_key.as_deref().unwrap_or_default()));
    let query = sessions::table
        .inner_join(users::table)
        .filter(
            sessions::id
                .eq(session_id)
                .and(sessions::user_id.eq(user_id)),
        )
        .filter(is_open(now))
        .filter(users::disabled.eq(false))
        .filter(is_of_file.or(is_kept))
        .select((users::role, users::email, users::sections));
    let found: Option<Row> = each!(conn, c => query.first(c)).optional()?;
    let caller = found.and_then(|(role, email, sections)| {
        let role = role.parse().ok()?;
        Some(Caller {
            identity: Identity::Account {
                user_id,
                session_id,
                role,
            },
            sections: bounds(role, sections.map(|sections| sections.0)),
            actor: Actor::account(user_id, email, origin),
            proof: Proof::Token(token.clone()),
        })
    });
    Ok(caller)
}

/// Whether a session's tokens are good: it was not ended and has not ended by itself.
#[diesel::dsl::auto_type]
fn is_open(now: Timestamp) -> _ {
    sessions::revoked_at
        .is_null()
        .and(sessions::expires_at.gt(now))
}

/// How long a session lasts without signing in again, in seconds.
const SESSION_SECONDS: i64 = 30 * 24 * 3600;
/// How long a used refresh token does no harm, in seconds.
const REUSE_SECONDS: i64 = 10;

/// How many open sessions an account has at most.
const MAX_SESSIONS: i64 = 100;

/// A session and its next refresh token.
pub struct Opened {
    /// The account.
    pub user_id: i64,
    /// The session.
    pub session_id: i64,
    /// The refresh token, in the clear: shown once.
    pub refresh_token: String,
}

/// Opens a session. Where the account has 100 open already, the oldest ends.
pub fn open_session(
    conn: &mut Conn,
    user_id: i64,
    origin: &Origin,
    now: Timestamp,
) -> QueryResult<Opened> {
    let session_id = diesel::insert_into(sessions::table)
        .values((
            sessions::user_id.eq(user_id),
            sessions::created_at.eq(now),
            sessions::expires_at.eq(now.plus_seconds(SESSION_SECONDS)),
            sessions::last_used_at.eq(now),
            sessions::address.eq(origin.address.map(|address| address.to_string())),
            sessions::user_agent.eq(origin.user_agent.as_deref()),
        ))
        .returning(sessions::id)
        .get_result(conn)?;
    diesel::update(users::table.find(user_id))
        .set(users::last_login_at.eq(now))
        .execute(conn)?;
    end_oldest_sessions(conn, user_id, now)?;
    let refresh_token = add_refresh_token(conn, session_id)?;
    Ok(Opened {
        user_id,
        session_id,
        refresh_token,
    })
}

/// Ends the open sessions of an account that are too many. The account's row is written before
/// this, so that sign-ins to it take turns on PostgreSQL.
fn end_oldest_sessions(conn: &mut Conn, user_id: i64, now: Timestamp) -> QueryResult<usize> {
    let too_many: Vec<i64> = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(is_open(now))
        .order(sessions::id.desc())
        .offset(MAX_SESSIONS)
        .limit(MAX_SESSIONS)
        .select(sessions::id)
        .load(conn)?;
    diesel::update(sessions::table.filter(sessions::id.eq_any(too_many)))
        .set(sessions::revoked_at.eq(now))
        .execute(conn)
}

fn add_refresh_token(conn: &mut Conn, session_id: i64) -> QueryResult<String> {
    let token = random_token(32);
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::hash.eq(secret_hash(&token)),
            refresh_tokens::session_id.eq(session_id),
        ))
        .execute(conn)?;
    Ok(token)
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
    let found = refresh_tokens::table.find(secret_hash(token));
    diesel::select(exists(found)).get_result(conn)
}

/// Deletes sessions that are over, with their refresh tokens, and one-time tokens that are; returns
/// how many.
pub fn tidy(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    let sessions =
        diesel::delete(sessions::table.filter(sessions::expires_at.le(now))).execute(conn)?;
    let resets = password_resets::table.filter(password_resets::expires_at.le(now));
    Ok(sessions + diesel::delete(resets).execute(conn)?)
}

/// Uses a refresh token.
pub fn refresh(
    conn: &mut Conn,
    token: &str,
    origin: &Origin,
    now: Timestamp,
) -> QueryResult<Refreshed> {
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
        .filter(refresh_tokens::hash.eq(secret_hash(token)))
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
        revoke_session(conn, session_id, now)?;
        let by = Actor::anonymous(origin).at(now);
        let reused = Entry::new(Event::RefreshTokenReused, Resource::Session, session_id);
        audit::record(conn, &by, reused)?;
        return Ok(Refreshed::Invalid);
    }
    diesel::update(refresh_tokens::table.find(secret_hash(token)))
        .set(refresh_tokens::used_at.eq(now))
        .execute(conn)?;
    diesel::update(sessions::table.find(session_id))
        .set((
            sessions::last_used_at.eq(now),
            sessions::address.eq(origin.address.map(|address| address.to_string())),
            sessions::user_agent.eq(origin.user_agent.as_deref()),
        ))
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

/// Ends an open session of this account; whether there was one.
pub fn revoke_session_of(
    conn: &mut Conn,
    user_id: i64,
    session_id: i64,
    now: Timestamp,
) -> QueryResult<bool> {
    let open = sessions::table
        .filter(
            sessions::id
                .eq(session_id)
                .and(sessions::user_id.eq(user_id)),
        )
        .filter(is_open(now));
    let ended = diesel::update(open)
        .set(sessions::revoked_at.eq(now))
        .execute(conn)?;
    Ok(ended > 0)
}

/// Ends all sessions of an account, and returns how many were open.
pub fn revoke_all_sessions(conn: &mut Conn, user_id: i64, now: Timestamp) -> QueryResult<usize> {
    let open = sessions::table.filter(
        sessions::user_id
            .eq(user_id)
            .and(sessions::revoked_at.is_null()),
    );
    diesel::update(open)
        .set(sessions::revoked_at.eq(now))
        .execute(conn)
}

/// A page of an account's open sessions, the newest first.
pub fn sessions_of(
    conn: &mut Conn,
    user_id: i64,
    paging: &Paging,
    now: Timestamp,
) -> QueryResult<Found<Session>> {
    type Row = (
        i64,
        Timestamp,
        Option<Timestamp>,
        Timestamp,
        Option<String>,
        Option<String>,
    );
    let open = || {
        sessions::table
            .filter(sessions::user_id.eq(user_id))
            .filter(is_open(now))
            .into_boxed()
    };
    let total = if paging.exact {
        Some(open().count().get_result(conn)?)
    } else {
        None
    };
    let mut query = open();
    if let Place::After(cursor) = &paging.place {
        query = query.filter(sessions::id.lt(cursor.id));
    }
    let rows: Vec<Row> = query
        .order(sessions::id.desc())
        .limit(paging.limit + 1)
        .offset(paging.offset())
        .select((
            sessions::id,
            sessions::created_at,
            sessions::last_used_at,
            sessions::expires_at,
            sessions::address,
            sessions::user_agent,
        ))
        .load(conn)?;
    let found = rows.into_iter();
    let found = found.map(
        |(id, created_at, last_used_at, expires_at, address, user_agent)| Session {
            id,
            created_at,
            last_used_at: last_used_at.unwrap_or(created_at),
            expires_at,
            address,
            user_agent,
            current: false,
        },
    );
    Ok(paging.cut(found.collect(), total, |session| {
        (String::new(), session.id)
    }))
}

/// Sets a password and ends every session and one-time token of the account.
pub fn set_password(
    conn: &mut Conn,
    user_id: i64,
    password_hash: &str,
    now: Timestamp,
) -> QueryResult<()> {
    diesel::update(users::table.find(user_id))
        .set((
            users::password_hash.eq(password_hash),
            users::updated_at.eq(now),
            users::version.eq(users::version + 1),
        ))
        .execute(conn)?;
    drop_reset(conn, user_id)?;
    revoke_all_sessions(conn, user_id, now)?;
    Ok(())
}

/// How long a one-time token for a new password is good, in seconds.
const RESET_SECONDS: i64 = 24 * 3600;

/// A one-time token to set a password with.
pub struct ResetToken {
    /// The token, in the clear: shown once.
    pub token: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// Makes a one-time token for this account; one made before is worth nothing from now on.
pub fn make_reset(conn: &mut Conn, user_id: i64, by: &By) -> QueryResult<ResetToken> {
    let token = random_token(32);
    let expires_at = by.now.plus_seconds(RESET_SECONDS);
    drop_reset(conn, user_id)?;
    diesel::insert_into(password_resets::table)
        .values((
            password_resets::user_id.eq(user_id),
            password_resets::hash.eq(secret_hash(&token)),
            password_resets::expires_at.eq(expires_at),
        ))
        .execute(conn)?;
    let made = Entry::new(Event::PasswordResetMade, Resource::User, user_id);
    audit::record(conn, by, made)?;
    Ok(ResetToken { token, expires_at })
}

/// Takes back the one-time token of this account, if it has one.
pub fn drop_reset(conn: &mut Conn, user_id: i64) -> QueryResult<usize> {
    diesel::delete(password_resets::table.find(user_id)).execute(conn)
}

/// The active account that a one-time token is good for.
pub fn find_reset(conn: &mut Conn, token: &str, now: Timestamp) -> QueryResult<Option<Login>> {
    password_resets::table
        .inner_join(users::table)
        .filter(password_resets::hash.eq(secret_hash(token)))
        .filter(password_resets::expires_at.gt(now))
        .filter(users::disabled.eq(false))
        .select(Login::as_select())
        .first(conn)
        .optional()
}
