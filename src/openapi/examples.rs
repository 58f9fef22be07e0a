//! Examples of requests and answers: real ones from `openapi/examples.json`, and a problem of each
//! error that an operation documents.

use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, RefOr};

use crate::error::{ApiError, Code, Fault, FaultCode};

/// Puts the operation's examples where they belong.
pub(super) fn add_examples(operation: &mut Operation, examples: &Value) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let own = &examples[&id];
    let request = &own["request"];
    if let Some(RefOr::T(body)) = operation.request_body.as_mut()
        && !request.is_null()
    {
        set_example(body.content.values_mut(), request);
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        let example = match status.parse().ok().and_then(|number| code_of(&id, number)) {
            Some(code) => problem(code, request),
            None => own["answers"][status].clone(),
        };
        if !example.is_null() {
            set_example(response.content.values_mut(), &example);
        }
    }
}

fn set_example<'a>(contents: impl Iterator<Item = &'a mut RefOr<Content>>, example: &Value) {
    for content in contents {
        if let RefOr::T(content) = content {
            content.example = Some(example.clone());
        }
    }
}

/// The code that an operation is likely to answer with this status.
fn code_of(operation: &str, status: u16) -> Option<Code> {
    let special = match (operation, status) {
        ("login", 401) => Some(Code::InvalidCredentials),
        ("refreshTokens", 401) => Some(Code::InvalidRefreshToken),
        ("createUser", 409) => Some(Code::EmailTaken),
        ("updateUser" | "deleteUser", 409) => Some(Code::LastAdmin),
        ("refreshTokens", 409) => Some(Code::RefreshTokenUsed),
        ("moveSection", 409) => Some(Code::SectionCycle),
        ("deleteSection", 409) => Some(Code::SectionNotEmpty),
        (
            "submitArticle"
            | "rejectArticle"
            | "publishArticle"
            | "unpublishArticle"
            | "restoreArticle"
            | "reorderArticle"
            | "deleteArticle"
            | "createArticlePreview"
            | "restoreRevision",
            409,
        ) => Some(Code::InvalidTransition),
        ("bulkArticles", 409) => Some(Code::BulkFailed),
        ("recordHit" | "recordHits" | "recordManagedHits" | "adjustHits" | "resetHits", 409) => {
            Some(Code::IdempotencyInFlight)
        }
        _ => None,
    };
    let first = || {
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.status().as_u16() == status)
    };
    special.or_else(first)
}

/// A problem of this code, with a fault where the code tells faults.
fn problem(code: Code, request: &Value) -> Value {
    let member = request
        .as_object()
        .and_then(|members| members.keys().next());
    let error = match code {
        Code::InvalidRequest => {
            let detail = "colour is no parameter of this operation";
            let fault = Fault::parameter("colour", FaultCode::UnknownParameter, detail);
            ApiError::Faults(code, vec![fault])
        }
        Code::ValidationFailed => {
            let name = member.map_or("title", String::as_str);
            let detail = format!("{name} is required");
            let fault = Fault::member(format!("/{name}"), FaultCode::Required, detail);
            ApiError::Faults(code, vec![fault])
        }
        Code::NotFound => ApiError::not_found("resource"),
        Code::Internal => ApiError::Internal(String::new()),
        Code::RateLimited => ApiError::RateLimited(1),
        Code::Unavailable => ApiError::Unavailable(1),
        code => ApiError::new(code, code.title()),
    };
    // A problem holds only strings, numbers and lists of them: it always serialises.
    serde_json::to_value(error.problem("0198c2f4a7b0")).unwrap_or_default()
}
