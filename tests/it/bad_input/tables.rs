//! The tables themselves: complete, and good where nothing is spoilt.

use crate::support::contract::document;
use crate::support::stage::Stage;

use super::{Desk, Route, Takes};

async fn every_write_of_the_document_is_tried(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let mut tried: Vec<String> = desk.routes().iter().map(ToString::to_string).collect();
    let mut documented = Vec::new();
    for (path, item) in document()["paths"].as_object().expect("paths") {
        for method in ["post", "put", "patch", "delete"] {
            if !item[method].is_null() {
                documented.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    tried.sort();
    documented.sort();
    assert_eq!(tried, documented);
}

async fn the_good_bodies_are_good(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let (hits, others): (Vec<Route>, Vec<Route>) = desk
        .routes()
        .into_iter()
        .partition(|route| route.takes == Takes::Beacon);
    for route in hits.into_iter().chain(others) {
        if !route.template.starts_with("/v1/auth") {
            succeeds(&desk, &route).await;
        }
    }
    // Some of these end every session that there is.
    for (index, route) in desk.routes().iter().enumerate() {
        if route.template.starts_with("/v1/auth") {
            let desk = Desk::open(&stage, &[]).await;
            succeeds(&desk, &desk.routes()[index]).await;
        }
    }
}

async fn succeeds(desk: &Desk, route: &Route) {
    if route.has_body() {
        route.members();
    }
    let request = match route.takes {
        Takes::Nothing => desk.ask(route),
        _ => desk.send(route, route.full.to_string()),
    };
    let answer = request.send().await;
    assert!(answer.status < 300, "{route}: {answer}");
}

crate::facts![
    every_write_of_the_document_is_tried,
    the_good_bodies_are_good,
];
