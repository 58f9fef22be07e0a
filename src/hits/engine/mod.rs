//! The hit engine: group commit. Whoever has a hit puts it into a bounded queue and waits; one writer, a
//! thread of its own, takes all that wait, writes them in one transaction, wakes them and goes on at once
//! with those that have come meanwhile. There is no pause to collect more.
//!
//! A full queue is 503 with `Retry-After`, never a silent drop. A writer that panics is begun again;
//! `/readyz` and `/metrics` tell of it.

mod flush;
mod memory;
mod metrics;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use diesel::QueryResult;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::app::App;
use crate::db::{Conn, DbError};
use crate::error::{ApiError, ApiResult};
use crate::http::frame::random_id;

use super::store::{self, Gathered, Kept, fold_part, take};
use super::{Ask, Recorded};
use flush::{Rules, flush};
use memory::{Memory, Reads};
use metrics::Metrics;
use writer::Writer;

/// The most hits of one transaction.
const MAX_BATCH: usize = 4000;
/// After how many seconds a client may try again.
const RETRY_SECONDS: u32 = 1;
/// When to try again where no thread could be had.
const PAUSE: Duration = Duration::from_secs(1);
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
    node: AtomicI64,
    /// The number of the last flush under that name.
    seq: AtomicI64,
    queue: Mutex<Queue>,
    /// Wakes the writer.
    come: Condvar,
    limit: usize,
    metrics: Metrics,
    broke_at: Mutex<Option<Instant>>,
    /// The day on which days were rolled up last.
    rolled_up: Mutex<Option<NaiveDate>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    hits: usize,
    /// Whether the writer waits for hits.
    is_idle: bool,
    /// Whether the writer is to end once nothing waits.
    is_closed: bool,
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
    fn node(&self) -> i64 {
        self.node.load(Ordering::SeqCst)
    }

    /// Waits for hits. False where none will come any more.
    fn wait(&self) -> bool {
        let mut queue = locked(&self.queue);
        while queue.waiting.is_empty() {
            if queue.is_closed {
                return false;
            }
            queue.is_idle = true;
            queue = self
                .come
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.is_idle = false;
        }
        true
    }

    /// Lets the writer end once nothing waits.
    fn close(&self) {
        locked(&self.queue).is_closed = true;
        self.come.notify_all();
    }

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
                node: AtomicI64::new(random_id()),
                seq: AtomicI64::new(0),
                queue: Mutex::default(),
                come: Condvar::new(),
                limit,
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
        let is_idle = {
            let mut queue = locked(&inner.queue);
            // Whatever the limit, a batch finds its place in an empty queue.
            let is_full = queue.hits > 0 && queue.hits + hits > inner.limit;
            if is_full || queue.is_closed {
                drop(queue);
                inner.metrics.refused.inc_by(hits as u64);
                return Err(ApiError::Unavailable(RETRY_SECONDS));
            }
            queue.hits += hits;
            queue.waiting.push(Waiting { ask, done });
            std::mem::take(&mut queue.is_idle)
        };
        if is_idle {
            inner.come.notify_one();
        }
        // The writer was begun anew, or the service is being stopped.
        told.await
            .unwrap_or(Err(ApiError::Unavailable(RETRY_SECONDS)))
    }

    /// Writes what comes, until it is dropped and nothing waits any more. A writer that panics is begun
    /// again.
    pub async fn run(self, app: App) {
        let runtime = Handle::current();
        let begin = || {
            let writer = Writer::new(&self.inner, &app, &runtime);
            move || writer.run()
        };
        self.keep(begin).await;
    }

    /// Begins a writer, and another one whenever one has broken.
    async fn keep<W>(&self, begin: impl Fn() -> W)
    where
        W: FnOnce() + Send + 'static,
    {
        let _closing = Closing(&self.inner);
        loop {
            let (ended, told) = oneshot::channel();
            let write = begin();
            let thread = thread::Builder::new().name("hits".to_owned());
            let begun = thread.spawn(move || {
                write();
                // Not told by a writer that panics.
                ended.send(()).ok();
            });
            if let Err(error) = begun {
                tracing::error!(%error, "no thread can be had to write hits");
                tokio::time::sleep(PAUSE).await;
            } else if told.await.is_ok() {
                return;
            }
            self.broke();
        }
    }

    /// Tells that a writer broke and is begun again.
    fn broke(&self) {
        tracing::error!("the writer of hits broke and is begun again");
        *locked(&self.inner.broke_at) = Some(Instant::now());
        self.inner.metrics.restarts.inc();
    }

    /// Folds what stands in the log into the ledger, a little at a time.
    pub async fn fold(&self, app: &App) -> ApiResult<Folded> {
        let zone = app.config.site.zone;
        let mut took = self.finish_fold(app).await?;
        let gather = |conn: &mut Conn| {
            let began = Instant::now();
            Ok::<_, ApiError>((Gathered::read(conn)?, began.elapsed()))
        };
        let (gathered, reading) = app.db.read(gather).await?;
        took += reading;
        self.inner.metrics.pending.set(gathered.flushes());
        if gathered.is_empty() {
            return Ok(Folded { articles: 0, took });
        }
        let (clock, articles) = (app.clock.clone(), gathered.articles());
        let taken = app
            .db
            .upkeep(move |conn| Ok::<_, DbError>(take(conn, &gathered, zone, clock.now())?))
            .await;
        match taken {
            // Another node is at it.
            Err(DbError::Query(diesel::result::Error::RollbackTransaction)) => {
                return Ok(Folded { articles: 0, took });
            }
            taken => took += taken?.1,
        }
        took += self.finish_fold(app).await?;
        self.inner.metrics.folded.inc_by(articles as u64);
        Ok(Folded { articles, took })
    }

    /// Folds in what was taken, and deletes it from the log.
    async fn finish_fold(&self, app: &App) -> ApiResult<Duration> {
        let (zone, clock) = (app.config.site.zone, app.clock.clone());
        let folding = move |conn: &mut Conn| fold_part(conn, zone, clock.now());
        Ok(self.while_any(app, folding).await? + self.while_any(app, store::sweep).await?)
    }

    /// Does short work until none is left, and returns how long it took.
    async fn while_any<F>(&self, app: &App, work: F) -> ApiResult<Duration>
    where
        F: Fn(&mut Conn) -> QueryResult<bool> + Clone + Send + 'static,
    {
        let mut all = Duration::ZERO;
        loop {
            let work = work.clone();
            let is_any = move |conn: &mut Conn| Ok::<_, ApiError>(work(conn)?);
            let (is_any, took) = app.db.upkeep(is_any).await?;
            all += took;
            if !is_any {
                return Ok(all);
            }
            // Hits that come meanwhile have as much of the time.
            tokio::time::sleep(took).await;
        }
    }
}

/// Records hits in a transaction of content, straight into the ledger.
pub fn write(conn: &mut Conn, app: &App, ask: Ask) -> ApiResult<Vec<Recorded>> {
    let rules = Rules::of(app);
    let now = rules.clock.now();
    let mut flushed = flush(&mut Reads::In(conn), &mut Memory::default(), &[ask], &rules)?;
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
            let (mut reads, mut memory) = (Reads::In(conn), Memory::default());
            let mut flushed = flush(&mut reads, &mut memory, &[ask], &rules)?;
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
            let (node, seq) = (inner.node(), inner.seq.load(Ordering::SeqCst));
            store::keep_alive(conn, node, seq, now)?;
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

/// What was folded.
#[derive(Debug, Clone, Copy)]
pub struct Folded {
    /// Of how many articles.
    pub articles: usize,
    /// How long the work took, without the waits for a turn.
    pub took: Duration,
}

/// Closes the queue when dropped.
struct Closing<'a>(&'a Inner);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
