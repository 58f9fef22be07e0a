//! Queries of hit counts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::{Days, NaiveDate};
use diesel::dsl::{exists, max, sql, sum};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date};

use crate::articles;
use crate::clock::SiteZone;
use crate::db::schema::{
    articles as articles_table, hit_days, hit_entries, hit_ids, hit_salts, hit_totals, hit_visits,
    listings,
};
use crate::db::{Conn, Timestamp, dialect};
use crate::each;
use crate::http::paging::{Found, Paging};
use crate::visibility::{SITE, is_public};

use super::Hit;
use super::rules::{HIT_ID_SECONDS, MAX_AHEAD_SECONDS, Outcome};
use super::wire::{DayHits, HitCount, ManagedHitCount};

/// What one viewer's hits are judged by.
#[derive(Debug)]
pub struct View {
    /// The visitor's hash.
    pub visitor: Vec<u8>,
    /// The visitor's hash of the day before, where the window reaches back to it.
    pub visitor_before: Option<Vec<u8>>,
    /// Whether it is a bot.
    pub is_bot: bool,
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
    let mut wanted: Vec<i64> = hits.iter().map(|hit| hit.article_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let public: HashSet<i64> = articles::lists::public_among(conn, &wanted, view.now)?
        .into_iter()
        .collect();

    // The ledger's row first: on PostgreSQL its lock makes hits of one article take turns, so
    // that two of them can't both find a hit id or a visitor new.
    for id in wanted.iter().filter(|id| public.contains(id)) {
        lock_totals(conn, *id)?;
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
        let seen = seen_in_batch.entry(hit.article_id).or_default();
        let outcome = judge(conn, hit, view, seen)?;
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
    let counts = counts(conn, &wanted, view.zone.day(view.now))?;
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
fn lock_totals(conn: &mut Conn, article_id: i64) -> QueryResult<()> {
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

// Management.

/// How a management list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagedSort {
    /// The most viewed first.
    MostViewed,
    /// The least viewed first.
    LeastViewed,
    /// By the article's id.
    ArticleId,
}

/// A page of articles in any state, by their counts; in these sections where they are given.
pub fn managed_page_ids(
    conn: &mut Conn,
    section_ids: Option<&[i64]>,
    sort: ManagedSort,
    paging: &Paging,
) -> QueryResult<Found<i64>> {
    let all = || {
        let query = articles_table::table
            .left_join(hit_totals::table.on(hit_totals::article_id.eq(articles_table::id)))
            .into_boxed::<crate::db::MultiBackend>();
        match section_ids {
            Some(ids) => query.filter(articles_table::section_id.eq_any(ids.to_vec())),
            None => query,
        }
    };
    let total = if paging.exact {
        Some(all().select(diesel::dsl::count_star()).first(conn)?)
    } else {
        None
    };
    let hits = || {
        sql::<BigInt>("coalesce(hit_totals.baseline + hit_totals.counted + hit_totals.adjusted, 0)")
    };
    let query = match sort {
        ManagedSort::MostViewed => all().order((hits().desc(), articles_table::id.desc())),
        ManagedSort::LeastViewed => all().order((hits().asc(), articles_table::id.asc())),
        ManagedSort::ArticleId => all().order((articles_table::id.asc(), articles_table::id.asc())),
    };
    let mut items: Vec<i64> = query
        .select(articles_table::id)
        .limit(paging.limit + 1)
        .offset(paging.offset())
        .load(conn)?;
    let more = i64::try_from(items.len()).unwrap_or(i64::MAX) > paging.limit;
    items.truncate(usize::try_from(paging.limit).unwrap_or(0));
    let last = items.last().filter(|_| more).map(|id| (String::new(), *id));
    Ok(Found {
        items,
        more: last,
        total,
    })
}

/// What is done to a count by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// What an older system had counted is this.
    Baseline(i64),
    /// Back to zero.
    Reset,
}

/// Corrects an article's count and notes it in the ledger.
pub fn correct(
    conn: &mut Conn,
    article_id: i64,
    correction: Correction,
    reason: Option<&str>,
    user_id: i64,
    now: Timestamp,
) -> QueryResult<()> {
    lock_totals(conn, article_id)?;
    let total = |conn: &mut Conn| -> QueryResult<i64> {
        hit_totals::table
            .find(article_id)
            .select(hit_totals::baseline + hit_totals::counted + hit_totals::adjusted)
            .first(conn)
    };
    let before = total(conn)?;
    let kind = match correction {
        Correction::Baseline(baseline) => {
            diesel::update(hit_totals::table.find(article_id))
                .set(hit_totals::baseline.eq(baseline))
                .execute(conn)?;
            "baseline"
        }
        Correction::Reset => {
            diesel::update(hit_totals::table.find(article_id))
                .set((
                    hit_totals::baseline.eq(0_i64),
                    hit_totals::adjusted.eq(hit_totals::counted * -1_i64),
                ))
                .execute(conn)?;
            diesel::delete(hit_days::table.filter(hit_days::article_id.eq(article_id)))
                .execute(conn)?;
            "reset"
        }
    };
    let after = total(conn)?;
    diesel::insert_into(hit_entries::table)
        .values((
            hit_entries::article_id.eq(article_id),
            hit_entries::kind.eq(kind),
            hit_entries::delta.eq(after - before),
            hit_entries::total_after.eq(after),
            hit_entries::reason.eq(reason),
            hit_entries::user_id.eq(user_id),
            hit_entries::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// A day's salt, where there is one.
pub fn find_salt(conn: &mut Conn, day: NaiveDate) -> QueryResult<Option<Vec<u8>>> {
    hit_salts::table
        .find(day)
        .select(hit_salts::salt)
        .first(conn)
        .optional()
}

/// The day's salt, made by whoever needs it first.
pub fn salt(conn: &mut Conn, day: NaiveDate) -> QueryResult<Vec<u8>> {
    if let Some(salt) = find_salt(conn, day)? {
        return Ok(salt);
    }
    let fresh = crate::http::frame::random_token(32).into_bytes();
    each!(conn, c => diesel::insert_into(hit_salts::table)
        .values((hit_salts::day.eq(day), hit_salts::salt.eq(&fresh)))
        .on_conflict(hit_salts::day)
        .do_nothing()
        .execute(c))?;
    // Another node may have been first.
    Ok(find_salt(conn, day)?.unwrap_or(fresh))
}

/// How many rows are deleted in one go.
const TIDY_ROWS: usize = 10_000;

/// Deletes hit ids, visits and salts that are past, up to 10,000 of each, and returns how many.
/// Rows that a hit is renewing right now are passed over.
pub fn tidy(
    conn: &mut Conn,
    zone: SiteZone,
    window: Duration,
    now: Timestamp,
) -> QueryResult<usize> {
    let window = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
    let mut deleted = 0;
    for (table, key, age) in [
        ("hit_ids", "hit_id", HIT_ID_SECONDS),
        ("hit_visits", "visitor", window),
    ] {
        let oldest = dialect::instant(conn, now.plus_seconds(-age));
        let skip_locked = dialect::skip_locked(conn);
        let sql = format!(
            "DELETE FROM {table} WHERE (article_id, {key}) IN \
             (SELECT article_id, {key} FROM {table} WHERE seen_at < {oldest} \
              LIMIT {TIDY_ROWS}{skip_locked})"
        );
        deleted += diesel::sql_query(sql).execute(conn)?;
    }
    let yesterday = first_day(zone.day(now), 2);
    let salts =
        diesel::delete(hit_salts::table.filter(hit_salts::day.lt(yesterday))).execute(conn)?;
    Ok(deleted + salts)
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
