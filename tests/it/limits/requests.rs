//! Requests per minute, by address.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, PASSWORD, TestApp};
use crate::support::contract;
use crate::support::stage::Stage;

use super::{PROXY, SITE, from, limited, told, write};

const FIVE_READS: (&str, &str) = ("LANMU_RATE_READS", "5");
const TWO_READS: (&str, &str) = ("LANMU_RATE_READS", "2");

async fn reads(app: &TestApp, number: usize) {
    for _ in 0..number {
        app.get(SITE).await.ok(200);
    }
}

async fn an_address_reads_as_often_as_the_setting_says(stage: Stage) {
    let app = stage.with(&[FIVE_READS]).await;
    let policy = Some("\"reads\";q=5;w=60");
    for left in [4, 3, 2, 1, 0] {
        let answer = app.get(SITE).await.ok(200);
        let state = format!("\"reads\";r={left};t=12");
        assert_eq!(told(&answer), (Some(state.as_str()), policy));
    }
    let answer = limited(app.get(SITE).await, "12");
    assert_eq!(told(&answer), (Some("\"reads\";r=0;t=12"), policy));
    // What is refused costs nothing, and what comes back comes evenly.
    app.advance(11);
    limited(app.get(SITE).await, "1");
    app.advance(1);
    reads(&app, 1).await;
    limited(app.get(SITE).await, "12");
    app.advance(36);
    reads(&app, 3).await;
    limited(app.get(SITE).await, "12");
    app.advance(3600);
    reads(&app, 5).await;
    limited(app.get(SITE).await, "12");
}

async fn by_default_there_is_plenty(stage: Stage) {
    let app = stage.app().await;
    let read = app.get(SITE).await.ok(200);
    let expected = (
        Some("\"reads\";r=59999;t=1"),
        Some("\"reads\";q=60000;w=60"),
    );
    assert_eq!(told(&read), expected);
    let written = write(&app).await.ok(401);
    let expected = (
        Some("\"writes\";r=11999;t=1"),
        Some("\"writes\";q=12000;w=60"),
    );
    assert_eq!(told(&written), expected);
}

async fn a_clock_that_goes_back_locks_nobody_out(stage: Stage) {
    let app = stage.with(&[FIVE_READS]).await;
    reads(&app, 2).await;
    app.set_clock("2026-01-01T00:00:00Z");
    reads(&app, 3).await;
    limited(app.get(SITE).await, "12");
}

async fn writes_are_counted_apart_from_reads(stage: Stage) {
    let app = stage.with(&[TWO_READS, ("LANMU_RATE_WRITES", "3")]).await;
    for left in [2, 1, 0] {
        let state = format!("\"writes\";r={left};t=20");
        let answer = write(&app).await.ok(401);
        assert_eq!(answer.header("ratelimit"), Some(state.as_str()));
    }
    limited(write(&app).await, "20");
    for (method, path) in [
        (Method::POST, "/v1/admin/sections"),
        (Method::PUT, "/v1/admin/external-articles/a"),
        (Method::PATCH, "/v1/admin/articles/1"),
        (Method::DELETE, "/v1/admin/articles/1"),
        (Method::POST, "/v1/nothing"),
        (Method::POST, "/v1/site"),
        (Method::TRACE, "/v1/site"),
    ] {
        limited(app.request(method, path).send().await, "20");
    }
    reads(&app, 2).await;
    let head = app.request(Method::HEAD, SITE).send().await.ok(429);
    assert_eq!(head.header("retry-after"), Some("30"));
}

async fn errors_and_unchanged_answers_tell_it_too(stage: Stage) {
    let app = stage.app().await;
    let tag = app.get(SITE).await.ok(200);
    let tag = tag.header("etag").expect("a tag").to_owned();
    let unchanged = app.request(Method::GET, SITE).header("if-none-match", &tag);
    let answers = [
        (304, unchanged.send().await),
        (404, app.get("/v1/articles/7").await),
        (404, app.get("/v1/nothing").await),
        (400, app.get("/v1/articles?limit=0").await),
        (401, app.get("/v1/admin/articles").await),
        (200, app.get("/openapi.json").await),
        (307, app.get("/docs").await),
    ];
    for (left, (status, answer)) in (0..59_999).rev().zip(answers) {
        let answer = answer.ok(status);
        let state = format!("\"reads\";r={left};t=1");
        let expected = (Some(state.as_str()), Some("\"reads\";q=60000;w=60"));
        assert_eq!(told(&answer), expected, "{status}");
    }
}

