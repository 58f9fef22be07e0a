//! Sign-in, refresh, sign-out, passwords; the public keys.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse, get, post};

use crate::app::App;
use crate::audit::{self, Actor, Entry, Event, Resource};
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::answer::Delivery;
use crate::http::body::Body;
use crate::http::client::Origin;
use crate::http::fields::Check;
use crate::http::params::Params;

use super::SignedIn;
use super::guard::unauthorized;
use super::password::weakness;
use super::store::{self, Login, Opened, Refreshed};
use super::token::ACCESS_SECONDS;
use super::wire::{
    Jwks, LoginRequest, Me, PasswordChange, PasswordResetRequest, RefreshRequest, Tokens,
};

/// Sign in
///
/// Checks e-mail and password and opens a session. The access token is good for 15 minutes, the
/// session for 30 days. The answer is the same, and takes the same time, for a wrong password and
/// for an account that does not exist. Within 15 minutes an account can fail 10 times and an
/// address 30 times; then the answer is 429, for a right password, too, until the oldest failure is
/// 15 minutes past. More than 60 sign-ins a minute of an account or address are 429, too.
#[utoipa::path(
    tag = "auth", operation_id = "login",
    request_body(content = LoginRequest, description = "E-mail address and password"),
    responses(
        (status = 200, description = "Signed in", body = Tokens),
        (status = 401, description = "E-mail and password do not match an active account"),
    ),
)]
#[post("/v1/auth/login")]
pub async fn login(
    app: Data<App>,
    origin: Origin,
    _: Params<()>,
    body: Body<LoginRequest>,
) -> ApiResult<Json<Tokens>> {
    let (email, password) = (body.0.email, body.0.password);
    let mut check = Check::default();
    let email = check.required("/email", email.filter(|e| !e.trim().is_empty()));
    let password = check.required("/password", password.filter(|p| !p.is_empty()));
    check.finish()?;
    let (email, password) = (email.unwrap_or_default(), password.unwrap_or_default());
    let attempt = app
        .limits
        .sign_in(&store::email_key(&email), origin.address);
    attempt.admit()?;
    app.passwords.has_room()?;
    let place = attempt.begin()?;
    // PostgreSQL's text has no NUL, so no account has one.
    let is_possible = !email.contains('\0') && email.len() <= 1024 && password.len() <= 4096;
    let found = if is_possible {
        app.db
            .read(move |conn| store::find_login(conn, &email).map_err(ApiError::from))
            .await?
    } else {
        None
    };
    let password = if is_possible { password } else { String::new() };
    let hash = found.as_ref().and_then(Login::usable_hash);
    let matches = app
        .passwords
        .matches(password, hash, || attempt.admit())
        .await?;
    drop(place);
    attempt.settle(matches)?;
    let now = app.clock.now();
    let opened = app
        .db
        .write(move |conn| {
            // It may have been disabled or given another password in the meantime.
            // Looked up for an unknown account as well: the work is the same.
            let id = found.as_ref().map_or(0, |account| account.user_id);
            let current = store::find_login_by_id(conn, id)?;
            let hash = current.as_ref().and_then(Login::usable_hash);
            let is_current = hash == found.as_ref().and_then(Login::usable_hash);
            let anonymous = Actor::anonymous(&origin);
            let user = found.map(|account| (Resource::User, account.user_id));
            let (Some(account), true) = (current, matches && is_current) else {
                let failed = Entry {
                    event: Event::SignInFailed,
                    resource: user,
                    changes: Vec::new(),
                };
                audit::record(conn, &anonymous.at(now), failed)?;
                return Ok(None);
            };
            let opened = store::open_session(conn, account.user_id, &origin, now)?;
            let by = Actor::account(account.user_id, account.email, &origin).at(now);
            let signed_in = Entry::new(Event::SignedIn, Resource::Session, opened.session_id);
            audit::record(conn, &by, signed_in)?;
            Ok::<_, ApiError>(Some(opened))
        })
        .await?;
    match opened {
        Some(opened) => tokens(&app, opened).await,
        None => Err(ApiError::new(
            Code::InvalidCredentials,
            Code::InvalidCredentials.title(),
        )),
    }
}

async fn tokens(app: &App, opened: Opened) -> ApiResult<Json<Tokens>> {
    let now = app.clock.now();
    // A key that was deleted since must not sign. The session is open already: where the keys can't
    // be read, those known do.
    if let Err(error) = app.keys.catch_up(&app.db, now).await {
        tracing::warn!(%error, "the signing keys can't be read");
    }
    Ok(Json(Tokens {
        access_token: app.keys.sign(opened.user_id, opened.session_id, now)?,
        token_type: "Bearer",
        expires_in: ACCESS_SECONDS,
        refresh_token: opened.refresh_token,
    }))
}

