//! The OpenAPI document: committed, complete, with examples that are real.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, PASSWORD, TestApp};
use crate::support::client::Answer;
use crate::support::contract;
use crate::support::stage::Stage;

async fn the_committed_document_is_the_generated_one(_: Stage) {
    let committed = include_str!("../../openapi/openapi.json");
    assert!(
        committed == lanmu::openapi::pretty(),
        "openapi/openapi.json is not what the code says: run `cargo run -- openapi > openapi/openapi.json`"
    );
}

async fn it_is_served_as_it_is_committed(stage: Stage) {
    let app = stage.app().await;
    let served = app.get("/openapi.json").await.ok(200);
    assert_eq!(&served.json, contract::document());
    assert_eq!(served["openapi"], "3.1.0");
}

/// Every operation: its method, its path, itself.
fn operations() -> impl Iterator<Item = (Method, &'static str, &'static Value)> {
    let paths = contract::document()["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .expect("a path")
            .iter()
            .map(|(name, operation)| {
                let method = Method::from_bytes(name.to_uppercase().as_bytes()).expect("a method");
                (method, path.as_str(), operation)
            })
    })
}

async fn every_operation_is_described_whole(_: Stage) {
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations() {
        let at = format!("{method} {path}");
        let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
        let id = text(&operation["operationId"]);
        assert!(
            !id.is_empty() && ids.insert(id.clone()),
            "{at}: operationId {id:?}"
        );
        for member in ["summary", "description"] {
            assert!(!text(&operation[member]).is_empty(), "{at}: {member}");
        }
        assert_eq!(
            operation["tags"].as_array().map(Vec::len),
            Some(1),
            "{at}: tags"
        );
        assert!(operation["security"].is_array(), "{at}: security");
        let managed = path.starts_with("/v1/admin");
        let secured = !operation["security"].as_array().expect("a list").is_empty();
        assert!(!managed || secured, "{at} is managed and needs a token");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = text(&parameter["name"]);
            assert!(!text(&parameter["description"]).is_empty(), "{at}: {name}");
            if parameter["in"] != "header" {
                assert_limited(&parameter["schema"], &format!("{at}: {name}"));
            }
        }
        for (status, response) in operation["responses"].as_object().expect("responses") {
            assert!(!text(&response["description"]).is_empty(), "{at}: {status}");
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                let has_example = !content["example"].is_null();
                assert!(has_example, "{at}: {status} {media_type} has no example");
            }
        }
        for (media_type, content) in operation["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flatten()
        {
            assert!(
                !content["example"].is_null(),
                "{at}: {media_type} has no example"
            );
        }
        assert!(operation["responses"]["500"].is_object(), "{at}: 500");
    }
}

/// Numbers have a minimum, texts a form or a length.
fn assert_limited(schema: &Value, at: &str) {
    let is = |name: &str| {
        schema["type"] == name
            || schema["type"]
                .as_array()
                .is_some_and(|types| types.iter().any(|t| t == name))
    };
    let has = |names: &[&str]| names.iter().any(|name| !schema[*name].is_null());
    if is("integer") {
        assert!(has(&["minimum"]), "{at} has no minimum");
    }
    if is("string") {
        assert!(
            has(&["maxLength", "pattern", "format", "enum"]),
            "{at} has no limit"
        );
    }
}

