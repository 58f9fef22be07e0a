//! Every read of articles: which ids, in which order; and what they look like.
//!
//! Lists are read in two steps: the ids of a page from a covering index of `listings` (or, in
//! management, of `articles`), then the rows of those ids.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::dsl::{count_star, exists, min, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::clock::{Month, SiteZone};
use crate::config::Site;
use crate::db::schema::{article_also, article_details, article_terms, articles, listings};
use crate::db::types::UtcTime;
use crate::db::{Conn, MultiBackend, Timestamp, dialect};
use crate::error::{ApiError, ApiResult};
use crate::hits;
use crate::http::paging::{Found, Paging, Place};
use crate::http::params::DayOrInstant;
use crate::sections::Tree;
use crate::sections::wire::{SectionRef, breadcrumb};
use crate::visibility::{SITE, is_public, is_public_sql};

use super::rules::Status;
use super::store::{ArticleRow, DetailsRow, KEYWORD, TAG, also_in};
use super::text::reading_minutes;
use super::wire::{
    ArchiveMonth, Article, ArticleSummary, Body, BodyFormat, BodySource, Links, ManagedArticle,
    ManagedArticleSummary, Rest, TagCount,
};

/// Which articles.
#[derive(Debug, Clone, Default)]
#[allow(
    missing_docs,
    reason = "named as the parameters, which handlers.rs documents"
)]
pub struct Filter {
    pub section: Option<i64>,
    /// Only what stands in that very section, not what stands below it.
    pub direct: bool,
    pub tag: Option<String>,
    pub keyword: Option<String>,
    pub source: Option<String>,
    pub author: Option<String>,
    pub lang: Option<String>,
    pub featured: Option<bool>,
    pub pinned: Option<bool>,
    pub published_from: Option<Timestamp>,
    /// Exclusive.
    pub published_before: Option<Timestamp>,
    pub ids: Option<Vec<i64>>,
}

impl Filter {
    /// The instant from which on: a day's first.
    pub fn lower(bound: DayOrInstant, zone: SiteZone) -> Timestamp {
        match bound {
            DayOrInstant::Day(day) => zone.start_of_day(day),
            DayOrInstant::Instant(at) => at,
        }
    }

    /// The instant before which: after a day's last.
    pub fn upper(bound: DayOrInstant, zone: SiteZone) -> Timestamp {
        match bound {
            DayOrInstant::Day(day) => zone.end_of_day(day),
            DayOrInstant::Instant(at) => at,
        }
    }
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// How a delivery list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// By date of publication.
    PublishedAt(Direction),
    /// By last change.
    UpdatedAt(Direction),
    /// By title, as ICU's zh collator does.
    Title(Direction),
    /// Pinned in that very section first, then by manual position, then the newest.
    SectionOrder,
}

impl Sort {
    /// The values of `sort`.
    pub const CHOICES: &[(&str, Self)] = &[
        ("published_at", Self::PublishedAt(Direction::Ascending)),
        ("-published_at", Self::PublishedAt(Direction::Descending)),
        ("updated_at", Self::UpdatedAt(Direction::Ascending)),
        ("-updated_at", Self::UpdatedAt(Direction::Descending)),
        ("title", Self::Title(Direction::Ascending)),
        ("-title", Self::Title(Direction::Descending)),
        ("section_order", Self::SectionOrder),
    ];

    /// The value of `sort`.
    pub fn name(self) -> &'static str {
        Self::CHOICES
            .iter()
            .find(|(_, sort)| *sort == self)
            .map_or("", |(name, _)| name)
    }

    /// Whether lists sorted that way have cursors.
    pub fn has_cursor(self) -> bool {
        self != Self::SectionOrder
    }
}

/// A query of listings that conditions are added to.
pub type Listings<'a> = listings::BoxedQuery<'a, MultiBackend>;

