//! Delivery reads from streaming replicas, and never less than the node knows of.

use std::collections::HashSet;
use std::time::Duration;

use diesel::prelude::*;
use futures_util::future::{join, join_all};
use lanmu::db::{Db, DbSettings, DbUrl, Source, content};
use lanmu::error::ApiError;
use lanmu::slugs::Resource;
use serde_json::json;

use crate::cache::coherence::Pages;
use crate::facts;
use crate::support::app::TestApp;
use crate::support::databases::{self, Kind};
use crate::support::numbers::{Numbers, seed};
use crate::support::replicated::{Replicated, generation, number, place, run, until};
use crate::support::stage::Stage;

/// How many delivery reads asked the primary, and how many a replica.
async fn reads(app: &TestApp) -> (u64, u64) {
    (
        app.measure("lanmu_db_reads_total{place=\"primary\"}").await,
        app.measure("lanmu_db_reads_total{place=\"replica\"}").await,
    )
}

/// The database layer alone, which hears of nothing by itself.
fn deaf(replicated: &Replicated) -> Db {
    let url = |text: &str| DbUrl::parse(text).expect("a database URL");
    let replicas = replicated.replica_urls();
    Db::new(&DbSettings {
        url: url(&replicated.url),
        replicas: replicas.split(',').map(url).collect(),
        pool_size: 4,
        queue: 1000,
        names_purges: false,
        wait: Duration::from_secs(60),
    })
}

/// How far the content goes that a delivery read sees.
async fn delivered(db: &Db) -> i64 {
    let read = db.deliver(Source::Any, |_, generation| Ok::<_, ApiError>(generation));
    read.await.expect("the database answers")
}

async fn delivery_reads_from_replicas_in_turn(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let replicated = Replicated::make(2);
    let app = replicated.node(&stage, &[("LANMU_CACHE_MB", "0")]).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    replicated.caught_up().await;
    for replica in &replicated.replicas {
        replicated.used(&app.app.db, replica).await;
    }
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(place(&app.app.db).await);
    }
    assert_eq!(places[..2], places[2..]);
    assert_ne!(places[0], places[1]);

    let before = reads(&app).await;
    for path in [
        "/v1/articles",
        "/v1/articles?section=1",
        "/v1/sections",
        "/v1/sections/tree",
        "/v1/archive",
        "/v1/tags",
        &format!("/v1/articles/{id}"),
        &format!("/v1/articles/{id}/neighbors"),
    ] {
        app.get(path).await.ok(200);
    }
    app.get("/v1/articles/0").await.problem(404, "not_found");
    app.get("/v1/articles?section=none")
        .await
        .problem(404, "not_found");
    let after = reads(&app).await;
    assert_eq!(after, (before.0, before.1 + 10));

    // Counts have the hits that were answered just before; management and the change log are the primary's.
    app.post(&format!("/v1/articles/{id}/hits"), json!({}))
        .await
        .ok(200);
    let counted = app.get(&format!("/v1/articles/{id}?include=hits")).await;
    assert_eq!(counted.ok(200)["hits"]["total"], 1);
    app.get("/v1/site").await.ok(200);
    // What stands around the counts is content.
    let after = (after.0, after.1 + 2);
    assert_eq!(reads(&app).await, (after.0 + 2, after.1));
    admin.get("/v1/admin/articles").await.ok(200);
    app.get("/v1/changes").await.ok(200);
    assert_eq!(reads(&app).await, (after.0 + 2, after.1));
}

