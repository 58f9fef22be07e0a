//! Counts as a table for spreadsheets.

use diesel::connection::SimpleConnection;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::{EVERY_VIEW, number, published, views};

const PATH: &str = "/v1/admin/hits.csv";

/// The rows of a table, each cell under its column's name.
fn rows(answer: &Answer) -> Vec<csv::StringRecord> {
    let text = answer.text();
    let text = text.strip_prefix('\u{FEFF}').expect("a byte-order mark");
    assert!(text.ends_with("\r\n"), "{text}");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().expect("a header").clone();
    assert_eq!(
        (header.len(), &header[0], &header[24]),
        (25, "article_id", "as_of")
    );
    reader.records().map(|row| row.expect("a row")).collect()
}

/// The cells of one column.
fn column(answer: &Answer, index: usize) -> Vec<String> {
    rows(answer)
        .iter()
        .map(|row| row[index].to_owned())
        .collect()
}

async fn export(app: &TestApp, query: &str) -> Answer {
    app.admin().get(&format!("{PATH}{query}")).await.ok(200)
}

async fn the_table_has_every_count_and_no_formula(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let section = app.admin().section("-港口", json!({})).await;
    let titles = [
        "=HYPERLINK(\"http://evil.example\",\"x\")",
        "+1",
        "-1",
        "@SUM(A1)",
        "＝cmd|' /C calc'!A0",
        "'晨渡",
        "晨渡，\"夜渡\", 渡; a=b",
    ];
    let mut ids = Vec::new();
    for title in titles {
        ids.push(published(&app, title, section, "2020-01-01T00:00:00Z").await);
    }
    views(&app, ids[0], 2).await;
    let hits = format!("/v1/admin/articles/{}/hits", ids[0]);
    let baseline = json!({"baseline": 40, "reason": "旧站"});
    app.admin().put(&hits, baseline).await.ok(200);
    let adjustment = json!({"delta": -5, "reason": "误计"});
    let adjust = format!("{hits}/adjust");
    app.admin().post(&adjust, adjustment).await.ok(200);
    let table = export(&app, "").await;
    let name = "attachment; filename=\"hits-2026-01-31.csv\"";
    assert_eq!(table.header("content-disposition"), Some(name));
    assert_eq!(
        table.header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    assert_eq!(table.header("cache-control"), Some("no-store"));
    let shown = column(&table, 1);
    for (shown, title) in shown.iter().zip(titles) {
        let is_guarded = !title.starts_with(['\'', '晨']);
        let expected = if is_guarded {
            format!("'{title}")
        } else {
            title.to_owned()
        };
        assert_eq!(*shown, expected);
    }
    let count = app.admin().get(&hits).await.ok(200);
    let mut expected = vec![ids[0].to_string(), shown[0].clone()];
    expected.push(rows(&table)[0][2].to_owned());
    expected.extend(["'-港口".to_owned(), "published".to_owned()]);
    for member in ["total", "today", "last_7_days", "last_30_days"] {
        expected.push(number(&count, member).to_string());
    }
    for member in ["today", "last_7_days", "last_30_days"] {
        expected.push(count["visitors"][member].to_string());
    }
    for member in [
        "baseline",
        "counted",
        "adjusted",
        "duplicate",
        "bot",
        "rejected",
        "received",
    ] {
        expected.push(number(&count, member).to_string());
    }
    for member in ["web", "h5", "app", "mini", "other"] {
        expected.push(count["clients"][member].to_string());
    }
    expected.push(count["as_of"].as_str().expect("an instant").to_owned());
    assert_eq!(rows(&table)[0].iter().collect::<Vec<_>>(), expected);
    assert_eq!(column(&table, 5), ["37", "0", "0", "0", "0", "0", "0"]);
    app.fold().await;
    assert_eq!(export(&app, "").await.body, table.body);
    let head = app.admin().request(Method::HEAD, PATH).await;
    let head = head.send().await.ok(200);
    assert_eq!(head.header("content-disposition"), Some(name));
}

async fn the_table_has_what_the_caller_works_with(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = admin.section("港口", json!({"slug": "port"})).await;
    let below = admin.section("码头", json!({"parent_id": home})).await;
    let beside = admin.section("集市", json!({})).await;
    let mut ids = Vec::new();
    for section in [home, below, beside] {
        ids.push(admin.draft("稿", section, json!({})).await.to_string());
    }
    let sections = json!({"sections": [home]});
    app.account("e@example.com", "editor", sections.clone())
        .await;
    app.account("a@example.com", "author", sections).await;
    let editor = app.sign_in("e@example.com", SECRET).await.access;
    let author = app.sign_in("a@example.com", SECRET).await.access;
    let own = json!({"title": "稿", "section_id": below});
    let own = app
        .with(&author, Method::POST, "/v1/admin/articles")
        .json(&own);
    ids.push(own.send().await.ok(201)["id"].to_string());
    let of = |picked: &[usize]| picked.iter().map(|n| ids[*n].clone()).collect::<Vec<_>>();
    assert_eq!(column(&export(&app, "").await, 0), of(&[0, 1, 2, 3]));
    assert_eq!(
        column(&export(&app, "?section=port").await, 0),
        of(&[0, 1, 3])
    );
    for (token, section, picked) in [
        (&editor, String::new(), vec![0, 1, 3]),
        (&editor, format!("?section={below}"), vec![1, 3]),
        (&editor, format!("?section={beside}"), vec![]),
        (&author, String::new(), vec![3]),
    ] {
        let table = app
            .get_with(token, &format!("{PATH}{section}"))
            .await
            .ok(200);
        assert_eq!(column(&table, 0), of(&picked), "{section}");
    }
    let (_, key) = app.api_key(&["hits:write"], json!({})).await;
    app.get_with(&key, PATH).await.problem(403, "forbidden");
    app.get(PATH).await.problem(401, "unauthorized");
}

async fn the_table_goes_on_over_pages(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let first = app.admin().draft("稿", section, json!({})).await;
    let columns = "section_id, title, title_key, keywords, tags, lang, featured, status, dated_at, \
                   live, word_count, created_at, updated_at, version";
    let copied = |number: i64| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) \
             INSERT INTO articles (slug, {columns}) \
             SELECT 'copy-{number}-' || i, {columns} FROM articles, n WHERE id = {first}"
        )
    };
    let copy = |number: i64| {
        let made = app.connect().batch_execute(&copied(number));
        made.expect("they are copied");
    };
    let ids = async || -> Vec<i64> {
        let ids = column(&export(&app, "").await, 0);
        ids.iter().map(|id| id.parse().expect("an id")).collect()
    };
    // A whole page, and more.
    for (more, all) in [(999, 1000), (1, 1001), (1500, 2501)] {
        copy(more);
        let ids = ids().await;
        assert_eq!(ids.len(), all);
        assert!(ids.is_sorted_by(|one, next| one < next));
    }
}

async fn an_empty_table_has_its_header(stage: Stage) {
    let app = stage.app().await;
    let table = export(&app, "").await;
    assert_eq!(rows(&table).len(), 0);
    assert_eq!(table.json, Value::Null);
}

crate::facts![
    the_table_has_every_count_and_no_formula,
    the_table_has_what_the_caller_works_with,
    the_table_goes_on_over_pages,
    an_empty_table_has_its_header,
];
