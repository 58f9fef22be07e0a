//! Recording: what becomes of a hit, and the rows that hold it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::NaiveDate;
use diesel::dsl::exists;
use diesel::prelude::*;

use crate::articles;
use crate::clock::SiteZone;
use crate::db::schema::{hit_days, hit_ids, hit_totals, hit_visits};
use crate::db::{Conn, Timestamp, dialect};
use crate::each;
use crate::limits::Share;

use super::counts::counts;
use crate::hits::Hit;
use crate::hits::rules::{HIT_ID_SECONDS, MAX_AHEAD_SECONDS, Outcome};

/// What one viewer's hits are judged by.
#[derive(Debug)]
pub struct View {
    /// The visitor's hash.
    pub visitor: Vec<u8>,
    /// The visitor's hash of the day before, where the window reaches back to it.
    pub visitor_before: Option<Vec<u8>>,
    /// Whether it is a bot.
    pub is_bot: bool,
    /// What the viewer's limit says to each hit.
    pub shares: Vec<Share>,
    /// The site's days.
    pub zone: SiteZone,
    /// How long a visitor's views of one article are one view.
    pub window: Duration,
    /// Now.
    pub now: Timestamp,
}

/// What became of a hit, and what its article's count is with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The article.
    pub article_id: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// The article's total.
    pub total: i64,
    /// The article's views of today.
    pub today: i64,
}

#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = hit_totals, treat_none_as_default_value = false)]
struct TotalsRow {
    article_id: i64,
    baseline: i64,
    counted: i64,
    adjusted: i64,
    duplicate: i64,
    bot: i64,
    rejected: i64,
    last_at: Option<Timestamp>,
}

impl TotalsRow {
    fn zero(article_id: i64) -> Self {
        Self {
            article_id,
            baseline: 0,
            counted: 0,
            adjusted: 0,
            duplicate: 0,
            bot: 0,
            rejected: 0,
            last_at: None,
        }
    }
}

/// Records hits and tells what became of each, in order. Rows are touched by ascending id.
pub fn record(conn: &mut Conn, hits: &[Hit], view: &View) -> QueryResult<Vec<Recorded>> {
    let wanted = articles_of(hits);
    let public = public_among(conn, &wanted, view.now)?;
    let is_noted = |index: usize| view.shares.get(index) != Some(&Share::Unnoted);
    let noted: HashSet<i64> = (0..hits.len())
        .filter(|index| is_noted(*index))
        .map(|index| hits[index].article_id)
        .collect();

    // The ledger's row first: on PostgreSQL its lock makes hits of one article take turns, so
    // that two of them can't both find a hit id or a visitor new.
    for id in wanted.iter().filter(|id| public.contains(id)) {
        if noted.contains(id) {
            lock_totals(conn, *id)?;
        }
    }
    let mut outcomes = vec![Outcome::NotFound; hits.len()];
    let mut added: BTreeMap<i64, TotalsRow> = BTreeMap::new();
    let mut days: BTreeMap<(i64, NaiveDate), i64> = BTreeMap::new();
    let mut seen_in_batch: HashMap<i64, Vec<Timestamp>> = HashMap::new();
    let mut order: Vec<usize> = (0..hits.len()).collect();
    order.sort_by_key(|index| (hits[*index].article_id, *index));
    for index in order {
        let hit = &hits[index];
        if !public.contains(&hit.article_id) {
            continue;
        }
        if !is_noted(index) {
            outcomes[index] = Outcome::Rejected;
            continue;
        }
        let seen = seen_in_batch.entry(hit.article_id).or_default();
        let outcome = match view.shares.get(index) {
            Some(Share::Judged) | None => judge(conn, hit, view, seen)?,
            // It leaves no hit id behind, so that it can be sent again and count then.
            Some(_) => Outcome::Rejected,
        };
        outcomes[index] = outcome;
        let row = added
            .entry(hit.article_id)
            .or_insert_with(|| TotalsRow::zero(hit.article_id));
        match outcome {
            Outcome::Counted => {
                let at = hit.at.unwrap_or(view.now).min(view.now);
                row.counted += 1;
                row.last_at = row.last_at.max(Some(at));
                *days.entry((hit.article_id, view.zone.day(at))).or_default() += 1;
            }
            Outcome::Duplicate => row.duplicate += 1,
            Outcome::Bot => row.bot += 1,
            Outcome::Rejected => row.rejected += 1,
            Outcome::NotFound => {}
        }
    }
    for row in added.values() {
        add_totals(conn, row)?;
    }
    for ((article_id, day), count) in days {
        add_day(conn, article_id, day, count)?;
    }
    told(conn, hits, outcomes, view.zone.day(view.now))
}

