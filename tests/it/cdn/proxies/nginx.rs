//! nginx, which keeps answers as long as `Cache-Control` allows.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{Proxy, Through, example, free_port, open_folder, program_named};
use crate::facts;
use crate::support::app::TestApp;
use crate::support::cluster::is_root;
use crate::support::stage::Stage;

fn command(folder: &Path) -> Command {
    let mut command = Command::new(program_named("nginx").expect("it is here"));
    let mut more = format!("daemon off; pid {}/pid;", folder.display());
    if is_root() {
        more.push_str(" user root;");
    }
    command
        .arg("-p")
        .arg(folder)
        .args(["-e", "stderr", "-g", &more, "-c"]);
    command.arg(folder.join("nginx.conf"));
    command
}

/// A node with nginx in front of it.
async fn behind(stage: &Stage, settings: &[(&str, &str)]) -> (Rc<TestApp>, Proxy) {
    let mut all = vec![
        ("LANMU_CDN_KEYS", "surrogate-key"),
        ("LANMU_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    all.extend(settings);
    let (app, port, folder) = (stage.with(&all).await, free_port(), open_folder());
    let place = folder.path().display().to_string();
    let text = example(
        "nginx.conf",
        &[
            (
                "listen 80;",
                &format!("listen 127.0.0.1:{port}; access_log off;"),
            ),
            ("127.0.0.1:8080", &app.address().to_string()),
            ("/var/cache/nginx/lanmu", &format!("{place}/cache")),
        ],
    );
    std::fs::write(folder.path().join("nginx.conf"), text).expect("it is written");
    let tested = command(folder.path()).arg("-t").output().expect("it runs");
    let said = String::from_utf8_lossy(&tested.stderr).into_owned();
    assert!(tested.status.success(), "{said}");
    assert!(!said.contains("warn"), "{said}");
    let nginx = Proxy::start(&mut command(folder.path()), port, folder).await;
    (app, nginx)
}

fn cached(through: &Through) -> &str {
    through.header("x-cache-status").unwrap_or("none")
}

async fn nginx_keeps_what_it_may(stage: Stage) {
    let (app, nginx) = behind(&stage, &[]).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    let paths = [
        format!("/v1/articles/{id}"),
        format!("/v1/articles?section={port}"),
        "/v1/sections/tree".to_owned(),
        "/v1/articles/none".to_owned(),
    ];
    for path in &paths {
        let first = nginx.get(path).await;
        let again = nginx.get(path).await;
        assert_eq!((cached(&first), cached(&again)), ("MISS", "HIT"), "{path}");
        assert_eq!(first.json["data"], again.json["data"]);
        for name in ["surrogate-key", "ratelimit"] {
            assert_eq!(again.header(name), None, "{path}: {name}");
        }
    }
    // Each coding is an answer of its own, and no more than that of each browser.
    let zipped = |accepted: &'static str| {
        let read = nginx.request(Method::GET, &paths[2]);
        nginx.send(read.header("accept-encoding", accepted))
    };
    assert_eq!(cached(&zipped("gzip, deflate").await), "MISS");
    assert_eq!(cached(&zipped("deflate, gzip;q=1").await), "HIT");
    let hits = format!("/v1/articles/{id}/hits");
    for total in 1..=3 {
        let hit = nginx
            .request(Method::POST, &hits)
            .header("user-agent", format!("Mozilla/{total}.0"));
        assert_eq!(nginx.send(hit).await.ok().json["total"], total);
        let read = nginx.get(&hits).await.ok();
        assert_ne!(cached(&read), "HIT");
        assert_eq!(read.json["total"], total);
    }
    let token = app.token().await;
    for _ in 0..2 {
        let managed = nginx.request(Method::GET, "/v1/admin/articles");
        let managed = nginx.send(managed.bearer_auth(&token)).await.ok();
        assert_eq!(cached(&managed), "none");
    }
    assert_eq!(nginx.get("/v1/admin/articles").await.status, 401);
}

async fn nginx_fetches_anew_what_is_stale_while_it_is_sent(stage: Stage) {
    let (app, nginx) = behind(&stage, &[("LANMU_CACHE_ARTICLE", "1,1,60")]).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    let path = format!("/v1/articles/{id}");
    nginx.get(&path).await.ok();
    let managed = format!("/v1/admin/articles/{id}");
    admin
        .patch(&managed, json!({"title": "夜渡"}))
        .await
        .ok(200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let stale = nginx.get(&path).await.ok();
    assert_eq!(
        (cached(&stale), &stale.json["title"]),
        ("STALE", &json!("晨渡"))
    );
    for _ in 0..100 {
        let again = nginx.get(&path).await.ok();
        if cached(&again) == "HIT" {
            assert_eq!(again.json["title"], "夜渡");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was not fetched: {}", nginx.log());
}

facts![
    nginx_keeps_what_it_may,
    nginx_fetches_anew_what_is_stale_while_it_is_sent,
];
