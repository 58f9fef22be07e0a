//! The log: hits that are on disk and not yet folded into the ledger.
//!
//! A flush appends one row, whatever the number of hits and articles in it. So hits of any articles
//! cost the same, and nodes never wait for each other. Every count is the ledger's rows and what
//! stands in the log: [`Pending`] is the latter, as one snapshot of the database has it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chrono::{Datelike, NaiveDate};
use diesel::prelude::*;
use diesel::result::Error;
use serde::{Deserialize, Serialize};

use crate::db::schema::{hit_log, hit_parts};
use crate::db::{Conn, Timestamp};
use crate::hits::rules::Client;

use super::counts::CHUNK;

/// What hits add to the ledger of one article.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The article.
    pub article_id: i64,
    /// Hits that did not count, by why.
    pub duplicate: i64,
    /// Hits of bots.
    pub bot: i64,
    /// Hits that were rejected.
    pub rejected: i64,
    /// When the last view was, in milliseconds since 1970.
    pub last_at: Option<i64>,
    /// The views that counted.
    pub views: Vec<Views>,
}

/// Views of one article that counted, of one hour and one kind of client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Views {
    /// The site's day, in days since the first of year 1.
    day: i32,
    /// The first instant of the hour, in milliseconds since 1970.
    hour: i64,
    /// Where they were viewed: its place in [`Client::ALL`].
    client: u8,
    /// How many.
    pub hits: i64,
    /// Hashes of visitors that may be new on that day.
    pub visitors: Vec<u64>,
}

impl Views {
    /// One hour's views.
    pub fn new(day: NaiveDate, hour: Timestamp, client: Client, hits: i64) -> Self {
        Self {
            day: day.num_days_from_ce(),
            hour: hour.millis(),
            client: client.index(),
            hits,
            visitors: Vec::new(),
        }
    }

    /// The site's day.
    pub fn day(&self) -> NaiveDate {
        NaiveDate::from_num_days_from_ce_opt(self.day).unwrap_or_default()
    }

    /// The first instant of the hour.
    pub fn hour(&self) -> Option<Timestamp> {
        Timestamp::from_millis(self.hour)
    }

    /// Where they were viewed.
    pub fn client(&self) -> Client {
        Client::from_index(self.client)
    }

    fn is_of(&self, other: &Self) -> bool {
        (self.day, self.hour, self.client) == (other.day, other.hour, other.client)
    }
}

impl Delta {
    /// Nothing, of an article.
    pub fn of(article_id: i64) -> Self {
        Self {
            article_id,
            ..Self::default()
        }
    }

    /// Adds views.
    pub fn add(&mut self, views: Views) {
        match self.views.iter_mut().find(|own| own.is_of(&views)) {
            Some(own) => {
                own.hits += views.hits;
                own.visitors.extend(views.visitors);
            }
            None => self.views.push(views),
        }
    }

    /// Adds what another one adds.
    pub fn merge(&mut self, other: &Self) {
        self.duplicate += other.duplicate;
        self.bot += other.bot;
        self.rejected += other.rejected;
        self.last_at = self.last_at.max(other.last_at);
        for views in &other.views {
            self.add(views.clone());
        }
    }

    /// The views that counted.
    pub fn counted(&self) -> i64 {
        self.views.iter().map(|views| views.hits).sum()
    }

    /// Views from one day to another.
    pub fn between(&self, first: NaiveDate, last: NaiveDate) -> i64 {
        let within = |views: &&Views| (first..=last).contains(&views.day());
        self.views.iter().filter(within).map(|v| v.hits).sum()
    }

    /// When the last view was.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.last_at.and_then(Timestamp::from_millis)
    }
}

/// The bytes of a row: these, by ascending id.
pub fn encode(deltas: &[Delta]) -> QueryResult<Vec<u8>> {
    postcard::to_allocvec(deltas).map_err(|error| Error::SerializationError(Box::new(error)))
}

/// What the bytes of a row hold.
pub fn decode(bytes: &[u8]) -> QueryResult<Vec<Delta>> {
    postcard::from_bytes(bytes).map_err(|error| Error::DeserializationError(Box::new(error)))
}

