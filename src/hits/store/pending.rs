//! What is on disk and not yet folded into the ledger, put together by article.
//!
//! It is kept from one read to the next: whoever reads counts adds what has been appended since, and takes
//! in nothing twice. What was folded in, each snapshot of the database tells itself, so that a count is
//! never without hits that were answered before, nor has any twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Untyped};

use crate::db::Conn;
use crate::db::schema::{hit_log, hit_parts};
use crate::each;

use super::counts::CHUNK;
use super::log::{Delta, Row, decode};

/// Of how many hits rows that this node has appended are kept until somebody reads: each may be of an
/// article of its own, and takes some 200 bytes then.
const MAX_HITS: usize = 50_000;
/// How often a reader looks again where others have read on meanwhile.
const TRIES: u32 = 3;

/// What is pending.
#[derive(Debug, Default)]
struct Pending {
    /// How far each node's flushes are in `flushes`.
    ends: BTreeMap<i64, End>,
    /// The flushes, put together.
    flushes: HashMap<i64, Delta>,
    /// What was taken out of the log to be folded in, by the names of its parts.
    parts: BTreeMap<i64, Row>,
}

/// A node's place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The last of its flushes that is no longer in the log.
    pub folded: i64,
    /// The last of its flushes.
    pub last: i64,
}

/// What is pending as it was read last. One process has one database, but for tests: no two databases have
/// a node in common.
static LATEST: LazyLock<Mutex<Pending>> = LazyLock::new(Mutex::default);

/// Rows that this node has appended and nobody has read yet.
static OWN: LazyLock<Mutex<Own>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Own {
    /// By node and flush.
    rows: HashMap<(i64, i64), Row>,
    /// Of how many articles they are, all told.
    deltas: usize,
}

impl Own {
    /// Takes out the rows of a node that are there, and their numbers off those that are wanted.
    fn take(&mut self, node: i64, wanted: &mut Vec<i64>) -> Vec<Row> {
        let mut taken = Vec::new();
        wanted.retain(|seq| match self.rows.remove(&(node, *seq)) {
            Some(row) => {
                self.deltas = self.deltas.saturating_sub(row.len());
                taken.push(row);
                false
            }
            None => true,
        });
        taken
    }
}

fn locked<T: Default>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| {
        // Whoever held it broke in the middle.
        mutex.clear_poison();
        let mut guard = poisoned.into_inner();
        *guard = T::default();
        guard
    })
}

/// Keeps a row that is being appended, which needn't be read by this process then. Nobody looks for a name
/// that is not in the log, should its flush be undone.
pub fn keep(node: i64, seq: i64, row: &Row) {
    let mut own = locked(&OWN);
    if own.deltas + row.len() > MAX_HITS {
        *own = Own::default();
    }
    own.deltas += row.len();
    own.rows.insert((node, seq), Arc::clone(row));
}

/// What is pending of these articles, as the transaction sees it, or later: it must see one state of the
/// database, or keep others from folding.
pub fn pending_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, Delta>> {
    with_latest(conn, false, |pending| pending.of(ids))
}

