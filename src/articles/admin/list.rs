//! The list of articles, as their editors see it.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use utoipa::IntoParams;

use crate::app::App;
use crate::articles::handlers::{FilterParams, FilterQuery};
use crate::articles::lists::{self, Direction, ManagedFilter, ManagedSort};
use crate::articles::rules::Status;
use crate::articles::wire::ManagedArticleList;
use crate::auth::{Can, Permission, ReadContent};
use crate::error::{ApiError, ApiResult};
use crate::http::answer::managed;
use crate::http::paging::{Paging, PagingParams};
use crate::http::params::{FromParams, Params, Reader};
use crate::sections::{self, Reach};

/// The longest `q`, in characters.
const MAX_QUERY: usize = 200;

/// In which state, by whom, in which order.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ListQuery` reads")]
struct ListParams {
    /// Only in this state: `draft`, `in_review`, `scheduled`, `published`, `archived` or `trashed`.
    #[param(
        pattern = "^(draft|in_review|scheduled|published|archived|trashed)$",
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
