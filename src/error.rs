//! Everything that can go wrong with a request, its status, and its problem document (RFC 9457).
//!
//! This is the only place where error statuses are chosen. Causes are logged once and never sent.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::db::{DbError, dialect};

/// What handlers return.
pub type ApiResult<T> = Result<T, ApiError>;

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $status:literal $code:literal $title:literal;)*) => {
        /// A kind of error: its `code`, status and title never change once published.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$meta])* $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable `snake_case` name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                let number: u16 = match self { $(Self::$name => $status),* };
                StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// What it means, for people; the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
        }
    };
}

codes! {
    /// Faults of the query or of headers.
    InvalidRequest = 400 "invalid_request" "The query or a header is not valid";
    /// The body is no JSON, or of the wrong shape.
    InvalidBody = 400 "invalid_body" "The body is not the JSON that this operation takes";
    /// No token, or none that is good.
    Unauthorized = 401 "unauthorized" "A valid access token is needed";
    /// Sign-in failed.
    InvalidCredentials = 401 "invalid_credentials" "E-mail and password do not match an active account";
    /// A refresh token that is unknown, expired or revoked.
    InvalidRefreshToken = 401 "invalid_refresh_token" "The refresh token is not valid";
    /// The caller may not do that.
    Forbidden = 403 "forbidden" "The caller may not do that";
    /// Nothing there that the caller may know of.
    NotFound = 404 "not_found" "There is no such resource";
    /// The path exists with other methods.
    MethodNotAllowed = 405 "method_not_allowed" "The resource has no such method";
    /// The body came too slowly.
    RequestTimeout = 408 "request_timeout" "The body did not arrive in time";
    /// The slug belongs to another resource.
    SlugTaken = 409 "slug_taken" "The slug is in use";
    /// The external id belongs to another article.
    ExternalIdTaken = 409 "external_id_taken" "The external id is in use";
    /// The move would put a section below itself.
    SectionCycle = 409 "section_cycle" "A section can't be moved below itself";
    /// The section holds articles or sections.
    SectionNotEmpty = 409 "section_not_empty" "The section is not empty";
    /// The life cycle has no such step from the present state.
    InvalidTransition = 409 "invalid_transition" "The article's state does not allow that";
    /// The e-mail address belongs to another account.
    EmailTaken = 409 "email_taken" "The e-mail address is in use";
    /// No admin would be left.
    LastAdmin = 409 "last_admin" "The last active admin can't be taken away";
    /// A used refresh token came again within seconds.
    RefreshTokenUsed = 409 "refresh_token_used" "The refresh token was just used";
    /// A request with the same `Idempotency-Key` is being worked on.
    IdempotencyInFlight = 409 "idempotency_in_flight" "A request with this Idempotency-Key is being worked on";
    /// An item of a bulk that is all or nothing failed.
    BulkFailed = 409 "bulk_failed" "Items of the bulk failed, and nothing was written";
    /// The resource has changed since.
    VersionMismatch = 412 "version_mismatch" "The resource has another version";
    /// The body is over the limit.
    PayloadTooLarge = 413 "payload_too_large" "The body is too large";
    /// Not a media type or coding that the operation takes.
    UnsupportedMediaType = 415 "unsupported_media_type" "The body has a media type or coding that is not taken";
    /// Members of the body with values that can't be taken.
    ValidationFailed = 422 "validation_failed" "Members of the body are missing or have bad values";
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused = 422 "idempotency_key_reused" "The Idempotency-Key was used for another request";
    /// `If-Match` is missing.
    PreconditionRequired = 428 "precondition_required" "The operation needs If-Match";
    /// More requests than the client may send.
    RateLimited = 429 "rate_limited" "Too many requests";
    /// A fault of the service.
    Internal = 500 "internal_error" "The service failed";
    /// Overloaded, or the database is away.
    Unavailable = 503 "unavailable" "The service can't answer right now";
}

macro_rules! fault_codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal;)*) => {
        /// A kind of fault in one member, parameter or header.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultCode { $($(#[$meta])* $name,)* }

        impl FaultCode {
            /// Every fault code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable `snake_case` name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }
        }
    };
}

