//! Reading: counts, totals, rankings, series.

use std::collections::HashMap;

use chrono::{Days, NaiveDate};
use diesel::dsl::{max, sql, sum};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date};

use crate::db::schema::{hit_days, hit_totals, listings};
use crate::db::{Conn, Timestamp};
use crate::hits::wire::{DayHits, HitCount, ManagedHitCount};
use crate::visibility::{SITE, is_public};

/// The first day of a window of so many days that ends today.
pub fn first_day(today: NaiveDate, days: u64) -> NaiveDate {
    today.checked_sub_days(Days::new(days - 1)).unwrap_or(today)
}

/// The sum of `hits` over the days from `first` to `today`, as `bigint`.
macro_rules! hits_since {
    ($first:expr, $today:expr) => {
        sql::<BigInt>("CAST(coalesce(sum(CASE WHEN hit_days.day >= ")
            .bind::<Date, _>($first)
            .sql(" AND hit_days.day <= ")
            .bind::<Date, _>($today)
            .sql(" THEN hit_days.hits ELSE 0 END), 0) AS bigint)")
    };
}

/// Views of today, of 7 and of 30 days.
type Windows = (i64, i64, i64);

fn windows(conn: &mut Conn, ids: &[i64], today: NaiveDate) -> QueryResult<HashMap<i64, Windows>> {
    let (week, month) = (first_day(today, 7), first_day(today, 30));
    let rows: Vec<(i64, i64, i64, i64)> = hit_days::table
        .filter(hit_days::article_id.eq_any(ids))
        .filter(hit_days::day.between(month, today))
        .group_by(hit_days::article_id)
        .select((
            hit_days::article_id,
            hits_since!(today, today),
            hits_since!(week, today),
            hits_since!(month, today),
        ))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, d, w, m)| (id, (d, w, m)))
        .collect())
}

/// The counts of these articles, each present.
pub fn counts(
    conn: &mut Conn,
    ids: &[i64],
    today: NaiveDate,
) -> QueryResult<HashMap<i64, HitCount>> {
    let ledgers = ledgers(conn, ids, today)?;
    Ok(ledgers
        .into_iter()
        .map(|(id, ledger)| {
            let count = HitCount {
                article_id: id,
                total: ledger.total,
                today: ledger.today,
                last_7_days: ledger.last_7_days,
                last_30_days: ledger.last_30_days,
                as_of: ledger.as_of,
            };
            (id, count)
        })
        .collect())
}

/// The counts of these articles with their ledgers, each present.
pub fn ledgers(
    conn: &mut Conn,
    ids: &[i64],
    today: NaiveDate,
) -> QueryResult<HashMap<i64, ManagedHitCount>> {
    type Row = (i64, i64, i64, i64, i64, i64, i64, Option<Timestamp>);
    let rows: Vec<Row> = hit_totals::table
        .filter(hit_totals::article_id.eq_any(ids))
        .select((
            hit_totals::article_id,
            hit_totals::baseline,
            hit_totals::counted,
            hit_totals::adjusted,
            hit_totals::duplicate,
            hit_totals::bot,
            hit_totals::rejected,
            hit_totals::last_at,
        ))
        .load(conn)?;
    let mut totals: HashMap<i64, Row> = rows.into_iter().map(|row| (row.0, row)).collect();
    let windows = windows(conn, ids, today)?;
    Ok(ids
        .iter()
        .map(|id| {
            let (_, baseline, counted, adjusted, duplicate, bot, rejected, as_of) =
                totals.remove(id).unwrap_or((*id, 0, 0, 0, 0, 0, 0, None));
            let (today, last_7_days, last_30_days) = windows.get(id).copied().unwrap_or_default();
            let ledger = ManagedHitCount {
                article_id: *id,
                total: baseline + counted + adjusted,
                today,
                last_7_days,
                last_30_days,
                as_of,
                baseline,
                counted,
                adjusted,
                duplicate,
                bot,
                rejected,
                received: counted + duplicate + bot + rejected,
            };
            (*id, ledger)
        })
        .collect())
}

/// The total, as `bigint` on both databases.
fn total_sum() -> diesel::expression::SqlLiteral<BigInt> {
    sql::<BigInt>(
        "CAST(coalesce(sum(hit_totals.baseline + hit_totals.counted + hit_totals.adjusted), 0) AS bigint)",
    )
}

/// All views of what is public in a section and below it; of the whole site for 0.
pub fn section_total(
    conn: &mut Conn,
    section_id: i64,
    now: Timestamp,
) -> QueryResult<(i64, Option<Timestamp>)> {
    hit_totals::table
        .inner_join(listings::table.on(listings::article_id.eq(hit_totals::article_id)))
        .filter(listings::section_id.eq(section_id))
        .filter(is_public(now))
        .select((total_sum(), max(hit_totals::last_at)))
        .first(conn)
}

