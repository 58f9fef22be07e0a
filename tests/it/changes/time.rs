//! What time does is told, exactly once, however many nodes there are and whatever their clocks do.

use std::rc::Rc;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::replica::{Replica, delivered};
use crate::support::app::TestApp;
use crate::support::people::AUDIT;
use crate::support::stage::Stage;

/// An article that is published at 05:00 and expires at 06:00; the clock stands at 04:00.
async fn scheduled(app: &TestApp) -> i64 {
    let port = app.admin().section("港口", json!({})).await;
    let dates = json!({
        "published_at": "2026-01-31T05:00:00Z", "expires_at": "2026-01-31T06:00:00Z",
    });
    app.admin()
        .draft("晨渡", port, json!({"publish": dates}))
        .await
}

/// The events of an article, the oldest first, with who did it.
async fn events(app: &TestApp, id: i64) -> Vec<String> {
    let path = format!("{AUDIT}?resource=article&resource_id={id}&limit=100");
    let mut told: Vec<String> = app
        .entries(&path)
        .await
        .iter()
        .map(|entry| {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            format!(
                "{} by {}",
                text(&entry["event"]),
                text(&entry["actor"]["type"])
            )
        })
        .collect();
    told.reverse();
    told
}

async fn sees(app: &TestApp, id: i64) -> bool {
    app.get(&format!("/v1/articles/{id}")).await.status == 200
}

async fn stored_status(app: &TestApp, id: i64) -> String {
    use diesel::prelude::*;
    use lanmu::db::schema::articles;
    let found = articles::table.find(id).select(articles::status);
    found.first(&mut app.connect()).expect("it is there")
}

async fn what_comes_due_is_written_down_once_by_several_nodes(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await, stage.app().await];
    let app = &nodes[0];
    let id = scheduled(app).await;
    let mut replica = Replica::default();
    replica.follow(app, 100).await;
    for (clock, told, status) in [
        ("2026-01-31T05:00:00Z", "upsert", "published"),
        ("2026-01-31T06:00:00Z", "delete", "archived"),
    ] {
        for node in &nodes {
            node.set_clock(clock);
        }
        let settled = join_all(nodes.iter().map(|node| node.tick())).await;
        assert_eq!(settled.iter().sum::<usize>(), 1, "{settled:?}");
        assert_eq!(replica.hear(app).await, [format!("{told} article {id}")]);
        assert_eq!(stored_status(app, id).await, status);
    }
    let wanted = [
        "article.created by account",
        "article.scheduled by account",
        "article.published by system",
        "article.expired by system",
    ];
    assert_eq!(events(app, id).await, wanted);
}

async fn readers_do_not_wait_for_it(stage: Stage) {
    let app = stage.app().await;
    let id = scheduled(&app).await;
    app.set_clock("2026-01-31T04:59:59.999Z");
    assert!(!sees(&app, id).await);
    app.set_clock("2026-01-31T05:00:00Z");
    assert!(sees(&app, id).await);
    app.set_clock("2026-01-31T06:00:00Z");
    assert!(!sees(&app, id).await);
    // Nothing was written down of it: it never was public to a follower, and both is told now.
    assert_eq!(stored_status(&app, id).await, "scheduled");
    assert_eq!(app.tick().await, 1);
    let told = events(&app, id).await;
    assert_eq!(
        told[2..],
        ["article.published by system", "article.expired by system"]
    );
}

async fn a_write_first_writes_down_what_time_has_done(stage: Stage) {
    let app = stage.app().await;
    let id = scheduled(&app).await;
    app.set_clock("2026-01-31T05:30:00Z");
    let one = format!("/v1/admin/articles/{id}");
    app.admin()
        .patch(&one, json!({"title": "夜渡"}))
        .await
        .ok(200);
    let told = events(&app, id).await;
    assert_eq!(
        told[2..],
        ["article.published by system", "article.updated by account"]
    );
    assert_eq!(app.tick().await, 0);
}

async fn time_alone_changes_no_version(stage: Stage) {
    let app = stage.app().await;
    let id = scheduled(&app).await;
    let one = format!("/v1/admin/articles/{id}");
    let before = app.admin().get(&one).await.ok(200);
    app.set_clock("2026-01-31T05:00:00Z");
    let shown = app.get(&format!("/v1/articles/{id}")).await.ok(200);
    app.tick().await;
    let after = app.admin().get(&one).await.ok(200);
    assert_eq!(before["version"], after["version"]);
    assert_eq!(before["updated_at"], after["updated_at"]);
    let again = app.get(&format!("/v1/articles/{id}")).await.ok(200);
    assert_eq!(shown.header("etag"), again.header("etag"));
}

async fn a_node_that_was_down_over_the_instant_makes_up_for_it(stage: Stage) {
    let app = stage.app().await;
    let id = scheduled(&app).await;
    app.stop().await;
    let next = stage.app().await;
    next.set_clock("2026-01-31T05:20:00Z");
    assert!(sees(&next, id).await);
    assert_eq!(next.tick().await, 1);
    assert_eq!(
        events(&next, id).await[2..],
        ["article.published by system"]
    );
}

async fn a_clock_that_jumps_ends_right(stage: Stage) {
    let app = stage.app().await;
    let id = scheduled(&app).await;
    let mut replica = Replica::default();
    replica.follow(&app, 100).await;
    // Two hours too early: published and archived in one go.
    app.set_clock("2026-01-31T06:30:00Z");
    app.tick().await;
    assert_eq!(stored_status(&app, id).await, "archived");
    // Set right: it is to be published yet.
    for (clock, is_seen, status) in [
        ("2026-01-31T04:30:00Z", false, "scheduled"),
        ("2026-01-31T05:00:00Z", true, "published"),
        ("2026-01-31T03:00:00Z", false, "scheduled"),
        ("2026-01-31T05:30:00Z", true, "published"),
        ("2026-01-31T06:00:00Z", false, "archived"),
    ] {
        app.set_clock(clock);
        app.tick().await;
        assert_eq!(stored_status(&app, id).await, status, "{clock}");
        assert_eq!(sees(&app, id).await, is_seen, "{clock}");
        replica.follow(&app, 100).await;
        assert_eq!(replica.content, delivered(&app).await, "{clock}");
    }
}

