//! What follows from an operation's shape: security, errors, headers.

use serde_json::json;
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
    Schema, Type,
};

use super::{API_KEY, BEARER, IF_MATCH};
use crate::auth::access::permission_of;
use crate::auth::{Extent, Permission, Role};

/// Operations that answer from memory: they are cached like delivery's, and never 503.
const STATIC: &[&str] = &["/openapi.json", "/.well-known/jwks.json"];

/// What is managed below a resource, but is none that has a version.
const UNVERSIONED: &[&str] = &[
    "/hits",
    "/adjust",
    "/reset",
    "/check",
    "/password-reset",
    "/sessions",
    "/preview",
    "/revisions",
    "/revisions/{version}",
    "/diff",
];

/// Actions that answer with something else than their resource, but look at its version.
const CONDITIONAL: &[&str] = &["/check", "/preview"];

/// Resources that change without a new version, as when an account signs in or time publishes an
/// article: they are never 304.
const VOLATILE: &[&str] = &[
    "/v1/admin/articles/{id}",
    "/v1/admin/users/{id}",
    "/v1/admin/api-keys/{id}",
];

/// What an operation with this permission takes: an access token or, where a scope gives it, an API
/// key. (Which role and which scope stands in words: linters take lists for OAuth's alone.)
fn requirements(permission: Permission) -> Vec<SecurityRequirement> {
    let mut schemes = vec![BEARER];
    schemes.extend(permission.row().scope.map(|_| API_KEY));
    let requirement = |scheme| SecurityRequirement::new(scheme, Vec::<String>::new());
    schemes.into_iter().map(requirement).collect()
}

/// Who may, in words.
fn who_may(permission: Permission, is_of_sections: bool) -> String {
    let mut words = Vec::new();
    for role in Role::ALL {
        let bounded = match (permission, role) {
            (_, Role::Admin) | (Permission::OwnAccount, _) => "",
            _ => " in its sections",
        };
        match role.may(permission) {
            Extent::All => words.push(format!("{role}{bounded}")),
            Extent::Own if is_of_sections => words.push(format!("{role} in its sections")),
            Extent::Own => words.push(format!("{role} with what it made")),
            Extent::OwnDrafts => words.push(format!("{role} with drafts of its own")),
            Extent::Nothing => {}
        }
    }
    if let Some(scope) = permission.row().scope {
        words.push(format!("API keys with `{}`", scope.as_str()));
    }
    format!("Who may: {}.", words.join(", "))
}

/// A body that may be left out is not required; it is no null either, which the derived schema
/// allows.
fn settle_optional(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(choice))) = &content.schema
            && let Some(RefOr::Ref(reference)) = choice.items.first()
        {
            content.schema = Some(RefOr::Ref(reference.clone()));
            body.required = Some(Required::False);
        }
    }
}

