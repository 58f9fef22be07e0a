//! Request bodies: read within limits of size and time, parsed strictly.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use aws_lc_rs::digest::{SHA256, digest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::error::{ApiError, Code, Fault, FaultCode};

use super::fields::Object;

/// A body of `application/json`.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A JSON Merge Patch (RFC 7396): `application/merge-patch+json` or `application/json`.
#[derive(Debug)]
pub struct MergePatch<T>(pub T);

/// A body that may be left out: `application/json` where it isn't.
#[derive(Debug)]
pub struct OptionalBody<T>(pub T);

/// What a page's `sendBeacon` sends: JSON as `application/json` or `text/plain`, or nothing.
#[derive(Debug)]
pub struct Beacon<T>(pub T);

const JSON: &[&str] = &["application/json"];
const MERGE_PATCH: &[&str] = &["application/merge-patch+json", "application/json"];
const BEACON: &[&str] = &["application/json", "text/plain"];

/// The header of requests that may be sent again.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The SHA-256 of a request's body, left in the request's extensions where it has an
/// `Idempotency-Key`.
#[derive(Debug, Clone, Copy)]
pub struct BodyDigest(pub [u8; 32]);

type BodyFuture<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = BodyFuture<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read(req, payload, JSON);
        Box::pin(async move { parse(&read.await?).map(Self) })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for MergePatch<T> {
    type Error = ApiError;
    type Future = BodyFuture<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read(req, payload, MERGE_PATCH);
        Box::pin(async move { parse(&read.await?).map(Self) })
    }
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalBody<T> {
    type Error = ApiError;
    type Future = BodyFuture<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read(req, payload, JSON);
        Box::pin(async move { parse_or_default(&read.await?).map(Self) })
    }
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for Beacon<T> {
    type Error = ApiError;
    type Future = BodyFuture<Self>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read(req, payload, BEACON);
        Box::pin(async move { parse_or_default(&read.await?).map(Self) })
    }
}

/// Reads the whole body. An empty one needs no media type.
fn read(
    req: &HttpRequest,
    payload: &mut Payload,
    media_types: &'static [&'static str],
) -> impl Future<Output = Result<web::Bytes, ApiError>> + use<> {
    let mut payload = payload.take();
    let is_empty = matches!(payload, Payload::None);
    let app = req.app_data::<web::Data<App>>().cloned();
    let media_type = header(req, CONTENT_TYPE);
    let coding = header(req, CONTENT_ENCODING);
    let announced = header(req, CONTENT_LENGTH).and_then(|n| n.parse::<usize>().ok());
    let keyed = req
        .headers()
        .contains_key(&IDEMPOTENCY_KEY)
        .then(|| req.clone());
    async move {
        let Some(app) = app else {
            return Err(ApiError::Internal("the App is not mounted".to_owned()));
        };
        let limit = app.config.max_body_bytes;
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let collect = async {
            let mut bytes = web::BytesMut::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| {
                    ApiError::new(Code::InvalidBody, "the body ended before its time")
                })?;
                if bytes.len() + chunk.len() > limit {
                    return Err(too_large(limit));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes.freeze())
        };
        let bytes = match is_empty {
            true => web::Bytes::new(),
            false => tokio::time::timeout(app.config.body_time, collect)
                .await
                .map_err(|_| {
                    ApiError::new(Code::RequestTimeout, "the body did not arrive in time")
                })??,
        };
        if !bytes.is_empty() {
            check_media_type(media_type.as_deref(), coding.as_deref(), media_types)?;
        }
        if let Some(req) = keyed {
            let mut hash = [0; 32];
            hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
            req.extensions_mut().insert(BodyDigest(hash));
        }
        Ok(bytes)
    }
}

/// The value of a header; of one that is sent several times, the list of all (RFC 9110 §5.3).
fn header(req: &HttpRequest, name: HeaderName) -> Option<String> {
    let values = req.headers().get_all(name);
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    texts.reduce(|list, value| format!("{list}, {value}"))
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        Code::PayloadTooLarge,
        format!("a body has at most {limit} bytes"),
    )
}

fn check_media_type(
    media_type: Option<&str>,
    coding: Option<&str>,
    allowed: &[&str],
) -> Result<(), ApiError> {
    let refuse = |detail: String| Err(ApiError::new(Code::UnsupportedMediaType, detail));
    if let Some(coding) = coding
        && !coding.trim().eq_ignore_ascii_case("identity")
    {
        return refuse("a body is sent without Content-Encoding".to_owned());
    }
    let mut parts = media_type.unwrap_or_default().split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches('"').to_ascii_lowercase());
    if !allowed.contains(&essence.as_str()) {
        return refuse(format!("Content-Type must be {}", allowed.join(" or ")));
    }
    match charset.as_deref() {
        None | Some("utf-8" | "utf8") => Ok(()),
        Some(_) => refuse("the charset must be utf-8".to_owned()),
    }
}

