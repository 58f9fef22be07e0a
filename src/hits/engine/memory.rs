//! What the writer knows without asking the database: which articles are public, what their counts are,
//! who has been there of late. All of it is what one committed state of the database had, and holds for
//! as long as [`Memory::state`] does; then what others have changed since is learnt.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::result::Error;

use crate::articles;
use crate::changes;
use crate::db::schema::hit_nodes;
use crate::db::{Conn, Timestamp};
use crate::hits::DaySalts;
use crate::hits::store::{self, Delta, State};
use crate::visibility::{SITE, is_within, times_of};

/// How many articles, slugs and counts are known at most.
const MAX_KNOWN: usize = 200_000;
/// How many visits are known at most, twice.
const MAX_VISITS: usize = 200_000;
/// How many changed articles are looked at one by one.
const MAX_CHANGES: i64 = 10_000;

/// The node whose number grows where the ledger has changed otherwise than by hits of the log.
const BY_HAND: i64 = 0;

/// A visitor of an article.
pub type Visit = (i64, [u8; 16]);

/// What the writer knows.
#[derive(Debug, Default)]
pub struct Memory {
    /// What was learnt last, where it is known to be so.
    state: Option<State>,
    /// The change log's last row.
    generation: i64,
    /// When articles are public: from, and before. None: never.
    articles: HashMap<i64, Option<(Timestamp, Option<Timestamp>)>>,
    slugs: HashMap<String, i64>,
    /// The last flush of each other node.
    nodes: HashMap<i64, i64>,
    counts: HashMap<i64, Count>,
    visits: HashMap<Visit, Timestamp>,
    older_visits: HashMap<Visit, Timestamp>,
    /// The day's salts.
    pub salts: Option<Arc<DaySalts>>,
}

/// Where a flush finds what the writer doesn't know.
pub enum Reads<'a> {
    /// Nowhere: what is not known is [`Error::NotFound`].
    Nowhere,
    /// In a transaction.
    In(&'a mut Conn),
}

impl Reads<'_> {
    /// The transaction.
    pub fn conn(&mut self) -> QueryResult<&mut Conn> {
        match self {
            Self::Nowhere => Err(Error::NotFound),
            Self::In(conn) => Ok(conn),
        }
    }
}

/// An article's count.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    /// All views.
    pub total: i64,
    /// Views of the day.
    pub today: i64,
    day: NaiveDate,
}

/// What a flush has written.
#[derive(Debug, Default)]
pub struct Written {
    /// What was added to counts.
    pub deltas: Arc<Vec<Delta>>,
    /// Who was there, and when.
    pub visits: Vec<(Visit, Timestamp)>,
    /// The day's salts.
    pub salts: Option<Arc<DaySalts>>,
}

impl Memory {
    /// What was learnt last, which is what all else rests on.
    pub fn state(&self) -> Option<State> {
        self.state
    }

    /// Learns what has changed: content, and counts by other nodes or by hand. Whoever appends to the
    /// log must be known to the others by then: `register` makes this node so.
    pub fn learn(
        &mut self,
        conn: &mut Conn,
        node: i64,
        register: impl FnOnce(&mut Conn) -> QueryResult<()>,
    ) -> QueryResult<()> {
        let before = self.state;
        let mut state = store::state(conn, node)?;
        if !state.is_here() {
            register(conn)?;
            state = store::state(conn, node)?;
        }
        if state.generation != self.generation {
            self.slugs.clear();
            match changes::articles_since(conn, self.generation, MAX_CHANGES)? {
                Some(changed) => {
                    for id in changed {
                        self.articles.remove(&id);
                    }
                }
                None => self.articles.clear(),
            }
            self.generation = state.generation;
        }
        for too_many in [self.articles.len(), self.slugs.len(), self.counts.len()] {
            if too_many > MAX_KNOWN {
                self.articles.clear();
                self.slugs.clear();
                self.counts.clear();
            }
        }
        if !before.is_some_and(|before| before.has_counts_of(&state)) {
            self.learn_counts(conn, node)?;
        }
        self.state = Some(state);
        Ok(())
    }

