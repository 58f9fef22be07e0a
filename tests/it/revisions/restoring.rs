//! An earlier revision is brought back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::merged;
use crate::support::people::AUDIT;
use crate::support::stage::Stage;

use super::{
    act, admin, content, patch, path, restore, revision_path, revisions, section, version, versions,
};

async fn a_revision_comes_back_as_a_new_version(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let first = json!({"tags": ["海"], "cover": {"url": "/a.png", "alt": "港"}, "author": "林舟"});
    let id = app.admin().draft("晨渡", home, first).await;
    let spoilt = json!({
        "title": "夜渡", "tags": [], "cover": {"alt": null, "width": 800}, "author": null,
        "editor": "何岸", "body": {"format": "html", "content": "<p>空</p>"},
    });
    patch(&app, id, spoilt).await;
    app.advance(60);
    let answer = restore(&app, id, 1).await.ok(200);
    assert_eq!(answer.header("etag"), Some("\"3\""));
    let was = content(&app, id, 1).await;
    let new = json!({"version": 3, "updated_at": app.now().to_string()});
    assert_eq!(answer.json, merged(was, new));
    assert_eq!(content(&app, id, 3).await, answer.json);
    let newest = revisions(&app, id).await.swap_remove(0);
    let changed = [
        "author",
        "body",
        "cover",
        "editor",
        "tags",
        "title",
        "word_count",
    ];
    let want = json!({
        "version": 3, "at": app.now().to_string(), "by": admin(),
        "note": "restored from version 1", "changed": changed,
    });
    assert_eq!(newest, want);
    let request = answer.header("x-request-id").expect("an id");
    let told = app.told(request).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["event"], "article.revision_restored");
    assert_eq!(told[0]["resource"], json!({"type": "article", "id": id}));
    let members = told[0]["changes"].as_array().expect("a list").iter();
    let members: Vec<&Value> = members.map(|change| &change["member"]).collect();
    assert_eq!(members, changed);
}

async fn a_note_can_be_given(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let path = format!("{}/restore", revision_path(id, 1));
    let post = async |body: Value| app.admin().post(&path, body).await;
    post(json!({"note": "撤回误改"})).await.ok(200);
    assert_eq!(revisions(&app, id).await[0]["note"], "撤回误改");
    post(json!({"note": " "})).await.ok(200);
    let note = "restored from version 1";
    assert_eq!(revisions(&app, id).await[0]["note"], note);
    let long = post(json!({"note": "长".repeat(1001)})).await;
    long.problem(422, "validation_failed");
    post(json!({"title": "夜渡"}))
        .await
        .problem(400, "invalid_body");
    assert_eq!(version(&app, id).await, 3);
}

async fn what_is_the_same_as_now_makes_a_version_too(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    restore(&app, id, 1).await.ok(200);
    assert_eq!(versions(&app, id).await, [2, 1]);
    assert_eq!(revisions(&app, id).await[0]["changed"], json!([]));
    let told = format!("{AUDIT}?event=article.revision_restored");
    assert_eq!(app.entries(&told).await.len(), 1);
}

async fn links_that_lead_to_it_stay_good(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let first = json!({"slug": "dawn", "external_id": "cms-1"});
    let id = app.admin().article("晨渡", home, first).await;
    let change = json!({"slug": "night", "external_id": "cms-2", "title": "夜渡"});
    patch(&app, id, change).await;
    let answer = restore(&app, id, 1).await.ok(200);
    assert_eq!(answer["title"], "晨渡");
    assert_eq!(
        (&answer["slug"], &answer["external_id"]),
        (&json!("night"), &json!("cms-2"))
    );
    app.get("/v1/articles/night").await.ok(200);
    assert_eq!(
        app.leads_to("/v1/articles/dawn").await,
        "/v1/articles/night"
    );
}

async fn what_is_public_is_live_with_the_old_text_at_once(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let publication = json!({
        "published_at": "2026-01-30T00:00:00Z", "expires_at": "2026-03-01T00:00:00Z",
    });
    act(&app, id, "publish", publication.clone()).await;
    patch(&app, id, json!({"body": {"content": "误改"}})).await;
    let public = format!("/v1/articles/{id}");
    assert_eq!(app.get(&public).await.ok(200)["body"]["text"], "误改");
    // Version 1 was a draft without dates.
    assert_eq!(content(&app, id, 1).await["status"], "draft");
    let answer = restore(&app, id, 1).await.ok(200);
    assert_eq!(answer["status"], "published");
    for member in ["published_at", "expires_at"] {
        assert_eq!(answer[member], publication[member]);
    }
    let read = app.get(&public).await.ok(200);
    assert_eq!(read["body"]["text"], "码头的灯亮了。");
    let list = app.get("/v1/articles?include=body").await.ok(200);
    assert_eq!(list["data"][0]["body"]["text"], "码头的灯亮了。");
    // What was public does not come back to readers by it.
    act(&app, id, "unpublish", json!({})).await;
    assert_eq!(restore(&app, id, 2).await.ok(200)["status"], "archived");
    app.get(&public).await.problem(404, "not_found");
}

