//! What the rules of counting keep: hit ids and visits.

use std::collections::HashSet;

use diesel::prelude::*;

use crate::db::schema::{hit_ids, hit_visits};
use crate::db::{Conn, Timestamp, dialect};
use crate::hits::rules::HIT_ID_SECONDS;
use crate::upserted;

/// How many rows one statement writes.
const CHUNK: usize = 1000;

/// A visitor of an article, by its hash.
type Visit = (i64, [u8; 16]);

#[derive(Debug, Insertable)]
#[diesel(table_name = hit_ids, treat_none_as_default_value = false)]
struct IdRow<'a> {
    article_id: i64,
    hit_id: &'a str,
    seen_at: Timestamp,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = hit_visits, treat_none_as_default_value = false)]
struct VisitRow<'a> {
    article_id: i64,
    visitor: &'a [u8],
    seen_at: Timestamp,
}

/// Notes hit ids, given in order, each once; returns those that were not noted within the last 7 days.
pub fn note_hit_ids(
    conn: &mut Conn,
    wanted: &[(i64, &str)],
    now: Timestamp,
) -> QueryResult<HashSet<(i64, String)>> {
    let oldest = now.plus_seconds(-HIT_ID_SECONDS);
    let mut fresh = HashSet::with_capacity(wanted.len());
    for chunk in wanted.chunks(CHUNK) {
        let rows: Vec<IdRow<'_>> = chunk
            .iter()
            .map(|(article_id, hit_id)| IdRow {
                article_id: *article_id,
                hit_id,
                seen_at: now,
            })
            .collect();
        let noted: QueryResult<Vec<(i64, String)>> = upserted!(
            conn,
            &rows,
            |values| dialect::only_where(
                diesel::insert_into(hit_ids::table)
                    .values(values)
                    .on_conflict((hit_ids::article_id, hit_ids::hit_id))
                    .do_update()
                    .set(hit_ids::seen_at.eq(now)),
                hit_ids::seen_at.le(oldest),
            ),
            (hit_ids::article_id, hit_ids::hit_id)
        );
        let noted = noted?;
        fresh.extend(noted);
    }
    Ok(fresh)
}

/// Notes visits, given in order, each once; returns those whose visitor's last counted view was not
/// after `since`.
pub fn note_visits(
    conn: &mut Conn,
    wanted: &[Visit],
    now: Timestamp,
    since: Timestamp,
) -> QueryResult<HashSet<Visit>> {
    let mut fresh = HashSet::with_capacity(wanted.len());
    for chunk in wanted.chunks(CHUNK) {
        let rows: Vec<VisitRow<'_>> = chunk
            .iter()
            .map(|(article_id, visitor)| VisitRow {
                article_id: *article_id,
                visitor,
                seen_at: now,
            })
            .collect();
        let noted: QueryResult<Vec<(i64, Vec<u8>)>> = upserted!(
            conn,
            &rows,
            |values| dialect::only_where(
                diesel::insert_into(hit_visits::table)
                    .values(values)
                    .on_conflict((hit_visits::article_id, hit_visits::visitor))
                    .do_update()
                    .set(hit_visits::seen_at.eq(now)),
                hit_visits::seen_at.le(since),
            ),
            (hit_visits::article_id, hit_visits::visitor)
        );
        let noted = noted?;
        fresh.extend(noted.into_iter().filter_map(of_row));
    }
    Ok(fresh)
}

/// Those of the visits whose visitor's last counted view was after `since`.
pub fn visited(conn: &mut Conn, wanted: &[Visit], since: Timestamp) -> QueryResult<HashSet<Visit>> {
    let mut found = HashSet::new();
    for chunk in wanted.chunks(CHUNK) {
        let articles: HashSet<i64> = chunk.iter().map(|(article, _)| *article).collect();
        let visitors: HashSet<&[u8]> = chunk.iter().map(|(_, visitor)| &visitor[..]).collect();
        let rows: Vec<(i64, Vec<u8>)> = hit_visits::table
            .filter(hit_visits::article_id.eq_any(articles))
            .filter(hit_visits::visitor.eq_any(visitors))
            .filter(hit_visits::seen_at.gt(since))
            .select((hit_visits::article_id, hit_visits::visitor))
            .load(conn)?;
        found.extend(rows.into_iter().filter_map(of_row));
    }
    Ok(found)
}

fn of_row((article_id, visitor): (i64, Vec<u8>)) -> Option<Visit> {
    Some((article_id, visitor.try_into().ok()?))
}
