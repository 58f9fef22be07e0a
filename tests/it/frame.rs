//! What every request meets: ids, problems, methods, conditions, CORS, codings, limits, overload.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join;
use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::stage::Stage;

/// A node with one section of one article.
async fn a_site(stage: &Stage) -> Rc<TestApp> {
    let app = stage.app().await;
    let section = app.admin().section("要闻", json!({"slug": "news"})).await;
    let text = "潮水退去，滩涂上留下一行脚印。".repeat(200);
    let body = json!({"slug": "tide", "body": {"format": "text", "content": text}});
    app.admin().article("潮汐", section, body).await;
    app
}

async fn a_path_that_is_none_is_a_problem(stage: Stage) {
    let app = stage.app().await;
    for path in [
        "/",
        "/v1",
        "/v1/nothing",
        "/v1/articles/1/nothing",
        "/v2/articles",
        "/docs/none",
    ] {
        app.get(path).await.problem(404, "not_found");
    }
}

async fn a_method_that_is_none_is_told_what_there_is(stage: Stage) {
    let app = stage.app().await;
    for (method, path, allow) in [
        (Method::PUT, "/v1/articles", "GET, HEAD, OPTIONS"),
        (Method::DELETE, "/v1/articles/1", "GET, HEAD, OPTIONS"),
        (
            Method::PATCH,
            "/v1/articles/1/hits",
            "GET, HEAD, POST, OPTIONS",
        ),
        (Method::PUT, "/v1/%61rticles", "GET, HEAD, OPTIONS"),
        (Method::GET, "/v1/auth/login", "POST, OPTIONS"),
        (Method::POST, "/docs/", "GET, HEAD, OPTIONS"),
        (Method::TRACE, "/healthz", "GET, HEAD, OPTIONS"),
    ] {
        let answer = app
            .request(method, path)
            .send()
            .await
            .problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
    }
    let token = app.token().await;
    let refused = app
        .request(Method::PUT, "/v1/admin/articles/1")
        .header("authorization", &format!("Bearer {token}"));
    let allow = "GET, HEAD, PATCH, DELETE, OPTIONS";
    assert_eq!(
        refused
            .send()
            .await
            .problem(405, "method_not_allowed")
            .header("allow"),
        Some(allow)
    );
    let asked = app
        .request(Method::OPTIONS, "/v1/articles")
        .send()
        .await
        .ok(204);
    assert_eq!(asked.header("allow"), Some("GET, HEAD, OPTIONS"));
}

async fn a_sane_request_id_is_kept_and_another_is_not(stage: Stage) {
    let app = stage.app().await;
    let id_of = async |given: &str| {
        let request = app
            .request(Method::GET, "/v1/site")
            .header("x-request-id", given);
        let answer = request.send().await.ok(200);
        answer.header("x-request-id").expect("an id").to_owned()
    };
    assert_eq!(id_of("abc-1_2.Z").await, "abc-1_2.Z");
    let long = "a".repeat(129);
    for insane in ["", "a b", "<script>", "a\"b", long.as_str()] {
        assert_ne!(id_of(insane).await, insane);
    }
    assert_ne!(id_of("").await, id_of("").await);
    // The problem tells the same id.
    let request = app
        .request(Method::GET, "/v1/articles/none")
        .header("x-request-id", "mine");
    assert_eq!(
        request.send().await.problem(404, "not_found")["request_id"],
        "mine"
    );
}

async fn head_is_get_without_the_body(stage: Stage) {
    let app = a_site(&stage).await;
    for path in [
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/docs/",
        "/.well-known/jwks.json",
        "/v1/site",
        "/v1/sections",
        "/v1/sections/tree",
        "/v1/sections/news",
        "/v1/sections/news/hits",
        "/v1/articles",
        "/v1/articles/tide",
        "/v1/articles/tide/hits",
        "/v1/articles/tide/qr.svg",
        "/v1/articles/tide/neighbors",
        "/v1/articles/tide/related",
        "/v1/archive",
        "/v1/tags",
        "/v1/hits?article_ids=1",
        "/v1/hits/top",
        "/v1/hits/daily",
        "/v1/hits/hourly",
        "/v1/hits/monthly",
        "/v1/articles/tide/hits.js?callback=show",
        "/v1/articles/none",
    ] {
        let get = app.get(path).await;
        let head = app.request(Method::HEAD, path).send().await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        for name in [
            "etag",
            "content-type",
            "content-length",
            "cache-control",
            "link",
            "vary",
        ] {
            let length_differs = name == "content-length" && get.status >= 400;
            if !length_differs {
                assert_eq!(head.header(name), get.header(name), "{path} {name}");
            }
        }
    }
    let token = app.token().await;
    let head = app
        .request(Method::HEAD, "/v1/admin/articles/1")
        .header("authorization", &format!("Bearer {token}"));
    assert_eq!(head.send().await.ok(200).header("etag"), Some("\"1\""));
}

