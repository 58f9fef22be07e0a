//! Counts listed and read.

use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, get};
use utoipa::IntoParams;

use crate::app::App;
use crate::articles::{self, ArticleId};
use crate::auth::{Caller, Can, Extent, Permission, ReadHits};
use crate::changes;
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, Code};
use crate::hits::store::{self, Among, ManagedSort};
use crate::hits::wire::{ManagedHitCount, ManagedHitList};
use crate::http::answer::managed;
use crate::http::paging::{PagesOnlyParams, Paging};
use crate::http::params::{FromParams, Params, Reader};
use crate::http::reference::Ref;
use crate::sections::{self, Reach};
use crate::slugs::Resource;

use super::ledger;

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
