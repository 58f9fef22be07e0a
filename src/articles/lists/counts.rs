//! How many public articles there are: of a filter, and of sections.

use std::collections::HashMap;

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use crate::db::schema::listing_counts;
use crate::db::types::UtcTime;
use crate::db::{Conn, Timestamp};
use crate::visibility::{SITE, is_public_sql, listed_not_public};

use super::{Filter, public_listings};

/// How many sections one statement names.
const CHUNK: usize = 500;

/// What a section shows of its articles.
#[derive(Debug, Clone, Copy)]
pub struct SectionCount {
    /// Public articles in it and below it, each counted once.
    pub articles: i64,
    /// When the newest was published.
    pub last_published_at: Timestamp,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    section_id: i64,
    #[diesel(sql_type = BigInt)]
    articles: i64,
    #[diesel(sql_type = Nullable<UtcTime>)]
    newest: Option<Timestamp>,
}

/// The counts of those of these sections that have public articles.
pub fn section_counts(
    conn: &mut Conn,
    section_ids: &[i64],
    now: Timestamp,
) -> QueryResult<HashMap<i64, SectionCount>> {
    let is_public = is_public_sql(conn, now);
    let mut counts = HashMap::new();
    for chunk in section_ids.chunks(CHUNK) {
        let ids: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        // Numbers and instants only: nothing in this statement comes from a client.
        let sql = format!(
            "SELECT section_id, articles, \
               (SELECT published_at FROM listings \
                WHERE listings.section_id = listing_counts.section_id AND {is_public} \
                ORDER BY published_at DESC, article_id DESC LIMIT 1) AS newest \
             FROM listing_counts WHERE section_id IN ({})",
            ids.join(",")
        );
        let rows: Vec<CountRow> = diesel::sql_query(sql).load(conn)?;
        let hidden = hidden_listings(conn, chunk, now)?;
        for row in rows {
            let Some(last_published_at) = row.newest else {
                continue;
            };
            let hidden = hidden.get(&row.section_id).copied().unwrap_or(0);
            let count = SectionCount {
                articles: row.articles - hidden,
                last_published_at,
            };
            counts.insert(row.section_id, count);
        }
    }
    Ok(counts)
}

/// How many listings of these sections are not public yet, or no more.
fn hidden_listings(
    conn: &mut Conn,
    section_ids: &[i64],
    now: Timestamp,
) -> QueryResult<HashMap<i64, i64>> {
    let mut hidden: HashMap<i64, i64> = HashMap::new();
    for (section, _) in listed_not_public(conn, section_ids, now)? {
        *hidden.entry(section).or_default() += 1;
    }
    Ok(hidden)
}

/// How many public articles a filter lets through.
pub fn count(conn: &mut Conn, filter: &Filter, now: Timestamp) -> QueryResult<i64> {
    if !filter.is_only_section() {
        let listings = public_listings(filter, now);
        return listings.select(count_star()).first(conn);
    }
    let section = filter.section.unwrap_or(SITE);
    let listed: Option<i64> = listing_counts::table
        .find(section)
        .select(listing_counts::articles)
        .first(conn)
        .optional()?;
    let hidden = hidden_listings(conn, &[section], now)?;
    Ok(listed.unwrap_or(0) - hidden.get(&section).copied().unwrap_or(0))
}