/// Get fresh tokens
///
/// Takes a refresh token, which is good once, and gives the session's next tokens. A used token
/// that comes again within 10 seconds is answered with 409 and does no harm; later it ends the
/// whole session.
#[utoipa::path(
    tag = "auth", operation_id = "refreshTokens",
    request_body(content = RefreshRequest, description = "The session's refresh token"),
    responses(
        (status = 200, description = "The session's next tokens", body = Tokens),
        (status = 401, description = "The refresh token is unknown, expired or revoked"),
        (status = 409, description = "The refresh token was used within the last 10 seconds"),
    ),
)]
#[post("/v1/auth/refresh")]
pub async fn refresh(
    app: Data<App>,
    origin: Origin,
    _: Params<()>,
    body: Body<RefreshRequest>,
) -> ApiResult<Json<Tokens>> {
    let mut check = Check::default();
    let token = check.required(
        "/refresh_token",
        body.0.refresh_token.filter(|t| !t.is_empty()),
    );
    check.finish()?;
    let (token, now) = (token.unwrap_or_default(), app.clock.now());
    // Garbage never waits for the writer's turn.
    let asked = token.clone();
    let known = app
        .db
        .read(move |conn| store::knows_refresh_token(conn, &asked).map_err(ApiError::from))
        .await?;
    if !known {
        return Err(invalid_refresh_token());
    }
    let refreshed = app
        .db
        .write(move |conn| store::refresh(conn, &token, &origin, now).map_err(ApiError::from))
        .await?;
    match refreshed {
        Refreshed::Tokens(opened) => tokens(&app, opened).await,
        Refreshed::JustUsed => Err(ApiError::new(
            Code::RefreshTokenUsed,
            "use the tokens of the other answer",
        )),
        Refreshed::Invalid => Err(invalid_refresh_token()),
    }
}

fn invalid_refresh_token() -> ApiError {
    ApiError::new(Code::InvalidRefreshToken, "sign in again")
}

/// Sign out
///
/// Ends the session of the access token: its tokens are worth nothing from now on.
#[utoipa::path(
    tag = "auth", operation_id = "logout",
    responses((status = 204, description = "Signed out")),
)]
#[post("/v1/auth/logout")]
pub async fn logout(own: SignedIn, app: Data<App>, _: Params<()>) -> ApiResult<HttpResponse> {
    let now = app.clock.now();
    app.db
        .write(move |conn| {
            let by = own.again(conn, now)?;
            store::revoke_session(conn, own.session_id, now)?;
            let entry = Entry::new(Event::SignedOut, Resource::Session, own.session_id);
            audit::record(conn, &by, entry).map_err(ApiError::from)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Show the account that is signed in
///
/// The account that the access token belongs to.
#[utoipa::path(
    tag = "auth", operation_id = "getMe",
    responses((status = 200, description = "The account", body = Me)),
)]
#[get("/v1/auth/me")]
pub async fn me(own: SignedIn, app: Data<App>, _: Params<()>) -> ApiResult<Json<Me>> {
    let found = app
        .db
        .read(move |conn| store::find_me(conn, own.user_id).map_err(ApiError::from))
        .await?;
    found.map(Json).ok_or_else(unauthorized)
}

/// Change one's own password
///
/// Ends every session of the account, this one too, and opens a new one: go on with the tokens of
/// the answer.
#[utoipa::path(
    tag = "auth", operation_id = "changePassword",
    request_body(content = PasswordChange, description = "The password as it is, and the new one"),
    responses((status = 200, description = "Changed; the tokens of the new session", body = Tokens)),
)]
#[post("/v1/auth/password")]
pub async fn change_password(
    own: SignedIn,
    app: Data<App>,
    origin: Origin,
    _: Params<()>,
    body: Body<PasswordChange>,
) -> ApiResult<Json<Tokens>> {
    let user_id = own.user_id;
    let account = app
        .db
        .read(move |conn| store::find_login_by_id(conn, user_id).map_err(ApiError::from))
        .await?;
    let account = account.ok_or_else(unauthorized)?;
    let mut check = Check::default();
    let current = body.0.current_password.filter(|p| !p.is_empty());
    let current = check.required("/current_password", current);
    let new = checked_password(
        &mut check,
        "/new_password",
        body.0.new_password,
        &account.email,
    );
    check.finish()?;
    let (current, new) = (current.unwrap_or_default(), new.unwrap_or_default());
    let hash = account.usable_hash();
    // Who has got hold of an access token must not find out the password, either.
    let attempt = app
        .limits
        .sign_in(&store::email_key(&account.email), origin.address);
    attempt.admit()?;
    let place = attempt.begin()?;
    let matches = app
        .passwords
        .matches(current, hash.clone(), || attempt.admit())
        .await?;
    attempt.settle(matches)?;
    let new_hash = if matches {
        app.passwords.hash(new).await?
    } else {
        String::new()
    };
    drop(place);
    let now = app.clock.now();
    let opened = app
        .db
        .write(move |conn| {
            let by = own.again(conn, now)?;
            let is_current = store::find_login_by_id(conn, user_id)?
                .is_some_and(|account| account.usable_hash() == hash);
            if !(matches && is_current) {
                let failed = Entry::new(Event::SignInFailed, Resource::User, user_id);
                audit::record(conn, &by, failed)?;
                return Ok(None);
            }
            store::set_password(conn, user_id, &new_hash, now)?;
            let changed = Entry::new(Event::PasswordChanged, Resource::User, user_id);
            audit::record(conn, &by, changed)?;
            Ok::<_, ApiError>(Some(store::open_session(conn, user_id, &origin, now)?))
        })
        .await?;
    match opened {
        Some(opened) => tokens(&app, opened).await,
        None => Err(ApiError::invalid(
            "/current_password",
            FaultCode::Invalid,
            "current_password is not the account's password",
        )),
    }
}

