//! What delivery reads read by: an instant, and what many of them ask of one state of the content.
//!
//! The tree of sections, the next edge and the totals of lists follow from the content and the time alone.
//! A read asks in its own snapshot how far the change log goes, and takes them from the read before where
//! it goes no further: so they are never of another state than the rows beside them.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, PoisonError, RwLock};

use diesel::QueryResult;
use quick_cache::sync::{Cache, GuardResult};

use crate::articles::lists::{self, Filter};
use crate::db::{Conn, Timestamp, content};
use crate::sections::{self, Tree};
use crate::visibility::next_edge;

/// How many totals are kept of one state.
const TOTALS: usize = 1000;

/// The content as one read sees it.
#[derive(Debug, Clone)]
pub struct View {
    /// The instant of the read.
    pub now: Timestamp,
    state: Arc<State>,
    /// How far the change log went in the statement that read last.
    noted: Cell<Option<i64>>,
}

/// What holds for one state of the content, until time alone changes it.
#[derive(Debug)]
struct State {
    generation: i64,
    since: Timestamp,
    edge: Option<Timestamp>,
    tree: Arc<Tree>,
    totals: Cache<Filter, i64>,
}

impl State {
    fn holds(&self, generation: i64, now: Timestamp) -> bool {
        // A clock that was put back makes it one of the future.
        self.generation == generation
            && self.since <= now
            && self.edge.is_none_or(|edge| now < edge)
    }

    fn load(
        conn: &mut Conn,
        known: Option<&Self>,
        generation: i64,
        now: Timestamp,
    ) -> QueryResult<Self> {
        let tree = match known.filter(|state| state.generation == generation) {
            Some(state) => Arc::clone(&state.tree),
            None => Arc::new(sections::store::tree(conn)?),
        };
        Ok(Self {
            generation,
            since: now,
            edge: next_edge(conn, now)?,
            tree,
            totals: Cache::new(TOTALS),
        })
    }
}

thread_local! {
    /// The sections as the last writing transaction on this thread had them, by [`content::sections_seen`].
    static SEEN: RefCell<(u64, Option<Arc<Tree>>)> = const { RefCell::new((0, None)) };
}

/// The newest state that a node's reads have seen; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Views(Arc<RwLock<Option<Arc<State>>>>);

impl Views {
    fn last(&self) -> Option<Arc<State>> {
        let last = self.0.read().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// The sections as the writing transaction on this thread has them: nobody else changes them meanwhile.
    pub fn writing_tree(&self, conn: &mut Conn) -> QueryResult<Arc<Tree>> {
        let generation = content::last(conn)?;
        let seen = content::sections_seen();
        let known = SEEN.with_borrow(|(of, tree)| tree.clone().filter(|_| *of == seen));
        if let Some(tree) = known {
            return Ok(tree);
        }
        let tree = match self.last().filter(|state| state.generation == generation) {
            Some(state) => Arc::clone(&state.tree),
            None => Arc::new(sections::store::tree(conn)?),
        };
        SEEN.set((seen, Some(Arc::clone(&tree))));
        Ok(tree)
    }

    /// The content as the reads before had it. What is read by it stands if the content still is the same
    /// afterwards: it only ever grows.
    pub fn newest(&self, now: Timestamp) -> Option<View> {
        let state = self.last()?;
        state
            .holds(state.generation, now)
            .then_some(View::of(now, state))
    }

    /// The content as the transaction on `conn` has it, at this instant: the change log goes so far there.
    pub fn open(&self, conn: &mut Conn, generation: i64, now: Timestamp) -> QueryResult<View> {
        let known = self.last();
        if let Some(state) = known.clone().filter(|state| state.holds(generation, now)) {
            return Ok(View::of(now, state));
        }
        let state = Arc::new(State::load(conn, known.as_deref(), generation, now)?);
        let mut newest = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // A read that took longer may have seen an older one.
        if newest
            .as_ref()
            .is_none_or(|newest| newest.generation <= generation)
        {
            *newest = Some(Arc::clone(&state));
        }
        Ok(View::of(now, state))
    }
}

impl View {
    /// The same at another instant; `None` where time has changed what it holds.
    pub fn at(&self, now: Timestamp) -> Option<Self> {
        let state = Arc::clone(&self.state);
        let view = Self::of(now, state);
        view.state.holds(view.state.generation, now).then_some(view)
    }

    fn of(now: Timestamp, state: Arc<State>) -> Self {
        Self {
            now,
            state,
            noted: Cell::new(None),
        }
    }

    /// Notes how far the change log went in the statement that has just read. A read that goes on with
    /// another statement notes nothing.
    pub fn note(&self, generation: i64) {
        self.noted.set(Some(generation));
    }

    /// Whether the content was still the same when the last statement read.
    pub fn is_current(&self, conn: &mut Conn) -> QueryResult<bool> {
        let generation = match self.noted.take() {
            Some(noted) => noted,
            None => content::generation(conn)?,
        };
        Ok(generation == self.state.generation)
    }

    /// All sections.
    pub fn tree(&self) -> &Tree {
        &self.state.tree
    }

    /// The instant at which time alone changes what readers see.
    pub fn edge(&self) -> Option<Timestamp> {
        self.state.edge
    }

    /// How many public articles a filter lets through: counted once for each state.
    pub fn total(&self, conn: &mut Conn, filter: &Filter) -> QueryResult<i64> {
        if filter.ids.is_some() {
            return lists::count(conn, filter, self.now);
        }
        let place = match self.state.totals.get_value_or_guard(filter, None) {
            GuardResult::Value(total) => return Ok(total),
            GuardResult::Guard(place) => Some(place),
            GuardResult::Timeout => None,
        };
        let total = lists::count(conn, filter, self.now)?;
        // Without a transaction, it may be of a later state.
        if let Some(place) = place
            && self.is_current(conn)?
        {
            // The place may be gone: then it is counted again.
            let _ = place.insert(total);
        }
        Ok(total)
    }
}
