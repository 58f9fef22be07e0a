//! A section is changed.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{PATIENT, create, harbour, managed, patch, path};

async fn a_patch_changes_what_it_names(stage: Stage) {
    let app = stage.app().await;
    let cover = json!({"url": "/pier.jpg", "alt": "栈桥", "width": 800, "height": 450});
    let before = create(
        &app,
        json!({"name": "镇里", "description": "街巷", "keywords": ["邻里"], "kind": "channel",
               "cover": cover, "max_age_days": 7}),
    )
    .await
    .ok(201);
    let id = before["id"].as_i64().expect("an id");
    app.advance(60);
    let after = patch(
        &app,
        id,
        json!({"name": "镇上", "description": null, "keywords": ["街坊"], "cover": {"alt": null}}),
    )
    .await
    .ok(200);
    let mut expected = before.json.clone();
    expected["name"] = json!("镇上");
    expected["description"] = Value::Null;
    expected["keywords"] = json!(["街坊"]);
    expected["cover"]["alt"] = Value::Null;
    expected["updated_at"] = json!("2026-01-31T04:01:00Z");
    expected["version"] = json!(2);
    assert_eq!(after.json, expected);
    assert_eq!(after.header("etag"), Some("\"2\""));
    let emptied = patch(
        &app,
        id,
        json!({"keywords": null, "kind": null, "cover": null, "max_age_days": null}),
    )
    .await
    .ok(200);
    for member in ["kind", "cover", "max_age_days"] {
        assert_eq!(emptied[member], Value::Null, "{member}");
    }
    assert_eq!(emptied["keywords"], json!([]));
    assert_eq!(emptied["slug"], before["slug"]);
}

async fn what_a_section_must_have_is_never_null(stage: Stage) {
    let app = stage.app().await;
    let id = app.admin().section("要闻", json!({})).await;
    for (member, value) in [
        ("name", Value::Null),
        ("name", json!(" ")),
        ("visible", Value::Null),
        ("slug", Value::Null),
    ] {
        let answer = patch(&app, id, json!({member: value})).await;
        let faults = answer.problem(422, "validation_failed").faults();
        assert_eq!(faults[0].0, format!("/{member}"));
    }
    for body in [
        json!({"path": "x"}),
        json!({"version": 2}),
        json!({"name": 7}),
        json!({"visible": "yes"}),
        json!([]),
    ] {
        patch(&app, id, body).await.problem(400, "invalid_body");
    }
}

async fn a_patch_can_not_move_a_section(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    for body in [
        json!({"parent_id": h.notices}),
        json!({"parent_id": null}),
        json!({"position": 0}),
        json!({"parent_id": h.news, "position": 0, "name": "镇上"}),
    ] {
        let answer = patch(&app, h.town, body).await;
        for (_, code) in answer.problem(422, "validation_failed").faults() {
            assert_eq!(code, "use_move");
        }
    }
    assert_eq!(managed(&app, h.town).await["version"], 1);
}

async fn a_patch_needs_the_version_that_it_changes(stage: Stage) {
    let app = stage.app().await;
    let id = app.admin().section("要闻", json!({})).await;
    let body = || json!({"kind": "channel"});
    let bare = app.admin().request(Method::PATCH, &path(id)).await;
    bare.json(&body())
        .send()
        .await
        .problem(428, "precondition_required");
    let send = async |tag: &str| {
        let admin = app.admin();
        admin.write_if(tag, Method::PATCH, &path(id), body()).await
    };
    for tag in ["\"2\"", "W/\"2\"", "\"x\"", "\"2\", \"3\""] {
        send(tag).await.problem(412, "version_mismatch");
    }
    assert_eq!(managed(&app, id).await["version"], 1);
    for (version, tag) in [(2, "\"1\""), (3, "W/\"2\""), (4, "*"), (5, "\"9\", \"4\"")] {
        assert_eq!(send(tag).await.ok(200)["version"], version, "{tag}");
    }
    send("5").await.problem(400, "invalid_request");
}

async fn moving_and_deleting_heed_the_version(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let h = harbour(&app).await;
    let (section, place) = (path(h.pier), format!("{}/move", path(h.pier)));
    let body = json!({"parent_id": h.news});
    admin
        .write_if("\"2\"", Method::POST, &place, body.clone())
        .await
        .problem(412, "version_mismatch");
    let moved = admin
        .write_if("\"1\"", Method::POST, &place, body)
        .await
        .ok(200);
    let version = moved["version"].as_i64().expect("a version");
    assert!(version > 1);
    admin
        .write_if("\"1\"", Method::DELETE, &section, Value::Null)
        .await
        .problem(412, "version_mismatch");
    let tag = format!("W/\"{version}\"");
    admin
        .write_if(&tag, Method::DELETE, &section, Value::Null)
        .await
        .ok(204);
}

async fn of_two_changes_at_once_one_wins(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    let admin = app.admin();
    let id = app.admin().section("要闻", json!({})).await;
    let section = path(id);
    let writes = (0..6).map(|n| {
        let body = json!({"kind": format!("k{n}")});
        admin.write_if("\"1\"", Method::PATCH, &section, body)
    });
    let answers = join_all(writes).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
    assert_eq!(managed(&app, id).await["version"], 2);
}

crate::facts![
    a_patch_changes_what_it_names,
    what_a_section_must_have_is_never_null,
    a_patch_can_not_move_a_section,
    a_patch_needs_the_version_that_it_changes,
    moving_and_deleting_heed_the_version,
    of_two_changes_at_once_one_wins,
];
