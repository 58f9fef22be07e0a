//! Revisions of an article are listed, read, compared and brought back.

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use utoipa::IntoParams;

use crate::app::App;
use crate::articles::admin::{checked_update, saved};
use crate::articles::prepare::Prepared;
use crate::articles::rules::Status;
use crate::articles::store::{Stored, Writer, restore_revision};
use crate::articles::wire::{ArticlePatch, ManagedArticle, NoteInput, checked_note};
use crate::articles::{ArticleId, find_for};
use crate::auth::{Caller, Can, Permission, ReadContent, WriteContent};
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult, Code};
use crate::http::answer::managed;
use crate::http::body::OptionalBody;
use crate::http::fields::Check;
use crate::http::paging::{Paging, PagingParams};
use crate::http::params::{FromParams, Params, Reader};
use crate::writes::{Asked, DryRunParams};

use super::wire::{Revision, RevisionDiff, RevisionList};
use super::{Version, diff as difference, restoring, store};

#[derive(Debug)]
pub struct ListQuery(Paging);

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self(Paging::read(reader, "-version", true))
    }
}

/// List an article's revisions
///
/// Every save of the article, the newest first: who saved it when, with which note, and which members
/// it changed. How many are kept, and for how long, is a setting; the newest one and the newest one
/// that was released always are.
#[utoipa::path(
    tag = "manage articles", operation_id = "listRevisions",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        PagingParams,
    ),
    responses((status = 200, description = "A page of revisions", body = RevisionList)),
)]
#[get("/v1/admin/articles/{id}/revisions")]
pub async fn list(
    caller: Can<ReadContent>,
    app: Data<App>,
    id: ArticleId,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let (id, now, paging) = (id.0, app.clock.now(), query.0.0);
    let work = move |conn: &mut Conn| {
        find_for(conn, &caller.caller, Permission::ReadContent, id, now)?;
        let found = store::page(conn, id, &paging)?;
        let (page, link) = paging.describe(&found);
        let data = found.items;
        Ok::<_, ApiError>((RevisionList { data, page }, link))
    };
    let (list, link) = app.db.read(work).await?;
    managed::list(&list, link)
}

/// Read a revision
///
/// One save of the article, with the whole article as it was then.
#[utoipa::path(
    tag = "manage articles", operation_id = "getRevision",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        ("version" = i64, Path, description = "Version that the save made", minimum = 1, example = 3),
    ),
    responses((status = 200, description = "The revision", body = Revision)),
)]
#[get("/v1/admin/articles/{id}/revisions/{version}")]
pub async fn read(
    caller: Can<ReadContent>,
    app: Data<App>,
    id: ArticleId,
    version: Version,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (id, version, now) = (id.0, version.0, app.clock.now());
    let work = move |conn: &mut Conn| {
        find_for(conn, &caller.caller, Permission::ReadContent, id, now)?;
        store::find(conn, id, version)
    };
    let (summary, content) = app.db.read(work).await?;
    Ok(HttpResponse::Ok().json(Revision::new(summary, content)))
}

/// Against which revision.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `DiffQuery` reads")]
struct DiffParams {
    /// The version that it is held against; left out: the nearest one before it that is kept.
    #[param(minimum = 1, example = 1)]
    against: Option<i64>,
}

#[derive(Debug)]
pub struct DiffQuery {
    against: Option<i64>,
}

impl FromParams for DiffQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            against: reader.integer("against", 1..=i64::MAX),
        }
    }
}

/// Compare a revision with another one
///
/// The members that differ from the revision before, or from the one that `against` names, with their
/// whole values; the body's content as a unified diff. Of the first one every member is new.
#[utoipa::path(
    tag = "manage articles", operation_id = "diffRevision",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        ("version" = i64, Path, description = "Version that the save made", minimum = 1, example = 3),
        DiffParams,
    ),
    responses((status = 200, description = "What differs", body = RevisionDiff)),
)]
#[get("/v1/admin/articles/{id}/revisions/{version}/diff")]
pub async fn diff(
    caller: Can<ReadContent>,
    app: Data<App>,
    id: ArticleId,
    version: Version,
    query: Params<DiffQuery>,
) -> ApiResult<HttpResponse> {
    let (id, version, now) = (id.0, version.0, app.clock.now());
    let asked = query.0.against;
    let work = move |conn: &mut Conn| {
        find_for(conn, &caller.caller, Permission::ReadContent, id, now)?;
        let after = store::content(conn, id, version)?;
        let against = match asked {
            Some(against) => Some(against),
            None => store::version_before(conn, id, version)?,
        };
        let before = against.map(|against| store::content(conn, id, against));
        Ok::<_, ApiError>((against, before.transpose()?, after))
    };
    let (against, before, after) = app.db.read(work).await?;
    let found = app
        .renderer
        .in_turn(move || difference::between(before.as_ref(), &after))
        .await?;
    Ok(HttpResponse::Ok().json(RevisionDiff {
        version,
        against,
        changes: found.changes.into_iter().map(Into::into).collect(),
        body: found.body,
    }))
}