async fn a_client_that_has_the_answer_gets_304(stage: Stage) {
    let app = a_site(&stage).await;
    let first = app.get("/v1/articles/tide").await.ok(200);
    let tag = first.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with('"'), "strong: {tag}");
    assert!(first.header("last-modified").is_some());
    let ask = async |value: &str| {
        let request = app.request(Method::GET, "/v1/articles/tide");
        request.header("if-none-match", value).send().await
    };
    for value in [
        tag.clone(),
        format!("\"other\", {tag}"),
        format!("W/{tag}"),
        "*".to_owned(),
    ] {
        let unchanged = ask(&value).await.ok(304);
        assert!(unchanged.body.is_empty());
        assert_eq!(unchanged.header("etag"), Some(tag.as_str()));
        assert_eq!(
            unchanged.header("cache-control"),
            first.header("cache-control")
        );
    }
    ask("\"other\"").await.ok(200);
    // Only If-None-Match is honoured.
    for (name, value) in [
        ("if-modified-since", "Fri, 31 Dec 2100 00:00:00 GMT"),
        ("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT"),
        ("if-match", "\"other\""),
        ("range", "bytes=0-9"),
    ] {
        let request = app
            .request(Method::GET, "/v1/articles/tide")
            .header(name, value);
        request.send().await.ok(200);
    }
    app.admin()
        .patch("/v1/admin/articles/1", json!({"title": "大潮"}))
        .await
        .ok(200);
    ask(&tag).await.ok(200);
}

async fn each_coding_has_a_tag_of_its_own(stage: Stage) {
    let app = a_site(&stage).await;
    let ask = async |accepted: &str| {
        let request = app.request(Method::GET, "/v1/articles/tide");
        request
            .header("accept-encoding", accepted)
            .send()
            .await
            .ok(200)
    };
    let (plain, gzip, brotli) = (
        ask("identity").await,
        ask("gzip").await,
        ask("gzip, br").await,
    );
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    assert_eq!(brotli.header("content-encoding"), Some("br"));
    assert!(brotli.body.len() < gzip.body.len() && gzip.body.len() < plain.body.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(gzip.body.as_slice())
        .read_to_end(&mut unpacked)
        .expect("gzip");
    assert_eq!(unpacked, plain.body);
    let mut unpacked = Vec::new();
    brotli::BrotliDecompress(&mut brotli.body.as_slice(), &mut unpacked).expect("br");
    assert_eq!(unpacked, plain.body);
    let tags = [&plain, &gzip, &brotli].map(|answer| answer.header("etag").expect("a tag"));
    assert!(
        tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2],
        "{tags:?}"
    );
    for answer in [&plain, &gzip, &brotli] {
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
    }
    let request = app
        .request(Method::GET, "/v1/articles/tide")
        .header("accept-encoding", "gzip");
    request
        .header("if-none-match", tags[1])
        .send()
        .await
        .ok(304);
    // `Accept` is ignored.
    let request = app
        .request(Method::GET, "/v1/articles/tide")
        .header("accept", "text/html");
    assert_eq!(
        request.send().await.ok(200).header("content-type"),
        Some("application/json")
    );
}