/// The public listings that a filter lets through.
pub fn public_listings(filter: &Filter, now: Timestamp) -> Listings<'_> {
    let section = filter.section.unwrap_or(SITE);
    let mut query = listings::table
        .filter(listings::section_id.eq(section))
        .filter(is_public(now))
        .into_boxed();
    if filter.direct {
        query = query.filter(listings::direct.eq(true));
    }
    if let Some(from) = filter.published_from {
        query = query.filter(listings::published_at.ge(from));
    }
    if let Some(before) = filter.published_before {
        query = query.filter(listings::published_at.lt(before));
    }
    if let Some(ids) = &filter.ids {
        query = query.filter(listings::article_id.eq_any(ids));
    }
    for (kind, term) in [(TAG, &filter.tag), (KEYWORD, &filter.keyword)] {
        if let Some(term) = term {
            let with_term = article_terms::table
                .filter(
                    article_terms::kind
                        .eq(kind)
                        .and(article_terms::term.eq(term)),
                )
                .select(article_terms::article_id);
            query = query.filter(listings::article_id.eq_any(with_term));
        }
    }
    if let Some(source) = &filter.source {
        let of_source = articles::table.filter(articles::source_name.eq(source));
        query = query.filter(listings::article_id.eq_any(of_source.select(articles::id)));
    }
    if let Some(author) = &filter.author {
        let by_author = articles::table.filter(articles::author.eq(author));
        query = query.filter(listings::article_id.eq_any(by_author.select(articles::id)));
    }
    if let Some(lang) = &filter.lang {
        let article = articles::table.filter(articles::id.eq(listings::article_id));
        query = query.filter(exists(article.filter(articles::lang.eq(lang))));
    }
    if let Some(featured) = filter.featured {
        let article = articles::table.filter(articles::id.eq(listings::article_id));
        query = query.filter(exists(article.filter(articles::featured.eq(featured))));
    }
    if let Some(pinned) = filter.pinned {
        let pins = articles::table
            .filter(articles::pinned_until.gt(now))
            .select(articles::id);
        query = if pinned {
            query.filter(listings::article_id.eq_any(pins))
        } else {
            query.filter(listings::article_id.ne_all(pins))
        };
    }
    query
}

/// How many listings a filter lets through.
pub fn count(conn: &mut Conn, filter: &Filter, now: Timestamp) -> QueryResult<i64> {
    public_listings(filter, now)
        .select(count_star())
        .first(conn)
}

/// Orders a boxed query by a key and the id, and keeps what comes after a cursor's item.
macro_rules! keyset {
    ($query:expr, $key:expr, $id:expr, $direction:expr, $after:expr) => {{
        let mut query = $query;
        match $direction {
            Direction::Descending => {
                if let Some((key, id)) = $after {
                    query = query
                        .filter($key.le(key.clone()))
                        .filter($key.lt(key).or($id.lt(id)));
                }
                query.order(($key.desc(), $id.desc()))
            }
            Direction::Ascending => {
                if let Some((key, id)) = $after {
                    query = query
                        .filter($key.ge(key.clone()))
                        .filter($key.gt(key).or($id.gt(id)));
                }
                query.order(($key.asc(), $id.asc()))
            }
        }
    }};
}

/// A sort key as a cursor carries it.
trait CursorKey: Sized + Clone {
    fn encode(&self) -> String;
    fn decode(text: &str) -> Option<Self>;
}

impl CursorKey for Timestamp {
    fn encode(&self) -> String {
        self.millis().to_string()
    }

    fn decode(text: &str) -> Option<Self> {
        text.parse().ok().and_then(Self::from_millis)
    }
}

impl CursorKey for Vec<u8> {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self)
    }

    fn decode(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()
    }
}

/// The key and id that a page follows; a key that can't be read begins nowhere.
fn after<K: CursorKey>(paging: &Paging) -> ApiResult<Option<(K, i64)>> {
    match &paging.place {
        Place::Page(_) => Ok(None),
        Place::After(cursor) => match K::decode(&cursor.key) {
            Some(key) => Ok(Some((key, cursor.id))),
            None => Err(ApiError::bad_parameter(
                "cursor",
                crate::error::FaultCode::InvalidCursor,
                "cursor is none that this list gave out",
            )),
        },
    }
}

/// Cuts the look-ahead row off a page's rows.
fn found<K: CursorKey>(mut rows: Vec<(i64, K)>, paging: &Paging, total: Option<i64>) -> Found<i64> {
    let limit = usize::try_from(paging.limit).unwrap_or(0);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows
        .last()
        .filter(|_| more)
        .map(|(id, key)| (key.encode(), *id));
    Found {
        items: rows.into_iter().map(|(id, _)| id).collect(),
        more: last,
        total,
    }
}

