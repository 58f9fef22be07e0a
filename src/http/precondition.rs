//! `If-Match`: writes that apply only to the version that the client has seen (RFC 9110 §13.1.1).

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::IF_MATCH;
use actix_web::{FromRequest, HttpRequest};

use crate::error::{ApiError, Code, FaultCode};

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

    fn read(req: &HttpRequest) -> Result<Self, ApiError> {
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
                return Err(ApiError::bad_parameter(
                    "If-Match",
                    FaultCode::Invalid,
                    detail,
                ));
            };
            // A well-formed tag that no version has simply matches nothing.
            versions.push(inner.parse().unwrap_or(-1));
        }
        Ok(Self::Versions(versions))
    }
}

impl FromRequest for IfMatch {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(req))
    }
}

/// An [`IfMatch`] that must be there: 428 without it.
#[derive(Debug, Clone)]
pub struct RequiredIfMatch(pub IfMatch);

impl FromRequest for RequiredIfMatch {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match IfMatch::read(req) {
            Ok(IfMatch::Absent) => Err(ApiError::new(
                Code::PreconditionRequired,
                "send If-Match with the resource's ETag, or *",
            )),
            Ok(condition) => Ok(Self(condition)),
            Err(error) => Err(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn read(value: &str) -> Result<IfMatch, ApiError> {
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