async fn addresses_behind_a_trusted_proxy_are_counted_apart(stage: Stage) {
    let app = stage.with(&[PROXY, TWO_READS]).await;
    for address in ["203.0.113.7", "203.0.113.8", "2001:db8:1:2::a"] {
        for _ in 0..2 {
            from(&app, address, Method::GET, SITE).send().await.ok(200);
        }
        limited(from(&app, address, Method::GET, SITE).send().await, "30");
    }
    // The same ones in other words: what a client wrote itself, IPv4 in IPv6, an IPv6 household.
    for same in [
        "198.51.100.1, 203.0.113.7",
        "::ffff:203.0.113.8",
        "2001:db8:1:2:ffff:1:2:3",
    ] {
        limited(from(&app, same, Method::GET, SITE).send().await, "30");
    }
    let household = "2001:db8:1:3::a";
    from(&app, household, Method::GET, SITE)
        .send()
        .await
        .ok(200);
}

async fn no_byte_that_a_client_writes_hides_it_behind_its_proxy(stage: Stage) {
    let app = stage.with(&[PROXY, TWO_READS]).await;
    let read = |value: &[u8]| {
        let request = app.request(Method::GET, SITE);
        request.raw_header("x-forwarded-for", value).send()
    };
    // The proxy's own share is untouched by whoever sends through it.
    read(b"\xff, 203.0.113.7").await.ok(200);
    read("\u{6e2f}, 203.0.113.7".as_bytes()).await.ok(200);
    limited(read(b"\xff, 203.0.113.7").await, "30");
    limited(read(b"203.0.113.7:4711").await, "30");
    reads(&app, 2).await;
    read(b"[2001:db8::1]:4711").await.ok(200);
    read(b"2001:db8::2").await.ok(200);
    limited(read(b"[2001:db8::3]:4711").await, "30");
}

async fn an_address_that_an_untrusted_peer_tells_changes_nothing(stage: Stage) {
    let app = stage.with(&[TWO_READS]).await;
    reads(&app, 2).await;
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "127.0.0.2"),
        ("x-real-ip", "203.0.113.8"),
        ("forwarded", "for=203.0.113.9"),
    ] {
        let request = app.request(Method::GET, SITE).header(name, value);
        limited(request.send().await, "30");
    }
}

/// Status of a request whose target is sent as it stands.
fn raw(app: &TestApp, method: &str, target: &str) -> u16 {
    let mut stream = TcpStream::connect(app.address()).expect("the node listens");
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).expect("a status line");
    status.parse().expect("a number")
}

async fn no_spelling_of_a_path_gets_past(stage: Stage) {
    let app = stage.with(&[TWO_READS, ("LANMU_RATE_WRITES", "1")]).await;
    reads(&app, 2).await;
    write(&app).await.ok(401);
    for target in [
        "/v1/%73ite",
        "/v1/site?healthz",
        "/v1/site#/healthz",
        "//v1/site",
        "/v1/site/",
        "/healthz/",
        "/healthz/../v1/site",
        "/healthz%2F..%2Fv1%2Fsite",
        "/healthz;/v1/site",
        "/v1/hits",
        "/v1/articles/1/hits",
    ] {
        assert_eq!(raw(&app, "GET", target), 429, "{target}");
    }
    for target in [
        "/v1/%61uth/refresh",
        "/v1/hits/",
        "/v1/hits/../auth/refresh",
        "/v1/articles/../auth/refresh/hits",
        "/v1/articles//hits",
        "/v1/articles/1/hits/",
        "/v1/articles/1/hits%2F",
        "/v1/admin/articles/1/hits/reset",
        "/v1/%61dmin/articles/1/hits",
    ] {
        assert_eq!(raw(&app, "POST", target), 429, "{target}");
    }
}

