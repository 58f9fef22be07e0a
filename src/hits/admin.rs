//! Hit counts with their ledgers, in management.

use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, delete, get, post, put};
use utoipa::IntoParams;

use crate::app::App;
use crate::articles::{self, ArticleId};
use crate::auth::{Caller, Can, Extent, Permission, ReadHits, WriteHits};
use crate::changes;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::answer::managed;
use crate::http::body::Body;
use crate::http::fields::Check;
use crate::http::paging::{PagesOnlyParams, Paging};
use crate::http::params::{FromParams, Params, Reader};
use crate::http::reference::Ref;
use crate::sections::{self, Reach};
use crate::slugs::Resource;
use crate::writes::{Answer, Keyed, Owner};

use super::store::{self, Among, Correction, ManagedSort, Refusal};
use super::wire::{BaselineInput, ManagedHitCount, ManagedHitList, ResetInput};

/// The most that an older system may have counted.
const MAX_BASELINE: i64 = 1_000_000_000_000;
const MAX_REASON: usize = 500;

const SORTS: &[(&str, ManagedSort)] = &[
    ("hits", ManagedSort::LeastViewed),
    ("-hits", ManagedSort::MostViewed),
    ("id", ManagedSort::ArticleId),
];

/// Which articles, in which order.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ListQuery` reads")]
struct ListParams {
    /// Only articles in this section and below it: its id or slug.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$",
        example = "news"
    )]
    section: Option<String>,
    /// `-hits` (the most viewed first), `hits` or `id`.
    #[param(pattern = "^(-?hits|id)$", default = "-hits", example = "-hits")]
    sort: Option<String>,
}

#[derive(Debug)]
pub struct ListQuery {
    section: Option<Ref>,
    sort: ManagedSort,
    paging: Paging,
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let sort = reader
            .choice("sort", SORTS)
            .unwrap_or(ManagedSort::MostViewed);
        Self {
            section: sections::read_reference(reader, "section"),
            sort,
            paging: Paging::read(reader, "hits", false),
        }
    }
}

/// List counts with their ledgers
///
/// The counts of all articles that the caller works with, in every state, those never viewed too.
#[utoipa::path(
    tag = "manage hits", operation_id = "listManagedHits", params(ListParams, PagesOnlyParams),
    responses((status = 200, description = "A page of counts", body = ManagedHitList)),
)]
#[get("/v1/admin/hits")]
pub async fn list(
    caller: Can<ReadHits>,
    app: Data<App>,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let query = query.0;
    let today = app.config.site.zone.day(app.clock.now());
    // The order is that of the ledger, so it should have everything.
    app.hits.fold(&app).await?;
    let (list, link) = app
        .db
        .read(move |conn| {
            let reach = Reach::load(conn, &caller.caller)?;
            let wanted = match &query.section {
                Some(reference) => {
                    let tree = sections::store::tree(conn)?;
                    let id = reach.filter(conn, &tree, "section", reference)?.id;
                    Some(tree.subtree(id))
                }
                None => None,
            };
            let among = Among {
                section_ids: reach.narrow(wanted),
                only_by: caller.caller.only_by(Permission::ReadHits),
            };
            let found = store::managed_page_ids(conn, &among, query.sort, &query.paging)?;
            let mut ledgers = store::ledgers(conn, &found.items, today)?;
            let data = found
                .items
                .iter()
                .filter_map(|id| ledgers.remove(id))
                .collect();
            let (page, link) = query.paging.describe(&found);
            Ok::<_, ApiError>((ManagedHitList { data, page }, link))
        })
        .await?;
    managed::list(&list, link)
}

/// The ledger of an article that exists, in whatever state.
fn ledger(conn: &mut Conn, id: i64, app: &App, now: Timestamp) -> ApiResult<ManagedHitCount> {
    let today = app.config.site.zone.day(now);
    let found = store::ledgers(conn, &[id], today)?.remove(&id);
    found.ok_or_else(|| ApiError::not_found("article"))
}

/// Read a count with its ledger
///
/// The count of one article in any state; those who see all articles see it of deleted ones, too.
/// `total = baseline + counted + adjusted` and
/// `received = counted + duplicate + bot + rejected`.
#[utoipa::path(
    tag = "manage hits", operation_id = "getManagedHits",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    responses((status = 200, description = "The count", body = ManagedHitCount)),
)]
#[get("/v1/admin/articles/{id}/hits")]
pub async fn read(
    caller: Can<ReadHits>,
    app: Data<App>,
    id: ArticleId,
    _: Params<()>,
) -> ApiResult<Json<ManagedHitCount>> {
    let id = id.0;
    let shared = app.clone();
    app.db
        .read(move |conn| {
            let now = shared.clock.now();
            match articles::find_for(conn, &caller.caller, Permission::ReadHits, id, now) {
                Err(error) if is_ledger_of_deleted(conn, &caller.caller, &error, id)? => {}
                found => drop(found?),
            }
            ledger(conn, id, &shared, now)
        })
        .await
        .map(Json)
}

