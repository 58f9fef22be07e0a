//! Authors write drafts of their own, and nothing more.

use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::stage::Stage;

use super::{ARTICLES, Site, draft, external, holder, id_of, named, one};

async fn an_author_makes_drafts_only(stage: Stage) {
    let site = Site::new(&stage).await;
    let author = holder(&site.app, "author", json!([site.home])).await;
    let made = author
        .post(ARTICLES, draft("晨渡", site.below))
        .await
        .ok(201);
    assert_eq!(
        (&made["status"], &made["created_by"]),
        (&json!("draft"), &json!(author.id))
    );
    let pushed = author
        .put(&external("cms-1"), draft("午渡", site.home))
        .await;
    assert_eq!(pushed.ok(201)["created_by"], author.id);
    let mut body = draft("夜渡", site.home);
    body["publish"] = json!({});
    for answer in [
        author.post(ARTICLES, body.clone()).await,
        author.put(&external("cms-1"), body.clone()).await,
        author.put(&external("cms-2"), body.clone()).await,
    ] {
        answer.problem(403, "forbidden");
    }
    let list = author.get(ARTICLES).await.ok(200);
    assert_eq!(list["page"]["total"], 2);
    for article in list["data"].as_array().expect("a list") {
        assert_eq!(article["status"], "draft");
    }
}

async fn an_author_works_on_its_own_drafts(stage: Stage) {
    let site = Site::new(&stage).await;
    let author = holder(&site.app, "author", json!([site.home])).await;
    let id = author.draft("晨渡", site.home).await;
    let path = one(id);
    author.patch(&path, json!({"title": "夜渡"})).await.ok(200);
    author
        .patch(&path, json!({"section_id": site.below}))
        .await
        .ok(200);
    let away = json!({"section_id": site.beside});
    author.patch(&path, away).await.problem(403, "forbidden");
    author.delete(&path).await.ok(204);
    let purge = author.delete(&format!("{path}?permanent=true")).await;
    purge.problem(403, "forbidden");
    let restored = author.post(&format!("{path}/restore"), Value::Null).await;
    assert_eq!(restored.ok(200)["status"], "draft");
}

async fn an_author_does_not_change_the_date(stage: Stage) {
    let site = Site::new(&stage).await;
    let author = holder(&site.app, "author", json!([site.home])).await;
    let made = author
        .put(&external("cms-1"), draft("晨渡", site.home))
        .await;
    let path = one(id_of(&made.ok(201)));
    let admin = site.app.admin();
    let dated = async |published_at: Value| {
        let mut body = draft("晨渡", site.home);
        body["published_at"] = published_at.clone();
        let change = json!({"published_at": published_at});
        [
            author.patch(&path, change).await.status,
            author.put(&external("cms-1"), body).await.status,
        ]
    };
    let date = async || site.app.admin().get(&path).await["published_at"].clone();
    assert_eq!(dated(json!(NOON)).await, [403, 403]);
    assert_eq!(date().await, Value::Null);
    admin
        .patch(&path, json!({"published_at": NOON}))
        .await
        .ok(200);
    assert_eq!(dated(json!("2026-01-30T04:00:00Z")).await, [403, 403]);
    author
        .patch(&path, json!({"published_at": null}))
        .await
        .problem(403, "forbidden");
    assert_eq!(dated(json!(NOON)).await, [200, 200]);
    // A system that pushes leaves the date out: it stays, too.
    let pushed = author
        .put(&external("cms-1"), draft("晚渡", site.home))
        .await;
    assert_eq!(pushed.ok(200)["title"], "晚渡");
    assert_eq!(date().await, json!(NOON));
}

async fn what_was_published_is_its_authors_no_longer(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let author = holder(&site.app, "author", json!([site.home])).await;
    let id = author.draft("晨渡", site.home).await;
    let path = one(id);
    let refused = async || {
        for answer in [
            author.patch(&path, json!({"title": "夜渡"})).await,
            author.delete(&path).await,
            author.post(&format!("{path}/restore"), Value::Null).await,
            author.post(&format!("{path}/unpublish"), Value::Null).await,
            author.post(&format!("{path}/publish"), Value::Null).await,
        ] {
            answer.problem(403, "forbidden");
        }
        author.get(&path).await.ok(200)["status"].clone()
    };
    let ahead = json!({"published_at": "2026-02-01T00:00:00Z"});
    admin.post(&format!("{path}/publish"), ahead).await.ok(200);
    assert_eq!(refused().await, "scheduled");
    let now = json!({"published_at": NOON});
    admin.post(&format!("{path}/publish"), now).await.ok(200);
    assert_eq!(refused().await, "published");
    admin.act(&format!("{path}/unpublish")).await.ok(200);
    assert_eq!(refused().await, "archived");
}

async fn an_author_knows_nothing_of_a_colleagues_draft(stage: Stage) {
    let site = Site::new(&stage).await;
    let author = holder(&site.app, "author", json!([site.home])).await;
    let colleague = named(&site.app, "colleague", "author", json!([site.home])).await;
    let made = colleague
        .put(&external("cms-1"), draft("晨渡", site.home))
        .await;
    let path = one(id_of(&made.ok(201)));
    let answers = async || {
        [
            author.get(&path).await,
            author.get(&format!("{path}/hits")).await,
            author.patch(&path, json!({"title": "夜渡"})).await,
            author.delete(&path).await,
            author.post(&format!("{path}/restore"), Value::Null).await,
        ]
    };
    for answer in answers().await {
        answer.problem(404, "not_found");
    }
    let push = async || {
        author
            .put(&external("cms-1"), draft("夜渡", site.home))
            .await
    };
    push().await.problem(409, "external_id_taken");
    let total = async || author.get(ARTICLES).await["page"]["total"].clone();
    assert_eq!(total().await, 0);
    assert_eq!(author.get("/v1/admin/hits").await["page"]["total"], 0);
    // What is published is no secret, but none of the author's business.
    let publish = format!("{path}/publish");
    site.app.admin().act(&publish).await.ok(200);
    for answer in answers().await {
        answer.problem(403, "forbidden");
    }
    push().await.problem(403, "forbidden");
    assert_eq!(total().await, 0);
    assert_eq!(colleague.get(ARTICLES).await["page"]["total"], 1);
}

async fn a_draft_that_left_the_authors_sections_is_out_of_reach(stage: Stage) {
    let site = Site::new(&stage).await;
    let author = holder(&site.app, "author", json!([site.home])).await;
    let id = author.draft("晨渡", site.home).await;
    let away = json!({"section_id": site.beside});
    site.app.admin().patch(&one(id), away).await.ok(200);
    author.get(&one(id)).await.problem(404, "not_found");
    let change = author.patch(&one(id), json!({"title": "夜渡"})).await;
    change.problem(404, "not_found");
    assert_eq!(author.get(ARTICLES).await["page"]["total"], 0);
}

crate::facts![
    an_author_makes_drafts_only,
    an_author_works_on_its_own_drafts,
    an_author_does_not_change_the_date,
    what_was_published_is_its_authors_no_longer,
    an_author_knows_nothing_of_a_colleagues_draft,
    a_draft_that_left_the_authors_sections_is_out_of_reach,
];
