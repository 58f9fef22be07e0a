//! One action on many articles.

use std::rc::Rc;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{TestApp, merged};
use crate::support::client::Answer;
use crate::support::databases;
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::{ARTICLES, PATIENT, managed, path, section};

const BULK: &str = "/v1/admin/articles/bulk";
const TOMORROW: &str = "2026-02-01T00:00:00Z";

async fn bulk(app: &TestApp, action: &str, ids: &[i64], more: Value) -> Answer {
    let body = merged(json!({"action": action, "ids": ids}), more);
    app.admin().post(BULK, body).await
}

/// Who has this token does it.
async fn bulk_as(app: &TestApp, token: &str, action: &str, ids: &[i64], more: Value) -> Answer {
    let body = merged(json!({"action": action, "ids": ids}), more);
    app.with(token, Method::POST, BULK).json(&body).send().await
}

/// What became of each: its state, or the code of its error. The items stand in order, and the
/// sums are right.
#[track_caller]
fn results(answer: Answer, ids: &[i64]) -> Vec<String> {
    let answer = answer.ok(200);
    let items = answer["data"].as_array().expect("a list");
    assert_eq!(items.len(), ids.len(), "{answer}");
    let mut done = 0;
    let mut told = Vec::new();
    for (index, (item, id)) in items.iter().zip(ids).enumerate() {
        assert_eq!(item["index"], index, "{answer}");
        assert_eq!(item["id"], *id, "{answer}");
        if item["result"] == "done" {
            done += 1;
            assert!(
                item["error"].is_null() && item["version"].is_i64(),
                "{answer}"
            );
            told.push(item["status"].as_str().expect("a state").to_owned());
        } else {
            assert_eq!(item["result"], "failed", "{answer}");
            assert!(
                item["status"].is_null() && item["version"].is_null(),
                "{answer}"
            );
            let code = item["error"]["code"].as_str().expect("a code");
            told.push(code.to_owned());
        }
    }
    assert_eq!(answer["done"], done, "{answer}");
    assert_eq!(answer["failed"], ids.len() - done, "{answer}");
    told
}

/// So many drafts.
async fn drafts(app: &TestApp, section: i64, number: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for _ in 0..number {
        ids.push(app.admin().draft("晨渡", section, json!({})).await);
    }
    ids
}

async fn version(app: &TestApp, id: i64) -> i64 {
    managed(app, id).await["version"]
        .as_i64()
        .expect("a version")
}

async fn each_action_is_done_to_each(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("渔场", json!({})).await;
    let ids = drafts(&app, home, 3).await;
    let move_to = json!({"section_id": other});
    let tag = json!({"add_tags": ["潮汐", "清晨", "潮汐"]});
    let untag = json!({"remove_tags": ["清晨", "没有的"], "add_tags": ["夜"]});
    let ahead = json!({"published_at": TOMORROW, "expires_at": "2026-03-01T00:00:00Z"});
    for (number, (action, more, state)) in (2..).zip([
        ("move", move_to, "draft"),
        ("tag", tag, "draft"),
        ("publish", json!({}), "published"),
        ("tag", untag, "published"),
        ("unpublish", json!({}), "archived"),
        ("publish", ahead, "scheduled"),
        ("unpublish", json!({}), "draft"),
        ("trash", json!({}), "trashed"),
    ]) {
        let answer = bulk(&app, action, &ids, more).await;
        let versions = answer.each("version");
        assert_eq!(results(answer, &ids), [state; 3], "{action}");
        assert_eq!(versions, [number; 3], "{action}");
        for id in &ids {
            let article = managed(&app, *id).await;
            assert_eq!(article["status"], state, "{action}");
            assert_eq!(article["version"], number, "{action}");
            assert_eq!(article["section_id"], other, "{action}");
        }
    }
    let article = managed(&app, ids[0]).await;
    assert_eq!(article["tags"], json!(["潮汐", "夜"]));
    assert_eq!(article["published_at"], TOMORROW);
    assert_eq!(article["expires_at"], "2026-03-01T00:00:00Z");
}

