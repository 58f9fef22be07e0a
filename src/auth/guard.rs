//! Who is calling: the middleware that finds out, and the extractors that hand it on.

use std::cell::Cell;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};

use crate::app::App;
use crate::audit::{Actor, By};
use crate::db::{Conn, Timestamp, later};
use crate::error::{ApiError, ApiResult, Code};
use crate::http::client::Origin;
use crate::http::frame::{is_management, routed_path};
use crate::limits::Key;

use super::access::{Extent, Permission, Role, Scope, scopes_may};
use super::token::{self, Verified};
use super::{api_key, store};

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account or key.
    pub identity: Identity,
    /// The sections that it may work in, with all below them; `None`: everywhere.
    pub sections: Option<Vec<i64>>,
    /// Who it is for the audit log.
    pub actor: Actor,
    /// What it showed.
    pub(super) proof: Proof,
}

/// What a caller has shown, to be looked up again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// A good access token.
    Token(Verified),
    /// The hash of an API key.
    Key(Vec<u8>),
}

/// An account or an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// An account, signed in.
    Account {
        /// The account's id.
        user_id: i64,
        /// The session that the access token belongs to.
        session_id: i64,
        /// The account's role.
        role: Role,
    },
    /// An API key.
    ApiKey {
        /// The key's id.
        id: i64,
        /// What it is good for.
        scopes: Vec<Scope>,
    },
}

impl Caller {
    /// How far the permission goes for this caller, within its sections.
    pub fn extent(&self, permission: Permission) -> Extent {
        match &self.identity {
            Identity::Account { role, .. } => role.may(permission),
            Identity::ApiKey { scopes, .. } => scopes_may(scopes, permission),
        }
    }

    /// The account whose articles alone the permission is for; `None`: anybody's.
    pub fn only_by(&self, permission: Permission) -> Option<i64> {
        match self.extent(permission) {
            Extent::Own | Extent::OwnDrafts => self.user_id(),
            Extent::Nothing | Extent::All => None,
        }
    }

    /// Refuses what the caller may not do at all, with 403.
    pub fn check(&self, permission: Permission) -> ApiResult<()> {
        match self.extent(permission) {
            Extent::Nothing => Err(self.forbidden()),
            Extent::OwnDrafts | Extent::Own | Extent::All => Ok(()),
        }
    }

    /// The caller as it is in this transaction: a body may take long to arrive, and access may have
    /// ended meanwhile. Every management write begins with it. 401 where the session, the key or
    /// the account has ended, 403 where the permission is gone.
    fn again(&self, conn: &mut Conn, needed: Permission, now: Timestamp) -> ApiResult<Self> {
        let origin = Origin {
            address: self.actor.address,
            request_id: self.actor.request_id.clone(),
            user_agent: None,
        };
        let (at, found) = match self.found_before(now) {
            Some((at, found)) => (at, Some(found)),
            None => match &self.proof {
                Proof::Token(token) => (now, store::find_caller(conn, token, &origin, now)?),
                Proof::Key(hash) => {
                    let row = api_key::find(conn, hash, now)?;
                    (now, row.map(|row| row.caller(hash.clone(), &origin)))
                }
            },
        };
        let caller = found.ok_or_else(unauthorized)?;
        if let Some(state) = later::state() {
            FOUND.set(Some((state, at, caller.clone())));
        }
        caller.check(needed)?;
        Ok(caller)
    }

    /// The caller as the unit just before has found it in the same transaction, where nothing but articles
    /// was added since, and less than a second later.
    fn found_before(&self, now: Timestamp) -> Option<(Timestamp, Self)> {
        let state = later::state()?;
        let (found_in, at, found) = FOUND.take()?;
        let is_same =
            found_in == state && found.proof == self.proof && at <= now && now < at.plus_seconds(1);
        let actor = Actor {
            address: self.actor.address,
            request_id: self.actor.request_id.clone(),
            ..found.actor
        };
        is_same.then_some((at, Self { actor, ..found }))
    }

    fn forbidden(&self) -> ApiError {
        let detail = match self.identity {
            Identity::Account { role, .. } => format!("the role {role} does not allow that"),
            Identity::ApiKey { .. } => "the API key's scopes do not allow that".to_owned(),
        };
        ApiError::new(Code::Forbidden, detail)
    }

    /// The account's id; `None` for an API key.
    pub fn user_id(&self) -> Option<i64> {
        match self.identity {
            Identity::Account { user_id, .. } => Some(user_id),
            Identity::ApiKey { .. } => None,
        }
    }

    /// This caller at this instant, for the audit log.
    pub fn by(&self, now: Timestamp) -> By {
        self.actor.at(now)
    }
}

