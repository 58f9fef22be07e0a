//! The frame around every request: id, log line, CORS, `HEAD`, problem documents, headers.

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::Instant;

use actix_router::{Patterns, ResourceDef};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY,
    HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use tracing::{Instrument, Level, Span};
use utoipa::openapi::path::{HttpMethod, Paths};

use crate::app::App;
use crate::cache;
use crate::error::{ApiError, ApiResult, Code};
use crate::hits;

use super::client::RequestId;

static ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key",
);
static EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "ETag, Link, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id",
);
static ALLOWED_METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
static PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("7200");
static ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
static ORIGIN_VARIES: HeaderValue = HeaderValue::from_static("Origin");
static NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
static NO_INDEX: HeaderValue = HeaderValue::from_static("noindex, nofollow");
static NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// What the pages of the document's viewer may load; nothing else here is a page.
static PAGES_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);
static POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
/// Headers that an error's answer keeps when it gets its problem document.
const KEPT_HEADERS: &[&str] = &["ratelimit", "ratelimit-policy"];

/// What API keys begin with, so that people and secret scanners know one when they see it.
pub const KEY_PREFIX: &str = "lanmu_";

/// Where previews are read; what follows in a path is the token of a link.
const PREVIEWS: &str = "/v1/preview";

/// The span of a request.
macro_rules! span {
    ($level:expr, $id:ident, $method:ident, $path:ident, $headers:ident) => {
        tracing::span!(
            $level, "request", $id, %$method, path = shown($path).as_ref(), trace = trace_id($headers)
        )
    };
}

/// Whether a `POST` to this path records hits.
pub fn records_hits(path: &str) -> bool {
    let article = path
        .strip_prefix("/v1/articles/")
        .and_then(|rest| rest.strip_suffix("/hits"));
    path == "/v1/hits" || article.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// The outermost middleware.
pub async fn frame(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // Most of what comes is a plain hit or a read whose answer is at hand, to which nothing on the way to
    // a handler has anything to say.
    if let Some(recording) = hits::record_plain(&req) {
        recorded(req, recording).await
    } else if let Some(answer) = cache::answer_at_hand(&req) {
        at_hand(req, answer)
    } else {
        Box::pin(routed(req, next)).await
    }
}

/// Sends an answer that is at hand.
fn at_hand(req: ServiceRequest, answer: HttpResponse) -> Result<ServiceResponse<BoxBody>, Error> {
    let told = Told::of(&req);
    let _entered = told.span(&req).entered();
    let (req, _) = req.into_parts();
    told.finish(Ok(Ok(ServiceResponse::new(req, answer))))
}

/// Answers a plain hit.
async fn recorded(
    req: ServiceRequest,
    recording: impl Future<Output = ApiResult<HttpResponse>>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let told = Told::of(&req);
    let span = told.span(&req);
    async {
        let recorded = AssertUnwindSafe(recording).catch_unwind().await;
        let (req, _) = req.into_parts();
        let answer = |recorded: ApiResult<_>| recorded.unwrap_or_else(HttpResponse::from_error);
        told.finish(recorded.map(|recorded| Ok(ServiceResponse::new(req, answer(recorded)))))
    }
    .instrument(span)
    .await
}

/// Answers everything else.
async fn routed(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let told = Told::of(&req);
    let span = told.span(&req);
    async {
        if is_preflight(&req) {
            let mut answer = HttpResponse::NoContent().finish();
            let headers = answer.headers_mut();
            put(headers, ACCESS_CONTROL_ALLOW_METHODS, &ALLOWED_METHODS);
            put(headers, ACCESS_CONTROL_ALLOW_HEADERS, &ALLOWED_HEADERS);
            put(headers, ACCESS_CONTROL_MAX_AGE, &PREFLIGHT_SECONDS);
            told.add_headers(headers);
            return Ok(req.into_response(answer));
        }
        req.extensions_mut().insert(RequestId(told.id.clone()));
        // The connection remembers that this was a HEAD and leaves the body out.
        if req.method() == Method::HEAD {
            req.head_mut().method = Method::GET;
        }
        let called = AssertUnwindSafe(next.call(req)).catch_unwind().await;
        told.finish(called.map(|called| called.map(ServiceResponse::map_into_boxed_body)))
    }
    .instrument(span)
    .await
}

/// What the log and the answer tell of a request.
struct Told {
    began: Instant,
    id: String,
    path: String,
    origin: Cors,
    is_hit: bool,
}

impl Told {
    fn of(req: &ServiceRequest) -> Self {
        let app = req.app_data::<web::Data<App>>().map(|app| app.get_ref());
        let path = routed_path(req.request());
        Self {
            began: Instant::now(),
            id: request_id(req.headers()),
            origin: cors_origin(app, path, req.headers()),
            is_hit: req.method() == Method::POST && records_hits(path),
            path: path.to_owned(),
        }
    }

    fn span(&self, req: &ServiceRequest) -> Span {
        let (id, path) = (&self.id, &self.path);
        let (headers, method) = (req.headers(), req.method());
        // Hits are too many for a line each.
        if self.is_hit {
            span!(Level::DEBUG, id, method, path, headers)
        } else {
            span!(Level::INFO, id, method, path, headers)
        }
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        add_headers(headers, &self.path, &self.id, &self.origin);
    }

    /// The answer as it is sent, of what was called or has panicked.
    fn finish(
        self,
        called: thread::Result<Result<ServiceResponse<BoxBody>, Error>>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let mut res = match called {
            Ok(called) => with_problem(called?, &self.id),
            Err(_) => {
                tracing::error!("a handler panicked");
                let Self { id, path, .. } = self;
                return Err(Framed { id, path }.into());
            }
        };
        self.add_headers(res.headers_mut());
        let status = res.status().as_u16();
        let micros = || self.began.elapsed().as_micros() as u64;
        if self.is_hit {
            tracing::debug!(status, micros = micros(), "answered");
        } else {
            tracing::info!(status, micros = micros(), "answered");
        }
        Ok(res)
    }
}

/// A panic, to be answered with 500 and the request's id.
struct Framed {
    id: String,
    path: String,
}

impl std::fmt::Debug for Framed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The path may hold the token of a preview link.
        std::fmt::Display::fmt(self, f)
    }
}