fault_codes! {
    /// A required member or parameter is missing, null or blank.
    Required = "required";
    /// Not of the form or range that is documented.
    Invalid = "invalid";
    /// Shorter than allowed.
    TooShort = "too_short";
    /// A password that everybody tries first.
    TooCommon = "too_common";
    /// Longer than allowed.
    TooLong = "too_long";
    /// More items than allowed.
    TooMany = "too_many";
    /// Below the minimum or over the maximum.
    OutOfRange = "out_of_range";
    /// Not one of the listed values.
    NotAllowed = "not_allowed";
    /// Control characters, or text that is no UTF-8.
    InvalidCharacters = "invalid_characters";
    /// Not of the JSON type that is documented.
    WrongType = "wrong_type";
    /// The operation has no such member.
    UnknownMember = "unknown_member";
    /// The operation has no such parameter.
    UnknownParameter = "unknown_parameter";
    /// Given more than once.
    Duplicate = "duplicate";
    /// Can't be given together with another one.
    Conflicting = "conflicting";
    /// Not a cursor of this list.
    InvalidCursor = "invalid_cursor";
    /// What it names does not exist.
    DoesNotExist = "does_not_exist";
    /// `parent_id` and `position` change only by `/move`.
    UseMove = "use_move";
    /// Not JSON at all.
    MalformedJson = "malformed_json";
    /// A body that costs more than anything that people write.
    TooComplex = "too_complex";
    /// The tree would be too deep or too large.
    TreeTooLarge = "tree_too_large";
    /// A check of the article found what must not be published.
    CheckFailed = "check_failed";
}

/// One fault and where it is: in a member of the body, or in a parameter or header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"pointer": "/title", "parameter": null, "code": "required", "detail": "title is required"}))]
pub struct Fault {
    /// JSON Pointer (RFC 6901) to the member of the body; null for a parameter or header.
    #[schema(required, nullable, max_length = 1000)]
    pub pointer: Option<String>,
    /// Name of the query parameter or header; null for a member of the body.
    #[schema(required, nullable, max_length = 1000)]
    pub parameter: Option<String>,
    /// Stable name of the fault's kind.
    #[schema(max_length = 64)]
    pub code: &'static str,
    /// What is wrong, for people.
    #[schema(max_length = 2000)]
    pub detail: String,
}

impl Fault {
    /// A fault in the body's member at this JSON Pointer.
    pub fn member(pointer: impl Into<String>, code: FaultCode, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.into()),
            parameter: None,
            code: code.as_str(),
            detail: detail.into(),
        }
    }

    /// A fault in a query parameter or header.
    pub fn parameter(name: impl Into<String>, code: FaultCode, detail: impl Into<String>) -> Self {
        Self {
            pointer: None,
            parameter: Some(name.into()),
            code: code.as_str(),
            detail: detail.into(),
        }
    }
}

/// A problem document (RFC 9457), sent as `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Stable URI reference of the kind of problem; ends in `code`.
    #[serde(rename = "type")]
    #[schema(example = "/problems/not_found", max_length = 200)]
    pub kind: String,
    /// What the code means; the same for every occurrence.
    #[schema(example = "There is no such resource", max_length = 200)]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 404, minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened this time.
    #[schema(example = "there is no such article")]
    pub detail: String,
    /// Stable name of the kind of problem.
    #[schema(example = "not_found", max_length = 64)]
    pub code: &'static str,
    /// The request's id, as in the answer's `X-Request-Id`.
    #[schema(example = "0198c2f4a7b0", max_length = 128)]
    pub request_id: String,
    /// The faults one by one; empty where the problem is not in single members or parameters.
    #[schema(max_items = 10000)]
    pub errors: Vec<Fault>,
}

/// A request that can't be answered as asked.
#[derive(Debug, Clone)]
pub enum ApiError {
    /// An error with its detail.
    Plain(Code, String),
    /// Faults in the query or headers (400) or in the body (400 or 422).
    Faults(Code, Vec<Fault>),
    /// 405 with the methods that there are.
    MethodNotAllowed(String),
    /// 429, to be tried again after so many seconds.
    RateLimited(u32),
    /// 503, to be tried again after so many seconds.
    Unavailable(u32),
    /// Not an error but no answer either: 308 to this path-absolute place.
    Moved(String),
    /// Another error, with what caches may do with it.
    Cacheable(Box<ApiError>, String),
    /// Another one, with the header of its keys.
    Keyed(Box<(ApiError, HeaderName, HeaderValue)>),
    /// A fault of the service; the text is for the log.
    Internal(String),
}

impl ApiError {
    /// 404 with "there is no such …".
    pub fn not_found(what: &str) -> Self {
        Self::Plain(Code::NotFound, format!("there is no such {what}"))
    }

