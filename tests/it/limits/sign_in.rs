//! Sign-ins, failed and all, by account and by address.

use diesel::prelude::*;
use futures_util::future::join_all;
use lanmu::db::schema::users;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{ADMIN, NOON, PASSWORD, TestApp};
use crate::support::client::Answer;
use crate::support::databases::ParseInstant;
use crate::support::stage::Stage;

use super::{PROXY, from, limited, write};

const HERE: &str = "203.0.113.7";
const ELSEWHERE: &str = "203.0.113.8";
const WRONG: &str = "wrong horse battery";
const OTHER: &str = "other@example.com";

async fn login(app: &TestApp, address: &str, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    let request = from(app, address, Method::POST, "/v1/auth/login");
    request.json(&body).send().await
}

async fn fail(app: &TestApp, address: &str, email: &str, times: usize) {
    for _ in 0..times {
        login(app, address, email, WRONG)
            .await
            .problem(401, "invalid_credentials");
    }
}

/// So many failures at accounts that don't exist, each at another one.
async fn fail_at_many(app: &TestApp, address: &str, times: usize) {
    for number in 0..times {
        fail(app, address, &format!("{number}@example.com"), 1).await;
    }
}

/// Adds an account with the admin's password.
fn add_other(app: &TestApp) {
    let mut conn = app.connect();
    let hash: String = users::table
        .select(users::password_hash)
        .first(&mut conn)
        .expect("the admin's");
    diesel::insert_into(users::table)
        .values((
            users::email.eq(OTHER),
            users::email_key.eq(OTHER),
            users::password_hash.eq(hash),
            users::role.eq("admin"),
            users::disabled.eq(false),
            users::created_at.eq(NOON.parse_instant()),
            users::updated_at.eq(NOON.parse_instant()),
            users::version.eq(1_i64),
        ))
        .execute(&mut conn)
        .expect("the account is added");
}

async fn an_account_fails_ten_times(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    add_other(&app);
    fail(&app, HERE, ADMIN, 9).await;
    fail(&app, ELSEWHERE, " ADMIN@example.com", 1).await;
    for address in [HERE, ELSEWHERE, "2001:db8::1"] {
        limited(login(&app, address, ADMIN, WRONG).await, "900");
        limited(login(&app, address, ADMIN, PASSWORD).await, "900");
    }
    login(&app, HERE, OTHER, PASSWORD).await.ok(200);
    login(&app, ELSEWHERE, OTHER, PASSWORD).await.ok(200);
}

async fn an_unknown_account_is_limited_the_same(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    for email in ["nobody@example.com", "no address\u{0}"] {
        fail(&app, HERE, email, 10).await;
        let unknown = limited(login(&app, HERE, email, WRONG).await, "900");
        assert_eq!(unknown["detail"], "try again in 900 s");
    }
}

async fn an_address_fails_thirty_times(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    let household = ["2001:db8:1:2::a", "2001:db8:1:2::b"];
    fail_at_many(&app, household[0], 29).await;
    login(&app, household[0], ADMIN, PASSWORD).await.ok(200);
    fail(&app, household[1], "last@example.com", 1).await;
    for address in household {
        limited(login(&app, address, "new@example.com", WRONG).await, "900");
        limited(login(&app, address, ADMIN, PASSWORD).await, "900");
    }
    login(&app, ELSEWHERE, ADMIN, PASSWORD).await.ok(200);
    fail(&app, ELSEWHERE, "1@example.com", 1).await;
}

async fn a_success_is_not_counted(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    fail(&app, HERE, ADMIN, 9).await;
    for _ in 0..3 {
        login(&app, HERE, ADMIN, PASSWORD).await.ok(200);
    }
    fail(&app, HERE, ADMIN, 1).await;
    limited(login(&app, HERE, ADMIN, PASSWORD).await, "900");
}

async fn what_is_no_sign_in_is_not_counted(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    for _ in 0..31 {
        login(&app, HERE, ADMIN, "")
            .await
            .problem(422, "validation_failed");
        write(&app).await.problem(401, "invalid_refresh_token");
    }
    login(&app, HERE, ADMIN, PASSWORD).await.ok(200);
}