impl std::fmt::Display for Framed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a handler panicked")
    }
}

impl actix_web::ResponseError for Framed {
    fn status_code(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = ApiError::Internal(String::new()).answer(&self.id);
        add_headers(answer.headers_mut(), &self.path, &self.id, &Cors::None);
        answer
    }
}

/// Turns an error's answer into its problem document, and logs the causes of faults of our own.
fn with_problem(res: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    let own = res.response().error().map(|error| {
        let own = error.as_error::<ApiError>();
        if let Some(ApiError::Internal(cause)) = own {
            tracing::error!(%cause, "failed");
        }
        own.map(|error| error.answer(id))
    });
    let status = res.status();
    let mut answer = match own {
        Some(Some(answer)) => answer,
        None if !status.is_client_error() && !status.is_server_error() => return res,
        // An answer of the framework's own, such as to a path that is no UTF-8.
        _ => {
            let code = match status {
                StatusCode::NOT_FOUND => Code::NotFound,
                StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
                StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
                StatusCode::REQUEST_TIMEOUT => Code::RequestTimeout,
                status if status.is_client_error() => Code::InvalidRequest,
                _ => {
                    tracing::error!(%status, "failed");
                    Code::Internal
                }
            };
            ApiError::new(code, code.title()).answer(id)
        }
    };
    for name in KEPT_HEADERS {
        if let Some(value) = res.headers().get(*name) {
            let name = HeaderName::from_static(name);
            answer.headers_mut().insert(name, value.clone());
        }
    }
    res.into_response(answer)
}

/// The path as the log shows it: without the tokens of preview links. Nothing takes an API key from
/// an address, but people paste one there.
fn shown(path: &str) -> Cow<'_, str> {
    let secret_after = |mark: &str| path.find(mark).map(|at| at + mark.len());
    let begins = [PREVIEWS, KEY_PREFIX].into_iter().filter_map(secret_after);
    match begins.min().filter(|begin| *begin < path.len()) {
        Some(begin) => Cow::Owned(format!("{}…", &path[..begin])),
        None => Cow::Borrowed(path),
    }
}