/// A page of ids of public articles.
pub fn page_ids(
    conn: &mut Conn,
    filter: &Filter,
    sort: Sort,
    paging: &Paging,
    now: Timestamp,
) -> ApiResult<Found<i64>> {
    let total = if paging.exact {
        Some(count(conn, filter, now)?)
    } else {
        None
    };
    let (limit, offset) = (paging.limit + 1, paging.offset());
    let id = listings::article_id;
    match sort {
        Sort::PublishedAt(direction) => {
            let query = by_published_at(filter, direction, after(paging)?, now);
            let rows = query.limit(limit).offset(offset).load(conn)?;
            Ok(found::<Timestamp>(rows, paging, total))
        }
        Sort::UpdatedAt(direction) => {
            let key = listings::updated_at;
            let after: Option<(Timestamp, i64)> = after(paging)?;
            let query = keyset!(public_listings(filter, now), key, id, direction, after);
            let rows = query
                .select((id, key))
                .limit(limit)
                .offset(offset)
                .load(conn)?;
            Ok(found::<Timestamp>(rows, paging, total))
        }
        Sort::Title(direction) => {
            let key = listings::title_key;
            let after: Option<(Vec<u8>, i64)> = after(paging)?;
            let query = keyset!(public_listings(filter, now), key, id, direction, after);
            let rows = query
                .select((id, key))
                .limit(limit)
                .offset(offset)
                .load(conn)?;
            Ok(found::<Vec<u8>>(rows, paging, total))
        }
        Sort::SectionOrder => {
            let mut items = section_order_ids(conn, filter, limit, offset, now)?;
            let more = i64::try_from(items.len()).unwrap_or(i64::MAX) > paging.limit;
            items.truncate(usize::try_from(paging.limit).unwrap_or(0));
            let last = items.last().filter(|_| more).map(|id| (String::new(), *id));
            Ok(Found {
                items,
                more: last,
                total,
            })
        }
    }
}

/// The query behind lists by date of publication.
pub fn by_published_at(
    filter: &Filter,
    direction: Direction,
    after: Option<(Timestamp, i64)>,
    now: Timestamp,
) -> diesel::helper_types::IntoBoxed<
    '_,
    diesel::helper_types::Select<listings::table, (listings::article_id, listings::published_at)>,
    MultiBackend,
> {
    let query = public_listings(filter, now);
    keyset!(
        query,
        listings::published_at,
        listings::article_id,
        direction,
        after
    )
    .select((listings::article_id, listings::published_at))
}

/// Ids of the newest public articles of a filter.
fn newest_ids(
    conn: &mut Conn,
    filter: &Filter,
    limit: i64,
    now: Timestamp,
) -> QueryResult<Vec<i64>> {
    let rows: Vec<(i64, Timestamp)> = by_published_at(filter, Direction::Descending, None, now)
        .limit(limit)
        .load(conn)?;
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

#[derive(QueryableByName)]
struct NewestRow {
    #[diesel(sql_type = BigInt)]
    section_id: i64,
    #[diesel(sql_type = BigInt)]
    article_id: i64,
    #[diesel(sql_type = UtcTime)]
    published_at: Timestamp,
}

/// Ids of the newest public articles of each of these sections, with what stands below it, in one
/// statement.
pub fn newest_in_each(
    conn: &mut Conn,
    section_ids: &[i64],
    limit: i64,
    now: Timestamp,
) -> QueryResult<HashMap<i64, Vec<i64>>> {
    if section_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let is_public = is_public_sql(conn, now);
    // Numbers and instants only: nothing in this statement comes from a client.
    let parts = section_ids.iter().map(|id| {
        format!(
            "SELECT * FROM (SELECT section_id, article_id, published_at FROM listings \
             WHERE section_id = {id} AND {is_public} \
             ORDER BY published_at DESC, article_id DESC LIMIT {limit}) AS s{id}"
        )
    });
    let sql = parts.collect::<Vec<_>>().join(" UNION ALL ");
    let mut rows: Vec<NewestRow> = diesel::sql_query(sql).load(conn)?;
    rows.sort_by_key(|row| std::cmp::Reverse((row.published_at, row.article_id)));
    let mut newest: HashMap<i64, Vec<i64>> = HashMap::new();
    for row in rows {
        newest
            .entry(row.section_id)
            .or_default()
            .push(row.article_id);
    }
    Ok(newest)
}

/// Ids in a section's own order. The few that are pinned or have a position are read and sorted
/// first; the rest follows by date.
fn section_order_ids(
    conn: &mut Conn,
    filter: &Filter,
    limit: i64,
    offset: i64,
    now: Timestamp,
) -> QueryResult<Vec<i64>> {
    type Front = (i64, Option<Timestamp>, Option<i64>, Timestamp);
    // The first condition is the partial index's own, so that PostgreSQL may use it.
    let mut front: Vec<Front> = public_listings(filter, now)
        .filter(
            listings::pinned_until
                .is_not_null()
                .or(listings::position.is_not_null()),
        )
        .filter(
            listings::pinned_until
                .assume_not_null()
                .gt(now)
                .or(listings::position.is_not_null()),
        )
        .select((
            listings::article_id,
            listings::pinned_until,
            listings::position,
            listings::published_at,
        ))
        .load(conn)?;
    front.sort_by_key(|(id, pinned_until, position, published_at)| {
        let unpinned = pinned_until.is_none_or(|until| until <= now);
        let newest = std::cmp::Reverse((*published_at, *id));
        (unpinned, position.is_none(), *position, newest)
    });
    let ahead = i64::try_from(front.len()).unwrap_or(i64::MAX);
    let mut ids: Vec<i64> = front
        .into_iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(0))
        .map(|(id, ..)| id)
        .collect();
    let missing = limit - i64::try_from(ids.len()).unwrap_or(limit);
    if missing > 0 {
        let rest: Vec<(i64, Timestamp)> = by_published_at(filter, Direction::Descending, None, now)
            .filter(listings::position.is_null())
            .filter(
                listings::pinned_until
                    .is_null()
                    .or(listings::pinned_until.assume_not_null().le(now)),
            )
            .limit(missing)
            .offset((offset - ahead).max(0))
            .load(conn)?;
        ids.extend(rest.into_iter().map(|(id, _)| id));
    }
    Ok(ids)
}

