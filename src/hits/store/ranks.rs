//! Rankings.
//!
//! The ledger's indexes have the articles by their views of a window. A row whose day is past is too high
//! there, never too low: so the articles are gone through from the top, each is counted exactly, and the
//! end is reached when no row below can be better than what was found. What stands in the log is added
//! before.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use diesel::dsl::max;
use diesel::prelude::*;

use crate::articles::lists::{Filter, public_listings};
use crate::db::schema::{hit_totals, listings};
use crate::db::{Conn, MultiBackend, Timestamp, among};
use crate::visibility::{SITE, public_of};

use super::counts::{CHUNK, Windows, first_day, windows_of};
use super::fold::ledger_rows;
use super::log::Delta;
use super::pending::{pending, pending_of};

/// Over which time a ranking is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Today.
    Today,
    /// Today and the 6 days before.
    Week,
    /// Today and the 29 days before.
    Month,
    /// All time.
    All,
}

impl Window {
    fn days(self) -> Option<u64> {
        match self {
            Self::Today => Some(1),
            Self::Week => Some(7),
            Self::Month => Some(30),
            Self::All => None,
        }
    }

    fn of(self, (today, week, month): Windows) -> i64 {
        match self {
            Self::Today => today,
            Self::Week => week,
            Self::Month | Self::All => month,
        }
    }

    fn of_delta(self, delta: &Delta, today: NaiveDate) -> i64 {
        match self.days() {
            Some(days) => delta.between(first_day(today, days), today),
            None => delta.counted(),
        }
    }
}

/// How many rows are looked at in one go.
const PAGE: i64 = 500;
/// How many rows of the whole site are gone through for a section before all of the section's own are
/// read.
const MAX_WALK: i64 = 5000;
/// How many articles a section may have that is not walked for.
const SMALL: i64 = 1000;

/// A row of the ranking: views as the index has them, article, day of its windows.
type Ranked = (i64, i64, NaiveDate);

/// The rows of the ledger below one, by a column.
macro_rules! below {
    ($query:expr, $column:expr, $after:expr, $limit:expr) => {{
        let id = hit_totals::article_id;
        let mut query = $query.filter($column.gt(0));
        if let Some((value, article)) = $after {
            query = query
                .filter($column.le(value))
                .filter($column.lt(value).or(id.lt(article)));
        }
        query
            .order(($column.desc(), id.desc()))
            .limit($limit)
            .select(($column, id, hit_totals::day))
    }};
}

/// What is ranked.
#[derive(Debug)]
pub struct Ranking<'a> {
    /// Which articles.
    pub filter: &'a Filter,
    /// Over which time.
    pub window: Window,
    /// The site's day.
    pub today: NaiveDate,
    /// Now.
    pub now: Timestamp,
}

