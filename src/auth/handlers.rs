//! Sign-in, refresh, sign-out; the public keys.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse, get, post};

use crate::app::App;
use crate::error::{ApiError, ApiResult, Code};
use crate::http::answer::Delivery;
use crate::http::body::Body;
use crate::http::fields::Check;
use crate::http::params::Params;

use super::store::{self, Opened, Refreshed};
use super::token::ACCESS_SECONDS;
use super::wire::{Jwks, LoginRequest, Me, RefreshRequest, Tokens};
use super::{Caller, unauthorized};

/// Sign in
///
/// Checks e-mail and password and opens a session. The access token is good for 15 minutes, the
/// session for 30 days. The answer is the same, and takes the same time, for a wrong password and
/// for an account that does not exist.
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
    _: Params<()>,
    body: Body<LoginRequest>,
) -> ApiResult<Json<Tokens>> {
    let (email, password) = (body.0.email, body.0.password);
    let mut check = Check::default();
    let email = check.required("/email", email.filter(|e| !e.trim().is_empty()));
    let password = check.required("/password", password.filter(|p| !p.is_empty()));
    check.finish()?;
    let (email, password) = (email.unwrap_or_default(), password.unwrap_or_default());
    app.passwords.has_room()?;
    // PostgreSQL's text has no NUL, so no account has one.
    let is_possible = !email.contains('\0') && email.len() <= 1024 && password.len() <= 4096;
    let found = if is_possible {
        app.db
            .read(move |conn| store::find_login(conn, &email).map_err(ApiError::from))
            .await?
    } else {
        None
    };
    let user_id = found.as_ref().map(|(id, _)| *id);
    let password = if is_possible { password } else { String::new() };
    let matches = app
        .passwords
        .matches(password, found.map(|(_, hash)| hash))
        .await?;
    let Some(user_id) = user_id.filter(|_| matches) else {
        return Err(ApiError::new(
            Code::InvalidCredentials,
            Code::InvalidCredentials.title(),
        ));
    };
    let now = app.clock.now();
    let opened = app
        .db
        .write(move |conn| store::open_session(conn, user_id, now).map_err(ApiError::from))
        .await?;
    tokens(&app, opened)
}

fn tokens(app: &App, opened: Opened) -> ApiResult<Json<Tokens>> {
    let now = app.clock.now();
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
        .write(move |conn| store::refresh(conn, &token, now).map_err(ApiError::from))
        .await?;
    match refreshed {
        Refreshed::Tokens(opened) => tokens(&app, opened),
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
pub async fn logout(caller: Caller, app: Data<App>, _: Params<()>) -> ApiResult<HttpResponse> {
    let now = app.clock.now();
    app.db
        .write(move |conn| {
            store::revoke_session(conn, caller.session_id, now).map_err(ApiError::from)
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
pub async fn me(caller: Caller, app: Data<App>, _: Params<()>) -> ApiResult<Json<Me>> {
    let found = app
        .db
        .read(move |conn| store::find_me(conn, caller.user_id).map_err(ApiError::from))
        .await?;
    found.map(Json).ok_or_else(unauthorized)
}

/// List the public keys
///
/// The keys that access tokens can be checked with, as a JWK set (RFC 7517).
#[utoipa::path(
    tag = "auth", operation_id = "getJwks",
    responses((status = 200, description = "The keys", body = Jwks)),
)]
#[get("/.well-known/jwks.json")]
pub async fn jwks(app: Data<App>, req: HttpRequest, _: Params<()>) -> ApiResult<HttpResponse> {
    Delivery::json(&app.keys.public())?.answer(req.headers(), "public, max-age=300")
}