/// What CORS allows for this request's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cors {
    /// Delivery: any origin, without credentials.
    Any,
    /// Management, from an origin that the settings name.
    Origin(String),
    /// Management, from elsewhere or from no page at all.
    None,
}

fn cors_origin(app: Option<&App>, path: &str, headers: &HeaderMap) -> Cors {
    if !is_management(path) {
        return Cors::Any;
    }
    let origin = headers.get("origin").and_then(|v| v.to_str().ok());
    match (origin, app) {
        (Some(origin), Some(app)) if app.config.cors_origins.iter().any(|o| o == origin) => {
            Cors::Origin(origin.to_owned())
        }
        _ => Cors::None,
    }
}

/// The path as the router sees it: with needless percent-encoding undone, so that nothing can be
/// routed to management without looking like it.
pub fn routed_path(req: &HttpRequest) -> &str {
    req.match_info().as_str()
}

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the path is one that needs a caller: of management or of sign-in.
pub fn is_management(path: &str) -> bool {
    is_below(path, "/v1/admin") || is_below(path, "/v1/auth")
}

fn is_preflight(req: &ServiceRequest) -> bool {
    req.method() == Method::OPTIONS
        && req.headers().contains_key("origin")
        && req.headers().contains_key("access-control-request-method")
}

fn add_headers(headers: &mut HeaderMap, path: &str, id: &str, cors: &Cors) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    put(headers, X_CONTENT_TYPE_OPTIONS, &NO_SNIFFING);
    let is_page = is_below(path, "/docs");
    let policy = if is_page { &PAGES_POLICY } else { &POLICY };
    put(headers, CONTENT_SECURITY_POLICY, policy);
    if is_management(path) {
        put(headers, CACHE_CONTROL, &NO_STORE);
        headers.append(VARY, ORIGIN_VARIES.clone());
    }
    if is_below(path, PREVIEWS) {
        // Nobody is to keep what is not public, nor to tell others the address with its token.
        put(headers, CACHE_CONTROL, &NO_STORE);
        put(headers, ROBOTS, &NO_INDEX);
        put(headers, REFERRER_POLICY, &NO_REFERRER);
    }
    match cors {
        Cors::Any => put(headers, ACCESS_CONTROL_ALLOW_ORIGIN, &ANY_ORIGIN),
        Cors::Origin(origin) => {
            if let Ok(origin) = HeaderValue::from_str(origin) {
                headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            }
        }
        Cors::None => return,
    }
    put(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &EXPOSED_HEADERS);
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &HeaderValue) {
    headers.insert(name, value.clone());
}

/// The client's `X-Request-Id` where it is sane (1 to 128 of `[A-Za-z0-9._-]`), else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get(REQUEST_ID)
        .and_then(|v| v.to_str().ok())
        .filter(|id| {
            (1..=128).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        });
    given.map_or_else(fresh_id, ToOwned::to_owned)
}

thread_local! {
    /// What this thread calls the requests that it answers: random, and how many there were.
    static IDS: Cell<([u8; 8], u32)> = Cell::new((random_id().to_be_bytes(), 0));
}

/// A name that no other request has: a number of the thread's, behind what tells it from others. It is
/// not a secret.
fn fresh_id() -> String {
    let (thread, number) = IDS.get();
    IDS.set((thread, number.wrapping_add(1)));
    let mut id = [0; 12];
    id[..8].copy_from_slice(&thread);
    id[8..].copy_from_slice(&number.to_be_bytes());
    URL_SAFE_NO_PAD.encode(id)
}

/// The trace id of a W3C `traceparent` (version 00), for the log.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = value.split('-');
    let (_version, trace) = (parts.next()?, parts.next()?);
    let is_hex = trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then_some(trace)
}

/// A random token of so many bytes in base64url, from the system's secure source.
pub fn random_token(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    // The system's random source fails only where the process can't go on in any case.
    aws_lc_rs::rand::fill(&mut buffer).expect("the system has a random source");
    URL_SAFE_NO_PAD.encode(buffer)
}

/// A random number from 1 to 2^62, from the system's secure source.
pub fn random_id() -> i64 {
    let mut bytes = [0; 8];
    // As above.
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has a random source");
    (i64::from_be_bytes(bytes) >> 1).unsigned_abs().max(1) as i64
}

