//! What the two databases spell differently, and statements that `MultiConnection` can't express.

use std::time::Duration;

use diesel::backend::Backend;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_dsl::methods::FilterDsl;
use diesel::result::Error;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, DbError, Timestamp};

/// Compiles one body for each concrete connection: for upserts and inserts of many rows, which
/// `MultiConnection` can't express.
#[macro_export]
macro_rules! each {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::db::Conn::Pg($c) => $body,
            $crate::db::Conn::Sqlite($c) => $body,
        }
    };
}

/// Inserts rows by statements that the connection keeps: see [`in_chunks`](crate::in_chunks).
#[macro_export]
macro_rules! insert_all {
    ($conn:expr, $rows:expr, |$values:ident| $statement:expr) => {
        $crate::in_chunks!($conn, $rows, |$values, c| $statement.execute(c).map(drop))
    };
}

/// Runs a statement for rows. SQLite does for one after the other, by one that it keeps; PostgreSQL, to which
/// each is a round trip, for sixteen rows at once and for what is left of them, by some that it keeps, or,
/// where there are many, for 500. (The rows' type must have `treat_none_as_default_value = false`: with
/// defaults the kept statement would be another one than the rows need.)
#[macro_export]
macro_rules! in_chunks {
    ($conn:expr, $rows:expr, |$values:ident, $c:ident| $run:expr) => {
        match $conn {
            $crate::db::Conn::Sqlite($c) => $rows.iter().try_for_each(|$values| $run),
            $crate::db::Conn::Pg($c) if $rows.len() > 64 => {
                $rows.chunks(500).try_for_each(|$values| $run)
            }
            $crate::db::Conn::Pg($c) => $rows.chunks(16).try_for_each(|chunk| {
                $crate::in_chunks!(
                    @by_length chunk, |$values| $run, 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2
                )
            }),
        }
    };
    (@by_length $chunk:ident, |$values:ident| $run:expr, $($length:literal)*) => {
        match $chunk.len() {
            $($length => match <&[_; $length]>::try_from($chunk) {
                Ok($values) => $run,
                Err(_) => Ok(()),
            },)*
            _ => $chunk.iter().try_for_each(|$values| $run),
        }
    };
}

/// Runs an upsert of many rows and loads columns of those that it wrote: PostgreSQL by one statement,
/// SQLite, which returns nothing of many, by one for each row.
#[macro_export]
macro_rules! upserted {
    ($conn:expr, $rows:expr, |$values:ident| $statement:expr, $columns:expr) => {
        match $conn {
            $crate::db::Conn::Pg(conn) => {
                let $values = $rows;
                $statement.returning($columns).load(conn)
            }
            $crate::db::Conn::Sqlite(conn) => {
                let mut written = Vec::new();
                for $values in $rows {
                    written.extend($statement.returning($columns).load(conn)?);
                }
                Ok(written)
            }
        }
    };
}

/// Key of the PostgreSQL advisory lock that makes content writers take turns ("lanmu" in ASCII).
const CONTENT_LOCK: i64 = 0x006c_616e_6d75;

/// How long a statement waits for a lock on PostgreSQL, in seconds.
const LOCK_SECONDS: u32 = 10;

/// Pages that SQLite's writer keeps in memory, in KiB: folding hits in goes over the same ones again.
const WRITER_CACHE_KIB: u32 = 16 * 1024;

/// How a transaction behaves towards others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sees one state of the database from its first statement to its last.
    Read,
    /// Writes content: one at a time on either database, so that tree moves, slugs and counts
    /// never race.
    Content,
    /// Writes as [`Kind::Content`] does, in its turn, what is made of what is on disk already: should the
    /// power fail just after, it is made again.
    Upkeep,
    /// Appends hits: several at a time on PostgreSQL.
    Hits(HitsSync),
    /// Appends hits by a single statement, which needs no transaction around it.
    Statement(HitsSync),
}

/// When hits are on SQLite's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HitsSync {
    /// Before they are answered: they survive power loss.
    Full,
    /// In the operating system's hands before they are answered: they survive the end of the process.
    Normal,
}

/// What became of the transaction around a unit of work.
#[derive(Debug)]
pub enum Outcome<T, E> {
    /// It was committed, rolled back because the work failed, or not begun because others held a
    /// lock for too long. The connection is good.
    Done(Result<T, E>),
    /// It never began: nothing ran, the work is left where it was and the connection is dead.
    NotBegun(DbError),
    /// The connection died before the end was confirmed.
    Broken(E),
}

