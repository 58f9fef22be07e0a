//! Articles, as their editors see them.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put};
use utoipa::IntoParams;

use crate::app::App;
use crate::auth::{Caller, Can, Needs, Permission, Publish, ReadContent, WriteContent};
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::answer::managed;
use crate::http::body::{Body, MergePatch, OptionalBody};
use crate::http::fields::{Check, Member, NoMembers, Object};
use crate::http::paging::{Paging, PagingParams};
use crate::http::params::{FromParams, Params, Reader};
use crate::http::precondition::{Conditional, IfMatch};
use crate::sections::{self, Reach};

use super::handlers::{FilterParams, FilterQuery};
use super::lists::{self, Direction, ManagedFilter, ManagedSort};
use super::rules::{Action, Status};
use super::store::{self, Stored, Writer};
use super::wire::{
    ArticleCreate, ArticlePatch, ArticlePut, Edits, ManagedArticle, ManagedArticleList,
    Publication, PublishInput, is_external_id,
};
use super::{ArticleId, find_for};

/// The longest `q`, in characters.
const MAX_QUERY: usize = 200;

/// In which state, by whom, in which order.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ListQuery` reads")]
struct ListParams {
    /// Only in this state: `draft`, `scheduled`, `published`, `archived` or `trashed`.
    #[param(
        pattern = "^(draft|scheduled|published|archived|trashed)$",
        example = "draft"
    )]
    status: Option<String>,
    /// Only made by this account: its id.
    #[param(minimum = 1, example = 1)]
    created_by: Option<i64>,
    /// Only with all of these words in the title; ASCII letters in any case.
    #[param(min_length = 1, max_length = 200, example = "港湾")]
    q: Option<String>,
    /// `published_at` (of drafts without one: when they were made), `updated_at`, `created_at` or
    /// `title` (Chinese by pinyin), each with `-` for descending.
    #[param(
        pattern = "^-?(published_at|updated_at|created_at|title)$",
        default = "-updated_at",
        example = "-updated_at"
    )]
    sort: Option<String>,
}

#[derive(Debug)]
pub struct ListQuery {
    filter: FilterQuery,
    status: Option<Status>,
    created_by: Option<i64>,
    words: Vec<String>,
    sort: ManagedSort,
    paging: Paging,
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let statuses = Status::ALL.map(|status| (status.as_str(), status));
        let sort = reader
            .choice("sort", ManagedSort::CHOICES)
            .unwrap_or(ManagedSort::UpdatedAt(Direction::Descending));
        Self {
            filter: FilterQuery::from_params(reader),
            status: reader.choice("status", &statuses),
            created_by: reader.integer("created_by", 1..=i64::MAX),
            words: reader
                .text_within("q", MAX_QUERY)
                .map(|text| text.split_whitespace().map(ToOwned::to_owned).collect())
                .unwrap_or_default(),
            paging: Paging::read(reader, sort.name(), true),
            sort,
        }
    }
}

/// List all articles
///
/// Articles in every state, without their bodies: those in sections that the caller works in; for an
/// author, those it made.
#[utoipa::path(
    tag = "manage articles", operation_id = "listManagedArticles",
    params(ListParams, FilterParams, PagingParams),
    responses((status = 200, description = "A page of articles", body = ManagedArticleList)),
)]
#[get("/v1/admin/articles")]
pub async fn list(
    caller: Can<ReadContent>,
    app: Data<App>,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let (query, zone, now) = (query.0, app.config.site.zone, app.clock.now());
    let (list, link) = app
        .db
        .read(move |conn| {
            let reach = Reach::load(conn, &caller.caller)?;
            let section_ids = match &query.filter.section {
                Some(reference) => {
                    let tree = sections::store::tree(conn)?;
                    let id = reach.filter(conn, &tree, "section", reference)?.id;
                    Some(if query.filter.subsections {
                        tree.subtree(id)
                    } else {
                        vec![id]
                    })
                }
                None => None,
            };
            let filter = ManagedFilter {
                shared: query.filter.filter(zone),
                section_ids,
                reach: reach.ids(),
                only_by: caller.caller.only_by(Permission::ReadContent),
                status: query.status,
                created_by: query.created_by,
                words: query.words,
            };
            let found = lists::managed_page_ids(conn, &filter, query.sort, &query.paging, now)?;
            let data = lists::managed_summaries(conn, &found.items, now)?;
            let (page, link) = query.paging.describe(&found);
            Ok::<_, ApiError>((ManagedArticleList { data, page }, link))
        })
        .await?;
    managed::list(&list, link)
}

