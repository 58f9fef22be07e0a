//! Every read of articles: which ids, in which order; and what they look like.
//!
//! Lists are read in two steps: the ids of a page from a covering index of `listings` (or, in
//! management, of `articles`), then the rows of those ids.

mod around;
mod counts;
mod keyset;
mod manage;
mod shapes;

use chrono::NaiveDate;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::articles::store::{KEYWORD, TAG};
use crate::db::schema::{article_terms, articles, listings};
use crate::db::{Conn, MultiBackend, Timestamp, among, dialect};
use crate::error::ApiResult;
use crate::hits::store::{Ranking, Window};
use crate::http::paging::{Found, Paging};
use crate::view::View;
use crate::visibility::{SITE, is_public, public_of};
use keyset::{after, found, keyset};

pub use around::{MAX_RELATED, archive, neighbors, newest_in_each, related, tags};
pub use counts::{SectionCount, count, section_counts};
pub use manage::{ManagedFilter, ManagedSort, managed_articles, managed_page_ids};
pub use shapes::{Include, article, changed, managed, managed_summaries, previewed, summaries};

/// Which articles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
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
    /// Whether it lets through all that is public in a section and below it, or in the site.
    pub fn is_only_section(&self) -> bool {
        let Self {
            section: _,
            direct,
            tag,
            keyword,
            source,
            author,
            lang,
            featured,
            pinned,
            published_from,
            published_before,
            ids,
        } = self;
        let texts = [tag, keyword, source, author, lang];
        let times = [published_from, published_before];
        !direct
            && texts.iter().all(|text| text.is_none())
            && times.iter().all(|time| time.is_none())
            && (featured.is_none() && pinned.is_none() && ids.is_none())
    }

    /// Whether it lets through all that is public.
    pub fn is_everything(&self) -> bool {
        self.section.is_none() && self.is_only_section()
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
    /// By all views.
    Hits(Direction),
    /// By the views of today and the 6 days before.
    LastWeek(Direction),
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
        ("hits", Self::Hits(Direction::Ascending)),
        ("-hits", Self::Hits(Direction::Descending)),
        ("last_7_days", Self::LastWeek(Direction::Ascending)),
        ("-last_7_days", Self::LastWeek(Direction::Descending)),
        ("section_order", Self::SectionOrder),
    ];

    /// The value of `sort`.
    pub fn name(self) -> &'static str {
        Self::CHOICES
            .iter()
            .find(|(_, sort)| *sort == self)
            .map_or("", |(name, _)| name)
    }

    /// Whether it is by counts, which change with each hit.
    pub fn is_by_views(self) -> bool {
        matches!(self, Self::Hits(_) | Self::LastWeek(_))
    }

    /// Whether lists sorted that way have cursors.
    pub fn has_cursor(self) -> bool {
        !self.is_by_views() && self != Self::SectionOrder
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
        let in_lang = articles::table
            .filter(articles::lang.eq(lang))
            .select(articles::id);
        query = query.filter(listings::article_id.eq_any(in_lang));
    }
    if let Some(featured) = filter.featured {
        let those = articles::table.filter(articles::featured.eq(true));
        query = match featured {
            true => query.filter(listings::article_id.eq_any(those.select(articles::id))),
            false => query.filter(not(exists(
                those.filter(articles::id.eq(listings::article_id)),
            ))),
        };
    }
    if let Some(pinned) = filter.pinned {
        let those = articles::table.filter(articles::pinned_until.gt(now));
        query = match pinned {
            true => query.filter(listings::article_id.eq_any(those.select(articles::id))),
            false => query.filter(not(exists(
                those.filter(articles::id.eq(listings::article_id)),
            ))),
        };
    }
    query
}

/// A page of ids of public articles, on a day of the site.
pub fn page_ids(
    conn: &mut Conn,
    filter: &Filter,
    sort: Sort,
    paging: &Paging,
    at: (NaiveDate, &View),
) -> ApiResult<Found<i64>> {
    let (_, view) = at;
    let now = view.now;
    let total = if paging.exact {
        Some(view.total(conn, filter)?)
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
        Sort::Hits(_) | Sort::LastWeek(_) | Sort::SectionOrder => {
            let mut items = match sort {
                Sort::Hits(way) => by_views(conn, (filter, Window::All), way, (limit, offset), at)?,
                Sort::LastWeek(way) => {
                    by_views(conn, (filter, Window::Week), way, (limit, offset), at)?
                }
                _ => section_order_ids(conn, filter, limit, offset, now)?,
            };
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

/// Ids of a page by views. What has none comes last, or first.
fn by_views(
    conn: &mut Conn,
    (filter, window): (&Filter, Window),
    direction: Direction,
    (limit, offset): (i64, i64),
    (today, view): (NaiveDate, &View),
) -> QueryResult<Vec<i64>> {
    let ranking = Ranking {
        filter,
        window,
        today,
        now: view.now,
    };
    match direction {
        Direction::Descending => ranking.slice(conn, offset, limit),
        Direction::Ascending => {
            // The same order from its other end.
            let end = (view.total(conn, filter)? - offset).max(0);
            let start = (end - limit).max(0);
            let mut ids = ranking.slice(conn, start, end - start)?;
            ids.reverse();
            Ok(ids)
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

/// Ids in a section's own order. The few that are pinned or have a position are read and sorted
/// first; the rest follows by date.
fn section_order_ids(
    conn: &mut Conn,
    filter: &Filter,
    limit: i64,
    offset: i64,
    now: Timestamp,
) -> QueryResult<Vec<i64>> {
    let mut front = front(conn, filter, now)?;
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

/// An article that is pinned or has a position: until when, which, and its date.
type Front = (i64, Option<Timestamp>, Option<i64>, Timestamp);

/// What is pinned in a section or has a position in it, of what a filter lets through.
fn front(conn: &mut Conn, filter: &Filter, now: Timestamp) -> QueryResult<Vec<Front>> {
    let ids = front_ids(conn, filter.section.unwrap_or(SITE))?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    public_listings(filter, now)
        .filter(among(listings::article_id, &ids))
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
        .load(conn)
}

/// The articles that are pinned in a section or have a position in it, or were: few of however many.
fn front_ids(conn: &mut Conn, section_id: i64) -> QueryResult<Vec<i64>> {
    #[derive(QueryableByName)]
    struct FrontRow {
        #[diesel(sql_type = BigInt)]
        article_id: i64,
    }
    // SQLite would rather walk the whole section.
    let index = dialect::by_index(conn, "listings_front");
    let sql = format!(
        "SELECT article_id FROM listings{index} WHERE section_id = {section_id} \
         AND (pinned_until IS NOT NULL OR position IS NOT NULL)"
    );
    let rows: Vec<FrontRow> = diesel::sql_query(sql).load(conn)?;
    Ok(rows.into_iter().map(|row| row.article_id).collect())
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
    let public = public_of(conn, SITE, ids, now)?;
    Ok(ids
        .iter()
        .copied()
        .filter(|id| public.contains(id))
        .collect())
}

/// Those of the ids that are to be public at an instant ahead.
pub fn public_later(conn: &mut Conn, ids: &[i64], now: Timestamp) -> QueryResult<Vec<i64>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    listings::table
        .filter(
            listings::section_id
                .eq(SITE)
                .and(listings::article_id.eq_any(ids)),
        )
        .filter(listings::published_at.gt(now))
        .select(listings::article_id)
        .load(conn)
}
