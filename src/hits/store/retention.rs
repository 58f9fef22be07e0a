//! What becomes of counts with time: days are rolled up into months, rankings follow the day, and what the
//! rules of counting no longer need is deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::clock::SiteZone;
use crate::db::rows::{Cell, Column, Met, Table};
use crate::db::schema::{hit_days, hit_log, hit_months, hit_nodes, hit_salts, hit_totals};
use crate::db::{Conn, Timestamp, dialect};
use crate::each;
use crate::hits::rules::HIT_ID_SECONDS;

use super::counts::{first_day, windows_of};
use super::fold::{DAY, HOURS, Ledger, Listed, MONTH, Sums, add_sums, ledger_rows, write_ledgers};
use super::log::first_of;
use super::series::month_of;

/// How many rows are deleted in one go.
const TIDY_ROWS: usize = 10_000;
/// How many rows are rolled up or ranked again in one go.
const PART: i64 = 500;
/// How long a node that tells nothing is taken to be there, in seconds.
const NODE_SECONDS: i64 = 24 * 3600;

/// How long counts are kept in their parts; totals are kept for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Days before they become months; `None`: for good.
    pub days: Option<i64>,
    /// Months before they are deleted; `None`: for good.
    pub months: Option<i64>,
}

/// Deletes hit ids, visits, salts and hours that are past, up to 10,000 of each, and returns how many.
/// Rows that a hit is renewing right now are passed over.
pub fn tidy(
    conn: &mut Conn,
    zone: SiteZone,
    window: Duration,
    now: Timestamp,
) -> QueryResult<usize> {
    let window = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
    let mut deleted = 0;
    for (table, key, seen, age) in [
        ("hit_ids", "hit_id", "seen_at", HIT_ID_SECONDS),
        ("hit_visits", "visitor", "seen_at", window),
        ("hit_hours", "hour", "hour", HOURS * 3600),
    ] {
        let oldest = dialect::instant(conn, now.plus_seconds(-age));
        let skip_locked = dialect::skip_locked(conn);
        let sql = format!(
            "DELETE FROM {table} WHERE (article_id, {key}) IN \
             (SELECT article_id, {key} FROM {table} WHERE {seen} < {oldest} \
              LIMIT {TIDY_ROWS}{skip_locked})"
        );
        deleted += diesel::sql_query(sql).execute(conn)?;
    }
    let yesterday = first_day(zone.day(now), 2);
    let salts =
        diesel::delete(hit_salts::table.filter(hit_salts::day.lt(yesterday))).execute(conn)?;
    Ok(deleted + salts)
}

/// Tells that this node is there, and forgets those that have told nothing for a day and have nothing in
/// the log. `seq` is the node's last flush: where it was forgotten itself, only what it has appended since
/// is not folded in.
pub fn keep_alive(conn: &mut Conn, node: i64, seq: i64, now: Timestamp) -> QueryResult<()> {
    let folded = first_of(conn, node)?.map_or(seq, |first| first - 1);
    each!(conn, c => diesel::insert_into(hit_nodes::table)
        .values((
            hit_nodes::node.eq(node),
            hit_nodes::folded.eq(folded),
            hit_nodes::alive_at.eq(now),
        ))
        .on_conflict(hit_nodes::node)
        .do_update()
        .set(hit_nodes::alive_at.eq(now))
        .execute(c))?;
    let in_log = hit_log::table.select(hit_log::node);
    let gone = hit_nodes::table
        .filter(hit_nodes::node.ne(0))
        .filter(hit_nodes::alive_at.lt(now.plus_seconds(-NODE_SECONDS)))
        .filter(hit_nodes::node.ne_all(in_log));
    diesel::delete(gone).execute(conn)?;
    Ok(())
}

/// Counts the windows of some articles anew whose day is past, and returns how many.
pub fn rank_again(conn: &mut Conn, today: NaiveDate) -> QueryResult<usize> {
    let ids: Vec<i64> = hit_totals::table
        .filter(hit_totals::month.gt(0))
        .filter(hit_totals::day.lt(today))
        .order((hit_totals::day, hit_totals::article_id))
        .limit(PART)
        .select(hit_totals::article_id)
        .load(conn)?;
    let mut windows = windows_of(conn, &ids, today)?;
    let mut ledgers: Vec<Ledger> = ledger_rows(conn, &ids)?.into_values().collect();
    for ledger in &mut ledgers {
        let windows = windows.remove(&ledger.article_id).unwrap_or_default();
        ledger.set_windows(today, windows);
    }
    write_ledgers(conn, &ledgers)?;
    Ok(ledgers.len())
}

