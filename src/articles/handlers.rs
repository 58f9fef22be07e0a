//! Articles, as readers see them.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::clock::SiteZone;
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::Delivery;
use crate::http::keys::{Key, Keys};
use crate::http::paging::{Found, Paging, PagingParams, Place, foreign_cursor};
use crate::http::params::{DayOrInstant, FromParams, Params, Reader};
use crate::http::reference::Ref;
use crate::sections::{self, Tree};
use crate::view::View;
use crate::visibility::{deliver, deliver_counted};

use super::lists::{self, Direction, Filter, Include, Sort};
use super::resolve_public;
use super::wire::{Archive, Article, ArticleList, ArticleSummary, Neighbors, TagList};

/// What articles are filtered by.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `FilterQuery` reads")]
pub struct FilterParams {
    /// Only articles in this section, by `also_in` too: its id or slug.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$",
        example = "news"
    )]
    section: Option<String>,
    /// Whether those below it are meant, too.
    #[param(default = true)]
    subsections: Option<bool>,
    /// Only with this tag.
    #[param(min_length = 1, max_length = 1000, example = "海洋")]
    tag: Option<String>,
    /// Only with this key word.
    #[param(min_length = 1, max_length = 1000)]
    keyword: Option<String>,
    /// Only from the source of this name.
    #[param(min_length = 1, max_length = 1000)]
    source: Option<String>,
    /// Only by this author.
    #[param(min_length = 1, max_length = 1000)]
    author: Option<String>,
    /// Only in this language (BCP 47).
    #[param(
        max_length = 1000,
        pattern = "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$",
        example = "zh-CN"
    )]
    lang: Option<String>,
    /// Only featured ones, or only others.
    featured: Option<bool>,
    /// Only those that are pinned now, or only others.
    pinned: Option<bool>,
    /// Published at this instant (RFC 3339) or on this day (`YYYY-MM-DD`, the site's) or later.
    #[param(
        pattern = r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$",
        example = "2026-01-01"
    )]
    published_from: Option<String>,
    /// Published before this instant, or on this day or earlier.
    #[param(
        pattern = r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$",
        example = "2026-12-31"
    )]
    published_to: Option<String>,
    /// Only these: up to 100 ids separated by commas. Unknown ones are left out.
    #[param(
        max_length = 1000,
        pattern = "^[1-9][0-9]{0,15}(,[1-9][0-9]{0,15}){0,99}$"
    )]
    ids: Option<String>,
}

/// What a request filters articles by.
#[derive(Debug)]
pub struct FilterQuery {
    /// The section, before it is looked up.
    pub section: Option<Ref>,
    /// Whether those below it are meant, too.
    pub subsections: bool,
    filter: Filter,
    from: Option<DayOrInstant>,
    to: Option<DayOrInstant>,
}

impl FromParams for FilterQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let lang = reader.text("lang").map(|text| {
            crate::http::fields::canonical_language(&text).unwrap_or_else(|| {
                reader.fault(
                    "lang",
                    FaultCode::Invalid,
                    "must be a language tag (BCP 47)",
                );
                text
            })
        });
        let filter = Filter {
            tag: reader.text("tag"),
            keyword: reader.text("keyword"),
            source: reader.text("source"),
            author: reader.text("author"),
            lang,
            featured: reader.boolean("featured"),
            pinned: reader.boolean("pinned"),
            ids: reader.ids("ids", 100),
            ..Filter::default()
        };
        Self {
            section: sections::read_reference(reader, "section"),
            subsections: reader.boolean_or("subsections", true),
            from: reader.day_or_instant("published_from"),
            to: reader.day_or_instant("published_to"),
            filter,
        }
    }
}

impl FilterQuery {
    /// The filter in the site's zone, without its section.
    pub fn filter(&self, zone: SiteZone) -> Filter {
        Filter {
            direct: self.section.is_some() && !self.subsections,
            published_from: self.from.map(|bound| bound.lower(zone)),
            published_before: self.to.map(|bound| bound.upper(zone)),
            ..self.filter.clone()
        }
    }
}

