//! Sessions, listed and ended: one's own, and by admins those of any account.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get};

use crate::app::App;
use crate::audit::{self, Entry, Event, Resource};
use crate::db::Conn;
use crate::error::{ApiError, ApiResult};
use crate::http::answer::managed;
use crate::http::paging::{Paging, PagingParams};
use crate::http::params::{FromParams, Params, Reader};
use crate::http::reference::path_id;

use super::store;
use super::wire::SessionList;
use super::{Can, ManageUsers, SignedIn};

crate::path_id! {
    /// The id of a session in a path.
    SessionId, "session"
}

/// Which page.
#[derive(Debug)]
pub struct ListQuery {
    paging: Paging,
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            paging: Paging::read(reader, "-id", true),
        }
    }
}

/// List one's own sessions
///
/// The open sessions of the account that is signed in, the newest first.
#[utoipa::path(
    tag = "auth", operation_id = "listSessions", params(PagingParams),
    responses((status = 200, description = "A page of sessions", body = SessionList)),
)]
#[get("/v1/auth/sessions")]
pub async fn list(
    own: SignedIn,
    app: Data<App>,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    page(&app, own.user_id, Some(own.session_id), query.0.paging).await
}

async fn page(
    app: &App,
    user_id: i64,
    current: Option<i64>,
    paging: Paging,
) -> ApiResult<HttpResponse> {
    let now = app.clock.now();
    let (found, link) = app
        .db
        .read(move |conn| {
            check_exists(conn, user_id)?;
            let mut found = store::sessions_of(conn, user_id, &paging, now)?;
            for session in &mut found.items {
                session.current = Some(session.id) == current;
            }
            let (page, link) = paging.describe(&found);
            let data = found.items;
            Ok::<_, ApiError>((SessionList { data, page }, link))
        })
        .await?;
    managed::list(&found, link)
}

fn check_exists(conn: &mut Conn, user_id: i64) -> ApiResult<()> {
    match store::find_login_by_id(conn, user_id)? {
        Some(_) => Ok(()),
        None => Err(ApiError::not_found("account")),
    }
}

/// Sign out everywhere
///
/// Ends all sessions of the account that is signed in, this one too: their tokens are worth nothing
/// from now on.
#[utoipa::path(
    tag = "auth", operation_id = "revokeSessions",
    responses((status = 204, description = "Signed out everywhere")),
)]
#[delete("/v1/auth/sessions")]
pub async fn revoke_all(own: SignedIn, app: Data<App>, _: Params<()>) -> ApiResult<HttpResponse> {
    let now = app.clock.now();
    app.db
        .write(move |conn| {
            let by = own.again(conn, now)?;
            store::revoke_all_sessions(conn, own.user_id, now)?;
            let event = Event::SignedOutEverywhere;
            let entry = Entry::new(event, Resource::User, own.user_id);
            audit::record(conn, &by, entry).map_err(ApiError::from)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// End one of one's own sessions
///
/// The tokens of that session are worth nothing from now on.
#[utoipa::path(
    tag = "auth", operation_id = "revokeSession",
    params(("id" = i64, Path, description = "Id of the session", minimum = 1, example = 1)),
    responses((status = 204, description = "Ended")),
)]
#[delete("/v1/auth/sessions/{id}")]
pub async fn revoke_one(
    own: SignedIn,
    app: Data<App>,
    id: SessionId,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (id, now) = (id.0, app.clock.now());
    app.db
        .write(move |conn| {
            let by = own.again(conn, now)?;
            if !store::revoke_session_of(conn, own.user_id, id, now)? {
                return Err(ApiError::not_found("session"));
            }
            let entry = Entry::new(Event::SessionRevoked, Resource::Session, id);
            audit::record(conn, &by, entry).map_err(ApiError::from)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List an account's sessions
///
/// The open sessions of any account, the newest first.
#[utoipa::path(
    tag = "manage access", operation_id = "listUserSessions",
    params(
        ("id" = i64, Path, description = "Id of the account", minimum = 1, example = 2),
        PagingParams,
    ),
    responses((status = 200, description = "A page of sessions", body = SessionList)),
)]
#[get("/v1/admin/users/{id}/sessions")]
pub async fn list_of_user(
    caller: Can<ManageUsers>,
    app: Data<App>,
    req: HttpRequest,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let user_id = path_id(&req, "account")?;
    let current = match caller.caller.identity {
        super::Identity::Account { session_id, .. } => Some(session_id),
        super::Identity::ApiKey { .. } => None,
    };
    page(&app, user_id, current, query.0.paging).await
}

/// Sign an account out everywhere
///
/// Ends all sessions of any account: their tokens are worth nothing from now on.
#[utoipa::path(
    tag = "manage access", operation_id = "revokeUserSessions",
    params(("id" = i64, Path, description = "Id of the account", minimum = 1, example = 2)),
    responses((status = 204, description = "Signed out everywhere")),
)]
#[delete("/v1/admin/users/{id}/sessions")]
pub async fn revoke_all_of_user(
    caller: Can<ManageUsers>,
    app: Data<App>,
    req: HttpRequest,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (id, now) = (path_id(&req, "account")?, app.clock.now());
    app.db
        .write(move |conn| {
            let by = caller.again(conn, now)?.by(now);
            check_exists(conn, id)?;
            store::revoke_all_sessions(conn, id, now)?;
            let entry = Entry::new(Event::UserSessionsRevoked, Resource::User, id);
            audit::record(conn, &by, entry).map_err(ApiError::from)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