/// The table of months.
const MONTHS: Table = Table {
    name: "hit_months",
    columns: &[
        ("article_id", Column::Number),
        ("month", Column::Day),
        ("hits", Column::Number),
        ("visitors", Column::Number),
    ],
    keys: 2,
    met: Met::Added,
};

/// Rolls up some days that are past their time into months, drops the sketches of days that can't change
/// any more, and deletes months that are past theirs. Totals stay. Returns how many rows were dealt with.
pub fn roll_up(conn: &mut Conn, kept: Kept, today: NaiveDate) -> QueryResult<usize> {
    let back = |days: i64| today.checked_sub_signed(chrono::TimeDelta::days(days));
    let mut done = 0;
    if let Some(oldest) = kept.days.and_then(back) {
        let rows: Vec<(i64, NaiveDate, i64, i64)> = hit_days::table
            .filter(hit_days::day.lt(oldest))
            .order((hit_days::day, hit_days::article_id))
            .limit(PART)
            .select((
                hit_days::article_id,
                hit_days::day,
                hit_days::hits,
                hit_days::visitors,
            ))
            .load(conn)?;
        done += rows.len();
        roll_up_rows(conn, &rows)?;
    }
    if let Some(oldest) = back(HIT_ID_SECONDS / 86_400 + 2) {
        let old: Vec<(i64, NaiveDate)> = hit_days::table
            .filter(hit_days::day.between(first_day(oldest, 7), oldest))
            .filter(hit_days::sketch.is_not_null())
            .limit(PART)
            .select((hit_days::article_id, hit_days::day))
            .load(conn)?;
        for (id, day) in &old {
            diesel::update(hit_days::table.find((id, day)))
                .set(hit_days::sketch.eq(None::<Vec<u8>>))
                .execute(conn)?;
        }
        done += old.len();
    }
    if let Some(months) = kept.months {
        done += delete_months(conn, months, today)?;
    }
    Ok(done)
}

fn roll_up_rows(conn: &mut Conn, rows: &[(i64, NaiveDate, i64, i64)]) -> QueryResult<()> {
    let mut months: BTreeMap<(i64, NaiveDate), (i64, i64)> = BTreeMap::new();
    let ids: Vec<i64> = rows.iter().map(|(id, ..)| *id).collect();
    let listed = Listed::of(conn, &ids)?;
    let mut sums = Sums::new();
    for (id, day, hits, visitors) in rows {
        let month = months.entry((*id, month_of(*day))).or_default();
        month.0 += hits;
        month.1 += visitors;
        for section in listed.sections(*id) {
            *sums.entry((*section, DAY, *day)).or_default() -= hits;
            *sums.entry((*section, MONTH, month_of(*day))).or_default() += hits;
        }
        diesel::delete(hit_days::table.find((id, day))).execute(conn)?;
    }
    let months: Vec<Vec<Cell>> = months
        .into_iter()
        .map(|((article_id, month), (hits, visitors))| {
            vec![
                article_id.into(),
                month.into(),
                hits.into(),
                visitors.into(),
            ]
        })
        .collect();
    MONTHS.upsert(conn, &months)?;
    add_sums(conn, sums)
}

fn delete_months(conn: &mut Conn, months: i64, today: NaiveDate) -> QueryResult<usize> {
    let back = chrono::Months::new(u32::try_from(months).unwrap_or(u32::MAX));
    let Some(oldest) = month_of(today).checked_sub_months(back) else {
        return Ok(0);
    };
    let rows: Vec<(i64, NaiveDate, i64)> = hit_months::table
        .filter(hit_months::month.lt(oldest))
        .order((hit_months::month, hit_months::article_id))
        .limit(PART)
        .select((hit_months::article_id, hit_months::month, hit_months::hits))
        .load(conn)?;
    let ids: Vec<i64> = rows.iter().map(|(id, ..)| *id).collect();
    let listed = Listed::of(conn, &ids)?;
    let mut sums = Sums::new();
    for (id, month, hits) in &rows {
        for section in listed.sections(*id) {
            *sums.entry((*section, MONTH, *month)).or_default() -= hits;
        }
        diesel::delete(hit_months::table.find((id, month))).execute(conn)?;
    }
    add_sums(conn, sums)?;
    Ok(rows.len())
}