/// What comes with each article, and in which order.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ListQuery` reads")]
struct ListParams {
    /// `body`, `hits` or both, separated by a comma.
    #[param(pattern = "^(body|hits)(,(body|hits))*$", example = "hits")]
    include: Option<String>,
    /// `published_at`, `updated_at` or `title` (Chinese by pinyin), each with `-` for descending;
    /// or `section_order`: pinned in that very section first, then by manual position, then the
    /// newest, by pages only. Default `section_order` with `section`, else `-published_at`.
    #[param(
        pattern = "^(-?published_at|-?updated_at|-?title|section_order)$",
        example = "-published_at"
    )]
    sort: Option<String>,
}

#[derive(Debug)]
pub struct ListQuery {
    filter: FilterQuery,
    include: Include,
    sort: Sort,
    paging: Paging,
}

/// The values of `include`.
fn read_include(reader: &mut Reader, with_body: bool) -> Include {
    #[derive(Clone, Copy, PartialEq)]
    enum Part {
        Body,
        Hits,
    }
    let choices: &[(&str, Part)] = if with_body {
        &[("body", Part::Body), ("hits", Part::Hits)]
    } else {
        &[("hits", Part::Hits)]
    };
    let parts = reader.choices("include", choices);
    Include {
        body: parts.contains(&Part::Body),
        hits: parts.contains(&Part::Hits),
    }
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let filter = FilterQuery::from_params(reader);
        let default = match filter.section {
            Some(_) => Sort::SectionOrder,
            None => Sort::PublishedAt(Direction::Descending),
        };
        let sort = reader.choice_or("sort", Sort::CHOICES, default);
        if sort == Sort::SectionOrder && filter.section.is_none() {
            reader.fault(
                "sort",
                FaultCode::Conflicting,
                "section_order needs section",
            );
        }
        Self {
            include: read_include(reader, true),
            paging: Paging::read(reader, sort.name(), sort.has_cursor()),
            filter,
            sort,
        }
    }
}

/// List articles
///
/// Public articles, filtered, sorted and paged. Counts (`include=hits`) are as of the answer.
#[utoipa::path(
    tag = "articles", operation_id = "listArticles",
    params(FilterParams, ListParams, PagingParams),
    responses((status = 200, description = "A page of articles", body = ArticleList)),
)]
#[get("/v1/articles")]
pub async fn list(
    app: Data<App>,
    req: HttpRequest,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let (query, site) = (query.0, app.config.site.clone());
    let policy = app.config.cache_list;
    let by_views = query.sort.is_by_views();
    let work = move |conn: &mut Conn, view: &View| {
        let tree = view.tree();
        let section = match &query.filter.section {
            Some(reference) => Some(sections::shown_filter(conn, tree, reference)?.id),
            None => None,
        };
        let filter = Filter {
            section,
            ..query.filter.filter(site.zone)
        };
        let at = (site.zone.day(view.now), view);
        let found = lists::page_ids(conn, &filter, query.sort, &query.paging, at)?;
        let data = lists::summaries(conn, &found.items, tree, &site, query.include)?;
        let (page, link) = query.paging.describe(&found);
        let keys = Keys::of_list(section).and(data.iter().flat_map(ArticleSummary::keys));
        let delivery = Delivery::json(&ArticleList { data, page })?;
        let delivery = delivery.linked(link).keyed(keys);
        Ok(delivery.with_counts(query.include.hits))
    };
    if by_views {
        deliver_counted(&app, &req, work).await
    } else {
        deliver(&app, &req, policy, work).await
    }
}

/// What comes with the article.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ReadQuery` reads")]
struct ReadParams {
    /// `hits`: with its count.
    #[param(pattern = "^hits$", example = "hits")]
    include: Option<String>,
}

#[derive(Debug)]
pub struct ReadQuery {
    include: Include,
}

impl FromParams for ReadQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            include: read_include(reader, false),
        }
    }
}

/// Read an article
///
/// One public article with all that its page shows, by id or slug. An old slug is answered with
/// 308 to the live one.
#[utoipa::path(
    tag = "articles", operation_id = "getArticle",
    params(
        ("ref" = String, Path, description = "Id or slug of the article", max_length = 120, example = "12"),
        ReadParams,
    ),
    responses((status = 200, description = "The article", body = Article)),
)]
#[get("/v1/articles/{ref}")]
pub async fn read(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    query: Params<ReadQuery>,
) -> ApiResult<HttpResponse> {
    let (text, raw) = (path.into_inner(), req.query_string().to_owned());
    let (site, include) = (app.config.site.clone(), query.0.include);
    let policy = app.config.cache_article;
    let work = move |conn: &mut Conn, view: &View| {
        let article = super::read_public(conn, &text, &raw, view, &site, include.hits)?;
        let delivery = Delivery::json(&article)?
            .modified(article.updated_at)
            .of_article(article.id, article.expires_at)
            .keyed(article.keys());
        Ok(delivery.with_counts(include.hits))
    };
    deliver(&app, &req, policy, work).await
}