/// Runs `work` in a transaction, unless it is a single statement: commits what succeeds and rolls back
/// what fails. `work` is taken only once the transaction has begun. Waits for other writers of content
/// up to `wait`.
pub fn transaction<T, E, F>(
    conn: &mut Conn,
    kind: Kind,
    wait: Duration,
    work: &mut Option<F>,
) -> Outcome<T, E>
where
    E: From<Error>,
    F: FnOnce(&mut Conn) -> Result<T, E>,
{
    match begin(conn, kind, wait) {
        Ok(()) => {}
        Err(error) if is_contention(&error) => return Outcome::Done(Err(error.into())),
        Err(error) => return Outcome::NotBegun(error.into()),
    }
    let Some(work) = work.take() else {
        return Outcome::Broken(Error::NotInTransaction.into());
    };
    if let Kind::Statement(_) = kind {
        return match work(conn) {
            Ok(value) => Outcome::Done(Ok(value)),
            // What became of it is not known, nor of the connection.
            Err(error) => Outcome::Broken(error),
        };
    }
    match work(conn) {
        Ok(value) => match <Conn as Connection>::TransactionManager::commit_transaction(conn) {
            Ok(()) => Outcome::Done(Ok(value)),
            Err(error) => Outcome::Broken(error.into()),
        },
        Err(error) => match <Conn as Connection>::TransactionManager::rollback_transaction(conn) {
            Ok(()) => Outcome::Done(Err(error)),
            Err(_) => Outcome::Broken(error),
        },
    }
}

fn begin(conn: &mut Conn, kind: Kind, wait: Duration) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(sqlite) => {
            // The one writer's, so that whoever stands in line behind sets its own.
            match kind {
                Kind::Upkeep | Kind::Hits(HitsSync::Normal) | Kind::Statement(HitsSync::Normal) => {
                    sqlite.batch_execute("PRAGMA synchronous = NORMAL")?;
                }
                Kind::Content | Kind::Hits(HitsSync::Full) | Kind::Statement(HitsSync::Full) => {
                    sqlite.batch_execute("PRAGMA synchronous = FULL")?;
                }
                Kind::Read => {}
            }
            let sql = match kind {
                Kind::Read => "BEGIN DEFERRED",
                Kind::Content | Kind::Upkeep | Kind::Hits(_) => "BEGIN IMMEDIATE",
                Kind::Statement(_) => return Ok(()),
            };
            AnsiTransactionManager::begin_transaction_sql(sqlite, sql)
        }
        Conn::Pg(pg) => {
            let sql = match kind {
                Kind::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                Kind::Content | Kind::Upkeep => "BEGIN",
                Kind::Hits(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
                Kind::Statement(_) => return Ok(()),
            };
            if matches!(kind, Kind::Read | Kind::Hits(_)) {
                return AnsiTransactionManager::begin_transaction_sql(pg, sql);
            }
            let lazily = match kind {
                Kind::Upkeep => "; SET LOCAL synchronous_commit = off",
                _ => "",
            };
            // In one message.
            let begin = format!(
                "{sql}; SET LOCAL lock_timeout = '{}ms'; SELECT pg_advisory_xact_lock({CONTENT_LOCK}); \
                 SET LOCAL lock_timeout = '{LOCK_SECONDS}s'{lazily}",
                wait.as_millis().max(1)
            );
            AnsiTransactionManager::begin_transaction_sql(pg, &begin).or_else(|error| {
                pg.batch_execute("ROLLBACK")?;
                Err(error)
            })
        }
    }
}

/// Whether a connection that no transaction is open on can go on.
pub fn is_alive(conn: &mut Conn) -> bool {
    match conn {
        Conn::Sqlite(_) => true,
        Conn::Pg(pg) => pg.batch_execute("SELECT 1").is_ok(),
    }
}

/// Whether others held a lock for too long, or this one and another waited for each other: nothing
/// is wrong but the moment.
pub fn is_contention(error: &Error) -> bool {
    // PostgreSQL's lock_timeout, statement_timeout and deadlock check, SQLite's busy_timeout.
    const SIGNS: [&str; 5] = [
        "lock timeout",
        "statement timeout",
        "deadlock detected",
        "could not serialize",
        "database is locked",
    ];
    match error {
        Error::DatabaseError(_, info) => SIGNS.iter().any(|sign| info.message().contains(sign)),
        _ => false,
    }
}

