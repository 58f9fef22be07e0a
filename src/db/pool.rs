//! Pools, and the one way to run a unit of work on the database.
//!
//! A unit of work is a closure over one [`Conn`] inside one transaction, run off the async
//! threads. Whoever waits, waits in a fair queue, and each wait has an end: for a turn, for a
//! connection, for another node's writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web;
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, NopErrorHandler, Pool};
use diesel::{PgConnection, SqliteConnection};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::Conn;
use super::batch::{self, Asked, Undone, Unit};
use super::content::{self, Content};
use super::crew::{Crew, Shared};
use super::dialect::{self, HitsSync, Kind, MigrationError, Outcome};
use super::listen::Listener;
use super::metrics::Metrics;
use super::plans;
use super::replicas::{Replicas, Tried};

/// How long a node that starts waits for another one that migrates the same SQLite file.
const MIGRATION_WAIT: Duration = Duration::from_secs(60);
/// How long the service's own work waits for its turn, at least.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the database is and how many may use it at once.
#[derive(Clone)]
pub struct DbSettings {
    /// The database.
    pub url: DbUrl,
    /// Streaming replicas of it, PostgreSQL's alone.
    pub replicas: Vec<DbUrl>,
    /// Connections to PostgreSQL, or readers of SQLite (which has one writer besides).
    pub pool_size: u32,
    /// How long a request waits for its turn before it is answered with 503.
    pub wait: Duration,
    /// How many requests may wait: one more is answered with 503 at once.
    pub queue: usize,
    /// Whether writes of content leave the keys of what they change for the caches elsewhere.
    pub names_purges: bool,
}

/// A parsed `DATABASE_URL`. Prints without the password.
#[derive(Clone)]
pub enum DbUrl {
    /// `sqlite://PATH`: a file, made when missing.
    Sqlite(PathBuf),
    /// `postgres://…` or `postgresql://…`.
    Postgres(String),
}

/// Why a `DATABASE_URL` can't be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// Neither `sqlite://` nor `postgres://`.
    #[error("must start with sqlite:// or postgres://")]
    Scheme,
    /// No file named.
    #[error("names no file: write sqlite://data/lanmu.db or sqlite:///absolute/path.db")]
    NoFile,
    /// A file has no options.
    #[error("has ? or # in it: a file is named by its path alone, without options")]
    Options,
    /// `:memory:` would give each connection a database of its own.
    #[error("names an in-memory database, which can't be shared by connections: name a file")]
    Memory,
}

impl DbUrl {
    /// Parses `sqlite://…`, `postgres://…` or `postgresql://…`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return match path {
                "" => Err(UrlError::NoFile),
                ":memory:" => Err(UrlError::Memory),
                path if path.contains(['?', '#']) => Err(UrlError::Options),
                path => Ok(Self::Sqlite(PathBuf::from(path))),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(UrlError::Scheme)
    }
}

impl std::fmt::Debug for DbUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                // A password may stand before the @ or in the query.
                let bare = url.split('?').next().unwrap_or_default();
                let host = bare.rsplit_once('@').map_or("", |(_, host)| host);
                write!(f, "postgres://…@{host}")
            }
        }
    }
}

/// Where a delivery read may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// On a replica, too, where one has all of the content that this node knows of.
    Any,
    /// On the primary alone: what it shows besides content must be up to date.
    Primary,
}

