//! Reading counts: of articles, of sections, of the site. Each is what the ledger has and what stands in
//! the log.

use std::collections::{BTreeMap, HashMap};

use chrono::{Days, NaiveDate};
use diesel::prelude::*;

use crate::db::schema::hit_days;
use crate::db::{Conn, Timestamp, among};
use crate::hits::wire::{Clients, HitCount, ManagedHitCount, Visitors};
use crate::visibility::{SITE, listed_not_public, public_of};

use super::fold::{DAY, Ledger, TOTAL, WHOLE, ledger_rows, sums_of, with_visitors};
use super::log::Delta;
use super::pending::{pending, pending_of, pending_of_now};

use super::series::Of;

/// The first day of a window of so many days that ends today.
pub fn first_day(today: NaiveDate, days: u64) -> NaiveDate {
    today.checked_sub_days(Days::new(days - 1)).unwrap_or(today)
}

/// How many ids one statement names.
pub const CHUNK: usize = 500;

/// Views of today, of 7 and of 30 days.
pub type Windows = (i64, i64, i64);

/// A day's views and visitors of an article, as the ledger has them.
#[derive(Debug, Queryable)]
struct Day {
    article_id: i64,
    day: NaiveDate,
    hits: i64,
    visitors: i64,
}

/// Days of these articles, from one to another.
fn days_between(
    conn: &mut Conn,
    ids: &[i64],
    first: NaiveDate,
    last: NaiveDate,
) -> QueryResult<Vec<Day>> {
    let mut days = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<Day> = hit_days::table
            .filter(among(hit_days::article_id, chunk))
            .filter(hit_days::day.between(first, last))
            .select((
                hit_days::article_id,
                hit_days::day,
                hit_days::hits,
                hit_days::visitors,
            ))
            .load(conn)?;
        days.extend(rows);
    }
    Ok(days)
}

/// The views of these articles in the ledger, of today, of 7 and of 30 days; those without any are left
/// out.
pub fn windows_of(
    conn: &mut Conn,
    ids: &[i64],
    today: NaiveDate,
) -> QueryResult<HashMap<i64, Windows>> {
    let week = first_day(today, 7);
    let mut windows: HashMap<i64, Windows> = HashMap::new();
    for day in days_between(conn, ids, first_day(today, 30), today)? {
        let (of_day, of_week, of_month) = windows.entry(day.article_id).or_default();
        *of_month += day.hits;
        if day.day >= week {
            *of_week += day.hits;
        }
        if day.day == today {
            *of_day += day.hits;
        }
    }
    Ok(windows)
}

/// All views and those of today of these articles, each present, just as the transaction
/// sees them.
pub fn totals(
    conn: &mut Conn,
    ids: &[i64],
    today: NaiveDate,
) -> QueryResult<HashMap<i64, (i64, i64)>> {
    let pending = pending_of_now(conn, ids)?;
    let mut totals = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let ledgers = ledger_rows(conn, chunk)?;
        let past = |id: &&i64| ledgers.get(id).is_some_and(|ledger| ledger.day != today);
        let past: Vec<i64> = chunk.iter().filter(past).copied().collect();
        let windows = windows_of(conn, &past, today)?;
        for id in chunk {
            let (mut total, mut of_today) = match ledgers.get(id) {
                Some(ledger) if ledger.day == today => (ledger.total, ledger.today),
                Some(ledger) => (ledger.total, windows.get(id).map_or(0, |w| w.0)),
                None => (0, 0),
            };
            if let Some(delta) = pending.get(id) {
                total += delta.counted();
                of_today += delta.between(today, today);
            }
            totals.insert(*id, (total, of_today));
        }
    }
    Ok(totals)
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
        .map(|(id, ledger)| (id, ledger.into()))
        .collect())
}