async fn what_was_archived_by_hand_is_not_brought_back(stage: Stage) {
    let app = stage.app().await;
    let id = scheduled(&app).await;
    app.set_clock("2026-01-31T05:30:00Z");
    app.admin()
        .act(&format!("/v1/admin/articles/{id}/unpublish"))
        .await
        .ok(200);
    app.set_clock("2026-01-31T05:10:00Z");
    assert_eq!(app.tick().await, 0);
    assert_eq!(stored_status(&app, id).await, "archived");
}

async fn what_a_later_clock_has_published_is_not_forgotten_by_an_earlier_one(stage: Stage) {
    let (ahead, behind) = (stage.app().await, stage.app().await);
    let id = scheduled(&ahead).await;
    let section = "/v1/admin/sections/1";
    let visible = |is: bool| json!({"visible": is});
    ahead.admin().patch(section, visible(false)).await.ok(200);
    let mut replica = Replica::default();
    replica.follow(&behind, 100).await;
    ahead.set_clock("2026-01-31T05:00:00Z");
    assert_eq!(ahead.tick().await, 1);
    // Begun an hour ago.
    behind.admin().patch(section, visible(true)).await.ok(200);
    let slug = json!({"slug": "harbour"});
    behind.admin().patch(section, slug).await.ok(200);
    replica.follow(&behind, 100).await;
    behind.set_clock("2026-01-31T05:00:00Z");
    replica.follow(&behind, 100).await;
    assert!(replica.content.articles.contains_key(&id));
    lanmu::cache::look(&ahead.app)
        .await
        .expect("the change log");
    assert_eq!(replica.content, delivered(&ahead).await);
}

async fn a_node_behind_holds_back_what_another_has_published(stage: Stage) {
    let (ahead, behind) = (stage.app().await, stage.app().await);
    let id = scheduled(&ahead).await;
    let mut replica = Replica::default();
    replica.follow(&behind, 100).await;
    ahead.set_clock("2026-01-31T05:00:00Z");
    behind.set_clock("2026-01-31T04:59:50Z");
    ahead.tick().await;
    let port = ahead.admin().section("城里", json!({})).await;
    // Not passed over, and nothing behind it either.
    assert_eq!(replica.hear(&behind).await, [""; 0]);
    behind.set_clock("2026-01-31T05:00:00Z");
    let wanted = [
        format!("upsert article {id}"),
        format!("upsert section {port}"),
    ];
    assert_eq!(replica.hear(&behind).await, wanted);
}

async fn many_that_come_due_at_once_are_all_written_down(stage: Stage) {
    let app = stage.app().await;
    let port = app.admin().section("港口", json!({})).await;
    let dates = json!({"publish": {"published_at": "2026-01-31T05:00:00Z"}});
    for _ in 0..120 {
        app.admin().draft("晨渡", port, dates.clone()).await;
    }
    app.set_clock("2026-01-31T05:00:00Z");
    assert_eq!(app.tick().await, 120);
    assert_eq!(app.tick().await, 0);
}

/// The service by itself, on the machine's clock: two nodes, and nobody who calls `tick`.
async fn two_nodes_publish_by_themselves_in_time(stage: Stage) {
    let settings = [("LANMU_TICK_MS", "100")];
    let nodes = [
        stage.running(&settings).await,
        stage.running(&settings).await,
    ];
    let app: &Rc<TestApp> = &nodes[0];
    let port = app.admin().section("港口", json!({})).await;
    // On a machine that is too slow for two seconds the next one is tried.
    let (id, at) = loop {
        let id = app.admin().draft("晨渡", port, json!({})).await;
        let at = app.now().plus_seconds(2);
        let dates = json!({"published_at": at.to_string()});
        let path = format!("/v1/admin/articles/{id}/publish");
        let made = app.admin().post(&path, dates).await.ok(200);
        if made["status"] == "scheduled" {
            break (id, at);
        }
    };
    for node in &nodes {
        let mut early = 0;
        loop {
            let before = node.now();
            let is_seen = sees(node, id).await;
            let after = node.now();
            assert!(!is_seen || after >= at, "seen at {after}, before {at}");
            if is_seen {
                break;
            }
            assert!(before < at, "not seen at {before}, after {at}");
            early += 1;
        }
        assert!(early > 0 || node.now() >= at);
    }
    // The log is told soon; how soon depends on the machine.
    let mut told = Vec::new();
    while told.len() < 3 && app.now() < at.plus_seconds(60) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        told = events(app, id).await;
    }
    assert_eq!(told[2..], ["article.published by system"]);
}

crate::facts![
    what_comes_due_is_written_down_once_by_several_nodes,
    readers_do_not_wait_for_it,
    a_write_first_writes_down_what_time_has_done,
    time_alone_changes_no_version,
    a_node_that_was_down_over_the_instant_makes_up_for_it,
    a_clock_that_jumps_ends_right,
    what_was_archived_by_hand_is_not_brought_back,
    what_a_later_clock_has_published_is_not_forgotten_by_an_earlier_one,
    a_node_behind_holds_back_what_another_has_published,
    many_that_come_due_at_once_are_all_written_down,
    two_nodes_publish_by_themselves_in_time,
];
