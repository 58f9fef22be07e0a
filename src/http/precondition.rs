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

    fn read(req: &HttpRequest) -> Result<Self, Fault> {
        let values: Vec<&str> = req
            .headers()
            .get_all(IF_MATCH)
            .map(|v| v.to_str().unwrap_or("?"))
            .collect();
        if values.is_empty() {
            return Ok(Self::Absent);
        }
        let text = values.join(",");
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let mut versions = Vec::new();
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let bare = tag.strip_prefix("W/").unwrap_or(tag);
            let Some(inner) = bare.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
                let detail = "If-Match must be * or entity tags in quotes, as \"7\"";
                return Err(Fault::parameter("If-Match", FaultCode::Invalid, detail));
            };
            // A well-formed tag that no version has simply matches nothing.
            versions.push(inner.parse().unwrap_or(-1));
        }
        Ok(Self::Versions(versions))
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
        let if_match = IfMatch::read(req).unwrap_or_else(|fault| {
            reader.report(fault);
            IfMatch::Absent
        });
        ready(reader.finish().map(|()| Self { query, if_match }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(value: &str) -> Result<IfMatch, Fault> {
        IfMatch::read(
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
        assert!(read("\"abc\"").expect("valid").check(1).is_err());
        assert!(read("7").is_err());
    }
}
