//! Delivery's answers: entity tags, 304, content codings, `Cache-Control`; and management's.

use std::io::Write;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::config::CachePolicy;
use crate::db::Timestamp;
use crate::error::{ApiError, ApiResult};

/// Bodies below this many bytes are sent as they are.
const MIN_COMPRESSED: usize = 860;
/// Moderate levels: answers are compressed while the client waits.
const BROTLI_LEVEL: i32 = 4;
const GZIP_LEVEL: u32 = 5;

/// A delivery answer before it meets the request's conditions.
#[derive(Debug)]
pub struct Delivery {
    body: Vec<u8>,
    media_type: &'static str,
    last_modified: Option<Timestamp>,
    link: Option<String>,
}

impl Delivery {
    /// A JSON answer.
    pub fn json<T: Serialize>(value: &T) -> ApiResult<Self> {
        let body = serde_json::to_vec(value).map_err(|e| ApiError::Internal(e.to_string()))?;
        Ok(Self::bytes(body, "application/json"))
    }

    /// An answer of another media type.
    pub fn bytes(body: Vec<u8>, media_type: &'static str) -> Self {
        Self {
            body,
            media_type,
            last_modified: None,
            link: None,
        }
    }

    /// With `Last-Modified`.
    pub fn modified(mut self, at: Timestamp) -> Self {
        self.last_modified = Some(at);
        self
    }

    /// With `Link`.
    pub fn linked(mut self, link: Option<String>) -> Self {
        self.link = link;
        self
    }

    /// The answer to this request: 304 where the client has it already.
    pub fn answer(self, headers: &HeaderMap, cache_control: &str) -> ApiResult<HttpResponse> {
        let hash = digest(&SHA256, &self.body);
        let coding = if self.body.len() < MIN_COMPRESSED {
            Coding::Identity
        } else {
            Coding::negotiate(headers)
        };
        let tag = format!(
            "\"{}{}\"",
            URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]),
            coding.suffix()
        );
        let status = if has_tag(headers, &tag) {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::OK
        };

        let mut answer = HttpResponse::build(status);
        answer
            .insert_header((ETAG, tag))
            .insert_header(("cache-control", cache_control))
            .insert_header(("vary", "Accept-Encoding"));
        if let Some(at) = self.last_modified {
            let date = std::time::SystemTime::from(at.utc());
            let date = actix_web::http::header::HttpDate::from(date).to_string();
            answer.insert_header(("last-modified", date));
        }
        if let Some(link) = self.link {
            answer.insert_header(("link", link));
        }
        if status == StatusCode::NOT_MODIFIED {
            return Ok(answer.finish());
        }
        answer.content_type(self.media_type);
        if let Some(name) = coding.name() {
            answer.insert_header(("content-encoding", name));
        }
        let body = coding
            .apply(self.body)
            .map_err(|e| ApiError::Internal(e.to_string()))?;
        Ok(answer.body(body))
    }
}

/// Whether `If-None-Match` names this tag (weak comparison, RFC 9110 §13.1.2).
fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value.trim() == "*"
                || value
                    .split(',')
                    .any(|t| t.trim().trim_start_matches("W/") == tag)
        })
}

/// A content coding (RFC 9110 §8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Brotli,
}

impl Coding {
    /// The best that the client takes: br before gzip before none, where weights are equal.
    fn negotiate(headers: &HeaderMap) -> Self {
        let values: Vec<&str> = headers
            .get_all(ACCEPT_ENCODING)
            .filter_map(|v| v.to_str().ok())
            .collect();
        let accepted = values.join(",");
        let weight = |name: &str| weight(&accepted, name);
        let (brotli, gzip) = (weight("br"), weight("gzip").max(weight("x-gzip")));
        if brotli > 0 && brotli >= gzip {
            Self::Brotli
        } else if gzip > 0 {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => "-gz",
            Self::Brotli => "-br",
        }
    }

    fn apply(self, body: Vec<u8>) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Identity => Ok(body),
            Self::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(&body)?;
                encoder.finish()
            }
            Self::Brotli => {
                let params = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_LEVEL,
                    size_hint: body.len(),
                    ..Default::default()
                };
                let mut out = Vec::new();
                brotli::BrotliCompress(&mut body.as_slice(), &mut out, &params)?;
                Ok(out)
            }
        }
    }
}

/// The weight of a coding in `Accept-Encoding`, in thousandths; 0 where it isn't taken.
fn weight(accepted: &str, coding: &str) -> u16 {
    let mut any = 0;
    for item in accepted.split(',') {
        let mut parts = item.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let quality = parts
            .filter_map(|part| part.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, q)| q.trim().parse::<f32>().ok())
            .unwrap_or(0.0);
        let thousandths = (quality.clamp(0.0, 1.0) * 1000.0) as u16;
        if name.eq_ignore_ascii_case(coding) {
            return thousandths;
        }
        if name == "*" {
            any = thousandths;
        }
    }
    any
}

