//! Hits recorded and counts read, in delivery.

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Method;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use utoipa::IntoParams;

use crate::app::App;
use crate::articles;
use crate::articles::lists::{Filter, Include, public_among, summaries};
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::Delivery;
use crate::http::body::{Beacon, IDEMPOTENCY_KEY};
use crate::http::fields::{Check, Member, Object};
use crate::http::frame::routed_path;
use crate::http::params::{FromParams, Params, Reader};
use crate::http::reference::Ref;
use crate::sections;
use crate::visibility::{SITE, deliver_counted};

use super::rules::{Client, Outcome, Viewer, Visitor};
use super::store::{self, Ranking, Window};
use super::wire::{
    HitBatch, HitBatchItemResult, HitBatchResult, HitCount, HitCounts, HitInput, HitResult,
    ManagedHitBatchItem, SectionHitCount, TopArticle, TopList,
};
use super::{Ask, Hit, Recorded, Target, record, record_keyed};
use crate::writes::{Answer, Keyed};

/// The most views of one batch.
const MAX_BATCH: usize = 500;
/// The longest hit id, in characters.
const MAX_HIT_ID: usize = 64;
/// The longest name of a visitor, in characters.
const MAX_VISITOR: usize = 200;

fn check_client(check: &mut Check, pointer: &str, client: Member<String>) -> Option<Client> {
    let name = client.given()?;
    let client = Client::parse(&name);
    if client.is_none() {
        let detail = "must be web, h5, app, mini or other";
        check.fault(pointer, FaultCode::NotAllowed, detail);
    }
    client
}

/// Count a view
///
/// Records one view of a public article and answers once it is on disk. One view per visitor and
/// article counts in the window (30 minutes by default); a repeated `hit_id`, a crawler or a
/// prefetch is told as such and doesn't count. An address that sends too many is told `rejected`,
/// never 429. The body may be empty, or JSON sent as
/// `application/json` or `text/plain`, so that `navigator.sendBeacon` needs no preflight.
#[utoipa::path(
    tag = "hits", operation_id = "recordHit",
    params(("ref" = String, Path, description = "Id or slug of the article", max_length = 120, example = "12")),
    request_body(
        content((Option<HitInput> = "application/json"), (Option<HitInput> = "text/plain")),
        description = "Where it was viewed, and what the client calls it; may be left out",
    ),
    responses((status = 200, description = "What became of it, and the count with it", body = HitResult)),
)]
#[post("/v1/articles/{ref}/hits")]
pub async fn record_one(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    keyed: Keyed,
    body: Beacon<HitInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let client = check_client(&mut check, "/client", body.0.client);
    let hit_id = body
        .0
        .hit_id
        .given()
        .and_then(|id| check.required_line("/hit_id", Some(id), MAX_HIT_ID));
    let text = path.into_inner();
    let reference = Ref::parse(&text).ok_or_else(|| ApiError::not_found("article"))?;
    let hit = Hit {
        hit_id,
        client: client.unwrap_or(Client::Other),
        ..Hit::plain(reference.into())
    };
    if let Err(faults) = check.finish() {
        // What is not there is told before what is wrong with it.
        let now = app.clock.now();
        app.db
            .read(move |conn| articles::resolve_public_for_write(conn, &text, now))
            .await?;
        return Err(faults);
    }
    let viewer = Viewer::of(&req, &app.config.trusted_proxies);
    let ask = Ask::of(&app, vec![hit], viewer);
    record_keyed(&app, &keyed, None, Ok(ask), answer_one).await
}

/// What [`record_one`] makes of a hit that says nothing but which article it is of, as most hits are:
/// what every request goes through on its way to a handler would take longer than to record one. `None`
/// where there is more to the request.
pub fn record_plain(
    req: &ServiceRequest,
) -> Option<impl Future<Output = ApiResult<HttpResponse>> + use<>> {
    if req.method() != Method::POST {
        return None;
    }
    let (request, payload) = req.parts();
    let name = routed_path(request).strip_prefix("/v1/articles/")?;
    let target = Target::from(Ref::parse(name.strip_suffix("/hits")?)?);
    let is_plain = matches!(payload, Payload::None)
        && request.query_string().is_empty()
        && !request.headers().contains_key(&IDEMPOTENCY_KEY);
    let app = req.app_data::<Data<App>>().filter(|_| is_plain)?.clone();
    let viewer = Viewer::of(request, &app.config.trusted_proxies);
    let ask = Ask::of(&app, vec![Hit::plain(target)], viewer);
    Some(async move { Ok(answer_one(record(&app, ask).await?)?.send()) })
}

/// What became of the one hit, 404 where there is no such article.
fn answer_one(mut recorded: Vec<Recorded>) -> ApiResult<Answer> {
    match recorded.pop() {
        Some(recorded) if recorded.outcome != Outcome::NotFound => Answer::plain(&HitResult {
            article_id: recorded.article_id,
            result: recorded.outcome.as_str(),
            total: recorded.total,
            today: recorded.today,
        }),
        _ => Err(ApiError::not_found("article")),
    }
}