/// Whether the article is public.
pub fn is_public_now(conn: &mut Conn, id: i64, now: Timestamp) -> QueryResult<bool> {
    listings::table
        .find((SITE, id))
        .filter(is_public(now))
        .select(listings::article_id)
        .first::<i64>(conn)
        .optional()
        .map(|found| found.is_some())
}

/// Those of the ids that are public, in the order given.
pub fn public_among(conn: &mut Conn, ids: &[i64], now: Timestamp) -> QueryResult<Vec<i64>> {
    let public: Vec<i64> = listings::table
        .filter(
            listings::section_id
                .eq(SITE)
                .and(listings::article_id.eq_any(ids)),
        )
        .filter(is_public(now))
        .select(listings::article_id)
        .load(conn)?;
    Ok(ids
        .iter()
        .copied()
        .filter(|id| public.contains(id))
        .collect())
}

/// What comes with each summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Include {
    /// `body`.
    pub body: bool,
    /// `hits`.
    pub hits: bool,
}

/// The summaries of public articles, in the order of the ids.
pub fn summaries(
    conn: &mut Conn,
    ids: &[i64],
    tree: &Tree,
    site: &Site,
    include: Include,
    now: Timestamp,
) -> ApiResult<Vec<ArticleSummary>> {
    let rows: Vec<ArticleRow> = articles::table
        .filter(articles::id.eq_any(ids))
        .select(ArticleRow::as_select())
        .load(conn)?;
    let mut rows: HashMap<i64, ArticleRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut bodies = if include.body {
        bodies(conn, ids)?
    } else {
        HashMap::new()
    };
    let mut counts = if include.hits {
        hits::counts_of(conn, ids, site.zone, now)?
    } else {
        HashMap::new()
    };
    let mut out = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(row) = rows.remove(id) else { continue };
        let mut summary = summary(row, tree, site)?;
        summary.body = include.body.then(|| bodies.remove(id));
        summary.hits = counts.remove(id);
        out.push(summary);
    }
    Ok(out)
}

