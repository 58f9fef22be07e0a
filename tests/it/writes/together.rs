//! Writes that come all at once, and so share transactions.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use super::ARTICLES;
use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::people::KEYS;
use crate::support::replicated::generation;
use crate::support::stage::Stage;

async fn waiting(app: &TestApp) -> usize {
    let metrics = app.get("/metrics").await.ok(200).text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("lanmu_db_waiting "));
    line.map_or(0, |number| number.parse().expect("a number"))
}

/// Sends these while nobody may write, lets all of them wait, and then go on: they share a transaction.
async fn at_once(app: &TestApp, requests: Vec<(Method, String, Value)>) -> Vec<Answer> {
    let held = app.hold_writers();
    let number = requests.len();
    let writes = requests.into_iter().map(async |(method, path, body)| {
        let request = app.admin().request(method.clone(), &path).await;
        match method {
            Method::PATCH => request.header("if-match", "\"1\"").json(&body).send().await,
            _ => request.json(&body).send().await,
        }
    });
    let release = async {
        // Whoever is being looked up may wait, too.
        let mut in_line = [0, 0];
        for _ in 0..1000 {
            in_line = [in_line[1], waiting(app).await];
            if in_line == [number - 1; 2] {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(in_line, [number - 1; 2]);
        drop(held);
    };
    let (answers, ()) = join(join_all(writes), release).await;
    assert_eq!(waiting(app).await, 0);
    answers
}

async fn those_that_come_at_once_are_kept_or_refused_each_by_itself(stage: Stage) {
    let app = stage.with(&[("LANMU_DB_WAIT_MS", "60000")]).await;
    let port = app.admin().section("港口", json!({})).await;
    let before = app.get("/v1/changes").await.ok(200).json["data"]
        .as_array()
        .map_or(0, Vec::len);
    let creates = (0..12).map(|n| {
        let slug = format!("ferry-{}", n / 2);
        let section = if n == 10 { port + 1 } else { port };
        let body = json!({"format": "html", "content": "<p>开航</p>"});
        let create = json!({
            "title": format!("渡轮{n}"), "slug": slug, "section_id": section,
            "body": body, "publish": {}
        });
        (Method::POST, ARTICLES.to_owned(), create)
    });
    let answers = at_once(&app, creates.collect()).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let of = |status| statuses.iter().filter(|is| **is == status).count();
    // Of each two with one slug the first is made, but one names a section that there is not.
    assert_eq!((of(201), of(409), of(422)), (6, 5, 1), "{statuses:?}");
    let mut ids: Vec<i64> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json["id"].as_i64().expect("an id"))
        .collect();
    ids.sort_unstable();
    // What was refused has taken nothing, no number of an article and none of the change log.
    let listed = app.get("/v1/articles?sort=published_at").await.ok(200);
    assert_eq!(listed.json["data"].as_array().map(Vec::len), Some(6));
    let changes = app.get("/v1/changes").await.ok(200).json;
    let changes = changes["data"].as_array().expect("a list");
    assert_eq!(changes.len(), before + 6);
    let audit = app
        .admin()
        .get("/v1/admin/audit?event=article.created")
        .await
        .ok(200);
    assert_eq!(audit.json["data"].as_array().map(Vec::len), Some(6));
    for id in ids {
        app.get(&format!("/v1/articles/{id}")).await.ok(200);
    }
}

/// All that the service tells of an article, but for what each has of its own.
async fn told(app: &TestApp, id: i64) -> Vec<Value> {
    let paths = [
        format!("/v1/admin/articles/{id}"),
        format!("/v1/admin/articles/{id}/revisions"),
        format!("/v1/admin/articles/{id}/revisions/1"),
        format!("/v1/admin/audit?resource=article&resource_id={id}"),
        format!("/v1/articles/{id}"),
    ];
    let mut told = Vec::new();
    for path in paths {
        let mut json = app.admin().get(&path).await.ok(200).json;
        without_own(&mut json);
        told.push(json);
    }
    told
}

fn without_own(json: &mut Value) {
    const OWN: [&str; 13] = [
        "id",
        "links",
        "slug",
        "url",
        "created_at",
        "updated_at",
        "published_at",
        "at",
        "request_id",
        "resource_id",
        "external_id",
        "next",
        "prev",
    ];
    match json {
        Value::Object(members) => {
            members.retain(|name, _| !OWN.contains(&name.as_str()));
            let is_own = members.get("member").and_then(Value::as_str);
            if is_own.is_some_and(|member| OWN.contains(&member)) {
                members.remove("after");
            }
            members.values_mut().for_each(without_own);
        }
        Value::Array(items) => items.iter_mut().for_each(without_own),
        _ => {}
    }
}

async fn what_is_made_together_is_what_is_made_alone(stage: Stage) {
    let app = stage.with(&[("LANMU_DB_WAIT_MS", "60000")]).await;
    let port = app.admin().section("港口", json!({})).await;
    let pier = app
        .admin()
        .section("码头", json!({"parent_id": port}))
        .await;
    let news = app.admin().section("要闻", json!({})).await;
    let other = app.admin().article("汽笛", port, json!({})).await;
    let create = |external: &str, related: i64| {
        let body = json!({
            "title": "夜航", "section_id": pier, "also_in": [news], "related": [related],
            "tags": ["夜", "船"], "keywords": ["灯塔"], "external_id": external,
            "legacy_urls": ["https://old.example/1.html"], "summary": "灯塔之下",
            "body": {"format": "html", "content": "<p>启航</p>"}, "publish": {}, "note": "初稿"
        });
        (Method::POST, ARTICLES.to_owned(), body)
    };
    let (_, path, body) = create("alone", other);
    let alone = app.admin().post(&path, body).await.ok(201).json;
    let alone = alone["id"].as_i64().expect("an id");
    // The next one's id: what it is related to is made in the same transaction.
    let first = alone + 1;
    let rename = json!({"title": "雾笛"});
    let section = json!({"name": "航道"});
    let answers = at_once(
        &app,
        vec![
            create("a", other),
            create("a", other),
            create("b", first),
            create("c", first + 100),
            (Method::PATCH, format!("{ARTICLES}/{other}"), rename),
            create("d", other),
            (Method::POST, "/v1/admin/sections".to_owned(), section),
            create("e", other),
        ],
    )
    .await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    // They may have come in another order; which of the first two was refused is open with it.
    let of = |status| statuses.iter().filter(|is| **is == status).count();
    assert_eq!(of(200), 1, "{statuses:?}");
    assert_eq!(of(409), 1, "{statuses:?}");
    assert_eq!(of(201) + of(422), 6, "{statuses:?}");
    assert_eq!(answers[3].status, 422, "{statuses:?}");
    let as_alone = told(&app, alone).await;
    let mut slugs = std::collections::BTreeSet::new();
    for answer in answers.iter().filter(|answer| answer.status == 201) {
        if answer.json["title"] != "夜航" || answer.json["related"] != json!([other]) {
            continue;
        }
        let id = answer.json["id"].as_i64().expect("an id");
        assert!(slugs.insert(answer.json["slug"].to_string()));
        for (told, alone) in told(&app, id).await.iter().zip(&as_alone) {
            assert_eq!(told, alone, "{told}\n{alone}");
        }
    }
    assert_eq!(slugs.len(), 3);
    // Lists and their totals, tags and the change log have all of them.
    let made = of(201) - 1;
    for (path, listed) in [
        (format!("/v1/articles?section={pier}"), made + 1),
        (format!("/v1/articles?section={news}"), made + 1),
        ("/v1/articles".to_owned(), made + 2),
        ("/v1/articles?tag=船".to_owned(), made + 1),
    ] {
        let list = app.get(&path).await.ok(200).json;
        assert_eq!(
            list["data"].as_array().map(Vec::len),
            Some(listed),
            "{path}"
        );
        assert_eq!(list["page"]["total"], json!(listed), "{path}");
    }
    let changes = app.get("/v1/changes?resources=article").await.ok(200).json;
    assert_eq!(changes["data"].as_array().map(Vec::len), Some(made + 2));
}

async fn a_part_that_is_undone_leaves_nothing_to_learn(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let expiring = json!({"expires_at": "2026-01-31T05:00:00Z"});
    let over = admin.article("早班", port, expiring).await;
    let other = admin.article("晚班", port, json!({})).await;
    app.set_clock("2026-01-31T06:00:00Z");
    let path = format!("/v1/articles/{other}");
    let managed = format!("{ARTICLES}/{other}");
    app.get(&path).await.ok(200);
    for title in ["夜班", "末班"] {
        // What time has made of it is written down first, and undone with what is refused then.
        let bulk = json!({"action": "move", "ids": [over, other], "section_id": port + 9});
        let done = admin.post(&format!("{ARTICLES}/bulk"), bulk).await.ok(200);
        assert_eq!(done["failed"], 2, "{}", done.text());
        let known = app.app.db.content().generation();
        assert_eq!(known, generation(&mut app.connect()));
        admin.patch(&managed, json!({"title": title})).await.ok(200);
        assert_eq!(app.get(&path).await.ok(200)["title"], title);
    }
}

async fn whoever_loses_access_creates_nothing_more(stage: Stage) {
    let app = stage.with(&[("LANMU_DB_WAIT_MS", "60000")]).await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let (id, key) = app
        .api_key(&["content:read", "content:write"], json!({}))
        .await;
    let revoke = format!("{KEYS}/{id}");
    // Its use is noted once a minute: that is a write, too.
    app.get_with(&key, ARTICLES).await.ok(200);
    let (app, admin, key, revoke) = (&app, &admin, &key, &revoke);
    let create = async |title: &str| {
        let body = json!({"title": title, "section_id": port});
        let request = app.with(key, Method::POST, ARTICLES);
        request.json(&body).send().await.status
    };
    let held = app.hold_writers();
    // One after the other, so that they stand in the line in this order.
    let behind = async |number: usize| {
        for _ in 0..1000 {
            if waiting(app).await >= number {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{number} are to wait");
    };
    let first = join(create("一"), create("二"));
    let then = async {
        behind(1).await;
        join(async { admin.delete(revoke).await.status }, async {
            behind(2).await;
            join(create("三"), async {
                behind(3).await;
                drop(held);
            })
            .await
            .0
        })
        .await
    };
    let (first, then) = join(first, then).await;
    assert_eq!((first, then), ((201, 201), (204, 401)));
    let list = admin.get(ARTICLES).await.ok(200);
    assert_eq!(list["page"]["total"], 2);
}

async fn many_that_come_at_once_are_all_written(stage: Stage) {
    let app = stage.with(&[("LANMU_DB_WAIT_MS", "60000")]).await;
    let port = app.admin().section("港口", json!({})).await;
    let pier = app
        .admin()
        .section("码头", json!({"parent_id": port}))
        .await;
    let create = |n: usize| {
        let body = json!({
            "title": "同名", "section_id": pier, "tags": ["船", "夜"], "publish": {},
            "body": {"format": "text", "content": "开航"}, "external_id": format!("ext-{n}")
        });
        (Method::POST, ARTICLES.to_owned(), body)
    };
    let number = 40;
    let answers = at_once(&app, (0..number).map(create).collect()).await;
    let mut ids: Vec<i64> = answers
        .iter()
        .map(|answer| answer.json["id"].as_i64().expect("an id"))
        .collect();
    ids.sort_unstable();
    // No id and no slug is passed over, and each is the one that its author was told.
    let first = ids[0];
    assert_eq!(ids, (first..).take(number).collect::<Vec<_>>());
    let mut slugs = std::collections::BTreeSet::new();
    for answer in &answers {
        let stored = app
            .get(&format!("/v1/articles/{}", answer.json["id"]))
            .await;
        assert_eq!(stored.ok(200)["slug"], answer.json["slug"]);
        slugs.insert(answer.json["slug"].to_string());
    }
    assert_eq!(slugs.len(), number);
    assert!(slugs.contains("\"tong-ming-40\""), "{slugs:?}");
    let list = app
        .get(&format!("/v1/articles?section={port}"))
        .await
        .ok(200);
    assert_eq!(list["page"]["total"], number);
    // The next one goes on behind them.
    let next = app.admin().article("又一", pier, json!({})).await;
    assert_eq!(next, first + i64::try_from(number).expect("few"));
}

crate::facts![
    a_part_that_is_undone_leaves_nothing_to_learn,
    whoever_loses_access_creates_nothing_more,
    many_that_come_at_once_are_all_written,
    those_that_come_at_once_are_kept_or_refused_each_by_itself,
    what_is_made_together_is_what_is_made_alone,
];
