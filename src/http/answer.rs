//! Delivery's answers: entity tags, 304, content codings, `Cache-Control`; and management's.

use std::io::Write;
use std::ops::Range;
use std::sync::OnceLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, HttpDate, IF_NONE_MATCH, LAST_MODIFIED, LINK, LOCATION, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::config::CachePolicy;
use crate::db::Timestamp;
use crate::error::{ApiError, ApiResult};
use crate::http::keys::{KeyHeader, Keys};

/// Bodies below this many bytes are sent as they are.
const MIN_COMPRESSED: usize = 860;
/// Moderate levels: answers are compressed while the client waits.
const BROTLI_LEVEL: i32 = 4;
const GZIP_LEVEL: u32 = 5;

static BY_CODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");

/// A delivery answer before it meets the request's conditions.
#[derive(Debug)]
pub struct Delivery {
    body: Vec<u8>,
    media_type: &'static str,
    last_modified: Option<Timestamp>,
    link: Option<String>,
    with_counts: bool,
    article: Option<(i64, Option<Timestamp>)>,
    keys: Keys,
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
            with_counts: false,
            article: None,
            keys: Keys::default(),
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

    /// Shows nothing but this article and what stands above it in the tree: it changes with these, and when
    /// the article expires.
    pub fn of_article(mut self, id: i64, expires_at: Option<Timestamp>) -> Self {
        self.article = Some((id, expires_at));
        self
    }

    /// With places for counts in it.
    pub fn with_counts(mut self, with_counts: bool) -> Self {
        self.with_counts = with_counts;
        self
    }

    /// With the keys by which caches elsewhere drop it, where the settings want them.
    pub fn keyed(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// The answer to this request: 304 where the client has it already.
    pub fn answer(self, headers: &HeaderMap, cache_control: &str) -> ApiResult<HttpResponse> {
        self.prepared(None)?.answer(headers, cache_control)
    }

    /// The answer to any request, to be sent many times, with its keys in this header.
    pub fn prepared(self, keys_in: Option<KeyHeader>) -> ApiResult<Prepared> {
        let keys_in = keys_in.filter(|_| !self.keys.is_empty());
        let keys = keys_in
            .map(|header| header.header(&self.keys))
            .transpose()?;
        let last_modified = self
            .last_modified
            .map(|at| HttpDate::from(std::time::SystemTime::from(at.utc())).to_string());
        Ok(Prepared {
            hash: hash_of(&self.body),
            last_modified: last_modified.as_deref().map(header).transpose()?,
            link: self.link.as_deref().map(header).transpose()?,
            keys,
            media_type: HeaderValue::from_static(self.media_type),
            forms: Default::default(),
            article: self.article,
            places: if self.with_counts {
                places(&self.body)
            } else {
                Vec::new()
            },
            body: self.body.into(),
        })
    }
}

/// What tells a body apart from others.
fn hash_of(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, body).as_ref()[..16])
}

fn header(text: &str) -> ApiResult<HeaderValue> {
    HeaderValue::from_str(text).map_err(|error| ApiError::Internal(error.to_string()))
}

/// What a place for a count begins with. No text can spell it: in JSON, a quotation mark of a text has a
/// reverse solidus before it.
const PLACE: &str = "{\"$count_of\":";

/// The place of a count in an answer that is kept: the count is put there when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CountPlace {
    /// The article whose count it is; 0 for the sum of the site's.
    #[serde(rename = "$count_of")]
    pub article_id: i64,
}

/// Where a place is in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    range: Range<usize>,
    /// Whose count belongs there.
    pub article_id: i64,
}

/// The places of a body, in order.
fn places(body: &[u8]) -> Vec<Place> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let found = text.match_indices(PLACE).filter_map(|(start, _)| {
        let number = &text[start + PLACE.len()..];
        let number = &number[..number.find('}')?];
        Some(Place {
            range: start..start + PLACE.len() + number.len() + 1,
            article_id: number.parse().ok()?,
        })
    });
    found.collect()
}

/// An answer with all that doesn't depend on the request.
#[derive(Debug)]
pub struct Prepared {
    body: Bytes,
    places: Vec<Place>,
    article: Option<(i64, Option<Timestamp>)>,
    hash: String,
    media_type: HeaderValue,
    last_modified: Option<HeaderValue>,
    link: Option<HeaderValue>,
    keys: Option<(HeaderName, HeaderValue)>,
    /// One for each coding, made when it is asked for first.
    forms: [OnceLock<Form>; 3],
}

