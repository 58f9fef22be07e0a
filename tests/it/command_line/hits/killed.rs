//! The process ends: killed, or asked to.

use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{Crowd, SETTINGS, Said, Served, Shelf, assert_balanced};
use crate::support::numbers::{Numbers, seed, setting};
use crate::support::stage::Stage;

const ROUNDS: u64 = 3;
const READERS: u64 = 8;

async fn killed_at_any_moment_it_has_all_it_acknowledged_and_all_of_it_once(stage: Stage) {
    let url = stage.url();
    let shelf = Shelf::fill(&url, 50).await;
    let (said, numbers) = (Said::default(), Numbers::new(seed()));
    for round in 0..setting("LANMU_TEST_KILLS", ROUNDS) {
        let mut served = Served::start_with(&url, SETTINGS, &[]);
        let base = served.base.clone();
        let crowd = Crowd::new(&base, &shelf.articles, &said);
        let readers = (0..READERS).map(|n| crowd.read(Numbers::new(seed() ^ (round << 8 | n))));
        let kill = async {
            // It is killed at work, not before: how soon that is depends on the machine.
            crowd.wait_for(200, 20).await;
            tokio::time::sleep(Duration::from_millis(numbers.below(400))).await;
            served.child.kill().expect("it runs");
            served.child.wait().expect("it ends");
            crowd.end();
        };
        join(join_all(readers), kill).await;

        let again = Served::start_with(&url, SETTINGS, &[]);
        said.assert_kept(&shelf.counts(&again).await);
        said.settle(&again.base).await;
        let counts = shelf.counts(&again).await;
        said.assert_kept(&counts);
        said.assert_told(&again.base, &counts).await;
        assert_balanced(&url).await;
        let (status, log) = again.terminate();
        assert!(status.success(), "{status}: {log}");
    }
    println!(
        "{:?}: {} hits acknowledged, {} answers, {} requests cut off",
        stage.kind(),
        said.acknowledged(),
        said.answers(200),
        said.answers(0)
    );
}

async fn asked_to_end_under_load_it_stores_what_it_acknowledges_and_nothing_else(stage: Stage) {
    let url = stage.url();
    let shelf = Shelf::fill(&url, 20).await;
    let said = Said::default();
    let mut served = Served::start_with(&url, SETTINGS, &[]);
    let base = served.base.clone();
    let crowd = Crowd::new(&base, &shelf.articles, &said);
    let readers = (0..2 * READERS).map(|n| crowd.read(Numbers::new(seed() ^ n)));
    let end = async {
        crowd.wait_for(200, 100).await;
        served.ask_to_end();
        let mut status = None;
        for _ in 0..3000 {
            status = served.child.try_wait().expect("it is there");
            if status.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        crowd.end();
        status.expect("it ends in 30 seconds")
    };
    let (_, status) = join(join_all(readers), end).await;
    assert!(status.success(), "{status}: {}", served.log());
    let again = Served::start_with(&url, SETTINGS, &[]);
    said.assert_exact(&shelf.counts(&again).await);
    assert_balanced(&url).await;
    assert_eq!(said.answers(503), 0);
}

crate::facts![
    killed_at_any_moment_it_has_all_it_acknowledged_and_all_of_it_once,
    asked_to_end_under_load_it_stores_what_it_acknowledges_and_nothing_else,
];