/// Why a unit of work couldn't be run.
#[derive(Debug, Error)]
pub enum DbError {
    /// All connections stayed in use for the whole wait, or too many wait for one already.
    #[error("no database connection became free in time")]
    Busy,
    /// The database can't be reached, or went away.
    #[error("the database can't be reached: {0}")]
    Unreachable(String),
    /// The work panicked.
    #[error("the work broke")]
    Broken,
    /// A migration failed.
    #[error("the database can't be migrated: {0}")]
    Migration(#[source] MigrationError),
    /// A query failed.
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
}

impl DbError {
    /// What it is to those who shared the transaction: they may try again.
    fn of_another(&self) -> Self {
        match self {
            Self::Busy | Self::Broken => Self::Busy,
            Self::Query(error) if dialect::is_contention(error) => Self::Busy,
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// The database, cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
    /// Whether it waits longer than requests do.
    is_patient: bool,
}

struct Inner {
    /// Threads that read.
    reading: Crew<Reading>,
    /// The thread that writes content.
    writing: Crew<Writing>,
    readers: Lane,
    /// SQLite's only writer; PostgreSQL writes through `readers`.
    writer: Option<Lane>,
    /// The fair queue of who writes content (on SQLite, of all writers).
    turn: Arc<Semaphore>,
    wait: Duration,
    queue: usize,
    names_purges: bool,
    content: Content,
    listener: Listener,
    replicas: Replicas,
    metrics: Metrics,
}

/// How long one waits, and behind how many at most.
type Until = (Duration, Option<usize>);

/// A unit of reading, on a thread that may block.
type Reading = Box<dyn FnOnce() + Send>;

/// A unit of writing content, where it is to be run, and a runtime to wait for that by.
struct Writing {
    inner: Arc<Inner>,
    unit: Box<dyn Unit>,
    /// How long the unit waits for its turn once it is the first in the line.
    wait: Duration,
    runtime: Handle,
}

pub(super) struct Lane {
    pool: Pool<Manager>,
    pub(super) permits: Arc<Semaphore>,
    /// How long a connection is waited for.
    wait: Duration,
}

impl Lane {
    fn new(manager: Manager, size: u32, wait: Duration) -> Self {
        let pool = pool(size).connection_timeout(wait).build_unchecked(manager);
        Self::of(pool, wait)
    }

    /// Connections to a replica. Where they can't be had, that is told by whoever asked for one, and tried
    /// again at least this often.
    pub(super) fn of_replica(manager: Manager, size: u32, again: Duration, wait: Duration) -> Self {
        let pool = pool(size)
            // The pool waits half of this between two tries.
            .connection_timeout(2 * again)
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(manager);
        Self::of(pool, wait)
    }

    fn of(pool: Pool<Manager>, wait: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(pool.max_size() as usize)),
            pool,
            wait,
        }
    }
}

fn pool(size: u32) -> diesel::r2d2::Builder<Manager> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(1))
        .test_on_check_out(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

impl Db {
    /// Sets up the pools. Connects to nothing yet.
    pub fn new(settings: &DbSettings) -> Self {
        let manager = |read_only| Manager::new(&settings.url, read_only, settings.wait);
        let lane = |size, read_only| Lane::new(manager(read_only), size, settings.wait);
        let (readers, writer) = match settings.url {
            DbUrl::Sqlite(_) => (lane(settings.pool_size, true), Some(lane(1, false))),
            DbUrl::Postgres(_) => (lane(settings.pool_size, false), None),
        };
        let metrics = Metrics::default();
        let waiting = &metrics.waiting;
        let inner = Inner {
            reading: Crew::new("reader", settings.pool_size as usize, waiting, |read, _| {
                read()
            }),
            writing: Crew::new("writer", 1, waiting, write),
            readers,
            writer,
            turn: Arc::new(Semaphore::new(1)),
            wait: settings.wait,
            queue: settings.queue,
            names_purges: settings.names_purges,
            content: Content::default(),
            listener: Listener(manager(true)),
            replicas: Replicas::new(settings),
            metrics,
        };
        Self {
            inner: Arc::new(inner),
            is_patient: false,
        }
    }

    /// The same for the service's own work, which must be done however many requests there are: its turn
    /// comes as theirs does, but it waits for it as long as that takes, within reason.
    pub fn patient(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            is_patient: true,
        }
    }

    /// Adds what there is to tell in `/metrics`.
    pub fn register(&self, registry: &mut Registry) {
        self.inner.metrics.register(registry);
    }

    /// Where others are heard that write to the same database.
    pub fn listener(&self) -> Listener {
        self.inner.listener.clone()
    }

    /// How far the content is that this node knows of.
    pub fn content(&self) -> &Content {
        &self.inner.content
    }

    /// Connects by itself, outside of the pools, and runs the pending migrations. Returns their
    /// names. Makes a missing SQLite file and its folder.
    pub fn migrate(settings: &DbSettings) -> Result<Vec<String>, DbError> {
        if let DbUrl::Sqlite(path) = &settings.url {
            make_file(path)?;
        }
        let manager = Manager::new(&settings.url, false, MIGRATION_WAIT);
        let mut pooled = manager
            .connect()
            .map_err(|e| DbError::Unreachable(e.to_string()))?;
        dialect::migrate(&mut pooled.conn).map_err(DbError::Migration)
    }

    /// Runs a unit of reading: one snapshot from its first query to its last.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let shared = Arc::clone(&self.inner);
        let work = move |conn: &mut Conn| {
            shared.look(conn)?;
            work(conn)
        };
        self.look_up(|lane, wait| lane.work(Kind::Read, wait, work))
            .await
    }

    /// Whether delivery may read from replicas.
    pub fn has_replicas(&self) -> bool {
        !self.inner.replicas.is_empty()
    }

    /// Runs a unit of reading for delivery: one snapshot, which has all of the content that this node knows
    /// of. `work` is told how far the change log goes there. It is run anew on the primary where a replica
    /// fails.
    pub async fn deliver<T, E, F>(&self, source: Source, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: Fn(&mut Conn, i64) -> Result<T, E> + Send + Sync + 'static,
    {
        let (inner, work) = (&self.inner, Arc::new(work));
        let turn = match source {
            Source::Any => inner.replicas.next(),
            Source::Primary => None,
        };
        if let Some(turn) = turn {
            let work = Arc::clone(&work);
            let work = move |conn: &mut Conn, generation| work(conn, generation).ok();
            match turn.read(&inner.content, work).await {
                Tried::Read(read) => {
                    inner.metrics.replica.inc();
                    return Ok(read);
                }
                Tried::Behind => drop(inner.metrics.behind.inc()),
                Tried::Failed | Tried::Away(_) => {}
            }
        }
        inner.metrics.primary.inc();
        let content = inner.content.clone();
        let work = move |conn: &mut Conn| {
            let generation = content.look(conn)?;
            work(conn, generation)
        };
        self.look_up(|lane, wait| lane.work(Kind::Read, wait, work))
            .await
    }

    /// Runs statements that only read, each of which sees the state of its own moment. They are run anew
    /// where their connection was dead.
    pub async fn glance<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.look_up(move |lane, _| lane.glance(work)).await
    }

    /// The same for delivery.
    pub async fn deliver_glance<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: Fn(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.inner.metrics.primary.inc();
        self.glance(work).await
    }

    /// Runs a unit of writing content: all of it or nothing, one at a time.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.change(None, work).await
    }

    /// Runs a unit of writing content as [`Db::write`] does, for one that changes nothing that is there:
    /// see [`super::later`]. Of an error, `is_refusal` tells whether it is one of the service's rules alone, so
    /// that the transaction is still good.
    pub async fn add<T, E, F>(&self, work: F, is_refusal: fn(&E) -> bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.change(Some(is_refusal), work).await
    }

    async fn change<T, E, F>(&self, only_adds: Option<fn(&E) -> bool>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let unit = Asked {
            work: Some(work),
            done: None,
            reply,
            span: tracing::Span::current(),
            names_purges: self.inner.names_purges,
            only_adds,
        };
        let job = Writing {
            inner: Arc::clone(&self.inner),
            unit: Box::new(unit),
            wait: self.until().0,
            runtime: Handle::current(),
        };
        self.stand_in(&self.inner.writing, job, answer).await
    }

    /// Runs a unit of writing as [`Db::write`] does, for what can be made again: should the power fail
    /// just after, the database may be as it was before. Also tells how long it kept others from
    /// writing.
    pub async fn upkeep<T, E, F>(&self, work: F) -> Result<(T, Duration), E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.keep_up(work).await
    }

    /// Waits for a turn to append hits, on a thread that may block. On PostgreSQL it waits for no
    /// content writer. `runtime` is the one whose timers tell when the wait is over.
    pub fn append(&self, runtime: &Handle, sync: HitsSync) -> Result<Appending, DbError> {
        let inner = &self.inner;
        let take = |queue: &Arc<Semaphore>| inner.take(queue, runtime, self.until());
        let turn = match inner.writer {
            Some(_) => Some(take(&inner.turn)?),
            None => None,
        };
        let permit = take(&inner.lane(Kind::Hits(sync)).permits)?;
        Ok(Appending {
            inner: Arc::clone(inner),
            sync,
            _held: (turn, permit),
        })
    }

    /// Runs what reads, on a thread that may block.
    async fn look_up<T, E, F>(&self, read: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&Lane, Duration) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let (shared, span) = (Arc::clone(&self.inner), tracing::Span::current());
        // On SQLite there are as many readers as threads that read.
        let runtime = self.inner.writer.is_none().then(Handle::current);
        let (wait, _) = self.until();
        let job = move || {
            let done = span.in_scope(|| {
                let lane = &shared.readers;
                let _permit = match &runtime {
                    Some(runtime) => Some(shared.take(&lane.permits, runtime, (wait, None))?),
                    None => None,
                };
                read(lane, shared.wait)
            });
            // The client may have gone.
            let _ = reply.send(done);
        };
        self.stand_in(&self.inner.reading, Box::new(job), answer)
            .await
    }

    /// Waits in a line for a thread, and for what it answers. Work that has begun goes on when the client
    /// has gone.
    async fn stand_in<J, T, E>(
        &self,
        crew: &Crew<J>,
        job: J,
        mut answer: oneshot::Receiver<Result<T, E>>,
    ) -> Result<T, E>
    where
        J: Send + 'static,
        E: From<DbError>,
    {
        let inner = &self.inner;
        let (wait, limit) = self.until();
        let Ok(place) = crew.join(job, limit) else {
            inner.metrics.refused.inc();
            return Err(DbError::Busy.into());
        };
        let answered = match tokio::time::timeout(wait, &mut answer).await {
            Err(_) if place.give_up() => return Err(DbError::Busy.into()),
            Err(_) => answer.await,
            Ok(answered) => answered,
        };
        // A thread that broke has dropped it; the transaction is rolled back with its connection.
        answered.unwrap_or_else(|_| Err(DbError::Broken.into()))
    }

    /// How long it waits for its turn, and behind how many at most.
    fn until(&self) -> Until {
        match self.is_patient {
            true => (self.inner.wait.max(PATIENCE), None),
            false => (self.inner.wait, Some(self.inner.queue)),
        }
    }

    /// Runs a unit of upkeep, and tells how long that took once it had its turn.
    async fn keep_up<T, E, F>(&self, work: F) -> Result<(T, Duration), E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let inner = &self.inner;
        let turn = inner.acquire(&inner.turn, self.until()).await?;
        let permits = &inner.lane(Kind::Upkeep).permits;
        let permit = inner.acquire(permits, self.until()).await?;

        let shared = Arc::clone(inner);
        let span = tracing::Span::current();
        let blocking = web::block(move || {
            // They go with the work, which goes on when the client has gone.
            let (_held, began) = ((turn, permit), Instant::now());
            // The thread may have written to another database before.
            content::undone();
            let work = |conn: &mut Conn| content::watched(conn, &shared.content, work);
            let lane = shared.lane(Kind::Upkeep);
            let (done, news) = span.in_scope(|| lane.work(Kind::Upkeep, shared.wait, work))?;
            // Before anybody is answered.
            if let Some(news) = news {
                shared.content.learn(&news);
            }
            Ok((done, began.elapsed()))
        });
        match blocking.await {
            Ok(result) => result,
            // The transaction is rolled back with its connection.
            Err(_) => Err(DbError::Broken.into()),
        }
    }

    /// Whether the database answers and has every migration of this build.
    pub async fn is_ready(&self) -> Result<bool, DbError> {
        self.read(|conn| {
            dialect::has_pending_migration(conn)
                .map(|pending| !pending)
                .map_err(DbError::Migration)
        })
        .await
    }
}

