//! The log: hits that are on disk and not yet folded into the ledger.
//!
//! A flush appends one row, whatever the number of hits and articles in it. So hits of any articles
//! cost the same, and nodes never wait for each other. Every count is the ledger's rows and what
//! stands in the log, which [`pending`] puts together.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use diesel::backend::Backend;
use diesel::dsl::min;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, HasSqlType, Untyped};
use serde::{Deserialize, Serialize};

use crate::db::schema::hit_log;
use crate::db::{Conn, Timestamp};
use crate::each;
use crate::hits::rules::Client;

use super::pending;

/// How many rows are held in memory at once.
const ROWS: i64 = 500;

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

/// A row's contents, by ascending id.
pub type Row = Arc<Vec<Delta>>;

/// What a flush depends on besides its hits, as numbers that change whenever any of it does: the content,
/// whether others know this node, which others there are, what they have appended, and what of that was
/// folded in. None of the last two ever goes down for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct State {
    /// The change log's last row.
    #[diesel(sql_type = BigInt)]
    pub generation: i64,
    /// 1 where this node is known, else 0.
    #[diesel(sql_type = BigInt)]
    here: i64,
    /// How many others are known.
    #[diesel(sql_type = BigInt)]
    others: i64,
    /// The other nodes' flushes that were folded in last, added up.
    #[diesel(sql_type = BigInt)]
    folded: i64,
    /// The other nodes' last flushes, added up.
    #[diesel(sql_type = BigInt)]
    appended: i64,
}

impl State {
    /// Whether others know this node, so that they look for its flushes.
    pub fn is_here(&self) -> bool {
        self.here > 0
    }

    /// Whether other nodes have counted the same.
    pub fn has_counts_of(&self, other: &Self) -> bool {
        let counts = |state: &Self| (state.others, state.folded, state.appended);
        counts(self) == counts(other)
    }
}

/// Reads [`State`], as this node sees it.
#[derive(Debug, QueryId)]
struct ReadState {
    node: i64,
}

impl Query for ReadState {
    type SqlType = Untyped;
}

impl<DB: Backend> QueryFragment<DB> for ReadState
where
    DB: HasSqlType<BigInt>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // Each number is found at the end of an index.
        out.push_sql(
            "SELECT (SELECT coalesce(max(seq), 0) FROM changes) AS generation, \
             (SELECT count(*) FROM hit_nodes WHERE node = ",
        );
        out.push_bind_param::<BigInt, _>(&self.node)?;
        out.push_sql(
            ") AS here, count(*) AS others, CAST(coalesce(sum(folded), 0) AS bigint) AS folded, \
             CAST(coalesce(sum(coalesce((SELECT max(seq) FROM hit_log \
             WHERE hit_log.node = hit_nodes.node), folded)), 0) AS bigint) AS appended \
             FROM hit_nodes WHERE node <> ",
        );
        out.push_bind_param::<BigInt, _>(&self.node)
    }
}

/// The state as the transaction sees it.
pub fn state(conn: &mut Conn, node: i64) -> QueryResult<State> {
    each!(conn, c => ReadState { node }.get_result(c))
}

/// Appends a flush where the state is still the one expected.
#[derive(Debug, QueryId)]
struct AppendIf {
    node: i64,
    seq: i64,
    payload: Vec<u8>,
    read: ReadState,
    expected: State,
}

impl<DB: Backend> QueryFragment<DB> for AppendIf
where
    DB: HasSqlType<BigInt> + HasSqlType<Binary>,
    i64: ToSql<BigInt, DB>,
    Vec<u8>: ToSql<Binary, DB>,
    ReadState: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("INSERT INTO hit_log (node, seq, payload) SELECT ");
        out.push_bind_param::<BigInt, _>(&self.node)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.seq)?;
        out.push_sql(", ");
        out.push_bind_param::<Binary, _>(&self.payload)?;
        out.push_sql(" FROM (");
        self.read.walk_ast(out.reborrow())?;
        out.push_sql(") AS state WHERE generation = ");
        out.push_bind_param::<BigInt, _>(&self.expected.generation)?;
        out.push_sql(" AND here = ");
        out.push_bind_param::<BigInt, _>(&self.expected.here)?;
        out.push_sql(" AND others = ");
        out.push_bind_param::<BigInt, _>(&self.expected.others)?;
        out.push_sql(" AND folded = ");
        out.push_bind_param::<BigInt, _>(&self.expected.folded)?;
        out.push_sql(" AND appended = ");
        out.push_bind_param::<BigInt, _>(&self.expected.appended)
    }
}

impl<C> RunQueryDsl<C> for ReadState {}
impl<C> RunQueryDsl<C> for AppendIf {}

/// Appends a flush, if the state is still this one, and tells whether it was: by one statement, which
/// sees one state of the database.
pub fn append_if(
    conn: &mut Conn,
    expected: State,
    node: i64,
    seq: i64,
    deltas: &Row,
) -> QueryResult<bool> {
    let append = AppendIf {
        node,
        seq,
        payload: encode(deltas)?,
        read: ReadState { node },
        expected,
    };
    let is_appended = each!(conn, c => append.execute(c))? == 1;
    if is_appended {
        pending::keep(node, seq, deltas);
    }
    Ok(is_appended)
}

/// Appends a flush.
pub fn append(conn: &mut Conn, node: i64, seq: i64, deltas: &Row) -> QueryResult<()> {
    let payload = encode(deltas)?;
    diesel::insert_into(hit_log::table)
        .values((
            hit_log::node.eq(node),
            hit_log::seq.eq(seq),
            hit_log::payload.eq(payload),
        ))
        .execute(conn)?;
    pending::keep(node, seq, deltas);
    Ok(())
}

/// A node's first flush that is in the log.
pub fn first_of(conn: &mut Conn, node: i64) -> QueryResult<Option<i64>> {
    hit_log::table
        .filter(hit_log::node.eq(node))
        .select(min(hit_log::seq))
        .first(conn)
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

/// Takes up what a node has appended after `seq` and is still in the log.
pub fn take_up_after(
    conn: &mut Conn,
    node: i64,
    seq: i64,
    mut take_up: impl FnMut(&Delta),
) -> QueryResult<()> {
    let mut last = seq;
    loop {
        let rows: Vec<(i64, Vec<u8>)> = hit_log::table
            .filter(hit_log::node.eq(node).and(hit_log::seq.gt(last)))
            .order(hit_log::seq)
            .limit(ROWS)
            .select((hit_log::seq, hit_log::payload))
            .load(conn)?;
        let Some((seq, _)) = rows.last() else {
            return Ok(());
        };
        last = *seq;
        for (_, payload) in rows {
            decode(&payload)?.iter().for_each(&mut take_up);
        }
    }
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