/// What names a row: one of the log, or one of what is being folded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A node's flush.
    Flush(i64, i64),
    /// A part.
    Part(i64),
}

/// A row's contents, by ascending id.
pub type Row = Arc<Vec<Delta>>;

/// Rows that were read before. They never change, and their names, which hold random numbers, are never
/// used again.
static READ: LazyLock<Mutex<HashMap<Key, Row>>> = LazyLock::new(Mutex::default);

/// How many rows are remembered beside those that are pending.
const SPARE_ROWS: usize = 256;
/// How many rows are remembered at most where nobody on this node reads the log.
const MAX_ROWS: usize = 20_000;

/// What is on disk and not yet folded into the ledger.
#[derive(Debug, Clone, Default)]
pub struct Pending(Vec<(Key, Row)>);

impl Pending {
    /// As the transaction sees it, which must see one state of the database, or keep others from
    /// folding.
    pub fn read(conn: &mut Conn) -> QueryResult<Self> {
        let keys = keys(conn)?;
        if keys.is_empty() {
            return Ok(Self::default());
        }
        let mut rows = Vec::with_capacity(keys.len());
        let mut missing = Vec::new();
        {
            let read = READ.lock().unwrap_or_else(PoisonError::into_inner);
            for key in keys {
                match read.get(&key) {
                    Some(row) => rows.push((key, Arc::clone(row))),
                    None => missing.push(key),
                }
            }
        }
        let loaded = load(conn, &missing)?;
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, row) in loaded {
            read.insert(key, Arc::clone(&row));
            rows.push((key, row));
        }
        if read.len() > 2 * rows.len() + SPARE_ROWS {
            *read = rows.iter().cloned().collect();
        }
        Ok(Self(rows))
    }

    /// These rows alone.
    pub fn of_rows(rows: Vec<(Key, Row)>) -> Self {
        Self(rows)
    }

    /// The rows.
    pub fn rows(&self) -> &[(Key, Row)] {
        &self.0
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What there is of these articles.
    pub fn of(&self, ids: &[i64]) -> HashMap<i64, Delta> {
        let mut found = HashMap::new();
        for (_, row) in &self.0 {
            for id in ids {
                if let Ok(at) = row.binary_search_by_key(id, |delta| delta.article_id) {
                    merge_into(&mut found, &row[at]);
                }
            }
        }
        found
    }

    /// What there is, by article.
    pub fn all(&self) -> BTreeMap<i64, Delta> {
        let mut merged = HashMap::new();
        for (_, row) in &self.0 {
            for delta in row.iter() {
                merge_into(&mut merged, delta);
            }
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

fn keys(conn: &mut Conn) -> QueryResult<Vec<Key>> {
    let flushes: Vec<(i64, i64)> = hit_log::table
        .select((hit_log::node, hit_log::seq))
        .load(conn)?;
    let parts: Vec<i64> = hit_parts::table.select(hit_parts::id).load(conn)?;
    let flushes = flushes.into_iter().map(|(node, seq)| Key::Flush(node, seq));
    Ok(flushes.chain(parts.into_iter().map(Key::Part)).collect())
}

fn load(conn: &mut Conn, keys: &[Key]) -> QueryResult<Vec<(Key, Row)>> {
    let (mut flushes, mut parts): (BTreeMap<i64, Vec<i64>>, Vec<i64>) = Default::default();
    for key in keys {
        match key {
            Key::Flush(node, seq) => flushes.entry(*node).or_default().push(*seq),
            Key::Part(id) => parts.push(*id),
        }
    }
    let mut loaded = Vec::with_capacity(keys.len());
    for (node, seqs) in flushes {
        for chunk in seqs.chunks(CHUNK) {
            let rows: Vec<(i64, Vec<u8>)> = hit_log::table
                .filter(hit_log::node.eq(node).and(hit_log::seq.eq_any(chunk)))
                .select((hit_log::seq, hit_log::payload))
                .load(conn)?;
            for (seq, payload) in rows {
                loaded.push((Key::Flush(node, seq), Arc::new(decode(&payload)?)));
            }
        }
    }
    for chunk in parts.chunks(CHUNK) {
        let rows: Vec<(i64, Vec<u8>)> = hit_parts::table
            .filter(hit_parts::id.eq_any(chunk))
            .load(conn)?;
        for (id, payload) in rows {
            loaded.push((Key::Part(id), Arc::new(decode(&payload)?)));
        }
    }
    Ok(loaded)
}

/// Appends a flush. What it holds needn't be read again by this process.
pub fn append(conn: &mut Conn, node: i64, seq: i64, deltas: &Row) -> QueryResult<()> {
    let payload = encode(deltas)?;
    diesel::insert_into(hit_log::table)
        .values((
            hit_log::node.eq(node),
            hit_log::seq.eq(seq),
            hit_log::payload.eq(payload),
        ))
        .execute(conn)?;
    // Nobody looks for a name that is not in the log, should this flush be undone.
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if read.len() >= MAX_ROWS {
        read.clear();
    }
    read.insert(Key::Flush(node, seq), Arc::clone(deltas));
    Ok(())
}

/// A node's last flushes that are in the log, of all nodes but this.
pub fn latest_of_others(conn: &mut Conn, node: i64) -> QueryResult<Vec<(i64, i64)>> {
    use diesel::dsl::max;
    // Two ranges of the key: what this node has appended itself is not looked at.
    let mut latest = Vec::new();
    let (before, after) = (hit_log::node.lt(node), hit_log::node.gt(node));
    let of = || hit_log::table.group_by(hit_log::node);
    let select = (hit_log::node, max(hit_log::seq).assume_not_null());
    latest.extend(
        of().filter(before)
            .select(select)
            .load::<(i64, i64)>(conn)?,
    );
    latest.extend(of().filter(after).select(select).load::<(i64, i64)>(conn)?);
    Ok(latest)
}

/// What a node has appended after `seq` and is still in the log.
pub fn after(conn: &mut Conn, node: i64, seq: i64) -> QueryResult<Vec<Delta>> {
    let payloads: Vec<Vec<u8>> = hit_log::table
        .filter(hit_log::node.eq(node).and(hit_log::seq.gt(seq)))
        .select(hit_log::payload)
        .load(conn)?;
    let mut deltas = Vec::new();
    for payload in payloads {
        deltas.extend(decode(&payload)?);
    }
    Ok(deltas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delta() -> impl Strategy<Value = Delta> {
        let views = (0..4_i32, 0..3_i64, 0..5_u8, 1..9_i64, any::<u64>());
        let views = views.prop_map(|(day, hour, client, hits, visitor)| Views {
            day: 730_000 + day,
            hour: hour * 3_600_000,
            client,
            hits,
            visitors: vec![visitor],
        });
        let counts = (0..9_i64, 0..9_i64, 0..9_i64, any::<Option<i32>>());
        let views = proptest::collection::vec(views, 0..6);
        (1..5_i64, counts, views).prop_map(|(article_id, counts, views)| {
            let mut delta = Delta::of(article_id);
            (delta.duplicate, delta.bot, delta.rejected) = (counts.0, counts.1, counts.2);
            delta.last_at = counts.3.map(i64::from);
            views.into_iter().for_each(|views| delta.add(views));
            delta
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(deltas in proptest::collection::vec(delta(), 0..8)) {
            let bytes = encode(&deltas).expect("encoded");
            prop_assert_eq!(decode(&bytes).expect("decoded"), deltas);
        }

        #[test]
        fn merging_loses_nothing(deltas in proptest::collection::vec(delta(), 1..8)) {
            let received = |delta: &Delta| {
                delta.counted() + delta.duplicate + delta.bot + delta.rejected
            };
            let mut whole = Delta::of(1);
            deltas.iter().for_each(|delta| whole.merge(delta));
            prop_assert_eq!(received(&whole), deltas.iter().map(received).sum::<i64>());
            let visitors = |d: &Delta| d.views.iter().map(|v| v.visitors.len()).sum::<usize>();
            prop_assert_eq!(visitors(&whole), deltas.iter().map(visitors).sum::<usize>());
        }
    }

    #[test]
    fn what_is_no_row_is_an_error() {
        assert!(decode(&[0xff; 9]).is_err());
    }
}