/// A turn to append hits; over when dropped.
pub struct Appending {
    inner: Arc<Inner>,
    sync: HitsSync,
    _held: (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit),
}

impl Appending {
    /// Runs a single statement, which is a transaction of its own. Where it fails, it may have been
    /// committed all the same.
    pub fn statement<T, E>(&self, work: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E>
    where
        E: From<DbError> + From<diesel::result::Error>,
    {
        self.work(Kind::Statement(self.sync), work)
    }

    /// Runs a unit of work: all of it or nothing, in one snapshot. Rows must be touched in the order
    /// of their keys, so that units which run at once never wait for each other in a circle.
    pub fn transaction<T, E>(&self, work: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E>
    where
        E: From<DbError> + From<diesel::result::Error>,
    {
        self.work(Kind::Hits(self.sync), work)
    }

    fn work<T, E>(&self, kind: Kind, work: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E>
    where
        E: From<DbError> + From<diesel::result::Error>,
    {
        self.inner.lane(kind).work(kind, self.inner.wait, work)
    }
}

impl Inner {
    fn lane(&self, kind: Kind) -> &Lane {
        match (&self.writer, kind) {
            (None, _) | (_, Kind::Read) => &self.readers,
            (Some(writer), _) => writer,
        }
    }

    /// Notes how far the content goes that a unit on the primary is about to show: no replica may show less
    /// afterwards.
    fn look(&self, conn: &mut Conn) -> QueryResult<()> {
        if !self.replicas.is_empty() {
            self.content.look(conn)?;
        }
        Ok(())
    }

    /// Runs units of writing content in one transaction, and learns what is new in it before anybody is
    /// answered.
    fn write(
        &self,
        (wait, runtime): &(Duration, Handle),
        units: &mut Vec<Box<dyn Unit>>,
        next: impl Fn() -> Option<Box<dyn Unit>>,
    ) -> Result<(), Failed> {
        let lane = self.lane(Kind::Content);
        let _turn = self.take(&self.turn, runtime, (*wait, None))?;
        let _permit = self.take(&lane.permits, runtime, (*wait, None))?;
        let work = |conn: &mut Conn| {
            // Before anything is written: what is not committed may not be learned.
            self.look(conn)?;
            let run = |conn: &mut Conn| batch::run(conn, units, batch::TAKES_IN, next);
            content::watched(conn, &self.content, run)
        };
        match lane.try_work(Kind::Content, self.wait, work) {
            Outcome::Done(Ok(((), news))) => {
                if let Some(news) = news {
                    self.content.learn(&news);
                }
                Ok(())
            }
            Outcome::Done(Err(Undone::ByUnit)) | Outcome::Broken(Undone::ByUnit) => Ok(()),
            Outcome::Done(Err(Undone::WithAll)) | Outcome::Broken(Undone::WithAll) => Err(Failed {
                error: DbError::Busy,
                last_knows: true,
            }),
            Outcome::Done(Err(Undone::ByDatabase(error)))
            | Outcome::Broken(Undone::ByDatabase(error)) => Err(DbError::from(error).into()),
            Outcome::NotBegun(error) => Err(error.into()),
        }
    }

    /// [`Inner::acquire`] on a thread that may block.
    fn take(
        &self,
        queue: &Arc<Semaphore>,
        runtime: &Handle,
        until: Until,
    ) -> Result<OwnedSemaphorePermit, DbError> {
        match Arc::clone(queue).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(_) => runtime.block_on(self.acquire(queue, until)),
        }
    }

    async fn acquire(
        &self,
        queue: &Arc<Semaphore>,
        (wait, limit): Until,
    ) -> Result<OwnedSemaphorePermit, DbError> {
        if let Ok(permit) = Arc::clone(queue).try_acquire_owned() {
            return Ok(permit);
        }
        let waiting = Waiting::begin(&self.metrics.waiting);
        if limit.is_some_and(|limit| waiting.before >= limit) {
            self.metrics.refused.inc();
            return Err(DbError::Busy);
        }
        let permit = Arc::clone(queue).acquire_owned();
        match tokio::time::timeout(wait, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphores are never closed, so this is the time-out.
            _ => Err(DbError::Busy),
        }
    }
}

/// Why nothing of a transaction is kept.
struct Failed {
    /// What its units are told.
    error: DbError,
    /// Whether the last one knows better.
    last_knows: bool,
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self {
            error,
            last_knows: false,
        }
    }
}

/// Runs a unit of writing content, and those that wait behind it, in one transaction.
fn write(first: Writing, line: &Shared<Writing>) {
    let inner = first.inner;
    let turn = (first.wait, first.runtime);
    let mut units = vec![first.unit];
    let next = || line.next().map(|next| next.unit);
    // A panic ends with the connection.
    let write = AssertUnwindSafe(|| inner.write(&turn, &mut units, next));
    let written = catch_unwind(write).unwrap_or(Err(DbError::Broken.into()));
    let failed = written.err();
    if failed.is_some() {
        content::undone();
    }
    if failed.as_ref().is_some_and(|failed| failed.last_knows)
        && let Some(last) = units.pop()
    {
        last.answer(None);
    }
    let mut error = failed.map(|failed| failed.error);
    if units.len() > 1 {
        // It may be any one's fault.
        error = error.map(|error| error.of_another());
    }
    for unit in units {
        let same = error.as_ref().map(DbError::of_another);
        unit.answer(std::mem::replace(&mut error, same));
    }
}

/// One that waits, counted until it is dropped.
struct Waiting<'a> {
    all: &'a Gauge,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn begin(all: &'a Gauge) -> Self {
        let before = usize::try_from(all.inc()).unwrap_or(0);
        Self { all, before }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.dec();
    }
}