/// The migrations of each database: same names, same effect.
const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES_MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// What went wrong while migrating, in words.
pub type MigrationError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the migrations that are pending and returns their names. Nodes that start at once take
/// turns; the whole run is one transaction.
pub fn migrate(conn: &mut Conn) -> Result<Vec<String>, MigrationError> {
    fn run<DB: Backend, C: MigrationHarness<DB>>(
        conn: &mut C,
        migrations: EmbeddedMigrations,
    ) -> Result<Vec<String>, MigrationError> {
        let done = conn.run_pending_migrations(migrations)?;
        Ok(done.iter().map(ToString::to_string).collect())
    }
    /// diesel's transactions want an error that a database error turns into.
    struct Failure(MigrationError);
    impl From<Error> for Failure {
        fn from(error: Error) -> Self {
            Self(error.into())
        }
    }
    match conn {
        Conn::Sqlite(sqlite) => sqlite
            .exclusive_transaction(|c| run(c, SQLITE_MIGRATIONS).map_err(Failure))
            .map_err(|failure| failure.0),
        Conn::Pg(pg) => pg
            .transaction(|c| {
                // Another node may be at it, and it may take its time.
                let lock = format!(
                    "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; \
                     SELECT pg_advisory_xact_lock({})",
                    CONTENT_LOCK + 1
                );
                c.batch_execute(&lock)?;
                run(c, POSTGRES_MIGRATIONS).map_err(Failure)
            })
            .map_err(|failure| failure.0),
    }
}

/// Whether the database lacks a migration that this build has. Reads only: diesel's own check would
/// make its table where it is missing.
pub fn has_pending_migration(conn: &mut Conn) -> Result<bool, MigrationError> {
    #[derive(QueryableByName)]
    struct Done {
        #[diesel(sql_type = Text)]
        version: String,
    }
    fn versions<DB: Backend>(
        source: &impl MigrationSource<DB>,
    ) -> diesel::migration::Result<Vec<String>> {
        let all = source.migrations()?;
        Ok(all
            .iter()
            .map(|migration| migration.name().version().to_string())
            .collect())
    }
    let wanted = match conn {
        Conn::Sqlite(_) => versions::<Sqlite>(&SQLITE_MIGRATIONS)?,
        Conn::Pg(_) => versions::<Pg>(&POSTGRES_MIGRATIONS)?,
    };
    let done: Vec<Done> =
        diesel::sql_query("SELECT version FROM __diesel_schema_migrations").load(conn)?;
    Ok(wanted
        .iter()
        .any(|version| done.iter().all(|row| row.version != *version)))
}

/// Prepares a fresh connection. A `read_only` SQLite connection refuses to write; one that writes
/// waits for other processes up to `wait`.
pub fn set_up(conn: &mut Conn, read_only: bool, wait: Duration) -> QueryResult<()> {
    match conn {
        // busy_timeout first: switching to WAL waits for other processes.
        Conn::Sqlite(sqlite) => {
            sqlite.batch_execute(&format!(
                "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; \
                 PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;",
                wait.as_millis()
            ))?;
            sqlite.batch_execute(&if read_only {
                "PRAGMA query_only = ON;".to_owned()
            } else {
                format!("PRAGMA cache_size = -{WRITER_CACHE_KIB};")
            })
        }
        Conn::Pg(pg) => pg.batch_execute(&format!(
            "SET TIME ZONE 'UTC'; SET statement_timeout = '30s'; \
             SET lock_timeout = '{LOCK_SECONDS}s'; \
             SET idle_in_transaction_session_timeout = '60s'; SET application_name = 'lanmu'; \
             SET client_min_messages = 'warning';"
        )),
    }
}

/// The channel of PostgreSQL's on which nodes tell each other how far the change log goes.
pub const CHANNEL: &str = "lanmu_content";

/// How far the change log goes on a streaming replica of PostgreSQL; `None` where the server is none.
pub fn replicated_generation(conn: &mut Conn) -> QueryResult<Option<i64>> {
    #[derive(QueryableByName)]
    struct Standing {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        generation: i64,
        #[diesel(sql_type = diesel::sql_types::Bool)]
        is_replica: bool,
    }
    let Conn::Pg(pg) = conn else {
        return Ok(None);
    };
    let standing: Standing = diesel::sql_query(
        "SELECT coalesce(max(seq), 0) AS generation, pg_is_in_recovery() AS is_replica FROM changes",
    )
    .get_result(pg)?;
    Ok(standing.is_replica.then_some(standing.generation))
}

