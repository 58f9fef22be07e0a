//! Management: lists by count, and corrections by hand.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::NaiveDate;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::Value;

use crate::articles::rules::Status;
use crate::audit::{self, By, Change, Entry, Event, Resource};
use crate::clock::SiteZone;
use crate::db::schema::{
    articles as articles_table, hit_days, hit_entries, hit_hours, hit_months, hit_totals,
};
use crate::db::{Conn, MultiBackend, Timestamp};
use crate::hits::rules::Client;
use crate::http::paging::{Found, Paging};

use super::counts::CHUNK;
use super::fold::{
    Ledger, Listed, add_total, apply, fold_all, ledger_rows, move_sums, tell_nodes, write_ledgers,
};
use super::log::{Delta, Views};
use super::pending::{pending, pending_of};

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

/// Which articles' counts.
#[derive(Debug, Clone, Default)]
pub struct Among {
    /// Only in these sections.
    pub section_ids: Option<Vec<i64>>,
    /// Only made by this account.
    pub only_by: Option<i64>,
}

/// A boxed query of articles, less those that are not among these.
macro_rules! within {
    ($query:expr, $among:expr) => {{
        let mut query = $query.into_boxed::<MultiBackend>();
        if let Some(ids) = &$among.section_ids {
            query = query.filter(articles_table::section_id.eq_any(ids));
        }
        if let Some(user) = $among.only_by {
            query = query.filter(articles_table::created_by.eq(user));
        }
        query
    }};
}

impl Among {
    fn query(&self) -> Counted<'_> {
        let counted = articles_table::table
            .left_join(hit_totals::table.on(hit_totals::article_id.eq(articles_table::id)))
            .select((articles_table::id, total()));
        within!(counted, self)
    }

    fn count(&self, conn: &mut Conn) -> QueryResult<i64> {
        within!(articles_table::table, self)
            .select(diesel::dsl::count_star())
            .first(conn)
    }
}

/// Ids of articles and their totals in the ledger.
type Counted<'a> = diesel::helper_types::IntoBoxed<
    'a,
    diesel::helper_types::Select<
        diesel::helper_types::LeftJoinOn<
            articles_table::table,
            hit_totals::table,
            diesel::helper_types::Eq<hit_totals::article_id, articles_table::id>,
        >,
        (articles_table::id, SqlLiteral<BigInt>),
    >,
    MultiBackend,
>;

fn total() -> SqlLiteral<BigInt> {
    sql::<BigInt>("coalesce(hit_totals.total, 0)")
}

/// A page of articles in any state, by their counts.
pub fn managed_page_ids(
    conn: &mut Conn,
    among: &Among,
    sort: ManagedSort,
    paging: &Paging,
) -> QueryResult<Found<i64>> {
    let number = match paging.exact {
        true => Some(among.count(conn)?),
        false => None,
    };
    let pending = match sort {
        ManagedSort::ArticleId => HashMap::new(),
        _ => pending_totals(conn, among)?,
    };
    let query = match sort {
        ManagedSort::MostViewed => among
            .query()
            .order((total().desc(), articles_table::id.desc())),
        ManagedSort::LeastViewed => among
            .query()
            .order((total().asc(), articles_table::id.asc())),
        ManagedSort::ArticleId => among
            .query()
            .order((articles_table::id.asc(), articles_table::id.asc())),
    };
    let query = query.limit(paging.limit + 1);
    if pending.is_empty() {
        let rows: Vec<(i64, i64)> = query.offset(paging.offset()).load(conn)?;
        let items = rows.into_iter().map(|(id, _)| id).collect();
        return Ok(paging.cut(items, number, |id| (String::new(), *id)));
    }
    // As many more as the log may move to another place: what lies behind them stays behind the page.
    let moved = i64::try_from(pending.len()).unwrap_or(i64::MAX);
    let rows: Vec<(i64, i64)> = query
        .limit((paging.offset() + paging.limit + 1).saturating_add(moved))
        .load(conn)?;
    let mut rows: Vec<(i64, i64)> = rows
        .into_iter()
        .filter(|(id, _)| !pending.contains_key(id))
        .chain(pending.iter().map(|(id, total)| (*id, *total)))
        .collect();
    match sort {
        ManagedSort::MostViewed => rows.sort_by_key(|(id, total)| Reverse((*total, *id))),
        _ => rows.sort_by_key(|(id, total)| (*total, *id)),
    }
    let offset = usize::try_from(paging.offset()).unwrap_or(usize::MAX);
    let wanted = usize::try_from(paging.limit + 1).unwrap_or(0);
    let items = rows.into_iter().skip(offset).take(wanted);
    let items = items.map(|(id, _)| id).collect();
    Ok(paging.cut(items, number, |id| (String::new(), *id)))
}

