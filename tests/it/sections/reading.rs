//! Sections as readers get them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::stage::Stage;

use super::{
    Harbour, SECTIONS, article_count, create, delete, harbour, patch, path, read, shown, texts,
};

async fn the_tree_stands_in_order(stage: Stage) {
    let app = stage.app().await;
    harbour(&app).await;
    assert_eq!(
        shown(&app).await,
        [
            "news",
            "news/town",
            "news/town/pier",
            "news/fleet",
            "notices"
        ]
    );
    let list = app.get("/v1/sections").await.ok(200);
    assert_eq!(list.each("depth"), [0, 1, 2, 1, 0]);
    assert_eq!(list.each("position"), [0, 0, 0, 1, 1]);
    let tree = app.get("/v1/sections/tree").await.ok(200);
    let mut node = tree["data"][0]["children"][1].clone();
    node.as_object_mut().expect("a node").remove("children");
    assert_eq!(node, list["data"][3]);
}

async fn a_section_is_read_by_id_and_by_slug(stage: Stage) {
    let app = stage.app().await;
    let id = app.admin().section("要闻", json!({"slug": "news"})).await;
    assert_eq!(
        read(&app, id).await.json,
        app.get("/v1/sections/news").await.ok(200).json
    );
    for missing in [
        "987654",
        "no-such",
        "0",
        "-1",
        "News",
        "99999999999999999999",
    ] {
        app.get(&format!("/v1/sections/{missing}"))
            .await
            .problem(404, "not_found");
        app.admin()
            .get(&format!("{SECTIONS}/{missing}"))
            .await
            .problem(404, "not_found");
    }
    app.admin()
        .get(&format!("{SECTIONS}/news"))
        .await
        .problem(404, "not_found");
}

async fn the_breadcrumb_begins_at_the_home_of_the_setting(stage: Stage) {
    let app = stage.with(&[("LANMU_HOME_NAME", "港口门户")]).await;
    let Harbour {
        news, town, pier, ..
    } = harbour(&app).await;
    let expected = json!([
        {"id": null, "slug": null, "name": "港口门户", "path": ""},
        {"id": news, "slug": "news", "name": "要闻", "path": "news"},
        {"id": town, "slug": "town", "name": "镇里", "path": "news/town"},
        {"id": pier, "slug": "pier", "name": "码头", "path": "news/town/pier"}
    ]);
    assert_eq!(read(&app, pier).await["breadcrumb"], expected);
    let article = app.admin().article("晨渡", pier, json!({})).await;
    let article = app.get(&format!("/v1/articles/{article}")).await.ok(200);
    assert_eq!(article["breadcrumb"], expected);
    assert_eq!(app.get("/v1/site").await["home_name"], "港口门户");
}

async fn an_article_counts_once_in_each_section_above_it(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let h = harbour(&app).await;
    admin
        .article(
            "晨渡",
            h.pier,
            json!({"also_in": [h.fleet, h.town, h.notices]}),
        )
        .await;
    admin.article("夜渡", h.town, json!({})).await;
    admin.draft("草稿", h.town, json!({})).await;
    for (id, count) in [
        (h.news, 2),
        (h.town, 2),
        (h.pier, 1),
        (h.fleet, 1),
        (h.notices, 1),
    ] {
        assert_eq!(article_count(&app, id).await, count, "{id}");
    }
    let list = app.get("/v1/sections").await.ok(200);
    assert_eq!(list.each("article_count"), [2, 2, 1, 1, 1]);
    assert_eq!(app.get("/v1/site").await["article_count"], 2);
    assert_eq!(app.get("/v1/site").await["section_count"], 5);
}

async fn a_section_tells_its_newest_date_and_children(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let h = harbour(&app).await;
    for (section, at) in [
        (h.pier, "2025-12-01T00:00:00Z"),
        (h.fleet, "2025-11-01T00:00:00Z"),
        (h.fleet, "2026-03-01T00:00:00Z"),
    ] {
        admin
            .article("晨渡", section, json!({"publish": {"published_at": at}}))
            .await;
    }
    for (id, newest, has_children) in [
        (h.news, json!("2025-12-01T00:00:00Z"), true),
        (h.pier, json!("2025-12-01T00:00:00Z"), false),
        (h.fleet, json!("2025-11-01T00:00:00Z"), false),
        (h.notices, Value::Null, false),
    ] {
        let section = read(&app, id).await;
        assert_eq!(section["last_published_at"], newest);
        assert_eq!(section["has_children"], has_children);
    }
    patch(&app, h.pier, json!({"visible": false})).await.ok(200);
    assert_eq!(read(&app, h.town).await["has_children"], false);
}