/// A new password that is good enough for the account.
fn checked_password(
    check: &mut Check,
    pointer: &str,
    password: Option<String>,
    email: &str,
) -> Option<String> {
    let password = check.required(pointer, password.filter(|p| !p.is_empty()))?;
    match weakness(&password, email) {
        Some((code, detail)) => {
            check.fault(pointer, code, detail);
            None
        }
        None => Some(password),
    }
}

/// Set a password with a one-time token
///
/// For a new account, or one whose password is lost: an admin makes the token. Ends every session
/// of the account. The token is good once, for 24 hours.
#[utoipa::path(
    tag = "auth", operation_id = "resetPassword",
    request_body(content = PasswordResetRequest, description = "The token and the new password"),
    responses((status = 204, description = "Set; sign in with it")),
)]
#[post("/v1/auth/reset")]
pub async fn reset_password(
    app: Data<App>,
    origin: Origin,
    _: Params<()>,
    body: Body<PasswordResetRequest>,
) -> ApiResult<HttpResponse> {
    let now = app.clock.now();
    let mut check = Check::default();
    let token = check.required("/token", body.0.token.filter(|t| !t.is_empty()));
    let asked = token.clone().unwrap_or_default();
    let account = app
        .db
        .read(move |conn| store::find_reset(conn, &asked, now).map_err(ApiError::from))
        .await?;
    let email = account.map(|account| account.email);
    if token.is_some() && email.is_none() {
        check.fault("/token", FaultCode::Invalid, BAD_RESET_TOKEN);
    }
    let email = email.unwrap_or_default();
    let password = checked_password(&mut check, "/password", body.0.password, &email);
    check.finish()?;
    let hash = app.passwords.hash(password.unwrap_or_default()).await?;
    let token = token.unwrap_or_default();
    app.db
        .write(move |conn| {
            let found = store::find_reset(conn, &token, now)?;
            let account = found.ok_or_else(|| {
                let detail = format!("token {BAD_RESET_TOKEN}");
                ApiError::invalid("/token", FaultCode::Invalid, detail)
            })?;
            store::set_password(conn, account.user_id, &hash, now)?;
            let by = Actor::account(account.user_id, account.email, &origin).at(now);
            let reset = Entry::new(Event::PasswordReset, Resource::User, account.user_id);
            audit::record(conn, &by, reset).map_err(ApiError::from)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

const BAD_RESET_TOKEN: &str = "is unknown, used or expired: ask an admin for a new one";

/// List the public keys
///
/// The keys that access tokens can be checked with, as a JWK set (RFC 7517). A new key is listed
/// minutes before it signs, an old one until its last token has expired.
#[utoipa::path(
    tag = "auth", operation_id = "getJwks",
    responses((status = 200, description = "The keys", body = Jwks)),
)]
#[get("/.well-known/jwks.json")]
pub async fn jwks(app: Data<App>, req: HttpRequest, _: Params<()>) -> ApiResult<HttpResponse> {
    Delivery::json(&app.keys.public(app.clock.now()))?.answer(req.headers(), "public, max-age=300")
}