/// What publishing is asked for in a body: absent and null are none.
fn checked_publication(
    check: &mut Check,
    caller: &Caller,
    asked: Member<Object<PublishInput>>,
) -> ApiResult<Option<Publication>> {
    let Some(asked) = asked.given() else {
        return Ok(None);
    };
    caller.check(Permission::Publish)?;
    Ok(Some(asked.0.checked(check, "/publish")))
}

/// Create an article
///
/// Made as a draft with a title, a section and what else is given; `publish` publishes it in the
/// same transaction. Without a slug, one is made from the title, Chinese by pinyin. HTML is
/// sanitised by an allow-list, Markdown is rendered and then sanitised; what was sent is kept.
#[utoipa::path(
    tag = "manage articles", operation_id = "createArticle",
    request_body(content = ArticleCreate, description = "The new article"),
    responses(
        (status = 201, description = "The article", body = ManagedArticle),
        (status = 409, description = "The slug or the external id is in use"),
    ),
)]
#[post("/v1/admin/articles")]
pub async fn create(
    caller: Can<WriteContent>,
    app: Data<App>,
    _: Params<()>,
    body: Body<ArticleCreate>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let mut body = body.0;
    let asked = std::mem::take(&mut body.publish);
    let mut edits = body.apply(&mut check, Edits::nothing(&app.config.site.locale));
    edits.prepared = app.renderer.prepare(edits.body.clone()).await?;
    let publication = checked_publication(&mut check, &caller.caller, asked)?;
    let now = app.clock.now();
    let stored = app
        .db
        .write(move |conn| {
            let caller = caller.again(conn, now)?;
            if publication.is_some() {
                caller.check(Permission::Publish)?;
            }
            let writer = Writer::new(conn, &caller, now)?;
            store::create(conn, edits, publication, &writer, check)
        })
        .await?;
    created(stored, now)
}

fn created(stored: Stored, now: crate::db::Timestamp) -> ApiResult<HttpResponse> {
    let article = lists::managed(stored, now);
    let location = format!("/v1/admin/articles/{}", article.id);
    managed::created(&article, article.version, &location)
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
    req: HttpRequest,
    id: ArticleId,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (id, now) = (id.0, app.clock.now());
    let stored = app
        .db
        .read(move |conn| find_for(conn, &caller.caller, Permission::ReadContent, id, now))
        .await?;
    let article = lists::managed(stored, now);
    // Time alone changes the status, so the version doesn't tell whether the client is up to date.
    let timed = article.published_at.is_some() || article.expires_at.is_some();
    if timed {
        managed::ok(&article, article.version)
    } else {
        managed::read(&req, &article, article.version)
    }
}