async fn what_fails_leaves_the_others_alone(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let draft = admin.draft("晨渡", home, json!({})).await;
    let live = admin.article("夜渡", home, json!({})).await;
    let empty = admin.draft("空", home, json!({"body": null})).await;
    let trashed = admin.draft("误发", home, json!({})).await;
    admin.delete(&path(trashed)).await.ok(204);
    let ids = [trashed, draft, 987_654, live, empty];
    let answer = bulk(&app, "publish", &ids, json!({})).await;
    let errors = answer["data"][4]["error"]["errors"].clone();
    assert_eq!(errors[0]["pointer"], "/body");
    assert_eq!(
        results(answer, &ids),
        [
            "invalid_transition",
            "published",
            "not_found",
            "published",
            "validation_failed"
        ]
    );
    let answer = bulk(&app, "trash", &ids, json!({})).await;
    assert_eq!(
        results(answer, &ids),
        [
            "invalid_transition",
            "trashed",
            "not_found",
            "trashed",
            "trashed"
        ]
    );
    for action in ["unpublish", "trash"] {
        let before = databases::rows(&mut app.connect());
        let answer = bulk(&app, action, &ids, json!({})).await;
        let refused = "invalid_transition";
        assert_eq!(
            results(answer, &ids),
            [refused, refused, "not_found", refused, refused]
        );
        assert_eq!(databases::rows(&mut app.connect()), before, "{action}");
    }
}

async fn what_fails_leaves_nothing_half_done(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    // Time has made it published, which a write notes down before it begins.
    let soon = json!({"publish": {"published_at": "2026-01-31T04:01:00Z"}});
    let due = app.admin().article("晨渡", home, soon).await;
    let ids = [drafts(&app, home, 1).await[0], due];
    app.advance(60);
    let rows = |app: &TestApp| {
        let mut rows = databases::rows(&mut app.connect());
        rows.retain(|(table, _)| *table != "sessions" && *table != "refresh_tokens");
        rows
    };
    app.token().await;
    let before = rows(&app);
    let past = json!({"expires_at": "2020-01-01T00:00:00Z"});
    let answer = bulk(&app, "publish", &ids, past).await;
    assert_eq!(results(answer, &ids), ["validation_failed"; 2]);
    assert_eq!(rows(&app), before);
    let answer = bulk(&app, "unpublish", &ids, json!({})).await;
    assert_eq!(results(answer, &ids), ["invalid_transition", "archived"]);
}

async fn a_31st_tag_is_refused(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let tags =
        |number: usize| -> Vec<String> { (0..number).map(|n| format!("标签{n}")).collect() };
    let full = json!({"tags": tags(30)});
    let full = app.admin().draft("晨渡", home, full).await;
    let nearly = json!({"tags": tags(29)});
    let nearly = app.admin().draft("夜渡", home, nearly).await;
    let ids = [full, nearly];
    let answer = bulk(&app, "tag", &ids, json!({"add_tags": ["潮汐"]})).await;
    let fault = answer["data"][0]["error"]["errors"][0].clone();
    assert_eq!(
        (&fault["pointer"], &fault["code"]),
        (&json!("/tags"), &json!("too_many"))
    );
    assert_eq!(results(answer, &ids), ["validation_failed", "draft"]);
    assert_eq!(version(&app, full).await, 1);
    // Room is made in the same breath; what it has already takes none.
    let swap = json!({"add_tags": ["渡船", "标签1"], "remove_tags": ["标签0"]});
    let answer = bulk(&app, "tag", &ids, swap).await;
    assert_eq!(results(answer, &ids), ["draft", "draft"]);
    let article = managed(&app, full).await;
    assert_eq!(article["tags"][0], "标签1");
    assert_eq!(article["tags"][29], "渡船");
}

async fn atomic_is_all_or_nothing(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let mut ids = drafts(&app, home, 4).await;
    app.admin().delete(&path(ids[1])).await.ok(204);
    let all = ids.clone();
    ids.insert(3, 987_654);
    let before = databases::rows(&mut app.connect());
    let atomic = json!({"atomic": true});
    let answer = bulk(&app, "publish", &ids, atomic.clone()).await;
    let answer = answer.problem(409, "bulk_failed");
    let faults = [("/ids/1", "invalid_transition"), ("/ids/3", "not_found")];
    let faults = faults.map(|(at, code)| (at.to_owned(), code.to_owned()));
    assert_eq!(answer.faults(), faults);
    assert_eq!(databases::rows(&mut app.connect()), before);
    let good = [all[0], all[2], all[3]];
    let answer = bulk(&app, "publish", &good, atomic).await;
    assert_eq!(results(answer, &good), ["published"; 3]);
    let answer = bulk(&app, "unpublish", &ids, json!({"atomic": false})).await;
    assert_eq!(answer.ok(200)["done"], 3);
}