/// What is pending of these articles, just as the transaction sees it, for whoever adds what comes later.
pub fn pending_of_now(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, Delta>> {
    with_latest(conn, true, |pending| pending.of(ids))
}

/// All that is pending, as the transaction sees it, or later.
pub fn pending(conn: &mut Conn) -> QueryResult<BTreeMap<i64, Delta>> {
    with_latest(conn, false, Pending::all)
}

/// What stands in the log alone, and how far it goes.
pub fn in_log(conn: &mut Conn) -> QueryResult<(BTreeMap<i64, End>, BTreeMap<i64, Delta>)> {
    with_latest(conn, false, |pending| {
        let flushes = pending.flushes.iter();
        let flushes = flushes.map(|(id, delta)| (*id, delta.clone()));
        (pending.ends.clone(), flushes.collect())
    })
}

/// Looks at what is pending. Nobody waits for the database meanwhile but the reader itself.
fn with_latest<T>(
    conn: &mut Conn,
    is_exact: bool,
    look: impl FnOnce(&Pending) -> T,
) -> QueryResult<T> {
    let seen = Seen::read(conn)?;
    for _ in 0..TRIES {
        let (ends, parts) = locked(&LATEST).place();
        if !seen.follows(&ends, is_exact) {
            break;
        }
        let more = seen.since(conn, &ends, &parts)?;
        let mut latest = locked(&LATEST);
        // Others may have read on meanwhile.
        if latest.ends == ends {
            latest.add(more, &seen);
            if latest.has_parts(&seen.parts) {
                return Ok(look(&latest));
            }
        }
    }
    let mut pending = Pending::default();
    let more = seen.since(conn, &BTreeMap::new(), &[])?;
    pending.add(more, &seen);
    let found = look(&pending);
    *locked(&LATEST) = pending;
    Ok(found)
}

/// What a snapshot has: how far each node is, and the names of the parts.
struct Seen {
    ends: BTreeMap<i64, End>,
    parts: Vec<i64>,
}

/// What a snapshot has more.
#[derive(Default)]
struct More {
    /// The flushes, put together as they are read: there may be a million hits of few articles.
    flushes: HashMap<i64, Delta>,
    parts: Vec<(i64, Row)>,
}

impl Seen {
    fn read(conn: &mut Conn) -> QueryResult<Self> {
        let ends = ends(conn)?;
        let parts = hit_parts::table.select(hit_parts::id).load(conn)?;
        Ok(Self { ends, parts })
    }

    /// Whether what goes so far is of the same state of the ledger, and where it is to be exact, goes no
    /// further.
    fn follows(&self, known: &BTreeMap<i64, End>, is_exact: bool) -> bool {
        self.ends.len() == known.len()
            && self.ends.iter().zip(known).all(|(seen, known)| {
                (seen.0, seen.1.folded) == (known.0, known.1.folded)
                    && (!is_exact || known.1.last <= seen.1.last)
            })
    }

    /// What stands in the log after these ends, and the parts that are not among these.
    fn since(
        &self,
        conn: &mut Conn,
        ends: &BTreeMap<i64, End>,
        parts: &[i64],
    ) -> QueryResult<More> {
        let mut more = More::default();
        for (node, end) in &self.ends {
            // What was folded in may stand there for a while.
            let known = ends.get(node).map_or(end.folded, |known| known.last);
            if end.last > known {
                add_rows(conn, *node, known, end.last, &mut more.flushes)?;
            }
        }
        let missing: Vec<i64> = self
            .parts
            .iter()
            .copied()
            .filter(|id| !parts.contains(id))
            .collect();
        for chunk in missing.chunks(CHUNK) {
            let loaded: Vec<(i64, Vec<u8>)> = hit_parts::table
                .filter(hit_parts::id.eq_any(chunk))
                .load(conn)?;
            for (id, payload) in loaded {
                more.parts.push((id, Arc::new(decode(&payload)?)));
            }
        }
        Ok(more)
    }
}

impl Pending {
    /// How far it goes, and the names of its parts.
    fn place(&self) -> (BTreeMap<i64, End>, Vec<i64>) {
        (self.ends.clone(), self.parts.keys().copied().collect())
    }

    /// Has what the snapshot has, and what came later; but its parts and no others.
    fn add(&mut self, more: More, seen: &Seen) {
        for delta in more.flushes.values() {
            merge_into(&mut self.flushes, delta);
        }
        for (node, end) in &seen.ends {
            let known = self.ends.entry(*node).or_insert(*end);
            known.last = known.last.max(end.last);
        }
        self.parts.extend(more.parts);
        self.parts.retain(|id, _| seen.parts.contains(id));
    }

    fn has_parts(&self, ids: &[i64]) -> bool {
        ids.iter().all(|id| self.parts.contains_key(id))
    }

    fn of(&self, ids: &[i64]) -> HashMap<i64, Delta> {
        let mut found = HashMap::new();
        for id in ids {
            if let Some(delta) = self.flushes.get(id) {
                merge_into(&mut found, delta);
            }
            for part in self.parts.values() {
                if let Ok(at) = part.binary_search_by_key(id, |delta| delta.article_id) {
                    merge_into(&mut found, &part[at]);
                }
            }
        }
        found
    }

    fn all(&self) -> BTreeMap<i64, Delta> {
        let mut merged = self.flushes.clone();
        for delta in self.parts.values().flat_map(|part| part.iter()) {
            merge_into(&mut merged, delta);
        }
        merged.into_iter().collect()
    }
}

fn merge_into(merged: &mut HashMap<i64, Delta>, delta: &Delta) {
    merged
        .entry(delta.article_id)
        .or_insert_with(|| Delta::of(delta.article_id))
        .merge(delta);
}

/// Adds the rows of a node after one flush and up to another that are in the log.
fn add_rows(
    conn: &mut Conn,
    node: i64,
    after: i64,
    last: i64,
    flushes: &mut HashMap<i64, Delta>,
) -> QueryResult<()> {
    let within = hit_log::node
        .eq(node)
        .and(hit_log::seq.gt(after))
        .and(hit_log::seq.le(last));
    let mut missing: Vec<i64> = hit_log::table
        .filter(within)
        .select(hit_log::seq)
        .load(conn)?;
    let mut add = |row: &[Delta]| {
        for delta in row {
            merge_into(flushes, delta);
        }
    };
    let own = locked(&OWN).take(node, &mut missing);
    for row in own {
        add(&row);
    }
    for chunk in missing.chunks(CHUNK) {
        let payloads: Vec<Vec<u8>> = hit_log::table
            .filter(hit_log::node.eq(node).and(hit_log::seq.eq_any(chunk)))
            .select(hit_log::payload)
            .load(conn)?;
        for payload in payloads {
            add(&decode(&payload)?);
        }
    }
    Ok(())
}

/// Reads where each node is. (Its flushes that were folded in last may be none: 0.)
#[derive(Debug, QueryId)]
struct ReadEnds;

impl Query for ReadEnds {
    type SqlType = Untyped;
}

impl<DB: Backend> QueryFragment<DB> for ReadEnds {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // Each number is found at the end of an index.
        out.push_sql(
            "SELECT node, folded, coalesce((SELECT max(seq) FROM hit_log \
             WHERE hit_log.node = hit_nodes.node), folded) AS last FROM hit_nodes WHERE node <> 0",
        );
        Ok(())
    }
}