fn bodies(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, Body>> {
    let rows: Vec<(i64, Option<String>, Option<String>)> = article_details::table
        .filter(article_details::article_id.eq_any(ids))
        .select((
            article_details::article_id,
            article_details::html,
            article_details::text,
        ))
        .load(conn)?;
    let bodies = rows.into_iter();
    Ok(bodies
        .filter_map(|(id, html, text)| {
            Some((
                id,
                Body {
                    html: html?,
                    text: text?,
                },
            ))
        })
        .collect())
}

fn summary(row: ArticleRow, tree: &Tree, site: &Site) -> ApiResult<ArticleSummary> {
    let inconsistent = |what: &str| ApiError::Internal(format!("article {} has no {what}", row.id));
    let section = tree
        .get(row.section_id)
        .ok_or_else(|| inconsistent("section"))?;
    let published_at = row.published_at.ok_or_else(|| inconsistent("date"))?;
    Ok(ArticleSummary {
        id: row.id,
        section: SectionRef::from(section),
        source: row.source(),
        keywords: row.keywords.0,
        tags: row.tags.0,
        cover: row.cover.map(|cover| cover.0),
        external_url: row.external_url,
        featured: row.featured,
        pinned_until: row.pinned_until,
        published_at,
        published_local: site.zone.local_minute(published_at),
        expires_at: row.expires_at,
        updated_at: row.updated_at,
        word_count: row.word_count,
        reading_minutes: reading_minutes(row.word_count, &row.lang),
        lang: row.lang,
        links: Links {
            this: format!("/v1/articles/{}", row.id),
            web: site.article_address(row.id, &row.slug),
            qr: format!("/v1/articles/{}/qr.svg", row.id),
        },
        slug: row.slug,
        title: row.title,
        subtitle: row.subtitle,
        short_title: row.short_title,
        summary: row.summary,
        author: row.author,
        editor: row.editor,
        body: None,
        hits: None,
    })
}

/// A whole public article. It must be public: see [`is_public_now`].
pub fn article(
    conn: &mut Conn,
    id: i64,
    tree: &Tree,
    site: &Site,
    with_hits: bool,
    now: Timestamp,
) -> ApiResult<Article> {
    let stored = super::store::find(conn, id)?;
    let section_id = stored.row.section_id;
    let mut summary = summary(stored.row, tree, site)?;
    if with_hits {
        summary.hits = hits::counts_of(conn, &[id], site.zone, now)?.remove(&id);
    }
    let also_in = stored
        .also_in
        .iter()
        .filter_map(|id| tree.get(*id))
        .filter(|row| row.shown);
    let details = stored.details;
    let rest = Rest {
        breadcrumb: breadcrumb(tree, section_id, &site.home_name),
        also_in: also_in.map(SectionRef::from).collect(),
        attachments: details.attachments.0,
        canonical_url: details.canonical_url,
        seo: details.seo.map(|seo| seo.0),
        body: details
            .html
            .zip(details.text)
            .map(|(html, text)| Body { html, text }),
    };
    Ok(Article::new(summary, rest))
}

/// Ids of the articles published just before and just after one, in its section.
pub fn neighbors(
    conn: &mut Conn,
    id: i64,
    now: Timestamp,
) -> ApiResult<(Option<i64>, Option<i64>)> {
    let (section, published_at): (i64, Timestamp) = articles::table
        .inner_join(listings::table)
        .filter(articles::id.eq(id).and(listings::section_id.eq(SITE)))
        .select((articles::section_id, listings::published_at))
        .first(conn)?;
    let filter = Filter {
        section: Some(section),
        direct: true,
        ..Filter::default()
    };
    let mut beside = |direction| -> QueryResult<Option<i64>> {
        by_published_at(&filter, direction, Some((published_at, id)), now)
            .first::<(i64, Timestamp)>(conn)
            .optional()
            .map(|found| found.map(|(id, _)| id))
    };
    Ok((
        beside(Direction::Descending)?,
        beside(Direction::Ascending)?,
    ))
}

/// The most related articles that are found.
pub const MAX_RELATED: i64 = 100;
/// How many of those that share tags or key words are looked at.
const CANDIDATES: usize = 1000;

/// Ids of related articles: those that share most tags and key words first, newer before older;
/// then the newest of the same section.
pub fn related(conn: &mut Conn, id: i64, now: Timestamp) -> ApiResult<Vec<i64>> {
    let own: Vec<(String, String)> = article_terms::table
        .filter(article_terms::article_id.eq(id))
        .select((article_terms::kind, article_terms::term))
        .load(conn)?;
    let mut shared: HashMap<i64, i64> = HashMap::new();
    for kind in [TAG, KEYWORD] {
        let terms: Vec<&str> = own
            .iter()
            .filter(|(k, _)| k == kind)
            .map(|(_, term)| term.as_str())
            .collect();
        let others: Vec<(i64, i64)> = article_terms::table
            .filter(
                article_terms::kind
                    .eq(kind)
                    .and(article_terms::term.eq_any(terms)),
            )
            .filter(article_terms::article_id.ne(id))
            .group_by(article_terms::article_id)
            .select((article_terms::article_id, count_star()))
            .load(conn)?;
        for (other, count) in others {
            *shared.entry(other).or_default() += count;
        }
    }
    // The best first; of equals, ids are made in time. Only so many are looked up: those that are
    // not public are few.
    let mut best: Vec<(i64, i64)> = shared.into_iter().map(|(id, count)| (count, id)).collect();
    best.sort_unstable_by_key(|key| std::cmp::Reverse(*key));
    best.truncate(CANDIDATES);
    let candidates: Vec<i64> = best.iter().map(|(_, id)| *id).collect();
    let public: HashMap<i64, Timestamp> = listings::table
        .filter(
            listings::section_id
                .eq(SITE)
                .and(listings::article_id.eq_any(candidates)),
        )
        .filter(is_public(now))
        .select((listings::article_id, listings::published_at))
        .load::<(i64, Timestamp)>(conn)?
        .into_iter()
        .collect();
    let mut ranked: Vec<(i64, Timestamp, i64)> = best
        .into_iter()
        .filter_map(|(count, id)| public.get(&id).map(|published| (count, *published, id)))
        .collect();
    ranked.sort_unstable_by_key(|key| std::cmp::Reverse(*key));
    let mut ids: Vec<i64> = ranked.into_iter().map(|(.., id)| id).collect();
    let section: i64 = articles::table
        .find(id)
        .select(articles::section_id)
        .first(conn)?;
    let filter = Filter {
        section: Some(section),
        direct: true,
        ..Filter::default()
    };
    for near in newest_ids(conn, &filter, MAX_RELATED + 1, now)? {
        if near != id && !ids.contains(&near) {
            ids.push(near);
        }
    }
    ids.truncate(usize::try_from(MAX_RELATED).unwrap_or(0));
    Ok(ids)
}

#[derive(QueryableByName)]
struct MonthRow {
    #[diesel(sql_type = BigInt)]
    month: i64,
    #[diesel(sql_type = BigInt)]
    articles: i64,
}

/// How many months one statement counts.
const MONTHS_AT_ONCE: usize = 400;

/// Public articles a month of the site's calendar, newest first.
pub fn archive(
    conn: &mut Conn,
    section: Option<i64>,
    zone: SiteZone,
    now: Timestamp,
) -> QueryResult<Vec<ArchiveMonth>> {
    let mut filter = Filter {
        section,
        ..Filter::default()
    };
    let mut rows: Vec<MonthRow> = Vec::new();
    // From the first month that has any, so that centuries without an article cost nothing.
    while let Some(first) = public_listings(&filter, now)
        .select(min(listings::published_at))
        .first::<Option<Timestamp>>(conn)?
    {
        let months = zone
            .months_from(first)
            .take_while(|month| month.begins <= now);
        let months: Vec<Month> = months.take(MONTHS_AT_ONCE).collect();
        rows.extend(count_months(conn, section.unwrap_or(SITE), &months, now)?);
        filter.published_from = months.last().map(|month| month.ends);
    }
    rows.reverse();
    Ok(rows
        .into_iter()
        .map(|row| ArchiveMonth {
            year: i32::try_from(row.month / 100).unwrap_or(0),
            month: u32::try_from(row.month % 100).unwrap_or(0),
            article_count: row.articles,
        })
        .collect())
}

/// Public articles of each of these months that has any, in order.
fn count_months(
    conn: &mut Conn,
    section: i64,
    months: &[Month],
    now: Timestamp,
) -> QueryResult<Vec<MonthRow>> {
    let values: Vec<String> = months
        .iter()
        .map(|month| {
            let number = i64::from(month.year) * 100 + i64::from(month.month);
            let begins = dialect::instant(conn, month.begins);
            let ends = dialect::instant(conn, month.ends);
            format!("({number}, {begins}, {ends})")
        })
        .collect();
    let is_public = is_public_sql(conn, now);
    // Numbers and instants only: nothing in this statement comes from a client.
    let sql = format!(
        "WITH months (month, begins, ends) AS (VALUES {}) \
         SELECT CAST(months.month AS bigint) AS month, count(*) AS articles FROM months \
         JOIN listings ON listings.section_id = {section} \
           AND listings.published_at >= months.begins AND listings.published_at < months.ends \
         WHERE {is_public} \
         GROUP BY months.month ORDER BY months.month",
        values.join(", ")
    );
    diesel::sql_query(sql).load(conn)
}

/// The most tags that are listed.
const MAX_TAGS: i64 = 1000;

/// Tags of public articles, the most used first.
pub fn tags(conn: &mut Conn, section: Option<i64>, now: Timestamp) -> QueryResult<Vec<TagCount>> {
    let rows: Vec<(String, i64)> = article_terms::table
        .inner_join(
            listings::table.on(listings::article_id
                .eq(article_terms::article_id)
                .and(listings::section_id.eq(section.unwrap_or(SITE)))),
        )
        .filter(article_terms::kind.eq(TAG))
        .filter(is_public(now))
        .group_by(article_terms::term)
        .order((count_star().desc(), article_terms::term.asc()))
        .limit(MAX_TAGS)
        .select((article_terms::term, count_star()))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(tag, article_count)| TagCount { tag, article_count })
        .collect())
}

