//! Answers are kept, and never longer than they are right.

pub mod coherence;

use std::time::Duration;

use futures_util::future::join_all;
use lanmu::error::ApiError;
use reqwest::Method;
use serde_json::json;

use crate::facts;
use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Stage;

/// How many reads found their answer, and how many had it made.
async fn counted(app: &TestApp) -> (u64, u64) {
    (
        app.measure("lanmu_cache_hits_total").await,
        app.measure("lanmu_cache_misses_total").await,
    )
}

async fn an_answer_is_made_once_and_sent_alike(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let body = "渡口明日恢复通航。".repeat(200);
    let id = admin
        .article(
            "晨渡",
            port,
            json!({"body": {"format": "text", "content": body}}),
        )
        .await;
    let path = format!("/v1/articles/{id}");
    for coding in ["identity", "gzip", "br"] {
        let get = || {
            app.request(Method::GET, &path)
                .header("accept-encoding", coding)
        };
        let first = get().send().await.ok(200);
        let (hits, misses) = counted(&app).await;
        let again = get().send().await.ok(200);
        assert_eq!(counted(&app).await, (hits + 1, misses), "{coding}");
        assert_eq!(first.body, again.body, "{coding}");
        for name in [
            "etag",
            "cache-control",
            "vary",
            "last-modified",
            "content-type",
            "content-encoding",
            "content-security-policy",
            "access-control-allow-origin",
            "ratelimit-policy",
        ] {
            assert_eq!(first.header(name), again.header(name), "{coding}: {name}");
        }
        assert!(again.header("ratelimit").is_some(), "{coding}");
        let tag = again.header("etag").expect("a tag").to_owned();
        let known = get().header("if-none-match", &tag).send().await.ok(304);
        assert_eq!(known.header("etag"), Some(tag.as_str()));
        assert_eq!(known.header("content-type"), None);
    }
    let head = app.request(Method::HEAD, &path).send().await.ok(200);
    assert!(head.body.is_empty() && head.header("etag").is_some());
}

async fn requests_that_mean_the_same_have_one_answer(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    admin.article("晨渡", port, json!({"tags": ["海洋"]})).await;
    let spelled = [
        "/v1/articles?tag=%E6%B5%B7%E6%B4%8B&include=body",
        "/v1/articles?include=body&tag=%e6%b5%b7%e6%b4%8b",
        "/v1/articles?include=body&tag=海洋",
        "/v1/articles?page=1&limit=20&tag=海洋&include=body&count=exact",
        "/v1/articles?sort=-published_at&tag=海洋&subsections=true&include=body,body",
        "/v1/%61rticles?limit=020&tag=+海洋&include=body",
    ];
    let (_, before) = counted(&app).await;
    let first = app.get(spelled[0]).await.ok(200);
    for path in spelled {
        let again = app.get(path).await.ok(200);
        assert_eq!(again.body, first.body, "{path}");
        assert_eq!(again.header("link"), first.header("link"), "{path}");
    }
    let (_, after) = counted(&app).await;
    assert_eq!(after, before + 1);
    for path in [
        "/v1/articles?tag=海洋",
        "/v1/articles?tag=海洋&include=body&limit=21",
    ] {
        assert_ne!(app.get(path).await.ok(200).body, first.body, "{path}");
    }
}

async fn no_path_is_taken_for_another_s_with_a_query(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    for (odd, real) in [
        (
            format!("/v1/articles/{id}%3Flimit=5"),
            format!("/v1/articles/{id}?limit=5"),
        ),
        (
            format!("/v1/sections/{port}%3F"),
            format!("/v1/sections/{port}?"),
        ),
    ] {
        app.get(&odd).await.problem(404, "not_found");
        let status = app.get(&real).await.status;
        assert_ne!(status, 404, "{real}");
    }
}

async fn a_write_is_seen_by_the_next_read(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    let (one, managed) = (
        format!("/v1/articles/{id}"),
        format!("/v1/admin/articles/{id}"),
    );
    let lists = [
        "/v1/articles",
        "/v1/articles?section=1",
        "/v1/sections/tree",
    ];
    app.get("/v1/articles/chen-du-wan")
        .await
        .problem(404, "not_found");
    for n in 0..20 {
        let title = format!("晨渡{n}");
        admin.patch(&managed, json!({"title": title})).await.ok(200);
        let read = app.get(&one).await.ok(200).resource();
        assert_eq!(read["title"], json!(title));
        for path in lists {
            app.get(path).await.ok(200);
        }
        let listed = app.get("/v1/articles").await.ok(200).resource();
        assert_eq!(listed["data"][0]["title"], json!(title));
    }
    admin
        .patch(&managed, json!({"slug": "chen-du-wan"}))
        .await
        .ok(200);
    app.get("/v1/articles/chen-du-wan").await.ok(200);
    admin.act(&format!("{managed}/unpublish")).await.ok(200);
    app.get(&one).await.problem(404, "not_found");
    admin.act(&format!("{managed}/publish")).await.ok(200);
    app.get(&one).await.ok(200);
}