impl<C> RunQueryDsl<C> for ReadEnds {}

#[derive(Debug, QueryableByName)]
struct EndRow {
    #[diesel(sql_type = BigInt)]
    node: i64,
    #[diesel(sql_type = BigInt)]
    folded: i64,
    #[diesel(sql_type = BigInt)]
    last: i64,
}

fn ends(conn: &mut Conn) -> QueryResult<BTreeMap<i64, End>> {
    let rows: Vec<EndRow> = each!(conn, c => ReadEnds.load(c))?;
    let ends = rows.into_iter().map(|row| {
        let EndRow { node, folded, last } = row;
        (node, End { folded, last })
    });
    Ok(ends.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(ends: &[(i64, i64, i64)]) -> BTreeMap<i64, End> {
        let end = |(node, folded, last): &(i64, i64, i64)| {
            let (folded, last) = (*folded, *last);
            (*node, End { folded, last })
        };
        ends.iter().map(end).collect()
    }

    #[test]
    fn only_what_is_of_the_same_ledger_is_gone_on_from() {
        let seen = Seen {
            ends: ends(&[(1, 3, 5), (2, 0, 7)]),
            parts: Vec::new(),
        };
        for (known, follows, follows_exactly) in [
            (ends(&[(1, 3, 5), (2, 0, 7)]), true, true),
            (ends(&[(1, 3, 4), (2, 0, 0)]), true, true),
            // Others have read on: good enough for a reader, counted twice by a writer.
            (ends(&[(1, 3, 6), (2, 0, 7)]), true, false),
            // Some was folded in since, or will be.
            (ends(&[(1, 0, 5), (2, 0, 7)]), false, false),
            (ends(&[(1, 4, 5), (2, 0, 7)]), false, false),
            // Another node's.
            (ends(&[(1, 3, 5)]), false, false),
            (ends(&[(1, 3, 5), (2, 0, 7), (3, 0, 0)]), false, false),
            (ends(&[(1, 3, 5), (4, 0, 7)]), false, false),
        ] {
            assert_eq!(seen.follows(&known, false), follows, "{known:?}");
            assert_eq!(seen.follows(&known, true), follows_exactly, "{known:?}");
        }
    }

    #[test]
    fn nothing_is_added_twice_and_parts_are_the_snapshot_s() {
        let delta = |id: i64| {
            let mut delta = Delta::of(id);
            delta.bot = 1;
            delta
        };
        let row = |ids: &[i64]| -> Row { Arc::new(ids.iter().map(|id| delta(*id)).collect()) };
        let flushes = |rows: &[Row]| {
            let mut flushes = HashMap::new();
            for delta in rows.iter().flat_map(|row| row.iter()) {
                merge_into(&mut flushes, delta);
            }
            flushes
        };
        let mut pending = Pending::default();
        let first = Seen {
            ends: ends(&[(1, 0, 2)]),
            parts: vec![8, 9],
        };
        let more = More {
            flushes: flushes(&[row(&[1, 2]), row(&[1])]),
            parts: vec![(8, row(&[2])), (9, row(&[3]))],
        };
        pending.add(more, &first);
        let bots = |pending: &Pending| -> Vec<(i64, i64)> {
            pending.all().iter().map(|(id, d)| (*id, d.bot)).collect()
        };
        assert_eq!(bots(&pending), [(1, 2), (2, 2), (3, 1)]);
        assert_eq!(pending.of(&[2, 4]).len(), 1);
        // An older snapshot, in which one of the parts was folded in: how far it goes stays.
        let older = Seen {
            ends: ends(&[(1, 0, 1)]),
            parts: vec![9],
        };
        pending.add(More::default(), &older);
        assert_eq!(bots(&pending), [(1, 2), (2, 1), (3, 1)]);
        assert_eq!(pending.place(), (ends(&[(1, 0, 2)]), vec![9]));
        assert!(pending.has_parts(&[9]) && !pending.has_parts(&[8, 9]));
    }
}