/// `Cache-Control` of an answer that stays right until `edge`:
/// `max(max-age, s-maxage) + stale-while-revalidate` never passes it.
pub fn cache_control(policy: CachePolicy, now: Timestamp, edge: Option<Timestamp>) -> String {
    let left = edge.map_or(u32::MAX, |edge| {
        u32::try_from((edge.millis() - now.millis()).max(0) / 1000).unwrap_or(u32::MAX)
    });
    let max_age = policy.max_age.min(left);
    let s_maxage = policy.s_maxage.min(left);
    let stale = policy
        .stale_while_revalidate
        .min(left - max_age.max(s_maxage));
    format!("public, max-age={max_age}, s-maxage={s_maxage}, stale-while-revalidate={stale}")
}

/// `Cache-Control` of hit counts.
pub const REVALIDATE: &str = "max-age=0, must-revalidate";

/// An answer with counts in it: caches ask about it each time, as about counts.
pub fn revalidated(mut answer: HttpResponse) -> HttpResponse {
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(REVALIDATE));
    answer
}

/// Management's answers: JSON with the version as entity tag.
pub mod managed {
    use super::{ApiResult, ETAG, HttpRequest, HttpResponse, LOCATION, Serialize, StatusCode};

    /// 200 with the resource.
    pub fn ok<T: Serialize>(value: &T, version: i64) -> ApiResult<HttpResponse> {
        Ok(HttpResponse::Ok()
            .insert_header((ETAG, format!("\"{version}\"")))
            .json(value))
    }

    /// 201 with the resource and where it is.
    pub fn created<T: Serialize>(
        value: &T,
        version: i64,
        location: &str,
    ) -> ApiResult<HttpResponse> {
        Ok(HttpResponse::Created()
            .insert_header((ETAG, format!("\"{version}\"")))
            .insert_header((LOCATION, location))
            .json(value))
    }

    /// 200, or 304 where the client has this version already.
    pub fn read<T: Serialize>(
        req: &HttpRequest,
        value: &T,
        version: i64,
    ) -> ApiResult<HttpResponse> {
        let tag = format!("\"{version}\"");
        if super::has_tag(req.headers(), &tag) {
            return Ok(HttpResponse::build(StatusCode::NOT_MODIFIED)
                .insert_header((ETAG, tag))
                .finish());
        }
        ok(value, version)
    }

    /// 200 with a list and its `Link`.
    pub fn list<T: Serialize>(value: &T, link: Option<String>) -> ApiResult<HttpResponse> {
        let mut answer = HttpResponse::Ok();
        if let Some(link) = link {
            answer.insert_header(("link", link));
        }
        Ok(answer.json(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    fn negotiate(value: &'static str) -> Coding {
        Coding::negotiate(
            TestRequest::default()
                .insert_header((ACCEPT_ENCODING, value))
                .to_http_request()
                .headers(),
        )
    }

    #[test]
    fn the_best_coding_that_the_client_takes() {
        assert_eq!(negotiate("gzip, deflate, br"), Coding::Brotli);
        assert_eq!(negotiate("gzip, br;q=0"), Coding::Gzip);
        assert_eq!(negotiate("br;q=0.5, gzip;q=0.8"), Coding::Gzip);
        assert_eq!(negotiate("*"), Coding::Brotli);
        assert_eq!(negotiate("identity"), Coding::Identity);
        assert_eq!(negotiate("gzip;q=0"), Coding::Identity);
        assert_eq!(negotiate(""), Coding::Identity);
    }

    proptest! {
        #[test]
        fn no_cache_keeps_an_answer_past_its_edge(
            a in 0_u32..100_000, b in 0_u32..100_000, c in 0_u32..100_000, left in 0_i64..200_000,
        ) {
            let policy = CachePolicy { max_age: a, s_maxage: b, stale_while_revalidate: c };
            let now = Timestamp::from_millis(1_000_000).expect("valid");
            let text = cache_control(policy, now, Some(now.plus_seconds(left)));
            let number = |name: &str| -> i64 {
                text.split(&format!("{name}=")).nth(1).and_then(|t| t.split(',').next())
                    .and_then(|t| t.parse().ok()).expect("a number")
            };
            let longest = number("public, max-age").max(number("s-maxage")) + number("stale-while-revalidate");
            prop_assert!(longest <= left, "{} > {}", text, left);
        }

        #[test]
        fn codings_can_be_undone(body in proptest::collection::vec(any::<u8>(), 0..5000)) {
            use std::io::Read;
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(Coding::Gzip.apply(body.clone())?.as_slice()).read_to_end(&mut back)?;
            prop_assert_eq!(&back, &body);
            let mut back = Vec::new();
            brotli::BrotliDecompress(&mut Coding::Brotli.apply(body.clone())?.as_slice(), &mut back)?;
            prop_assert_eq!(&back, &body);
        }
    }
}
