//! A section is made.

use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::stage::Stage;

use super::{SECTIONS, create, managed, path, read, texts};

async fn a_section_is_made_with_a_name(stage: Stage) {
    let app = stage.app().await;
    let made = create(&app, json!({"name": "渔港"})).await.ok(201);
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(
        made.json,
        json!({
            "id": id, "parent_id": null, "slug": "yu-gang", "name": "渔港", "path": "yu-gang",
            "depth": 0, "position": 0, "visible": true, "description": null, "keywords": [],
            "kind": null, "cover": null, "max_age_days": null, "created_at": NOON,
            "updated_at": NOON, "version": 1
        })
    );
    assert_eq!(made.header("location"), Some(path(id).as_str()));
    assert_eq!(made.header("etag"), Some("\"1\""));
    assert_eq!(managed(&app, id).await.json, made.json);
}

async fn every_member_of_a_section_comes_back(stage: Stage) {
    let app = stage.app().await;
    let above = app.admin().section("要闻", json!({"slug": "news"})).await;
    let cover = json!({"url": "https://img.example.com/pier.jpg", "alt": "栈桥", "width": 800, "height": 450});
    let given = json!({
        "name": "镇里", "parent_id": above, "position": 0, "slug": "town", "visible": true,
        "description": "街巷里的事\n第二行", "keywords": ["街巷", "邻里"], "kind": "channel",
        "cover": cover, "max_age_days": 7
    });
    let made = create(&app, given.clone()).await.ok(201);
    for (member, value) in given.as_object().expect("an object") {
        assert_eq!(&made[member], value, "{member}");
    }
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(managed(&app, id).await.json, made.json);
    assert_eq!(
        read(&app, id).await.json,
        json!({
            "id": id, "parent_id": above, "slug": "town", "name": "镇里", "path": "news/town",
            "depth": 1, "position": 0, "description": "街巷里的事\n第二行",
            "keywords": ["街巷", "邻里"], "kind": "channel", "cover": cover,
            "breadcrumb": [
                {"id": null, "slug": null, "name": "首页", "path": ""},
                {"id": above, "slug": "news", "name": "要闻", "path": "news"},
                {"id": id, "slug": "town", "name": "镇里", "path": "news/town"}
            ],
            "article_count": 0, "last_published_at": null, "has_children": false,
            "updated_at": NOON
        })
    );
}

async fn blank_text_of_a_section_is_null(stage: Stage) {
    let app = stage.app().await;
    let body = json!({
        "name": " 渔港\u{3000}", "description": " \n\u{3000}", "kind": "", "slug": "",
        "cover": {"url": "/pier.jpg", "alt": " "}
    });
    let made = create(&app, body).await.ok(201);
    assert_eq!(made["name"], "渔港");
    assert_eq!(made["slug"], "yu-gang");
    assert_eq!(made["description"], Value::Null);
    assert_eq!(made["kind"], Value::Null);
    assert_eq!(made["cover"]["alt"], Value::Null);
}

async fn a_section_needs_a_name(stage: Stage) {
    let app = stage.app().await;
    for body in [
        json!({}),
        json!({"name": null}),
        json!({"name": " \u{3000}"}),
    ] {
        let answer = create(&app, body).await.problem(422, "validation_failed");
        assert_eq!(answer.faults(), [("/name".into(), "required".into())]);
    }
}

async fn all_faults_of_a_section_are_told_at_once(stage: Stage) {
    let app = stage.app().await;
    let body = json!({
        "parent_id": 987_654, "slug": "Ü", "keywords": ["好", ""], "cover": {"width": 0},
        "max_age_days": 0
    });
    let answer = create(&app, body).await.problem(422, "validation_failed");
    let pointers: Vec<String> = answer.faults().into_iter().map(|(at, _)| at).collect();
    for at in [
        "/name",
        "/parent_id",
        "/slug",
        "/keywords/1",
        "/cover/url",
        "/cover/width",
        "/max_age_days",
    ] {
        assert!(pointers.contains(&at.to_owned()), "{at}: {answer}");
    }
}

async fn a_position_puts_a_section_among_its_siblings(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    for (slug, position) in [
        ("a", Value::Null),
        ("b", Value::Null),
        ("c", json!(0)),
        ("d", json!(1)),
    ] {
        admin
            .section("栏", json!({"slug": slug, "position": position}))
            .await;
    }
    let list = admin.get(SECTIONS).await.ok(200);
    assert_eq!(texts(&list, "slug"), ["c", "d", "a", "b"]);
    assert_eq!(list.each("position"), [0, 1, 2, 3]);
}

crate::facts![
    a_section_is_made_with_a_name,
    every_member_of_a_section_comes_back,
    blank_text_of_a_section_is_null,
    a_section_needs_a_name,
    all_faults_of_a_section_are_told_at_once,
    a_position_puts_a_section_among_its_siblings,
];
