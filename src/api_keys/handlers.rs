//! API keys, as admins manage them.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, patch, post};

use crate::app::App;
use crate::auth::{Can, ManageApiKeys, NewKey, Scope};
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::managed;
use crate::http::body::{Body, MergePatch, OptionalBody};
use crate::http::fields::{Check, Member};
use crate::http::paging::{Paging, PagingParams};
use crate::http::params::{FromParams, Params, Reader};
use crate::http::precondition::Conditional;
use crate::sections;

use super::ApiKeyId;
use super::store::{self, Edits, KeyRow};
use super::wire::{ApiKey, ApiKeyCreate, ApiKeyList, ApiKeyPatch, ApiKeyRotation, ApiKeyShown};

const MAX_NAME: usize = 200;
const MAX_SCOPES: usize = 20;
/// The longest that a replaced key stays good, in seconds: a week.
const MAX_OVERLAP: i64 = 7 * 24 * 3600;

/// Which page.
#[derive(Debug)]
pub struct ListQuery {
    paging: Paging,
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            paging: Paging::read(reader, "id", true),
        }
    }
}

/// List API keys
///
/// By id, expired ones too, without their secrets.
#[utoipa::path(
    tag = "manage access", operation_id = "listApiKeys", params(PagingParams),
    responses((status = 200, description = "A page of API keys", body = ApiKeyList)),
)]
#[get("/v1/admin/api-keys")]
pub async fn list(
    _: Can<ManageApiKeys>,
    app: Data<App>,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let paging = query.0.paging;
    let (found, link) = app
        .db
        .read(move |conn| {
            let found = store::page(conn, &paging)?;
            let (page, link) = paging.describe(&found);
            let data = found.items.iter().map(ApiKey::from).collect();
            Ok::<_, ApiError>((ApiKeyList { data, page }, link))
        })
        .await?;
    managed::list(&found, link)
}

/// The members of a body, beside those that there are.
fn checked_edits(
    conn: &mut Conn,
    body: ApiKeyPatch,
    current: Option<&KeyRow>,
    now: Timestamp,
) -> ApiResult<Edits> {
    let mut check = Check::default();
    let name = match (body.name, current) {
        (Member::Absent, Some(row)) => Some(row.name.clone()),
        (member, _) => check.required_line("/name", member.given(), MAX_NAME),
    };
    let scopes = match (body.scopes, current) {
        (Member::Absent, Some(row)) => row.scopes.0.clone(),
        (member, _) => check_scopes(&mut check, member.given()),
    };
    let is_new = body.sections.is_present();
    let had = current.and_then(|row| row.sections.clone());
    let sections = body.sections.or_keep(had.map(|sections| sections.0));
    let asked = sections.as_deref().filter(|_| is_new);
    sections::check_exist(conn, &mut check, "/sections", asked)?;
    let is_new = body.expires_at.is_present();
    let expires_at = body
        .expires_at
        .check(|text| check.instant("/expires_at", &text))
        .or_keep(current.and_then(|row| row.expires_at));
    if is_new && expires_at.is_some_and(|at| at <= now) {
        check.fault("/expires_at", FaultCode::OutOfRange, "must be ahead");
    }
    check.finish()?;
    Ok(Edits {
        name: name.unwrap_or_default(),
        scopes,
        sections: sections::distinct(sections),
        expires_at,
    })
}

fn check_scopes(check: &mut Check, scopes: Option<Vec<String>>) -> Vec<String> {
    let given = check.required("/scopes", scopes.filter(|scopes| !scopes.is_empty()));
    let is_too_long = given.as_ref().is_some_and(|names| names.len() > MAX_SCOPES);
    if is_too_long {
        let detail = format!("must have at most {MAX_SCOPES} items");
        check.fault("/scopes", FaultCode::TooMany, detail);
        return Vec::new();
    }
    let mut kept: Vec<String> = Vec::new();
    for (index, name) in given.unwrap_or_default().into_iter().enumerate() {
        if Scope::parse(&name).is_none() {
            let names = Scope::ALL.map(Scope::as_str).join(", ");
            let detail = format!("must be one of: {names}");
            check.fault(&format!("/scopes/{index}"), FaultCode::NotAllowed, detail);
        } else if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

/// Create an API key
///
/// The key is in this answer and in no other: keep it. It is sent as `Authorization: Bearer`, and
/// never taken from an address.
#[utoipa::path(
    tag = "manage access", operation_id = "createApiKey",
    request_body(content = ApiKeyCreate, description = "The new key"),
    responses((status = 201, description = "The key, shown this once", body = ApiKeyShown)),
)]
#[post("/v1/admin/api-keys")]
pub async fn create(
    caller: Can<ManageApiKeys>,
    app: Data<App>,
    _: Params<()>,
    body: Body<ApiKeyCreate>,
) -> ApiResult<HttpResponse> {
    let by = caller.caller.by(app.clock.now());
    let body = ApiKeyPatch {
        name: body.0.name,
        scopes: body.0.scopes,
        sections: body.0.sections,
        expires_at: body.0.expires_at,
    };
    let shown = app
        .db
        .write(move |conn| {
            let edits = checked_edits(conn, body, None, by.now)?;
            let key = NewKey::random();
            let row = store::create(conn, edits, &key, &by)?;
            Ok::<_, ApiError>(ApiKey::from(&row).shown(key.text()))
        })
        .await?;
    let location = format!("/v1/admin/api-keys/{}", shown.id);
    managed::created(&shown, shown.version, &location)
}