/// The counts of these articles with their ledgers, each present.
pub fn ledgers(
    conn: &mut Conn,
    ids: &[i64],
    today: NaiveDate,
) -> QueryResult<HashMap<i64, ManagedHitCount>> {
    let pending = pending_of(conn, ids)?;
    let mut stored = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        stored.extend(ledger_rows(conn, chunk)?);
    }
    let days = days_between(conn, ids, first_day(today, 30), today)?;
    let visitors = visitors_of_days(conn, &pending, &days)?;
    let mut windows: HashMap<i64, (Windows, Windows)> = HashMap::new();
    let hits = days
        .iter()
        .map(|day| (day.article_id, day.day, day.hits, 0));
    let visitors = visitors
        .into_iter()
        .map(|((id, day), visitors)| (id, day, 0, visitors));
    let of_log = pending.values().flat_map(|delta| {
        delta
            .views
            .iter()
            .map(|views| (delta.article_id, views.day(), views.hits, 0))
    });
    for (id, day, hits, visitors) in hits.chain(visitors).chain(of_log) {
        let (views, people) = windows.entry(id).or_default();
        for (window, number) in [(views, hits), (people, visitors)] {
            if (first_day(today, 30)..=today).contains(&day) {
                window.2 += number;
            }
            if (first_day(today, 7)..=today).contains(&day) {
                window.1 += number;
            }
            if day == today {
                window.0 += number;
            }
        }
    }
    Ok(ids
        .iter()
        .map(|id| {
            let zero = Ledger::zero(*id, today);
            let mut ledger = stored.remove(id).unwrap_or(zero);
            if let Some(delta) = pending.get(id) {
                ledger.add(delta);
            }
            let (views, people) = windows.get(id).copied().unwrap_or_default();
            (*id, managed(&ledger, views, people))
        })
        .collect())
}

/// Views in the ledger of each of an article's days, and its visitors, those whose views stand in the log
/// among them.
pub fn article_days(
    conn: &mut Conn,
    pending: &HashMap<i64, Delta>,
    id: i64,
    first: NaiveDate,
    last: NaiveDate,
) -> QueryResult<(BTreeMap<NaiveDate, i64>, HashMap<NaiveDate, i64>)> {
    let days = days_between(conn, &[id], first, last)?;
    let visitors = visitors_of_days(conn, pending, &days)?;
    Ok((
        days.into_iter().map(|day| (day.day, day.hits)).collect(),
        visitors.into_iter().map(|((_, day), n)| (day, n)).collect(),
    ))
}

/// Visitors of days, those whose views stand in the log among them.
fn visitors_of_days(
    conn: &mut Conn,
    pending: &HashMap<i64, Delta>,
    days: &[Day],
) -> QueryResult<HashMap<(i64, NaiveDate), i64>> {
    let mut visitors: HashMap<(i64, NaiveDate), i64> = days
        .iter()
        .map(|day| ((day.article_id, day.day), day.visitors))
        .collect();
    let mut new: HashMap<(i64, NaiveDate), Vec<u64>> = HashMap::new();
    for delta in pending.values() {
        for views in delta.views.iter().filter(|v| !v.visitors.is_empty()) {
            let of_day = new.entry((delta.article_id, views.day())).or_default();
            of_day.extend(&views.visitors);
        }
    }
    let ids: Vec<i64> = new.keys().map(|(id, _)| *id).collect();
    for chunk in ids.chunks(CHUNK) {
        let days: Vec<NaiveDate> = new.keys().map(|(_, day)| *day).collect();
        let sketches: Vec<(i64, NaiveDate, Option<Vec<u8>>)> = hit_days::table
            .filter(among(hit_days::article_id, chunk))
            .filter(hit_days::day.eq_any(days))
            .select((hit_days::article_id, hit_days::day, hit_days::sketch))
            .load(conn)?;
        for (id, day, sketch) in sketches {
            if let Some(people) = new.remove(&(id, day)) {
                let (number, _) = with_visitors(sketch.as_deref(), &people)?;
                visitors.insert((id, day), number);
            }
        }
    }
    for (key, people) in new {
        visitors.insert(key, with_visitors(None, &people)?.0);
    }
    Ok(visitors)
}