async fn a_write_is_seen_at_once_while_the_replica_is_behind(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let replicated = Replicated::make(1);
    let here = replicated.node(&stage, &[]).await;
    let there = replicated.node(&stage, &[]).await;
    let admin = here.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    let (path, managed) = (
        format!("/v1/articles/{id}"),
        format!("/v1/admin/articles/{id}"),
    );
    replicated.caught_up().await;
    let replica = &replicated.replicas[0];
    replicated.used(&here.app.db, replica).await;
    replicated.pause(0).await;
    let before = reads(&here).await;
    for n in 0..5 {
        let title = format!("晨渡{n}");
        admin.patch(&managed, json!({"title": title})).await.ok(200);
        assert_eq!(here.get(&path).await.ok(200)["title"], title);
        let list = here.get("/v1/articles").await.ok(200);
        assert_eq!(list["data"][0]["title"], title);
    }
    let after = reads(&here).await;
    assert_eq!(after, (before.0 + 10, before.1));
    assert!(here.measure("lanmu_replica_behind_total").await > 0);
    // Another node hears of it; from then on it is all that it shows.
    for _ in 0..400 {
        if there.get(&path).await.ok(200)["title"] == "晨渡4" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    for limit in 1..10 {
        assert_eq!(there.get(&path).await.ok(200)["title"], "晨渡4");
        let list = there.get(&format!("/v1/articles?limit={limit}")).await;
        assert_eq!(list.ok(200)["data"][0]["title"], "晨渡4");
    }
    admin.act(&format!("{managed}/unpublish")).await.ok(200);
    here.get(&path).await.problem(404, "not_found");
    admin.act(&format!("{managed}/publish")).await.ok(200);
    here.get(&path).await.ok(200);

    replicated.resume(0);
    replicated.caught_up().await;
    replicated.used(&here.app.db, replica).await;
    let before = reads(&here).await;
    let list = here.get("/v1/articles?limit=7").await.ok(200);
    assert_eq!(list["data"][0]["title"], "晨渡4");
    assert_eq!(reads(&here).await, (before.0, before.1 + 1));
}

async fn nothing_goes_back_while_replicas_stop_and_go(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let replicated = Replicated::make(2);
    let settings = [("LANMU_WORKERS", "2")];
    let here = replicated.node(&stage, &settings).await;
    let there = replicated.node(&stage, &settings).await;
    let pages = Pages::make(&here, 3).await;
    let elsewhere = pages.through(&there);
    let weather = async {
        let numbers = Numbers::new(seed());
        while !pages.is_over() {
            let replica = numbers.pick(&[0, 1]);
            replicated.pause(replica).await;
            tokio::time::sleep(Duration::from_millis(numbers.below(200))).await;
            replicated.resume(replica);
            tokio::time::sleep(Duration::from_millis(numbers.below(200))).await;
        }
    };
    let crowd = join(pages.write_and_read(25, 4), elsewhere.read(4));
    join(crowd, weather).await;
    for app in [&here, &there] {
        assert!(reads(app).await.1 > 0, "a replica was used");
    }
    assert!(here.measure("lanmu_replica_behind_total").await > 0);
}

async fn what_one_replica_has_shown_no_other_forgets(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let replicated = Replicated::make(2);
    let writer = stage.on(&replicated.url, &[]).await;
    let admin = writer.admin();
    let port = admin.section("港口", json!({})).await;
    replicated.caught_up().await;
    let old = generation(&mut replicated.connect(0));
    replicated.pause(0).await;
    admin.article("晨渡", port, json!({})).await;
    let mut ahead = replicated.connect(1);
    let new = generation(&mut writer.connect());
    assert!(old < new);
    until("it follows", async || generation(&mut ahead) == new).await;

    let db = deaf(&replicated);
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(delivered(&db).await);
    }
    // The first is whichever's turn it was; once the new one was seen, it is all that is.
    assert!(
        seen.is_sorted() && seen[1..].iter().all(|seen| *seen == new),
        "{seen:?}"
    );
    assert_eq!(db.content().generation(), new);

    // So it is with what was read for others than delivery, from the primary.
    let db = deaf(&replicated);
    let managed = db.read(|conn| Ok::<_, ApiError>(content::generation(conn)?));
    assert_eq!(managed.await.expect("it answers"), new);
    for _ in 0..20 {
        assert_eq!(delivered(&db).await, new);
    }
}