async fn the_documented_parameters_are_those_that_are_read(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("要闻", json!({"slug": "news"})).await;
    let article = app
        .admin()
        .article("潮汐", section, json!({"slug": "tide"}))
        .await;
    let names_of = |operation: &'static Value| -> BTreeSet<&'static str> {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_query = parameters.filter(|parameter| parameter["in"] == "query");
        in_query
            .filter_map(|parameter| parameter["name"].as_str())
            .collect()
    };
    let all: BTreeSet<&str> = operations().flat_map(|(.., o)| names_of(o)).collect();
    for (method, template, operation) in operations().filter(|(m, ..)| *m == Method::GET) {
        let id = if template.contains("/sections/") {
            section
        } else {
            article
        };
        let path = template
            .replace("{ref}", &id.to_string())
            .replace("{id}", &id.to_string())
            .replace("{version}", "1");
        let documented = names_of(operation);
        let mut unknown: BTreeSet<String> = BTreeSet::new();
        // So many unknown ones are told at once.
        for some in all.iter().copied().collect::<Vec<_>>().chunks(20) {
            let query: Vec<String> = some.iter().map(|name| format!("{name}=")).collect();
            let path = format!("{path}?{}", query.join("&"));
            let asked = app.admin().request(method.clone(), &path).await;
            let answer = asked.send().await.problem(400, "invalid_request");
            let faults = answer.faults().into_iter();
            unknown.extend(
                faults
                    .filter(|(_, code)| code == "unknown_parameter")
                    .map(|(n, _)| n),
            );
        }
        // Lists that have pages only know cursors in order to say so.
        let named = all
            .iter()
            .filter(|name| **name != "cursor" || documented.contains("limit"));
        let pages_only = |name: &str| name == "cursor" && !documented.contains(name);
        for name in named.filter(|name| !pages_only(name)) {
            let refused = unknown.contains(*name);
            assert_ne!(documented.contains(name), refused, "{template}: {name}");
        }
    }
}

async fn nothing_is_mounted_beside_the_document(_: Stage) {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                let lines = text.lines().enumerate();
                found.extend(
                    lines
                        .filter(|(_, line)| {
                            [".route(", "web::resource(", "web::scope("]
                                .iter()
                                .any(|s| line.contains(s))
                        })
                        .map(|(number, line)| format!("{}:{}: {line}", path.display(), number + 1)),
                );
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert!(
        found.is_empty(),
        "mount with .service(handler), which documents it: {found:#?}"
    );
}

/// Requests that are made, with what was answered, by operation.
struct Recorder {
    app: Rc<TestApp>,
    examples: BTreeMap<String, Value>,
}