/// Whether the article that was not found was deleted, and its ledger, which stays, is the caller's to
/// see: nobody knows any more where it stood, so that takes one who sees all.
fn is_ledger_of_deleted(
    conn: &mut Conn,
    caller: &Caller,
    error: &ApiError,
    id: i64,
) -> ApiResult<bool> {
    let sees_all = caller.sections.is_none() && caller.extent(Permission::ReadHits) == Extent::All;
    Ok(error.code() == Code::NotFound && sees_all && changes::knows(conn, Resource::Article, id)?)
}

/// A correction of an article's count, and why.
struct Corrected {
    id: i64,
    correction: Correction,
    reason: Option<String>,
}

impl Corrected {
    /// Makes it in this transaction.
    fn make(
        self,
        conn: &mut Conn,
        app: &App,
        caller: &Can<WriteHits>,
    ) -> ApiResult<ManagedHitCount> {
        let (id, now) = (self.id, app.clock.now());
        let caller = caller.again(conn, now)?;
        articles::find_for(conn, &caller, Permission::WriteHits, id, now)?;
        let reason = self.reason.as_deref();
        let zone = app.config.site.zone;
        match store::correct(conn, id, self.correction, reason, zone, &caller.by(now))? {
            Ok(()) => ledger(conn, id, app, now),
            Err(Refusal::BelowZero(total)) => Err(below_zero(self.correction, total)),
        }
    }
}

/// 422: no count is below zero.
fn below_zero(correction: Correction, total: i64) -> ApiError {
    let pointer = match correction {
        Correction::Baseline(_) => "/baseline",
        Correction::Adjust(_) | Correction::Reset => "/delta",
    };
    let detail = format!("would make the total negative: it is {total}");
    ApiError::invalid(pointer, FaultCode::OutOfRange, detail)
}

async fn correct(
    app: Data<App>,
    caller: Can<WriteHits>,
    corrected: Corrected,
) -> ApiResult<ManagedHitCount> {
    let shared = app.clone();
    app.db
        .write(move |conn| corrected.make(conn, &shared, &caller))
        .await
}

/// Set the baseline of a count
///
/// What an older system had counted; kept apart from what was counted here, with the reason in the
/// ledger.
#[utoipa::path(
    tag = "manage hits", operation_id = "setHitBaseline",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    request_body(content = BaselineInput, description = "The baseline, and why"),
    responses((status = 200, description = "The count", body = ManagedHitCount)),
)]
#[put("/v1/admin/articles/{id}/hits")]
pub async fn set_baseline(
    caller: Can<WriteHits>,
    app: Data<App>,
    id: ArticleId,
    _: Params<()>,
    body: Body<BaselineInput>,
) -> ApiResult<Json<ManagedHitCount>> {
    let id = id.0;
    let mut check = Check::default();
    let baseline = check
        .required("/baseline", body.0.baseline)
        .and_then(|n| check.number("/baseline", n, 0, MAX_BASELINE));
    let reason = check.required_line("/reason", body.0.reason, MAX_REASON);
    check.finish()?;
    let corrected = Corrected {
        id,
        correction: Correction::Baseline(baseline.unwrap_or_default()),
        reason,
    };
    correct(app, caller, corrected).await.map(Json)
}

/// Reset a count
///
/// Back to zero, days and baseline too, with the reason in the ledger. What was received stays
/// told.
#[utoipa::path(
    tag = "manage hits", operation_id = "resetHits",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    request_body(content = ResetInput, description = "Why"),
    responses((status = 200, description = "The count", body = ManagedHitCount)),
)]
#[post("/v1/admin/articles/{id}/hits/reset")]
pub async fn reset(
    caller: Can<WriteHits>,
    app: Data<App>,
    id: ArticleId,
    keyed: Keyed,
    body: Body<ResetInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let reason = check.required_line("/reason", body.0.reason, MAX_REASON);
    let corrected = Corrected {
        id: id.0,
        correction: Correction::Reset,
        reason,
    };
    let (shared, owner) = (app.clone(), Owner::of(&caller.caller));
    let work = move |conn: &mut Conn| {
        check.finish()?;
        Answer::plain(&corrected.make(conn, &shared, &caller)?)
    };
    keyed.run(&app, owner, work).await
}

/// Reset a count without a reason
///
/// Back to zero, days and baseline too.
#[utoipa::path(
    tag = "manage hits", operation_id = "deleteHits",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    responses((status = 204, description = "The count is zero")),
)]
#[delete("/v1/admin/articles/{id}/hits")]
pub async fn delete(
    caller: Can<WriteHits>,
    app: Data<App>,
    id: ArticleId,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let corrected = Corrected {
        id: id.0,
        correction: Correction::Reset,
        reason: None,
    };
    correct(app, caller, corrected).await?;
    Ok(HttpResponse::NoContent().finish())
}