/// All views of what is public.
pub fn site_total(conn: &mut Conn, now: Timestamp) -> QueryResult<i64> {
    section_total(conn, SITE, now).map(|(total, _)| total)
}

/// Views of today, of 7 and of 30 days of what is public in a section and below it.
pub fn section_windows(
    conn: &mut Conn,
    section_id: i64,
    today: NaiveDate,
    now: Timestamp,
) -> QueryResult<Windows> {
    let (week, month) = (first_day(today, 7), first_day(today, 30));
    hit_days::table
        .inner_join(listings::table.on(listings::article_id.eq(hit_days::article_id)))
        .filter(listings::section_id.eq(section_id))
        .filter(is_public(now))
        .filter(hit_days::day.between(month, today))
        .select((
            hits_since!(today, today),
            hits_since!(week, today),
            hits_since!(month, today),
        ))
        .first(conn)
}

/// Over which time a ranking is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// So many of the site's days, today the last.
    Days(u64),
    /// All time.
    All,
}

/// Ids and views of the most viewed public articles, the most viewed first, the newest first among
/// equals. Articles without a view are left out.
pub fn top(
    conn: &mut Conn,
    section_id: i64,
    window: Window,
    limit: i64,
    today: NaiveDate,
    now: Timestamp,
) -> QueryResult<Vec<(i64, i64)>> {
    match window {
        Window::All => {
            let total = || hit_totals::baseline + hit_totals::counted + hit_totals::adjusted;
            hit_totals::table
                .inner_join(listings::table.on(listings::article_id.eq(hit_totals::article_id)))
                .filter(listings::section_id.eq(section_id))
                .filter(is_public(now))
                .filter(total().gt(0))
                .order((
                    total().desc(),
                    listings::published_at.desc(),
                    listings::article_id.desc(),
                ))
                .limit(limit)
                .select((listings::article_id, total()))
                .load(conn)
        }
        Window::Days(days) => {
            let hits = || sql::<BigInt>("CAST(sum(hit_days.hits) AS bigint)");
            hit_days::table
                .inner_join(listings::table.on(listings::article_id.eq(hit_days::article_id)))
                .filter(listings::section_id.eq(section_id))
                .filter(is_public(now))
                .filter(hit_days::day.between(first_day(today, days), today))
                .filter(hit_days::hits.gt(0))
                .group_by((listings::article_id, listings::published_at))
                .order((
                    sum(hit_days::hits).desc(),
                    listings::published_at.desc(),
                    listings::article_id.desc(),
                ))
                .limit(limit)
                .select((listings::article_id, hits()))
                .load(conn)
        }
    }
}

/// When the last view of these articles was.
pub fn last_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Option<Timestamp>> {
    hit_totals::table
        .filter(hit_totals::article_id.eq_any(ids))
        .select(max(hit_totals::last_at))
        .first(conn)
}

/// Whose views a series is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// One article.
    Article(i64),
    /// What is public in a section and below it; in the whole site for 0.
    Section(i64),
}

/// Views of each day from the first to the last, zero days filled; and when the last view was.
pub fn daily(
    conn: &mut Conn,
    of: Of,
    first: NaiveDate,
    last: NaiveDate,
    now: Timestamp,
) -> QueryResult<(Vec<DayHits>, Option<Timestamp>)> {
    let (rows, as_of): (Vec<(NaiveDate, i64)>, _) = match of {
        Of::Article(id) => {
            let rows = hit_days::table
                .filter(
                    hit_days::article_id
                        .eq(id)
                        .and(hit_days::day.between(first, last)),
                )
                .select((hit_days::day, hit_days::hits))
                .load(conn)?;
            (rows, last_of(conn, &[id])?)
        }
        Of::Section(id) => {
            let rows = hit_days::table
                .inner_join(listings::table.on(listings::article_id.eq(hit_days::article_id)))
                .filter(listings::section_id.eq(id))
                .filter(is_public(now))
                .filter(hit_days::day.between(first, last))
                .group_by(hit_days::day)
                .select((
                    hit_days::day,
                    sql::<BigInt>("CAST(sum(hit_days.hits) AS bigint)"),
                ))
                .load(conn)?;
            (rows, section_total(conn, id, now)?.1)
        }
    };
    let by_day: HashMap<NaiveDate, i64> = rows.into_iter().collect();
    let days = first.iter_days().take_while(|day| *day <= last);
    let data = days
        .map(|day| DayHits {
            day,
            hits: by_day.get(&day).copied().unwrap_or(0),
        })
        .collect();
    Ok((data, as_of))
}