/// Read an API key
///
/// One key by id, without its secret. Its `ETag` is the version for `If-Match`.
#[utoipa::path(
    tag = "manage access", operation_id = "getApiKey",
    params(("id" = i64, Path, description = "Id of the key", minimum = 1, example = 1)),
    responses((status = 200, description = "The key", body = ApiKey)),
)]
#[get("/v1/admin/api-keys/{id}")]
pub async fn read(
    _: Can<ManageApiKeys>,
    app: Data<App>,
    id: ApiKeyId,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let row = app.db.read(move |conn| store::find(conn, id.0)).await?;
    // Use changes `last_used_at` and nothing else: the version doesn't tell it.
    managed::ok(&ApiKey::from(&row), row.version)
}

/// Change an API key
///
/// JSON Merge Patch; the key itself stays. Other scopes and sections take effect at once.
#[utoipa::path(
    tag = "manage access", operation_id = "updateApiKey",
    params(("id" = i64, Path, description = "Id of the key", minimum = 1, example = 1)),
    request_body(
        content(
            (ApiKeyPatch = "application/merge-patch+json"),
            (ApiKeyPatch = "application/json"),
        ),
        description = "What is to change",
    ),
    responses((status = 200, description = "The key", body = ApiKey)),
)]
#[patch("/v1/admin/api-keys/{id}")]
pub async fn patch(
    caller: Can<ManageApiKeys>,
    app: Data<App>,
    id: ApiKeyId,
    asked: Conditional,
    body: MergePatch<ApiKeyPatch>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match.required()?;
    let by = caller.caller.by(app.clock.now());
    let row = app
        .db
        .write(move |conn| {
            let was = store::find(conn, id.0)?;
            if_match.check(was.version)?;
            let edits = checked_edits(conn, body.0, Some(&was), by.now)?;
            store::update(conn, &was, edits, &by)
        })
        .await?;
    managed::ok(&ApiKey::from(&row), row.version)
}

/// Replace an API key by a new one
///
/// The new key is in this answer and in no other. The old one ends at once, or stays good for
/// `overlap_seconds`.
#[utoipa::path(
    tag = "manage access", operation_id = "rotateApiKey",
    params(("id" = i64, Path, description = "Id of the key", minimum = 1, example = 1)),
    request_body(
        content = Option<ApiKeyRotation>,
        description = "For how long the old key stays good; may be left out",
    ),
    responses((status = 200, description = "The new key, shown this once", body = ApiKeyShown)),
)]
#[post("/v1/admin/api-keys/{id}/rotate")]
pub async fn rotate(
    caller: Can<ManageApiKeys>,
    app: Data<App>,
    id: ApiKeyId,
    asked: Conditional,
    body: OptionalBody<ApiKeyRotation>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let overlap = body.0.overlap_seconds.given();
    let overlap = overlap.and_then(|n| check.number("/overlap_seconds", n, 0, MAX_OVERLAP));
    check.finish()?;
    let by = caller.caller.by(app.clock.now());
    let shown = app
        .db
        .write(move |conn| {
            let was = store::find(conn, id.0)?;
            asked.if_match.check(was.version)?;
            let key = NewKey::random();
            let row = store::rotate(conn, &was, &key, overlap.unwrap_or(0), &by)?;
            Ok::<_, ApiError>(ApiKey::from(&row).shown(key.text()))
        })
        .await?;
    managed::ok(&shown, shown.version)
}

/// Revoke an API key
///
/// It is worth nothing from now on.
#[utoipa::path(
    tag = "manage access", operation_id = "revokeApiKey",
    params(("id" = i64, Path, description = "Id of the key", minimum = 1, example = 1)),
    responses((status = 204, description = "Revoked")),
)]
#[delete("/v1/admin/api-keys/{id}")]
pub async fn revoke(
    caller: Can<ManageApiKeys>,
    app: Data<App>,
    id: ApiKeyId,
    asked: Conditional,
) -> ApiResult<HttpResponse> {
    let by = caller.caller.by(app.clock.now());
    app.db
        .write(move |conn| {
            let was = store::find(conn, id.0)?;
            asked.if_match.check(was.version)?;
            store::revoke(conn, &was, &by)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