/// Bring a revision back
///
/// Makes a new version of the article with the members of the revision. What leads to the article and
/// what decides when readers see it stays as it is now: `slug`, `external_id`, `status`,
/// `published_at`, `expires_at` and, in the same section, `position`. A section that is gone leaves the
/// article where it is; other sections and related articles that are gone are left out. A published
/// article is live with the old text at once, which needs the publish permission.
#[utoipa::path(
    tag = "manage articles", operation_id = "restoreRevision",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        ("version" = i64, Path, description = "Version to bring back", minimum = 1, example = 3),
        DryRunParams,
    ),
    request_body(
        content = Option<NoteInput>,
        description = "A note; may be left out: `restored from version` and its number",
    ),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is in the trash"),
    ),
)]
#[post("/v1/admin/articles/{id}/revisions/{version}/restore")]
pub async fn restore(
    caller: Can<WriteContent>,
    app: Data<App>,
    id: ArticleId,
    version: Version,
    asked: Asked,
    body: OptionalBody<NoteInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let note = checked_note(&mut check, body.0.note);
    let note = note.unwrap_or_else(|| format!("restored from version {}", version.0));
    let (id, version, now) = (id.0, version.0, app.clock.now());
    let (if_match, asking) = (asked.if_match.clone(), caller.caller.clone());
    let locale = app.config.site.locale.clone();
    let prepared = prepared(&app, asking.clone(), id, version, now).await?;
    let shared = app.clone();
    let work = move |conn: &mut Conn| {
        let caller = caller.again(conn, now)?;
        let writer = Writer::new(conn, caller, &shared, now)?.noting(Some(note));
        let was = writer.find(conn, Permission::WriteContent, id)?;
        let mut patch = restoring::patch(store::content(conn, id, version)?)?;
        restoring::leave_out_what_is_gone(conn, &mut patch, &was, &writer)?;
        let mut edits = patch.apply(&mut check, was.edits(&locale));
        edits.prepared = prepared;
        checked_update(&writer, &was, &edits)?;
        if_match.check(was.row.version)?;
        check_not_trashed(&was, now)?;
        saved(restore_revision(conn, &was, edits, &writer, check)?, now)
    };
    asked.write(&app, &asking, work).await
}

fn check_not_trashed(was: &Stored, now: Timestamp) -> ApiResult<()> {
    if was.row.status_at(now) == Status::Trashed {
        let detail = "the article is in the trash: restore it first";
        return Err(ApiError::new(Code::InvalidTransition, detail));
    }
    Ok(())
}

/// The body of the revision rendered ahead of the transaction, where the article has another one. What
/// the caller must not know of, or what is not there, is for the write to tell: it knows whether this
/// is a request that was answered before.
async fn prepared(
    app: &App,
    caller: Caller,
    id: i64,
    version: i64,
    now: Timestamp,
) -> ApiResult<Option<Prepared>> {
    let work = move |conn: &mut Conn| {
        let is = find_for(conn, &caller, Permission::WriteContent, id, now)?;
        let patch: ArticlePatch = restoring::patch(store::content(conn, id, version)?)?;
        let current = is.edits("").body;
        let body = patch.new_body(current.clone());
        Ok::<_, ApiError>(body.filter(|body| Some(body) != current.as_ref()))
    };
    match app.db.read(work).await {
        Ok(body) => app.renderer.prepare(body).await,
        Err(error) if matches!(error.code(), Code::NotFound | Code::Forbidden) => Ok(None),
        Err(error) => Err(error),
    }
}
