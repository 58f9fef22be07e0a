//! The node that bad input is tried on.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

use lanmu::db::Conn;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{ADMIN, PASSWORD, TestApp};
use crate::support::client::{Answer, Request};
use crate::support::databases;
use crate::support::stage::Stage;

use super::Expected;
use super::routes::{Route, routes};

type Rows = Vec<(&'static str, Vec<String>)>;

/// What there is on the node, to be tried on.
pub struct Place {
    pub section: i64,
    /// A section in that one.
    pub below: i64,
    /// A section with nothing in it.
    pub empty: i64,
    /// A public article with a hit.
    pub article: i64,
    pub draft: i64,
    pub in_review: i64,
    pub trashed: i64,
    pub refresh_token: String,
    /// Another account.
    pub user: i64,
    /// A one-time token of that account.
    pub reset_token: String,
    pub api_key: i64,
    /// Another session of the admin's.
    pub session: i64,
}

/// The rows of every table, but for what the audit log is told of failed sign-ins.
fn written(conn: &mut Conn) -> Rows {
    let mut rows = databases::rows(conn);
    for (_, lines) in rows.iter_mut().filter(|(table, _)| *table == "audit") {
        lines.retain(|line| !line.contains("auth.sign_in_failed"));
    }
    rows
}

/// A node with a little of everything on it, and what went wrong there.
pub struct Desk {
    pub app: Rc<TestApp>,
    pub place: Place,
    pub token: String,
    conn: RefCell<Conn>,
    rows: RefCell<Rows>,
    wrong: RefCell<Vec<String>>,
}

impl Desk {
    /// A node with these settings besides the usual ones.
    pub async fn open(stage: &Stage, settings: &[(&str, &str)]) -> Self {
        // Bad input goes to the sign-in by the dozen.
        let settings = [settings, &[("LANMU_RATE_LIMIT", "off")]].concat();
        let app = stage.with(&settings).await;
        let admin = app.admin();
        let section = admin.section("港口", json!({})).await;
        let below = admin.section("渡口", json!({"parent_id": section})).await;
        let empty = admin.section("灯塔", json!({})).await;
        let article = admin.article("晨渡", section, json!({})).await;
        let draft = admin.draft("草稿", section, json!({})).await;
        let in_review = admin.draft("送审", section, json!({})).await;
        let submit = format!("/v1/admin/articles/{in_review}/submit");
        admin.act(&submit).await.ok(200);
        let trashed = admin.draft("废稿", section, json!({})).await;
        admin
            .delete(&format!("/v1/admin/articles/{trashed}"))
            .await
            .ok(204);
        app.post(
            &format!("/v1/articles/{article}/hits"),
            json!({"hit_id": "a"}),
        )
        .await
        .ok(200);
        let login = json!({"email": ADMIN, "password": PASSWORD});
        let session = app.post("/v1/auth/login", login).await.ok(200);
        let text = |member: &str| session[member].as_str().expect("a token").to_owned();
        let id = |answer: &Answer| answer["id"].as_i64().expect("an id");
        let email = format!("port-{}@example.com", app.address().port());
        let user = json!({"email": email, "role": "editor"});
        let user = id(&admin.post("/v1/admin/users", user).await.ok(201));
        let reset = format!("/v1/admin/users/{user}/password-reset");
        let reset = admin.act(&reset).await.ok(201);
        let key = json!({"name": "船坞", "scopes": ["content:read"]});
        let api_key = id(&admin.post("/v1/admin/api-keys", key).await.ok(201));
        let sessions = admin.get("/v1/auth/sessions").await.ok(200);
        let mut others = sessions["data"].as_array().expect("a list").iter();
        let other = others.find(|session| session["current"] == false);
        let other = other.and_then(|session| session["id"].as_i64());
        let mut conn = app.connect();
        let rows = RefCell::new(written(&mut conn));
        let place = Place {
            section,
            below,
            empty,
            article,
            draft,
            in_review,
            trashed,
            refresh_token: text("refresh_token"),
            user,
            reset_token: reset["token"].as_str().expect("a token").to_owned(),
            api_key,
            session: other.expect("another session"),
        };
        Self {
            app,
            place,
            token: text("access_token"),
            conn: RefCell::new(conn),
            rows,
            wrong: RefCell::default(),
        }
    }

    /// Every write route of the document.
    pub fn routes(&self) -> Vec<Route> {
        routes(&self.place)
    }

    /// The routes that take a body with members.
    pub fn with_body(&self) -> Vec<Route> {
        let mut routes = self.routes();
        routes.retain(Route::has_body);
        routes
    }

    /// A request, with the admin's token where the path needs one.
    pub fn request(&self, method: &Method, path: &str) -> Request {
        let request = self.app.request(method.clone(), path);
        let managed = [
            "/v1/admin",
            "/v1/auth/me",
            "/v1/auth/logout",
            "/v1/auth/password",
            "/v1/auth/sessions",
        ];
        match managed.iter().any(|start| path.starts_with(start)) {
            true => request.header("authorization", &format!("Bearer {}", self.token)),
            false => request,
        }
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Request {
        self.request(&Method::GET, path)
    }

    /// A request to a path of this route that lacks nothing but its body.
    pub fn ask_at(&self, route: &Route, path: &str) -> Request {
        let request = self.request(&route.method, path);
        match route.method {
            Method::PATCH => request.header("if-match", "*"),
            _ => request,
        }
    }

    /// A request to this route that lacks nothing but its body.
    pub fn ask(&self, route: &Route) -> Request {
        self.ask_at(route, &route.path)
    }

    /// The same with this text as JSON.
    pub fn send(&self, route: &Route, body: impl Into<Vec<u8>>) -> Request {
        self.ask(route).body("application/json", body)
    }

    /// Notes what is wrong; [`Desk::close`] tells it.
    pub fn note(&self, what: String) {
        self.wrong.borrow_mut().push(what);
    }

    /// Notes where the request isn't refused so, or leaves anything behind.
    pub async fn refuses(
        &self,
        what: impl Display,
        request: Request,
        expected: Expected<'_>,
    ) -> Answer {
        let (statuses, code) = expected;
        let answer = request.send().await;
        let is_code = code.is_empty() || answer["code"] == code;
        if !statuses.contains(&answer.status) || !is_code {
            self.note(format!("{what}: {answer}"));
        }
        let rows = written(&mut self.conn.borrow_mut());
        let mut last = self.rows.borrow_mut();
        for (now, before) in rows.iter().zip(last.iter()) {
            if now != before {
                self.note(format!("{what}: {} has changed", now.0));
            }
        }
        *last = rows;
        answer
    }

    /// Takes what the test itself has changed for given.
    pub fn expect_changes(&self) {
        let rows = written(&mut self.conn.borrow_mut());
        self.rows.replace(rows);
    }

    /// The same, and the fault that it tells: where it is, and its code where one is given.
    pub async fn refuses_at(
        &self,
        what: impl Display,
        request: Request,
        expected: Expected<'_>,
        pointer: &str,
        fault: &str,
    ) {
        let answer = self.refuses(&what, request, expected).await;
        let faults = answer.faults();
        let is_told = !faults.is_empty()
            && faults.iter().all(|told| told.0 == pointer)
            && (fault.is_empty() || faults.iter().any(|told| told.1 == fault));
        if !is_told && expected.0.contains(&answer.status) {
            self.note(format!(
                "{what}: {fault} at {pointer:?} is not told: {answer}"
            ));
        }
    }

    /// Ends the fact: nothing may have been wrong.
    pub async fn close(self) {
        self.app.get("/readyz").await.ok(200);
        let wrong = self.wrong.take();
        assert!(
            wrong.is_empty(),
            "{} wrong:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }
}