async fn a_list_of_sections_is_filtered_by_parent_and_depth(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    for (query, slugs) in [
        (format!("parent={}", h.news), &["town", "fleet"][..]),
        ("parent=news".to_owned(), &["town", "fleet"]),
        ("parent=notices".to_owned(), &[]),
        ("depth=0".to_owned(), &["news", "notices"]),
        ("depth=1".to_owned(), &["town", "fleet"]),
        ("depth=2".to_owned(), &["pier"]),
        ("depth=3".to_owned(), &[]),
        ("parent=town&depth=2".to_owned(), &["pier"]),
        ("parent=town&depth=1".to_owned(), &[]),
    ] {
        let list = app.get(&format!("/v1/sections?{query}")).await.ok(200);
        assert_eq!(texts(&list, "slug"), slugs, "{query}");
        assert_eq!(list["page"]["total"], slugs.len());
        let managed = app.admin().get(&format!("{SECTIONS}?{query}")).await;
        assert_eq!(texts(&managed.ok(200), "slug"), slugs, "{query}");
    }
    patch(&app, h.notices, json!({"visible": false}))
        .await
        .ok(200);
    for parent in ["notices", "no-such", "987654"] {
        app.get(&format!("/v1/sections?parent={parent}"))
            .await
            .problem(404, "not_found");
    }
}

async fn a_list_of_sections_is_read_by_page_and_by_cursor(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let order = [h.news, h.town, h.pier, h.fleet, h.notices];
    for base in ["/v1/sections", SECTIONS] {
        assert_eq!(app.walk(&format!("{base}?limit=2")).await, order);
        for (page, ids) in [
            (1, &order[..2]),
            (2, &order[2..4]),
            (3, &order[4..]),
            (4, &[]),
        ] {
            let path = format!("{base}?limit=2&page={page}");
            let answer = app.admin().get(&path).await.ok(200);
            assert_eq!(answer.ids(), ids);
            let told = &answer["page"];
            assert_eq!(
                (&told["number"], &told["total"], &told["total_pages"]),
                (&json!(page), &json!(5), &json!(3))
            );
        }
    }
}

async fn a_cursor_of_sections_outlives_inserts_and_deletions(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let second = async || {
        let first = app.get("/v1/sections?limit=2").await.ok(200);
        let cursor = first["page"]["next_cursor"].as_str().expect("a cursor");
        (first.ids(), format!("/v1/sections?limit=2&cursor={cursor}"))
    };
    let (first, rest) = second().await;
    assert_eq!(first, [h.news, h.town]);
    for place in [
        json!({"position": 0}),
        json!({"position": 0, "parent_id": h.news}),
    ] {
        app.admin().section("最前", place).await;
    }
    assert_eq!(app.walk(&rest).await, [h.pier, h.fleet, h.notices]);

    let (first, rest) = second().await;
    delete(&app, first[1], &format!("?move_to={}", h.notices))
        .await
        .ok(204);
    for id in [h.town, h.pier, h.fleet, h.notices] {
        let found = app.walk(&rest).await;
        assert_eq!(found.iter().filter(|other| **other == id).count(), 1);
    }
}

async fn sections_bring_their_newest_articles(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let h = harbour(&app).await;
    let mut ids = Vec::new();
    for (day, section, also) in [
        (1, h.news, json!([])),
        (2, h.pier, json!([])),
        (3, h.pier, json!([h.notices])),
        (4, h.fleet, json!([])),
    ] {
        let at = format!("2026-01-{day:02}T00:00:00Z");
        let more = json!({"publish": {"published_at": at}, "also_in": also});
        ids.push(admin.article("晨渡", section, more).await);
    }
    admin.draft("草稿", h.fleet, json!({})).await;
    let list = app
        .get("/v1/sections?include=articles&articles_limit=2")
        .await
        .ok(200);
    let newest = |n: usize| -> Vec<i64> {
        let articles = list["data"][n]["articles"].as_array().expect("articles");
        articles
            .iter()
            .map(|a| a["id"].as_i64().expect("an id"))
            .collect()
    };
    assert_eq!(newest(0), [ids[3], ids[2]]);
    assert_eq!(newest(1), [ids[2], ids[1]]);
    assert_eq!(newest(3), [ids[3]]);
    assert_eq!(newest(4), [ids[2]]);
    let summary = &app.get(&format!("/v1/articles?ids={}", ids[3])).await["data"][0];
    assert_eq!(&list["data"][0]["articles"][0], summary);
    let plain = app.get("/v1/sections").await.ok(200);
    assert_eq!(plain["data"][0].get("articles"), None);
    let ten = app
        .get("/v1/sections?include=articles&articles_limit=10&parent=news&limit=1")
        .await
        .ok(200);
    assert_eq!(ten["data"][0]["articles"].as_array().map(Vec::len), Some(2));
}

