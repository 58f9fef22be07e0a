//! Varnish, which drops answers by key.

use std::net::Ipv4Addr;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use lanmu::db::schema::purge_urls;
use reqwest::Method;
use serde_json::json;

use super::{Proxy, Through, example, free_port, open_folder, program_named};
use crate::facts;
use crate::support::app::TestApp;
use crate::support::stage::Stage;

/// A node with Varnish in front of it.
async fn behind(stage: &Stage) -> (Rc<TestApp>, Proxy) {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let settings = [
        ("LANMU_CDN_KEYS", "surrogate-key"),
        ("LANMU_PURGE_URLS", &url),
        ("LANMU_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let app = stage.with(&settings).await;
    let folder = open_folder();
    let file = folder.path().join("lanmu.vcl");
    let own = format!("\"{}\"", app.address().port());
    std::fs::write(&file, example("lanmu.vcl", &[("\"8080\"", &own)])).expect("it is written");
    let mut command = Command::new(program_named("varnishd").expect("it is here"));
    command
        .args(["-F", "-j", "none", "-s", "malloc,16m", "-a"])
        .arg(format!("127.0.0.1:{port}"))
        .arg("-n")
        .arg(folder.path().join("work"))
        .arg("-f")
        .arg(&file);
    let varnish = Proxy::start(&mut command, port, folder).await;
    // What it is told first is to drop everything.
    for _ in 0..1000 {
        let sent: Vec<i64> = purge_urls::table
            .select(purge_urls::sent)
            .load(&mut app.connect())
            .expect("the row");
        if sent.iter().all(|sent| *sent >= 0) && !sent.is_empty() {
            return (app, varnish);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("Varnish takes no purge: {}", varnish.log());
}

/// Whether Varnish had it: it names two requests then, this one and the one that fetched it.
fn is_hit(through: &Through) -> bool {
    let ids = through.header("x-varnish").expect("Varnish answers");
    ids.split(' ').count() == 2
}

/// Asks until Varnish has it.
async fn keep(varnish: &Proxy, path: &str) {
    varnish.get(path).await;
    let again = varnish.get(path).await;
    assert!(is_hit(&again), "{path} is not kept: {:?}", again.headers);
    assert!(again.header("age").is_some());
    assert_eq!(again.header("surrogate-key"), None, "keys are no reader's");
}

async fn a_change_is_seen_through_varnish_and_all_else_stays(stage: Stage) {
    let (app, varnish) = behind(&stage).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let school = admin.section("学校", json!({})).await;
    let changed = admin.article("晨渡", port, json!({})).await;
    let other = admin.article("书屋", school, json!({})).await;
    super::super::listener::nothing_waits(&app).await;
    let (one, another) = (
        format!("/v1/articles/{changed}"),
        format!("/v1/articles/{other}"),
    );
    let (list, list_of_other) = (
        format!("/v1/articles?section={port}"),
        format!("/v1/articles?section={school}"),
    );
    let missing = "/v1/articles/ye-shi";
    for path in [
        &one,
        &another,
        &list,
        &list_of_other,
        missing,
        "/v1/sections/tree",
    ] {
        keep(&varnish, path).await;
    }
    let path = format!("/v1/admin{}", one.trim_start_matches("/v1"));
    admin.patch(&path, json!({"title": "夜渡"})).await.ok(200);
    let answered = Instant::now();
    while varnish.get(&one).await.ok().json["title"] != "夜渡" {
        // By itself it would be kept for a minute.
        assert!(
            answered.elapsed() < Duration::from_secs(5),
            "{}",
            varnish.log()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let listed = varnish.get(&list).await.ok();
    assert_eq!(listed.json["data"][0]["title"], "夜渡");
    for path in [&another, &list_of_other] {
        assert!(is_hit(&varnish.get(path).await.ok()), "{path}");
    }
    // What is new is in the lists, and where there was nothing.
    for path in [&list, missing, "/v1/sections/tree"] {
        keep(&varnish, path).await;
    }
    let new = json!({"slug": "ye-shi"});
    let id = admin.article("夜市", port, new).await;
    super::super::listener::nothing_waits(&app).await;
    let listed = varnish.get(&list).await.ok();
    assert_eq!(listed.json["data"][0]["id"], id);
    assert_eq!(varnish.get(missing).await.ok().json["id"], id);
    let tree = varnish.get("/v1/sections/tree").await.ok();
    assert_eq!(tree.json["data"][0]["article_count"], 2);
    assert!(is_hit(&varnish.get(&another).await.ok()));
}

async fn varnish_keeps_nothing_that_is_counted_or_managed(stage: Stage) {
    let (app, varnish) = behind(&stage).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    let hits = format!("/v1/articles/{id}/hits");
    for total in 1..=3 {
        let hit = varnish.request(Method::POST, &hits);
        let hit = hit.header("user-agent", format!("Mozilla/{total}.0"));
        assert_eq!(varnish.send(hit).await.ok().json["total"], total);
        assert_eq!(varnish.get(&hits).await.ok().json["total"], total);
    }
    let token = app.token().await;
    for _ in 0..2 {
        let managed = varnish.request(Method::GET, &format!("/v1/admin/articles/{id}"));
        let managed = varnish.send(managed.bearer_auth(&token)).await.ok();
        assert!(!is_hit(&managed));
    }
    assert_eq!(
        varnish
            .get(&format!("/v1/admin/articles/{id}"))
            .await
            .status,
        401
    );
    // Pages of the same host may have set some.
    let with_cookie = |value: &str| {
        let read = varnish.request(Method::GET, &format!("/v1/articles/{id}"));
        read.header("cookie", format!("theme={value}"))
    };
    varnish.send(with_cookie("dark")).await.ok();
    assert!(is_hit(&varnish.send(with_cookie("light")).await.ok()));
}

async fn varnish_takes_purges_from_the_service_alone(stage: Stage) {
    let (app, varnish) = behind(&stage).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    super::super::listener::nothing_waits(&app).await;
    let path = format!("/v1/articles/{id}");
    keep(&varnish, &path).await;
    let purge = Method::from_bytes(b"PURGE").expect("a method");
    let far = reqwest::Client::builder()
        .local_address(Some(Ipv4Addr::new(127, 0, 0, 2).into()))
        .build()
        .expect("a client");
    let from_far = far.request(purge.clone(), varnish.url("/"));
    let refused = varnish.send(from_far.header("surrogate-key", "all")).await;
    assert_eq!(refused.status, 405);
    for keys in ["", "article-1|all", "a\" || obj.status == 200", ".*"] {
        let bad = varnish
            .request(purge.clone(), "/")
            .header("surrogate-key", keys);
        assert_eq!(varnish.send(bad).await.status, 400, "{keys:?}");
    }
    let unknown = format!("article-{id}0 xarticle-{id} article-{id}-x list-99");
    let other = varnish
        .request(purge.clone(), "/")
        .header("surrogate-key", unknown);
    assert_eq!(varnish.send(other).await.status, 200);
    assert!(is_hit(&varnish.get(&path).await.ok()));
    for keys in [format!("list-99 article-{id}"), "all".to_owned()] {
        let own = varnish
            .request(purge.clone(), "/")
            .header("surrogate-key", &keys);
        assert_eq!(varnish.send(own).await.status, 200);
        assert!(!is_hit(&varnish.get(&path).await.ok()), "{keys}");
        keep(&varnish, &path).await;
    }
}

facts![
    a_change_is_seen_through_varnish_and_all_else_stays,
    varnish_keeps_nothing_that_is_counted_or_managed,
    varnish_takes_purges_from_the_service_alone,
];