impl Recorder {
    async fn call(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.app.admin().request(method.clone(), path).await;
        if path.contains("/v1/admin/") && method == Method::PATCH {
            request = request.header("if-match", "*");
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await;
        let bare = path.split('?').next().unwrap_or_default();
        let operation = contract::operation(&method, bare).expect("it is documented");
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        let example = self.examples.entry(id).or_insert_with(|| json!({}));
        if let Some(body) = body {
            example["request"] = body;
        }
        if !answer.body.is_empty() {
            let mut shown = match &answer.json {
                Value::Null => Value::from(answer.text()),
                json => json.clone(),
            };
            veil(&mut shown);
            if path.starts_with("/v1/admin/audit") {
                number_entries(&mut shown);
            }
            if path == "/metrics" {
                // They tell how long things took.
                shown = json!(METRICS);
            }
            example["answers"][answer.status.to_string()] = shown;
        }
        assert!(answer.status < 300, "{method} {path}: {answer}");
        answer
    }
}

/// Numbers the entries of the audit log anew: on PostgreSQL the dry runs before have used ids up.
fn number_entries(list: &mut Value) {
    let entries = list["data"].as_array_mut().expect("a list");
    for (index, entry) in entries.iter_mut().enumerate() {
        entry["id"] = json!(41 - index);
    }
    list["page"]["next_cursor"] = json!("WyItaWQiLCIiLDQwXQ");
}

/// Some of what `/metrics` tells.
const METRICS: &str = "# HELP lanmu_hits_answered Hits that were written and answered, by result.\n\
    # TYPE lanmu_hits_answered counter\nlanmu_hits_answered_total{result=\"counted\"} 1530\n# EOF\n";

/// Whether it is the beginning of an API key.
fn is_prefix(text: &str) -> bool {
    text.starts_with("lanmu_")
}

/// Puts made-up values in place of those that are random.
fn veil(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "access_token" => *value = json!("eyJ0eXAiOiJhdCtqd3QifQ.e30.c2ln"),
                    "refresh_token" => *value = json!("b3BhcXVlIHRva2Vu"),
                    "token" => *value = json!("b25lLXRpbWUgdG9rZW4"),
                    "url" if value.as_str().is_some_and(|url| url.contains("/preview/")) => {
                        *value = json!("https://www.example.com/preview/b25lLXRpbWUgdG9rZW4");
                    }
                    "url" if value.as_str().is_some_and(|url| url.contains("reset#")) => {
                        *value = json!("https://admin.example.com/reset#b25lLXRpbWUgdG9rZW4");
                    }
                    "key" => *value = json!("lanmu_3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                    "before" | "after" if value.as_str().is_some_and(is_prefix) => {
                        *value = json!("lanmu_3q2-7w");
                    }
                    "prefix" => *value = json!("lanmu_3q2-7w"),
                    "address" if value.is_string() => *value = json!("203.0.113.9"),
                    "request_id" if value.is_string() => *value = json!("0198c2f4a7b0"),
                    "x" => *value = json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
                    "kid" => *value = json!("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
                    _ => veil(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(veil),
        _ => {}
    }
}

/// Uses every operation once, on a small site.
async fn use_everything(recorder: &mut Recorder) {
    use reqwest::Method as M;
    let login = json!({"email": ADMIN, "password": PASSWORD});
    let tokens = recorder.call(M::POST, "/v1/auth/login", Some(login)).await;
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    recorder
        .call(M::POST, "/v1/auth/refresh", Some(refresh))
        .await;
    // The examples show no real password and token.
    recorder.examples.get_mut("login").expect("it was used")["request"] =
        json!({"email": "editor@example.com", "password": "a long pass phrase"});
    recorder
        .examples
        .get_mut("refreshTokens")
        .expect("it was used")["request"] = json!({"refresh_token": "b3BhcXVlIHRva2Vu"});
    for path in [
        "/v1/auth/me",
        "/.well-known/jwks.json",
        "/healthz",
        "/readyz",
        "/metrics",
    ] {
        recorder.call(M::GET, path, None).await;
    }
    let sections = "/v1/admin/sections";
    let news = json!({"name": "新闻", "slug": "news", "description": "城里的新鲜事"});
    let spare = json!({"name": "旧栏目"});
    let stories = json!({"name": "社区故事", "parent_id": 1, "keywords": ["社区"], "kind": "list"});
    let tried = format!("{sections}?dry_run=true");
    recorder.call(M::POST, &tried, Some(news.clone())).await;
    for section in [news, spare, stories] {
        recorder.call(M::POST, sections, Some(section)).await;
    }
    recorder.call(M::GET, sections, None).await;
    recorder.call(M::GET, "/v1/admin/sections/3", None).await;
    let change = json!({"name": "街坊故事", "description": "来自巷口与楼道"});
    recorder
        .call(M::PATCH, "/v1/admin/sections/3", Some(change))
        .await;
    let place = json!({"parent_id": 1, "before": null});
    recorder
        .call(M::POST, "/v1/admin/sections/3/move", Some(place))
        .await;
    // What a dry run answers, and then the deletion.
    for path in ["/v1/admin/sections/2?dry_run=true", "/v1/admin/sections/2"] {
        recorder.call(M::DELETE, path, None).await;
    }

    let articles = "/v1/admin/articles";
    let older = json!({
        "title": "雨后的码头", "section_id": 3, "tags": ["海洋"],
        "legacy_urls": ["/show.asp?id=31"],
        "body": {"format": "text", "content": "雨停了，缆绳还在滴水。"},
        "publish": {"published_at": "2026-01-29T08:00:00+08:00"},
    });
    let newest = json!({
        "title": "渡船加开晚班", "section_id": 3, "tags": ["海洋", "交通"],
        "external_url": "https://ferry.example.com/late",
        "publish": {},
    });
    let full = json!({
        "title": "清晨的港湾", "subtitle": "第一班渡船之前", "section_id": 3,
        "summary": "渔船归港时的码头。", "source": {"name": "青屿日报", "url": "https://daily.example.com/"},
        "author": "林舟", "keywords": ["港口"], "tags": ["海洋"],
        "cover": {"url": "https://img.example.com/harbour.jpg", "alt": "清晨的港湾", "width": 1200, "height": 675},
        "attachments": [{"name": "班次表.pdf", "url": "/files/ferry.pdf", "media_type": "application/pdf", "bytes": 48213}],
        "body": {"format": "markdown", "content": "渔船归港，**码头渐亮**。"},
        "publish": {"published_at": "2026-01-30T09:21:00+08:00"},
    });
    let tried = format!("{articles}?dry_run=true");
    recorder.call(M::POST, &tried, Some(older.clone())).await;
    for article in [older, newest, full] {
        recorder.call(M::POST, articles, Some(article)).await;
    }
    let pushed = json!({
        "title": "图书馆延长开放", "section_id": 3,
        "body": {"format": "html", "content": "<p>周末开到晚上九点。</p>"}, "publish": {},
    });
    let external = "/v1/admin/external-articles/library-0131";
    for _ in 0..2 {
        recorder.call(M::PUT, external, Some(pushed.clone())).await;
    }
    recorder
        .call(M::GET, "/v1/admin/articles?limit=2", None)
        .await;
    recorder.call(M::GET, "/v1/admin/articles/3", None).await;
    let change = json!({
        "summary": "渔船归港，码头渐亮。", "source": null,
        "body": {"content": "渔船归港，**码头渐亮**。\n\n第一班渡船六点离岸。"},
        "note": "补写渡船",
    });
    recorder
        .call(M::PATCH, "/v1/admin/articles/3", Some(change))
        .await;
    for path in ["?limit=2", "/2", "/2/diff"] {
        let path = format!("/v1/admin/articles/3/revisions{path}");
        recorder.call(M::GET, &path, None).await;
    }
    let note = json!({"note": "撤回误改"});
    recorder
        .call(
            M::POST,
            "/v1/admin/articles/3/revisions/2/restore",
            Some(note),
        )
        .await;
    recorder
        .call(M::POST, "/v1/admin/articles/4/unpublish", None)
        .await;
    let again = json!({"published_at": "2026-01-31T09:00:00+08:00"});
    recorder
        .call(M::POST, "/v1/admin/articles/4/publish", Some(again))
        .await;
    recorder
        .call(M::POST, "/v1/admin/articles/3/check", None)
        .await;
    for path in ["/v1/admin/articles/4?dry_run=true", "/v1/admin/articles/4"] {
        recorder.call(M::DELETE, path, None).await;
    }
    recorder
        .call(M::POST, "/v1/admin/articles/4/restore", None)
        .await;
    for (action, body) in [
        ("4/submit", json!({"note": "请核对开放时间"})),
        ("4/reject", json!({"note": "请补一张照片"})),
        ("2/reorder", json!({"position": 0})),
        (
            "bulk",
            json!({"action": "tag", "ids": [1, 2, 99], "add_tags": ["港口"]}),
        ),
    ] {
        let path = format!("/v1/admin/articles/{action}");
        recorder.call(M::POST, &path, Some(body)).await;
    }

    let end = json!({"expires_at": "2026-02-03T18:00:00+08:00"});
    let preview = recorder
        .call(M::POST, "/v1/admin/articles/4/preview", Some(end))
        .await;
    let token = preview["token"].as_str().expect("a token");
    recorder
        .call(M::GET, &format!("/v1/preview/{token}"), None)
        .await;

    let hit = json!({"client": "web", "hit_id": "5f0c1d1e-7a5e-4f0e-9a3e-0d6c6b1f2a10"});
    recorder
        .call(M::POST, "/v1/articles/3/hits", Some(hit))
        .await;
    let batch = json!({"hits": [
        {"article_id": 1, "hit_id": "a1", "at": "2026-01-31T01:59:00Z", "client": "app"},
        {"article_id": 99, "hit_id": "a2"},
    ]});
    recorder.call(M::POST, "/v1/hits", Some(batch)).await;
    let batch = json!({"hits": [
        {"article_id": 3, "hit_id": "r-81", "client": "mini", "visitor": "openid-5f0c"},
        {"article_id": 99, "hit_id": "r-82"},
    ]});
    recorder.call(M::POST, "/v1/admin/hits", Some(batch)).await;
    let import = json!({"reason": "counts of the old portal", "items": [
        {"legacy_url": "/show.asp?id=31", "baseline": 820},
        {"external_id": "library-0131", "baseline": 60},
    ]});
    recorder
        .call(M::PUT, "/v1/admin/hits/baselines", Some(import))
        .await;
    let adjustment = json!({"delta": -2, "reason": "views of a broken script"});
    recorder
        .call(
            M::POST,
            "/v1/admin/articles/1/hits/adjust",
            Some(adjustment),
        )
        .await;
    let baseline = json!({"baseline": 1000, "reason": "counts of the old portal"});
    recorder
        .call(M::PUT, "/v1/admin/articles/3/hits", Some(baseline))
        .await;
    for path in [
        "/v1/site",
        "/v1/sections?include=articles&articles_limit=1",
        "/v1/sections/tree",
        "/v1/sections/news",
        "/v1/sections/news/hits",
        "/v1/articles?section=news&limit=2",
        "/v1/articles/3",
        "/v1/articles/3/neighbors",
        "/v1/articles/3/related?limit=2",
        "/v1/articles/3/qr.svg",
        "/v1/articles/3/hits",
        "/v1/archive",
        "/v1/tags",
        "/v1/changes?limit=3",
        "/v1/hits?article_ids=1,3",
        "/v1/hits/top?window=all&limit=2",
        "/v1/hits/daily?from=2026-01-29&to=2026-01-31",
        "/v1/hits/hourly?hours=3",
        "/v1/hits/monthly?from=2025-12&to=2026-01",
        "/v1/articles/3/hits.js?callback=showHits",
        "/v1/admin/hits.csv",
        "/v1/admin/hits?limit=2",
        "/v1/admin/articles/3/hits",
    ] {
        recorder.call(M::GET, path, None).await;
    }
    let reason = json!({"reason": "test views before the launch"});
    recorder
        .call(M::POST, "/v1/admin/articles/1/hits/reset", Some(reason))
        .await;
    recorder
        .call(M::DELETE, "/v1/admin/articles/1/hits", None)
        .await;
    use_access(recorder).await;
}

/// Uses every operation of accounts, keys and the audit log once; the last one signs out.
async fn use_access(recorder: &mut Recorder) {
    use reqwest::Method as M;
    let editor = json!({
        "email": "editor@example.com", "name": "林舟", "role": "editor", "sections": [1],
    });
    recorder
        .call(M::POST, "/v1/admin/users", Some(editor))
        .await;
    let change = json!({"sections": [1, 3]});
    recorder
        .call(M::PATCH, "/v1/admin/users/2", Some(change))
        .await;
    let reset = recorder
        .call(M::POST, "/v1/admin/users/2/password-reset", None)
        .await;
    let new = json!({"token": reset["token"], "password": "a longer pass phrase"});
    recorder.call(M::POST, "/v1/auth/reset", Some(new)).await;
    let key = json!({
        "name": "weather service", "scopes": ["content:read", "content:write"], "sections": [3],
        "expires_at": "2027-01-31T00:00:00+08:00",
    });
    recorder
        .call(M::POST, "/v1/admin/api-keys", Some(key))
        .await;
    let change = json!({"scopes": ["content:read"]});
    recorder
        .call(M::PATCH, "/v1/admin/api-keys/1", Some(change))
        .await;
    let overlap = json!({"overlap_seconds": 3600});
    recorder
        .call(M::POST, "/v1/admin/api-keys/1/rotate", Some(overlap))
        .await;
    for path in [
        "/v1/admin/users",
        "/v1/admin/users/2",
        "/v1/admin/users/1/sessions?limit=1",
        "/v1/admin/api-keys",
        "/v1/admin/api-keys/1",
        "/v1/admin/audit?resource=api_key&limit=2",
        "/v1/auth/sessions?limit=1",
    ] {
        recorder.call(M::GET, path, None).await;
    }
    for path in [
        "/v1/admin/users/2/sessions",
        "/v1/admin/users/2",
        "/v1/admin/api-keys/1",
        "/v1/auth/sessions/2",
    ] {
        recorder.call(M::DELETE, path, None).await;
    }
    for (operation, request) in [
        (
            "resetPassword",
            json!({"token": "b25lLXRpbWUgdG9rZW4", "password": "a longer pass phrase"}),
        ),
        (
            "changePassword",
            json!({"current_password": "a long pass phrase", "new_password": "a longer pass phrase"}),
        ),
    ] {
        if operation == "changePassword" {
            let change = json!({"current_password": PASSWORD, "new_password": PASSWORD});
            recorder
                .call(M::POST, "/v1/auth/password", Some(change))
                .await;
            recorder.app.forget_token();
        }
        // The examples show no real password and token.
        recorder.examples.get_mut(operation).expect("it was used")["request"] = request;
    }
    recorder.call(M::POST, "/v1/auth/logout", None).await;
    recorder.app.forget_token();
    recorder.call(M::DELETE, "/v1/auth/sessions", None).await;
}

async fn the_examples_are_real_answers(stage: Stage) {
    let mut recorder = Recorder {
        app: stage
            .with(&[
                ("LANMU_RESET_URL", "https://admin.example.com/reset#{token}"),
                (
                    "LANMU_PREVIEW_URL",
                    "https://www.example.com/preview/{token}",
                ),
            ])
            .await,
        examples: BTreeMap::new(),
    };
    use_everything(&mut recorder).await;
    let document =
        json!({"openapi": "3.1.0", "info": {"title": "Lanmu", "version": "0.1.0"}, "paths": {}});
    recorder.examples.insert(
        "getOpenApi".to_owned(),
        json!({"answers": {"200": document}}),
    );
    let used: BTreeSet<&str> = recorder.examples.keys().map(String::as_str).collect();
    let all = operations().filter_map(|(.., operation)| operation["operationId"].as_str());
    assert_eq!(used, all.collect());

    let mut text = serde_json::to_string_pretty(&recorder.examples).expect("JSON");
    text.push('\n');
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/examples.json");
    #[allow(
        clippy::disallowed_methods,
        reason = "a setting of the suite, not of the service"
    )]
    if std::env::var("LANMU_WRITE_EXAMPLES").is_ok() {
        fs::write(file, text).expect("it is written");
        return;
    }
    let committed = fs::read_to_string(file).expect("it is there");
    assert!(
        committed == text,
        "openapi/examples.json is not what is answered: run \
         `LANMU_WRITE_EXAMPLES=1 cargo test --test it -- examples`, then \
         `cargo run -- openapi > openapi/openapi.json`"
    );
}

crate::facts![
    the_committed_document_is_the_generated_one,
    it_is_served_as_it_is_committed,
    every_operation_is_described_whole,
    the_documented_parameters_are_those_that_are_read,
    nothing_is_mounted_beside_the_document,
    the_examples_are_real_answers,
];