thread_local! {
    /// Whom the last unit of writing on this thread that only adds has found, in which state, and when.
    static FOUND: Cell<Option<(u64, Timestamp, Caller)>> = const { Cell::new(None) };
}

/// A permission as a type, for [`Can`].
pub trait Needs: Send + 'static {
    /// The permission.
    const PERMISSION: Permission;
}

/// Proof that the caller has the permission `P`: a handler takes it as its first argument. 401
/// without a caller, 403 without the permission. In which sections the caller has it is the
/// feature's affair.
#[derive(Debug)]
pub struct Can<P> {
    /// Who is calling.
    pub caller: Caller,
    permission: PhantomData<P>,
}

impl<P: Needs> Can<P> {
    /// The caller as it is in this transaction, where it still has the permission. Every management
    /// write begins with it: a body may take long to arrive, and access may have ended meanwhile.
    pub fn again(&self, conn: &mut Conn, now: Timestamp) -> ApiResult<Caller> {
        self.caller.again(conn, P::PERMISSION, now)
    }
}

impl<P: Needs> FromRequest for Can<P> {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(req).and_then(|caller| {
            caller.check(P::PERMISSION)?;
            Ok(Self {
                caller,
                permission: PhantomData,
            })
        }))
    }
}

/// The account that is signed in: what an operation on the caller's own account takes. 401 without
/// a caller, 403 for an API key, which has no account.
#[derive(Debug)]
pub struct SignedIn {
    /// The account's id.
    pub user_id: i64,
    /// The session that the access token belongs to.
    pub session_id: i64,
    caller: Caller,
}

impl SignedIn {
    /// Who it is for the audit log, in this transaction, where it is still signed in.
    pub fn again(&self, conn: &mut Conn, now: Timestamp) -> ApiResult<By> {
        let caller = self.caller.again(conn, Permission::OwnAccount, now)?;
        Ok(caller.by(now))
    }
}

impl FromRequest for SignedIn {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(req).and_then(|caller| {
            caller.check(Permission::OwnAccount)?;
            match caller.identity {
                Identity::Account {
                    user_id,
                    session_id,
                    ..
                } => Ok(Self {
                    user_id,
                    session_id,
                    caller,
                }),
                Identity::ApiKey { .. } => Err(caller.forbidden()),
            }
        }))
    }
}

fn found(req: &HttpRequest) -> ApiResult<Caller> {
    req.extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(unauthorized)
}

pub(super) fn unauthorized() -> ApiError {
    ApiError::new(
        Code::Unauthorized,
        "sign in at POST /v1/auth/login and send the access token, or send an API key",
    )
}

/// The paths below the guarded ones that need no caller.
const OPEN: &[&str] = &["/v1/auth/login", "/v1/auth/refresh", "/v1/auth/reset"];

/// The middleware that lets nobody without a good access token or API key past `/v1/admin` or
/// `/v1/auth`, before the path, the method or the body is looked at.
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
            if let Err(error) = charge(&req, &caller) {
                let (request, _) = req.into_parts();
                return Ok(ServiceResponse::from_err(error, request).map_into_right_body());
            }
            req.extensions_mut().insert(caller);
            Ok(next.call(req).await?.map_into_left_body())
        }
        Err(error) => {
            let (request, _) = req.into_parts();
            Ok(ServiceResponse::from_err(error, request).map_into_right_body())
        }
    }
}

/// Takes the request from what the account or key may ask for.
fn charge(req: &ServiceRequest, caller: &Caller) -> ApiResult<()> {
    let Some(app) = req.app_data::<web::Data<App>>() else {
        return Ok(());
    };
    let key = match caller.identity {
        Identity::Account { user_id, .. } => Key::Account(user_id),
        Identity::ApiKey { id, .. } => Key::ApiKey(id),
    };
    app.limits.charge(req, key)
}

async fn authenticate(req: &ServiceRequest) -> ApiResult<Caller> {
    let app = req
        .app_data::<web::Data<App>>()
        .cloned()
        .ok_or_else(|| ApiError::Internal("the App is not mounted".to_owned()))?;
    let token = bearer(req).ok_or_else(unauthorized)?;
    let (now, origin) = (app.clock.now(), Origin::of(req.request()));
    if api_key::is_one(token) {
        return api_key::find_caller(&app, token, origin, now)
            .await?
            .ok_or_else(unauthorized);
    }
    let kid = token::named_key(token).ok_or_else(unauthorized)?;
    app.keys.look_for(&app.db, &kid, now).await?;
    let claims = app.keys.verify(token, now).ok_or_else(unauthorized)?;
    let found = app
        .db
        .glance(move |conn| store::find_caller(conn, &claims, &origin, now).map_err(ApiError::from))
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