    /// An error of this kind with this detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::Plain(code, detail.into())
    }

    /// 422 with one fault.
    pub fn invalid(pointer: &str, code: FaultCode, detail: impl Into<String>) -> Self {
        Self::Faults(
            Code::ValidationFailed,
            vec![Fault::member(pointer, code, detail)],
        )
    }

    /// 400 with one fault of a parameter.
    pub fn bad_parameter(name: &str, code: FaultCode, detail: impl Into<String>) -> Self {
        Self::Faults(
            Code::InvalidRequest,
            vec![Fault::parameter(name, code, detail)],
        )
    }

    /// Whether a rule of the service's says no, and nothing has failed.
    pub fn is_refusal(&self) -> bool {
        self.code().status().is_client_error()
    }

    /// The kind of error.
    pub fn code(&self) -> Code {
        match self {
            Self::Plain(code, _) | Self::Faults(code, _) => *code,
            Self::MethodNotAllowed(_) => Code::MethodNotAllowed,
            Self::RateLimited(_) => Code::RateLimited,
            Self::Unavailable(_) => Code::Unavailable,
            Self::Cacheable(error, _) => error.code(),
            Self::Keyed(keyed) => keyed.0.code(),
            Self::Moved(_) | Self::Internal(_) => Code::Internal,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Plain(_, detail) => detail.clone(),
            Self::Faults(_, faults) => faults
                .iter()
                .map(|f| f.detail.as_str())
                .collect::<Vec<_>>()
                .join("; "),
            Self::MethodNotAllowed(allow) => format!("allowed here: {allow}"),
            Self::RateLimited(seconds) => format!("try again in {seconds} s"),
            Self::Unavailable(_) => "try again shortly".to_owned(),
            Self::Cacheable(error, _) => error.detail(),
            Self::Keyed(keyed) => keyed.0.detail(),
            Self::Moved(place) => format!("moved to {place}"),
            Self::Internal(_) => {
                "the cause is in the service's log under this request id".to_owned()
            }
        }
    }

    /// The problem document.
    pub fn problem(&self, request_id: &str) -> Problem {
        let code = self.code();
        Problem {
            kind: format!("/problems/{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: self.detail(),
            code: code.as_str(),
            request_id: request_id.to_owned(),
            errors: match self {
                Self::Faults(_, faults) => faults.clone(),
                _ => Vec::new(),
            },
        }
    }

    /// The answer with its problem document.
    pub fn answer(&self, request_id: &str) -> HttpResponse {
        if let Self::Cacheable(error, cache_control) = self {
            let mut answer = error.answer(request_id);
            set(&mut answer, "cache-control", cache_control);
            return answer;
        }
        if let Self::Keyed(keyed) = self {
            let (error, name, value) = keyed.as_ref();
            let mut answer = error.answer(request_id);
            answer.headers_mut().insert(name.clone(), value.clone());
            return answer;
        }
        if let Self::Moved(place) = self {
            return HttpResponse::PermanentRedirect()
                .insert_header(("location", place.as_str()))
                .insert_header(("cache-control", "public, max-age=300"))
                .finish();
        }
        let code = self.code();
        let problem = self.problem(request_id);
        // A problem holds only strings, numbers and lists of them: it always serialises.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut answer = HttpResponse::build(code.status());
        answer
            .content_type("application/problem+json")
            .insert_header(("cache-control", "no-store"));
        match self {
            Self::MethodNotAllowed(allow) => answer.insert_header(("allow", allow.as_str())),
            Self::RateLimited(seconds) | Self::Unavailable(seconds) => {
                answer.insert_header(("retry-after", *seconds))
            }
            _ if code.status() == StatusCode::UNAUTHORIZED => {
                answer.insert_header(("www-authenticate", "Bearer"))
            }
            _ => &mut answer,
        };
        answer.body(body)
    }
}

fn set(answer: &mut HttpResponse, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internal(cause) => f.write_str(cause),
            other => f.write_str(&other.detail()),
        }
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Moved(_) => StatusCode::PERMANENT_REDIRECT,
            Self::Keyed(keyed) => keyed.0.status_code(),
            other => other.code().status(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        self.answer("")
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy => Self::Unavailable(1),
            DbError::Unreachable(cause) => {
                tracing::error!(%cause, "the database can't be reached");
                Self::Unavailable(5)
            }
            DbError::Query(cause) => cause.into(),
            DbError::Broken | DbError::Migration(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<diesel::result::Error> for ApiError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind, Error};
        match &error {
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection, info) => {
                tracing::error!(cause = info.message(), "the database went away");
                Self::Unavailable(5)
            }
            _ if dialect::is_contention(&error) => {
                tracing::error!(cause = %error, "the database is overloaded");
                Self::Unavailable(2)
            }
            _ => Self::Internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut names: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn causes_never_reach_the_client() {
        let error = ApiError::Internal("no such column: secret".to_owned());
        assert!(!error.detail().contains("secret"));
    }
}