impl Lane {
    fn work<T, E, F>(&self, kind: Kind, wait: Duration, work: F) -> Result<T, E>
    where
        E: From<DbError> + From<diesel::result::Error>,
        F: FnOnce(&mut Conn) -> Result<T, E>,
    {
        match self.try_work(kind, wait, work) {
            Outcome::Done(result) => result,
            Outcome::Broken(error) => Err(error),
            Outcome::NotBegun(error) => Err(error.into()),
        }
    }

    /// Runs statements that only read, anew on another connection where one is dead. A connection that is
    /// good is kept, whatever the statements came to.
    fn glance<T, E: From<DbError>>(
        &self,
        work: impl Fn(&mut Conn) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut last = String::new();
        for _ in 0..=self.pool.max_size() {
            let mut pooled = match self.pool.get_timeout(self.wait) {
                Ok(pooled) => pooled,
                Err(error) => {
                    last = error.to_string();
                    break;
                }
            };
            // A panic in the work leaves the flag up: the connection is not used again.
            pooled.broken = true;
            let read = work(&mut pooled.conn);
            if read.is_ok() || dialect::is_alive(&mut pooled.conn) {
                pooled.broken = false;
                return read;
            }
            last = "the connection has ended".to_owned();
        }
        Err(DbError::Unreachable(last).into())
    }

