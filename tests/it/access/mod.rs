//! Who may do what: every operation walked with every kind of caller, and what that means for those
//! who work with it.

mod authors;
mod expected;
mod keys;
mod open;
mod people;
mod plans;
mod promptly;
mod reach;
mod slowly;
mod walk;

use std::rc::Rc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{PASSWORD, TestApp};
use crate::support::client::{Answer, Request};
use crate::support::stage::{Fact, Stage};

const ARTICLES: &str = "/v1/admin/articles";
const SECTIONS: &str = "/v1/admin/sections";
const EXTERNAL: &str = "/v1/admin/external-articles";
const USERS: &str = "/v1/admin/users";
const KEYS: &str = "/v1/admin/api-keys";

/// Somebody with an access token or an API key.
#[derive(Clone)]
struct Holder {
    app: Rc<TestApp>,
    /// Id of the account or key.
    id: i64,
    token: String,
}

impl Holder {
    fn request(&self, method: Method, path: &str) -> Request {
        let bearer = format!("Bearer {}", self.token);
        self.app
            .request(method, path)
            .header("authorization", &bearer)
    }

    /// A request of whatever version there is; null is no body.
    async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        send(self.request(method, path), body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, body).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        let request = self.request(Method::PATCH, path).header("if-match", "*");
        send(request, body).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, Value::Null).await
    }

    /// A draft of its own.
    async fn draft(&self, title: &str, section_id: i64) -> i64 {
        id_of(&self.post(ARTICLES, draft(title, section_id)).await.ok(201))
    }

    /// The same on another node.
    fn at(&self, app: &Rc<TestApp>) -> Self {
        Self {
            app: Rc::clone(app),
            ..self.clone()
        }
    }
}

async fn send(request: Request, body: Value) -> Answer {
    if body.is_null() {
        request.send().await
    } else {
        request.json(&body).send().await
    }
}

fn id_of(answer: &Answer) -> i64 {
    answer["id"].as_i64().expect("an id")
}

/// The body of a new article that could be published.
fn draft(title: &str, section_id: i64) -> Value {
    json!({
        "title": title, "section_id": section_id,
        "body": {"format": "text", "content": "码头的灯亮了。"},
    })
}

/// A new account of this name; its id.
async fn account(app: &TestApp, name: &str, role: &str, sections: Value) -> i64 {
    let body = json!({
        "email": email(name), "role": role, "sections": sections, "password": PASSWORD,
    });
    id_of(&app.admin().post(USERS, body).await.ok(201))
}

fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// Signs an account in; its access token.
async fn sign_in(app: &TestApp, name: &str) -> String {
    let body = json!({"email": email(name), "password": PASSWORD});
    let answer = app.post("/v1/auth/login", body).await.ok(200);
    answer["access_token"].as_str().expect("a token").to_owned()
}

/// A new account that is called as its role, signed in.
async fn holder(app: &Rc<TestApp>, role: &str, sections: Value) -> Holder {
    named(app, role, role, sections).await
}

/// A new account of this name, signed in.
async fn named(app: &Rc<TestApp>, name: &str, role: &str, sections: Value) -> Holder {
    let id = account(app, name, role, sections).await;
    let token = sign_in(app, name).await;
    let app = Rc::clone(app);
    Holder { app, id, token }
}

/// A new API key with these scopes.
async fn key(app: &Rc<TestApp>, scopes: &[&str], sections: Value) -> Holder {
    let body = json!({"name": "发布系统", "scopes": scopes, "sections": sections});
    let made = app.admin().post(KEYS, body).await.ok(201);
    let token = made["key"].as_str().expect("a key").to_owned();
    let (id, app) = (id_of(&made), Rc::clone(app));
    Holder { app, id, token }
}

/// A small site: `home` with `below` under it, `beside` for all to see, `hidden` from readers.
struct Site {
    app: Rc<TestApp>,
    home: i64,
    below: i64,
    beside: i64,
    hidden: i64,
}

impl Site {
    async fn new(stage: &Stage) -> Self {
        // It signs in more often than a client may.
        let app = stage.with(&[("LANMU_RATE_LIMIT", "off")]).await;
        let admin = app.admin();
        let home = admin.section("港口", json!({"slug": "home"})).await;
        let below = json!({"slug": "below", "parent_id": home});
        let below = admin.section("码头", below).await;
        let beside = admin.section("渔场", json!({"slug": "beside"})).await;
        let hidden = json!({"slug": "hidden", "visible": false});
        let hidden = admin.section("内部", hidden).await;
        Self {
            app,
            home,
            below,
            beside,
            hidden,
        }
    }
}

fn one(id: i64) -> String {
    format!("{ARTICLES}/{id}")
}

fn external(id: &str) -> String {
    format!("{EXTERNAL}/{id}")
}

/// The facts of this module.
pub fn facts() -> Vec<Fact> {
    [
        walk::facts(),
        open::facts(),
        reach::facts(),
        slowly::facts(),
        authors::facts(),
        keys::facts(),
        promptly::facts(),
    ]
    .concat()
}
