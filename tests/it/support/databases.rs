//! A fresh database for every fact: a copy of a migrated template with one admin account in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::time::Duration;

use diesel::prelude::*;
use lanmu::auth::Role;
use lanmu::db::{Conn, dialect};
use lanmu::users::add_user;
use tempfile::TempDir;

use super::app::{ADMIN, NOON, PASSWORD};
use super::cluster::{Cluster, Stop, postgres_bin};
use super::secrets;

/// The databases that the suite runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// The databases to run on; a line for the user where one that is asked for can't be had.
pub fn wanted() -> Result<Vec<Kind>, String> {
    #[allow(
        clippy::disallowed_methods,
        reason = "a setting of the suite, not of the service"
    )]
    let asked = std::env::var("LANMU_TEST_DATABASES").unwrap_or_default();
    match (asked.trim(), postgres_bin()) {
        ("", None) | ("sqlite", _) => Ok(vec![Kind::Sqlite]),
        ("" | "sqlite,postgres", Some(_)) => Ok(vec![Kind::Sqlite, Kind::Postgres]),
        ("sqlite,postgres", None) => Err(
            "LANMU_TEST_DATABASES asks for postgres, but PostgreSQL's initdb was not found: \
             install Debian's package postgresql, or put its bin folder on PATH"
                .to_owned(),
        ),
        (other, _) => Err(format!(
            "LANMU_TEST_DATABASES is {other:?}: use sqlite or sqlite,postgres"
        )),
    }
}

/// Why PostgreSQL's half is left out, and what brings it in.
pub fn why_not_postgres() -> &'static str {
    if postgres_bin().is_some() {
        return "LANMU_TEST_DATABASES says so.";
    }
    "PostgreSQL's initdb was not found. Install Debian's package postgresql, or put its bin folder \
     on PATH."
}

static FOLDER: LazyLock<Mutex<Option<TempDir>>> =
    LazyLock::new(|| Mutex::new(Some(tempfile::tempdir().expect("a temporary folder"))));
static SQLITE: OnceLock<PathBuf> = OnceLock::new();
static CLUSTER: OnceLock<Cluster> = OnceLock::new();
/// The database that others are copied from.
const TEMPLATE: &str = "template_lanmu";
static NEXT: AtomicU32 = AtomicU32::new(1);

fn folder() -> PathBuf {
    let folder = FOLDER.lock().expect("no panic while locked");
    folder
        .as_ref()
        .expect("the suite is not over")
        .path()
        .to_owned()
}

/// `DATABASE_URL` of a fresh database of this kind, migrated, with one admin account.
pub fn fresh(kind: Kind) -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let url = match kind {
        Kind::Sqlite => {
            let template = SQLITE.get_or_init(|| {
                let file = folder().join("template.db");
                prepare(&format!("sqlite://{}", file.display()));
                file
            });
            let file = folder().join(format!("{number}.db"));
            fs::copy(template, &file).expect("the template can be copied");
            format!("sqlite://{}", file.display())
        }
        Kind::Postgres => cluster().create(&format!("fact_{number}"), TEMPLATE),
    };
    secrets::note_database(&url);
    url
}

/// `DATABASE_URL` of a database of this kind with nothing in it.
pub fn empty(kind: Kind) -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let url = match kind {
        Kind::Sqlite => format!(
            "sqlite://{}",
            folder().join(format!("{number}.db")).display()
        ),
        Kind::Postgres => cluster().create(&format!("fact_{number}"), "template0"),
    };
    secrets::note_database(&url);
    url
}

/// A connection of the test's own, to look behind the service's back.
pub fn connect(url: &str) -> Conn {
    let mut conn = match url.strip_prefix("sqlite://") {
        Some(file) => Conn::Sqlite(SqliteConnection::establish(file).expect("the file opens")),
        None => Conn::Pg(PgConnection::establish(url).expect("the cluster answers")),
    };
    dialect::set_up(&mut conn, false, Duration::from_secs(20)).expect("the connection is set up");
    conn
}