    /// Adds what other nodes have counted. What is no longer in the log, or never was, is not known:
    /// then counts are read anew.
    fn learn_counts(&mut self, conn: &mut Conn, node: i64) -> QueryResult<()> {
        let folded: Vec<(i64, i64)> = hit_nodes::table
            .filter(hit_nodes::node.ne(node))
            .select((hit_nodes::node, hit_nodes::folded))
            .load(conn)?;
        let mut latest: HashMap<i64, i64> =
            store::latest_of_others(conn, node)?.into_iter().collect();
        let mut is_lost = false;
        for (other, folded) in folded {
            let last = latest.remove(&other).unwrap_or(folded);
            let is_missing = self.learn_node(conn, other, folded, last)?;
            is_lost |= is_missing;
            if is_missing && other == BY_HAND {
                // A reset has emptied sketches: whoever comes again is new to them.
                self.visits.clear();
                self.older_visits.clear();
            }
        }
        for (other, last) in latest {
            is_lost |= self.learn_node(conn, other, 0, last)?;
        }
        if is_lost {
            self.counts.clear();
        }
        Ok(())
    }

    /// True where something is missing.
    fn learn_node(
        &mut self,
        conn: &mut Conn,
        other: i64,
        folded: i64,
        last: i64,
    ) -> QueryResult<bool> {
        // What was there before anything was known is in the counts that are read.
        let seen = match self.nodes.insert(other, last) {
            None if self.counts.is_empty() => return Ok(false),
            seen => seen.unwrap_or(0),
        };
        if last <= seen {
            return Ok(false);
        }
        if folded > seen {
            return Ok(true);
        }
        store::take_up_after(conn, other, seen, |delta| self.add(delta))?;
        Ok(false)
    }

    fn add(&mut self, delta: &Delta) {
        if let Some(count) = self.counts.get_mut(&delta.article_id) {
            count.total += delta.counted();
            count.today += delta.between(count.day, count.day);
        }
    }

    /// The articles that slugs lead to, live ones and old ones.
    pub fn article_of(&mut self, reads: &mut Reads<'_>, slug: &str) -> QueryResult<Option<i64>> {
        if let Some(id) = self.slugs.get(slug) {
            return Ok(Some(*id));
        }
        let found = articles::resolve(reads.conn()?, slug)?;
        if let Some(id) = found {
            self.slugs.insert(slug.to_owned(), id);
        }
        Ok(found)
    }

    /// Learns when these articles are public.
    pub fn look_up(&mut self, reads: &mut Reads<'_>, ids: &[i64]) -> QueryResult<()> {
        let missing: Vec<i64> = ids
            .iter()
            .copied()
            .filter(|id| !self.articles.contains_key(id))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let times = times_of(reads.conn()?, SITE, &missing)?;
        self.articles
            .extend(missing.into_iter().map(|id| (id, None)));
        let listed = times.into_iter();
        let listed = listed.map(|(id, from, before)| (id, Some((from, before))));
        self.articles.extend(listed);
        Ok(())
    }

    /// Whether an article that was looked up is public.
    pub fn is_public(&self, id: i64, now: Timestamp) -> bool {
        let times = self.articles.get(&id).copied().flatten();
        times.is_some_and(|(from, before)| is_within(from, before, now))
    }

    /// Learns the counts of these articles, less what this flush adds.
    pub fn count_up(
        &mut self,
        reads: &mut Reads<'_>,
        ids: &[i64],
        today: NaiveDate,
    ) -> QueryResult<()> {
        let missing: Vec<i64> = ids
            .iter()
            .copied()
            .filter(|id| self.counts.get(id).is_none_or(|count| count.day != today))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        for (id, (total, today_hits)) in store::totals(reads.conn()?, &missing, today)? {
            let count = Count {
                total,
                today: today_hits,
                day: today,
            };
            self.counts.insert(id, count);
        }
        Ok(())
    }

    /// The count of an article that was counted up.
    pub fn count(&self, id: i64) -> (i64, i64) {
        let count = self.counts.get(&id);
        count.map_or((0, 0), |count| (count.total, count.today))
    }

    /// When a visitor was last known to come.
    pub fn last_visit(&self, visit: &Visit) -> Option<Timestamp> {
        let found = self
            .visits
            .get(visit)
            .or_else(|| self.older_visits.get(visit));
        found.copied()
    }

    /// What was written is known from now on.
    pub fn remember(&mut self, written: Written) {
        for delta in written.deltas.iter() {
            self.add(delta);
        }
        if self.visits.len() > MAX_VISITS {
            self.older_visits = std::mem::take(&mut self.visits);
        }
        self.visits.extend(written.visits);
        if written.salts.is_some() {
            self.salts = written.salts;
        }
    }

    /// What became of a flush is not known: neither are the counts, nor what else holds.
    pub fn forget(&mut self) {
        self.state = None;
        self.counts.clear();
    }
}