/// Change an article
///
/// JSON Merge Patch of its editable members; `status` changes only by actions. A change of a public
/// article is live at once, needs the publish permission and keeps publish's conditions.
#[utoipa::path(
    tag = "manage articles", operation_id = "updateArticle",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
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
    asked: Conditional,
    body: MergePatch<ArticlePatch>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match.required()?;
    let (id, now) = (id.0, app.clock.now());
    let locale = app.config.site.locale.clone();
    let body = body.0;
    let prepared = if body.has_body() {
        // Rendering takes time that would tell of what the caller must not know of.
        let asking = caller.caller.clone();
        let current = app
            .db
            .read(move |conn| find_for(conn, &asking, Permission::WriteContent, id, now))
            .await?;
        app.renderer
            .prepare(body.new_body(current.edits("").body))
            .await?
    } else {
        None
    };
    let stored = app
        .db
        .write(move |conn| {
            let caller = caller.again(conn, now)?;
            let was = find_for(conn, &caller, Permission::WriteContent, id, now)?;
            let mut check = Check::default();
            let before = was.edits(&locale);
            let mut edits = body.apply(&mut check, before.clone());
            edits.prepared = prepared;
            let moves_date = edits.published_at != before.published_at;
            if was.row.status_at(now).is_released() || moves_date {
                caller.check(Permission::Publish)?;
            }
            if_match.check(was.row.version)?;
            let writer = Writer::new(conn, &caller, now)?;
            store::update(conn, &was, edits, None, &writer, check)
        })
        .await?;
    answer(stored, now)
}

fn answer(stored: Stored, now: crate::db::Timestamp) -> ApiResult<HttpResponse> {
    let article = lists::managed(stored, now);
    managed::ok(&article, article.version)
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
        DeleteParams,
    ),
    responses(
        (status = 204, description = "Trashed or deleted"),
        (status = 409, description = "It is in the trash already, or, with `permanent=true`, isn't"),
    ),
)]
#[delete("/v1/admin/articles/{id}")]
pub async fn delete(
    caller: Can<WriteContent>,
    app: Data<App>,
    id: ArticleId,
    asked: Conditional<DeleteQuery>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match;
    let (id, now) = (id.0, app.clock.now());
    let permanent = asked.query.permanent;
    app.db
        .write(move |conn| {
            let caller = caller.again(conn, now)?;
            let was = find_for(conn, &caller, Permission::WriteContent, id, now)?;
            if permanent || was.row.status_at(now).is_released() {
                caller.check(Permission::Publish)?;
            }
            if_match.check(was.row.version)?;
            if permanent {
                store::delete(conn, &was, &caller.by(now))
            } else {
                store::take(conn, &was, Action::Trash, &caller.by(now)).map(drop)
            }
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Publish an article
///
/// Makes it public, now or at an instant ahead (`scheduled`). The first time the date is now if
/// none is given, later it stays. The article needs a body or `external_url`.
#[utoipa::path(
    tag = "manage articles", operation_id = "publishArticle",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    request_body(
        content = Option<PublishInput>,
        description = "From when on, and until when; may be left out",
    ),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is in the trash"),
    ),
)]
#[post("/v1/admin/articles/{id}/publish")]
pub async fn publish(
    caller: Can<Publish>,
    app: Data<App>,
    id: ArticleId,
    asked: Conditional,
    body: OptionalBody<PublishInput>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match;
    let (id, now) = (id.0, app.clock.now());
    let mut check = Check::default();
    let publication = body.0.checked(&mut check, "");
    check.finish()?;
    let stored = app
        .db
        .write(move |conn| {
            let caller = caller.again(conn, now)?;
            let was = find_for(conn, &caller, Permission::Publish, id, now)?;
            if_match.check(was.row.version)?;
            store::publish(conn, &was, publication, &caller.by(now))
        })
        .await?;
    answer(stored, now)
}

async fn take<P: Needs>(
    app: &App,
    caller: Can<P>,
    id: i64,
    if_match: IfMatch,
    action: Action,
) -> ApiResult<HttpResponse> {
    let now = app.clock.now();
    let stored = app
        .db
        .write(move |conn| {
            let caller = caller.again(conn, now)?;
            let was = find_for(conn, &caller, P::PERMISSION, id, now)?;
            if_match.check(was.row.version)?;
            store::take(conn, &was, action, &caller.by(now))
        })
        .await?;
    answer(stored, now)
}