/// The tables that requests write.
const WRITTEN: &[&str] = &[
    "users",
    "sessions",
    "refresh_tokens",
    "password_resets",
    "api_keys",
    "audit",
    "sections",
    "articles",
    "article_details",
    "article_also",
    "article_legacy_urls",
    "article_terms",
    "article_related",
    "changes",
    "revisions",
    "preview_links",
    "idempotency_keys",
    "listings",
    "old_slugs",
    "revisions",
    "hit_totals",
    "hit_days",
    "hit_months",
    "hit_hours",
    "hit_sums",
    "listing_counts",
    "hit_log",
    "hit_parts",
    "hit_ids",
    "hit_visits",
    "hit_entries",
    "preview_links",
    "secrets",
    "purges",
    "purge_urls",
];

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    place: i64,
    #[diesel(sql_type = diesel::sql_types::Text)]
    line: String,
}

/// One statement for the rows of all tables: it is asked thousands of times.
fn statement(conn: &mut Conn) -> String {
    let texts: Vec<String> = match conn {
        Conn::Pg(_) => WRITTEN.iter().map(|_| "t::text".to_owned()).collect(),
        Conn::Sqlite(_) => row_texts(conn),
    };
    let tables = WRITTEN.iter().zip(texts).enumerate();
    let selects = tables.map(|(place, (table, text))| {
        format!("SELECT CAST({place} AS bigint) AS place, {text} AS line FROM {table} t")
    });
    selects.collect::<Vec<_>>().join(" UNION ALL ")
}

/// What makes a row of each table a text on SQLite, which has none for whole rows. Asked anew each
/// time: a fact may have renamed a column.
fn row_texts(conn: &mut Conn) -> Vec<String> {
    let columns = WRITTEN.iter().enumerate().map(|(place, table)| {
        format!("SELECT {place} AS place, name AS line FROM pragma_table_info('{table}')")
    });
    let sql = columns.collect::<Vec<_>>().join(" UNION ALL ");
    let found: Vec<Line> = diesel::sql_query(sql).load(conn).expect("the columns");
    let mut quoted = vec![Vec::new(); WRITTEN.len()];
    for column in found {
        let place = usize::try_from(column.place).expect("a place");
        quoted[place].push(format!("quote({})", column.line));
    }
    quoted
        .into_iter()
        .map(|columns| columns.join(" || ',' || "))
        .collect()
}

/// The rows of every table that requests write, as text, sorted, by the table's name.
pub fn rows(conn: &mut Conn) -> Vec<(&'static str, Vec<String>)> {
    let mut tables: Vec<_> = WRITTEN.iter().map(|table| (*table, Vec::new())).collect();
    let sql = statement(conn);
    let found: Vec<Line> = diesel::sql_query(sql).load(conn).expect("the rows");
    for row in found {
        let place = usize::try_from(row.place).expect("a place");
        tables[place].1.push(row.line);
    }
    tables.iter_mut().for_each(|(_, lines)| lines.sort());
    tables
}

/// The cluster that the facts share.
fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::make(&folder().join("postgres"));
        prepare(&cluster.create(TEMPLATE, "template0"));
        cluster
    })
}

/// A connection beside all databases of facts, to the cluster that they share.
pub fn beside() -> Conn {
    connect(&cluster().url("postgres"))
}

/// A cluster that one fact has for itself.
pub fn own_cluster() -> Cluster {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Cluster::make(&folder().join(format!("postgres_{number}")))
}

/// A streaming replica of a cluster.
pub fn replica_of(cluster: &Cluster) -> Cluster {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    cluster.replica(&folder().join(format!("replica_{number}")))
}

/// Migrates a database that is empty, and adds the admin account.
pub fn prepare(url: &str) {
    let mut conn = connect(url);
    dialect::migrate(&mut conn).expect("the migrations run");
    let now = NOON.parse_instant();
    add_user(&mut conn, ADMIN, Role::Admin, PASSWORD, now).expect("the account is added");
}

/// Parses an instant that a test wrote down.
pub trait ParseInstant {
    fn parse_instant(&self) -> lanmu::db::Timestamp;
}

impl ParseInstant for str {
    fn parse_instant(&self) -> lanmu::db::Timestamp {
        lanmu::db::Timestamp::parse(self).expect("an RFC 3339 instant")
    }
}

/// Stops what was started and removes every file.
pub fn shut_down() {
    if let Some(cluster) = CLUSTER.get() {
        // Nothing in it is worth a clean end; its files go with the folder.
        cluster.stop(Stop::Immediate);
    }
    drop(FOLDER.lock().expect("no panic while locked").take());
}

/// A folder of the test's own, removed at its end.
pub fn scratch() -> TempDir {
    tempfile::tempdir_in(Path::new("/tmp")).expect("a temporary folder")
}
