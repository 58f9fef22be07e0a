//! Writes that come all at once, and so share transactions.

use futures_util::future::join_all;
use serde_json::json;

use super::ARTICLES;
use crate::support::app::TestApp;
use crate::support::stage::Stage;

async fn waiting(app: &TestApp) -> usize {
    let metrics = app.get("/metrics").await.ok(200).text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("lanmu_db_waiting "));
    line.map_or(0, |number| number.parse().expect("a number"))
}

async fn those_that_come_at_once_are_kept_or_refused_each_by_itself(stage: Stage) {
    let app = stage.with(&[("LANMU_DB_WAIT_MS", "60000")]).await;
    let port = app.admin().section("港口", json!({})).await;
    let before = app.get("/v1/changes").await.ok(200).json["data"]
        .as_array()
        .map_or(0, Vec::len);
    let held = app.hold_writers();
    let bodies: Vec<_> = (0..12)
        .map(|n| {
            let slug = format!("ferry-{}", n / 2);
            let section = if n == 10 { port + 1 } else { port };
            let body = json!({"format": "html", "content": "<p>开航</p>"});
            json!({
                "title": format!("渡轮{n}"), "slug": slug, "section_id": section,
                "body": body, "publish": {}
            })
        })
        .collect();
    let writes = bodies.iter().map(async |body| {
        let request = app.admin().request(reqwest::Method::POST, ARTICLES).await;
        request.json(body).send().await
    });
    let release = async {
        for _ in 0..1000 {
            if waiting(&app).await == bodies.len() - 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(waiting(&app).await, bodies.len() - 1);
        drop(held);
    };
    let (answers, ()) = futures_util::future::join(join_all(writes), release).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let of = |status| statuses.iter().filter(|is| **is == status).count();
    // Of each two with one slug the first is made, but one names a section that there is not.
    assert_eq!((of(201), of(409), of(422)), (6, 5, 1), "{statuses:?}");
    assert_eq!(waiting(&app).await, 0);
    let mut ids: Vec<i64> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json["id"].as_i64().expect("an id"))
        .collect();
    ids.sort_unstable();
    // What was refused has taken nothing, no number of an article and none of the change log.
    let listed = app.get("/v1/articles?sort=published_at").await.ok(200);
    assert_eq!(listed.json["data"].as_array().map(Vec::len), Some(6));
    let changes = app.get("/v1/changes").await.ok(200).json;
    let changes = changes["data"].as_array().expect("a list");
    assert_eq!(changes.len(), before + 6);
    let audit = app
        .admin()
        .get("/v1/admin/audit?event=article.created")
        .await
        .ok(200);
    assert_eq!(audit.json["data"].as_array().map(Vec::len), Some(6));
    for id in ids {
        app.get(&format!("/v1/articles/{id}")).await.ok(200);
    }
}

crate::facts![those_that_come_at_once_are_kept_or_refused_each_by_itself];
