//! What stands around articles: the newest of sections, neighbours, related ones, months, tags.

use std::collections::HashMap;

use diesel::dsl::{count_star, min};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::clock::{Month, SiteZone};
use crate::db::schema::{article_terms, articles, listings};
use crate::db::types::UtcTime;
use crate::db::{Conn, Timestamp, dialect};
use crate::error::ApiResult;
use crate::visibility::{SITE, is_public, is_public_sql};

use super::{Direction, Filter, by_published_at, public_among, public_listings};
use crate::articles::store::{self, KEYWORD, TAG};
use crate::articles::wire::{ArchiveMonth, TagCount};

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

/// The section of an article, and ids of those published just before and just after it there.
pub fn neighbors(conn: &mut Conn, id: i64, now: Timestamp) -> ApiResult<(i64, [Option<i64>; 2])> {
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
    let both = [
        beside(Direction::Descending)?,
        beside(Direction::Ascending)?,
    ];
    Ok((section, both))
}

/// The most related articles that are found.
pub const MAX_RELATED: i64 = 100;

/// How many of those that share tags or key words are looked at.
const CANDIDATES: usize = 1000;

/// Ids of related articles: those that were set by hand first, in order; then those that share most
/// tags and key words, newer before older; then the newest of the same section.
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
    let by_hand = store::related(conn, &[id])?.remove(&id).unwrap_or_default();
    let mut ids = public_among(conn, &by_hand, now)?;
    let shared = ranked.into_iter().map(|(.., id)| id);
    ids.extend(shared.filter(|id| !by_hand.contains(id)));
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
    // Numbers and instants only: nothing in this statement comes from a client. A cross join keeps
    // SQLite from walking the months once for each listing; the month's end stands before the
    // predicate's "not later than now", so that it is the one that ends the range of the index.
    let sql = format!(
        "WITH months (month, begins, ends) AS (VALUES {}) \
         SELECT CAST(months.month AS bigint) AS month, count(*) AS articles FROM months \
         CROSS JOIN listings \
         WHERE listings.section_id = {section} \
           AND listings.published_at >= months.begins AND listings.published_at < months.ends \
           AND {is_public} \
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
