//! Sections, as readers see them.

use std::collections::HashMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use utoipa::IntoParams;

use crate::app::App;
use crate::articles;
use crate::articles::lists::SectionCount;
use crate::articles::wire::ArticleSummary;
use crate::db::Conn;
use crate::error::{ApiResult, FaultCode};
use crate::http::answer::Delivery;
use crate::http::keys::Keys;
use crate::http::paging::{Found, Paging, PagingParams, Place, foreign_cursor};
use crate::http::params::{FromParams, Params, Reader};
use crate::http::reference::Ref;
use crate::view::View;
use crate::visibility::deliver;

use super::store;
use super::tree::{SectionRow, Tree};
use super::wire::{Section, SectionList, SectionNode, SectionTree, breadcrumb};
use super::{resolve_shown, shown_filter};

/// Which sections, and what with them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ListQuery` reads")]
struct ListParams {
    /// Only the children of this section: its id or slug.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$",
        example = "news"
    )]
    parent: Option<String>,
    /// Only sections with so many above them: 0 is the top.
    #[param(minimum = 0, maximum = 7, example = 0)]
    depth: Option<i64>,
    /// `articles`: with each section's newest articles.
    #[param(pattern = "^articles$", example = "articles")]
    include: Option<String>,
    /// How many of them. Only with `include=articles`.
    #[param(minimum = 1, maximum = 10, default = 5, example = 3)]
    articles_limit: Option<i64>,
}

#[derive(Debug)]
pub struct ListQuery {
    parent: Option<Ref>,
    depth: Option<i64>,
    articles: Option<i64>,
    paging: Paging,
}

/// Reads a reference to a section; a text that can't be one is a fault.
pub fn read_reference(reader: &mut Reader, name: &'static str) -> Option<Ref> {
    let text = reader.text(name)?;
    let reference = Ref::parse(&text);
    if reference.is_none() {
        reader.fault(name, FaultCode::Invalid, "must be an id or a slug");
    }
    reference
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let include = !reader.choices("include", &[("articles", ())]).is_empty();
        let limit = reader.integer("articles_limit", 1..=10);
        if limit.is_some() && !include {
            reader.fault(
                "articles_limit",
                FaultCode::Conflicting,
                "needs include=articles",
            );
        }
        Self {
            parent: read_reference(reader, "parent"),
            depth: reader.integer("depth", 0..=store::MAX_LEVELS - 1),
            articles: include.then(|| limit.unwrap_or(5)),
            paging: Paging::read(reader, "tree", true),
        }
    }
}

/// List the sections
///
/// The sections that are shown, in tree order: each before its children, siblings by position.
/// With `include=articles` each brings its newest articles, so that a portal's home page is one
/// call.
#[utoipa::path(
    tag = "sections", operation_id = "listSections", params(ListParams, PagingParams),
    responses((status = 200, description = "A page of sections", body = SectionList)),
)]
#[get("/v1/sections")]
pub async fn list(
    app: Data<App>,
    req: HttpRequest,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let (query, site) = (query.0, app.config.site.clone());
    deliver(&app, &req, app.config.cache_section, move |conn, view| {
        let (tree, now) = (view.tree(), view.now);
        let parent = match &query.parent {
            Some(reference) => Some(shown_filter(conn, tree, reference)?.id),
            None => None,
        };
        let shown = tree.rows().iter().filter(|row| {
            row.shown
                && parent.is_none_or(|parent| row.parent_id == Some(parent))
                && query.depth.is_none_or(|depth| row.depth == depth)
        });
        let found = page(tree, shown.collect(), &query.paging)?;
        let ids: Vec<i64> = found.items.iter().map(|row| row.id).collect();
        let counts = articles::lists::section_counts(conn, &ids, now)?;
        let mut newest = match query.articles {
            Some(limit) => articles::newest_in_each(conn, tree, &site, &ids, limit, now)?,
            None => HashMap::new(),
        };
        let sections = found.items.iter().map(|row| Section {
            articles: query
                .articles
                .map(|_| newest.remove(&row.id).unwrap_or_default()),
            ..section(tree, row, &counts, &site.home_name)
        });
        let data: Vec<Section> = sections.collect();
        let (page, link) = query.paging.describe(&found);
        let shown = data.iter().flat_map(|section| &section.articles).flatten();
        let keys = Keys::of_list(parent).and(data.iter().flat_map(Section::keys));
        let keys = keys.and(shown.flat_map(ArticleSummary::keys));
        let delivery = Delivery::json(&SectionList { data, page })?;
        Ok(delivery.linked(link).keyed(keys))
    })
    .await
}

