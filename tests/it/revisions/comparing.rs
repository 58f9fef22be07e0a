//! Two revisions are held against each other.

use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{diff, patch, section};

/// The member's change in a diff.
fn change(answer: &Value, member: &str) -> Value {
    let changes = answer["changes"].as_array().expect("a list");
    let found = changes.iter().find(|change| change["member"] == member);
    found.cloned().unwrap_or(Value::Null)
}

fn members(answer: &Value) -> Vec<String> {
    let changes = answer["changes"].as_array().expect("a list").iter();
    changes
        .map(|change| change["member"].as_str().expect("a name").to_owned())
        .collect()
}

async fn a_revision_is_held_against_the_one_before(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let lines = |third: &str| format!("头班船\n二班船\n{third}\n四班船\n五班船\n六班船\n七班船\n");
    let body = |third: &str| json!({"format": "text", "content": lines(third)});
    let summary = "潮".repeat(1500);
    let first = json!({"body": body("三班船"), "summary": summary});
    let id = app.admin().draft("晨渡", home, first).await;
    let change_all = json!({
        "title": "夜渡", "summary": null, "tags": ["海"], "body": {"content": lines("末班船")},
    });
    patch(&app, id, change_all).await;
    let told = diff(&app, id, 2, "").await.ok(200).json;
    assert_eq!((&told["version"], &told["against"]), (&json!(2), &json!(1)));
    assert_eq!(members(&told), ["summary", "tags", "title"]);
    let title = json!({"member": "title", "before": "晨渡", "after": "夜渡"});
    assert_eq!(change(&told, "title"), title);
    let tags = json!({"member": "tags", "before": [], "after": ["海"]});
    assert_eq!(change(&told, "tags"), tags);
    // Whole, however long.
    assert_eq!(change(&told, "summary")["before"], summary);
    let body = "@@ -1,6 +1,6 @@\n 头班船\n 二班船\n-三班船\n+末班船\n 四班船\n 五班船\n 六班船\n";
    assert_eq!(told["body"], body);
}

async fn the_first_one_is_all_new(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let told = diff(&app, id, 1, "").await.ok(200).json;
    assert_eq!(told["against"], Value::Null);
    for member in ["title", "section_id", "body", "slug", "status"] {
        assert_eq!(change(&told, member)["before"], Value::Null, "{member}");
        assert_ne!(change(&told, member)["after"], Value::Null, "{member}");
    }
    for member in ["id", "version", "created_at", "updated_at"] {
        assert_eq!(change(&told, member), Value::Null, "{member}");
    }
    let body = "@@ -0,0 +1 @@\n+码头的灯亮了。\n\\ No newline at end of file\n";
    assert_eq!(told["body"], body);
}

async fn any_two_can_be_held_against_each_other(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("一", home, json!({})).await;
    for title in ["二", "三", "四"] {
        patch(&app, id, json!({"title": title})).await;
    }
    let told = diff(&app, id, 4, "?against=1").await.ok(200).json;
    assert_eq!((&told["version"], &told["against"]), (&json!(4), &json!(1)));
    let title = json!([{"member": "title", "before": "一", "after": "四"}]);
    assert_eq!((&told["changes"], &told["body"]), (&title, &Value::Null));
    let told = diff(&app, id, 1, "?against=4").await.ok(200).json;
    let title = json!([{"member": "title", "before": "四", "after": "一"}]);
    assert_eq!(told["changes"], title);
    let told = diff(&app, id, 3, "?against=3").await.ok(200).json;
    assert_eq!(
        (&told["changes"], &told["body"]),
        (&json!([]), &Value::Null)
    );
    let missing = diff(&app, id, 4, "?against=9").await;
    missing.problem(404, "not_found");
    for query in [
        "?against=0",
        "?against=x",
        "?against=1&against=2",
        "?with=1",
    ] {
        let refused = diff(&app, id, 4, query).await;
        refused.problem(400, "invalid_request");
    }
}

async fn a_body_of_another_format_is_told_as_a_member(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let text = json!({"format": "text", "content": "码头的灯亮了。"});
    let markdown = json!({"format": "markdown", "content": "码头的灯亮了。"});
    patch(&app, id, json!({"body": markdown})).await;
    patch(&app, id, json!({"body": null})).await;
    patch(&app, id, json!({"body": text})).await;
    // The same text in another format.
    let told = diff(&app, id, 2, "").await.ok(200).json;
    let body = json!([{"member": "body", "before": text, "after": markdown}]);
    assert_eq!((&told["changes"], &told["body"]), (&body, &Value::Null));
    let told = diff(&app, id, 3, "").await.ok(200).json;
    let gone = json!({"member": "body", "before": markdown, "after": null});
    assert_eq!(change(&told, "body"), gone);
    assert_eq!(members(&told), ["body", "word_count"]);
    let lines = "@@ -1 +0,0 @@\n-码头的灯亮了。\n\\ No newline at end of file\n";
    assert_eq!(told["body"], lines);
    let told = diff(&app, id, 4, "").await.ok(200).json;
    assert_eq!(change(&told, "body")["before"], Value::Null);
    assert_eq!(
        told["body"],
        "@@ -0,0 +1 @@\n+码头的灯亮了。\n\\ No newline at end of file\n"
    );
    // Both without a body: nothing to tell of it.
    patch(&app, id, json!({"body": null})).await;
    let told = diff(&app, id, 5, "?against=3").await.ok(200).json;
    assert_eq!(
        (&told["changes"], &told["body"]),
        (&json!([]), &Value::Null)
    );
}

crate::facts![
    a_revision_is_held_against_the_one_before,
    the_first_one_is_all_new,
    any_two_can_be_held_against_each_other,
    a_body_of_another_format_is_told_as_a_member,
];