/// Read the articles before and after
///
/// `previous` was published just before the article in its section, `next` just after.
#[utoipa::path(
    tag = "articles", operation_id = "getArticleNeighbors",
    params(("ref" = String, Path, description = "Id or slug of the article", max_length = 120, example = "12")),
    responses((status = 200, description = "Both neighbours, null where there is none", body = Neighbors)),
)]
#[get("/v1/articles/{ref}/neighbors")]
pub async fn neighbors(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (text, raw) = (path.into_inner(), req.query_string().to_owned());
    let site = app.config.site.clone();
    deliver(&app, &req, app.config.cache_article, move |conn, view| {
        let (tree, now) = (view.tree(), view.now);
        let id = resolve_public(conn, &text, "/neighbors", &raw, now)?;
        let (section, [previous, next]) = lists::neighbors(conn, id, now)?;
        let ids: Vec<i64> = [previous, next].into_iter().flatten().collect();
        let found = lists::summaries(conn, &ids, tree, &site, Include::default())?;
        let pick = |wanted: Option<i64>| found.iter().find(|a| Some(a.id) == wanted).cloned();
        let keys = Keys::of_list(Some(section)).and([Key::Article(id)]);
        let keys = keys.and(found.iter().flat_map(ArticleSummary::keys));
        let delivery = Delivery::json(&Neighbors {
            previous: pick(previous),
            next: pick(next),
        })?;
        Ok(delivery.keyed(keys))
    })
    .await
}

#[derive(Debug)]
pub struct RelatedQuery {
    paging: Paging,
}

impl FromParams for RelatedQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            paging: Paging::read(reader, "related", true),
        }
    }
}

/// List related articles
///
/// Those that were set by hand first, then those that share most tags and key words with the article,
/// then the newest of its section; 100 at most.
#[utoipa::path(
    tag = "articles", operation_id = "listRelatedArticles",
    params(
        ("ref" = String, Path, description = "Id or slug of the article", max_length = 120, example = "12"),
        PagingParams,
    ),
    responses((status = 200, description = "A page of articles", body = ArticleList)),
)]
#[get("/v1/articles/{ref}/related")]
pub async fn related(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    query: Params<RelatedQuery>,
) -> ApiResult<HttpResponse> {
    let (text, raw) = (path.into_inner(), req.query_string().to_owned());
    let (site, paging) = (app.config.site.clone(), query.0.paging);
    deliver(&app, &req, app.config.cache_list, move |conn, view| {
        let (tree, now) = (view.tree(), view.now);
        let id = resolve_public(conn, &text, "/related", &raw, now)?;
        let found = cut(lists::related(conn, id, now)?, &paging)?;
        let data = lists::summaries(conn, &found.items, tree, &site, Include::default())?;
        let (page, link) = paging.describe(&found);
        // Whatever is new in the site may share its tags.
        let keys = Keys::of_list(None).and([Key::Article(id)]);
        let keys = keys.and(data.iter().flat_map(ArticleSummary::keys));
        let delivery = Delivery::json(&ArticleList { data, page })?;
        Ok(delivery.linked(link).keyed(keys))
    })
    .await
}

/// A page out of a list that is whole in memory. The cursor's key is the item's place in it.
fn cut(all: Vec<i64>, paging: &Paging) -> ApiResult<Found<i64>> {
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let offset = match &paging.place {
        Place::Page(_) => usize::try_from(paging.offset()).unwrap_or(usize::MAX),
        Place::After(cursor) => {
            let stood: i64 = cursor.key.parse().map_err(|_| foreign_cursor())?;
            let is_place = (0..lists::MAX_RELATED).contains(&stood);
            let stood = usize::try_from(stood).ok().filter(|_| is_place);
            let stood = stood.ok_or_else(foreign_cursor)?;
            // Where the item is now; where it was, if it is gone.
            all.iter()
                .position(|id| *id == cursor.id)
                .unwrap_or(stood)
                .saturating_add(1)
        }
    };
    let limit = usize::try_from(paging.limit).unwrap_or(0);
    let items: Vec<i64> = all.iter().copied().skip(offset).take(limit).collect();
    let end = offset.saturating_add(items.len());
    let more = items
        .last()
        .filter(|_| end < all.len())
        .map(|id| ((end - 1).to_string(), *id));
    Ok(Found {
        items,
        more,
        total: Some(total),
    })
}