/// Adds what follows from an operation's shape: security, errors, headers.
pub(super) fn complete(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let is_managed = path.starts_with("/v1/admin");
    let permission = permission_of(operation.operation_id.as_deref().unwrap_or_default());
    let needs_token = permission.is_some();
    let has_path = parameters(operation).any(|p| p.parameter_in == ParameterIn::Path);
    let names_resource =
        parameters(operation).any(|p| matches!(p.name.as_str(), "section" | "parent" | "article"));
    let is_read = *method == HttpMethod::Get;
    let is_delivery_read = is_read && path.starts_with("/v1/") && !needs_token;
    let is_tagged = is_delivery_read || STATIC.contains(&path);
    let is_versioned = is_managed && has_path && !UNVERSIONED.iter().any(|end| path.ends_with(end));
    let is_tagged_by_version = is_versioned && !VOLATILE.contains(&path);
    let is_list = parameters(operation).any(|p| p.name == "page");
    let has_body = operation.request_body.is_some();
    // Actions without members take an empty object, too.
    let reads_body = has_body || (is_managed && *method == HttpMethod::Post);
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        settle_optional(body);
    }
    operation.security = Some(permission.map_or_else(Vec::new, requirements));
    if let Some(permission) = permission {
        let text = operation.description.get_or_insert_default();
        text.push_str("\n\n");
        text.push_str(&who_may(permission, path.starts_with("/v1/admin/sections")));
    }

    let has_status =
        |operation: &Operation, status: &str| operation.responses.responses.contains_key(status);
    let mut problems = vec![(
        "400",
        "Faults of the query, of headers or of the body's form, all of a kind at once",
    )];
    if needs_token {
        problems.push(("401", "No access token or API key, or none that is good"));
        problems.push((
            "403",
            "The account's role, the key's scopes or the sections of either do not allow that",
        ));
    }
    if has_path || (is_delivery_read && names_resource) {
        problems.push((
            "404",
            "There is no such resource that the caller may know of",
        ));
    }
    if reads_body {
        problems.push(("408", "The body did not arrive in time"));
        problems.push(("413", "The body is too large"));
        problems.push((
            "415",
            "The body has a media type or coding that is not taken",
        ));
    }
    if has_body {
        problems.push((
            "422",
            "Members are missing or have bad values, all of them at once",
        ));
    }
    let is_conditional = is_versioned || CONDITIONAL.iter().any(|end| path.ends_with(end));
    if is_conditional && !is_read {
        problems.push(("412", "The resource has another version"));
        add_if_match(operation, *method == HttpMethod::Patch);
    }
    if *method == HttpMethod::Patch {
        problems.push(("428", "The operation needs If-Match"));
    }
    let writes_content = parameters(operation).any(|p| p.name == "dry_run");
    let is_of_hits = records_hits(path, method)
        || path == "/v1/admin/hits"
        || ["/hits/adjust", "/hits/reset"]
            .iter()
            .any(|end| path.ends_with(end));
    if *method == HttpMethod::Post && (writes_content || is_of_hits) {
        problems.push((
            "409",
            "A request with the same `Idempotency-Key` is being worked on",
        ));
        problems.push(("422", "The `Idempotency-Key` was used for another request"));
        add_idempotency_key(operation);
    }
    let is_limited = is_limited(path, method);
    if is_limited {
        problems.push(("429", "Too many requests; see Retry-After"));
    }
    problems.push(("500", "The service failed"));
    if !STATIC.contains(&path) && path != "/healthz" {
        problems.push((
            "503",
            "Overloaded, or the database is away; see Retry-After",
        ));
    }
    for (status, description) in problems {
        if !has_status(operation, status) {
            operation
                .responses
                .responses
                .insert(status.to_owned(), RefOr::T(problem(description)));
        }
    }
    // Errors that the operation itself names carry a problem document, too.
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            if status.starts_with(['4', '5']) && response.content.is_empty() {
                let described = problem(&response.description);
                response.content = described.content;
            }
            if is_limited && (status.starts_with('2') || status == "429") {
                add_limits(response);
            }
            match status.as_str() {
                "401" => add_header(response, "WWW-Authenticate", "`Bearer`"),
                "429" | "503" => add_retry_after(response),
                "201" if has_path && !is_versioned => {}
                "201" => {
                    add_header(response, "Location", "Where the resource is");
                    add_header(response, "ETag", "The version, in quotes");
                }
                "200" => {
                    if is_versioned {
                        add_header(response, "ETag", "The version, in quotes");
                    }
                    if is_tagged {
                        add_header(response, "ETag", "Strong entity tag, its own per coding");
                        add_header(
                            response,
                            "Cache-Control",
                            "How long caches may keep the answer",
                        );
                    }
                    if is_delivery_read && is_keyed(path) {
                        add_keys(response);
                    }
                    if is_delivery_read && path.ends_with("{ref}") {
                        add_header(response, "Last-Modified", "When the resource was changed");
                    }
                    if is_list {
                        add_header(
                            response,
                            "Link",
                            "The `first`, `prev`, `next` and `last` page, where known (RFC 8288)",
                        );
                    }
                }
                _ => {}
            }
        }
    }
    if is_tagged {
        add_not_modified(operation, "Strong entity tag, its own per coding");
    } else if is_tagged_by_version && is_read {
        add_not_modified(operation, "The version, in quotes");
    }
    if is_read && path.contains("{ref}") {
        let moved = ResponseBuilder::new()
            .description("The slug is an old one: the live one is at `Location`, the query is kept")
            .header("Location", header("The live address, path-absolute"))
            .header("Cache-Control", header("How long caches may keep this"))
            .build();
        operation
            .responses
            .responses
            .insert("308".to_owned(), RefOr::T(moved));
    }
}