fn parse_or_default<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() {
        Ok(T::default())
    } else {
        parse(bytes)
    }
}

/// Parses JSON strictly: unknown and repeated members are faults, as is anything after the end.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let fault = |fault| Err(ApiError::Faults(Code::InvalidBody, vec![fault]));
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = match serde_path_to_error::deserialize(&mut json) {
        Ok(Object(value)) => value,
        Err(error) => return fault(body_fault(&error)),
    };
    match json.end() {
        Ok(()) => Ok(value),
        Err(error) => fault(Fault::member(
            "",
            FaultCode::MalformedJson,
            error.to_string(),
        )),
    }
}

fn body_fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    let cause = error.inner();
    let text: String = cause.to_string().chars().take(300).collect();
    if !cause.is_data() {
        return Fault::member("", FaultCode::MalformedJson, format!("not JSON: {text}"));
    }
    let pointer = pointer(error.path());
    let named = |prefix: &str| {
        text.strip_prefix(prefix)
            .and_then(|rest| rest.split('`').next())
            .map(ToOwned::to_owned)
    };
    if let Some(name) = named("unknown field `") {
        let pointer = below(&pointer, &name);
        return Fault::member(
            pointer,
            FaultCode::UnknownMember,
            format!("there is no member {name}"),
        );
    }
    if let Some(name) = named("duplicate field `") {
        let pointer = below(&pointer, &name);
        return Fault::member(
            pointer,
            FaultCode::Duplicate,
            format!("{name} is given more than once"),
        );
    }
    // The value itself may be a secret and is not told.
    let wanted = text
        .split("expected ")
        .nth(1)
        .unwrap_or("of another JSON type");
    let wanted = wanted.split(" at line ").next().unwrap_or(wanted);
    let wanted = if wanted == "i64" {
        "a whole number"
    } else {
        wanted
    };
    let name = pointer.trim_start_matches('/');
    let name = if name.is_empty() { "the body" } else { name };
    let detail = format!("{name} must be {wanted}");
    Fault::member(pointer, FaultCode::WrongType, detail)
}

/// The pointer of a member; the path may end in the member already.
fn below(pointer: &str, name: &str) -> String {
    let last = format!("/{}", escape(name));
    if pointer.ends_with(&last) {
        pointer.to_owned()
    } else {
        format!("{pointer}{last}")
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escape(key)),
            Segment::Enum { variant } => format!("/{}", escape(variant)),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// Escapes a member's name for a JSON Pointer (RFC 6901 §3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Outer {
        name: Option<String>,
        inner: Option<Inner>,
        list: Vec<i64>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Inner {
        size: Option<i64>,
    }

    fn fault(json: &str) -> (String, &'static str) {
        match parse::<Outer>(json.as_bytes()) {
            Err(ApiError::Faults(Code::InvalidBody, faults)) => (
                faults[0].pointer.clone().unwrap_or_default(),
                faults[0].code,
            ),
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn a_fault_points_at_its_member() {
        for (json, pointer, code) in [
            (r#"{"name": 1}"#, "/name", "wrong_type"),
            (r#"{"inner": {"size": "x"}}"#, "/inner/size", "wrong_type"),
            (r#"{"list": [1, "x"]}"#, "/list/1", "wrong_type"),
            (r#"{"inner": {"wat": 1}}"#, "/inner/wat", "unknown_member"),
            (r#"{"a/b": 1}"#, "/a~1b", "unknown_member"),
            (r#"{"name": "a", "name": "b"}"#, "/name", "duplicate"),
            (r#"{"name": "a"} x"#, "", "malformed_json"),
            (r#"{"name": "#, "", "malformed_json"),
            ("[]", "", "wrong_type"),
        ] {
            assert_eq!(fault(json), (pointer.to_owned(), code), "{json}");
        }
    }

    #[test]
    fn only_utf8_json_is_taken() {
        assert!(check_media_type(Some("application/json"), None, JSON).is_ok());
        assert!(check_media_type(Some("Application/JSON; charset=UTF-8"), None, JSON).is_ok());
        assert!(check_media_type(Some("application/json; charset=gbk"), None, JSON).is_err());
        assert!(check_media_type(Some("text/plain"), None, JSON).is_err());
        assert!(check_media_type(Some("text/plain;charset=UTF-8"), None, BEACON).is_ok());
        assert!(check_media_type(Some("application/json"), Some("gzip"), JSON).is_err());
        assert!(check_media_type(None, None, JSON).is_err());
    }
}
