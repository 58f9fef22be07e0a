//! The real server on a port of its own, with a clock that only the test moves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};

use actix_web::rt::task::JoinHandle;
use diesel::connection::SimpleConnection;
use lanmu::app::App;
use lanmu::clock::Clock;
use lanmu::config::Config;
use lanmu::db::{Conn, Timestamp};
use lanmu::server;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::client::{Answer, Request};
use super::contract;
use super::databases::{self, ParseInstant};

/// The account that every database has.
pub const ADMIN: &str = "admin@example.com";
/// Its password.
pub const PASSWORD: &str = "correct horse battery";
/// Where the clock stands when a fact begins: noon in Shanghai.
pub const NOON: &str = "2026-01-31T04:00:00Z";

/// What ends the server, and its end.
type Running = (oneshot::Sender<()>, JoinHandle<std::io::Result<()>>);

/// A running node.
pub struct TestApp {
    pub app: App,
    pub url: String,
    address: SocketAddr,
    client: reqwest::Client,
    token: RefCell<Option<(Timestamp, String)>>,
    running: RefCell<Option<Running>>,
}

impl TestApp {
    /// Starts a node on this database, with these settings besides the suite's usual ones.
    pub async fn start(url: &str, settings: &[(&str, &str)]) -> Self {
        let clock = Clock::manual(NOON.parse_instant());
        Self::start_by(clock, url, settings).await
    }

    /// The same by this clock.
    pub async fn start_by(clock: Clock, url: &str, settings: &[(&str, &str)]) -> Self {
        contract::prepare();
        let mut all: HashMap<&str, &str> = HashMap::from([
            ("DATABASE_URL", url),
            ("LANMU_DB_CONNECTIONS", "4"),
            ("LANMU_WORKERS", "1"),
            // Facts say when: `TestApp::tick`.
            ("LANMU_TICK_MS", "0"),
            ("LANMU_HITS_FOLD_MS", "0"),
            ("LANMU_SITE_NAME", "青屿门户"),
            ("LANMU_SITE_URL", "https://www.example.com"),
        ]);
        all.extend(settings.iter().copied());
        let lookup = |name: &str| all.get(name).map(|value| (*value).to_owned());
        let config = Config::from_lookup(&lookup).expect("the settings are valid");
        let app = App::build(config, clock).await.expect("the app is built");
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let server = actix_web::rt::spawn(server::run(app.clone(), listener, async {
            let _ = stopped.await;
        }));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self {
            app,
            url: url.to_owned(),
            address,
            client,
            token: RefCell::new(None),
            running: RefCell::new(Some((stop, server))),
        }
    }

    /// Stops the node as SIGTERM would and waits for its end.
    pub async fn stop(&self) {
        let running = self.running.borrow_mut().take();
        if let Some((stop, server)) = running {
            let _ = stop.send(());
            server
                .await
                .expect("the server does not panic")
                .expect("the server ends well");
        }
    }

    /// The host and port that the node listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Keeps all writers of content waiting until what it gives is dropped.
    pub fn hold_writers(&self) -> Conn {
        let mut conn = self.connect();
        match &mut conn {
            Conn::Sqlite(sqlite) => sqlite.batch_execute("BEGIN IMMEDIATE"),
            // Another node's writer holds this lock.
            Conn::Pg(pg) => {
                pg.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(x'6c616e6d75'::bigint)")
            }
        }
        .expect("the lock is had");
        conn
    }

    /// A connection of the test's own.
    pub fn connect(&self) -> Conn {
        databases::connect(&self.url)
    }

    /// The clock's present.
    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Moves the clock to this instant.
    pub fn set_clock(&self, to: &str) {
        self.app.clock.set(to.parse_instant());
    }

    /// Moves the clock on.
    pub fn advance(&self, seconds: i64) {
        self.app.clock.set(self.now().plus_seconds(seconds));
    }

    /// Writes down what time has made of articles, and tells of how many.
    pub async fn tick(&self) -> usize {
        let settled = lanmu::articles::tick(&self.app).await;
        settled.expect("the database answers")
    }

    /// Folds hits of the log into the ledger, and tells of how many articles.
    pub async fn fold(&self) -> usize {
        let folded = self.app.hits.fold(&self.app).await;
        folded.expect("the database answers").articles
    }

