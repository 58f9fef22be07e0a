//! The answer of a write, before it is sent: it can be kept and sent again.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, LOCATION};
use serde::{Deserialize, Serialize};

use crate::error::{ApiError, ApiResult};

/// What a write answers: JSON, its version, where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    status: u16,
    version: Option<i64>,
    location: Option<String>,
    body: String,
    /// Whether the body is for dry runs alone.
    is_silent: bool,
}

impl Answer {
    /// 200 with something that has no version.
    pub fn plain<T: Serialize>(value: &T) -> ApiResult<Self> {
        let body = serde_json::to_string(value).map_err(|e| ApiError::Internal(e.to_string()))?;
        Ok(Self {
            status: 200,
            version: None,
            location: None,
            body,
            is_silent: false,
        })
    }

    /// 200 with the resource.
    pub fn ok<T: Serialize>(value: &T, version: i64) -> ApiResult<Self> {
        Ok(Self {
            version: Some(version),
            ..Self::plain(value)?
        })
    }

    /// 201 with the resource and where it is.
    pub fn created<T: Serialize>(value: &T, version: i64, location: String) -> ApiResult<Self> {
        Ok(Self {
            status: 201,
            location: Some(location),
            ..Self::ok(value, version)?
        })
    }

    /// 204; a dry run tells the resource as it would be left, or as it would go.
    pub fn gone<T: Serialize>(value: &T) -> ApiResult<Self> {
        Ok(Self {
            status: 204,
            is_silent: true,
            ..Self::plain(value)?
        })
    }

    /// The answer of what was written.
    pub fn send(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut answer = HttpResponse::build(status);
        if let Some(version) = self.version {
            answer.insert_header((ETAG, format!("\"{version}\"")));
        }
        if let Some(location) = self.location {
            answer.insert_header((LOCATION, location));
        }
        if self.is_silent {
            return answer.finish();
        }
        answer.content_type("application/json").body(self.body)
    }

    /// The answer of what was only tried: 200, and nothing that would name what isn't there.
    pub fn tried(self) -> HttpResponse {
        HttpResponse::Ok()
            .content_type("application/json")
            .body(self.body)
    }
}