fn managed(ledger: &Ledger, views: Windows, people: Windows) -> ManagedHitCount {
    ManagedHitCount {
        article_id: ledger.article_id,
        total: ledger.total,
        today: views.0,
        last_7_days: views.1,
        last_30_days: views.2,
        as_of: ledger.last_at,
        visitors: Visitors {
            today: people.0,
            last_7_days: people.1,
            last_30_days: people.2,
        },
        baseline: ledger.baseline,
        counted: ledger.counted,
        adjusted: ledger.adjusted,
        duplicate: ledger.duplicate,
        bot: ledger.bot,
        rejected: ledger.rejected,
        received: ledger.counted + ledger.duplicate + ledger.bot + ledger.rejected,
        clients: Clients {
            web: ledger.web,
            h5: ledger.h5,
            app: ledger.app,
            mini: ledger.mini,
            other: ledger.other,
        },
    }
}

impl From<ManagedHitCount> for HitCount {
    fn from(count: ManagedHitCount) -> Self {
        Self {
            article_id: count.article_id,
            total: count.total,
            today: count.today,
            last_7_days: count.last_7_days,
            last_30_days: count.last_30_days,
            as_of: count.as_of,
            visitors: count.visitors,
        }
    }
}

/// What stands in the log of what is public in a section.
pub fn pending_within(
    conn: &mut Conn,
    section_id: i64,
    now: Timestamp,
) -> QueryResult<HashMap<i64, Delta>> {
    let mut pending = pending(conn)?;
    let ids: Vec<i64> = pending.keys().copied().collect();
    let public = public_of(conn, section_id, &ids, now)?;
    Ok(public
        .into_iter()
        .filter_map(|id| Some((id, pending.remove(&id)?)))
        .collect())
}

/// Articles that are listed in a section and not public at this instant: sums include them.
pub fn hidden_in(conn: &mut Conn, section_id: i64, now: Timestamp) -> QueryResult<Vec<i64>> {
    let hidden = listed_not_public(conn, &[section_id], now)?.into_iter();
    Ok(hidden.map(|(_, article)| article).collect())
}

/// Views of what is public in a section and below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionViews {
    /// All of them.
    pub total: i64,
    /// Those of today, of 7 and of 30 days.
    pub windows: Windows,
    /// When the last one was.
    pub last_at: Option<Timestamp>,
}

/// Views of what is public in a section and below it; in the whole site for 0.
pub fn section_views(
    conn: &mut Conn,
    section_id: i64,
    today: NaiveDate,
    now: Timestamp,
) -> QueryResult<SectionViews> {
    let pending = pending_within(conn, section_id, now)?;
    let hidden = hidden_in(conn, section_id, now)?;
    let of_hidden = windows_of(conn, &hidden, today)?;
    let days = sums_of(conn, section_id, DAY, first_day(today, 30), today)?;
    let window = |days_back: u64, of: fn(&Windows) -> i64| -> i64 {
        let first = first_day(today, days_back);
        let within = days.iter().filter(|(day, _)| *day >= first);
        let listed: i64 = within.map(|(_, hits)| hits).sum();
        let not_public: i64 = of_hidden.values().map(of).sum();
        let log = pending.values().map(|delta| delta.between(first, today));
        listed - not_public + log.sum::<i64>()
    };
    Ok(SectionViews {
        windows: (window(1, |w| w.0), window(7, |w| w.1), window(30, |w| w.2)),
        total: total_of(conn, section_id, &hidden, &pending)?,
        last_at: Of::Section(section_id).last(conn, &pending, now)?,
    })
}

/// All views of what is public in a section, less `hidden`, which is listed there and not public.
fn total_of(
    conn: &mut Conn,
    section_id: i64,
    hidden: &[i64],
    pending: &HashMap<i64, Delta>,
) -> QueryResult<i64> {
    let listed = sums_of(conn, section_id, TOTAL, WHOLE, WHOLE)?;
    let mut total: i64 = listed.into_iter().map(|(_, hits)| hits).sum();
    for chunk in hidden.chunks(CHUNK) {
        let hidden = ledger_rows(conn, chunk)?;
        total -= hidden.values().map(|ledger| ledger.total).sum::<i64>();
    }
    Ok(total + pending.values().map(Delta::counted).sum::<i64>())
}

/// All views of what is public.
pub fn site_total(conn: &mut Conn, now: Timestamp) -> QueryResult<i64> {
    let pending = pending_within(conn, SITE, now)?;
    let hidden = hidden_in(conn, SITE, now)?;
    total_of(conn, SITE, &hidden, &pending)
}
