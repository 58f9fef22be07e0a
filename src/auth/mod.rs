//! Who is calling, and what they may do.
//!
//! Sign-in gives a short-lived access token (JWT, EdDSA) and a refresh token. [`guard`] turns the
//! access token of a management request into a [`Caller`] before anything else is looked at;
//! [`Can`] in a handler's signature says which permission the handler needs.

mod aside;
mod handlers;
mod keys;
mod password;
mod store;
mod token;
pub mod wire;

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::error::{ApiError, ApiResult, Code};
use crate::http::frame::{is_management, routed_path};

pub use keys::{KeyError, Keys};
pub use password::Passwords;
pub use store::{AddUserError, Role, add_user};

/// Mounts `/v1/auth` and the public keys.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(handlers::login)
        .service(handlers::refresh)
        .service(handlers::logout)
        .service(handlers::me)
        .service(handlers::jwks);
}

/// Deletes sessions that are over.
pub async fn tidy(app: &App) -> ApiResult<usize> {
    let now = app.clock.now();
    app.db
        .write(move |conn| store::tidy(conn, now).map_err(ApiError::from))
        .await
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account's id.
    pub user_id: i64,
    /// The session that the access token belongs to.
    pub session_id: i64,
    /// The account's role.
    pub role: Role,
}

/// What a handler may need. The one table of who has it is [`Role::may`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Read articles and sections in every state.
    ReadContent,
    /// Create, change and trash articles.
    WriteContent,
    /// Publish and unpublish articles, and delete them for good.
    Publish,
    /// Create, change, move and delete sections.
    WriteSections,
    /// Read hit counts with their ledgers.
    ReadHits,
    /// Set baselines and reset counts.
    WriteHits,
}

/// A permission as a type, for [`Can`].
pub trait Needs: 'static {
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! needs {
    ($($(#[$meta:meta])* $name:ident)*) => {
        $($(#[$meta])* #[derive(Debug)] pub struct $name;
        impl Needs for $name { const PERMISSION: Permission = Permission::$name; })*
    };
}

needs! {
    /// See [`Permission::ReadContent`].
    ReadContent
    /// See [`Permission::WriteContent`].
    WriteContent
    /// See [`Permission::Publish`].
    Publish
    /// See [`Permission::WriteSections`].
    WriteSections
    /// See [`Permission::ReadHits`].
    ReadHits
    /// See [`Permission::WriteHits`].
    WriteHits
}

/// Proof that the caller has the permission `P`: a handler takes it as its first argument. 401
/// without a caller, 403 without the permission.
#[derive(Debug)]
pub struct Can<P> {
    /// Who is calling.
    pub caller: Caller,
    permission: PhantomData<P>,
}

impl<P: Needs> FromRequest for Can<P> {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(signed_in(req).and_then(|caller| {
            if caller.role.may(P::PERMISSION) {
                Ok(Self {
                    caller,
                    permission: PhantomData,
                })
            } else {
                Err(ApiError::new(
                    Code::Forbidden,
                    "the account's role does not allow that",
                ))
            }
        }))
    }
}

/// Any authenticated caller, whatever the role.
impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(signed_in(req))
    }
}

fn signed_in(req: &HttpRequest) -> ApiResult<Caller> {
    req.extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(unauthorized)
}

fn unauthorized() -> ApiError {
    ApiError::new(
        Code::Unauthorized,
        "sign in at POST /v1/auth/login and send the access token",
    )
}

/// The paths below the guarded ones that need no caller.
const OPEN: &[&str] = &["/v1/auth/login", "/v1/auth/refresh"];

/// The middleware that lets nobody without a good access token past `/v1/admin` or `/v1/auth`,
/// before the path, the method or the body is looked at.
pub async fn guard(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let path = routed_path(req.request());
    if !is_management(path) || OPEN.contains(&path) {
        return Ok(next.call(req).await?.map_into_left_body());
    }
    match authenticate(&req).await {
        Ok(caller) => {
            req.extensions_mut().insert(caller);
            Ok(next.call(req).await?.map_into_left_body())
        }
        Err(error) => {
            let (request, _) = req.into_parts();
            Ok(ServiceResponse::from_err(error, request).map_into_right_body())
        }
    }
}

async fn authenticate(req: &ServiceRequest) -> ApiResult<Caller> {
    let app = req
        .app_data::<web::Data<App>>()
        .cloned()
        .ok_or_else(|| ApiError::Internal("the App is not mounted".to_owned()))?;
    let token = bearer(req).ok_or_else(unauthorized)?;
    let now = app.clock.now();
    let claims = app.keys.verify(token, now).ok_or_else(unauthorized)?;
    let found = app
        .db
        .read(move |conn| {
            store::find_caller(conn, claims.session_id, claims.user_id, now).map_err(ApiError::from)
        })
        .await?;
    found.ok_or_else(unauthorized)
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1).
fn bearer(req: &ServiceRequest) -> Option<&str> {
    let mut values = req.headers().get_all(AUTHORIZATION);
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_single = values.next().is_none();
    (is_single && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}