impl Ranking<'_> {
    /// Views and ids of the best so many articles, those with most views first, the later made first
    /// among equals. Articles without a view are left out.
    pub fn best(&self, conn: &mut Conn, wanted: usize) -> QueryResult<Vec<(i64, i64)>> {
        let pending = self.pending(conn)?;
        let mut best: BTreeSet<Reverse<(i64, i64)>> = BTreeSet::new();
        for (id, value) in &pending {
            best.insert(Reverse((*value, *id)));
        }
        best.retain(|Reverse((value, _))| *value > 0);
        let mut after = None;
        let mut left = match (self.filter.is_everything(), self.filter.is_only_section()) {
            (true, _) => i64::MAX,
            (_, true) if !self.is_small(conn)? => MAX_WALK,
            _ => 0,
        };
        loop {
            let is_walked = left > 0;
            let rows = match is_walked {
                true => self.page(conn, after)?,
                false => self.rest(conn, after)?,
            };
            let last = rows.last().map(|(value, id, _)| (*value, *id));
            let is_end = !is_walked || i64::try_from(rows.len()).unwrap_or(PAGE) < PAGE;
            let rows = rows
                .into_iter()
                .filter(|(_, id, _)| !pending.contains_key(id));
            for (value, id) in self.exact(conn, rows.collect(), is_walked)? {
                best.insert(Reverse((value, id)));
            }
            while best.len() > wanted {
                best.pop_last();
            }
            let worst = best.last().map(|Reverse(ranked)| *ranked);
            if is_end || (best.len() == wanted && worst >= last) {
                break;
            }
            after = last;
            left -= PAGE;
        }
        Ok(best
            .into_iter()
            .take(wanted)
            .map(|Reverse(ranked)| ranked)
            .collect())
    }

    /// Whether the section has so few articles that reading them all is the shorter way.
    fn is_small(&self, conn: &mut Conn) -> QueryResult<bool> {
        let some: Vec<i64> = listings::table
            .filter(listings::section_id.eq(self.filter.section.unwrap_or(SITE)))
            .limit(SMALL + 1)
            .select(listings::article_id)
            .load(conn)?;
        Ok(i64::try_from(some.len()).unwrap_or(i64::MAX) <= SMALL)
    }

    /// Rows of the whole ledger, from the top or below one.
    fn page(&self, conn: &mut Conn, after: Option<(i64, i64)>) -> QueryResult<Vec<Ranked>> {
        use hit_totals as t;
        let all = || t::table.into_boxed::<MultiBackend>();
        match self.window {
            Window::Today => below!(all(), t::today, after, PAGE).load(conn),
            Window::Week => below!(all(), t::week, after, PAGE).load(conn),
            Window::Month => below!(all(), t::month, after, PAGE).load(conn),
            Window::All => below!(all(), t::total, after, PAGE).load(conn),
        }
    }

    /// All rows of wanted articles that come below one, in no order.
    fn rest(&self, conn: &mut Conn, after: Option<(i64, i64)>) -> QueryResult<Vec<Ranked>> {
        let ids: Vec<i64> = public_listings(self.filter, self.now)
            .select(listings::article_id)
            .load(conn)?;
        let mut rows = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            for ledger in ledger_rows(conn, chunk)?.into_values() {
                let windows = (ledger.today, ledger.week, ledger.month);
                let value = match self.window {
                    Window::All => ledger.total,
                    window => window.of(windows),
                };
                let id = ledger.article_id;
                if value > 0 && after.is_none_or(|after| (value, id) < after) {
                    rows.push((value, id, ledger.day));
                }
            }
        }
        Ok(rows)
    }

    /// The exact views of those rows that are wanted, of which a walk through the site knows nothing.
    fn exact(
        &self,
        conn: &mut Conn,
        mut rows: Vec<Ranked>,
        is_walked: bool,
    ) -> QueryResult<Vec<(i64, i64)>> {
        if is_walked {
            let ids: Vec<i64> = rows.iter().map(|(_, id, _)| *id).collect();
            let public: HashSet<i64> = self.wanted_among(conn, &ids)?.into_iter().collect();
            rows.retain(|(_, id, _)| public.contains(id));
        }
        let is_past = |day: NaiveDate| self.window != Window::All && day != self.today;
        let past: Vec<i64> = rows
            .iter()
            .filter(|(_, _, day)| is_past(*day))
            .map(|(_, id, _)| *id)
            .collect();
        let windows = windows_of(conn, &past, self.today)?;
        let exact = rows.into_iter().map(|(value, id, day)| match is_past(day) {
            true => (windows.get(&id).map_or(0, |w| self.window.of(*w)), id),
            false => (value, id),
        });
        Ok(exact.filter(|(value, _)| *value > 0).collect())
    }

    fn wanted_among(&self, conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<i64>> {
        if self.filter.is_only_section() {
            let section = self.filter.section.unwrap_or(SITE);
            return public_of(conn, section, ids, self.now);
        }
        let mut wanted = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let rows: Vec<i64> = public_listings(self.filter, self.now)
                .filter(among(listings::article_id, chunk))
                .select(listings::article_id)
                .load(conn)?;
            wanted.extend(rows);
        }
        Ok(wanted)
    }

    /// The exact views of those wanted articles that the log has views of.
    fn pending(&self, conn: &mut Conn) -> QueryResult<HashMap<i64, i64>> {
        let deltas = pending(conn)?;
        let ids: Vec<i64> = deltas.keys().copied().collect();
        let ids = self.wanted_among(conn, &ids)?;
        let mut values = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let ledgers = ledger_rows(conn, chunk)?;
            let windows = match self.window {
                Window::All => HashMap::new(),
                _ => windows_of(conn, chunk, self.today)?,
            };
            for id in chunk {
                let folded = match self.window {
                    Window::All => ledgers.get(id).map_or(0, |ledger| ledger.total),
                    window => windows.get(id).map_or(0, |w| window.of(*w)),
                };
                let of_log = deltas
                    .get(id)
                    .map_or(0, |d| self.window.of_delta(d, self.today));
                values.insert(*id, folded + of_log);
            }
        }
        Ok(values)
    }

    /// Ids from one place of the ranking on, so many: with the articles without a view at its end, the
    /// later made first.
    pub fn slice(&self, conn: &mut Conn, start: i64, number: i64) -> QueryResult<Vec<i64>> {
        let wanted = usize::try_from(start.saturating_add(number)).unwrap_or(usize::MAX);
        let best = self.best(conn, wanted)?;
        let skipped = usize::try_from(start).unwrap_or(usize::MAX);
        let viewed = i64::try_from(best.len()).unwrap_or(i64::MAX);
        let mut ids: Vec<i64> = best.iter().skip(skipped).map(|(_, id)| *id).collect();
        let missing = number - i64::try_from(ids.len()).unwrap_or(number);
        if missing > 0 {
            let with_views: Vec<i64> = best.iter().map(|(_, id)| *id).collect();
            ids.extend(self.without_views(conn, &with_views, (start - viewed).max(0), missing)?);
        }
        Ok(ids)
    }

    /// Ids of wanted articles that are not among those with views.
    fn without_views(
        &self,
        conn: &mut Conn,
        with_views: &[i64],
        start: i64,
        number: i64,
    ) -> QueryResult<Vec<i64>> {
        let with_views: HashSet<i64> = with_views.iter().copied().collect();
        let (mut ids, mut skip) = (Vec::new(), start);
        let mut below: Option<i64> = None;
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        loop {
            let mut query = public_listings(self.filter, self.now);
            if let Some(id) = below {
                query = query.filter(listings::article_id.lt(id));
            }
            let page: Vec<i64> = query
                .order(listings::article_id.desc())
                .limit(PAGE)
                .select(listings::article_id)
                .load(conn)?;
            below = page.last().copied();
            let is_end = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            for id in page.into_iter().filter(|id| !with_views.contains(id)) {
                if skip > 0 {
                    skip -= 1;
                } else if ids.len() < number {
                    ids.push(id);
                }
            }
            if is_end || ids.len() == number {
                return Ok(ids);
            }
        }
    }
}

/// When the last view of these articles was.
pub fn last_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Option<Timestamp>> {
    let pending = pending_of(conn, ids)?;
    let of_log = pending.values().filter_map(Delta::last_at).max();
    Ok(folded_last_of(conn, ids)?.max(of_log))
}

/// When the last view of these articles in the ledger was.
pub fn folded_last_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Option<Timestamp>> {
    let mut last: Option<Timestamp> = None;
    for chunk in ids.chunks(CHUNK) {
        let of_chunk: Option<Timestamp> = hit_totals::table
            .filter(among(hit_totals::article_id, chunk))
            .select(max(hit_totals::last_at))
            .first(conn)?;
        last = last.max(of_chunk);
    }
    Ok(last)
}
