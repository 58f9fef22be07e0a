//! Which step leads from which state to which.

use serde_json::json;

use crate::support::stage::Stage;

use super::{
    ARTICLES, STATES, TOMORROW, act, in_state, is_read, managed, patch, path, publish, section,
    status,
};

/// The state that each state has after this action; "" where there is no such step.
async fn steps(stage: Stage, action: &str, expected: [&str; 6]) {
    let app = stage.app().await;
    let section = section(&app).await;
    let mut ids = Vec::new();
    for state in STATES {
        ids.push(in_state(&app, section, state).await);
    }
    app.advance(60);
    for ((state, id), expected) in STATES.iter().zip(ids).zip(expected) {
        let before = managed(&app, id).await;
        let now = if *state == "expired" {
            "archived"
        } else {
            state
        };
        assert_eq!(before["status"], now);
        let answer = match action {
            "publish" => publish(&app, id, json!({})).await,
            "publish now" => {
                let now = app.now().to_string();
                publish(&app, id, json!({"published_at": now})).await
            }
            "schedule" => publish(&app, id, json!({"published_at": TOMORROW})).await,
            "trash" => app.admin().delete(&path(id)).await,
            "delete" => {
                app.admin()
                    .delete(&format!("{}?permanent=true", path(id)))
                    .await
            }
            action => act(&app, id, action).await,
        };
        let is_deletion = matches!(action, "trash" | "delete");
        if expected.is_empty() {
            answer.problem(409, "invalid_transition");
            assert_eq!(managed(&app, id).await.json, before.json, "{state}");
        } else if expected == "gone" {
            answer.ok(204);
            app.admin().get(&path(id)).await.problem(404, "not_found");
        } else {
            let answer = answer.ok(if is_deletion { 204 } else { 200 });
            let after = managed(&app, id).await;
            assert_eq!(after["status"], expected, "{state}");
            assert_eq!(
                after["version"].as_i64(),
                before["version"].as_i64().map(|v| v + 1)
            );
            if !is_deletion {
                assert_eq!(answer.resource(), after.json);
                assert_eq!(answer.header("etag"), after.header("etag"));
            }
        }
        assert_eq!(is_read(&app, id).await, {
            let now = if expected.is_empty() { now } else { expected };
            now == "published"
        });
    }
}

async fn anything_but_trash_is_published(stage: Stage) {
    let to = [
        "published",
        "scheduled",
        "published",
        "published",
        "published",
        "",
    ];
    steps(stage, "publish", to).await;
}

async fn anything_but_trash_is_published_at_once(stage: Stage) {
    let to = [
        "published",
        "published",
        "published",
        "published",
        "published",
        "",
    ];
    steps(stage, "publish now", to).await;
}

async fn anything_but_trash_is_scheduled(stage: Stage) {
    let to = [
        "scheduled",
        "scheduled",
        "scheduled",
        "scheduled",
        "scheduled",
        "",
    ];
    steps(stage, "schedule", to).await;
}

async fn only_what_is_out_or_to_be_is_unpublished(stage: Stage) {
    steps(stage, "unpublish", ["", "draft", "archived", "", "", ""]).await;
}

async fn anything_but_trash_is_trashed(stage: Stage) {
    let to = ["trashed", "trashed", "trashed", "trashed", "trashed", ""];
    steps(stage, "trash", to).await;
}

async fn only_trash_is_restored(stage: Stage) {
    steps(stage, "restore", ["", "", "", "", "", "draft"]).await;
}

async fn only_trash_is_deleted_for_good(stage: Stage) {
    steps(stage, "delete", ["", "", "", "", "", "gone"]).await;
}

async fn an_action_on_nothing_is_not_found(stage: Stage) {
    let app = stage.app().await;
    for id in ["987654", "0", "x"] {
        for action in ["publish", "unpublish", "restore"] {
            let path = format!("{ARTICLES}/{id}/{action}");
            app.admin().act(&path).await.problem(404, "not_found");
        }
        for query in ["", "?permanent=true"] {
            let path = format!("{ARTICLES}/{id}{query}");
            app.admin().delete(&path).await.problem(404, "not_found");
        }
    }
}

async fn an_action_takes_no_body_or_an_object(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    for body in [
        json!([]),
        json!("now"),
        json!({"status": "published"}),
        json!({"published_at": 7}),
    ] {
        publish(&app, id, body).await.problem(400, "invalid_body");
    }
    let published_at = json!({"published_at": "tomorrow", "expires_at": "2026-02-30T00:00:00Z"});
    let answer = publish(&app, id, published_at)
        .await
        .problem(422, "validation_failed");
    let faults: Vec<String> = answer.faults().into_iter().map(|(at, _)| at).collect();
    assert_eq!(faults, ["/published_at", "/expires_at"]);
    assert_eq!(status(&app, id).await, "draft");
    act(&app, id, "publish").await.ok(200);
    let unpublish = format!("{}/unpublish", path(id));
    app.admin().post(&unpublish, json!({})).await.ok(200);
}

async fn a_state_is_changed_by_actions_only(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let given = json!({"title": "晨渡", "section_id": section, "status": "published"});
    app.admin()
        .post(ARTICLES, given.clone())
        .await
        .problem(400, "invalid_body");
    app.admin()
        .put("/v1/admin/external-articles/cms-1", given)
        .await
        .problem(400, "invalid_body");
    for more in [
        json!({"status": "published"}),
        json!({"status": null}),
        json!({"publish": {}}),
    ] {
        patch(&app, id, more).await.problem(400, "invalid_body");
    }
    assert_eq!(status(&app, id).await, "draft");
}

crate::facts![
    anything_but_trash_is_published,
    anything_but_trash_is_published_at_once,
    anything_but_trash_is_scheduled,
    only_what_is_out_or_to_be_is_unpublished,
    anything_but_trash_is_trashed,
    only_trash_is_restored,
    only_trash_is_deleted_for_good,
    an_action_on_nothing_is_not_found,
    an_action_takes_no_body_or_an_object,
    a_state_is_changed_by_actions_only,
];
