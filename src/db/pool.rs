//! Pools, and the one way to run a unit of work on the database.
//!
//! A unit of work is a closure over one [`Conn`] inside one transaction, run off the async
//! threads. Whoever waits, waits in a fair queue, and each wait has an end: for a turn, for a
//! connection, for another node's writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, Pool};
use diesel::{PgConnection, SqliteConnection};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Conn;
use super::dialect::{self, HitsSync, Kind, MigrationError, Outcome};

/// How long a node that starts waits for another one that migrates the same SQLite file.
const MIGRATION_WAIT: Duration = Duration::from_secs(60);

/// Where the database is and how many may use it at once.
#[derive(Clone)]
pub struct DbSettings {
    /// The database.
    pub url: DbUrl,
    /// Connections to PostgreSQL, or readers of SQLite (which has one writer besides).
    pub pool_size: u32,
    /// How long a request waits for its turn before it is answered with 503.
    pub wait: Duration,
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

/// Why a unit of work couldn't be run.
#[derive(Debug, Error)]
pub enum DbError {
    /// All connections stayed in use for the whole wait.
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

/// The database, cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    readers: Lane,
    /// SQLite's only writer; PostgreSQL writes through `readers`.
    writer: Option<Lane>,
    /// The fair queue of content writers (on SQLite, of all writers).
    turn: Arc<Semaphore>,
    wait: Duration,
}

struct Lane {
    pool: Pool<Manager>,
    permits: Arc<Semaphore>,
}

impl Lane {
    fn new(manager: Manager, size: u32, wait: Duration) -> Self {
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(wait)
            .test_on_check_out(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .build_unchecked(manager);
        Self {
            pool,
            permits: Arc::new(Semaphore::new(size as usize)),
        }
    }
}

impl Db {
    /// Sets up the pools. Connects to nothing yet.
    pub fn new(settings: &DbSettings) -> Self {
        let lane = |size, read_only| {
            let manager = Manager {
                url: settings.url.clone(),
                read_only,
                wait: settings.wait,
            };
            Lane::new(manager, size, settings.wait)
        };
        let (readers, writer) = match settings.url {
            DbUrl::Sqlite(_) => (lane(settings.pool_size, true), Some(lane(1, false))),
            DbUrl::Postgres(_) => (lane(settings.pool_size, false), None),
        };
        let inner = Inner {
            readers,
            writer,
            turn: Arc::new(Semaphore::new(1)),
            wait: settings.wait,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Connects by itself, outside of the pools, and runs the pending migrations. Returns their
    /// names. Makes a missing SQLite file and its folder.
    pub fn migrate(settings: &DbSettings) -> Result<Vec<String>, DbError> {
        if let DbUrl::Sqlite(path) = &settings.url {
            make_file(path)?;
        }
        let manager = Manager {
            url: settings.url.clone(),
            read_only: false,
            wait: MIGRATION_WAIT,
        };
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
        self.run(Kind::Read, work).await
    }

    /// Runs a unit of writing content: all of it or nothing, one at a time.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.run(Kind::Content, work).await
    }

    /// Runs a unit of writing as [`Db::write`] does, for what can be made again: should the power fail
    /// just after, the database may be as it was before.
    pub async fn upkeep<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        self.run(Kind::Upkeep, work).await
    }

    /// Waits for a turn to append hits, on a thread that may block. On PostgreSQL it waits for no
    /// content writer. `runtime` is the one whose timers tell when the wait is over.
    pub fn append(&self, runtime: &Handle, sync: HitsSync) -> Result<Appending, DbError> {
        let inner = &self.inner;
        let take = |queue: &Arc<Semaphore>| match Arc::clone(queue).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(_) => runtime.block_on(inner.acquire(queue)),
        };
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

    async fn run<T, E, F>(&self, kind: Kind, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, E> + Send + 'static,
    {
        let inner = &self.inner;
        let turn = if kind != Kind::Read {
            Some(inner.acquire(&inner.turn).await?)
        } else {
            None
        };
        let permit = inner.acquire(&inner.lane(kind).permits).await?;

        let shared = Arc::clone(inner);
        let span = tracing::Span::current();
        let blocking = web::block(move || {
            // They go with the work, which goes on when the client has gone.
            let _held = (turn, permit);
            span.in_scope(|| shared.lane(kind).work(kind, shared.wait, work))
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

    async fn acquire(&self, queue: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, DbError> {
        let permit = Arc::clone(queue).acquire_owned();
        match tokio::time::timeout(self.wait, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphores are never closed, so this is the time-out.
            _ => Err(DbError::Busy),
        }
    }
}

impl Lane {
    /// Runs the work on a connection of this lane. A connection found dead before anything ran is
    /// replaced by a new one.
    fn work<T, E, F>(&self, kind: Kind, wait: Duration, work: F) -> Result<T, E>
    where
        E: From<DbError> + From<diesel::result::Error>,
        F: FnOnce(&mut Conn) -> Result<T, E>,
    {
        let mut work = Some(work);
        let mut last = String::new();
        for _ in 0..=self.pool.max_size() {
            let mut pooled = self
                .pool
                .get()
                .map_err(|e| DbError::Unreachable(e.to_string()))?;
            // A panic in the work leaves the flag up: the connection is not used again.
            pooled.broken = true;
            match dialect::transaction(&mut pooled.conn, kind, wait, &mut work) {
                Outcome::Done(result) => {
                    pooled.broken = false;
                    return result;
                }
                Outcome::Broken(error) => return Err(error),
                Outcome::NotBegun(error) => last = error.to_string(),
            }
        }
        Err(DbError::Unreachable(last).into())
    }
}

/// A connection and whether it is to be thrown away.
struct Pooled {
    conn: Conn,
    broken: bool,
}

/// Opens connections by the URL's scheme. (The one that `MultiConnection` derives tries one
/// database after the other, and would make an SQLite file when PostgreSQL is down.)
struct Manager {
    url: DbUrl,
    read_only: bool,
    wait: Duration,
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        use diesel::r2d2::Error::{ConnectionError, QueryError};
        let mut conn = match &self.url {
            DbUrl::Sqlite(path) => Conn::Sqlite(
                SqliteConnection::establish(&file_name(path)).map_err(ConnectionError)?,
            ),
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
