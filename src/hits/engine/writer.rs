//! The writer of hits: one thread, which knows what the last flushes have left.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use diesel::result::Error;
use tokio::runtime::Handle;

use crate::app::App;
use crate::db::{Appending, Conn, DbError, dialect};
use crate::error::ApiError;
use crate::hits::Recorded;
use crate::hits::store;
use crate::http::frame::random_id;

use super::flush::{Flushed, Rules, flush};
use super::memory::{Memory, Reads};
use super::{Batch, Inner, RETRY_SECONDS};

/// How often a flush that met another node's is tried.
const TRIES: u32 = 10;
/// How long after a flush its connection is taken to be good.
const FRESH: Duration = Duration::from_secs(1);

/// The writer.
pub struct Writer {
    inner: Arc<Inner>,
    app: App,
    runtime: Handle,
    memory: Memory,
    /// When a flush succeeded last.
    good_at: Option<Instant>,
}

impl Writer {
    /// A writer that knows nothing yet.
    pub fn new(inner: &Arc<Inner>, app: &App, runtime: &Handle) -> Self {
        Self {
            inner: Arc::clone(inner),
            app: app.clone(),
            runtime: runtime.clone(),
            memory: Memory::default(),
            good_at: None,
        }
    }

    /// Writes what comes.
    pub fn run(mut self) {
        while self.inner.wait() {
            self.flush();
        }
    }

    /// Writes what waits, and answers whoever waits for it. Where this breaks they are answered with 503.
    fn flush(&mut self) {
        let began = Instant::now();
        let mut batch = Batch::default();
        let mut tries = 0;
        let flushed = loop {
            tries += 1;
            let may_try = tries < TRIES && began.elapsed() < self.app.config.db_wait;
            match self.try_flush(&mut batch) {
                Err(error) if is_contention(&error) && may_try => {}
                flushed => break flushed,
            }
        };
        let metrics = &self.inner.metrics;
        metrics.seconds.observe(began.elapsed().as_secs_f64());
        if batch.dones.is_empty() {
            // The database could not be used at all: those that wait are told so.
            batch = self.inner.next_batch();
        }
        match flushed {
            Ok(recorded) => {
                metrics.tell(&recorded);
                for (done, recorded) in batch.dones.into_iter().zip(recorded) {
                    // Whoever has gone was counted all the same.
                    drop(done.send(Ok(recorded)));
                }
            }
            Err(error) => {
                tracing::error!(%error, "hits can't be written");
                metrics.failed.inc();
                for done in batch.dones {
                    drop(done.send(Err(ApiError::Unavailable(RETRY_SECONDS))));
                }
            }
        }
    }

    fn try_flush(&mut self, batch: &mut Batch) -> Result<Vec<Vec<Recorded>>, DbError> {
        let turn = self
            .app
            .db
            .append(&self.runtime, self.app.config.hits_sync)?;
        if batch.asks.is_empty() {
            // Taken only now, when it is this writer's turn: what came meanwhile goes along.
            *batch = self.inner.next_batch();
        }
        match self.write(&turn, batch) {
            Ok(Flushed { recorded, written }) => {
                self.memory.remember(written);
                self.good_at = Some(Instant::now());
                Ok(recorded)
            }
            Err(error) => {
                if !is_contention(&error) {
                    // What came of it is not known: it may be on disk all the same, or be there later,
                    // when those that read flushes in order have gone on.
                    self.inner.rename();
                }
                self.memory.forget();
                self.good_at = None;
                Err(error)
            }
        }
    }

    fn write(&mut self, turn: &Appending, batch: &Batch) -> Result<Flushed, DbError> {
        let rules = Rules::of(&self.app);
        if let Some(flushed) = self.write_what_is_known(turn, batch, &rules)? {
            return Ok(flushed);
        }
        let (memory, inner, clock) = (&mut self.memory, &self.inner, &self.app.clock);
        turn.transaction(|conn| {
            let node = inner.node();
            memory.learn(conn, node, |conn| {
                let seq = inner.seq.load(Ordering::SeqCst);
                store::keep_alive(conn, node, seq, clock.now())
            })?;
            let flushed = flush(&mut Reads::In(conn), memory, &batch.asks, &rules)?;
            if !flushed.written.deltas.is_empty() {
                store::append(conn, node, inner.next_seq(), &flushed.written.deltas)?;
            }
            Ok(flushed)
        })
    }

    /// Where all is known that the hits depend on, they are written by one statement, which does nothing
    /// if that has changed meanwhile; `None` then. It can't be tried again on another connection, so the
    /// connection must be known to be good.
    fn write_what_is_known(
        &mut self,
        turn: &Appending,
        batch: &Batch,
        rules: &Rules,
    ) -> Result<Option<Flushed>, DbError> {
        let is_fresh = self.good_at.is_some_and(|at| at.elapsed() < FRESH);
        let (Some(state), true) = (self.memory.state(), is_fresh) else {
            return Ok(None);
        };
        let flushed = match flush(&mut Reads::Nowhere, &mut self.memory, &batch.asks, rules) {
            Err(Error::NotFound) => return Ok(None),
            flushed => flushed?,
        };
        if flushed.written.deltas.is_empty() {
            // Nothing to write, but what was told of them must hold.
            return Ok(None);
        }
        let inner = &self.inner;
        let is_written = turn.statement(|conn: &mut Conn| {
            let (seq, deltas) = (inner.next_seq(), &flushed.written.deltas);
            store::append_if(conn, state, inner.node(), seq, deltas).map_err(DbError::from)
        })?;
        Ok(is_written.then_some(flushed))
    }
}

impl Inner {
    /// Goes on under another name. Only the writer does so.
    fn rename(&self) {
        self.seq.store(0, Ordering::SeqCst);
        self.node.store(random_id(), Ordering::SeqCst);
    }

    /// The number of the next flush. One that came to nothing is not used again.
    fn next_seq(&self) -> i64 {
        self.seq.fetch_add(1, Ordering::SeqCst) + 1
    }
}

fn is_contention(error: &DbError) -> bool {
    matches!(error, DbError::Query(error) if dialect::is_contention(error))
}