async fn bad_parameters_of_sections_are_faults(stage: Stage) {
    let app = stage.app().await;
    for (query, parameters) in [
        (
            "include=articles&articles_limit=11",
            &["articles_limit"][..],
        ),
        ("include=articles&articles_limit=0", &["articles_limit"]),
        ("include=body", &["include"]),
        ("depth=-1", &["depth"]),
        (
            "depth=x&limit=101&page=0&wat=1",
            &["depth", "limit", "page", "wat"],
        ),
        ("cursor=wat", &["cursor"]),
    ] {
        let answer = app.get(&format!("/v1/sections?{query}")).await;
        let mut told: Vec<String> = answer
            .problem(400, "invalid_request")
            .faults()
            .into_iter()
            .map(|(at, _)| at)
            .collect();
        told.sort();
        assert_eq!(told, parameters, "{query}");
    }
    for path in ["/v1/sections/tree?x=1", "/v1/sections/news?depth=1"] {
        app.get(path).await.problem(400, "invalid_request");
    }
}

async fn a_reader_is_told_that_nothing_changed(stage: Stage) {
    let app = stage.app().await;
    let id = app.admin().section("要闻", json!({"slug": "news"})).await;
    for path in [
        "/v1/sections/news",
        "/v1/sections",
        "/v1/sections/tree",
        "/v1/site",
    ] {
        let tag = |answer: &Answer| answer.header("etag").expect("a tag").to_owned();
        let ask = |tag: &str| {
            app.request(Method::GET, path)
                .header("if-none-match", tag)
                .send()
        };
        let first = app.get(path).await.ok(200);
        assert!(tag(&first).starts_with('"'), "a strong tag");
        let again = ask(&tag(&first)).await.ok(304);
        assert_eq!(tag(&again), tag(&first));
        assert_eq!(again.header("cache-control"), first.header("cache-control"));
        assert!(again.body.is_empty());
        ask("\"other\"").await.ok(200);
        create(&app, json!({"name": "渔港", "parent_id": id}))
            .await
            .ok(201);
        let changed = ask(&tag(&first)).await.ok(200);
        assert_ne!(tag(&changed), tag(&first));
    }
}

async fn an_editor_is_told_that_nothing_changed(stage: Stage) {
    let app = stage.app().await;
    let id = app.admin().section("要闻", json!({})).await;
    for (tag, status) in [("\"1\"", 304), ("\"2\"", 200)] {
        let request = app.admin().request(Method::GET, &path(id)).await;
        let answer = request.header("if-none-match", tag).send().await.ok(status);
        assert_eq!(answer.header("etag"), Some("\"1\""));
    }
}

async fn head_of_sections_has_the_headers_only(stage: Stage) {
    let app = stage.app().await;
    harbour(&app).await;
    for path in [
        "/v1/sections",
        "/v1/sections/tree",
        "/v1/sections/news",
        "/v1/sections/no-such",
    ] {
        let get = app.get(path).await;
        let head = app.request(Method::HEAD, path).send().await;
        assert!(head.body.is_empty());
        assert_eq!(head.status, get.status);
        for name in ["etag", "cache-control", "link", "content-type"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
}

crate::facts![
    the_tree_stands_in_order,
    a_section_is_read_by_id_and_by_slug,
    the_breadcrumb_begins_at_the_home_of_the_setting,
    an_article_counts_once_in_each_section_above_it,
    a_section_tells_its_newest_date_and_children,
    a_list_of_sections_is_filtered_by_parent_and_depth,
    a_list_of_sections_is_read_by_page_and_by_cursor,
    a_cursor_of_sections_outlives_inserts_and_deletions,
    sections_bring_their_newest_articles,
    bad_parameters_of_sections_are_faults,
    a_reader_is_told_that_nothing_changed,
    an_editor_is_told_that_nothing_changed,
    head_of_sections_has_the_headers_only,
];
