//! The hit engine: group commit. Whoever has a hit puts it into a bounded queue and waits; one writer
//! takes all that wait, writes them in one transaction, wakes them and goes on at once with those that
//! have come meanwhile. There is no pause to collect more.
//!
//! A full queue is 503 with `Retry-After`, never a silent drop. A writer that panics is begun again;
//! `/readyz` and `/metrics` tell of it.

mod flush;
mod memory;
mod metrics;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, oneshot};

use crate::app::App;
use crate::db::{Conn, DbError, dialect};
use crate::error::{ApiError, ApiResult};
use crate::http::frame::random_id;

use super::store::{self, Gathered, Kept, Pending, fold_part, take};
use super::{Ask, Recorded};
use flush::{Flushed, Rules, flush};
use memory::Memory;
use metrics::Metrics;

/// The most hits of one transaction.
const MAX_BATCH: usize = 4000;
/// After how many seconds a client may try again.
const RETRY_SECONDS: u32 = 1;
/// How often a flush that met another node's is tried.
const TRIES: u32 = 10;
/// How long `/readyz` tells of a writer that broke.
const UNWELL: Duration = Duration::from_secs(5);

/// The engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    /// What this process is called in the log: random, so that nothing tells two apart that a clock or
    /// a configuration could get wrong.
    node: i64,
    /// The number of the last flush.
    seq: AtomicI64,
    queue: Mutex<Queue>,
    wake: Notify,
    limit: usize,
    memory: Mutex<Memory>,
    metrics: Metrics,
    broke_at: Mutex<Option<Instant>>,
    /// The day on which days were rolled up last.
    rolled_up: Mutex<Option<NaiveDate>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    hits: usize,
}

struct Waiting {
    ask: Ask,
    done: Done,
}

type Done = oneshot::Sender<ApiResult<Vec<Recorded>>>;

/// The hits of a flush, and who waits for them.
#[derive(Default)]
struct Batch {
    asks: Vec<Ask>,
    dones: Vec<Done>,
}

