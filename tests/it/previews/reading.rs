//! What a link shows, and to whom.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{a_draft, assert_gone, assert_unkept, link, one, place, shown};

async fn a_draft_is_seen_by_its_link_and_by_no_other_way(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    for path in [place(&id.to_string()), place("dawn")] {
        super::assert_none(app.get(&path).await);
    }
    let token = link(&app, id).await;
    let article = shown(&app, &token).await;
    assert_eq!(article["title"], "晨渡");
    assert_eq!(article["body"]["html"], "<p>码头的灯亮了。</p>\n");
    for path in [
        format!("/v1/articles/{id}"),
        "/v1/articles/dawn".to_owned(),
        format!("/v1/articles/{id}/neighbors"),
        format!("/v1/articles/{id}/related"),
        format!("/v1/articles/{id}/hits"),
        format!("/v1/articles/{id}/qr.svg"),
    ] {
        app.get(&path).await.problem(404, "not_found");
    }
    for path in [place(&id.to_string()), place("dawn")] {
        super::assert_none(app.get(&path).await);
    }
    assert_eq!(app.get("/v1/articles").await["page"]["total"], 0);
    let hits = format!("/v1/articles/{id}/hits");
    app.post(&hits, json!({})).await.problem(404, "not_found");
    // It is worth nothing in management.
    let managed = app.get_with(&token, &one(id)).await;
    managed.problem(401, "unauthorized");
}

/// Everything that an article can have.
fn everything(also_in: &[i64]) -> Value {
    json!({
        "also_in": also_in, "slug": "dawn", "subtitle": "第一班", "short_title": "渡",
        "summary": "头班船", "source": {"name": "青屿日报", "url": "https://daily.example.com/"},
        "author": "林舟", "editor": "苏帆", "keywords": ["港"], "tags": ["海", "船"],
        "cover": {"url": "/img/dawn.png", "alt": "晨", "width": 800, "height": 450},
        "lang": "zh-CN", "canonical_url": "https://b.example/2",
        "attachments": [{
            "name": "班次.pdf", "url": "/files/ferry.pdf", "media_type": "application/pdf",
            "bytes": 4096,
        }],
        "seo": {"title": "晨渡", "description": "头班船开了"},
        "featured": true, "pinned_until": "2026-06-01T00:00:00Z",
        "expires_at": "2027-01-01T00:00:00Z",
        "body": {"format": "markdown", "content": "船\n\n**归**<script>x</script>"},
    })
}

async fn it_looks_as_it_will_when_it_is_published(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let news = admin.section("新闻", json!({"slug": "news"})).await;
    let below = json!({"slug": "port", "parent_id": news});
    let section = admin.section("港口", below).await;
    let open = admin.section("渔场", json!({})).await;
    let hidden = admin.section("内部", json!({"visible": false})).await;
    let id = admin
        .draft("晨渡", section, everything(&[hidden, open]))
        .await;
    let token = link(&app, id).await;
    let draft = shown(&app, &token).await;
    assert_eq!(draft["published_at"], "2026-01-31T04:00:00Z");
    assert_eq!(draft["published_local"], "2026-01-31 12:00");
    let also: Vec<_> = draft["also_in"].as_array().into_iter().flatten().collect();
    assert_eq!(also.len(), 1, "{draft}");
    assert_eq!(also[0]["id"], open);
    admin.act(&format!("{}/publish", one(id))).await.ok(200);
    let public = app.get(&format!("/v1/articles/{id}")).await.ok(200).json;
    assert_eq!(draft, public);
    // Nothing was empty by chance.
    for (name, value) in public.as_object().expect("an object") {
        let is_empty = value.is_null() || *value == json!([]);
        assert!(!is_empty || name == "external_url", "{name}");
    }
    assert_eq!(shown(&app, &token).await, public);
}

async fn the_present_stands_in_for_a_date_that_is_not_set(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    app.advance(3600);
    let article = shown(&app, &token).await;
    assert_eq!(article["published_at"], "2026-01-31T05:00:00Z");
    assert_eq!(article["published_local"], "2026-01-31 13:00");
    assert_eq!(article["updated_at"], "2026-01-31T04:00:00Z");
    let date = json!({"published_at": "2026-05-01T00:00:00+08:00"});
    app.admin().patch(&one(id), date).await.ok(200);
    let article = shown(&app, &token).await;
    assert_eq!(article["published_local"], "2026-05-01 00:00");
}

async fn it_shows_what_is_there_now(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    let change = json!({"title": "夜渡", "body": null, "external_url": "https://a.example/"});
    app.admin().patch(&one(id), change).await.ok(200);
    let article = shown(&app, &token).await;
    assert_eq!(article["title"], "夜渡");
    assert_eq!(article["body"], Value::Null);
    assert_eq!(article["external_url"], "https://a.example/");
}

