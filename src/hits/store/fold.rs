//! Folding: what stands in the log becomes the ledger's rows.
//!
//! All that changes the ledger's tables holds the turn of content writers, so the sums of sections and
//! the ledgers of articles change together, and nothing waits for each other in a circle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use datasketches::hll::{HllSketch, HllType};
use diesel::prelude::*;
use diesel::result::Error;

use crate::clock::SiteZone;
use crate::db::rows::{Cell, Column, Met, Table};
use crate::db::schema::{
    hit_days, hit_log, hit_months, hit_nodes, hit_parts, hit_sums, hit_totals, listings,
};
use crate::db::{Conn, Timestamp};
use crate::hits::rules::Client;
use crate::http::frame::random_id;

use super::counts::{CHUNK, first_day, windows_of};
use super::log::{Delta, encode, first_of};
use super::pending::{End, in_log};

/// How many articles one transaction folds in: few, since hits wait for it on SQLite.
pub const PART: usize = 100;
/// How many rows of the log one transaction deletes.
const SWEEP: i64 = 200;
/// How long hours are kept.
pub const HOURS: i64 = 49;

/// Registers of a sketch, as a power of two: the standard error of an estimate is 1.04 / √2¹¹ = 2.3 %.
/// Few visitors are counted almost exactly.
const SKETCH_LG_K: u8 = 11;

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = hit_totals)]
#[allow(
    missing_docs,
    reason = "named as the columns, which the migration explains"
)]
pub struct Ledger {
    pub article_id: i64,
    pub baseline: i64,
    pub counted: i64,
    pub adjusted: i64,
    pub total: i64,
    pub duplicate: i64,
    pub bot: i64,
    pub rejected: i64,
    pub web: i64,
    pub h5: i64,
    pub app: i64,
    pub mini: i64,
    pub other: i64,
    pub day: NaiveDate,
    pub today: i64,
    pub week: i64,
    pub month: i64,
    pub last_at: Option<Timestamp>,
}

impl Ledger {
    /// Nothing counted.
    pub fn zero(article_id: i64, day: NaiveDate) -> Self {
        Self {
            article_id,
            baseline: 0,
            counted: 0,
            adjusted: 0,
            total: 0,
            duplicate: 0,
            bot: 0,
            rejected: 0,
            web: 0,
            h5: 0,
            app: 0,
            mini: 0,
            other: 0,
            day,
            today: 0,
            week: 0,
            month: 0,
            last_at: None,
        }
    }

    fn client(&mut self, client: Client) -> &mut i64 {
        match client {
            Client::Web => &mut self.web,
            Client::H5 => &mut self.h5,
            Client::App => &mut self.app,
            Client::Mini => &mut self.mini,
            Client::Other => &mut self.other,
        }
    }

    /// Adds hits, but for the windows.
    pub fn add(&mut self, delta: &Delta) {
        let counted = delta.counted();
        self.counted += counted;
        self.total += counted;
        self.duplicate += delta.duplicate;
        self.bot += delta.bot;
        self.rejected += delta.rejected;
        self.last_at = self.last_at.max(delta.last_at());
        for views in &delta.views {
            *self.client(views.client()) += views.hits;
        }
    }

    /// The views of a day, and of the 7 and the 30 days up to it.
    pub fn set_windows(&mut self, day: NaiveDate, (today, week, month): (i64, i64, i64)) {
        self.day = day;
        self.today = today;
        self.week = week;
        self.month = month;
    }
}

