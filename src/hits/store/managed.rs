//! Management: lists by count, and corrections by hand.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::Value;

use crate::audit::{self, By, Change, Entry, Event, Resource};
use crate::db::Conn;
use crate::db::schema::{articles as articles_table, hit_days, hit_entries, hit_totals};
use crate::http::paging::{Found, Paging};

use super::record::lock_totals;

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

/// A page of articles in any state, by their counts.
pub fn managed_page_ids(
    conn: &mut Conn,
    among: &Among,
    sort: ManagedSort,
    paging: &Paging,
) -> QueryResult<Found<i64>> {
    let all = || {
        let mut query = articles_table::table
            .left_join(hit_totals::table.on(hit_totals::article_id.eq(articles_table::id)))
            .into_boxed::<crate::db::MultiBackend>();
        if let Some(ids) = &among.section_ids {
            query = query.filter(articles_table::section_id.eq_any(ids));
        }
        if let Some(user) = among.only_by {
            query = query.filter(articles_table::created_by.eq(user));
        }
        query
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
    let items = query
        .select(articles_table::id)
        .limit(paging.limit + 1)
        .offset(paging.offset())
        .load(conn)?;
    Ok(paging.cut(items, total, |id| (String::new(), *id)))
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
    by: &By,
) -> QueryResult<()> {
    lock_totals(conn, article_id)?;
    let parts = |conn: &mut Conn| -> QueryResult<(i64, i64, i64)> {
        hit_totals::table
            .find(article_id)
            .select((
                hit_totals::baseline,
                hit_totals::counted,
                hit_totals::adjusted,
            ))
            .first(conn)
    };
    let before = parts(conn)?;
    let (kind, event) = match correction {
        Correction::Baseline(baseline) => {
            diesel::update(hit_totals::table.find(article_id))
                .set(hit_totals::baseline.eq(baseline))
                .execute(conn)?;
            ("baseline", Event::HitsBaselineSet)
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
            ("reset", Event::HitsReset)
        }
    };
    let after = parts(conn)?;
    let sum = |(baseline, counted, adjusted): (i64, i64, i64)| baseline + counted + adjusted;
    diesel::insert_into(hit_entries::table)
        .values((
            hit_entries::article_id.eq(article_id),
            hit_entries::kind.eq(kind),
            hit_entries::delta.eq(sum(after) - sum(before)),
            hit_entries::total_after.eq(sum(after)),
            hit_entries::reason.eq(reason),
            hit_entries::user_id.eq(by.actor.user_id()),
            hit_entries::created_at.eq(by.now),
        ))
        .execute(conn)?;
    let mut changes = vec![
        Change::new("baseline", before.0, after.0),
        Change::new("adjusted", before.2, after.2),
        Change::new("total", sum(before), sum(after)),
    ];
    changes.retain(|change| change.before != change.after);
    changes.extend(reason.map(|reason| Change::new("reason", Value::Null, reason)));
    let entry = Entry::new(event, Resource::Article, article_id).with(changes);
    audit::record(conn, by, entry)
}
