//! The middleware that limits requests by the client's address.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};

use super::{Bucket, Decision, Key, Limits};
use crate::app::App;
use crate::http::client;
use crate::http::frame::{records_hits, routed_path};

/// Paths that whoever runs the service asks for, again and again.
const EXEMPT: &[&str] = &["/healthz", "/readyz", "/metrics"];

/// Takes one request from the bucket of the client's address, 429 where it is empty, and tells in
/// the answer's headers what is left. Hits are left to who records them, and a bucket that was
/// charged later ([`Limits::charge`]) is told of instead. A connection without a peer's address is
/// not limited.
pub async fn limit(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(app) = req.app_data::<web::Data<App>>().cloned() else {
        return Ok(next.call(req).await?.map_into_left_body());
    };
    let own = of_address(&app, &req);
    let mut res = match own.and_then(Decision::refusal) {
        Some(error) => {
            let (request, _) = req.into_parts();
            ServiceResponse::from_err(error, request).map_into_right_body()
        }
        None => next.call(req).await?.map_into_left_body(),
    };
    let later = res.request().extensions().get::<Decision>().copied();
    if let Some(decision) = later.or(own) {
        app.limits.tell(decision, res.headers_mut());
    }
    Ok(res)
}

/// What the bucket of the client's address says to a request; `None` where it is not limited.
pub fn of_address(app: &App, req: &ServiceRequest) -> Option<Decision> {
    let bucket = bucket_of(req.method());
    let path = routed_path(req.request());
    if EXEMPT.contains(&path) || (*req.method() == Method::POST && records_hits(path)) {
        return None;
    }
    let limits: &Limits = &app.limits;
    limits.0.as_ref()?;
    let address = client::address(req.request(), &app.config.trusted_proxies)?;
    limits.check(bucket, Key::of_address(address))
}

/// The bucket of requests of a method. `OPTIONS` is a read, as whoever sends it with a credential is
/// looked up; browsers' preflights never come here. What is no known method is a write.
pub(super) fn bucket_of(method: &Method) -> Bucket {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Bucket::Reads,
        _ => Bucket::Writes,
    }
}