/// The totals of those of the articles that the log has views of, these included.
fn pending_totals(conn: &mut Conn, among: &Among) -> QueryResult<HashMap<i64, i64>> {
    let deltas = pending(conn)?;
    let ids: Vec<i64> = deltas.keys().copied().collect();
    let mut totals = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let rows: Vec<(i64, i64)> = among
            .query()
            .filter(articles_table::id.eq_any(chunk))
            .load(conn)?;
        for (id, total) in rows {
            let counted = deltas.get(&id).map_or(0, Delta::counted);
            totals.insert(id, total + counted);
        }
    }
    Ok(totals)
}

/// What an export tells of an article beside its count.
#[derive(Debug, Queryable)]
pub struct Exported {
    /// Its id.
    pub id: i64,
    /// Its section.
    pub section_id: i64,
    /// Its title.
    pub title: String,
    /// Its slug.
    pub slug: String,
    status: String,
    published_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl Exported {
    /// The status that time has made.
    pub fn status_at(&self, now: Timestamp) -> Status {
        // The column holds nothing but what this service wrote.
        let stored = Status::parse(&self.status).unwrap_or(Status::Draft);
        stored.at(self.published_at, self.expires_at, now)
    }
}

/// The next articles after this id, in any state, by ascending id.
pub fn exported(
    conn: &mut Conn,
    among: &Among,
    after: i64,
    limit: i64,
) -> QueryResult<Vec<Exported>> {
    use articles_table as a;
    within!(a::table, among)
        .filter(a::id.gt(after))
        .order(a::id)
        .limit(limit)
        .select((
            a::id,
            a::section_id,
            a::title,
            a::slug,
            a::status,
            a::published_at,
            a::expires_at,
        ))
        .load(conn)
}

/// What is done to a count by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// What an older system had counted is this.
    Baseline(i64),
    /// So many more, or less.
    Adjust(i64),
    /// Back to zero.
    Reset,
}

impl Correction {
    fn kind(self) -> (&'static str, Event) {
        match self {
            Self::Baseline(_) => ("baseline", Event::HitsBaselineSet),
            Self::Adjust(_) => ("adjust", Event::HitsAdjusted),
            Self::Reset => ("reset", Event::HitsReset),
        }
    }
}

/// Why a correction can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The total would be below zero; it is this.
    BelowZero(i64),
    /// The total would be greater than JSON's numbers are exact for; it is this.
    TooMany(i64),
}

/// The greatest number up to which all are exact in JSON: 2⁵³ − 1 (RFC 8259 §6).
const MAX_TOTAL: i64 = 9_007_199_254_740_991;