/// Count many views
///
/// Records up to 500 views, as an app collects them while there is no connection: all in one
/// transaction, answered once they are on disk, with one result each. Each needs a `hit_id`, so
/// that a batch that is sent again counts once. What an address sends too much of is `rejected` and
/// can be sent again.
#[utoipa::path(
    tag = "hits", operation_id = "recordHits",
    request_body(
        content((HitBatch = "application/json"), (HitBatch = "text/plain")),
        description = "The views",
    ),
    responses((status = 200, description = "What became of each", body = HitBatchResult)),
)]
#[post("/v1/hits")]
pub async fn record_many(
    app: Data<App>,
    req: HttpRequest,
    keyed: Keyed,
    body: Beacon<HitBatch>,
) -> ApiResult<HttpResponse> {
    let viewer = Viewer::of(&req, &app.config.trusted_proxies);
    let items = body.0.hits.map(|items| {
        let items = items.into_iter();
        items.map(|Object(item)| item.into()).collect()
    });
    let ask = checked_batch(items).map(|hits| Ask::of(&app, hits, viewer));
    record_keyed(&app, &keyed, None, ask, batch_answer).await
}

/// One result for each hit of a batch.
pub fn batch_answer(recorded: Vec<Recorded>) -> ApiResult<Answer> {
    let data = (0..)
        .zip(recorded)
        .map(|(index, recorded)| HitBatchItemResult {
            index,
            article_id: recorded.article_id,
            result: recorded.outcome.as_str(),
        });
    Answer::plain(&HitBatchResult {
        data: data.collect(),
    })
}

/// The hits of a batch: 422 with all faults, where there are any.
pub fn checked_batch(items: Option<Vec<ManagedHitBatchItem>>) -> ApiResult<Vec<Hit>> {
    let mut check = Check::default();
    let items = items.filter(|items| !items.is_empty());
    let items = check.required("/hits", items).unwrap_or_default();
    if items.len() > MAX_BATCH {
        let detail = format!("must have at most {MAX_BATCH} items");
        check.fault("/hits", FaultCode::TooMany, detail);
        check.finish()?;
        return Ok(Vec::new());
    }
    let mut hits = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        hits.extend(checked_item(&mut check, index, item));
    }
    check.finish()?;
    Ok(hits)
}

fn checked_item(check: &mut Check, index: usize, item: ManagedHitBatchItem) -> Option<Hit> {
    let at = |name: &str| format!("/hits/{index}/{name}");
    let article_id = check.required(&at("article_id"), item.article_id);
    let hit_id = check.required_line(&at("hit_id"), item.hit_id, MAX_HIT_ID);
    let instant = item.at.given();
    let instant = instant.and_then(|text| check.instant(&at("at"), &text));
    let client = check_client(check, &at("client"), item.client);
    let visitor = item.visitor.given();
    let visitor =
        visitor.and_then(|name| check.required_line(&at("visitor"), Some(name), MAX_VISITOR));
    Some(Hit {
        hit_id: Some(hit_id?),
        at: instant,
        client: client.unwrap_or(Client::Other),
        visitor: visitor.as_deref().map(Visitor::named),
        ..Hit::plain(Target::Id(article_id?))
    })
}

/// Read the count of an article
///
/// How often a public article was viewed. Includes every view that was answered before.
#[utoipa::path(
    tag = "hits", operation_id = "getArticleHits",
    params(("ref" = String, Path, description = "Id or slug of the article", max_length = 120, example = "12")),
    responses((status = 200, description = "The count", body = HitCount)),
)]
#[get("/v1/articles/{ref}/hits")]
pub async fn read_one(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (text, query) = (path.into_inner(), req.query_string().to_owned());
    let zone = app.config.site.zone;
    deliver_counted(&app, &req, move |conn, view| {
        let now = view.now;
        let id = articles::resolve_public(conn, &text, "/hits", &query, now)?;
        let count = store::counts(conn, &[id], zone.day(now))?.remove(&id);
        Delivery::json(&count.ok_or_else(|| ApiError::not_found("article"))?)
    })
    .await
}

/// Which articles.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `CountsQuery` reads")]
struct CountsParams {
    /// Ids of up to 100 articles, separated by commas.
    #[param(
        max_length = 1000,
        pattern = "^[1-9][0-9]{0,15}(,[1-9][0-9]{0,15}){0,99}$",
        example = "12,13"
    )]
    article_ids: String,
}

#[derive(Debug)]
pub struct CountsQuery {
    article_ids: Vec<i64>,
}

impl FromParams for CountsQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let given = reader.pairs().iter().any(|(name, _)| name == "article_ids");
        let article_ids = reader.ids("article_ids", 100);
        if !given {
            reader.fault("article_ids", FaultCode::Required, "is required");
        }
        Self {
            article_ids: article_ids.unwrap_or_default(),
        }
    }
}