async fn the_state_makes_no_difference(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    let act = async |action: &str, body: Value| {
        let path = format!("{}/{action}", one(id));
        app.admin().post(&path, body).await.ok(200)
    };
    let is = async |status: &str, public: u16| {
        let managed = app.admin().get(&one(id)).await.ok(200);
        assert_eq!(managed["status"], status);
        app.get(&format!("/v1/articles/{id}")).await.ok(public);
        assert_eq!(shown(&app, &token).await["id"], id);
    };
    is("draft", 404).await;
    let ahead = json!({"published_at": "2026-01-31T06:00:00Z"});
    act("publish", ahead).await;
    is("scheduled", 404).await;
    app.advance(2 * 3600);
    is("published", 200).await;
    act("unpublish", json!({})).await;
    is("archived", 404).await;
    let brief = json!({"expires_at": "2026-01-31T07:00:00Z"});
    act("publish", brief).await;
    is("published", 200).await;
    app.advance(3600);
    is("archived", 404).await;
}

async fn a_hidden_section_is_no_hindrance(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let above = json!({"slug": "inner", "visible": false});
    let above = admin.section("内部", above).await;
    let below = json!({"slug": "notes", "parent_id": above});
    let section = admin.section("内参", below).await;
    let draft = admin.draft("晨渡", section, json!({})).await;
    let published = admin.article("夜渡", section, json!({})).await;
    for id in [draft, published] {
        let token = link(&app, id).await;
        let article = shown(&app, &token).await;
        assert_eq!(article["section"]["path"], "inner/notes");
        let steps: Vec<_> = article["breadcrumb"].as_array().expect("steps").clone();
        let names: Vec<_> = steps.iter().filter_map(|s| s["name"].as_str()).collect();
        assert_eq!(names, ["首页", "内部", "内参"]);
        app.get(&format!("/v1/articles/{id}")).await.ok(404);
    }
    app.get("/v1/sections/notes").await.ok(404);
}

async fn a_link_shows_its_own_article_only(stage: Stage) {
    let app = stage.app().await;
    let first = a_draft(&app).await;
    let second = app.admin().draft("夜渡", 1, json!({})).await;
    let links = [link(&app, first).await, link(&app, second).await];
    assert_eq!(shown(&app, &links[0]).await["id"], first);
    assert_eq!(shown(&app, &links[1]).await["id"], second);
    app.admin().delete(&one(first)).await.ok(204);
    assert_gone(&app, &links[0]).await;
    assert_eq!(shown(&app, &links[1]).await["id"], second);
}

async fn nobody_is_to_keep_or_index_it(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    let path = place(&token);
    let ask = |method: Method, path: &str| {
        let request = app.request(method, path);
        request.header("origin", "https://www.example.com")
    };
    let preflight = ask(Method::OPTIONS, &path).header("access-control-request-method", "GET");
    for (status, request) in [
        (200, ask(Method::GET, &path)),
        (200, ask(Method::HEAD, &path)),
        (204, preflight),
        (204, app.request(Method::OPTIONS, &path)),
        (400, ask(Method::GET, &format!("{path}?include=hits"))),
        (400, ask(Method::GET, &format!("{path}?wat=1"))),
        (404, ask(Method::GET, "/v1/preview/none")),
        (404, ask(Method::HEAD, "/v1/preview/none")),
        (404, ask(Method::GET, "/v1/preview/")),
        (404, ask(Method::GET, "/v1/preview")),
        (404, ask(Method::GET, &format!("{path}/hits"))),
        (404, ask(Method::GET, "/v1/%70review/none")),
        (405, ask(Method::POST, &path)),
        (405, ask(Method::DELETE, &path)),
    ] {
        let answer = request.send().await.ok(status);
        assert_unkept(&answer);
    }
    let whole = app.get(&path).await.ok(200);
    let head = app.request(Method::HEAD, &path).send().await.ok(200);
    assert!(head.body.is_empty());
    let length = whole.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    assert_eq!(head.header("etag"), whole.header("etag"));
    // Delivery beside it is as it was.
    let other = app.get("/v1/articles").await.ok(200);
    assert_eq!(other.header("x-robots-tag"), None);
    assert_eq!(other.header("referrer-policy"), None);
}

async fn it_is_limited_as_other_reads_are(stage: Stage) {
    let app = stage.with(&[("LANMU_RATE_READS", "3")]).await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    for left in [2, 1, 0] {
        let answer = app.get(&place(&token)).await.ok(200);
        let state = format!("\"reads\";r={left};t=20");
        assert_eq!(answer.header("ratelimit"), Some(state.as_str()));
    }
    let refused = app.get(&place(&token)).await.problem(429, "rate_limited");
    assert_unkept(&refused);
}

crate::facts![
    a_draft_is_seen_by_its_link_and_by_no_other_way,
    it_looks_as_it_will_when_it_is_published,
    the_present_stands_in_for_a_date_that_is_not_set,
    it_shows_what_is_there_now,
    the_state_makes_no_difference,
    a_hidden_section_is_no_hindrance,
    a_link_shows_its_own_article_only,
    nobody_is_to_keep_or_index_it,
    it_is_limited_as_other_reads_are,
];
