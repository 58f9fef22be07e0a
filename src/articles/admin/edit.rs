//! An article is made, read, changed and deleted.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, patch, post};
use utoipa::IntoParams;

use super::{checked_publication, checked_released, checked_update, created, saved};
use crate::app::App;
use crate::articles::rules::Action;
use crate::articles::store::{self, Writer};
use crate::articles::wire::{ArticleCreate, ArticlePatch, Edits, ManagedArticle};
use crate::articles::{ArticleId, find_for, lists};
use crate::auth::{Can, Permission, ReadContent, WriteContent};
use crate::db::Conn;
use crate::error::ApiResult;
use crate::http::answer::managed;
use crate::http::body::{Body, MergePatch};
use crate::http::fields::Check;
use crate::http::params::{FromParams, Params, Reader};
use crate::writes::{Answer, Asked, DryRunParams};

/// Create an article
///
/// Made as a draft with a title, a section and what else is given; `publish` publishes it in the
/// same transaction. Without a slug, one is made from the title, Chinese by pinyin. HTML is
/// sanitised by an allow-list, Markdown is rendered and then sanitised; what was sent is kept.
#[utoipa::path(
    tag = "manage articles", operation_id = "createArticle",
    params(DryRunParams),
    request_body(content = ArticleCreate, description = "The new article"),
    responses(
        (status = 200, description = "The article as it would be (dry run)", body = ManagedArticle),
        (status = 201, description = "The article", body = ManagedArticle),
        (status = 409, description = "The slug or the external id is in use"),
    ),
)]
#[post("/v1/admin/articles")]
pub async fn create(
    caller: Can<WriteContent>,
    app: Data<App>,
    asked: Asked,
    body: Body<ArticleCreate>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let mut body = body.0;
    let publish = std::mem::take(&mut body.publish);
    let note = body.take_note(&mut check);
    let mut edits = body.apply(&mut check, Edits::nothing(&app.config.site.locale));
    edits.prepared = app.renderer.prepare(edits.body.clone()).await?;
    let publication = checked_publication(&mut check, &caller.caller, publish)?;
    let (asking, now) = (caller.caller.clone(), app.clock.now());
    let shared = app.clone();
    let work = move |conn: &mut Conn| {
        let caller = caller.again(conn, now)?;
        if publication.is_some() {
            caller.check(Permission::Publish)?;
        }
        let writer = Writer::new(conn, caller, &shared, now)?.noting(note);
        created(
            store::create(conn, edits, publication, &writer, check)?,
            now,
        )
    };
    asked.add(&app, &asking, work).await
}

/// Read an article in management
///
/// One article in any state, with the body as its author wrote it. Its `ETag` is the version for
/// `If-Match`.
#[utoipa::path(
    tag = "manage articles", operation_id = "getManagedArticle",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    responses((status = 200, description = "The article", body = ManagedArticle)),
)]
#[get("/v1/admin/articles/{id}")]
pub async fn read(
    caller: Can<ReadContent>,
    app: Data<App>,
    id: ArticleId,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (id, now) = (id.0, app.clock.now());
    let stored = app
        .db
        .read(move |conn| find_for(conn, &caller.caller, Permission::ReadContent, id, now))
        .await?;
    // Time changes the status and others the position and what is related, so the version doesn't
    // tell whether the client is up to date: this is never 304.
    let article = lists::managed(stored, now);
    managed::ok(&article, article.version)
}

/// Change an article
///
/// JSON Merge Patch of its editable members; `status` changes only by actions. A change of a public
/// article is live at once, needs the publish permission and keeps publish's conditions.
#[utoipa::path(
    tag = "manage articles", operation_id = "updateArticle",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        DryRunParams,
    ),
    request_body(
        content(
            (ArticlePatch = "application/merge-patch+json"),
            (ArticlePatch = "application/json"),
        ),
        description = "What is to change",
    ),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "The slug or the external id is in use"),
    ),
)]
#[patch("/v1/admin/articles/{id}")]
pub async fn patch(
    caller: Can<WriteContent>,
    app: Data<App>,
    id: ArticleId,
    asked: Asked,
    body: MergePatch<ArticlePatch>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match.clone().required()?;
    let (id, now) = (id.0, app.clock.now());
    let locale = app.config.site.locale.clone();
    let (asking, mut body) = (caller.caller.clone(), body.0);
    let prepared = if body.has_body() {
        // Rendering takes time that would tell of what the caller must not know of.
        let reader = asking.clone();
        let current = app
            .db
            .read(move |conn| find_for(conn, &reader, Permission::WriteContent, id, now))
            .await?;
        app.renderer
            .prepare(body.new_body(current.edits("").body))
            .await?
    } else {
        None
    };
    let shared = app.clone();
    let work = move |conn: &mut Conn| {
        let caller = caller.again(conn, now)?;
        let writer = Writer::new(conn, caller, &shared, now)?;
        let was = writer.find(conn, Permission::WriteContent, id)?;
        let mut check = Check::default();
        let writer = writer.noting(body.take_note(&mut check));
        let mut edits = body.apply(&mut check, was.edits(&locale));
        edits.prepared = prepared;
        checked_update(&writer, &was, &edits)?;
        if_match.check(was.row.version)?;
        saved(store::update(conn, &was, edits, None, &writer, check)?, now)
    };
    asked.write(&app, &asking, work).await
}

/// Whether for good.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `DeleteQuery` reads")]
struct DeleteParams {
    /// `true`: delete what is in the trash for good.
    #[param(default = false)]
    permanent: Option<bool>,
}

#[derive(Debug)]
pub struct DeleteQuery {
    permanent: bool,
}

impl FromParams for DeleteQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            permanent: reader.boolean("permanent").unwrap_or(false),
        }
    }
}

/// Trash an article, or delete it for good
///
/// Puts the article into the trash, out of readers' sight. With `permanent=true` deletes what is
/// in the trash for good; its id is never used again.
#[utoipa::path(
    tag = "manage articles", operation_id = "deleteArticle",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        DeleteParams, DryRunParams,
    ),
    responses(
        (status = 200, description = "The article as it would be left, or as it would go (dry run)", body = ManagedArticle),
        (status = 204, description = "Trashed or deleted"),
        (status = 409, description = "It is in the trash already, or, with `permanent=true`, isn't"),
    ),
)]
#[delete("/v1/admin/articles/{id}")]
pub async fn delete(
    caller: Can<WriteContent>,
    app: Data<App>,
    id: ArticleId,
    asked: Asked<DeleteQuery>,
) -> ApiResult<HttpResponse> {
    let (id, now) = (id.0, app.clock.now());
    let (if_match, permanent) = (asked.if_match.clone(), asked.query.permanent);
    let asking = caller.caller.clone();
    let shared = app.clone();
    let work = move |conn: &mut Conn| {
        let caller = caller.again(conn, now)?;
        let writer = Writer::new(conn, caller, &shared, now)?;
        let was = writer.find(conn, Permission::WriteContent, id)?;
        if permanent {
            writer.check(Permission::Publish)?;
        }
        checked_released(&writer, &was)?;
        if_match.check(was.row.version)?;
        let shown = if permanent {
            store::delete(conn, &was, &writer.act)?;
            was
        } else {
            store::take(conn, &was, Action::Trash, &writer.act)?
        };
        Answer::gone(&lists::managed(shown, now))
    };
    asked.write(&app, &asking, work).await
}