// Management.

/// Which articles, in management.
#[derive(Debug, Clone, Default)]
pub struct ManagedFilter {
    /// What delivery filters by, too. `section` is applied by `section_ids`.
    pub shared: Filter,
    /// The section and, unless only it is wanted, those below it.
    pub section_ids: Option<Vec<i64>>,
    /// The state that time has made.
    pub status: Option<Status>,
    /// Who made it.
    pub created_by: Option<i64>,
    /// Words that the title must have, ASCII letters in any case.
    pub words: Vec<String>,
}

/// How a management list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagedSort {
    /// By date of publication, or of making where there is none.
    PublishedAt(Direction),
    /// By last change.
    UpdatedAt(Direction),
    /// By making.
    CreatedAt(Direction),
    /// By title, as ICU's zh collator does.
    Title(Direction),
}

impl ManagedSort {
    /// The values of `sort`.
    pub const CHOICES: &[(&str, Self)] = &[
        ("published_at", Self::PublishedAt(Direction::Ascending)),
        ("-published_at", Self::PublishedAt(Direction::Descending)),
        ("updated_at", Self::UpdatedAt(Direction::Ascending)),
        ("-updated_at", Self::UpdatedAt(Direction::Descending)),
        ("created_at", Self::CreatedAt(Direction::Ascending)),
        ("-created_at", Self::CreatedAt(Direction::Descending)),
        ("title", Self::Title(Direction::Ascending)),
        ("-title", Self::Title(Direction::Descending)),
    ];

