//! Series: views by hours, days and months, those without a view filled in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{Datelike, Months, NaiveDate};
use diesel::dsl::max;
use diesel::prelude::*;

use crate::clock::SiteZone;
use crate::db::schema::{hit_days, hit_hours, hit_months, hit_totals, listings};
use crate::db::{Conn, Timestamp};
use crate::hits::wire::{DayHits, HourHits, MonthHits};
use crate::visibility::{is_public, public_of};

use super::counts::{CHUNK, article_days, hidden_in, pending_within};
use super::fold::{DAY, MONTH, sums_of};
use super::log::Delta;
use super::pending::pending_of;

use super::ranks::folded_last_of;

/// Whose views a series is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// One article.
    Article(i64),
    /// What is public in a section and below it; in the whole site for 0.
    Section(i64),
}

impl Of {
    fn pending(self, conn: &mut Conn, now: Timestamp) -> QueryResult<HashMap<i64, Delta>> {
        match self {
            Self::Article(id) => pending_of(conn, &[id]),
            Self::Section(id) => pending_within(conn, id, now),
        }
    }

    /// When the last view was; `pending` is what stands in the log of them.
    pub fn last(
        self,
        conn: &mut Conn,
        pending: &HashMap<i64, Delta>,
        now: Timestamp,
    ) -> QueryResult<Option<Timestamp>> {
        let folded = match self {
            Self::Article(id) => folded_last_of(conn, &[id])?,
            Self::Section(id) => folded_last(conn, id, now)?,
        };
        Ok(folded.max(pending.values().filter_map(Delta::last_at).max()))
    }
}

/// A series, and when the last view was.
pub type Series<T> = (Vec<T>, Option<Timestamp>);

/// Views of each day from the first to the last, with visitors where they are an article's.
pub fn daily(
    conn: &mut Conn,
    of: Of,
    first: NaiveDate,
    last: NaiveDate,
    now: Timestamp,
) -> QueryResult<Series<DayHits>> {
    let pending = of.pending(conn, now)?;
    let mut hits: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    let mut visitors: HashMap<NaiveDate, i64> = HashMap::new();
    match of {
        Of::Article(id) => {
            (hits, visitors) = article_days(conn, &pending, id, first, last)?;
        }
        Of::Section(id) => {
            add_all(&mut hits, sums_of(conn, id, DAY, first, last)?, 1);
            let hidden = hidden_in(conn, id, now)?;
            for chunk in hidden.chunks(CHUNK) {
                let rows: Vec<(NaiveDate, i64)> = hit_days::table
                    .filter(hit_days::article_id.eq_any(chunk))
                    .filter(hit_days::day.between(first, last))
                    .select((hit_days::day, hit_days::hits))
                    .load(conn)?;
                add_all(&mut hits, rows, -1);
            }
        }
    }
    for views in pending.values().flat_map(|delta| &delta.views) {
        *hits.entry(views.day()).or_default() += views.hits;
    }
    let days = first.iter_days().take_while(|day| *day <= last);
    let data = days.map(|day| DayHits {
        day,
        hits: hits.get(&day).copied().unwrap_or(0),
        visitors: match of {
            Of::Article(_) => Some(visitors.get(&day).copied().unwrap_or(0)),
            Of::Section(_) => None,
        },
    });
    Ok((data.collect(), of.last(conn, &pending, now)?))
}

fn add_all(hits: &mut BTreeMap<NaiveDate, i64>, rows: Vec<(NaiveDate, i64)>, sign: i64) {
    for (slot, number) in rows {
        *hits.entry(slot).or_default() += sign * number;
    }
}

