//! What needs no caller is the same for all: nobody looks at who it is.

use std::rc::Rc;

use lanmu::auth::access::permission_of;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::PASSWORD;
use crate::support::client::Answer;
use crate::support::stage::Stage;

use super::email;
use super::people::stranger;
use super::walk::{Operation, Walk, operations};

/// A request of an operation that needs no caller: path and body; null is none.
async fn open_request(walk: &mut Walk, operation: &Operation, article: i64) -> (String, Value) {
    let app = walk.site.app.clone();
    let reference = if operation.path.starts_with("/v1/sections") {
        walk.site.home
    } else {
        article
    };
    let path = operation.path.replace("{ref}", &reference.to_string());
    walk.made += 1;
    let login = json!({"email": email("admin"), "password": PASSWORD});
    let (query, body) = match operation.id.as_str() {
        "login" => ("", login),
        "refreshTokens" => {
            let session = app.post("/v1/auth/login", login).await.ok(200);
            ("", json!({"refresh_token": session["refresh_token"]}))
        }
        "resetPassword" => {
            let id = stranger(&app, walk.made).await;
            let path = format!("/v1/admin/users/{id}/password-reset");
            let token = app.admin().act(&path).await.ok(201)["token"].clone();
            ("", json!({"token": token, "password": PASSWORD}))
        }
        "recordHits" => {
            let hit = json!({"article_id": article, "hit_id": format!("v-{}", walk.made)});
            ("", json!({"hits": [hit]}))
        }
        "getPreview" => {
            let link = format!("/v1/admin/articles/{article}/preview");
            let made = app.admin().act(&link).await.ok(201);
            let token = made["token"].as_str().expect("a token");
            return (path.replace("{token}", token), Value::Null);
        }
        "getHits" => ("article_ids=", Value::Null),
        // The function's name ends in the id.
        "getArticleHitsScript" => ("callback=show", Value::Null),
        "recordHit" => ("", Value::Null),
        id if operation.method == Method::GET => {
            assert!(!path.contains('{'), "the walk has no request for {id}");
            ("", Value::Null)
        }
        id => panic!("the walk has no request for {id}"),
    };
    let path = match query {
        "" => path,
        query => format!("{path}?{query}{article}"),
    };
    (path, body)
}

async fn what_needs_no_caller_is_the_same_for_all(stage: Stage) {
    let mut walk = Walk::new(&stage).await;
    let home = walk.site.home;
    let article = walk.site.app.admin().article("晨渡", home, json!({})).await;
    let people = Rc::clone(&walk.people);
    let mut tried = 0;
    for operation in operations() {
        if permission_of(&operation.id).is_some() {
            continue;
        }
        let mut first: Option<Answer> = None;
        for person in people.iter() {
            let (path, body) = open_request(&mut walk, &operation, article).await;
            let mut request = walk.site.app.request(operation.method.clone(), &path);
            if let Some(token) = &person.token {
                request = request.header("authorization", &format!("Bearer {token}"));
            }
            let answer = super::send(request, body).await;
            let told = format!("{}: {} got {answer}", operation.id, person.name);
            assert!((200..300).contains(&answer.status), "{told}");
            let first = first.get_or_insert_with(|| answer.clone());
            assert_eq!(answer.status, first.status, "{told}");
            if operation.method == Method::GET {
                assert_eq!(answer.body, first.body, "{told}");
            }
            tried += 1;
        }
    }
    println!("{:?}: {tried} requests that need no caller", stage.kind());
    assert!(tried >= 500, "{tried} requests are too few");
}

crate::facts![what_needs_no_caller_is_the_same_for_all];