/// An SVG picture.
// Binary, so that generated clients make a file of it: as text, some would read it as JSON.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "documents what `qr` answers")]
struct Svg(String);

/// Draw the QR code of an article
///
/// An SVG picture of the article's web address (`links.web`), for opening the page on a phone. 404
/// where the settings tell no web address.
#[utoipa::path(
    tag = "articles", operation_id = "getArticleQr",
    params(("ref" = String, Path, description = "Id or slug of the article", max_length = 120, example = "12")),
    responses((status = 200, description = "The picture", body = inline(Svg), content_type = "image/svg+xml")),
)]
#[get("/v1/articles/{ref}/qr.svg")]
pub async fn qr(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (text, raw) = (path.into_inner(), req.query_string().to_owned());
    let site = app.config.site.clone();
    deliver(&app, &req, app.config.cache_article, move |conn, view| {
        let id = resolve_public(conn, &text, "/qr.svg", &raw, view.now)?;
        let slug = super::store::slug_of(conn, id)?.unwrap_or_default();
        let address = site
            .article_address(id, &slug)
            .ok_or_else(|| ApiError::not_found("web address: LANMU_SITE_URL is not set"))?;
        let delivery = Delivery::bytes(draw(&address)?.into_bytes(), "image/svg+xml");
        Ok(delivery.keyed(Keys::from_iter([Key::Article(id)])))
    })
    .await
}

/// The code with a quiet zone of 4 modules (ISO/IEC 18004), 15 % of it may be damaged.
fn draw(address: &str) -> ApiResult<String> {
    let code = QrCode::with_error_correction_level(address, EcLevel::M)
        .map_err(|e| ApiError::Internal(e.to_string()))?;
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(240, 240)
        .quiet_zone(true)
        .build())
}

/// Which section.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `SectionQuery` reads")]
struct SectionParams {
    /// Only articles in this section and below it: its id or slug.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$",
        example = "news"
    )]
    section: Option<String>,
}

#[derive(Debug)]
pub struct SectionQuery {
    section: Option<Ref>,
}

impl FromParams for SectionQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            section: sections::read_reference(reader, "section"),
        }
    }
}

impl SectionQuery {
    fn look_up(&self, conn: &mut Conn, tree: &Tree) -> ApiResult<Option<i64>> {
        match &self.section {
            Some(reference) => Ok(Some(sections::shown_filter(conn, tree, reference)?.id)),
            None => Ok(None),
        }
    }
}

/// Count articles by month
///
/// The months of the site's calendar that have public articles, the newest first.
#[utoipa::path(
    tag = "articles", operation_id = "getArchive", params(SectionParams),
    responses((status = 200, description = "The months", body = Archive)),
)]
#[get("/v1/archive")]
pub async fn archive(
    app: Data<App>,
    req: HttpRequest,
    query: Params<SectionQuery>,
) -> ApiResult<HttpResponse> {
    let zone = app.config.site.zone;
    deliver(
        &app,
        &req,
        app.config.cache_list,
        move |conn, view: &View| {
            let section = query.0.look_up(conn, view.tree())?;
            let data = lists::archive(conn, section, zone, view.now)?;
            Ok(Delivery::json(&Archive { data })?.keyed(Keys::of_list(section)))
        },
    )
    .await
}

/// Count articles by tag
///
/// The tags of public articles, the most used first; 1,000 at most.
#[utoipa::path(
    tag = "articles", operation_id = "listTags", params(SectionParams),
    responses((status = 200, description = "The tags", body = TagList)),
)]
#[get("/v1/tags")]
pub async fn tags(
    app: Data<App>,
    req: HttpRequest,
    query: Params<SectionQuery>,
) -> ApiResult<HttpResponse> {
    deliver(&app, &req, app.config.cache_list, move |conn, view| {
        let section = query.0.look_up(conn, view.tree())?;
        let data = lists::tags(conn, section, view.now)?;
        Ok(Delivery::json(&TagList { data })?.keyed(Keys::of_list(section)))
    })
    .await
}