/// A number that changes whenever another connection, of any process, has written to the SQLite file. It is
/// in shared memory: to ask for it costs some microseconds.
pub fn data_version(sqlite: &mut SqliteConnection) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        data_version: i64,
    }
    let version: Version = diesel::sql_query("PRAGMA data_version").get_result(sqlite)?;
    Ok(version.data_version)
}

/// Tells other nodes of PostgreSQL, once the transaction has been committed, that the change log goes so
/// far. (All who use one SQLite file see by [`data_version`] that something was written.)
pub fn notify(conn: &mut Conn, generation: i64) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        Conn::Pg(pg) => diesel::sql_query(format!("NOTIFY {CHANNEL}, '{generation}'"))
            .execute(pg)
            .map(drop),
    }
}

/// What makes SQLite use an index, behind a table's name. PostgreSQL knows how many rows there are.
pub fn by_index(conn: &Conn, index: &str) -> String {
    match conn {
        Conn::Sqlite(_) => format!(" INDEXED BY {index}"),
        Conn::Pg(_) => String::new(),
    }
}

/// A column of text with its ASCII letters lower-cased. (SQLite's `lower` knows no others;
/// PostgreSQL's does, unless it is told the collation.)
pub fn ascii_lower(conn: &Conn, column: &str) -> String {
    match conn {
        Conn::Sqlite(_) => format!("lower({column})"),
        Conn::Pg(_) => format!("lower({column} COLLATE \"C\")"),
    }
}

/// An upsert that updates only where the row it meets is like this (`DO UPDATE SET … WHERE`).
pub fn only_where<Upsert: FilterDsl<Predicate>, Predicate>(
    upsert: Upsert,
    predicate: Predicate,
) -> <Upsert as FilterDsl<Predicate>>::Output {
    FilterDsl::filter(upsert, predicate)
}

/// What makes a locking select pass over rows that others hold; SQLite has one writer anyway.
pub fn skip_locked(conn: &Conn) -> &'static str {
    match conn {
        Conn::Sqlite(_) => "",
        Conn::Pg(_) => " FOR UPDATE SKIP LOCKED",
    }
}

/// Where a sequence of ids stands.
#[derive(Debug, QueryableByName)]
pub struct Sequence {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    last_value: i64,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    is_called: bool,
}

/// The sequences that ids of articles and sections come from: PostgreSQL doesn't undo them with the
/// transaction, SQLite does.
pub fn id_sequences(conn: &mut Conn) -> QueryResult<Vec<Sequence>> {
    match conn {
        Conn::Sqlite(_) => Ok(Vec::new()),
        Conn::Pg(pg) => diesel::sql_query(
            "SELECT 'articles_id_seq' AS name, last_value, is_called FROM articles_id_seq \
             UNION ALL SELECT 'sections_id_seq', last_value, is_called FROM sections_id_seq",
        )
        .load(pg),
    }
}

/// The id that the next article gets. Only while the lock of content writers is held: nobody else takes ids
/// then.
pub fn next_article_id(conn: &mut Conn) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Next {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        id: i64,
    }
    let sql = match conn {
        // As AUTOINCREMENT does it: https://sqlite.org/autoinc.html
        Conn::Sqlite(_) => {
            "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'articles'), 0), \
             coalesce((SELECT max(id) FROM articles), 0)) + 1 AS id"
        }
        Conn::Pg(_) => {
            "SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END AS id \
             FROM articles_id_seq"
        }
    };
    let next: Next = diesel::sql_query(sql).get_result(conn)?;
    Ok(next.id)
}

/// Puts the sequences back to where they stood. Only while the lock of content writers is held:
/// nobody else takes ids from them then.
pub fn put_back(conn: &mut Conn, sequences: &[Sequence]) -> QueryResult<()> {
    for Sequence {
        name,
        last_value,
        is_called,
    } in sequences
    {
        let sql = format!("SELECT setval('{name}', {last_value}, {is_called})");
        diesel::sql_query(sql).execute(conn)?;
    }
    Ok(())
}

/// An instant as a literal of the database's own, for statements made of numbers and instants.
pub fn instant(conn: &Conn, at: Timestamp) -> String {
    let text = at.column_text();
    match conn {
        Conn::Sqlite(_) => format!("'{text}'"),
        Conn::Pg(_) => format!("TIMESTAMPTZ '{text}+00'"),
    }
}