    /// Runs the work on a connection of this lane. A connection found dead before anything ran is
    /// replaced by a new one.
    pub(super) fn try_work<T, E, F>(&self, kind: Kind, wait: Duration, work: F) -> Outcome<T, E>
    where
        E: From<diesel::result::Error>,
        F: FnOnce(&mut Conn) -> Result<T, E>,
    {
        let mut work = Some(work);
        let mut last = String::new();
        for _ in 0..=self.pool.max_size() {
            let mut pooled = match self.pool.get_timeout(self.wait) {
                Ok(pooled) => pooled,
                Err(error) => {
                    last = error.to_string();
                    break;
                }
            };
            // A panic in the work leaves the flag up: the connection is not used again.
            pooled.broken = true;
            match dialect::transaction(&mut pooled.conn, kind, wait, &mut work) {
                Outcome::NotBegun(error) => last = error.to_string(),
                Outcome::Done(result) => {
                    pooled.broken = false;
                    return Outcome::Done(result);
                }
                broken @ Outcome::Broken(_) => return broken,
            }
        }
        Outcome::NotBegun(DbError::Unreachable(last))
    }
}

/// A connection and whether it is to be thrown away.
pub(super) struct Pooled {
    pub(super) conn: Conn,
    broken: bool,
}

/// Opens connections by the URL's scheme. (The one that `MultiConnection` derives tries one
/// database after the other, and would make an SQLite file when PostgreSQL is down.)
#[derive(Debug, Clone)]
pub(super) struct Manager {
    url: DbUrl,
    read_only: bool,
    wait: Duration,
}

