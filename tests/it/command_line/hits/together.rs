//! Two nodes, and a queue that is full.

use std::cell::Cell;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use futures_util::future::{join, join_all};
use lanmu::db::Conn;
use reqwest::Client;

use super::{Crowd, SETTINGS, Said, Served, Shelf, assert_balanced, found};
use crate::support::databases::{self, Kind};
use crate::support::numbers::{Numbers, seed, setting};
use crate::support::stage::Stage;

const SECONDS: u64 = 2;
const READERS: u64 = 6;

async fn two_nodes_count_the_same_articles_exactly(stage: Stage) {
    let url = stage.url();
    let shelf = Shelf::fill(&url, 10).await;
    let said = Said::default();
    let nodes = [(); 2].map(|()| Served::start_with(&url, SETTINGS, &[]));
    let crowds = [0, 1].map(|n: usize| Crowd::new(&nodes[n].base, &shelf.articles, &said));
    let readers = (0..2 * READERS).map(|n| {
        let crowd = &crowds[usize::from(n % 2 == 0)];
        crowd.read(Numbers::new(seed() ^ n))
    });
    let end = async {
        tokio::time::sleep(Duration::from_secs(setting("LANMU_TEST_SECONDS", SECONDS))).await;
        crowds.iter().for_each(Crowd::end);
    };
    join(join_all(readers), end).await;
    for node in &nodes {
        let counts = shelf.counts(node).await;
        said.assert_exact(&counts);
        said.assert_told(&node.base, &counts).await;
    }
    assert_balanced(&url).await;
    for node in nodes {
        let (status, log) = node.terminate();
        assert!(status.success(), "{status}: {log}");
        assert!(!log.contains("deadlock"), "{log}");
    }
    // Processes that share an SQLite file may have to wait for each other for too long.
    if stage.kind() == Kind::Postgres {
        assert_eq!(said.answers(503), 0);
        let deadlocks = "SELECT deadlocks AS n FROM pg_stat_database \
                         WHERE datname = current_database()";
        assert_eq!(found(&mut databases::connect(&url), deadlocks), 0);
    }
    println!(
        "{:?}: {} hits acknowledged, {} answers, {} of 503",
        stage.kind(),
        said.acknowledged(),
        said.answers(200),
        said.answers(503)
    );
}

async fn a_full_queue_is_told_and_who_waits_is_answered(stage: Stage) {
    let url = stage.url();
    let shelf = Shelf::fill(&url, 1).await;
    let id = shelf.articles[0];
    let settings = [
        SETTINGS,
        &[
            ("LANMU_HITS_QUEUE", "1"),
            ("LANMU_HITS_FOLD_MS", "0"),
            ("LANMU_DB_WAIT_MS", "30000"),
        ],
    ]
    .concat();
    let served = Served::start_with(&url, &settings, &[]);
    let mut held = databases::connect(&url);
    let hold = match held {
        Conn::Sqlite(_) => "BEGIN IMMEDIATE",
        Conn::Pg(_) => "BEGIN; LOCK TABLE hit_log IN ACCESS EXCLUSIVE MODE",
    };
    held.batch_execute(hold).expect("nobody else has it");

    let (client, refused) = (Client::new(), Cell::new(0));
    let hit = async || {
        let url = format!("{}/v1/articles/{id}/hits", served.base);
        let answer = client.post(url).send().await.expect("an answer");
        if answer.status() == 503 {
            assert_eq!(answer.headers()["retry-after"], "1");
            refused.set(refused.get() + 1);
        }
        answer.status().as_u16()
    };
    let let_go = async {
        // One is being written and one waits, unless the others were faster than the writer.
        while refused.get() < 8 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        held.batch_execute("COMMIT").expect("it is let go");
    };
    let (statuses, ()) = join(join_all((0..10).map(|_| hit())), let_go).await;
    let counted = statuses.iter().filter(|status| **status == 200).count();
    assert!((1..=2).contains(&counted), "{statuses:?}");
    assert_eq!(counted + refused.get(), 10, "{statuses:?}");
    assert_eq!(hit().await, 200);
    let stored = shelf.counts(&served).await[&id];
    assert_eq!(usize::try_from(stored), Ok(counted + 1));
    let metrics = reqwest::get(format!("{}/metrics", served.base)).await;
    let metrics = metrics.expect("an answer").text().await.expect("text");
    let line = format!("lanmu_hits_refused_total {}", refused.get());
    assert!(metrics.contains(&line), "{metrics}");
}

crate::facts![
    two_nodes_count_the_same_articles_exactly,
    a_full_queue_is_told_and_who_waits_is_answered,
];
