//! A PostgreSQL of the fact's own with streaming replicas.

use std::rc::Rc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use lanmu::db::{Conn, Db, Source};
use lanmu::error::ApiError;

use super::app::TestApp;
use super::cluster::Cluster;
use super::databases;
use super::stage::Stage;

/// How long something is waited for that comes by itself, in steps of 25 milliseconds.
const STEPS: usize = 1200;

/// A primary and its replicas.
pub struct Replicated {
    pub primary: Cluster,
    pub replicas: Vec<Cluster>,
    pub url: String,
}

#[derive(QueryableByName)]
struct Flag {
    #[diesel(sql_type = Bool)]
    flag: bool,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Place {
    #[diesel(sql_type = Text)]
    place: String,
}

impl Replicated {
    /// A primary with a database as facts have it, and so many replicas.
    pub fn make(replicas: usize) -> Self {
        let primary = databases::own_cluster();
        let url = primary.create("content", "template0");
        databases::prepare(&url);
        let replicas = (0..replicas).map(|_| databases::replica_of(&primary));
        Self {
            replicas: replicas.collect(),
            primary,
            url,
        }
    }

    /// `LANMU_REPLICA_URLS`.
    pub fn replica_urls(&self) -> String {
        let urls = self.replicas.iter().map(|replica| replica.url("content"));
        urls.collect::<Vec<_>>().join(",")
    }

    /// A node that reads from the replicas, with these settings besides.
    pub async fn node(&self, stage: &Stage, settings: &[(&str, &str)]) -> Rc<TestApp> {
        let urls = self.replica_urls();
        let mut all = vec![("LANMU_REPLICA_URLS", urls.as_str())];
        all.extend(settings);
        stage.on(&self.url, &all).await
    }

    /// A connection to one of the replicas.
    pub fn connect(&self, replica: usize) -> Conn {
        databases::connect(&self.replicas[replica].url("content"))
    }

    /// Keeps a replica as it is from now on.
    pub async fn pause(&self, replica: usize) {
        let mut conn = self.connect(replica);
        run(&mut conn, "SELECT pg_wal_replay_pause()");
        let paused = "SELECT pg_get_wal_replay_pause_state() = 'paused' AS flag";
        until("it pauses", async || is(&mut conn, paused)).await;
    }

    /// Lets it follow the primary again.
    pub fn resume(&self, replica: usize) {
        run(&mut self.connect(replica), "SELECT pg_wal_replay_resume()");
    }

    /// Waits until the replicas have all that the primary has now.
    pub async fn caught_up(&self) {
        let wanted = generation(&mut databases::connect(&self.url));
        for replica in 0..self.replicas.len() {
            let mut conn = self.connect(replica);
            until("it catches up", async || generation(&mut conn) >= wanted).await;
        }
    }

    /// Waits until a delivery read is run on this cluster.
    pub async fn used(&self, db: &Db, cluster: &Cluster) {
        let wanted = cluster.data();
        until("it is used", async || place(db).await == wanted).await;
    }
}

/// Runs a statement.
pub fn run(conn: &mut Conn, sql: &str) {
    diesel::sql_query(sql).execute(conn).expect("it runs");
}

fn is(conn: &mut Conn, sql: &str) -> bool {
    let found: Flag = diesel::sql_query(sql).get_result(conn).expect("a row");
    found.flag
}

/// A number that the database tells under this name.
pub fn number(conn: &mut Conn, sql: &str) -> i64 {
    let found: Number = diesel::sql_query(sql).get_result(conn).expect("a row");
    found.number
}

/// How far the change log goes here.
pub fn generation(conn: &mut Conn) -> i64 {
    number(conn, "SELECT coalesce(max(seq), 0) AS number FROM changes")
}

/// The folder of the cluster that a delivery read is run on.
pub async fn place(db: &Db) -> String {
    let read = db.deliver(Source::Any, |conn, _| {
        let place = "SELECT current_setting('data_directory') AS place";
        let found: Place = diesel::sql_query(place).get_result(conn)?;
        Ok::<_, ApiError>(found.place)
    });
    read.await.expect("the database answers")
}

/// Waits for something that comes by itself.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..STEPS {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: it does not");
}