    /// A request to this path, to be sent with `.await` on [`Request::send`].
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = format!("http://{}{path}", self.address);
        Request::new(self.client.request(method.clone(), url), method, path)
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    /// What `/metrics` tells under this name.
    pub async fn measure(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics").await.ok(200).text();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in {metrics}"))
    }

    /// `POST` of a JSON body, anonymously.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path).json(&body).send().await
    }

    /// The admin's access token; signs in at the first call, and again once the clock has been
    /// moved too far for the last one.
    pub async fn token(&self) -> String {
        let now = self.now();
        let last = self.token.borrow().clone();
        if let Some((signed_in, token)) = last
            && (signed_in..signed_in.plus_seconds(600)).contains(&now)
        {
            return token;
        }
        let answer = self
            .post(
                "/v1/auth/login",
                json!({"email": ADMIN, "password": PASSWORD}),
            )
            .await
            .ok(200);
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        self.token.replace(Some((now, token.clone())));
        token
    }

    /// Forgets the admin's access token, whose session is over.
    pub fn forget_token(&self) {
        self.token.replace(None);
    }

    /// The ids of a list from this page on, read from `next_cursor` to `next_cursor`; as the admin
    /// where it is a managed one.
    pub async fn walk(&self, path: &str) -> Vec<i64> {
        let mut ids = Vec::new();
        let mut next = path.to_owned();
        let path = path.split(['?', '&']);
        let path = path.filter(|part| !part.starts_with("cursor="));
        let path = path.collect::<Vec<_>>().join("&").replacen('&', "?", 1);
        for _ in 0..500 {
            let answer = if path.starts_with("/v1/admin") {
                self.admin().get(&next).await.ok(200)
            } else {
                self.get(&next).await.ok(200)
            };
            ids.extend(answer.ids());
            let Some(cursor) = answer["page"]["next_cursor"].as_str() else {
                return ids;
            };
            let mark = if path.contains('?') { '&' } else { '?' };
            next = format!("{path}{mark}cursor={cursor}");
        }
        panic!("{path} has no end");
    }

    /// Where `GET` and `HEAD` of an old slug lead.
    pub async fn leads_to(&self, path: &str) -> String {
        let mut places = Vec::new();
        for method in [Method::GET, Method::HEAD] {
            let answer = self.request(method, path).send().await.ok(308);
            let cache = answer.header("cache-control").unwrap_or_default();
            assert!(cache.contains("max-age=300"), "{path}: {cache}");
            places.push(answer.header("location").expect("a place").to_owned());
        }
        assert_eq!(places[0], places[1]);
        places.remove(0)
    }

    /// The same, as the admin.
    pub fn admin(&self) -> Admin<'_> {
        Admin(self)
    }
}

/// Requests with the admin's token.
pub struct Admin<'a>(&'a TestApp);

impl Admin<'_> {
    /// A request to this path.
    pub async fn request(&self, method: Method, path: &str) -> Request {
        let token = self.0.token().await;
        self.0
            .request(method, path)
            .header("authorization", &format!("Bearer {token}"))
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).await.send().await
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path)
            .await
            .json(&body)
            .send()
            .await
    }

    /// `POST` without a body.
    pub async fn act(&self, path: &str) -> Answer {
        self.request(Method::POST, path).await.send().await
    }

    /// `PUT` of a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PUT, path)
            .await
            .json(&body)
            .send()
            .await
    }

    /// `PATCH` of whatever version there is.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PATCH, path)
            .await
            .header("if-match", "*")
            .json(&body)
            .send()
            .await
    }

    /// A write on this condition (`If-Match`); null is no body.
    pub async fn write_if(
        &self,
        if_match: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        let request = self.request(method, path).await;
        let request = request.header("if-match", if_match);
        if body.is_null() {
            request.send().await
        } else {
            request.json(&body).send().await
        }
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).await.send().await
    }

    /// A section of this name with these members besides; its id.
    pub async fn section(&self, name: &str, more: Value) -> i64 {
        let body = merged(json!({"name": name}), more);
        self.post("/v1/admin/sections", body).await.ok(201)["id"]
            .as_i64()
            .expect("an id")
    }

    /// A draft of this title with these members besides; its id.
    pub async fn draft(&self, title: &str, section_id: i64, more: Value) -> i64 {
        let body = json!({
            "title": title, "section_id": section_id,
            "body": {"format": "text", "content": "码头的灯亮了。"},
        });
        let body = merged(body, more);
        self.post("/v1/admin/articles", body).await.ok(201)["id"]
            .as_i64()
            .expect("an id")
    }

    /// A published article of this title with these members besides; its id.
    pub async fn article(&self, title: &str, section_id: i64, more: Value) -> i64 {
        self.draft(title, section_id, merged(json!({"publish": {}}), more))
            .await
    }
}

/// The first object with the members of the second put over it.
pub fn merged(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}