async fn delivery_is_open_to_every_origin(stage: Stage) {
    let app = a_site(&stage).await;
    for path in ["/v1/articles", "/v1/articles/none", "/openapi.json"] {
        let request = app
            .request(Method::GET, path)
            .header("origin", "https://any.example");
        let answer = request.send().await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("*"),
            "{path}"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let exposed = answer
            .header("access-control-expose-headers")
            .expect("exposed headers");
        for name in [
            "ETag",
            "Link",
            "Location",
            "Retry-After",
            "RateLimit",
            "RateLimit-Policy",
            "X-Request-Id",
        ] {
            assert!(exposed.contains(name), "{name}");
        }
    }
    let preflight = app
        .request(Method::OPTIONS, "/v1/articles/1/hits")
        .header("origin", "https://any.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let answer = preflight.send().await.ok(204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(
        answer
            .header("access-control-allow-methods")
            .expect("methods")
            .contains("POST")
    );
    let allowed = answer
        .header("access-control-allow-headers")
        .expect("headers");
    for name in [
        "Authorization",
        "Content-Type",
        "If-Match",
        "If-None-Match",
        "Idempotency-Key",
    ] {
        assert!(allowed.contains(name), "{name}");
    }
}

async fn management_is_open_to_named_origins_only(stage: Stage) {
    let settings = [(
        "LANMU_CORS_ORIGINS",
        "https://desk.example, http://localhost:5173",
    )];
    let app = stage.with(&settings).await;
    for path in [
        "/v1/admin/articles",
        "/v1/auth/login",
        "/v1/%61dmin/articles",
        "/v1/%61uth/login",
    ] {
        for (origin, allowed) in [
            ("https://desk.example", Some("https://desk.example")),
            ("http://localhost:5173", Some("http://localhost:5173")),
            ("https://desk.example.evil", None),
            ("null", None),
        ] {
            let preflight = app
                .request(Method::OPTIONS, path)
                .header("origin", origin)
                .header("access-control-request-method", "POST");
            let answer = preflight.send().await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                allowed,
                "{path} {origin}"
            );
            let request = app
                .request(Method::GET, path)
                .header("origin", origin)
                .send()
                .await;
            assert_eq!(
                request.header("access-control-allow-origin"),
                allowed,
                "{path} {origin}"
            );
            assert_eq!(request.header("cache-control"), Some("no-store"), "{path}");
            assert!(request.header("vary").expect("vary").contains("Origin"));
        }
    }
}

async fn nothing_but_the_docs_may_load_anything(stage: Stage) {
    let app = stage.app().await;
    let policy = "content-security-policy";
    let strict = Some("default-src 'none'");
    for path in ["/v1/articles", "/openapi.json", "/v1/nothing", "/healthz"] {
        assert_eq!(app.get(path).await.header(policy), strict, "{path}");
    }
    let docs = app.get("/docs/").await.ok(200);
    assert!(
        docs.header(policy)
            .expect("a policy")
            .contains("default-src 'self'")
    );
    assert!(!docs.text().contains("http://") && !docs.text().contains("https://"));
    for file in [
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-initializer.js",
    ] {
        app.get(&format!("/docs/{file}")).await.ok(200);
    }
    assert!(
        app.get("/docs/swagger-initializer.js")
            .await
            .text()
            .contains("/openapi.json")
    );
    let moved = app.get("/docs").await;
    assert!((300..400).contains(&moved.status), "{moved}");
    assert_eq!(moved.header("location"), Some("/docs/"));
}