/// Cuts a page out of sections in tree order. The cursor's key is the row's place in the tree:
/// positions and ids from the top down.
pub fn page<'a>(
    tree: &Tree,
    rows: Vec<&'a SectionRow>,
    paging: &Paging,
) -> ApiResult<Found<&'a SectionRow>> {
    let place = |row: &SectionRow| -> Vec<(i64, i64)> {
        tree.ancestors(row.id)
            .iter()
            .map(|row| (row.position, row.id))
            .collect()
    };
    let total = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let limit = usize::try_from(paging.limit).unwrap_or(0);
    let mut rest = match &paging.place {
        Place::Page(_) => {
            let offset = usize::try_from(paging.offset()).unwrap_or(usize::MAX);
            rows.into_iter().skip(offset).collect::<Vec<_>>()
        }
        Place::After(cursor) => {
            // Where its section stands now; where it stood, if it is gone.
            let stood: Option<Vec<(i64, i64)>> = serde_json::from_str(&cursor.key).ok();
            let stood = stood.filter(|place| place.last().is_some_and(|(_, id)| *id == cursor.id));
            let stood = stood.ok_or_else(foreign_cursor)?;
            let after = tree.get(cursor.id).map_or(stood, place);
            rows.into_iter().filter(|row| place(row) > after).collect()
        }
    };
    let more = rest.len() > limit;
    rest.truncate(limit);
    let last = rest.last().filter(|_| more);
    let more = last.map(|row| {
        (
            serde_json::to_string(&place(row)).unwrap_or_default(),
            row.id,
        )
    });
    Ok(Found {
        more,
        items: rest,
        total: Some(total),
    })
}

fn section(
    tree: &Tree,
    row: &SectionRow,
    counts: &HashMap<i64, SectionCount>,
    home_name: &str,
) -> Section {
    let count = counts.get(&row.id);
    let is_shown = |id: &i64| tree.get(*id).is_some_and(|child| child.shown);
    Section {
        id: row.id,
        parent_id: row.parent_id,
        slug: row.slug.clone(),
        name: row.name.clone(),
        path: row.path.clone(),
        depth: row.depth,
        position: row.position,
        description: row.description.clone(),
        keywords: row.keywords.0.clone(),
        kind: row.kind.clone(),
        cover: row.cover.as_ref().map(|cover| cover.0.clone()),
        breadcrumb: breadcrumb(tree, row.id, home_name),
        article_count: count.map_or(0, |count| count.articles),
        last_published_at: count.map(|count| count.last_published_at),
        has_children: tree.children(Some(row.id)).iter().any(is_shown),
        updated_at: row.updated_at,
        articles: None,
    }
}

/// Show the tree of sections
///
/// All sections that are shown, each with the sections below it.
#[utoipa::path(
    tag = "sections", operation_id = "getSectionTree",
    responses((status = 200, description = "The tree", body = SectionTree)),
)]
#[get("/v1/sections/tree")]
pub async fn read_tree(app: Data<App>, req: HttpRequest, _: Params<()>) -> ApiResult<HttpResponse> {
    let home_name = app.config.site.home_name.clone();
    deliver(&app, &req, app.config.cache_section, move |conn, view| {
        let tree = view.tree();
        let ids: Vec<i64> = tree.rows().iter().map(|row| row.id).collect();
        let counts = articles::lists::section_counts(conn, &ids, view.now)?;
        let data = nodes(tree, None, &counts, &home_name);
        let keys = Keys::of_list(None).and(data.iter().flat_map(SectionNode::keys));
        Ok(Delivery::json(&SectionTree { data })?.keyed(keys))
    })
    .await
}

fn nodes(
    tree: &Tree,
    parent: Option<i64>,
    counts: &HashMap<i64, SectionCount>,
    home_name: &str,
) -> Vec<SectionNode> {
    let children = tree.children(parent).iter().filter_map(|id| tree.get(*id));
    children
        .filter(|row| row.shown)
        .map(|row| {
            let below = nodes(tree, Some(row.id), counts, home_name);
            SectionNode::new(section(tree, row, counts, home_name), below)
        })
        .collect()
}

/// Read a section
///
/// One section by id or slug. An old slug is answered with 308 to the live one.
#[utoipa::path(
    tag = "sections", operation_id = "getSection",
    params(("ref" = String, Path, description = "Id or slug of the section", max_length = 120, example = "news")),
    responses((status = 200, description = "The section", body = Section)),
)]
#[get("/v1/sections/{ref}")]
pub async fn read(
    app: Data<App>,
    req: HttpRequest,
    path: Path<String>,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (text, query) = (path.into_inner(), req.query_string().to_owned());
    let home_name = app.config.site.home_name.clone();
    deliver(&app, &req, app.config.cache_section, move |conn, view| {
        read_one(conn, &text, &query, &home_name, view)
    })
    .await
}

fn read_one(
    conn: &mut Conn,
    text: &str,
    query: &str,
    home_name: &str,
    view: &View,
) -> ApiResult<Delivery> {
    let tree = view.tree();
    let row = resolve_shown(conn, tree, text, "", query)?;
    let counts = articles::lists::section_counts(conn, &[row.id], view.now)?;
    let section = section(tree, row, &counts, home_name);
    let delivery = Delivery::json(&section)?.modified(row.updated_at);
    Ok(delivery.keyed(section.keys().collect()))
}