async fn what_writes_nothing_drops_nothing(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    let path = format!("/v1/articles/{id}");
    app.get(&path).await.ok(200);
    let (_, before) = counted(&app).await;
    let managed = format!("/v1/admin/articles/{id}");
    admin
        .patch(&format!("{managed}?dry_run=true"), json!({"title": "夜渡"}))
        .await
        .ok(200);
    app.post(&format!("{path}/hits"), json!({})).await.ok(200);
    app.fold().await;
    app.forget_token();
    admin.get(&managed).await.ok(200);
    app.get(&path).await.ok(200);
    assert_eq!(counted(&app).await.1, before);
}

async fn an_article_s_answer_outlives_the_changes_of_others(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    let other = admin.article("夜渡", port, json!({})).await;
    let path = format!("/v1/articles/{id}");
    let first = app.get(&path).await.ok(200);
    for n in 0..3 {
        let title = json!({"title": format!("夜渡{n}")});
        let managed = format!("/v1/admin/articles/{other}");
        admin.patch(&managed, title).await.ok(200);
        admin.article("又一篇", port, json!({})).await;
        let (hits, misses) = counted(&app).await;
        assert_eq!(app.get(&path).await.ok(200).body, first.body);
        assert_eq!(counted(&app).await, (hits + 1, misses));
    }
    // What it shows of the tree.
    let renamed = json!({"name": "渔港"});
    let managed = format!("/v1/admin/sections/{port}");
    admin.patch(&managed, renamed).await.ok(200);
    let read = app.get(&path).await.ok(200);
    assert_eq!(read["section"]["name"], "渔港");
    admin
        .patch(&managed, json!({"visible": false}))
        .await
        .ok(200);
    app.get(&path).await.problem(404, "not_found");
}

async fn an_article_s_answer_ends_when_it_expires_and_with_no_other(stage: Stage) {
    let app = stage.app().await;
    app.set_clock("2026-01-31T04:00:00Z");
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let soon = json!({"expires_at": "2026-01-31T04:00:10Z"});
    let ending = admin.article("晨渡", port, soon).await;
    let staying = admin.article("夜渡", port, json!({})).await;
    let lasts = |answer: &Answer| answer.header("cache-control").map(str::to_owned);
    let get = |id: i64| {
        let path = format!("/v1/articles/{id}");
        let app = &app;
        async move { app.get(&path).await }
    };
    let told = lasts(&get(ending).await.ok(200)).expect("a header");
    assert!(told.contains("max-age=10, s-maxage=10"), "{told}");
    let told = lasts(&get(staying).await.ok(200)).expect("a header");
    assert!(told.contains("max-age=30, s-maxage=60"), "{told}");
    app.set_clock("2026-01-31T04:00:10Z");
    get(ending).await.problem(404, "not_found");
    let (hits, misses) = counted(&app).await;
    get(staying).await.ok(200);
    assert_eq!(counted(&app).await, (hits + 1, misses));
}

async fn counts_are_put_into_what_is_kept(stage: Stage) {
    let app = stage.with(&[("LANMU_HIT_WINDOW", "0")]).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    // What stands for a count in a body that is kept, as a title.
    let title = "\"hits\":{\"$count_of\":1}";
    let id = admin.article(title, port, json!({})).await;
    let paths = [
        format!("/v1/articles/{id}?include=hits"),
        "/v1/articles?include=body,hits".to_owned(),
        "/v1/site".to_owned(),
    ];
    for path in &paths {
        app.get(path).await.ok(200);
    }
    let (_, before) = counted(&app).await;
    let mut last = Vec::new();
    for n in 1..=3 {
        app.post(&format!("/v1/articles/{id}/hits"), json!({}))
            .await
            .ok(200);
        let [one, list, site] = [
            app.get(&paths[0]).await.ok(200),
            app.get(&paths[1]).await.ok(200),
            app.get(&paths[2]).await.ok(200),
        ];
        assert_eq!(one["hits"]["total"], n);
        assert_eq!(one["hits"]["article_id"], id);
        assert_eq!(list["data"][0]["hits"], one["hits"]);
        assert_eq!(site["hit_count"], n);
        assert_eq!(one["title"], title);
        assert_eq!(list["data"][0]["title"], title);
        let tags: Vec<Option<String>> = [&one, &list, &site]
            .iter()
            .map(|answer| answer.header("etag").map(str::to_owned))
            .collect();
        assert_ne!(tags, last);
        last = tags;
        let again = app.request(Method::GET, &paths[0]);
        let tag = last[0].clone().expect("a tag");
        again.header("if-none-match", &tag).send().await.ok(304);
    }
    assert_eq!(counted(&app).await.1, before);
}