impl Inner {
    /// Takes what waits out of the queue, up to so many.
    fn next_batch(&self) -> Batch {
        let mut queue = locked(&self.queue);
        let mut hits = 0;
        let number = queue
            .waiting
            .iter()
            .take_while(|waiting| {
                let begins = hits == 0;
                hits += waiting.ask.hits.len();
                begins || hits <= MAX_BATCH
            })
            .count();
        let rest = queue.waiting.split_off(number);
        let taken = std::mem::replace(&mut queue.waiting, rest);
        queue.hits = queue.waiting.iter().map(|w| w.ask.hits.len()).sum();
        let (asks, dones) = taken.into_iter().map(|w| (w.ask, w.done)).unzip();
        Batch { asks, dones }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// An engine whose queue holds so many hits.
    pub fn new(limit: usize, registry: &mut Registry) -> Self {
        Self {
            inner: Arc::new(Inner {
                node: random_id(),
                seq: AtomicI64::new(0),
                queue: Mutex::default(),
                wake: Notify::new(),
                limit,
                memory: Mutex::default(),
                metrics: Metrics::register(registry),
                broke_at: Mutex::default(),
                rolled_up: Mutex::default(),
            }),
        }
    }

    /// Whether the writer has not broken of late.
    pub fn is_well(&self) -> bool {
        locked(&self.inner.broke_at).is_none_or(|at| at.elapsed() > UNWELL)
    }

    /// Records hits and tells what became of each, in order. When it returns, they are on disk. 503
    /// where the queue is full or the database can't be written to; then none is acknowledged.
    pub async fn record(&self, ask: Ask) -> ApiResult<Vec<Recorded>> {
        let inner = &self.inner;
        let (done, told) = oneshot::channel();
        let hits = ask.hits.len();
        let was_empty = {
            let mut queue = locked(&inner.queue);
            // Whatever the limit, a batch finds its place in an empty queue.
            if queue.hits > 0 && queue.hits + hits > inner.limit {
                drop(queue);
                inner.metrics.refused.inc_by(hits as u64);
                return Err(ApiError::Unavailable(RETRY_SECONDS));
            }
            queue.hits += hits;
            queue.waiting.push(Waiting { ask, done });
            queue.waiting.len() == 1
        };
        if was_empty {
            inner.wake.notify_one();
        }
        // The writer was begun anew, or the service is being stopped.
        told.await
            .unwrap_or(Err(ApiError::Unavailable(RETRY_SECONDS)))
    }

    /// Writes what comes, for ever. A writer that panics is begun again.
    pub async fn run(self, app: App) {
        let writer = || {
            let (engine, app) = (self.clone(), app.clone());
            async move { engine.write(app).await }
        };
        self.keep(writer).await;
    }

    /// Begins a writer, and another one whenever one has broken.
    async fn keep<W>(&self, begin: impl Fn() -> W)
    where
        W: Future<Output = ()> + 'static,
    {
        loop {
            let writer = Guard(actix_web::rt::spawn(begin()));
            writer.ended().await;
            self.broke();
        }
    }

    /// Tells that a writer broke and is begun again.
    fn broke(&self) {
        tracing::error!("the writer of hits broke and is begun again");
        *locked(&self.inner.broke_at) = Some(Instant::now());
        self.inner.metrics.restarts.inc();
    }

    async fn write(&self, app: App) {
        loop {
            // Looked at before waiting: what came while a writer broke has woken nobody.
            while !locked(&self.inner.queue).waiting.is_empty() {
                self.flush(&app).await;
            }
            self.inner.wake.notified().await;
        }
    }

    /// Writes what waits, and answers whoever waits for it.
    async fn flush(&self, app: &App) {
        let began = Instant::now();
        let held = Arc::new(Mutex::new(Batch::default()));
        let mut tries = 0;
        let flushed = loop {
            tries += 1;
            match self.try_flush(app, &held).await {
                Err(error) if is_contention(&error) && tries < TRIES => {}
                flushed => break flushed,
            }
        };
        let metrics = &self.inner.metrics;
        metrics.seconds.observe(began.elapsed().as_secs_f64());
        let mut batch = std::mem::take(&mut *locked(&held));
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
                if matches!(error, DbError::Broken) {
                    self.broke();
                }
                for done in batch.dones {
                    drop(done.send(Err(ApiError::Unavailable(RETRY_SECONDS))));
                }
            }
        }
    }

    async fn try_flush(
        &self,
        app: &App,
        held: &Arc<Mutex<Batch>>,
    ) -> Result<Vec<Vec<Recorded>>, DbError> {
        let rules = Rules::of(app);
        let (inner, held) = (Arc::clone(&self.inner), Arc::clone(held));
        let flushed = app.db.append(app.config.hits_sync, move |conn| {
            let mut memory = inner.memory.lock().unwrap_or_else(|poisoned| {
                // A flush broke in the middle: nothing of what it knew can be trusted.
                inner.memory.clear_poison();
                let mut memory = poisoned.into_inner();
                *memory = Memory::default();
                memory
            });
            let mut batch = locked(&held);
            if batch.asks.is_empty() {
                // Taken only now, when it is this writer's turn: what came meanwhile goes along.
                *batch = inner.next_batch();
            }
            let flushed = flush(conn, &mut memory, inner.node, &batch.asks, &rules)?;
            if !flushed.written.deltas.is_empty() {
                // A number that came to nothing is not used again.
                let seq = inner.seq.fetch_add(1, Ordering::SeqCst) + 1;
                store::append(conn, inner.node, seq, &flushed.written.deltas)?;
            }
            Ok::<_, DbError>(flushed)
        });
        match flushed.await {
            Ok(Flushed { recorded, written }) => {
                locked(&self.inner.memory).remember(written);
                Ok(recorded)
            }
            Err(error) => {
                // What came of it is not known: it may be on disk all the same.
                locked(&self.inner.memory).forget();
                Err(error)
            }
        }
    }

    /// Folds what stands in the log into the ledger, a little at a time, and returns how many articles
    /// were touched.
    pub async fn fold(&self, app: &App) -> ApiResult<usize> {
        let zone = app.config.site.zone;
        self.fold_parts(app).await?;
        let gathered = app
            .db
            .read(|conn| Ok::<_, ApiError>(Gathered::of(&Pending::read(conn)?)))
            .await?;
        let pending = i64::try_from(gathered.flushes()).unwrap_or(i64::MAX);
        self.inner.metrics.pending.set(pending);
        if gathered.is_empty() {
            return Ok(0);
        }
        let (clock, articles) = (app.clock.clone(), gathered.articles());
        let taken = app
            .db
            .write(move |conn| Ok::<_, DbError>(take(conn, &gathered, zone, clock.now())?))
            .await;
        match taken {
            // Another node is at it.
            Err(DbError::Query(diesel::result::Error::RollbackTransaction)) => return Ok(0),
            taken => drop(taken?),
        }
        self.fold_parts(app).await?;
        self.inner.metrics.folded.inc_by(articles as u64);
        Ok(articles)
    }

    async fn fold_parts(&self, app: &App) -> ApiResult<()> {
        let zone = app.config.site.zone;
        loop {
            let clock = app.clock.clone();
            let work =
                move |conn: &mut Conn| Ok::<_, ApiError>(fold_part(conn, zone, clock.now())?);
            if !app.db.write(work).await? {
                return Ok(());
            }
        }
    }
}