/// The documented paths with their methods: what decides between 404 and 405.
#[derive(Clone)]
pub struct Routes(std::sync::Arc<Vec<(ResourceDef, Vec<Method>)>>);

impl Routes {
    /// The paths of the document.
    pub fn new(paths: &Paths) -> Self {
        let routes = paths.paths.iter().map(|(path, item)| {
            let operations = [
                (HttpMethod::Get, &item.get),
                (HttpMethod::Post, &item.post),
                (HttpMethod::Put, &item.put),
                (HttpMethod::Patch, &item.patch),
                (HttpMethod::Delete, &item.delete),
            ];
            let mut methods = vec![Method::OPTIONS];
            for (method, operation) in operations {
                match method {
                    _ if operation.is_none() => {}
                    HttpMethod::Get => methods.extend([Method::GET, Method::HEAD]),
                    HttpMethod::Post => methods.push(Method::POST),
                    HttpMethod::Put => methods.push(Method::PUT),
                    HttpMethod::Patch => methods.push(Method::PATCH),
                    _ => methods.push(Method::DELETE),
                }
            }
            (ResourceDef::new(Patterns::Single(path.clone())), methods)
        });
        let docs = ["/docs", "/docs/{tail}*"].map(|path| {
            let methods = vec![Method::OPTIONS, Method::GET, Method::HEAD];
            (ResourceDef::new(path), methods)
        });
        Self(std::sync::Arc::new(routes.chain(docs).collect()))
    }

    /// The methods of all documented paths that match.
    fn allowed(&self, path: &str) -> Vec<&'static str> {
        let order = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let matching = || {
            self.0
                .iter()
                .filter(|(definition, _)| definition.is_match(path))
        };
        order
            .into_iter()
            .filter(|name| matching().any(|(_, m)| m.iter().any(|m| m.as_str() == *name)))
            .collect()
    }
}

/// What answers when no route does: 404, 405 with `Allow`, or 204 to a plain `OPTIONS`.
pub async fn fallback(
    req: HttpRequest,
    routes: web::Data<Routes>,
) -> Result<HttpResponse, ApiError> {
    let allowed = routes.allowed(routed_path(&req));
    if allowed.is_empty() {
        return Err(ApiError::not_found("path"));
    }
    let allow = allowed.join(", ");
    if req.method() == Method::OPTIONS {
        return Ok(HttpResponse::NoContent()
            .insert_header(("allow", allow))
            .finish());
    }
    Err(ApiError::MethodNotAllowed(allow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_paths_of_delivery_record_hits() {
        for path in [
            "/v1/hits",
            "/v1/articles/12/hits",
            "/v1/articles/a-slug/hits",
        ] {
            assert!(records_hits(path), "{path}");
        }
        for path in [
            "/v1/hits/",
            "/v1/hits/top",
            "/v1/articles/hits",
            "/v1/articles//hits",
            "/v1/articles/12/hits/",
            "/v1/articles/../admin/articles/12/hits",
            "/v1/admin/articles/12/hits",
            "/v1/admin/articles/1/publish",
        ] {
            assert!(!records_hits(path), "{path}");
        }
    }

    #[test]
    fn the_log_shows_no_secret_of_a_path() {
        for (path, logged) in [
            ("/v1/articles/12", "/v1/articles/12"),
            (
                "/v1/admin/articles/12/preview",
                "/v1/admin/articles/12/preview",
            ),
            ("/v1/preview", "/v1/preview"),
            ("/v1/preview/AQAAAA", "/v1/preview…"),
            ("/v1/preview/AQAAAA/x", "/v1/preview…"),
            ("/v1/preview%2FAQAAAA", "/v1/preview…"),
            ("//v1/preview/AQAAAA", "//v1/preview…"),
            ("/v1/preview/lanmu_AQAAAA", "/v1/preview…"),
            ("/v1/admin/lanmu_AQAAAA", "/v1/admin/lanmu_…"),
            ("/lanmu_AQ/v1/preview/AQ", "/lanmu_…"),
        ] {
            assert_eq!(shown(path), logged);
        }
    }
}