/// An answer's body in one coding.
#[derive(Debug)]
struct Form {
    tag: HeaderValue,
    body: Bytes,
}

impl Prepared {
    /// The article that it shows alone, and when that expires.
    pub fn article(&self) -> Option<(i64, Option<Timestamp>)> {
        self.article
    }

    /// Where counts are to be put into it.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The same with each count, as JSON, in its place; without keys, for caches always ask about it.
    pub fn filled(&self, count: impl Fn(i64) -> ApiResult<String>) -> ApiResult<Self> {
        let mut body = Vec::with_capacity(self.body.len() + 200 * self.places.len());
        let mut end = 0;
        for place in &self.places {
            body.extend_from_slice(&self.body[end..place.range.start]);
            body.extend_from_slice(count(place.article_id)?.as_bytes());
            end = place.range.end;
        }
        body.extend_from_slice(&self.body[end..]);
        Ok(Self {
            hash: hash_of(&body),
            keys: None,
            places: Vec::new(),
            article: self.article,
            forms: Default::default(),
            media_type: self.media_type.clone(),
            last_modified: self.last_modified.clone(),
            link: self.link.clone(),
            body: body.into(),
        })
    }

    /// How many bytes the plain body has.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// How many bytes its keys have.
    pub fn keys_size(&self) -> usize {
        self.keys.as_ref().map_or(0, |(_, keys)| keys.len())
    }

    fn form(&self, coding: Coding) -> ApiResult<&Form> {
        let place = &self.forms[coding as usize];
        if let Some(form) = place.get() {
            return Ok(form);
        }
        let body = coding.apply(&self.body);
        let form = Form {
            tag: header(&format!("\"{}{}\"", self.hash, coding.suffix()))?,
            body: body.map_err(|error| ApiError::Internal(error.to_string()))?,
        };
        Ok(place.get_or_init(|| form))
    }

    /// The answer to this request: 304 where the client has it already.
    pub fn answer(&self, headers: &HeaderMap, cache_control: &str) -> ApiResult<HttpResponse> {
        let coding = if self.body.len() < MIN_COMPRESSED {
            Coding::Identity
        } else {
            Coding::negotiate(headers)
        };
        let form = self.form(coding)?;
        let is_known = has_tag(headers, &form.tag);
        let mut answer = if is_known {
            HttpResponse::new(StatusCode::NOT_MODIFIED)
        } else {
            HttpResponse::Ok().body(form.body.clone())
        };
        let told = answer.headers_mut();
        told.insert(ETAG, form.tag.clone());
        told.insert(CACHE_CONTROL, header(cache_control)?);
        told.insert(VARY, BY_CODING.clone());
        for (name, value) in [(LAST_MODIFIED, &self.last_modified), (LINK, &self.link)] {
            if let Some(value) = value {
                told.insert(name, value.clone());
            }
        }
        // On 304, too: CDNs bring what they keep up to date by it.
        if let Some((name, value)) = &self.keys {
            told.insert(name.clone(), value.clone());
        }
        if !is_known {
            told.insert(CONTENT_TYPE, self.media_type.clone());
            if let Some(name) = coding.name() {
                told.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
            }
        }
        Ok(answer)
    }
}

/// Whether `If-None-Match` names this tag (weak comparison, RFC 9110 §13.1.2).
fn has_tag(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tag = tag.to_str().unwrap_or_default();
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

    fn apply(self, body: &Bytes) -> std::io::Result<Bytes> {
        match self {
            Self::Identity => Ok(body.clone()),
            Self::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(body)?;
                encoder.finish().map(Bytes::from)
            }
            Self::Brotli => {
                let params = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_LEVEL,
                    size_hint: body.len(),
                    ..Default::default()
                };
                let mut out = Vec::new();
                brotli::BrotliCompress(&mut &body[..], &mut out, &params)?;
                Ok(out.into())
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
        let tag = super::header(&format!("\"{version}\""))?;
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
            let body = Bytes::from(body);
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(&Coding::Gzip.apply(&body)?[..]).read_to_end(&mut back)?;
            prop_assert_eq!(&back, &body);
            let mut back = Vec::new();
            brotli::BrotliDecompress(&mut &Coding::Brotli.apply(&body)?[..], &mut back)?;
            prop_assert_eq!(&back, &body);
        }
    }
}
