//! What stands around a body: parameters, paths, conditions.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::contract::document;
use crate::support::stage::Stage;

use super::{BAD_REQUEST, Desk, MISSING, NO_REFERENCE, Route, without};

async fn an_unknown_parameter_of_a_write_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.routes() {
        for (query, parameter) in [
            ("wat=1", "wat"),
            ("wat", "wat"),
            ("wat=1&wat=2", "wat"),
            ("limit=1", "limit"),
            ("title=x", "title"),
            ("Permanent=true", "Permanent"),
            ("%E6%A0%87%E9%A2%98=1", "标题"),
            ("wat=%ff", "wat"),
            ("wat=%00", "wat"),
        ] {
            let path = format!("{}?{query}", route.path);
            let mut request = desk.ask_at(&route, &path);
            if route.has_body() {
                request = request.json(&route.full);
            }
            let what = format!("{route} ?{query}");
            desk.refuses_at(what, request, BAD_REQUEST, parameter, "")
                .await;
        }
    }
    desk.close().await;
}

async fn a_bad_parameter_of_a_delete_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let (article, trashed) = (desk.place.article, desk.place.trashed);
    let mut queries: Vec<(String, &str)> = Vec::new();
    for value in ["", "1", "yes", "TRUE", "null", "%00", "true,false"] {
        for id in [article, trashed] {
            let path = format!("/v1/admin/articles/{id}?permanent={value}");
            queries.push((path, "permanent"));
        }
    }
    let twice = format!("/v1/admin/articles/{trashed}?permanent=true&permanent=true");
    queries.push((twice, "permanent"));
    for value in [
        "",
        "0",
        "-1",
        "abc",
        "1.0",
        "1e0",
        "%2B1",
        "99999999999999999999",
        "987654321",
        "%00",
        "1,2",
    ] {
        queries.push((format!("/v1/admin/sections/3?move_to={value}"), "move_to"));
    }
    queries.push((
        "/v1/admin/sections/3?move_to=1&move_to=1".to_owned(),
        "move_to",
    ));
    for (path, parameter) in queries {
        let request = desk.request(&Method::DELETE, &path);
        let what = format!("DELETE {path}");
        desk.refuses_at(what, request, BAD_REQUEST, parameter, "")
            .await;
    }
    desk.close().await;
}

async fn a_path_that_names_nothing_is_not_found(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let long = "a".repeat(121);
    let very_long = "9".repeat(8000);
    let external = [
        "%20",
        "a%20b",
        "a%2Fb",
        "%00",
        "%ff",
        "%E6%B8%AF",
        "a+b",
        "<x>",
        "a%25b",
    ];
    let too_long = "x".repeat(201);
    for route in desk.routes() {
        let is_external = route.template.contains("{external_id}");
        let texts: Vec<&str> = if is_external {
            external.into_iter().chain([too_long.as_str()]).collect()
        } else {
            let others = ["abc", &long, &very_long];
            NO_REFERENCE.iter().copied().chain(others).collect()
        };
        for text in texts {
            let Some(path) = route.at(text) else { continue };
            let mut request = desk.ask_at(&route, &path);
            if route.has_body() {
                request = request.json(&without_external_id(&route));
            }
            desk.refuses(format!("{route} {text:.60}"), request, MISSING)
                .await;
        }
    }
    for template in [
        "/v1/admin/articles/{}",
        "/v1/admin/articles/{}/hits",
        "/v1/admin/sections/{}",
    ] {
        for text in NO_REFERENCE.iter().copied().chain(["abc", &long]) {
            let path = template.replace("{}", text);
            let request = desk.get(&path);
            desk.refuses(format!("GET {path}"), request, MISSING).await;
        }
    }
    desk.close().await;
}

fn without_external_id(route: &Route) -> Value {
    match route.template.contains("{external_id}") {
        true => without(&route.full, "/external_id"),
        false => route.full.clone(),
    }
}

/// Routes that take `If-Match`, with something there to be changed.
async fn conditional(desk: &Desk) -> Vec<Route> {
    desk.app
        .admin()
        .put(
            "/v1/admin/external-articles/pushed",
            json!({"title": "推送", "section_id": desk.place.section}),
        )
        .await
        .ok(201);
    desk.expect_changes();
    let mut routes = desk.routes();
    routes.retain(|route| {
        let operation = &document()["paths"][route.template][route.method.as_str().to_lowercase()];
        !operation["responses"]["412"].is_null()
    });
    routes
}

fn conditioned(desk: &Desk, route: &Route, value: &[u8]) -> Request {
    let request = desk
        .request(&route.method, &route.path)
        .raw_header("if-match", value);
    match route.has_body() {
        true => request.json(&route.full),
        false => request,
    }
}

async fn a_malformed_if_match_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let routes = conditional(&desk).await;
    assert_eq!(routes.len(), 20);
    for route in routes {
        let values: [&[u8]; 14] = [
            b"1",
            b"abc",
            b"\"1",
            b"1\"",
            b"'1'",
            b"W/1",
            b"w/\"1\"",
            b"W/ \"1\"",
            b"*, \"1\"",
            b"**",
            b"\"1\" \"1\"",
            b"\"1\"x",
            b"\"a\"b\"",
            b"\"1\", 1",
        ];
        for value in values {
            desk.refuses_at(
                format!("{route} If-Match: {}", value.escape_ascii()),
                conditioned(&desk, &route, value),
                BAD_REQUEST,
                "If-Match",
                "",
            )
            .await;
        }
    }
    desk.close().await;
}

async fn a_version_that_is_not_there_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in conditional(&desk).await {
        let values: [&[u8]; 11] = [
            b"\"987\"",
            b"W/\"987\"",
            b"\"987\", \"988\"",
            b"\"\"",
            b"\"abc\"",
            b"\"1.0\"",
            b"\"01\"",
            b"\"02\"",
            b"\"+1\"",
            b"\"+2\"",
            b"\" 1\"",
        ];
        for value in values {
            desk.refuses(
                format!("{route} If-Match: {}", value.escape_ascii()),
                conditioned(&desk, &route, value),
                (&[412], "version_mismatch"),
            )
            .await;
        }
    }
    desk.close().await;
}

async fn a_patch_without_if_match_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let mut routes = desk.routes();
    routes.retain(|route| route.method == Method::PATCH);
    for route in routes {
        let request = desk.request(&Method::PATCH, &route.path).json(&route.full);
        desk.refuses(&route, request, (&[428], "precondition_required"))
            .await;
    }
    desk.close().await;
}

async fn faults_of_query_and_headers_are_told_at_once(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in conditional(&desk).await {
        let path = format!("{}?wat=1&also=2", route.path);
        let mut request = desk.request(&route.method, &path).header("if-match", "7");
        if route.has_body() {
            request = request.json(&route.full);
        }
        let answer = desk.refuses(&route, request, BAD_REQUEST).await;
        let mut told: Vec<String> = answer.faults().into_iter().map(|fault| fault.0).collect();
        told.sort();
        if told != ["If-Match", "also", "wat"] {
            desk.note(format!("{route}: only {told:?} is told"));
        }
    }
    desk.close().await;
}

crate::facts![
    an_unknown_parameter_of_a_write_is_refused,
    a_bad_parameter_of_a_delete_is_refused,
    a_path_that_names_nothing_is_not_found,
    a_malformed_if_match_is_refused,
    a_version_that_is_not_there_is_refused,
    a_patch_without_if_match_is_refused,
    faults_of_query_and_headers_are_told_at_once,
];
