//! What is found, where, and by whom.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::databases;
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::{check, draft, found, in_body, path, places};

async fn what_an_article_lacks_is_found(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let bare = json!({"cover": {"url": "/img/dawn.jpg"}, "summary": "　"});
    let bare = app.admin().draft("晨渡", section, bare).await;
    let answer = check(&app, bare).await;
    let told = places(&answer, "");
    let told: Vec<_> = told
        .iter()
        .map(|(c, p, _)| (c.as_str(), p.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("missing_summary", "/summary"),
            ("missing_source", "/source"),
            ("image_without_alt", "/cover/alt"),
        ]
    );
    let first = &answer["data"][0];
    assert_eq!(
        (&first["severity"], &first["offset"]),
        (&json!("warning"), &Value::Null)
    );
    assert_eq!(answer["blocking"], false);
    let whole = draft(&app, "text", "船离岸了。<a href=x>").await;
    let answer = check(&app, whole).await;
    assert_eq!(answer.json, json!({"data": [], "blocking": false}));
}

async fn html_is_checked_as_it_was_sent(stage: Stage) {
    let app = stage.app().await;
    let content = "<p class=MsoNormal>船离岸了🎉<o:p></o:p></p><a href=\"班次.html\">一</a>\
        <a href=\" Java&#x0A;Script:x()\">二</a><a href='https://tide.example/'>三</a>\
        <a href=https://img.www.example.com/>四</a><a href='#注'>五</a><img src=\"//cdn.example/a.png\">";
    let id = draft(&app, "html", content).await;
    let answer = check(&app, id).await;
    assert_eq!(
        in_body(&answer, content),
        found(&[
            ("javascript_link", " Java&"),
            ("office_markup", "<p cla"),
            ("office_markup", "<o:p><"),
            ("relative_link", "班次.htm"),
            ("image_without_alt", "<img s"),
            ("relative_link", "//cdn."),
            ("external_link", "https:"),
        ])
    );
    let severities = answer["data"].as_array().expect("a list").iter();
    let severities: Vec<_> = severities.map(|f| f["severity"].as_str()).collect();
    assert_eq!(severities.first(), Some(&Some("error")));
    assert_eq!(severities.last(), Some(&Some("info")));
}

async fn markdown_is_checked_as_it_was_sent(stage: Stage) {
    let app = stage.app().await;
    let content = "# 班次\n\n船🎉离岸 [一](班次.html) ![](https://www.example.com/a.png)\n\n\
        > <a href=\"javascript:x()\">二</a> [三][r] `<img>`\n\n[r]: /三.html\n";
    let id = draft(&app, "markdown", content).await;
    let answer = check(&app, id).await;
    assert_eq!(
        in_body(&answer, content),
        found(&[
            ("javascript_link", "javasc"),
            ("relative_link", "班次.htm"),
            ("image_without_alt", "![](ht"),
            ("relative_link", ""),
        ])
    );
    assert_eq!(answer["data"][3]["offset"], Value::Null);
}

async fn two_hundred_findings_are_told_the_worst_first(stage: Stage) {
    let app = stage.app().await;
    let content = format!(
        "{}<a href=javascript:x>夜</a>",
        "<a href=x>晨</a>".repeat(300)
    );
    let id = draft(&app, "html", &content).await;
    let answer = check(&app, id).await;
    let told = in_body(&answer, &content);
    assert_eq!(told.len(), 200);
    assert_eq!(told[0].0, "javascript_link");
    assert_eq!(answer["data"][1]["offset"], 8);
    assert_eq!(answer["data"][199]["offset"], 8 + 198 * 15);
}

async fn whoever_reads_an_article_may_check_it(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = admin.section("港口", json!({})).await;
    let beside = admin.section("渔场", json!({})).await;
    let own = admin.draft("晨渡", home, json!({})).await;
    let hidden = admin.draft("夜渡", beside, json!({})).await;
    let public = admin.article("午渡", beside, json!({})).await;
    let sections = json!({"sections": [home]});
    for role in ["viewer", "editor"] {
        let email = format!("{role}@example.com");
        app.account(&email, role, sections.clone()).await;
        let token = app.sign_in(&email, SECRET).await.access;
        let ask = |id: i64| app.with(&token, Method::POST, &path(id));
        ask(own).send().await.ok(200);
        ask(hidden).send().await.problem(404, "not_found");
        ask(public).send().await.problem(403, "forbidden");
    }
    let (_, key) = app.api_key(&["content:read"], json!({})).await;
    let ask = app.with(&key, Method::POST, &path(hidden));
    ask.send().await.ok(200);
    let (_, key) = app.api_key(&["hits:read"], json!({})).await;
    let ask = app.with(&key, Method::POST, &path(hidden));
    ask.send().await.problem(403, "forbidden");
    let ask = app.request(Method::POST, &path(own));
    ask.send().await.problem(401, "unauthorized");
    admin.act(&path(987_654)).await.problem(404, "not_found");
}

async fn a_check_changes_nothing(stage: Stage) {
    let app = stage.app().await;
    let id = draft(&app, "html", "<a href=x>晨</a>").await;
    app.token().await;
    let before = databases::rows(&mut app.connect());
    let answer = check(&app, id).await;
    assert_eq!(answer.header("etag"), None);
    let again = app.admin().post(&path(id), json!({})).await.ok(200);
    assert_eq!(answer.json, again.json);
    assert_eq!(databases::rows(&mut app.connect()), before);
    let some = app.admin().post(&path(id), json!({"codes": []})).await;
    some.problem(400, "invalid_body");
    let asked = app.admin().act(&format!("{}?code=x", path(id))).await;
    asked.problem(400, "invalid_request");
}

async fn what_is_in_the_trash_is_checked_too(stage: Stage) {
    let app = stage.app().await;
    let id = draft(&app, "html", "<a href=x>晨</a>").await;
    let one = format!("/v1/admin/articles/{id}");
    app.admin().delete(&one).await.ok(204);
    assert_eq!(check(&app, id).await["data"][0]["code"], "relative_link");
}

crate::facts![
    what_an_article_lacks_is_found,
    html_is_checked_as_it_was_sent,
    markdown_is_checked_as_it_was_sent,
    two_hundred_findings_are_told_the_worst_first,
    whoever_reads_an_article_may_check_it,
    a_check_changes_nothing,
    what_is_in_the_trash_is_checked_too,
];