async fn a_bulk_has_500_articles_at_most(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    let home = section(&app).await;
    let first = drafts(&app, home, 1).await[0];
    let ids = |number: i64| (first..first + number).collect::<Vec<i64>>();
    let answer = bulk(&app, "trash", &ids(501), json!({})).await;
    let answer = answer.problem(422, "validation_failed");
    assert_eq!(
        answer.faults(),
        [("/ids".to_owned(), "too_many".to_owned())]
    );
    assert_eq!(version(&app, first).await, 1);
    let answer = bulk(&app, "trash", &ids(500), json!({})).await;
    let mut expected = vec!["not_found"; 500];
    expected[0] = "trashed";
    assert_eq!(results(answer, &ids(500)), expected);
}

async fn it_is_told_what_is_wrong_with_the_request(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = drafts(&app, home, 1).await[0];
    let before = databases::rows(&mut app.connect());
    let with = |action: &str, more: Value| merged(json!({"action": action, "ids": [id]}), more);
    let tags: Vec<String> = (0..31).map(|n| format!("标签{n}")).collect();
    for (body, faults) in [
        (
            json!({}),
            vec![("/ids", "required"), ("/action", "required")],
        ),
        (
            json!({"action": "trash", "ids": []}),
            vec![("/ids", "required")],
        ),
        (
            json!({"action": "trash", "ids": [id, 7, id, 0, 7]}),
            vec![
                ("/ids/2", "duplicate"),
                ("/ids/3", "out_of_range"),
                ("/ids/4", "duplicate"),
            ],
        ),
        (with("delete", json!({})), vec![("/action", "not_allowed")]),
        (with("move", json!({})), vec![("/section_id", "required")]),
        (
            with("move", json!({"section_id": 0})),
            vec![("/section_id", "out_of_range")],
        ),
        (with("tag", json!({})), vec![("/add_tags", "required")]),
        (
            with(
                "tag",
                json!({"add_tags": ["甲", "乙"], "remove_tags": ["乙"]}),
            ),
            vec![("/add_tags/1", "conflicting")],
        ),
        (
            with("tag", json!({"add_tags": tags})),
            vec![("/add_tags", "too_many")],
        ),
        (
            with(
                "trash",
                json!({"section_id": home, "add_tags": ["甲"], "published_at": TOMORROW}),
            ),
            vec![
                ("/published_at", "conflicting"),
                ("/section_id", "conflicting"),
                ("/add_tags", "conflicting"),
            ],
        ),
        (
            with(
                "publish",
                json!({"published_at": "morgen", "remove_tags": ["甲"]}),
            ),
            vec![
                ("/remove_tags", "conflicting"),
                ("/published_at", "invalid"),
            ],
        ),
        (
            with("trash", json!({"note": "长".repeat(1001)})),
            vec![("/note", "too_long")],
        ),
    ] {
        let answer = app.admin().post(BULK, body.clone()).await;
        let answer = answer.problem(422, "validation_failed");
        let told = answer.faults();
        let told: Vec<(&str, &str)> = told.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(told, faults, "{body}");
    }
    for body in [
        with("trash", json!({"ids": id})),
        with("trash", json!({"ids": ["1"]})),
        with("trash", json!({"atomic": "true"})),
        with("trash", json!({"permanent": true})),
    ] {
        let answer = app.admin().post(BULK, body).await;
        answer.problem(400, "invalid_body");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

/// An account of this role in these sections; its token.
async fn signed_in(app: &TestApp, role: &str, sections: &[i64]) -> String {
    let email = format!("{role}@example.com");
    let there = json!({"sections": sections});
    app.account(&email, role, there).await;
    app.sign_in(&email, SECRET).await.access
}

async fn an_editor_reaches_its_own_sections(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let beside = admin.section("渔场", json!({})).await;
    let hidden = admin.section("内部", json!({"visible": false})).await;
    let token = signed_in(&app, "editor", &[home]).await;
    let own = admin.draft("晨渡", home, json!({})).await;
    let own_two = admin.draft("午渡", home, json!({})).await;
    let shown = admin.article("夜渡", beside, json!({})).await;
    let unseen = admin.draft("密", beside, json!({})).await;
    let ids = [own, shown, unseen, own_two];
    let mut version = 1;
    for (action, more, state) in [
        ("tag", json!({"add_tags": ["潮汐"]}), "draft"),
        ("publish", json!({}), "published"),
        ("unpublish", json!({}), "archived"),
        ("move", json!({"section_id": home}), "archived"),
        ("trash", json!({}), "trashed"),
    ] {
        let answer = bulk_as(&app, &token, action, &ids, more).await;
        assert_eq!(
            results(answer, &ids),
            [state, "forbidden", "not_found", state]
        );
        version += 1;
        assert_eq!(managed(&app, own).await["version"], version);
    }
    assert_eq!(managed(&app, shown).await["version"], 1);
    assert_eq!(managed(&app, unseen).await["version"], 1);
    // Where to is told as it is for one article.
    let before = databases::rows(&mut app.connect());
    for (to, code) in [
        (beside, "forbidden"),
        (hidden, "validation_failed"),
        (987, "validation_failed"),
    ] {
        let more = json!({"section_id": to});
        let answer = bulk_as(&app, &token, "move", &[own, own_two], more).await;
        assert_eq!(results(answer, &[own, own_two]), [code; 2]);
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn an_author_may_do_to_its_drafts_what_it_may_do_to_one(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let token = signed_in(&app, "author", &[home]).await;
    let mut own = Vec::new();
    for title in ["一", "二", "三"] {
        let body =
            json!({"title": title, "section_id": home, "external_url": "https://example.com/"});
        let request = app.with(&token, Method::POST, ARTICLES).json(&body);
        own.push(super::id(&request.send().await.ok(201)));
    }
    admin.act(&format!("{}/submit", path(own[1]))).await.ok(200);
    admin
        .act(&format!("{}/publish", path(own[2])))
        .await
        .ok(200);
    let others = admin.draft("别人的", home, json!({})).await;
    let ids = [own[0], own[1], own[2], others];
    for (action, more, state) in [
        ("tag", json!({"add_tags": ["潮汐"]}), "draft"),
        ("move", json!({"section_id": home}), "draft"),
        ("trash", json!({}), "trashed"),
    ] {
        let answer = bulk_as(&app, &token, action, &ids, more).await;
        assert_eq!(
            results(answer, &ids),
            [state, "forbidden", "forbidden", "not_found"]
        );
    }
    let before = databases::rows(&mut app.connect());
    for action in ["publish", "unpublish"] {
        let answer = bulk_as(&app, &token, action, &own, json!({})).await;
        answer.problem(403, "forbidden");
    }
    // Who may not publish is told so before what else is wrong.
    let answer = bulk_as(&app, &token, "publish", &[], json!({})).await;
    answer.problem(403, "forbidden");
    let viewer = signed_in(&app, "viewer", &[home]).await;
    let (_, key) = app
        .api_key(&["content:read", "content:publish"], json!({}))
        .await;
    let mut answers = Vec::new();
    for token in [&viewer, &key] {
        answers.push(bulk_as(&app, token, "trash", &own, json!({})).await);
    }
    for answer in answers {
        assert_eq!(answer.status, 403, "{answer}");
    }
    let mut after = databases::rows(&mut app.connect());
    let mut before = before;
    for rows in [&mut after, &mut before] {
        rows.retain(|(table, _)| matches!(*table, "articles" | "revisions" | "listings"));
    }
    assert_eq!(after, before);
}

async fn a_key_that_writes_leaves_alone_what_readers_see(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let draft = app.admin().draft("晨渡", home, json!({})).await;
    let live = app.admin().article("夜渡", home, json!({})).await;
    let (_, key) = app.api_key(&["content:write"], json!({})).await;
    let ids = [draft, live];
    for (action, more, state) in [
        ("tag", json!({"add_tags": ["潮汐"]}), "draft"),
        ("move", json!({"section_id": home}), "draft"),
        ("trash", json!({}), "trashed"),
    ] {
        let answer = bulk_as(&app, &key, action, &ids, more).await;
        let told = results(answer, &ids);
        assert_eq!(told[0], state);
        assert!(
            told[1] == "forbidden" || told[1] == "insufficient_scope",
            "{told:?}"
        );
    }
    assert_eq!(version(&app, live).await, 1);
}

async fn each_that_is_done_leaves_its_entry(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("渔场", json!({})).await;
    let ids = drafts(&app, home, 2).await;
    let asked = [ids[0], 987_654, ids[1]];
    let note = "换季";
    for (number, (action, more, event)) in [
        ("publish", json!({}), "article.published"),
        ("tag", json!({"add_tags": ["潮汐"]}), "article.updated"),
        ("move", json!({"section_id": other}), "article.updated"),
        ("unpublish", json!({}), "article.unpublished"),
        ("trash", json!({}), "article.trashed"),
    ]
    .into_iter()
    .enumerate()
    {
        let trace = format!("bulk-{number}");
        let body = json!({"action": action, "ids": asked, "note": note});
        let request = app.admin().request(Method::POST, BULK).await;
        let request = request.header("x-request-id", &trace);
        request.json(&merged(body, more)).send().await.ok(200);
        let told = app.told(&trace).await;
        let of = |entry: &Value| (entry["event"].clone(), entry["resource"]["id"].clone());
        let told: Vec<(Value, Value)> = told.iter().rev().map(of).collect();
        let expected = ids.iter().map(|id| (json!(event), json!(id)));
        assert_eq!(told, expected.collect::<Vec<_>>(), "{action}");
    }
    let mut rows = databases::rows(&mut app.connect());
    rows.retain(|(table, _)| *table == "revisions");
    let noted = rows[0].1.iter().filter(|row| row.contains(note)).count();
    assert_eq!(noted, 10);
}

async fn what_is_moved_is_found_where_it_is(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("渔场", json!({"slug": "fishery"})).await;
    let id = admin
        .article("晨渡", home, json!({"also_in": [other]}))
        .await;
    let near = admin.article("夜渡", home, json!({})).await;
    let ids = [id, near];
    let answer = bulk(&app, "move", &ids, json!({"section_id": other})).await;
    assert_eq!(results(answer, &ids), ["published"; 2]);
    assert_eq!(managed(&app, id).await["also_in"], json!([]));
    assert!(app.walk("/v1/articles?section=harbour").await.is_empty());
    assert_eq!(app.walk("/v1/articles?section=fishery").await, [near, id]);
}

async fn bulks_at_once_do_each_article_once(stage: Stage) {
    let app: Rc<TestApp> = stage.with(&[PATIENT]).await;
    let home = section(&app).await;
    let ids = drafts(&app, home, 10).await;
    app.token().await;
    let backwards: Vec<i64> = ids.iter().rev().copied().collect();
    let runs = (0..6).map(|number| {
        let ids = if number % 2 == 0 { &ids } else { &backwards };
        bulk(&app, "trash", ids, json!({}))
    });
    let mut done = 0;
    for answer in join_all(runs).await {
        done += answer.ok(200)["done"].as_i64().expect("a number");
    }
    assert_eq!(done, 10);
    for id in ids {
        assert_eq!(version(&app, id).await, 2);
    }
}

crate::facts![
    each_action_is_done_to_each,
    what_fails_leaves_the_others_alone,
    what_fails_leaves_nothing_half_done,
    a_31st_tag_is_refused,
    atomic_is_all_or_nothing,
    a_bulk_has_500_articles_at_most,
    it_is_told_what_is_wrong_with_the_request,
    an_editor_reaches_its_own_sections,
    an_author_may_do_to_its_drafts_what_it_may_do_to_one,
    a_key_that_writes_leaves_alone_what_readers_see,
    each_that_is_done_leaves_its_entry,
    what_is_moved_is_found_where_it_is,
    bulks_at_once_do_each_article_once,
];