async fn a_failure_counts_for_fifteen_minutes(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    for _ in 0..10 {
        fail(&app, HERE, ADMIN, 1).await;
        app.advance(10);
    }
    limited(login(&app, HERE, ADMIN, PASSWORD).await, "800");
    app.advance(799);
    // What is refused doesn't count, either.
    limited(login(&app, HERE, ADMIN, WRONG).await, "1");
    app.advance(1);
    login(&app, HERE, ADMIN, PASSWORD).await.ok(200);
    fail(&app, HERE, ADMIN, 1).await;
    limited(login(&app, HERE, ADMIN, PASSWORD).await, "10");
    app.advance(900);
    fail(&app, HERE, ADMIN, 10).await;
    limited(login(&app, HERE, ADMIN, PASSWORD).await, "900");
}

async fn guesses_that_come_at_once_are_no_more(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    let body = json!({"email": ADMIN, "password": WRONG});
    let guess = |number: usize| {
        // Each seven from another address.
        let address = format!("203.0.113.{}", number / 7);
        let request = from(&app, &address, Method::POST, "/v1/auth/login");
        request.json(&body).expecting_failure().send()
    };
    let answers = join_all((0..50).map(guess)).await;
    let told = |status: u16| answers.iter().filter(|a| a.status == status).count();
    let failed = told(401);
    assert!(failed <= 10, "{failed}");
    assert_eq!(failed + told(429) + told(503), 50);
    fail(&app, HERE, ADMIN, 10 - failed).await;
    limited(login(&app, HERE, ADMIN, PASSWORD).await, "900");
}

async fn an_account_is_tried_sixty_times_a_minute(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    add_other(&app);
    let tokens = login(&app, "203.0.113.99", ADMIN, PASSWORD).await.ok(200);
    let access = tokens["access_token"].as_str().expect("a token").to_owned();
    for number in 1..60 {
        let address = format!("203.0.113.{}", number % 3);
        login(&app, &address, ADMIN, PASSWORD).await.ok(200);
    }
    limited(login(&app, HERE, ADMIN, PASSWORD).await, "1");
    limited(login(&app, HERE, ADMIN, WRONG).await, "1");
    let change = json!({"current_password": PASSWORD, "new_password": "yet another horse"});
    let change = from(&app, HERE, Method::POST, "/v1/auth/password").json(&change);
    let change = change.header("authorization", &format!("Bearer {access}"));
    limited(change.send().await, "1");
    login(&app, HERE, OTHER, PASSWORD).await.ok(200);
    app.advance(1);
    login(&app, HERE, ADMIN, PASSWORD).await.ok(200);
    limited(login(&app, HERE, ADMIN, PASSWORD).await, "1");
}

async fn an_address_tries_sixty_times_a_minute(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    add_other(&app);
    for number in 0..60 {
        let email = [ADMIN, OTHER][number % 2];
        login(&app, HERE, email, PASSWORD).await.ok(200);
    }
    limited(login(&app, HERE, ADMIN, PASSWORD).await, "1");
    limited(login(&app, HERE, "nobody@example.com", WRONG).await, "1");
    login(&app, ELSEWHERE, ADMIN, PASSWORD).await.ok(200);
}

async fn right_passwords_leave_places_to_others(stage: Stage) {
    let app = stage.with(&[PROXY]).await;
    add_other(&app);
    let body = json!({"email": ADMIN, "password": PASSWORD});
    let right = |_| {
        let request = from(&app, HERE, Method::POST, "/v1/auth/login");
        request.json(&body).expecting_failure().send()
    };
    let flood = join_all((0..50).map(right));
    let others = join_all((0..4).map(|_| login(&app, ELSEWHERE, OTHER, PASSWORD)));
    let (flood, others) = futures_util::future::join(flood, others).await;
    assert!(others.iter().all(|answer| answer.status == 200));
    let told = |status: u16| flood.iter().filter(|a| a.status == status).count();
    assert!(
        told(200) >= 8 && told(503) > 0,
        "{} {}",
        told(200),
        told(503)
    );
    assert_eq!(told(200) + told(503), 50);
}

crate::facts![
    an_account_is_tried_sixty_times_a_minute,
    an_address_tries_sixty_times_a_minute,
    right_passwords_leave_places_to_others,
    an_account_fails_ten_times,
    an_unknown_account_is_limited_the_same,
    an_address_fails_thirty_times,
    a_success_is_not_counted,
    what_is_no_sign_in_is_not_counted,
    a_failure_counts_for_fifteen_minutes,
    guesses_that_come_at_once_are_no_more,
];
