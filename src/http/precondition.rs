//! `If-Match`: writes that apply only to the version that the client has seen (RFC 9110 §13.1.1).

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::IF_MATCH;
use actix_web::{FromRequest, HttpRequest};

use crate::error::{ApiError, Code, Fault, FaultCode};

use super::params::{FromParams, Reader};

/// The versions that a write may apply to. `W/"7"` counts as `"7"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// No header: any version.
    Absent,
    /// `*`: any version of what exists.
    Any,
    /// These versions.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Checks the version that is there: 412 where it isn't one that the client named.
    pub fn check(&self, version: i64) -> Result<(), ApiError> {
        match self {
            Self::Versions(versions) if !versions.contains(&version) => Err(ApiError::new(
                Code::VersionMismatch,
                format!("the resource is at version {version}: read it again"),
            )),
            _ => Ok(()),
        }
    }

    /// The same condition for an operation that must have one: 428 without it.
    pub fn required(self) -> Result<Self, ApiError> {
        if self == Self::Absent {
            let detail = "send If-Match with the resource's ETag, or *";
            return Err(ApiError::new(Code::PreconditionRequired, detail));
        }
        Ok(self)
    }

    /// Reads the header; what is neither `*` nor entity tags is reported with the other faults.
    pub fn read(req: &HttpRequest, reader: &mut Reader) -> Self {
        Self::parse(req).unwrap_or_else(|fault| {
            reader.report(fault);
            Self::Absent
        })
    }

    fn parse(req: &HttpRequest) -> Result<Self, Fault> {
        let values = req
            .headers()
            .get_all(IF_MATCH)
            .map(|value| value.as_bytes());
        let text = values.collect::<Vec<_>>().join(&b',');
        if !req.headers().contains_key(IF_MATCH) {
            return Ok(Self::Absent);
        }
        if text.trim_ascii() == b"*" {
            return Ok(Self::Any);
        }
        let tags = entity_tags(&text).ok_or_else(|| {
            let detail = "If-Match must be * or entity tags in quotes, as \"7\"";
            Fault::parameter("If-Match", FaultCode::Invalid, detail)
        })?;
        Ok(Self::Versions(tags.into_iter().map(version).collect()))
    }
}

/// The version that has this tag; -1, which none has, for any other tag.
fn version(tag: &[u8]) -> i64 {
    let number: Option<i64> = std::str::from_utf8(tag)
        .ok()
        .and_then(|text| text.parse().ok());
    number
        .filter(|number| number.to_string().as_bytes() == tag)
        .unwrap_or(-1)
}

/// The opaque parts of a list of entity tags (RFC 9110 §8.8.3), weak ones too; `None` where it is
/// none.
fn entity_tags(list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut tags = Vec::new();
    let mut rest = list.trim_ascii();
    loop {
        // Empty elements of a list are passed over (RFC 9110 §5.6.1.2).
        while let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
        }
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(tags);
        }
        let quoted = rest
            .strip_prefix(b"W/")
            .unwrap_or(rest)
            .strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (tag, after) = (&quoted[..end], quoted[end + 1..].trim_ascii_start());
        let is_tag = tag.iter().all(|byte| *byte >= b' ' && *byte != 0x7F);
        if !is_tag || !(after.is_empty() || after.starts_with(b",")) {
            return None;
        }
        tags.push(tag);
        rest = after;
    }
}

/// The extractor of writes: their parameters and their condition, the faults of both at once.
#[derive(Debug)]
pub struct Conditional<T = ()> {
    /// The parameters.
    pub query: T,
    /// The condition.
    pub if_match: IfMatch,
}

impl<T: FromParams> FromRequest for Conditional<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut reader = Reader::of(req);
        let query = T::from_params(&mut reader);
        let if_match = IfMatch::read(req, &mut reader);
        ready(reader.finish().map(|_| Self { query, if_match }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(value: &str) -> Result<IfMatch, Fault> {
        IfMatch::parse(
            &TestRequest::default()
                .insert_header((IF_MATCH, value))
                .to_http_request(),
        )
    }

    #[test]
    fn tags_are_versions() {
        assert_eq!(read("\"7\"").expect("valid"), IfMatch::Versions(vec![7]));
        assert_eq!(
            read("W/\"7\", \"8\"").expect("valid"),
            IfMatch::Versions(vec![7, 8])
        );
        assert_eq!(read("*").expect("valid"), IfMatch::Any);
        for other in ["\"abc\"", "\"01\"", "\"+1\"", "\" 1\"", "\"a,b\"", "\"\""] {
            assert!(read(other).expect("valid").check(1).is_err(), "{other}");
        }
        for malformed in ["7", "\"1\" \"1\"", "\"a\"b\"", "\"1", "*, \"1\"", ","] {
            assert!(read(malformed).is_err(), "{malformed}");
        }
    }
}