/// Corrects an article's count and notes it in the ledger, in a transaction of content.
pub fn correct(
    conn: &mut Conn,
    article_id: i64,
    correction: Correction,
    reason: Option<&str>,
    zone: SiteZone,
    by: &By,
) -> QueryResult<Result<(), Refusal>> {
    let today = zone.day(by.now);
    if correction == Correction::Reset {
        // What is received stays told, so it must be in the ledger before it is taken off.
        fold_all(conn, zone, by.now)?;
    }
    let zero = Ledger::zero(article_id, today);
    let found = ledger_rows(conn, &[article_id])?.remove(&article_id);
    let before = found.unwrap_or(zero);
    let of_log = pending_of(conn, &[article_id])?;
    let of_log = of_log.get(&article_id).map_or(0, Delta::counted);
    let mut after = before.clone();
    match correction {
        Correction::Baseline(baseline) => after.baseline = baseline,
        Correction::Adjust(delta) => after.adjusted += delta,
        Correction::Reset => {
            after.baseline = 0;
            after.adjusted = -after.counted;
            after.set_windows(today, (0, 0, 0));
        }
    }
    after.total = after.baseline + after.counted + after.adjusted;
    if after.total + of_log < 0 {
        return Ok(Err(Refusal::BelowZero(before.total + of_log)));
    }
    if after.total + of_log > MAX_TOTAL {
        return Ok(Err(Refusal::TooMany(before.total + of_log)));
    }
    if correction == Correction::Reset {
        forget_history(conn, article_id)?;
    } else {
        add_total(conn, article_id, after.total - before.total)?;
    }
    write_ledgers(conn, std::slice::from_ref(&after))?;
    tell_nodes(conn)?;

    let (kind, event) = correction.kind();
    diesel::insert_into(hit_entries::table)
        .values((
            hit_entries::article_id.eq(article_id),
            hit_entries::kind.eq(kind),
            hit_entries::delta.eq(after.total - before.total),
            hit_entries::total_after.eq(after.total + of_log),
            hit_entries::reason.eq(reason),
            hit_entries::user_id.eq(by.actor.user_id()),
            hit_entries::created_at.eq(by.now),
        ))
        .execute(conn)?;
    let mut changes = vec![
        Change::new("baseline", before.baseline, after.baseline),
        Change::new("adjusted", before.adjusted, after.adjusted),
        Change::new("total", before.total + of_log, after.total + of_log),
    ];
    changes.retain(|change| change.before != change.after);
    changes.extend(reason.map(|reason| Change::new("reason", Value::Null, reason)));
    let entry = Entry::new(event, Resource::Article, article_id).with(changes);
    audit::record(conn, by, entry)?;
    Ok(Ok(()))
}

/// Deletes what there is of an article by time, and takes it off the sums with all that is in its ledger.
fn forget_history(conn: &mut Conn, article_id: i64) -> QueryResult<()> {
    let listed = Listed::of(conn, &[article_id])?;
    let sections = listed.sections(article_id).iter();
    let listings: Vec<(i64, i64)> = sections.map(|section| (article_id, *section)).collect();
    move_sums(conn, &listings, -1)?;
    diesel::delete(hit_days::table.filter(hit_days::article_id.eq(article_id))).execute(conn)?;
    diesel::delete(hit_months::table.filter(hit_months::article_id.eq(article_id)))
        .execute(conn)?;
    diesel::delete(hit_hours::table.filter(hit_hours::article_id.eq(article_id))).execute(conn)?;
    Ok(())
}

/// Adds views of the day of `last_at` that are known otherwise, such as a demonstration's history.
pub fn add_history(
    conn: &mut Conn,
    article_id: i64,
    hits: i64,
    last_at: Timestamp,
    zone: SiteZone,
    now: Timestamp,
) -> QueryResult<()> {
    let (day, hour) = (zone.day(last_at), zone.start_of_hour(last_at));
    let mut delta = Delta::of(article_id);
    delta.last_at = Some(last_at.millis());
    delta.add(Views::new(day, hour, Client::Web, hits));
    apply(conn, &[delta], zone.day(now), now)
}

/// Sets what an older system had counted, without an entry in the ledger: for new articles.
pub fn start_from(
    conn: &mut Conn,
    article_id: i64,
    baseline: i64,
    today: NaiveDate,
) -> QueryResult<()> {
    let zero = Ledger::zero(article_id, today);
    let mut ledger = ledger_rows(conn, &[article_id])?
        .remove(&article_id)
        .unwrap_or(zero);
    let more = baseline - ledger.baseline;
    ledger.baseline = baseline;
    ledger.total += more;
    write_ledgers(conn, &[ledger])?;
    add_total(conn, article_id, more)?;
    tell_nodes(conn)
}