/// The ledgers of these articles that have one.
pub fn ledger_rows(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, Ledger>> {
    let rows: Vec<Ledger> = hit_totals::table
        .filter(hit_totals::article_id.eq_any(ids))
        .select(Ledger::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(|row| (row.article_id, row)).collect())
}

/// The ledger's table.
const LEDGERS: Table = Table {
    name: "hit_totals",
    columns: &[
        ("article_id", Column::Number),
        ("baseline", Column::Number),
        ("counted", Column::Number),
        ("adjusted", Column::Number),
        ("total", Column::Number),
        ("duplicate", Column::Number),
        ("bot", Column::Number),
        ("rejected", Column::Number),
        ("web", Column::Number),
        ("h5", Column::Number),
        ("app", Column::Number),
        ("mini", Column::Number),
        ("other", Column::Number),
        ("day", Column::Day),
        ("today", Column::Number),
        ("week", Column::Number),
        ("month", Column::Number),
        ("last_at", Column::Instant),
    ],
    keys: 1,
    met: Met::Replaced,
};

/// Writes ledgers as they are now.
pub fn write_ledgers(conn: &mut Conn, ledgers: &[Ledger]) -> QueryResult<()> {
    let rows: Vec<Vec<Cell>> = ledgers
        .iter()
        .map(|l| {
            vec![
                l.article_id.into(),
                l.baseline.into(),
                l.counted.into(),
                l.adjusted.into(),
                l.total.into(),
                l.duplicate.into(),
                l.bot.into(),
                l.rejected.into(),
                l.web.into(),
                l.h5.into(),
                l.app.into(),
                l.mini.into(),
                l.other.into(),
                l.day.into(),
                l.today.into(),
                l.week.into(),
                l.month.into(),
                l.last_at.into(),
            ]
        })
        .collect();
    LEDGERS.upsert(conn, &rows)
}

/// The table of days.
const DAYS: Table = Table {
    name: "hit_days",
    columns: &[
        ("article_id", Column::Number),
        ("day", Column::Day),
        ("hits", Column::Number),
        ("visitors", Column::Number),
        ("sketch", Column::Bytes),
    ],
    keys: 2,
    met: Met::Replaced,
};

/// The table of hours.
const HOURS_TABLE: Table = Table {
    name: "hit_hours",
    columns: &[
        ("article_id", Column::Number),
        ("hour", Column::Instant),
        ("hits", Column::Number),
    ],
    keys: 2,
    met: Met::Added,
};

/// The table of sums.
const SUMS: Table = Table {
    name: "hit_sums",
    columns: &[
        ("section_id", Column::Number),
        ("unit", Column::Text),
        ("slot", Column::Day),
        ("hits", Column::Number),
    ],
    keys: 3,
    met: Met::Added,
};

#[derive(Debug, Clone, Queryable)]
struct DayRow {
    article_id: i64,
    day: NaiveDate,
    hits: i64,
    visitors: i64,
    sketch: Option<Vec<u8>>,
}

/// The slot of the unit that has one only.
pub const WHOLE: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
/// The unit of all views.
pub const TOTAL: &str = "total";
/// The unit of a day's views.
pub const DAY: &str = "day";
/// The unit of a rolled-up month's views.
pub const MONTH: &str = "month";

/// What is to be added to sums, by section, unit and slot.
pub type Sums = BTreeMap<(i64, &'static str, NaiveDate), i64>;

/// Adds to the sums of sections.
pub fn add_sums(conn: &mut Conn, sums: Sums) -> QueryResult<()> {
    let rows: Vec<Vec<Cell>> = sums
        .into_iter()
        .filter(|(_, hits)| *hits != 0)
        .map(|((section_id, unit, slot), hits)| {
            vec![section_id.into(), unit.into(), slot.into(), hits.into()]
        })
        .collect();
    SUMS.upsert(conn, &rows)
}

/// The sections that articles are listed in, the site among them.
#[derive(Debug)]
pub struct Listed(HashMap<i64, Vec<i64>>);

impl Listed {
    /// Where these articles are listed now.
    pub fn of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Self> {
        let rows: Vec<(i64, i64)> = listings::table
            .filter(listings::article_id.eq_any(ids))
            .select((listings::article_id, listings::section_id))
            .load(conn)?;
        let mut sections: HashMap<i64, Vec<i64>> = HashMap::new();
        for (article, section) in rows {
            sections.entry(article).or_default().push(section);
        }
        Ok(Self(sections))
    }

    /// The sections of one.
    pub fn sections(&self, article_id: i64) -> &[i64] {
        self.0.get(&article_id).map_or(&[], Vec::as_slice)
    }
}

/// Adds to all views of an article in the sums of its sections.
pub fn add_total(conn: &mut Conn, article_id: i64, more: i64) -> QueryResult<()> {
    let listed = Listed::of(conn, &[article_id])?;
    let sections = listed.sections(article_id).iter();
    let sums = sections.map(|section| ((*section, TOTAL, WHOLE), more));
    add_sums(conn, sums.collect())
}

/// Folds hits into the ledgers of their articles, and into the sums of the sections where these are
/// listed. Each article stands once in `deltas`.
pub fn apply(
    conn: &mut Conn,
    deltas: &[Delta],
    today: NaiveDate,
    now: Timestamp,
) -> QueryResult<()> {
    for chunk in deltas.chunks(PART) {
        apply_part(conn, chunk, today, now)?;
    }
    Ok(())
}

fn apply_part(
    conn: &mut Conn,
    deltas: &[Delta],
    today: NaiveDate,
    now: Timestamp,
) -> QueryResult<()> {
    let ids: Vec<i64> = deltas.iter().map(|delta| delta.article_id).collect();
    write_days(conn, &ids, deltas)?;
    write_hours(conn, deltas, now)?;

    let mut ledgers = ledger_rows(conn, &ids)?;
    let stale = |id: &&i64| ledgers.get(id).is_some_and(|ledger| ledger.day != today);
    let stale: Vec<i64> = ids.iter().filter(stale).copied().collect();
    let windows = windows_of(conn, &stale, today)?;
    let (week, month) = (first_day(today, 7), first_day(today, 30));
    let rows: Vec<Ledger> = deltas
        .iter()
        .map(|delta| {
            let id = delta.article_id;
            let zero = Ledger::zero(id, today);
            let mut ledger = ledgers.remove(&id).unwrap_or(zero);
            ledger.add(delta);
            if ledger.day == today {
                ledger.today += delta.between(today, today);
                ledger.week += delta.between(week, today);
                ledger.month += delta.between(month, today);
            } else {
                // The days are written already.
                let windows = windows.get(&id).copied().unwrap_or_default();
                ledger.set_windows(today, windows);
            }
            ledger
        })
        .collect();
    write_ledgers(conn, &rows)?;

    let listed = Listed::of(conn, &ids)?;
    let mut sums = Sums::new();
    for delta in deltas {
        for section in listed.sections(delta.article_id) {
            for views in &delta.views {
                *sums.entry((*section, TOTAL, WHOLE)).or_default() += views.hits;
                *sums.entry((*section, DAY, views.day())).or_default() += views.hits;
            }
        }
    }
    add_sums(conn, sums)
}

fn write_days(conn: &mut Conn, ids: &[i64], deltas: &[Delta]) -> QueryResult<()> {
    let touched: BTreeSet<(i64, NaiveDate)> = deltas
        .iter()
        .flat_map(|delta| delta.views.iter().map(|v| (delta.article_id, v.day())))
        .collect();
    if touched.is_empty() {
        return Ok(());
    }
    let days: BTreeSet<NaiveDate> = touched.iter().map(|(_, day)| *day).collect();
    let stored: Vec<DayRow> = hit_days::table
        .filter(hit_days::article_id.eq_any(ids))
        .filter(hit_days::day.eq_any(days))
        .load(conn)?;
    let mut stored: HashMap<(i64, NaiveDate), DayRow> = stored
        .into_iter()
        .map(|row| ((row.article_id, row.day), row))
        .collect();
    let mut rows: BTreeMap<(i64, NaiveDate), (DayRow, Vec<u64>)> = BTreeMap::new();
    for delta in deltas {
        for views in &delta.views {
            let key = (delta.article_id, views.day());
            let (row, visitors) = rows.entry(key).or_insert_with(|| {
                let new = DayRow {
                    article_id: key.0,
                    day: key.1,
                    hits: 0,
                    visitors: 0,
                    sketch: None,
                };
                (stored.remove(&key).unwrap_or(new), Vec::new())
            });
            row.hits += views.hits;
            visitors.extend(&views.visitors);
        }
    }
    let rows: Vec<Vec<Cell>> = rows
        .into_values()
        .map(|(mut row, visitors)| {
            // What is left of a day whose sketch is gone is its estimate.
            if !visitors.is_empty() && (row.sketch.is_some() || row.visitors == 0) {
                let (visitors, sketch) = with_visitors(row.sketch.as_deref(), &visitors)?;
                row.visitors = visitors;
                row.sketch = Some(sketch);
            }
            Ok(vec![
                row.article_id.into(),
                row.day.into(),
                row.hits.into(),
                row.visitors.into(),
                row.sketch.as_deref().into(),
            ])
        })
        .collect::<QueryResult<_>>()?;
    DAYS.upsert(conn, &rows)
}

/// How many different visitors there are with these, and the sketch that knows them.
pub fn with_visitors(sketch: Option<&[u8]>, visitors: &[u64]) -> QueryResult<(i64, Vec<u8>)> {
    let failed = |error: datasketches::error::Error| Error::DeserializationError(Box::new(error));
    let mut sketch = match sketch {
        Some(bytes) => HllSketch::deserialize(bytes).map_err(failed)?,
        None => HllSketch::new(SKETCH_LG_K, HllType::Hll4).map_err(failed)?,
    };
    for visitor in visitors {
        sketch.update(*visitor);
    }
    // The estimate that knows no order: nodes fold in theirs. Far below 2^53.
    let estimate = sketch.composite_estimate().round() as i64;
    Ok((estimate, sketch.serialize()))
}

fn write_hours(conn: &mut Conn, deltas: &[Delta], now: Timestamp) -> QueryResult<()> {
    let oldest = now.plus_seconds(-HOURS * 3600);
    let mut hours: BTreeMap<(i64, Timestamp), i64> = BTreeMap::new();
    for delta in deltas {
        for views in &delta.views {
            if let Some(hour) = views.hour().filter(|hour| *hour > oldest) {
                *hours.entry((delta.article_id, hour)).or_default() += views.hits;
            }
        }
    }
    let rows: Vec<Vec<Cell>> = hours
        .into_iter()
        .map(|((article_id, hour), hits)| vec![article_id.into(), hour.into(), hits.into()])
        .collect();
    HOURS_TABLE.upsert(conn, &rows)
}

/// A batch of the log that is to be taken out of it.
#[derive(Debug)]
pub struct Gathered {
    /// How far it goes.
    ends: BTreeMap<i64, End>,
    deltas: Vec<Delta>,
}

impl Gathered {
    /// What stands in the log, put together by article. Takes its time where there is much; no turn to
    /// write need be held meanwhile.
    pub fn read(conn: &mut Conn) -> QueryResult<Self> {
        let (mut ends, deltas) = in_log(conn)?;
        ends.retain(|_, end| end.last > end.folded);
        let deltas = deltas.into_values().collect();
        Ok(Self { ends, deltas })
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many flushes it is of, those that came to nothing among them.
    pub fn flushes(&self) -> i64 {
        self.ends.values().map(|end| end.last - end.folded).sum()
    }

    /// How many articles it is of.
    pub fn articles(&self) -> usize {
        self.deltas.len()
    }
}

/// Takes what was gathered for the ledger: little is folded in at once, much becomes parts to be folded in
/// one by one. Its rows in the log are void from then on. Where another node was faster the transaction is to be undone:
/// [`Error::RollbackTransaction`].
pub fn take(
    conn: &mut Conn,
    gathered: &Gathered,
    zone: SiteZone,
    now: Timestamp,
) -> QueryResult<()> {
    for (node, End { folded, last }) in &gathered.ends {
        let taken = diesel::update(hit_nodes::table.find(node))
            .set((hit_nodes::folded.eq(last), hit_nodes::alive_at.eq(now)));
        if taken.filter(hit_nodes::folded.eq(folded)).execute(conn)? != 1 {
            return Err(Error::RollbackTransaction);
        }
    }
    if gathered.deltas.len() <= PART {
        return apply(conn, &gathered.deltas, zone.day(now), now);
    }
    for chunk in gathered.deltas.chunks(PART) {
        diesel::insert_into(hit_parts::table)
            .values((
                hit_parts::id.eq(random_id()),
                hit_parts::payload.eq(encode(chunk)?),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Deletes some void rows of the log, and tells whether there were any.
pub fn sweep(conn: &mut Conn) -> QueryResult<bool> {
    let nodes: Vec<(i64, i64)> = hit_nodes::table
        .filter(hit_nodes::folded.gt(0))
        .select((hit_nodes::node, hit_nodes::folded))
        .load(conn)?;
    for (node, folded) in nodes {
        if let Some(first) = first_of(conn, node)?.filter(|first| *first <= folded) {
            let last = folded.min(first.saturating_add(SWEEP - 1));
            let void = hit_log::table
                .filter(hit_log::node.eq(node))
                .filter(hit_log::seq.le(last));
            diesel::delete(void).execute(conn)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Folds in one part, where there is one.
pub fn fold_part(conn: &mut Conn, zone: SiteZone, now: Timestamp) -> QueryResult<bool> {
    let part: Option<(i64, Vec<u8>)> = hit_parts::table
        .order(hit_parts::id)
        .first(conn)
        .optional()?;
    let Some((id, payload)) = part else {
        return Ok(false);
    };
    apply(conn, &super::log::decode(&payload)?, zone.day(now), now)?;
    diesel::delete(hit_parts::table.find(id)).execute(conn)?;
    Ok(true)
}

/// Folds in all that is pending, for a write that must see the ledger whole.
pub fn fold_all(conn: &mut Conn, zone: SiteZone, now: Timestamp) -> QueryResult<()> {
    while fold_part(conn, zone, now)? {}
    let gathered = Gathered::read(conn)?;
    if !gathered.is_empty() {
        take(conn, &gathered, zone, now)?;
        while fold_part(conn, zone, now)? {}
    }
    Ok(())
}

/// Tells all nodes that the ledger has changed otherwise than by hits of the log: they read counts anew.
pub fn tell_nodes(conn: &mut Conn) -> QueryResult<()> {
    diesel::update(hit_nodes::table.find(0_i64))
        .set(hit_nodes::folded.eq(hit_nodes::folded + 1))
        .execute(conn)?;
    Ok(())
}

/// Adds the history of these articles to the sums of sections, or takes it off: `listings` are the
/// pairs of article and section that come or go.
pub fn move_sums(conn: &mut Conn, listings: &[(i64, i64)], sign: i64) -> QueryResult<()> {
    let ids: BTreeSet<i64> = listings.iter().map(|(article, _)| *article).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let mut history: HashMap<i64, Vec<(&'static str, NaiveDate, i64)>> = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let totals: Vec<(i64, i64)> = hit_totals::table
            .filter(hit_totals::article_id.eq_any(chunk))
            .select((hit_totals::article_id, hit_totals::total))
            .load(conn)?;
        if totals.is_empty() {
            continue;
        }
        for (id, total) in totals {
            history.entry(id).or_default().push((TOTAL, WHOLE, total));
        }
        let days: Vec<(i64, NaiveDate, i64)> = hit_days::table
            .filter(hit_days::article_id.eq_any(chunk))
            .select((hit_days::article_id, hit_days::day, hit_days::hits))
            .load(conn)?;
        for (id, day, hits) in days {
            history.entry(id).or_default().push((DAY, day, hits));
        }
        let months: Vec<(i64, NaiveDate, i64)> = hit_months::table
            .filter(hit_months::article_id.eq_any(chunk))
            .select((hit_months::article_id, hit_months::month, hit_months::hits))
            .load(conn)?;
        for (id, month, hits) in months {
            history.entry(id).or_default().push((MONTH, month, hits));
        }
    }
    let mut sums = Sums::new();
    for (article, section) in listings {
        for (unit, slot, hits) in history.get(article).map_or(&[][..], Vec::as_slice) {
            *sums.entry((*section, *unit, *slot)).or_default() += sign * hits;
        }
    }
    add_sums(conn, sums)
}

/// The sums of a section's slots of a unit, from one to another.
pub fn sums_of(
    conn: &mut Conn,
    section_id: i64,
    unit: &str,
    first: NaiveDate,
    last: NaiveDate,
) -> QueryResult<Vec<(NaiveDate, i64)>> {
    hit_sums::table
        .filter(hit_sums::section_id.eq(section_id))
        .filter(hit_sums::unit.eq(unit))
        .filter(hit_sums::slot.between(first, last))
        .select((hit_sums::slot, hit_sums::hits))
        .load(conn)
}
