//! Lists as editors get them.

use lanmu::auth::Role;
use lanmu::users::add_user;
use reqwest::Method;
use serde_json::json;

use crate::support::app::NOON;
use crate::support::databases::ParseInstant;
use crate::support::stage::Stage;

use super::{LIST, MANAGED, ids, list, section};

async fn editors_filter_by_the_state_that_time_has_made(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = section(&app).await;
    let draft = admin.draft("草稿", section, json!({})).await;
    let ahead = json!({"publish": {"published_at": "2026-01-31T04:01:00Z"}});
    let scheduled = admin.article("明日", section, ahead).await;
    let brief = json!({"publish": {"expires_at": "2026-01-31T04:02:00Z"}});
    let brief = admin.article("限时", section, brief).await;
    let published = admin.article("晨渡", section, json!({})).await;
    let archived = admin.article("旧闻", section, json!({})).await;
    admin
        .act(&format!("{MANAGED}/{archived}/unpublish"))
        .await
        .ok(200);
    let trashed = admin.article("误发", section, json!({})).await;
    admin.delete(&format!("{MANAGED}/{trashed}")).await.ok(204);
    let states = async || {
        let mut all = Vec::new();
        for status in ["draft", "scheduled", "published", "archived", "trashed"] {
            let path = format!("{MANAGED}?status={status}&sort=created_at");
            let found = list(&app, &path).await;
            for article in found["data"].as_array().expect("a list") {
                assert_eq!(article["status"], status);
            }
            assert_eq!(found["page"]["total"], found.ids().len());
            all.push(found.ids());
        }
        all
    };
    let before = [
        vec![draft],
        vec![scheduled],
        vec![brief, published],
        vec![archived],
        vec![trashed],
    ];
    assert_eq!(states().await, before);
    app.advance(60);
    let shown = [
        vec![draft],
        vec![],
        vec![scheduled, brief, published],
        vec![archived],
        vec![trashed],
    ];
    assert_eq!(states().await, shown);
    app.advance(60);
    let over = [
        vec![draft],
        vec![],
        vec![scheduled, published],
        vec![brief, archived],
        vec![trashed],
    ];
    assert_eq!(states().await, over);
    assert_eq!(ids(&app, MANAGED).await.len(), 6);
}

async fn editors_search_words_of_the_title(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let mut made = Vec::new();
    for title in [
        "清晨的渡口",
        "Harbour Guide: dawn",
        "渡口夜话 guide",
        "100% 满座",
        "a_b \\ c",
    ] {
        made.push(app.admin().draft(title, section, json!({})).await);
    }
    for (q, expected) in [
        ("渡口", vec![made[0], made[2]]),
        ("guide", vec![made[1], made[2]]),
        ("HARBOUR", vec![made[1]]),
        ("渡口 guide", vec![made[2]]),
        ("guide+渡口", vec![made[2]]),
        ("dawn harbour", vec![made[1]]),
        ("渡口 无", vec![]),
        ("%25", vec![made[3]]),
        ("100%25", vec![made[3]]),
        ("1_0", vec![]),
        ("a_b", vec![made[4]]),
        ("%5C", vec![made[4]]),
        ("码头的灯", vec![]),
    ] {
        let path = format!("{MANAGED}?sort=created_at&q={q}");
        let found = list(&app, &path).await;
        assert_eq!(found.ids(), expected, "{q}");
        assert_eq!(found["page"]["total"], expected.len());
        assert_eq!(app.walk(&format!("{path}&limit=1")).await, expected);
    }
}

async fn editors_filter_by_who_made_it(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let own = app.admin().draft("晨渡", section, json!({})).await;
    let password = "another horse battery";
    let now = NOON.parse_instant();
    add_user(
        &mut app.connect(),
        "second@example.com",
        Role::Admin,
        password,
        now,
    )
    .expect("the account is added");
    let login = json!({"email": "second@example.com", "password": password});
    let token = app.post("/v1/auth/login", login).await.ok(200);
    let token = token["access_token"].as_str().expect("a token").to_owned();
    let made = app
        .request(Method::POST, MANAGED)
        .header("authorization", &format!("Bearer {token}"))
        .json(&json!({"title": "夜渡", "section_id": section}))
        .send()
        .await
        .ok(201);
    let number = |member: &str| made[member].as_i64().expect("a number");
    let (other, theirs) = (number("created_by"), number("id"));
    assert_ne!(other, 1);
    for (user, expected) in [(1, vec![own]), (other, vec![theirs]), (987_654, vec![])] {
        assert_eq!(
            ids(&app, &format!("{MANAGED}?created_by={user}")).await,
            expected
        );
    }
}

async fn editors_list_what_readers_do_not_see(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let inner = admin
        .section("内部", json!({"slug": "inner", "visible": false}))
        .await;
    let below = admin
        .section("深处", json!({"slug": "deep", "parent_id": inner}))
        .await;
    let draft = admin.draft("草稿", below, json!({"tags": ["潮汐"]})).await;
    let hidden = admin
        .article("晨渡", inner, json!({"tags": ["潮汐"]}))
        .await;
    for filter in [
        "section=inner",
        "tag=潮汐",
        "section=inner&tag=潮汐",
        "lang=zh-CN",
    ] {
        let path = format!("{MANAGED}?sort=created_at&{filter}");
        assert_eq!(ids(&app, &path).await, [draft, hidden], "{filter}");
    }
    assert_eq!(ids(&app, &format!("{MANAGED}?section=deep")).await, [draft]);
    assert!(ids(&app, &format!("{LIST}?tag=潮汐")).await.is_empty());
}

crate::facts![
    editors_filter_by_the_state_that_time_has_made,
    editors_search_words_of_the_title,
    editors_filter_by_who_made_it,
    editors_list_what_readers_do_not_see,
];