    /// The value of `sort`.
    pub fn name(self) -> &'static str {
        Self::CHOICES
            .iter()
            .find(|(_, sort)| *sort == self)
            .map_or("", |(name, _)| name)
    }
}

/// The pattern of `LIKE` for text that contains this word, ASCII letters lower-cased.
fn like_pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for character in word.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

/// The articles that a management filter lets through.
pub fn managed_articles<'a>(
    conn: &Conn,
    filter: &'a ManagedFilter,
    now: Timestamp,
) -> articles::BoxedQuery<'a, MultiBackend> {
    let mut query = articles::table.into_boxed();
    let shared = &filter.shared;
    for word in &filter.words {
        let title = dialect::ascii_lower(conn, "articles.title");
        let contains = sql::<Bool>(&format!("{title} LIKE "))
            .bind::<Text, _>(like_pattern(word))
            .sql(" ESCAPE '\\'");
        query = query.filter(contains);
    }
    if let Some(ids) = &filter.section_ids {
        let also = article_also::table
            .filter(article_also::section_id.eq_any(ids))
            .select(article_also::article_id);
        query = query.filter(
            articles::section_id
                .eq_any(ids)
                .or(articles::id.eq_any(also)),
        );
    }
    if let Some(status) = filter.status {
        let stored = articles::status.eq(status.as_str());
        let released =
            articles::status.eq_any([Status::Scheduled.as_str(), Status::Published.as_str()]);
        let ended = articles::expires_at
            .is_not_null()
            .and(articles::expires_at.assume_not_null().le(now));
        let open = articles::expires_at
            .is_null()
            .or(articles::expires_at.assume_not_null().gt(now));
        query = match status {
            Status::Draft | Status::Trashed => query.filter(stored),
            Status::Scheduled => query.filter(released.and(open).and(articles::dated_at.gt(now))),
            Status::Published => query.filter(released.and(open).and(articles::dated_at.le(now))),
            Status::Archived => query.filter(stored.or(released.and(ended))),
        };
    }
    if let Some(user) = filter.created_by {
        query = query.filter(articles::created_by.eq(user));
    }
    if let Some(from) = shared.published_from {
        query = query.filter(articles::published_at.ge(from));
    }
    if let Some(before) = shared.published_before {
        query = query.filter(articles::published_at.lt(before));
    }
    if let Some(ids) = &shared.ids {
        query = query.filter(articles::id.eq_any(ids));
    }
    for (kind, term) in [(TAG, &shared.tag), (KEYWORD, &shared.keyword)] {
        if let Some(term) = term {
            let with_term = article_terms::table
                .filter(
                    article_terms::kind
                        .eq(kind)
                        .and(article_terms::term.eq(term)),
                )
                .select(article_terms::article_id);
            query = query.filter(articles::id.eq_any(with_term));
        }
    }
    if let Some(source) = &shared.source {
        query = query.filter(articles::source_name.eq(source));
    }
    if let Some(author) = &shared.author {
        query = query.filter(articles::author.eq(author));
    }
    if let Some(lang) = &shared.lang {
        query = query.filter(articles::lang.eq(lang));
    }
    if let Some(featured) = shared.featured {
        query = query.filter(articles::featured.eq(featured));
    }
    match shared.pinned {
        Some(true) => query = query.filter(articles::pinned_until.gt(now)),
        Some(false) => {
            let until = articles::pinned_until;
            query = query.filter(until.is_null().or(until.assume_not_null().le(now)));
        }
        None => {}
    }
    query
}

