//! Many who write at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{ARTICLES, managed, path, section};
use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Stage;

const SETTINGS: [(&str, &str); 2] = [("LANMU_DB_WAIT_MS", "60000"), ("LANMU_WORKERS", "2")];

fn with_status(answers: &[Answer], status: u16) -> usize {
    answers
        .iter()
        .filter(|answer| answer.status == status)
        .count()
}

async fn of_fifty_changes_of_one_version_one_is_made_and_none_is_lost(stage: Stage) {
    let nodes = [stage.with(&SETTINGS).await, stage.with(&SETTINGS).await];
    let app: &TestApp = &nodes[0];
    let section = section(app).await;
    let id = app.admin().draft("原题", section, json!({})).await;
    let tokens = [nodes[0].token().await, nodes[1].token().await];
    for version in 1..=3 {
        let change = |index: usize| {
            let node = index % 2;
            let request = nodes[node].with(&tokens[node], Method::PATCH, &path(id));
            let request = request.header("if-match", &format!("\"{version}\""));
            let body = json!({"title": format!("第{version}轮之{index}")});
            async move { request.json(&body).send().await }
        };
        let answers = join_all((0..50).map(change)).await;
        assert_eq!(
            (with_status(&answers, 200), with_status(&answers, 412)),
            (1, 49)
        );
        let made = answers
            .iter()
            .find(|answer| answer.status == 200)
            .expect("one");
        let found = managed(app, id).await;
        assert_eq!(found.json, made.json);
        assert_eq!(found["version"], version + 1);
    }
}

async fn a_hundred_of_one_title_have_a_hundred_slugs(stage: Stage) {
    let nodes = [stage.with(&SETTINGS).await, stage.with(&SETTINGS).await];
    let section = section(&nodes[0]).await;
    let tokens = [nodes[0].token().await, nodes[1].token().await];
    let create = |index: usize| {
        let node = index % 2;
        let request = nodes[node].with(&tokens[node], Method::POST, ARTICLES);
        let body = json!({"title": "晨渡", "section_id": section});
        async move { request.json(&body).send().await }
    };
    let answers = join_all((0..100).map(create)).await;
    assert_eq!(with_status(&answers, 201), 100);
    let slugs: BTreeSet<&str> = answers
        .iter()
        .map(|answer| answer["slug"].as_str().expect("a slug"))
        .collect();
    assert_eq!(slugs.len(), 100);
}

crate::facts![
    of_fifty_changes_of_one_version_one_is_made_and_none_is_lost,
    a_hundred_of_one_title_have_a_hundred_slugs,
];