async fn a_body_over_the_limit_is_refused_unread(stage: Stage) {
    let app = stage.with(&[("LANMU_MAX_BODY_BYTES", "2000")]).await;
    let token = app.token().await;
    let post = |bytes: usize| {
        let text = "x".repeat(bytes - 40);
        let request = app.request(Method::POST, "/v1/admin/sections");
        request
            .header("authorization", &format!("Bearer {token}"))
            .json(&json!({"name": "要闻", "description": text}))
            .send()
    };
    post(3000).await.problem(413, "payload_too_large");
    post(300_000).await.problem(413, "payload_too_large");
    post(1900).await.ok(201);
    // Without an announced length, too.
    let mut stream = TcpStream::connect(app.address()).expect("it listens");
    let head = format!(
        "POST /v1/admin/sections HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it is read");
    let answer = actix_web::rt::task::spawn_blocking(move || {
        let chunk = format!("{:x}\r\n{}\r\n", 1000, "y".repeat(1000));
        for _ in 0..4 {
            // The server may have closed its side by now.
            let _ = stream.write_all(chunk.as_bytes());
        }
        let _ = stream.write_all(b"0\r\n\r\n");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    let answer = answer.await.expect("no panic");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

async fn a_body_that_never_comes_is_given_up(stage: Stage) {
    let app = stage.with(&[("LANMU_BODY_SECONDS", "1")]).await;
    let mut stream = TcpStream::connect(app.address()).expect("it listens");
    let head = "POST /v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 100\r\nconnection: close\r\n\r\n{";
    stream.write_all(head.as_bytes()).expect("it is read");
    let answer = actix_web::rt::task::spawn_blocking(move || {
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    let answer = answer.await.expect("no panic");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("request_timeout"), "{answer}");
}

async fn a_client_that_takes_nothing_of_its_answers_is_closed(stage: Stage) {
    let app = stage.with(&[("LANMU_SEND_SECONDS", "1")]).await;
    let mut stream = TcpStream::connect(app.address()).expect("it listens");
    stream.set_nonblocking(true).expect("it is a socket");
    let request = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let _ = stream.write(request.as_bytes()).expect("it is read");
    let mut ended = None;
    for _ in 0..1000 {
        // Nobody else is kept waiting.
        app.get("/v1/articles").await.ok(200);
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Whose connection is closed is told so when it sends something.
        match stream.write(b"G") {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                ended = Some(error.kind());
                break;
            }
        }
    }
    assert_eq!(ended, Some(ErrorKind::ConnectionReset));
}

async fn a_write_that_waits_too_long_is_503(stage: Stage) {
    let app = stage.with(&[("LANMU_DB_WAIT_MS", "300")]).await;
    app.token().await;
    let held = app.hold_writers();
    let token = app.token().await;
    let write = || {
        let request = app.request(Method::POST, "/v1/admin/sections");
        request
            .header("authorization", &format!("Bearer {token}"))
            .json(&json!({"name": "要闻"}))
            .expecting_failure()
            .send()
    };
    let refused = write().await.problem(503, "unavailable");
    assert!(
        refused
            .header("retry-after")
            .is_some_and(|s| s.parse::<u32>().is_ok())
    );
    // Reads go on.
    app.get("/v1/articles").await.ok(200);
    drop(held);
    write().await.ok(201);
}

async fn what_is_in_flight_is_finished_before_the_end(stage: Stage) {
    let app = stage.app().await;
    let token = app.token().await;
    let held = app.hold_writers();
    let write = app
        .request(Method::POST, "/v1/admin/sections")
        .header("authorization", &format!("Bearer {token}"))
        .json(&json!({"name": "要闻"}))
        .send();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let release = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            drop(held);
        };
        join(app.stop(), release).await;
    };
    let (answer, _) = join(write, stop).await;
    answer.ok(201);
    assert!(TcpStream::connect(app.address()).is_err());
}

async fn all_faults_of_a_query_come_at_once(stage: Stage) {
    let app = stage.app().await;
    let answer = app
        .get("/v1/articles?limit=0&page=x&sort=color&wat=1&ids=1,x&tag=")
        .await;
    let faults = answer.problem(400, "invalid_request").faults();
    for name in ["limit", "page", "sort", "wat", "ids", "tag"] {
        assert!(
            faults.iter().any(|(parameter, _)| parameter == name),
            "{name}: {faults:?}"
        );
    }
    let (query, head) = ("/v1/admin/articles/1?permanent=x", "7");
    let request = app
        .admin()
        .request(Method::DELETE, query)
        .await
        .header("if-match", head);
    let faults = request
        .send()
        .await
        .problem(400, "invalid_request")
        .faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
}

crate::facts![
    a_path_that_is_none_is_a_problem,
    a_method_that_is_none_is_told_what_there_is,
    a_sane_request_id_is_kept_and_another_is_not,
    head_is_get_without_the_body,
    a_client_that_has_the_answer_gets_304,
    each_coding_has_a_tag_of_its_own,
    delivery_is_open_to_every_origin,
    management_is_open_to_named_origins_only,
    nothing_but_the_docs_may_load_anything,
    a_body_over_the_limit_is_refused_unread,
    a_body_that_never_comes_is_given_up,
    a_client_that_takes_nothing_of_its_answers_is_closed,
    a_write_that_waits_too_long_is_503,
    what_is_in_flight_is_finished_before_the_end,
    all_faults_of_a_query_come_at_once,
];