impl Manager {
    pub(super) fn new(url: &DbUrl, read_only: bool, wait: Duration) -> Self {
        Self {
            url: url.clone(),
            read_only,
            wait,
        }
    }
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        use diesel::r2d2::Error::{ConnectionError, QueryError};
        let mut conn = match &self.url {
            DbUrl::Sqlite(path) => {
                plans::keep();
                let opened = SqliteConnection::establish(&file_name(path));
                Conn::Sqlite(opened.map_err(ConnectionError)?)
            }
            DbUrl::Postgres(url) => {
                Conn::Pg(PgConnection::establish(url).map_err(ConnectionError)?)
            }
        };
        dialect::set_up(&mut conn, self.read_only, self.wait).map_err(QueryError)?;
        Ok(Pooled {
            conn,
            broken: false,
        })
    }

    fn is_valid(&self, _: &mut Pooled) -> Result<(), Self::Error> {
        Ok(())
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.broken
    }
}

/// Makes a missing SQLite file and its folder, for nobody but the service's own account to read:
/// password hashes and the signing key are in it. (SQLite gives its other files the same mode.)
fn make_file(path: &Path) -> Result<(), DbError> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let told = |cause: std::io::Error| {
        DbError::Unreachable(format!("can't make {}: {cause}", path.display()))
    };
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        let mut maker = std::fs::DirBuilder::new();
        maker
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(told)?;
    }
    if !path.exists() {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(path).map_err(told)?;
    }
    Ok(())
}