async fn nothing_is_learned_of_what_is_not_committed(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let replicated = Replicated::make(1);
    let app = stage.on(&replicated.url, &[]).await;
    app.admin().section("港口", json!({})).await;
    let known = generation(&mut app.connect());
    replicated.caught_up().await;
    let db = deaf(&replicated);
    assert_eq!(delivered(&db).await, known);
    // Units that share a transaction: each tells what is known of the content while it runs.
    let held = app.hold_writers();
    let unit = |n: i64| {
        let content = db.content().clone();
        db.write(move |conn| {
            let sql = format!(
                "INSERT INTO changes (seq, resource, entity_id, op, at) \
                 VALUES ({}, 'article', {}, 'upsert', now())",
                known + n,
                1000 + n
            );
            diesel::sql_query(sql).execute(conn)?;
            content::note_added(Resource::Article, [1000 + n], known + n);
            let transaction = number(conn, "SELECT txid_current() AS number");
            Ok::<_, ApiError>((transaction, content.generation()))
        })
    };
    let reads = async {
        for _ in 0..20 {
            assert_eq!(delivered(&db).await, known);
            let read = db.read(|conn| Ok::<_, ApiError>(content::generation(conn)?));
            assert_eq!(read.await.expect("it answers"), known);
        }
        drop(held);
    };
    let (units, ()) = join(join_all((1..=4).map(unit)), reads).await;
    let units = units.into_iter().map(|unit| unit.expect("it is written"));
    let told: HashSet<(i64, i64)> = units.collect();
    let transactions: HashSet<i64> = told.iter().map(|(transaction, _)| *transaction).collect();
    // All of one transaction know what was there before it.
    assert_eq!(told.len(), transactions.len(), "{told:?}");
    assert!(told.iter().any(|(_, before)| *before == known), "{told:?}");
    assert_eq!(db.content().generation(), known + 4);
    assert_eq!(delivered(&db).await, known + 4);
}

async fn a_replica_that_does_not_answer_is_given_up(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let replicated = Replicated::make(1);
    let app = replicated.node(&stage, &[]).await;
    replicated.used(&app.app.db, &replicated.replicas[0]).await;
    let stuck = app.app.db.deliver(Source::Any, |conn, _| {
        diesel::sql_query("SELECT pg_sleep(20) WHERE pg_is_in_recovery()").execute(conn)?;
        Ok::<_, ApiError>(())
    });
    stuck.await.expect("the primary answers");
    let primary = replicated.primary.data();
    assert_eq!(place(&app.app.db).await, primary);
    // Left out, and used again some seconds later.
    replicated.used(&app.app.db, &replicated.replicas[0]).await;
}

async fn a_server_of_its_own_is_no_replica(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let replicated = Replicated::make(1);
    let app = replicated.node(&stage, &[]).await;
    app.admin().section("港口", json!({})).await;
    replicated.caught_up().await;
    replicated.used(&app.app.db, &replicated.replicas[0]).await;
    // What is promoted goes its own way, and is still connected.
    let mut other = replicated.connect(0);
    run(&mut other, "SELECT pg_promote()");
    run(&mut other, "UPDATE changes SET seq = seq + 1000");
    run(&mut other, "UPDATE sections SET name = '别处'");
    let primary = replicated.primary.data();
    for _ in 0..4 {
        assert_eq!(place(&app.app.db).await, primary);
    }
    let own = generation(&mut databases::connect(&replicated.url));
    assert_eq!(app.app.db.content().generation(), own);
    app.admin()
        .patch("/v1/admin/sections/1", json!({"name": "新港"}))
        .await
        .ok(200);
    assert_eq!(app.get("/v1/sections/1").await.ok(200)["name"], "新港");
}

facts![
    delivery_reads_from_replicas_in_turn,
    a_write_is_seen_at_once_while_the_replica_is_behind,
    nothing_goes_back_while_replicas_stop_and_go,
    what_one_replica_has_shown_no_other_forgets,
    nothing_is_learned_of_what_is_not_committed,
    a_replica_that_does_not_answer_is_given_up,
    a_server_of_its_own_is_no_replica,
];