/// Rejects hits of public articles and writes nothing.
pub fn reject(
    conn: &mut Conn,
    hits: &[Hit],
    today: NaiveDate,
    now: Timestamp,
) -> QueryResult<Vec<Recorded>> {
    let public = public_among(conn, &articles_of(hits), now)?;
    let outcome = |hit: &Hit| match public.contains(&hit.article_id) {
        true => Outcome::Rejected,
        false => Outcome::NotFound,
    };
    let outcomes = hits.iter().map(outcome).collect();
    told(conn, hits, outcomes, today)
}

/// The articles of hits, each once, by ascending id.
fn articles_of(hits: &[Hit]) -> Vec<i64> {
    let mut ids: Vec<i64> = hits.iter().map(|hit| hit.article_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn public_among(conn: &mut Conn, ids: &[i64], now: Timestamp) -> QueryResult<HashSet<i64>> {
    let public = articles::lists::public_among(conn, ids, now)?;
    Ok(public.into_iter().collect())
}

/// What became of hits, with the counts as they are now.
fn told(
    conn: &mut Conn,
    hits: &[Hit],
    outcomes: Vec<Outcome>,
    today: NaiveDate,
) -> QueryResult<Vec<Recorded>> {
    let counts = counts(conn, &articles_of(hits), today)?;
    Ok(hits
        .iter()
        .zip(outcomes)
        .map(|(hit, outcome)| {
            let count = counts.get(&hit.article_id);
            Recorded {
                article_id: hit.article_id,
                outcome,
                total: count.map_or(0, |count| count.total),
                today: count.map_or(0, |count| count.today),
            }
        })
        .collect())
}

/// Decides on one hit and notes its id and its visitor.
fn judge(
    conn: &mut Conn,
    hit: &Hit,
    view: &View,
    seen_in_batch: &mut Vec<Timestamp>,
) -> QueryResult<Outcome> {
    if let Some(at) = hit.at {
        let oldest = view.now.plus_seconds(-HIT_ID_SECONDS);
        if at < oldest || at > view.now.plus_seconds(MAX_AHEAD_SECONDS) {
            return Ok(Outcome::Rejected);
        }
    }
    if view.is_bot {
        return Ok(Outcome::Bot);
    }
    if let Some(hit_id) = &hit.hit_id
        && !note_hit_id(conn, hit.article_id, hit_id, view.now)?
    {
        return Ok(Outcome::Duplicate);
    }
    if view.window.is_zero() {
        return Ok(Outcome::Counted);
    }
    let window = i64::try_from(view.window.as_millis()).unwrap_or(i64::MAX);
    if let Some(at) = hit.at {
        // What happened without a connection is compared with its own batch only.
        let is_near = |other: &Timestamp| (other.millis() - at.millis()).abs() < window;
        if seen_in_batch.iter().any(is_near) {
            return Ok(Outcome::Duplicate);
        }
        seen_in_batch.push(at);
        return Ok(Outcome::Counted);
    }
    let since = Timestamp::from_millis(view.now.millis().saturating_sub(window));
    let since = since.unwrap_or(view.now);
    // Who came just before midnight is known by the hash of the day before.
    if let Some(before) = &view.visitor_before
        && has_visited(conn, hit.article_id, before, since)?
    {
        return Ok(Outcome::Duplicate);
    }
    if note_visit(conn, hit.article_id, &view.visitor, view.now, since)? {
        Ok(Outcome::Counted)
    } else {
        Ok(Outcome::Duplicate)
    }
}

/// Notes a hit id; false where it was noted within the last 7 days.
fn note_hit_id(
    conn: &mut Conn,
    article_id: i64,
    hit_id: &str,
    now: Timestamp,
) -> QueryResult<bool> {
    let oldest = now.plus_seconds(-HIT_ID_SECONDS);
    let noted = each!(conn, c => dialect::only_where(diesel::insert_into(hit_ids::table)
        .values((
            hit_ids::article_id.eq(article_id),
            hit_ids::hit_id.eq(hit_id),
            hit_ids::seen_at.eq(now),
        ))
        .on_conflict((hit_ids::article_id, hit_ids::hit_id))
        .do_update()
        .set(hit_ids::seen_at.eq(now)), hit_ids::seen_at.le(oldest))
        .execute(c))?;
    Ok(noted > 0)
}

/// Notes a visit; false where the visitor's last counted view was after `since`.
fn note_visit(
    conn: &mut Conn,
    article_id: i64,
    visitor: &[u8],
    now: Timestamp,
    since: Timestamp,
) -> QueryResult<bool> {
    let noted = each!(conn, c => dialect::only_where(diesel::insert_into(hit_visits::table)
        .values((
            hit_visits::article_id.eq(article_id),
            hit_visits::visitor.eq(visitor),
            hit_visits::seen_at.eq(now),
        ))
        .on_conflict((hit_visits::article_id, hit_visits::visitor))
        .do_update()
        .set(hit_visits::seen_at.eq(now)), hit_visits::seen_at.le(since))
        .execute(c))?;
    Ok(noted > 0)
}

/// Whether a visitor's last counted view was after `since`.
fn has_visited(
    conn: &mut Conn,
    article_id: i64,
    visitor: &[u8],
    since: Timestamp,
) -> QueryResult<bool> {
    let visit = hit_visits::table
        .find((article_id, visitor))
        .filter(hit_visits::seen_at.gt(since));
    diesel::select(exists(visit)).get_result(conn)
}

/// Makes sure that the ledger has a row for the article, and locks it.
pub(super) fn lock_totals(conn: &mut Conn, article_id: i64) -> QueryResult<()> {
    let zero = TotalsRow::zero(article_id);
    each!(conn, c => diesel::insert_into(hit_totals::table)
        .values(&zero)
        .on_conflict(hit_totals::article_id)
        .do_update()
        .set(hit_totals::counted.eq(hit_totals::counted))
        .execute(c))?;
    Ok(())
}

fn add_totals(conn: &mut Conn, row: &TotalsRow) -> QueryResult<()> {
    diesel::update(hit_totals::table.find(row.article_id))
        .set((
            hit_totals::counted.eq(hit_totals::counted + row.counted),
            hit_totals::duplicate.eq(hit_totals::duplicate + row.duplicate),
            hit_totals::bot.eq(hit_totals::bot + row.bot),
            hit_totals::rejected.eq(hit_totals::rejected + row.rejected),
        ))
        .execute(conn)?;
    if let Some(at) = row.last_at {
        let older = hit_totals::last_at
            .is_null()
            .or(hit_totals::last_at.assume_not_null().lt(at));
        diesel::update(hit_totals::table.find(row.article_id).filter(older))
            .set(hit_totals::last_at.eq(at))
            .execute(conn)?;
    }
    Ok(())
}

fn add_day(conn: &mut Conn, article_id: i64, day: NaiveDate, count: i64) -> QueryResult<()> {
    each!(conn, c => diesel::insert_into(hit_days::table)
        .values((hit_days::article_id.eq(article_id), hit_days::day.eq(day), hit_days::hits.eq(count)))
        .on_conflict((hit_days::article_id, hit_days::day))
        .do_update()
        .set(hit_days::hits.eq(hit_days::hits + count))
        .execute(c))?;
    Ok(())
}

/// Adds views of a day that are known otherwise, such as a demonstration's history.
pub fn add_history(
    conn: &mut Conn,
    article_id: i64,
    day: NaiveDate,
    hits: i64,
    last_at: Timestamp,
) -> QueryResult<()> {
    lock_totals(conn, article_id)?;
    let row = TotalsRow {
        counted: hits,
        last_at: Some(last_at),
        ..TotalsRow::zero(article_id)
    };
    add_totals(conn, &row)?;
    add_day(conn, article_id, day, hits)
}

/// Sets what an older system had counted, without an entry in the ledger: for new articles.
pub fn start_from(conn: &mut Conn, article_id: i64, baseline: i64) -> QueryResult<()> {
    lock_totals(conn, article_id)?;
    diesel::update(hit_totals::table.find(article_id))
        .set(hit_totals::baseline.eq(baseline))
        .execute(conn)?;
    Ok(())
}