/// Records hits in a transaction of content, straight into the ledger.
pub fn write(conn: &mut Conn, app: &App, ask: Ask) -> ApiResult<Vec<Recorded>> {
    let rules = Rules::of(app);
    let now = rules.clock.now();
    let mut flushed = flush(conn, &mut Memory::default(), 0, &[ask], &rules)?;
    let deltas = flushed.written.deltas;
    store::apply(conn, &deltas, rules.zone.day(now), now)?;
    store::tell_nodes(conn)?;
    Ok(flushed.recorded.pop().unwrap_or_default())
}

/// Rejects hits of public articles and writes nothing.
pub async fn reject(app: &App, ask: Ask) -> ApiResult<Vec<Recorded>> {
    let rules = Rules::of(app);
    app.db
        .read(move |conn| {
            let mut flushed = flush(conn, &mut Memory::default(), 0, &[ask], &rules)?;
            Ok(flushed.recorded.pop().unwrap_or_default())
        })
        .await
}

/// Deletes what the rules of counting no longer need, rolls up days that are past their time, and lets
/// rankings follow the day.
pub async fn tidy(app: &App) -> ApiResult<usize> {
    let (zone, window) = (app.config.site.zone, app.config.hit_window);
    let now = app.clock.now();
    let inner = Arc::clone(&app.hits.inner);
    let mut done = app
        .db
        .write(move |conn| {
            let seq = inner.seq.load(Ordering::SeqCst);
            store::keep_alive(conn, inner.node, seq, now)?;
            Ok::<_, ApiError>(store::tidy(conn, zone, window, now)?)
        })
        .await?;
    let today = zone.day(now);
    if *locked(&app.hits.inner.rolled_up) == Some(today) {
        return Ok(done);
    }
    let kept = Kept {
        days: app.config.hits_days,
        months: app.config.hits_months,
    };
    loop {
        let work = move |conn: &mut Conn| -> ApiResult<usize> {
            let ranked = store::rank_again(conn, today)?;
            Ok(ranked + store::roll_up(conn, kept, today)?)
        };
        let number = app.db.write(work).await?;
        done += number;
        if number == 0 {
            *locked(&app.hits.inner.rolled_up) = Some(today);
            return Ok(done);
        }
    }
}

/// A task that ends with whoever holds it.
struct Guard(actix_web::rt::task::JoinHandle<()>);

impl Guard {
    async fn ended(mut self) {
        drop((&mut self.0).await);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn is_contention(error: &DbError) -> bool {
    matches!(error, DbError::Query(error) if dialect::is_contention(error))
}
