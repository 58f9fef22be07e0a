//! Articles that other systems push.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, put};

use super::{checked_publication, checked_released, created, saved};
use crate::app::App;
use crate::articles::rules::Status;
use crate::articles::store::{self, Stored, Writer};
use crate::articles::wire::{ArticlePut, Edits, ManagedArticle, Publication, is_external_id};
use crate::auth::{Can, Permission, WriteContent};
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::body::Body;
use crate::http::fields::{Check, Member};
use crate::http::precondition::IfMatch;
use crate::writes::{Asked, DryRunParams};

/// Create or replace an article of another system
///
/// For systems that push: creates the article with this external id (201), or replaces it (200);
/// members left out become null, but the slug stays. `publish` publishes it in the same
/// transaction.
#[utoipa::path(
    tag = "manage articles", operation_id = "putExternalArticle",
    params(
        ("external_id" = String, Path, description = "The article's id in the other system", min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9._:~-]+$", example = "cms-2026-0131"),
        DryRunParams,
    ),
    request_body(content = ArticlePut, description = "The article as the other system has it"),
    responses(
        (status = 200, description = "The article, replaced", body = ManagedArticle),
        (status = 201, description = "The article, new", body = ManagedArticle),
        (status = 409, description = "The slug is in use, the article is in the trash, or the external id is that of an article that the caller must not know of"),
    ),
)]
#[put("/v1/admin/external-articles/{external_id}")]
pub async fn put_external(
    caller: Can<WriteContent>,
    app: Data<App>,
    path: Path<String>,
    asked: Asked,
    body: Body<ArticlePut>,
) -> ApiResult<HttpResponse> {
    let external_id = path.into_inner();
    if !is_external_id(&external_id) {
        return Err(ApiError::not_found(
            "external id: use 1 to 200 of A-Z, a-z, 0-9 and ._:~-",
        ));
    }
    let (if_match, now) = (asked.if_match.clone(), app.clock.now());
    let mut body = body.0;
    let mut check = Check::default();
    let publish = std::mem::take(&mut body.publish);
    if let Member::Given(given) = &body.external_id
        && *given != external_id
    {
        let detail = "must be the one in the path, or be left out";
        check.fault("/external_id", FaultCode::Conflicting, detail);
    }
    let note = body.take_note(&mut check);
    let mut edits = body.apply(&mut check, Edits::nothing(&app.config.site.locale));
    edits.prepared = app.renderer.prepare(edits.body.clone()).await?;
    let asking = caller.caller.clone();
    let publication = checked_publication(&mut check, &asking, publish)?;
    edits.external_id = Some(external_id.clone());
    let shared = app.clone();
    let work = move |conn: &mut Conn| {
        let caller = caller.again(conn, now)?;
        if publication.is_some() {
            caller.check(Permission::Publish)?;
        }
        let writer = Writer::new(conn, caller, &shared, now)?.noting(note);
        let Some(id) = store::find_external(conn, &external_id)? else {
            if if_match != IfMatch::Absent {
                let detail = "there is no article with this external id yet";
                return Err(ApiError::new(Code::VersionMismatch, detail));
            }
            let stored = store::create(conn, edits, publication, &writer, check)?;
            return created(stored, now);
        };
        let was = match writer.find(conn, Permission::WriteContent, id) {
            // To this caller it isn't there; but its name is taken.
            Err(error) if error.code() == Code::NotFound => {
                return Err(store::external_id_taken(&external_id));
            }
            found => found?,
        };
        checked_released(&writer, &was)?;
        if_match.check(was.row.version)?;
        keep_date(&writer, &was, &mut edits, publication)?;
        saved(
            store::update(conn, &was, edits, publication, &writer, check)?,
            now,
        )
    };
    asked.write(&app, &asking, work).await
}

/// What is published, or was and is again, keeps its date unless it is given a new one. So does all
/// else where the writer may not give it one.
fn keep_date(
    writer: &Writer,
    was: &Stored,
    edits: &mut Edits,
    publication: Option<Publication>,
) -> ApiResult<()> {
    let status = was.row.status_at(writer.act.by.now);
    if status == Status::Trashed {
        let detail = "the article is in the trash: restore or delete it first";
        return Err(ApiError::new(Code::InvalidTransition, detail));
    }
    let may_date = writer.check(Permission::Publish);
    let keeps_date = publication.is_some() || status.is_released() || may_date.is_err();
    if edits.published_at.is_none() && keeps_date {
        edits.published_at = was.row.published_at;
    }
    if edits.published_at != was.row.published_at {
        may_date?;
    }
    Ok(())
}