async fn the_conditions_of_publishing_hold(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({"body": null})).await;
    patch(
        &app,
        id,
        json!({"body": {"format": "text", "content": "灯"}}),
    )
    .await;
    act(&app, id, "publish", json!({})).await;
    let refused = restore(&app, id, 1).await.problem(422, "validation_failed");
    assert_eq!(
        refused.faults(),
        [("/body".to_owned(), "required".to_owned())]
    );
    assert_eq!(version(&app, id).await, 3);
}

async fn what_is_gone_is_left_out(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let [old, side, left] = [
        admin.section("旧闻", json!({})).await,
        admin.section("山野", json!({})).await,
        admin.section("渡口", json!({})).await,
    ];
    let [near, far] = [
        admin.draft("近", home, json!({})).await,
        admin.draft("远", home, json!({})).await,
    ];
    let first = json!({"also_in": [side, home, left], "related": [near, far]});
    let id = admin.draft("晨渡", old, first).await;
    let change = json!({"section_id": home, "also_in": [], "related": [], "title": "夜渡"});
    patch(&app, id, change).await;
    for section in [old, side] {
        let path = format!("/v1/admin/sections/{section}");
        admin.delete(&path).await.ok(204);
    }
    admin.delete(&path(far)).await.ok(204);
    admin
        .delete(&format!("{}?permanent=true", path(far)))
        .await
        .ok(204);
    let answer = restore(&app, id, 1).await.ok(200);
    assert_eq!(answer["title"], "晨渡");
    assert_eq!(answer["section_id"], home);
    // Its own section, too, which it stays in because the old one is gone.
    assert_eq!(answer["also_in"], json!([left]));
    assert_eq!(answer["related"], json!([near]));
    // A section that is there is gone back to.
    let away = json!({"section_id": left, "also_in": []});
    patch(&app, id, away).await;
    let back = version(&app, id).await - 1;
    assert_eq!(restore(&app, id, back).await.ok(200)["section_id"], home);
}

async fn the_manual_order_stays(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("山野", json!({})).await;
    let id = app.admin().article("晨渡", home, json!({})).await;
    act(&app, id, "reorder", json!({"position": 0})).await;
    assert_eq!(restore(&app, id, 1).await.ok(200)["position"], 0);
    patch(&app, id, json!({"section_id": other})).await;
    assert_eq!(restore(&app, id, 2).await.ok(200)["position"], Value::Null);
}

async fn it_is_a_write_like_others(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    patch(&app, id, json!({"title": "夜渡"})).await;
    let path = format!("{}/restore", revision_path(id, 1));
    let admin = app.admin();
    let asked = async |condition: &str| {
        let body = Value::Null;
        admin.write_if(condition, Method::POST, &path, body).await
    };
    asked("\"1\"").await.problem(412, "version_mismatch");
    let tried = admin.act(&format!("{path}?dry_run=true")).await.ok(200);
    assert_eq!(
        (&tried["title"], &tried["version"]),
        (&json!("晨渡"), &json!(3))
    );
    assert_eq!(tried.header("etag"), None);
    assert_eq!(versions(&app, id).await, [2, 1]);
    assert_eq!(
        app.entries(&format!("{AUDIT}?event=article.revision_restored"))
            .await
            .len(),
        0
    );
    asked("\"2\"").await.ok(200);
    assert_eq!(versions(&app, id).await, [3, 2, 1]);
    // Sent twice, done once; the answer is given again even where the revision is gone since.
    let keyed = async || {
        let request = admin.request(Method::POST, &path).await;
        request.header("idempotency-key", "r-1").send().await
    };
    let first = keyed().await.ok(200);
    assert_eq!(first["version"], 4);
    app.admin().delete(&super::path(id)).await.ok(204);
    let purge = format!("{}?permanent=true", super::path(id));
    app.admin().delete(&purge).await.ok(204);
    let again = keyed().await.ok(200);
    assert_eq!(again.json, first.json);
    assert_eq!(again.header("etag"), first.header("etag"));
}

async fn what_is_in_the_trash_stays_there(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    app.admin().delete(&path(id)).await.ok(204);
    restore(&app, id, 1)
        .await
        .problem(409, "invalid_transition");
    assert_eq!(versions(&app, id).await, [2, 1]);
}

crate::facts![
    a_revision_comes_back_as_a_new_version,
    a_note_can_be_given,
    what_is_the_same_as_now_makes_a_version_too,
    links_that_lead_to_it_stay_good,
    what_is_public_is_live_with_the_old_text_at_once,
    the_conditions_of_publishing_hold,
    what_is_gone_is_left_out,
    the_manual_order_stays,
    it_is_a_write_like_others,
    what_is_in_the_trash_stays_there,
];