async fn where_too_many_wait_one_more_is_refused_at_once(stage: Stage) {
    let settings = [
        ("LANMU_DB_QUEUE", "10"),
        ("LANMU_DB_CONNECTIONS", "1"),
        ("LANMU_DB_WAIT_MS", "60000"),
    ];
    let app = stage.with(&settings).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    admin.article("晨渡", port, json!({})).await;
    app.get("/v1/articles").await.ok(200);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = tokio::sync::oneshot::channel();
    let holding = app.app.db.clone();
    let holding = actix_web::rt::spawn(async move {
        let hold = holding.read(move |_| {
            begin.send(()).expect("the test waits");
            held.recv().ok();
            Ok::<_, ApiError>(())
        });
        hold.await.expect("it is held");
    });
    begun.await.expect("it has begun");
    let patient = app.app.patient().db;
    let own =
        actix_web::rt::spawn(async move { patient.read(|_| Ok::<_, ApiError>(())).await.is_ok() });
    let ask = (1..=15).map(|limit| {
        let path = format!("/v1/articles?limit={limit}");
        let request = app.request(Method::GET, &path).expecting_failure();
        async move { request.send().await }
    });
    let look_on = async {
        while app.measure("lanmu_db_refused_total").await < 5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // What is kept needs no connection.
        app.get("/v1/articles").await.ok(200);
        release.send(()).expect("it is held");
    };
    let (answers, ()) = futures_util::future::join(join_all(ask), look_on).await;
    let refused = answers.iter().filter(|answer| answer.status == 503);
    assert!(refused.clone().count() >= 5);
    for answer in refused {
        assert!(answer.header("retry-after").is_some(), "{answer}");
    }
    let served = answers.iter().filter(|answer| answer.status == 200);
    assert!(served.count() >= 1);
    assert!(own.await.expect("it waits"), "the service's own work");
    holding.await.expect("it is held");
}

async fn time_alone_ends_an_answer(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let later = json!({"publish": {"published_at": "2026-01-31T05:00:00Z"}});
    let id = admin.draft("晨渡", port, later).await;
    let path = format!("/v1/articles/{id}");
    app.get(&path).await.problem(404, "not_found");
    assert_eq!(app.get("/v1/articles").await.ok(200).ids(), [0_i64; 0]);
    app.set_clock("2026-01-31T04:59:59.999Z");
    app.get(&path).await.problem(404, "not_found");
    app.set_clock("2026-01-31T05:00:00Z");
    app.get(&path).await.ok(200);
    assert_eq!(app.get("/v1/articles").await.ok(200).ids(), [id]);
    // A clock that is put back.
    app.set_clock("2026-01-31T04:30:00Z");
    app.get(&path).await.problem(404, "not_found");
}

async fn it_can_be_turned_off(stage: Stage) {
    let app = stage.with(&[("LANMU_CACHE_MB", "0")]).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let path = format!("/v1/sections/{port}");
    let first = app.get(&path).await.ok(200);
    let again = app.get(&path).await.ok(200);
    assert_eq!(first.header("etag"), again.header("etag"));
    assert_eq!(counted(&app).await, (0, 0));
}

async fn another_node_learns_of_a_write(stage: Stage) {
    let (here, there) = (stage.app().await, stage.app().await);
    let admin = here.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", port, json!({})).await;
    let path = format!("/v1/articles/{id}");
    for n in 0..5 {
        let title = format!("晨渡{n}");
        admin
            .patch(&format!("/v1/admin/articles/{id}"), json!({"title": title}))
            .await
            .ok(200);
        let mut read = there.get(&path).await.json;
        for _ in 0..200 {
            if read["title"] == json!(title) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
            read = there.get(&path).await.json;
        }
        assert_eq!(read["title"], json!(title));
    }
}

facts![
    an_answer_is_made_once_and_sent_alike,
    requests_that_mean_the_same_have_one_answer,
    no_path_is_taken_for_another_s_with_a_query,
    a_write_is_seen_by_the_next_read,
    what_writes_nothing_drops_nothing,
    an_article_s_answer_outlives_the_changes_of_others,
    an_article_s_answer_ends_when_it_expires_and_with_no_other,
    counts_are_put_into_what_is_kept,
    where_too_many_wait_one_more_is_refused_at_once,
    time_alone_ends_an_answer,
    it_can_be_turned_off,
    another_node_learns_of_a_write,
];