pub(super) fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    operation
        .parameters
        .iter()
        .flatten()
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
}

fn header(description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(description))
        .build()
}

fn add_header(response: &mut Response, name: &str, description: &str) {
    response
        .headers
        .insert(name.to_owned(), RefOr::T(header(description)));
}

fn add_retry_after(response: &mut Response) {
    let seconds = HeaderBuilder::new()
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1)),
        ))
        .description(Some("Seconds after which to try again"))
        .build();
    response
        .headers
        .insert("Retry-After".to_owned(), RefOr::T(seconds));
}

fn records_hits(path: &str, method: &HttpMethod) -> bool {
    *method == HttpMethod::Post && matches!(path, "/v1/hits" | "/v1/articles/{ref}/hits")
}

/// Whether the operation's requests are limited: all but health and the recording of hits.
fn is_limited(path: &str, method: &HttpMethod) -> bool {
    !records_hits(path, method) && !matches!(path, "/healthz" | "/readyz" | "/metrics")
}

fn add_limits(response: &mut Response) {
    add_header(
        response,
        "RateLimit",
        "Requests that are left (`r`), and seconds until there are more (`t`), as in \
         `\"reads\";r=59999;t=1`; not there where limits are off",
    );
    add_header(
        response,
        "RateLimit-Policy",
        "The limit: so many requests (`q`) in so many seconds (`w`), as in \
         `\"reads\";q=60000;w=60`; not there where limits are off",
    );
}

/// Whether a delivery read's answers are kept by caches until a write changes them.
fn is_keyed(path: &str) -> bool {
    let kinds = ["/v1/articles", "/v1/sections", "/v1/archive", "/v1/tags"];
    kinds.iter().any(|kind| path.starts_with(kind)) && !path.ends_with("/hits")
}

fn add_keys(response: &mut Response) {
    add_header(
        response,
        "Surrogate-Key",
        "The keys by which CDNs and proxies drop the answer, separated by spaces, as in \
         `all list-4 section-4 article-12`; where `LANMU_CDN_KEYS` is `surrogate-key`",
    );
    add_header(
        response,
        "Cache-Tag",
        "The same, separated by commas; where `LANMU_CDN_KEYS` is `cache-tag`",
    );
}

fn add_not_modified(operation: &mut Operation, tag: &str) {
    let unchanged = ResponseBuilder::new()
        .description("The client's copy (`If-None-Match`) is still right")
        .header("ETag", header(tag))
        .build();
    operation
        .responses
        .responses
        .insert("304".to_owned(), RefOr::T(unchanged));
    let parameter = utoipa::openapi::path::ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .required(utoipa::openapi::Required::False)
        .description(Some(
            "Entity tags of the copies that the client has, or `*`: 304 where one is still right",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    operation
        .parameters
        .get_or_insert_with(Vec::new)
        .push(RefOr::T(parameter));
}

fn add_idempotency_key(operation: &mut Operation) {
    let parameter = utoipa::openapi::path::ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A key of the client's own, new for each thing that it wants done, such as a UUID: when \
             the same request is sent again within 24 hours, the first answer is given again (2xx, \
             409 and 422) and nothing is done twice",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .max_length(Some(255))
                .pattern(Some("^[!-~]+$")),
        ))
        .example(Some(json!("7d0a1f52-4b1e-4c5e-9a86-0f4a6d0c2f11")))
        .build();
    operation
        .parameters
        .get_or_insert_with(Vec::new)
        .push(RefOr::T(parameter));
}

fn add_if_match(operation: &mut Operation, required: bool) {
    let parameter = utoipa::openapi::path::ParameterBuilder::new()
        .name("If-Match")
        .parameter_in(ParameterIn::Header)
        .required(if required {
            utoipa::openapi::Required::True
        } else {
            utoipa::openapi::Required::False
        })
        .description(Some(
            "The version that the client has seen, in quotes (its `ETag`), or several; `*`: any",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(IF_MATCH)),
        ))
        .example(Some(json!("\"1\"")))
        .build();
    operation
        .parameters
        .get_or_insert_with(Vec::new)
        .push(RefOr::T(parameter));
}

pub(super) fn problem(description: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build(),
        )
        .build()
}