/// Take an article back
///
/// A published article becomes `archived`, a scheduled one a draft again.
#[utoipa::path(
    tag = "manage articles", operation_id = "unpublishArticle",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is neither published nor scheduled"),
    ),
)]
#[post("/v1/admin/articles/{id}/unpublish")]
pub async fn unpublish(
    caller: Can<Publish>,
    app: Data<App>,
    id: ArticleId,
    asked: Conditional,
    _: OptionalBody<NoMembers>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match;
    take(&app, caller, id.0, if_match, Action::Unpublish).await
}

/// Take an article out of the trash
///
/// It becomes a draft.
#[utoipa::path(
    tag = "manage articles", operation_id = "restoreArticle",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is not in the trash"),
    ),
)]
#[post("/v1/admin/articles/{id}/restore")]
pub async fn restore(
    caller: Can<WriteContent>,
    app: Data<App>,
    id: ArticleId,
    asked: Conditional,
    _: OptionalBody<NoMembers>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match;
    take(&app, caller, id.0, if_match, Action::Restore).await
}

/// Create or replace an article of another system
///
/// For systems that push: creates the article with this external id (201), or replaces it (200);
/// members left out become null, but the slug stays. `publish` publishes it in the same
/// transaction.
#[utoipa::path(
    tag = "manage articles", operation_id = "putExternalArticle",
    params(("external_id" = String, Path, description = "The article's id in the other system", min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9._:~-]+$", example = "cms-2026-0131")),
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
    asked: Conditional,
    body: Body<ArticlePut>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match;
    let external_id = path.into_inner();
    if !is_external_id(&external_id) {
        return Err(ApiError::not_found(
            "external id: use 1 to 200 of A-Z, a-z, 0-9 and ._:~-",
        ));
    }
    let now = app.clock.now();
    let mut body = body.0;
    let mut check = Check::default();
    let asked = std::mem::take(&mut body.publish);
    if let Member::Given(given) = &body.external_id
        && *given != external_id
    {
        let detail = "must be the one in the path, or be left out";
        check.fault("/external_id", FaultCode::Conflicting, detail);
    }
    let mut edits = body.apply(&mut check, Edits::nothing(&app.config.site.locale));
    edits.prepared = app.renderer.prepare(edits.body.clone()).await?;
    let publication = checked_publication(&mut check, &caller.caller, asked)?;
    edits.external_id = Some(external_id.clone());
    let (is_new, stored) = app
        .db
        .write(move |conn| {
            let caller = caller.again(conn, now)?;
            if publication.is_some() {
                caller.check(Permission::Publish)?;
            }
            let writer = Writer::new(conn, &caller, now)?;
            let Some(id) = store::find_external(conn, &external_id)? else {
                if if_match != IfMatch::Absent {
                    let detail = "there is no article with this external id yet";
                    return Err(ApiError::new(Code::VersionMismatch, detail));
                }
                let stored = store::create(conn, edits, publication, &writer, check)?;
                return Ok((true, stored));
            };
            let was = match find_for(conn, &caller, Permission::WriteContent, id, now) {
                // To this caller it isn't there; but its name is taken.
                Err(error) if error.code() == Code::NotFound => {
                    return Err(store::external_id_taken(&external_id));
                }
                found => found?,
            };
            let status = was.row.status_at(now);
            if status.is_released() {
                caller.check(Permission::Publish)?;
            }
            if_match.check(was.row.version)?;
            if status == Status::Trashed {
                let detail = "the article is in the trash: restore or delete it first";
                return Err(ApiError::new(Code::InvalidTransition, detail));
            }
            // What is published, or was and is again, keeps its date unless it is given a new one.
            // So does all else where the caller may not give it one.
            let may_date = caller.check(Permission::Publish);
            let keeps_date = publication.is_some() || status.is_released() || may_date.is_err();
            if edits.published_at.is_none() && keeps_date {
                edits.published_at = was.row.published_at;
            }
            if edits.published_at != was.row.published_at {
                may_date?;
            }
            Ok((
                false,
                store::update(conn, &was, edits, publication, &writer, check)?,
            ))
        })
        .await?;
    if is_new {
        created(stored, now)
    } else {
        answer(stored, now)
    }
}