/// Read many counts
///
/// The counts of up to 100 articles, in the order asked for. Those that are unknown or not public
/// are left out.
#[utoipa::path(
    tag = "hits", operation_id = "getHits", params(CountsParams),
    responses((status = 200, description = "The counts", body = HitCounts)),
)]
#[get("/v1/hits")]
pub async fn read_many(
    app: Data<App>,
    req: HttpRequest,
    query: Params<CountsQuery>,
) -> ApiResult<HttpResponse> {
    let (wanted, zone) = (query.0.article_ids, app.config.site.zone);
    deliver_counted(&app, &req, move |conn, view| {
        let now = view.now;
        let ids = public_among(conn, &wanted, now)?;
        let mut counts = store::counts(conn, &ids, zone.day(now))?;
        let data = ids.iter().filter_map(|id| counts.remove(id)).collect();
        Delivery::json(&HitCounts { data })
    })
    .await
}

/// Read the count of a section
///
/// How often the articles that stand in the section now, or below it, were viewed.
#[utoipa::path(
    tag = "hits", operation_id = "getSectionHits",
    params(("ref" = String, Path, description = "Id or slug of the section", max_length = 120, example = "news")),
    responses((status = 200, description = "The count", body = SectionHitCount)),
)]
#[get("/v1/sections/{ref}/hits")]
pub async fn of_section(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (text, query) = (path.into_inner(), req.query_string().to_owned());
    let zone = app.config.site.zone;
    deliver_counted(&app, &req, move |conn, view| {
        let (tree, now) = (view.tree(), view.now);
        let id = sections::resolve_shown(conn, tree, &text, "/hits", &query)?.id;
        let views = store::section_views(conn, id, zone.day(now), now)?;
        let (today, last_7_days, last_30_days) = views.windows;
        let count = SectionHitCount {
            section_id: id,
            total: views.total,
            today,
            last_7_days,
            last_30_days,
            as_of: views.last_at,
        };
        Delivery::json(&count)
    })
    .await
}

const WINDOWS: &[(&str, Window)] = &[
    ("today", Window::Today),
    ("last_7_days", Window::Week),
    ("last_30_days", Window::Month),
    ("all", Window::All),
];

/// Over which time, where, and how many.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `TopQuery` reads")]
struct TopParams {
    /// `today`, `last_7_days` (today and the 6 days before), `last_30_days` or `all`.
    #[param(
        pattern = "^(today|last_7_days|last_30_days|all)$",
        default = "last_7_days",
        example = "last_30_days"
    )]
    window: Option<String>,
    /// Only articles in this section and below it: its id or slug.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$",
        example = "news"
    )]
    section: Option<String>,
    /// The most articles to return.
    #[param(minimum = 1, maximum = 100, default = 20, example = 10)]
    limit: Option<i64>,
}

#[derive(Debug)]
pub struct TopQuery {
    window: Window,
    section: Option<Ref>,
    limit: i64,
}

impl FromParams for TopQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            window: reader.choice_or("window", WINDOWS, Window::Week),
            section: sections::read_reference(reader, "section"),
            limit: reader.integer_or("limit", 1..=100, 20),
        }
    }
}

/// Rank the articles by views
///
/// The most viewed public articles of a window of the site's days, of a section and below it or of
/// the whole site. Among equals the one made later is first; articles without a view are left out.
#[utoipa::path(
    tag = "hits", operation_id = "listTopArticles", params(TopParams),
    responses((status = 200, description = "The ranking", body = TopList)),
)]
#[get("/v1/hits/top")]
pub async fn top(
    app: Data<App>,
    req: HttpRequest,
    query: Params<TopQuery>,
) -> ApiResult<HttpResponse> {
    let (query, site) = (query.0, app.config.site.clone());
    deliver_counted(&app, &req, move |conn, view| {
        let (tree, now) = (view.tree(), view.now);
        let section = section_of(conn, tree, query.section.as_ref())?;
        let today = site.zone.day(now);
        let filter = Filter {
            section: Some(section).filter(|id| *id != SITE),
            ..Filter::default()
        };
        let ranking = Ranking {
            filter: &filter,
            window: query.window,
            today,
            now,
        };
        let ranked = ranking.best(conn, usize::try_from(query.limit).unwrap_or(0))?;
        let ids: Vec<i64> = ranked.iter().map(|(_, id)| *id).collect();
        let articles = summaries(conn, &ids, tree, &site, Include::default())?;
        let as_of = store::last_of(conn, &ids)?;
        let data = (1..).zip(ranked).zip(articles);
        let data = data
            .map(|((rank, (hits, _)), article)| TopArticle {
                rank,
                hits,
                article,
            })
            .collect();
        Delivery::json(&TopList { data, as_of })
    })
    .await
}

/// The section that a ranking or series is of: the site where none is named.
pub fn section_of(
    conn: &mut Conn,
    tree: &sections::Tree,
    reference: Option<&Ref>,
) -> ApiResult<i64> {
    match reference {
        Some(reference) => Ok(sections::shown_filter(conn, tree, reference)?.id),
        None => Ok(SITE),
    }
}