/// The first day of a day's month.
pub fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// Views of each month from the first to the last, each named by its first day. Days that were rolled up
/// and days that were not are added up.
pub fn monthly(
    conn: &mut Conn,
    of: Of,
    first: NaiveDate,
    last: NaiveDate,
    now: Timestamp,
) -> QueryResult<Series<MonthHits>> {
    let end = last.checked_add_months(Months::new(1)).unwrap_or(last);
    let (days, as_of) = daily(conn, of, first, end.pred_opt().unwrap_or(end), now)?;
    let mut hits: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    for day in days {
        *hits.entry(month_of(day.day)).or_default() += day.hits;
    }
    let of_articles = |conn: &mut Conn, ids: &[i64]| -> QueryResult<Vec<(NaiveDate, i64)>> {
        hit_months::table
            .filter(hit_months::article_id.eq_any(ids))
            .filter(hit_months::month.between(first, last))
            .select((hit_months::month, hit_months::hits))
            .load(conn)
    };
    match of {
        Of::Article(id) => add_all(&mut hits, of_articles(conn, &[id])?, 1),
        Of::Section(id) => {
            add_all(&mut hits, sums_of(conn, id, MONTH, first, last)?, 1);
            for chunk in hidden_in(conn, id, now)?.chunks(CHUNK) {
                add_all(&mut hits, of_articles(conn, chunk)?, -1);
            }
        }
    }
    let data = hits.into_iter().map(|(month, hits)| MonthHits {
        month: month.format("%Y-%m").to_string(),
        hits,
    });
    Ok((data.collect(), as_of))
}

/// Views of each of the last so many hours of the site's clocks, the present one the last.
pub fn hourly(
    conn: &mut Conn,
    of: Of,
    number: i64,
    zone: SiteZone,
    now: Timestamp,
) -> QueryResult<Series<HourHits>> {
    let hours = zone.hours_until(now, number);
    let first = hours.first().copied().unwrap_or(now);
    let mut hits: BTreeMap<Timestamp, i64> = hours.iter().map(|hour| (*hour, 0)).collect();
    let recent = || hit_hours::table.filter(hit_hours::hour.ge(first));
    let rows: Vec<(i64, Timestamp, i64)> = match of {
        Of::Article(id) => recent().filter(hit_hours::article_id.eq(id)).load(conn)?,
        Of::Section(section) => {
            let mut rows: Vec<(i64, Timestamp, i64)> = recent().load(conn)?;
            let ids: BTreeSet<i64> = rows.iter().map(|(id, ..)| *id).collect();
            let ids: Vec<i64> = ids.into_iter().collect();
            let public: HashSet<i64> = public_of(conn, section, &ids, now)?.into_iter().collect();
            rows.retain(|(id, ..)| public.contains(id));
            rows
        }
    };
    let pending = of.pending(conn, now)?;
    let of_log = pending.values().flat_map(|delta| &delta.views);
    let of_log = of_log.filter_map(|views| Some((views.hour()?, views.hits)));
    for (hour, number) in rows.into_iter().map(|(_, hour, n)| (hour, n)).chain(of_log) {
        if let Some(hits) = hits.get_mut(&hour) {
            *hits += number;
        }
    }
    let data = hits.into_iter().map(|(hour, hits)| HourHits { hour, hits });
    Ok((data.collect(), of.last(conn, &pending, now)?))
}

/// How many of the last viewed articles of the site are looked at for a section, before all of the
/// section's are.
const MAX_WALK: i64 = 2000;
/// How many are looked at in one go.
const PAGE: i64 = 500;

/// When the last view in the ledger of what is public in a section was; in the whole site for 0.
fn folded_last(conn: &mut Conn, section_id: i64, now: Timestamp) -> QueryResult<Option<Timestamp>> {
    let last_at = hit_totals::last_at.assume_not_null();
    for offset in (0..MAX_WALK).step_by(PAGE as usize) {
        let rows: Vec<(i64, Timestamp)> = hit_totals::table
            .filter(hit_totals::last_at.is_not_null())
            .order((hit_totals::last_at.desc(), hit_totals::article_id.desc()))
            .limit(PAGE)
            .offset(offset)
            .select((hit_totals::article_id, last_at))
            .load(conn)?;
        let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
        let public = public_of(conn, section_id, &ids, now)?;
        if let Some((_, at)) = rows.iter().find(|(id, _)| public.contains(id)) {
            return Ok(Some(*at));
        }
        if i64::try_from(rows.len()).unwrap_or(PAGE) < PAGE {
            return Ok(None);
        }
    }
    hit_totals::table
        .inner_join(listings::table.on(listings::article_id.eq(hit_totals::article_id)))
        .filter(listings::section_id.eq(section_id))
        .filter(is_public(now))
        .select(max(hit_totals::last_at))
        .first(conn)
}
