//! A server whose replicas come and go.

use std::cell::Cell;

use futures_util::future::{join, join_all};
use reqwest::Client;
use serde_json::json;

use super::{Served, assert_one_line, run};
use crate::facts;
use crate::support::cluster::Stop;
use crate::support::databases::{self, Kind};
use crate::support::replicated::{Replicated, until};
use crate::support::stage::Stage;

/// How many delivery reads a replica was asked.
async fn replica_reads(served: &Served) -> u64 {
    let metrics = reqwest::get(format!("{}/metrics", served.base)).await;
    let metrics = metrics.expect("an answer").text().await.expect("text");
    let name = "lanmu_db_reads_total{place=\"replica\"} ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|number| number.parse().ok()).expect("it")
}

async fn a_replica_that_goes_is_left_out_and_used_again(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let replicated = Replicated::make(1);
    let replica = &replicated.replicas[0];
    let app = stage.on(&replicated.url, &[]).await;
    app.admin().section("港口", json!({})).await;
    let urls = replicated.replica_urls();
    let settings = [
        ("LANMU_REPLICA_URLS", urls.as_str()),
        ("LANMU_CACHE_MB", "0"),
    ];
    let served = Served::start_with(&replicated.url, &settings, &[]);
    let is_over = Cell::new(false);
    let client = Client::new();
    let readers = (0..4).map(|_| async {
        while !is_over.get() {
            let list = client.get(format!("{}/v1/sections", served.base)).send();
            assert_eq!(list.await.expect("an answer").status(), 200);
        }
    });
    let is_used = async || {
        let before = replica_reads(&served).await;
        until("it is used", async || replica_reads(&served).await > before).await;
    };
    let outages = async {
        for how in [Stop::Fast, Stop::Immediate] {
            is_used().await;
            replica.stop(how);
            let client = &client;
            let lists = (1..=20).map(|n| {
                let list = format!("{}/v1/articles?limit={n}", served.base);
                async move { client.get(list).send().await.expect("an answer").status() }
            });
            let answered = join_all(lists).await;
            assert!(answered.iter().all(|status| *status == 200), "{answered:?}");
            replica.start_again();
            is_used().await;
        }
        is_over.set(true);
    };
    join(join_all(readers), outages).await;
    let (status, log) = served.terminate();
    assert!(status.success(), "{status}: {log}");
    let times = |sign: &str| log.matches(sign).count();
    // Each outage once, however many readers met it.
    assert_eq!(times("a replica is left out"), 2, "{log}");
    assert_eq!(times("a replica is used again"), 2, "{log}");
    assert_eq!(times(" WARN ") + times(" ERROR "), 0, "{log}");
}

async fn replicas_of_sqlite_are_refused(stage: Stage) {
    if stage.kind() == Kind::Postgres {
        return;
    }
    let folder = databases::scratch();
    let url = stage.url();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("LANMU_REPLICA_URLS", "postgres://lanmu:geheim@db2/lanmu"),
    ];
    let refused = run(folder.path(), &settings, &["serve"]);
    assert_one_line(&refused, "LANMU_REPLICA_URLS is for PostgreSQL");
    assert!(!String::from_utf8_lossy(&refused.stderr).contains("geheim"));
}

facts![
    a_replica_that_goes_is_left_out_and_used_again,
    replicas_of_sqlite_are_refused,
];