/// The file as diesel takes it. A path that looks like a `file:` URI would be read as one.
fn file_name(path: &Path) -> String {
    let text = path.to_string_lossy();
    if path.is_absolute() {
        text.into_owned()
    } else {
        format!("./{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_databases_are_taken() {
        assert!(matches!(
            DbUrl::parse("sqlite://data/x.db"),
            Ok(DbUrl::Sqlite(_))
        ));
        assert!(matches!(
            DbUrl::parse("postgres://h/d"),
            Ok(DbUrl::Postgres(_))
        ));
        assert_eq!(DbUrl::parse("mysql://h/d").err(), Some(UrlError::Scheme));
        assert_eq!(
            DbUrl::parse("host=127.0.0.1 port=1").err(),
            Some(UrlError::Scheme)
        );
        assert_eq!(
            DbUrl::parse("sqlite://:memory:").err(),
            Some(UrlError::Memory)
        );
        assert_eq!(DbUrl::parse("sqlite://").err(), Some(UrlError::NoFile));
    }

    #[test]
    fn a_url_prints_without_its_password() {
        let url = DbUrl::parse("postgres://user:secret@db.example/lanmu?password=secret");
        let url = url.expect("valid");
        assert_eq!(format!("{url:?}"), "postgres://…@db.example/lanmu");
    }
}