async fn health_and_preflights_are_not_limited(stage: Stage) {
    let app = stage
        .with(&[("LANMU_RATE_READS", "1"), ("LANMU_RATE_WRITES", "1")])
        .await;
    reads(&app, 1).await;
    write(&app).await.ok(401);
    for _ in 0..3 {
        for (method, path, status) in [
            (Method::GET, "/healthz", 200),
            (Method::HEAD, "/healthz", 200),
            (Method::GET, "/%68ealthz", 200),
            (Method::GET, "/readyz", 200),
            (Method::GET, "/metrics", 200),
            (Method::OPTIONS, "/healthz", 204),
        ] {
            let answer = app.request(method, path).send().await.ok(status);
            assert_eq!(told(&answer), (None, None), "{path}");
        }
        let preflight = app
            .request(Method::OPTIONS, "/v1/articles")
            .header("origin", "https://any.example")
            .header("access-control-request-method", "GET");
        preflight.send().await.ok(204);
    }
    limited(app.get(SITE).await, "60");
}

async fn options_without_a_preflight_is_a_read(stage: Stage) {
    let app = stage.with(&[TWO_READS]).await;
    let options = |path: &str| app.request(Method::OPTIONS, path);
    options("/v1/articles").send().await.ok(204);
    // A question of the guard's to the database.
    let managed = options("/v1/admin/articles").header("authorization", "Bearer lanmu_none");
    managed.send().await.ok(401);
    for path in ["/v1/articles", "/v1/admin/articles", "/v1/nothing"] {
        limited(options(path).send().await, "30");
    }
    limited(app.get(SITE).await, "30");
}

async fn off_turns_everything_off(stage: Stage) {
    let app = stage
        .with(&[
            ("LANMU_RATE_LIMIT", "off"),
            ("LANMU_RATE_READS", "1"),
            ("LANMU_RATE_WRITES", "1"),
            ("LANMU_RATE_HITS", "1"),
            ("LANMU_HIT_WINDOW", "0"),
        ])
        .await;
    for _ in 0..3 {
        let answer = app.get(SITE).await.ok(200);
        assert_eq!(told(&answer), (None, None));
    }
    for _ in 0..61 {
        let wrong = json!({"email": ADMIN, "password": "wrong horse battery"});
        let answer = app.post("/v1/auth/login", wrong).await;
        let answer = answer.problem(401, "invalid_credentials");
        assert_eq!(told(&answer), (None, None));
    }
    let right = json!({"email": ADMIN, "password": PASSWORD});
    app.post("/v1/auth/login", right).await.ok(200);
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    for _ in 0..3 {
        let path = format!("/v1/articles/{id}/hits");
        let view = app.request(Method::POST, &path).send().await.ok(200);
        assert_eq!(view["result"], "counted");
    }
}

async fn what_can_be_limited_is_documented(_: Stage) {
    let paths = contract::document()["paths"].as_object().expect("paths");
    let exempt = [
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
        ("post", "/v1/hits"),
        ("post", "/v1/articles/{ref}/hits"),
    ];
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("a path") {
            let answers = operation["responses"].as_object().expect("answers");
            let at = format!("{method} {path}");
            let is_exempt = exempt.contains(&(method.as_str(), path.as_str()));
            assert_eq!(answers.contains_key("429"), !is_exempt, "{at}");
            for (status, answer) in answers {
                let has = |name: &str| answer["headers"][name]["schema"] != Value::Null;
                let is_told = status == "429" || status.starts_with('2');
                for name in ["RateLimit", "RateLimit-Policy"] {
                    assert_eq!(has(name), is_told && !is_exempt, "{at} {status}: {name}");
                }
                assert!(status != "429" || has("Retry-After"), "{at}");
            }
        }
    }
}

crate::facts![
    an_address_reads_as_often_as_the_setting_says,
    by_default_there_is_plenty,
    a_clock_that_goes_back_locks_nobody_out,
    writes_are_counted_apart_from_reads,
    errors_and_unchanged_answers_tell_it_too,
    addresses_behind_a_trusted_proxy_are_counted_apart,
    no_byte_that_a_client_writes_hides_it_behind_its_proxy,
    an_address_that_an_untrusted_peer_tells_changes_nothing,
    no_spelling_of_a_path_gets_past,
    health_and_preflights_are_not_limited,
    options_without_a_preflight_is_a_read,
    off_turns_everything_off,
    what_can_be_limited_is_documented,
];