/// A page of ids of articles in any state.
pub fn managed_page_ids(
    conn: &mut Conn,
    filter: &ManagedFilter,
    sort: ManagedSort,
    paging: &Paging,
    now: Timestamp,
) -> ApiResult<Found<i64>> {
    let total = if paging.exact {
        Some(
            managed_articles(conn, filter, now)
                .select(count_star())
                .first(conn)?,
        )
    } else {
        None
    };
    let (limit, offset) = (paging.limit + 1, paging.offset());
    let (query, id) = (managed_articles(conn, filter, now), articles::id);
    macro_rules! by {
        ($key:expr, $type:ty, $direction:expr) => {{
            let after: Option<($type, i64)> = after(paging)?;
            let query = keyset!(query, $key, id, $direction, after);
            let rows = query
                .select((id, $key))
                .limit(limit)
                .offset(offset)
                .load(conn)?;
            Ok(found::<$type>(rows, paging, total))
        }};
    }
    match sort {
        ManagedSort::PublishedAt(direction) => by!(articles::dated_at, Timestamp, direction),
        ManagedSort::UpdatedAt(direction) => by!(articles::updated_at, Timestamp, direction),
        ManagedSort::CreatedAt(direction) => by!(articles::created_at, Timestamp, direction),
        ManagedSort::Title(direction) => by!(articles::title_key, Vec<u8>, direction),
    }
}

/// The articles of these ids as their editors see them, in order, without bodies.
pub fn managed_summaries(
    conn: &mut Conn,
    ids: &[i64],
    now: Timestamp,
) -> ApiResult<Vec<ManagedArticleSummary>> {
    type Lean = (
        Option<String>,
        crate::db::JsonOf<Vec<super::wire::Attachment>>,
        Option<crate::db::JsonOf<super::wire::Seo>>,
        crate::db::JsonOf<Vec<String>>,
    );
    let rows: Vec<(ArticleRow, Lean)> = articles::table
        .inner_join(article_details::table)
        .filter(articles::id.eq_any(ids))
        .select((
            ArticleRow::as_select(),
            (
                article_details::canonical_url,
                article_details::attachments,
                article_details::seo,
                article_details::legacy_urls,
            ),
        ))
        .load(conn)?;
    let mut also_in = also_in(conn, ids)?;
    let mut by_id: HashMap<i64, ManagedArticleSummary> = HashMap::new();
    for (row, (canonical_url, attachments, seo, legacy_urls)) in rows {
        let id = row.id;
        let details = DetailsRow {
            article_id: id,
            canonical_url,
            attachments,
            seo,
            legacy_urls,
            format: None,
            source: None,
            html: None,
            text: None,
        };
        let also_in = also_in.remove(&id).unwrap_or_default();
        by_id.insert(id, managed_summary(row, details, also_in, now));
    }
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}

fn managed_summary(
    row: ArticleRow,
    details: DetailsRow,
    also_in: Vec<i64>,
    now: Timestamp,
) -> ManagedArticleSummary {
    ManagedArticleSummary {
        id: row.id,
        section_id: row.section_id,
        also_in,
        source: row.source(),
        status: row.status_at(now).as_str(),
        slug: row.slug,
        title: row.title,
        subtitle: row.subtitle,
        short_title: row.short_title,
        summary: row.summary,
        author: row.author,
        editor: row.editor,
        keywords: row.keywords.0,
        tags: row.tags.0,
        cover: row.cover.map(|cover| cover.0),
        lang: row.lang,
        external_url: row.external_url,
        canonical_url: details.canonical_url,
        attachments: details.attachments.0,
        seo: details.seo.map(|seo| seo.0),
        legacy_urls: details.legacy_urls.0,
        external_id: row.external_id,
        featured: row.featured,
        pinned_until: row.pinned_until,
        published_at: row.published_at,
        expires_at: row.expires_at,
        word_count: row.word_count,
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

/// A whole article as its editors see it.
pub fn managed(stored: super::store::Stored, now: Timestamp) -> ManagedArticle {
    let mut details = stored.details;
    let format = details
        .format
        .take()
        .and_then(|format| BodyFormat::parse(&format));
    let body = format
        .zip(details.source.take())
        .map(|(format, content)| BodySource {
            format: format.as_str(),
            content,
        });
    ManagedArticle::new(
        managed_summary(stored.row, details, stored.also_in, now),
        body,
    )
}
