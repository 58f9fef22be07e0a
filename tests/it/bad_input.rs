//! Every kind of bad input against every write route: a clear error, nothing written.
//!
//! What bodies are made of is read from the document, so that a new member is tried by itself.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::LazyLock;

use lanmu::db::Conn;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, PASSWORD, TestApp, merged};
use crate::support::client::{Answer, Request};
use crate::support::databases;
use crate::support::stage::Stage;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(&lanmu::openapi::pretty()).expect("the document is JSON")
});

/// Which bodies a route takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Json,
    MergePatch,
    JsonOrNothing,
    Beacon,
    /// An action: nothing, or an object with nothing in it.
    NoMembers,
    /// No body is looked at.
    Nothing,
}

/// A write route with what it needs to succeed.
struct Route {
    method: Method,
    template: &'static str,
    path: String,
    takes: Takes,
    /// A good body with every member that the document names.
    full: Value,
}

impl Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

impl Route {
    fn has_body(&self) -> bool {
        !matches!(self.takes, Takes::Nothing | Takes::NoMembers)
    }

    /// Whether it may answer nothing but that the credentials are wrong.
    fn hides_what_is_wrong(&self) -> bool {
        self.template.starts_with("/v1/auth")
    }

    /// The path with another text in place of its parameter.
    fn at(&self, text: &str) -> Option<String> {
        let (before, rest) = self.template.split_once('{')?;
        let (_, after) = rest.split_once('}')?;
        Some(format!("{before}{text}{after}"))
    }

    /// The members of its body, those within others too.
    fn members(&self) -> Vec<Member> {
        let method = self.method.as_str().to_lowercase();
        let content = &DOCUMENT["paths"][self.template][&method]["requestBody"]["content"];
        let schema = content.as_object().and_then(|types| types.values().next());
        let schema = schema.unwrap_or_else(|| panic!("{self} documents no body"));
        let mut found = Vec::new();
        collect(&schema["schema"], "", &mut found);
        for member in &found {
            assert!(
                self.full.pointer(&member.pointer).is_some(),
                "the table's body of {self} lacks {}",
                member.pointer
            );
        }
        found
    }

    fn strings(&self) -> Vec<Member> {
        let mut members = self.members();
        members.retain(|member| member.kind == "string");
        members
    }
}

/// A member of a body as the document describes it.
struct Member {
    pointer: String,
    kind: String,
    schema: Value,
    required: bool,
    nullable: bool,
}

/// A schema behind its references, and whether null is allowed too.
fn resolve(schema: &Value) -> (Value, bool) {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = DOCUMENT.pointer(reference.trim_start_matches('#'));
        return (found.expect("the reference leads somewhere").clone(), false);
    }
    let Some(choices) = schema["oneOf"].as_array() else {
        let nullable = schema["type"]
            .as_array()
            .is_some_and(|types| types.contains(&json!("null")));
        return (schema.clone(), nullable);
    };
    let chosen = choices.iter().find(|choice| choice["type"] != "null");
    (resolve(chosen.expect("a choice")).0, true)
}

fn collect(schema: &Value, pointer: &str, found: &mut Vec<Member>) {
    let (object, _) = resolve(schema);
    let required = object["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in object["properties"].as_object().into_iter().flatten() {
        let pointer = format!("{pointer}/{name}");
        let is_required = required.contains(&json!(name));
        push(property, pointer, is_required, found);
    }
}

fn push(schema: &Value, pointer: String, required: bool, found: &mut Vec<Member>) {
    let (resolved, nullable) = resolve(schema);
    let types = match &resolved["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let kind = types.iter().find(|kind| *kind != "null").expect("a type");
    let kind = kind.as_str().expect("a name").to_owned();
    match kind.as_str() {
        "object" => collect(&resolved, &pointer, found),
        "array" => push(&resolved["items"], format!("{pointer}/0"), false, found),
        _ => {}
    }
    found.push(Member {
        pointer,
        kind,
        schema: resolved,
        required,
        nullable,
    });
}

const SLOT: &str = "@@slot@@";

/// The body as text with these bytes in place of the value at a pointer.
fn with_raw(full: &Value, pointer: &str, raw: impl AsRef<[u8]>) -> Vec<u8> {
    let mut body = full.clone();
    *body.pointer_mut(pointer).expect("the table has it") = json!(SLOT);
    let text = body.to_string();
    let (before, after) = text
        .split_once(&format!("\"{SLOT}\""))
        .expect("the slot is there");
    [before.as_bytes(), raw.as_ref(), after.as_bytes()].concat()
}

fn without(full: &Value, pointer: &str) -> Value {
    let mut body = full.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a member");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("an object").remove(name);
    body
}

type Rows = Vec<(&'static str, Vec<String>)>;

/// A node with a little of everything on it, and what went wrong there.
struct Desk {
    app: Rc<TestApp>,
    token: String,
    refresh_token: String,
    section: i64,
    below: i64,
    article: i64,
    draft: i64,
    trashed: i64,
    conn: RefCell<Conn>,
    rows: RefCell<Rows>,
    wrong: RefCell<Vec<String>>,
}

impl Desk {
    async fn open(stage: &Stage, settings: &[(&str, &str)]) -> Self {
        let app = stage.with(settings).await;
        let admin = app.admin();
        let section = admin.section("港口", json!({})).await;
        let below = admin.section("渡口", json!({"parent_id": section})).await;
        admin.section("灯塔", json!({})).await;
        let article = admin.article("晨渡", section, json!({})).await;
        let draft = admin.draft("草稿", section, json!({})).await;
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
        let mut conn = app.connect();
        let rows = RefCell::new(databases::rows(&mut conn));
        Self {
            token: text("access_token"),
            refresh_token: text("refresh_token"),
            section,
            below,
            article,
            draft,
            trashed,
            conn: RefCell::new(conn),
            rows,
            wrong: RefCell::default(),
            app,
        }
    }

    /// Every write route of the document.
    fn routes(&self) -> Vec<Route> {
        let (section, below) = (self.section, self.below);
        let (article, draft, trashed) = (self.article, self.draft, self.trashed);
        let cover = json!({"url": "/img/港.png", "alt": "港口", "width": 800, "height": 450});
        let section_members = |slug: &str| {
            json!({
                "name": "新港", "slug": slug, "visible": true, "description": "港区\n要闻",
                "keywords": ["港"], "kind": "list", "cover": cover, "max_age_days": 30,
            })
        };
        let dates = json!({
            "published_at": "2026-01-30T09:00:00+08:00", "expires_at": "2027-01-30T09:00:00+08:00",
        });
        let article_members = |name: &str| {
            json!({
                "title": "归航", "section_id": section, "also_in": [below], "slug": name,
                "subtitle": "副题", "short_title": "归", "summary": "摘\n要",
                "source": {"name": "青屿日报", "url": "https://daily.example.com/"},
                "author": "林舟", "editor": "苏帆", "keywords": ["港"], "tags": ["海"],
                "cover": cover, "lang": "zh-CN", "external_url": "https://a.example/1",
                "canonical_url": "https://b.example/2",
                "attachments": [{
                    "name": "潮汐表.pdf", "url": "/files/tides.pdf",
                    "media_type": "application/pdf", "bytes": 4096,
                }],
                "seo": {"title": "归航", "description": "船回来了"},
                "legacy_urls": ["/old/1.html"], "external_id": name, "featured": true,
                "pinned_until": "2026-06-01T00:00:00Z",
                "published_at": "2026-01-30T09:00:00+08:00",
                "expires_at": "2027-01-30T09:00:00+08:00",
                "body": {"format": "markdown", "content": "船\n\n**归**"},
            })
        };
        let publish = json!({"publish": dates});
        let hit = json!({
            "article_id": article, "hit_id": "b", "at": "2026-01-31T03:00:00Z", "client": "app",
        });
        let route =
            |method: Method, template: &'static str, argument: &dyn Display, takes, full| {
                let mut route = Route {
                    method,
                    template,
                    path: template.to_owned(),
                    takes,
                    full,
                };
                if let Some(path) = route.at(&argument.to_string()) {
                    route.path = path;
                }
                route
            };
        use Takes::{Beacon, Json, JsonOrNothing, MergePatch, NoMembers, Nothing};
        let none = Value::Null;
        let (post, put) = (Method::POST, Method::PUT);
        let (patch, delete) = (Method::PATCH, Method::DELETE);
        vec![
            route(
                post.clone(),
                "/v1/admin/sections",
                &"",
                Json,
                merged(
                    section_members("new-port"),
                    json!({"parent_id": section, "position": 0}),
                ),
            ),
            route(
                patch.clone(),
                "/v1/admin/sections/{id}",
                &section,
                MergePatch,
                section_members("old-port"),
            ),
            route(
                post.clone(),
                "/v1/admin/sections/{id}/move",
                &below,
                Json,
                json!({"parent_id": null, "before": section, "after": null}),
            ),
            route(
                delete.clone(),
                "/v1/admin/sections/{id}",
                &3,
                Nothing,
                none.clone(),
            ),
            route(
                post.clone(),
                "/v1/admin/articles",
                &"",
                Json,
                merged(article_members("created"), publish.clone()),
            ),
            route(
                patch,
                "/v1/admin/articles/{id}",
                &article,
                MergePatch,
                article_members("patched"),
            ),
            route(
                put.clone(),
                "/v1/admin/external-articles/{external_id}",
                &"pushed",
                Json,
                merged(article_members("pushed"), publish),
            ),
            route(
                post.clone(),
                "/v1/admin/articles/{id}/publish",
                &draft,
                JsonOrNothing,
                dates,
            ),
            route(
                post.clone(),
                "/v1/admin/articles/{id}/unpublish",
                &article,
                NoMembers,
                json!({}),
            ),
            route(
                post.clone(),
                "/v1/admin/articles/{id}/restore",
                &trashed,
                NoMembers,
                json!({}),
            ),
            route(
                put,
                "/v1/admin/articles/{id}/hits",
                &article,
                Json,
                json!({"baseline": 7, "reason": "旧站"}),
            ),
            route(
                post.clone(),
                "/v1/admin/articles/{id}/hits/reset",
                &article,
                Json,
                json!({"reason": "试点击"}),
            ),
            route(
                delete.clone(),
                "/v1/admin/articles/{id}/hits",
                &article,
                Nothing,
                none.clone(),
            ),
            route(
                delete,
                "/v1/admin/articles/{id}",
                &article,
                Nothing,
                none.clone(),
            ),
            route(
                post.clone(),
                "/v1/auth/login",
                &"",
                Json,
                json!({"email": ADMIN, "password": PASSWORD}),
            ),
            route(
                post.clone(),
                "/v1/auth/refresh",
                &"",
                Json,
                json!({"refresh_token": self.refresh_token}),
            ),
            route(
                post.clone(),
                "/v1/articles/{ref}/hits",
                &article,
                Beacon,
                json!({"client": "web", "hit_id": "c"}),
            ),
            route(
                post.clone(),
                "/v1/hits",
                &"",
                Beacon,
                json!({"hits": [hit]}),
            ),
            route(post, "/v1/auth/logout", &"", Nothing, none),
        ]
    }

    /// The routes that take a body with members.
    fn with_body(&self) -> Vec<Route> {
        let mut routes = self.routes();
        routes.retain(Route::has_body);
        routes
    }

    /// A request to a path of this route that lacks nothing but its body.
    fn ask_at(&self, route: &Route, path: &str) -> Request {
        let mut request = self.app.request(route.method.clone(), path);
        if route.template.starts_with("/v1/admin") || route.template == "/v1/auth/logout" {
            request = request.header("authorization", &format!("Bearer {}", self.token));
        }
        if route.method == Method::PATCH {
            request = request.header("if-match", "*");
        }
        request
    }

    fn ask(&self, route: &Route) -> Request {
        self.ask_at(route, &route.path)
    }

    fn send(&self, route: &Route, body: impl Into<Vec<u8>>) -> Request {
        self.ask(route).body("application/json", body)
    }

    fn note(&self, what: String) {
        self.wrong.borrow_mut().push(what);
    }

    /// Notes where the request isn't refused so, or leaves anything behind.
    async fn refuses(
        &self,
        what: impl Display,
        request: Request,
        expected: (&[u16], &str),
    ) -> Answer {
        let (statuses, code) = expected;
        let answer = request.send().await;
        let is_code = code.is_empty() || answer["code"] == code;
        if !statuses.contains(&answer.status) || !is_code {
            self.note(format!("{what}: {answer}"));
        }
        let rows = databases::rows(&mut self.conn.borrow_mut());
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
    fn expect_changes(&self) {
        let rows = databases::rows(&mut self.conn.borrow_mut());
        self.rows.replace(rows);
    }

    /// The same, and the fault that it tells: where it is, and its code where one is given.
    async fn refuses_at(
        &self,
        what: impl Display,
        request: Request,
        expected: (&[u16], &str),
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

    async fn close(self) {
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

const BAD_BODY: (&[u16], &str) = (&[400], "invalid_body");
const BAD_REQUEST: (&[u16], &str) = (&[400], "invalid_request");
const INVALID: (&[u16], &str) = (&[422], "validation_failed");
const WRONG_CREDENTIALS: (&[u16], &str) = (&[401, 422], "");
const MISSING: (&[u16], &str) = (&[404], "not_found");
const WRONG_MEDIA: (&[u16], &str) = (&[415], "unsupported_media_type");

// The tables.

async fn every_write_of_the_document_is_tried(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let mut tried: Vec<String> = desk.routes().iter().map(ToString::to_string).collect();
    let mut documented = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().expect("paths") {
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
        if route.has_body() {
            route.members();
        }
        let request = match route.takes {
            Takes::Nothing => desk.ask(&route),
            _ => desk.send(&route, route.full.to_string()),
        };
        let answer = request.send().await;
        assert!(answer.status < 300, "{route}: {answer}");
    }
}

// The form of a body.

async fn a_body_that_is_not_json_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let bodies: [&[u8]; 22] = [
        b"{",
        b"}",
        b"nonsense",
        b" ",
        b"\n",
        b"\0",
        b"{} x",
        b"{}{}",
        b"{},",
        b"{'a': 1}",
        b"{a: 1}",
        b"{\"",
        b"{,}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"<article/>",
        b"title=x&section_id=1",
        b"NaN",
        b"Infinity",
        b"undefined",
        b"// none\n{}",
        b"{} /* */",
    ];
    for route in desk.with_body() {
        for body in bodies {
            let shown = String::from_utf8_lossy(body);
            let request = desk.send(&route, body);
            desk.refuses_at(
                format!("{route} {shown:?}"),
                request,
                BAD_BODY,
                "",
                "malformed_json",
            )
            .await;
        }
        let text = route.full.to_string();
        for cut in [1, text.len() / 2, text.len() - 1] {
            let mut end = cut;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let request = desk.send(&route, &text.as_bytes()[..end]);
            desk.refuses_at(
                format!("{route} cut at {end}"),
                request,
                BAD_BODY,
                "",
                "malformed_json",
            )
            .await;
        }
    }
    desk.close().await;
}

async fn a_body_that_is_no_object_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        let listed = json!([route.full]).to_string();
        let values: Vec<String> = route
            .full
            .as_object()
            .map(|members| json!(members.values().collect::<Vec<_>>()).to_string())
            .into_iter()
            .collect();
        let plain = ["[]", "null", "true", "\"x\"", "1", "-1.5", "[{}]"];
        let all = plain.into_iter().chain([listed.as_str()]);
        for body in all.chain(values.iter().map(String::as_str)) {
            let request = desk.send(&route, body);
            desk.refuses_at(
                format!("{route} {body:.40}"),
                request,
                BAD_BODY,
                "",
                "wrong_type",
            )
            .await;
        }
    }
    desk.close().await;
}

async fn a_body_that_is_missing_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        if route.template == "/v1/articles/{ref}/hits" || route.takes == Takes::JsonOrNothing {
            continue;
        }
        for request in [desk.ask(&route), desk.send(&route, "")] {
            desk.refuses(
                format!("{route} without a body"),
                request,
                (&[400, 422], ""),
            )
            .await;
        }
    }
    desk.close().await;
}

async fn text_that_is_no_unicode_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let texts: [&[u8]; 16] = [
        b"\"\\ud800\"",
        b"\"\\udc00\"",
        b"\"a\\ud800b\"",
        b"\"\\ud800\\ud800\"",
        b"\"\\udfff\\ud800\"",
        b"\"\\ud83d\\u0041\"",
        b"\"\\u12\"",
        b"\"\\uZZZZ\"",
        b"\"\\x41\"",
        b"\"\xff\"",
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe6\xb8\"",
        b"\"a\nb\"",
        b"\"a\0b\"",
    ];
    for route in desk.with_body() {
        let Some(member) = route.strings().into_iter().next() else {
            continue;
        };
        for text in texts {
            let body = with_raw(&route.full, &member.pointer, text);
            let shown = text.escape_ascii();
            desk.refuses_at(
                format!("{route} {} {shown}", member.pointer),
                desk.send(&route, body),
                BAD_BODY,
                "",
                "malformed_json",
            )
            .await;
        }
        let text = route.full.to_string();
        let name = [b"{\"\xff\": 1, ".as_slice(), &text.as_bytes()[1..]];
        desk.refuses(
            format!("{route} a name that is no UTF-8"),
            desk.send(&route, name.concat()),
            BAD_BODY,
        )
        .await;
    }
    desk.close().await;
}

async fn deep_nesting_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let lists = "[".repeat(10_000);
    let closed = format!("{lists}{}", "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for route in desk.with_body() {
        for (name, value) in [("open", &lists), ("lists", &closed), ("objects", &objects)] {
            let request = desk.send(&route, value.as_str());
            desk.refuses(format!("{route} {name}"), request, BAD_BODY)
                .await;
            for member in route.members() {
                let body = with_raw(&route.full, &member.pointer, value);
                desk.refuses(
                    format!("{route} {} {name}", member.pointer),
                    desk.send(&route, body),
                    BAD_BODY,
                )
                .await;
            }
            let unknown = format!("{{\"wat\":{value},{}", &route.full.to_string()[1..]);
            desk.refuses(
                format!("{route} /wat {name}"),
                desk.send(&route, unknown),
                BAD_BODY,
            )
            .await;
        }
        if route.template == "/v1/admin/sections/{id}" {
            for name in ["parent_id", "position"] {
                let body = format!("{{\"{name}\": {closed}}}");
                desk.refuses(format!("{route} {name}"), desk.send(&route, body), BAD_BODY)
                    .await;
            }
        }
    }
    desk.close().await;
}

// Members.

async fn a_member_of_the_wrong_type_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.members() {
            let wrong: &[&str] = match member.kind.as_str() {
                "string" => &["1", "1.5", "true", "[]", "{}", "[\"x\"]"],
                "integer" => &["\"1\"", "\"\"", "1.5", "1.0", "true", "[]", "[1]", "{}"],
                "boolean" => &["\"true\"", "\"\"", "1", "0", "[]", "{}"],
                "array" => &["{}", "\"x\"", "1", "true", "{\"0\": 1}"],
                "object" => &["[]", "\"x\"", "1", "true", "[{}]"],
                other => panic!("{} is of type {other}", member.pointer),
            };
            for value in wrong {
                let body = with_raw(&route.full, &member.pointer, value);
                desk.refuses_at(
                    format!("{route} {}: {value}", member.pointer),
                    desk.send(&route, body),
                    BAD_BODY,
                    &member.pointer,
                    "wrong_type",
                )
                .await;
            }
            if member.pointer.ends_with("/0") {
                let body = with_raw(&route.full, &member.pointer, "null");
                desk.refuses_at(
                    format!("{route} {}: null", member.pointer),
                    desk.send(&route, body),
                    BAD_BODY,
                    &member.pointer,
                    "wrong_type",
                )
                .await;
            }
        }
    }
    desk.close().await;
}

async fn a_number_that_is_no_64_bit_integer_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.members() {
            if member.kind != "integer" {
                continue;
            }
            for number in [
                "9223372036854775808",
                "-9223372036854775809",
                "18446744073709551616",
                "1e400",
                "-1e400",
                "1e2",
                "1E+2",
                "0.1e1",
                "1e-400",
                "01",
                "+1",
                "0x1",
                "1_000",
                "1.",
                ".5",
                "-",
                "NaN",
                &"9".repeat(10_000),
            ] {
                let body = with_raw(&route.full, &member.pointer, number);
                let shown = format!("{route} {}: {number:.30}", member.pointer);
                desk.refuses(shown, desk.send(&route, body), BAD_BODY).await;
            }
        }
    }
    desk.close().await;
}

async fn an_unknown_member_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        let mut objects = vec![String::new()];
        objects.extend(
            route
                .members()
                .into_iter()
                .filter(|member| member.kind == "object")
                .map(|member| member.pointer),
        );
        for object in objects {
            for (name, escaped) in [
                ("wat", "wat"),
                ("id", "id"),
                ("status", "status"),
                ("a/b~c", "a~1b~0c"),
                ("", ""),
                ("Title", "Title"),
                ("标题", "标题"),
            ] {
                let mut body = route.full.clone();
                let members = body.pointer_mut(&object).and_then(Value::as_object_mut);
                let members = members.expect("an object");
                members.insert(name.to_owned(), json!(1));
                desk.refuses_at(
                    format!("{route} {object}/{name}"),
                    desk.send(&route, body.to_string()),
                    BAD_BODY,
                    &format!("{object}/{escaped}"),
                    "unknown_member",
                )
                .await;
            }
        }
    }
    desk.close().await;
}

async fn a_member_given_twice_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.members() {
            let (parent, name) = member.pointer.rsplit_once('/').expect("a member");
            if name.bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            let object = route.full.pointer(parent).expect("an object").to_string();
            let value = &route.full.pointer(&member.pointer).expect("a value");
            let first = format!("\\u{:04x}{}", u32::from(name.as_bytes()[0]), &name[1..]);
            for again in [name, &first] {
                let raw = format!("{},\"{again}\":{value}}}", &object[..object.len() - 1]);
                let body = match parent {
                    "" => raw.into_bytes(),
                    parent => with_raw(&route.full, parent, raw),
                };
                desk.refuses_at(
                    format!("{route} {} and {again}", member.pointer),
                    desk.send(&route, body),
                    BAD_BODY,
                    &member.pointer,
                    "duplicate",
                )
                .await;
            }
        }
    }
    desk.close().await;
}

async fn a_required_member_is_required(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        let blank = [
            "\"\"",
            "\" \"",
            "\"\\t\\n\"",
            "\"\u{3000}\u{200b}\"",
            "\"\u{feff}\"",
        ];
        let mut required: Vec<String> = Vec::new();
        for member in route.members() {
            if !member.required {
                continue;
            }
            if !member.pointer[1..].contains('/') {
                required.push(member.pointer.clone());
            }
            let mut bodies = Vec::new();
            // A patch merges objects, so that what it leaves out stays.
            let is_kept = route.takes == Takes::MergePatch && !member.pointer.contains("/0/");
            if !is_kept {
                let missing = without(&route.full, &member.pointer).to_string();
                bodies.push(("missing", missing.into_bytes()));
            }
            if !member.nullable {
                bodies.push(("null", with_raw(&route.full, &member.pointer, "null")));
            }
            // A blank body means that there is none, and any password may be tried.
            let may_be_blank = member.pointer.ends_with("/content") || route.hides_what_is_wrong();
            if member.kind == "string" && !may_be_blank {
                for text in blank {
                    bodies.push((text, with_raw(&route.full, &member.pointer, text)));
                }
            }
            for (what, body) in bodies {
                let is_choice = !member.schema["pattern"].is_null();
                desk.refuses_at(
                    format!("{route} {} {what}", member.pointer),
                    desk.send(&route, body),
                    INVALID,
                    &member.pointer,
                    if is_choice { "" } else { "required" },
                )
                .await;
            }
        }
        if required.is_empty() {
            continue;
        }
        let answer = desk
            .refuses(format!("{route} {{}}"), desk.send(&route, "{}"), INVALID)
            .await;
        let mut told: Vec<String> = answer.faults().into_iter().map(|fault| fault.0).collect();
        told.sort();
        required.sort();
        if told != required {
            desk.note(format!(
                "{route} {{}}: {told:?} is told, {required:?} is missing"
            ));
        }
    }
    desk.close().await;
}

async fn what_a_patch_can_not_empty_is_not_emptied(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let routes = desk.with_body();
    for route in routes
        .iter()
        .filter(|route| route.takes == Takes::MergePatch)
    {
        for member in route.members() {
            let is_own = !member.pointer[1..].contains('/');
            if member.nullable || !is_own {
                continue;
            }
            let body = with_raw(&route.full, &member.pointer, "null");
            desk.refuses_at(
                format!("{route} {} null", member.pointer),
                desk.send(route, body),
                INVALID,
                &member.pointer,
                "required",
            )
            .await;
        }
    }
    desk.close().await;
}

async fn what_is_too_long_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.members() {
            let at = &member.pointer;
            let too_long = match (member.schema["maxLength"].as_u64(), at.as_str()) {
                (Some(max), _) => Some(usize::try_from(max).expect("small")),
                (None, "/keywords/0" | "/tags/0") => Some(60),
                (None, "/legacy_urls/0") => Some(2000),
                _ => None,
            };
            if let Some(max) = too_long.filter(|_| member.kind == "string") {
                let has_form = ["url", "slug", "lang", "media_type", "external_id"]
                    .iter()
                    .any(|name| at.contains(name));
                let text = match at.contains("url") {
                    true => format!("https://a.example/{}", "a".repeat(max - 17)),
                    false if has_form => "a".repeat(max + 1),
                    false => "潮".repeat(max + 1),
                };
                let body = with_raw(&route.full, at, json!(text).to_string());
                let expected = match route.hides_what_is_wrong() {
                    true => WRONG_CREDENTIALS,
                    false => INVALID,
                };
                let what = format!("{route} {at} of {} characters", max + 1);
                let request = desk.send(&route, body);
                if route.hides_what_is_wrong() {
                    desk.refuses(what, request, expected).await;
                } else {
                    let fault = if has_form { "" } else { "too_long" };
                    desk.refuses_at(what, request, expected, at, fault).await;
                }
            }
            if let Some(max) = member.schema["maxItems"].as_u64() {
                let item = &route.full.pointer(at).expect("a list")[0];
                let items: Vec<Value> = (0..=max)
                    .map(|n| match item {
                        Value::String(text) => json!(format!("{text}{n}")),
                        Value::Object(_) if !item["hit_id"].is_null() => {
                            merged(item.clone(), json!({"hit_id": n.to_string()}))
                        }
                        other => other.clone(),
                    })
                    .collect();
                let body = with_raw(&route.full, at, json!(items).to_string());
                desk.refuses_at(
                    format!("{route} {at} of {} items", max + 1),
                    desk.send(&route, body),
                    INVALID,
                    at,
                    "too_many",
                )
                .await;
            }
        }
    }
    desk.close().await;
}

async fn a_number_out_of_its_range_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.members() {
            if member.kind != "integer" {
                continue;
            }
            let mut numbers = vec![i64::MIN, i64::MAX, 0, -1];
            numbers.extend(member.schema["minimum"].as_i64().map(|n| n - 1));
            numbers.extend(member.schema["maximum"].as_i64().map(|n| n + 1));
            let allowed = |n: i64| {
                let names_something = member.pointer.contains("_id")
                    || ["/also_in/0", "/before", "/after"].contains(&member.pointer.as_str());
                !names_something
                    && member.schema["minimum"].as_i64().is_none_or(|min| n >= min)
                    && member.schema["maximum"].as_i64().is_none_or(|max| n <= max)
            };
            for number in numbers {
                // In a batch an article that can't be there is told, not refused.
                let is_told = member.pointer == "/hits/0/article_id";
                if allowed(number) || is_told {
                    continue;
                }
                let body = with_raw(&route.full, &member.pointer, number.to_string());
                desk.refuses_at(
                    format!("{route} {}: {number}", member.pointer),
                    desk.send(&route, body),
                    INVALID,
                    &member.pointer,
                    "",
                )
                .await;
            }
        }
    }
    desk.close().await;
}

async fn control_characters_are_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.strings() {
            for character in ["\\u0000", "\\u0007", "\\u001b", "\\u007f", "\\u009f"] {
                let body = with_raw(&route.full, &member.pointer, format!("\"a{character}b\""));
                let what = format!("{route} {} with {character}", member.pointer);
                let request = desk.send(&route, body);
                if route.hides_what_is_wrong() {
                    desk.refuses(what, request, WRONG_CREDENTIALS).await;
                } else {
                    desk.refuses_at(what, request, INVALID, &member.pointer, "")
                        .await;
                }
            }
            let one_line = [
                "/title",
                "/name",
                "/subtitle",
                "/short_title",
                "/author",
                "/editor",
                "/kind",
                "/keywords/0",
                "/tags/0",
                "/source/name",
                "/cover/alt",
                "/seo/title",
                "/reason",
                "/hit_id",
                "/hits/0/hit_id",
                "/attachments/0/name",
            ];
            if one_line.contains(&member.pointer.as_str()) {
                for character in ["\\n", "\\r", "\\t"] {
                    let body = with_raw(&route.full, &member.pointer, format!("\"a{character}b\""));
                    desk.refuses_at(
                        format!("{route} {} with {character}", member.pointer),
                        desk.send(&route, body),
                        INVALID,
                        &member.pointer,
                        "invalid_characters",
                    )
                    .await;
                }
            }
        }
    }
    desk.close().await;
}

/// Texts that a member of this name can't have.
fn bad_forms(member: &Member) -> Vec<&'static str> {
    let name = member.pointer.rsplit('/').next().unwrap_or_default();
    if member.schema["format"] == "date-time" {
        return vec![
            "yesterday",
            "2026-01-31",
            "2026-01-31T09:00:00",
            "2026-01-31T09:00Z",
            "2026-1-31T09:00:00Z",
            "2026-02-30T09:00:00Z",
            "2025-02-29T09:00:00Z",
            "2026-13-01T09:00:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T09:60:00Z",
            "2026-01-31T09:00:61Z",
            "2026-01-31T09:00:00+0800",
            "2026-01-31T09:00:00+08",
            "2026-01-31T09:00:00+24:00",
            "2026-01-31T09:00:00+08:60",
            "2026-01-31T09:00:00 Asia/Shanghai",
            "2026-01-31T09:00:00.Z",
            "20260131T090000Z",
            "2026-W05-6T09:00:00Z",
            "+12026-01-31T09:00:00Z",
            "-2026-01-31T09:00:00Z",
            "10000-01-01T00:00:00Z",
            "0000-12-31T00:00:00Z",
            "1769832000",
            "Sat, 31 Jan 2026 09:00:00 GMT",
            "二〇二六年一月三十一日",
        ];
    }
    match name {
        "slug" => vec![
            "Slug", "a b", "a_b", "a/b", "港口", "tree", "12345", "é", "a.b", "%61", "../a",
        ],
        "lang" => vec![
            "x y",
            "english-language",
            "zh_CN",
            "-",
            "1",
            "中文",
            "zh--CN",
        ],
        "external_url" | "canonical_url" => vec![
            "javascript:alert(1)",
            "ftp://a.example/x",
            "//evil.example/x",
            "/path",
            "a.example",
            "http://",
            "http://a b/",
            "data:text/html,x",
            "mailto:a@b.example",
        ],
        "url" if member.pointer == "/source/url" => {
            vec!["javascript:alert(1)", "/path", "ftp://a.example/"]
        }
        "url" => vec![
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "//evil.example/x",
            "/\\evil.example",
            "data:text/html,x",
            "picture.png",
            "http://",
        ],
        "media_type" => vec!["x", "a/", "/b", "a/b/c", "a b/c", "图/像", "a/b; c=d"],
        "format" => vec!["xml", "HTML", "text/html", "Markdown"],
        "client" => vec!["fridge", "WEB", "web,app"],
        "external_id" => vec!["a b", "a/b", "港", "a%20b", "<x>"],
        _ => Vec::new(),
    }
}

async fn a_value_of_the_wrong_form_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.strings() {
            for text in bad_forms(&member) {
                let body = with_raw(&route.full, &member.pointer, json!(text).to_string());
                desk.refuses_at(
                    format!("{route} {}: {text}", member.pointer),
                    desk.send(&route, body),
                    INVALID,
                    &member.pointer,
                    "",
                )
                .await;
            }
        }
    }
    desk.close().await;
}

async fn all_bad_values_are_told_at_once(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        let mut body = route.full.clone();
        let mut spoilt = Vec::new();
        for member in route.members() {
            let bad = match member.kind.as_str() {
                "string" if member.schema["format"] == "date-time" => json!("soon"),
                "string" => json!("a\u{0}b"),
                "integer" if !member.schema["maximum"].is_null() => json!(i64::MAX),
                _ => continue,
            };
            *body.pointer_mut(&member.pointer).expect("a value") = bad;
            spoilt.push(member.pointer);
        }
        if route.hides_what_is_wrong() || spoilt.is_empty() {
            continue;
        }
        let request = desk.send(&route, body.to_string());
        let answer = desk.refuses(&route, request, INVALID).await;
        let mut told: Vec<String> = answer.faults().into_iter().map(|fault| fault.0).collect();
        told.sort();
        told.dedup();
        spoilt.sort();
        if told != spoilt {
            desk.note(format!("{route}: {told:?} is told, {spoilt:?} is bad"));
        }
    }
    desk.close().await;
}

/// Faults that only the database or the life cycle can tell come with those of single members.
async fn what_the_database_must_tell_is_told_with_the_rest(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let (section, article) = (desk.section, desk.article);
    let articles = "/v1/admin/articles".to_owned();
    let one = format!("/v1/admin/articles/{article}");
    let sections = "/v1/admin/sections".to_owned();
    let unknown = 987_654_321;
    for (method, path, body, expected) in [
        (
            Method::POST,
            &articles,
            json!({"title": "", "section_id": unknown, "also_in": [unknown]}),
            vec!["/also_in/0", "/section_id", "/title"],
        ),
        (
            Method::POST,
            &articles,
            json!({"title": "x", "section_id": unknown, "lang": "?",
                   "published_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}),
            vec!["/expires_at", "/lang", "/section_id"],
        ),
        (
            Method::POST,
            &articles,
            json!({"title": "", "section_id": section, "publish": {}}),
            vec!["/body", "/title"],
        ),
        (
            Method::PATCH,
            &one,
            json!({"title": "", "section_id": unknown, "body": null}),
            vec!["/body", "/section_id", "/title"],
        ),
        (
            Method::POST,
            &sections,
            json!({"name": "", "parent_id": unknown}),
            vec!["/name", "/parent_id"],
        ),
    ] {
        let mut request = desk
            .app
            .request(method.clone(), path)
            .header("authorization", &format!("Bearer {}", desk.token))
            .json(&body);
        if method == Method::PATCH {
            request = request.header("if-match", "*");
        }
        let what = format!("{method} {path} {body}");
        let answer = desk.refuses(&what, request, INVALID).await;
        let mut told: Vec<String> = answer.faults().into_iter().map(|fault| fault.0).collect();
        told.sort();
        if told != expected {
            desk.note(format!("{what}: {told:?} is told, {expected:?} is bad"));
        }
    }
    desk.close().await;
}

// Size and media type.

async fn a_huge_body_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[("LANMU_MAX_BODY_BYTES", "3000")]).await;
    for route in desk.with_body() {
        let text = route.full.to_string();
        let padded = format!("{text}{}", " ".repeat(3001 - text.len()));
        let large = format!("{{\"wat\":\"{}\"}}", "x".repeat(200_000));
        for (what, body) in [("one byte too much", padded), ("200 kB", large)] {
            desk.refuses(
                format!("{route} {what}"),
                desk.send(&route, body),
                (&[413], "payload_too_large"),
            )
            .await;
        }
        let status = chunked(&desk, &route, 60_000);
        if status != 413 {
            desk.note(format!("{route} in chunks: {status}"));
        }
    }
    desk.close().await;
}

/// Status of a request whose body tells no length.
fn chunked(desk: &Desk, route: &Route, bytes: usize) -> u16 {
    let mut stream = TcpStream::connect(desk.app.address()).expect("the node listens");
    let (method, path, token) = (&route.method, &route.path, &desk.token);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         if-match: *\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    let mut request = head.into_bytes();
    for _ in 0..bytes / 1000 {
        request.extend_from_slice(chunk.as_bytes());
    }
    request.extend_from_slice(b"0\r\n\r\n");
    // The node may have answered and hung up before all of it is sent.
    let _ = stream.write_all(&request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let line = String::from_utf8_lossy(&answer);
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
    status.unwrap_or(0)
}

async fn another_media_type_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        let body = route.full.to_string();
        for media_type in [
            "text/plain",
            "application/merge-patch+json",
            "application/json-patch+json",
            "application/problem+json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/octet-stream",
            "application/jsonx",
            "application/jso",
            "text/json",
            "text/html",
            "json",
            "*/*",
            "application/*",
            ";",
            "application/json; charset=gbk",
            "application/json; charset=utf-16",
            "application/json; charset=\"iso-8859-1\"",
            "application/json;CHARSET=ascii",
        ] {
            let is_taken = match route.takes {
                Takes::Beacon => media_type == "text/plain",
                Takes::MergePatch => media_type == "application/merge-patch+json",
                _ => false,
            };
            if !is_taken {
                let request = desk.ask(&route).body(media_type, body.clone());
                desk.refuses(format!("{route} {media_type}"), request, WRONG_MEDIA)
                    .await;
            }
        }
        let bare = desk.ask(&route).bare_body(body.clone());
        desk.refuses(format!("{route} without a type"), bare, WRONG_MEDIA)
            .await;
        let raw = desk.ask(&route).bare_body(body.clone());
        let raw = raw.raw_header("content-type", b"application/json\xff");
        desk.refuses(format!("{route} with a type in bytes"), raw, WRONG_MEDIA)
            .await;
    }
    desk.close().await;
}

async fn a_coded_body_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for coding in [
            "gzip",
            "GZIP",
            "x-gzip",
            "br",
            "deflate",
            "zstd",
            "identity, gzip",
            "wat",
        ] {
            let request = desk
                .send(&route, route.full.to_string())
                .header("content-encoding", coding);
            desk.refuses(format!("{route} in {coding}"), request, WRONG_MEDIA)
                .await;
        }
        let request = desk
            .send(&route, route.full.to_string())
            .header("content-encoding", "identity")
            .header("content-encoding", "gzip");
        desk.refuses(format!("{route} in two codings"), request, WRONG_MEDIA)
            .await;
    }
    desk.close().await;
}

async fn an_action_without_members_takes_no_others(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let mut routes = desk.routes();
    routes.retain(|route| route.takes == Takes::NoMembers);
    for route in routes {
        for body in ["{", "nonsense", " ", "{} x"] {
            let request = desk.send(&route, body);
            desk.refuses_at(
                format!("{route} {body:?}"),
                request,
                BAD_BODY,
                "",
                "malformed_json",
            )
            .await;
        }
        for body in ["[]", "null", "1", "\"x\""] {
            let request = desk.send(&route, body);
            desk.refuses_at(
                format!("{route} {body}"),
                request,
                BAD_BODY,
                "",
                "wrong_type",
            )
            .await;
        }
        let request = desk.send(&route, "{\"note\": \"x\"}");
        desk.refuses_at(&route, request, BAD_BODY, "/note", "unknown_member")
            .await;
        for request in [
            desk.ask(&route).body("text/plain", "{}"),
            desk.ask(&route).bare_body("{}"),
            desk.send(&route, "{}").header("content-encoding", "gzip"),
        ] {
            desk.refuses(&route, request, WRONG_MEDIA).await;
        }
        let large = " ".repeat(3_000_000);
        let request = desk.send(&route, large);
        desk.refuses(&route, request, (&[413], "payload_too_large"))
            .await;
    }
    desk.close().await;
}

// Around the body.

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
    let (article, trashed) = (desk.article, desk.trashed);
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
        let request = desk
            .app
            .request(Method::DELETE, &path)
            .header("authorization", &format!("Bearer {}", desk.token));
        let what = format!("DELETE {path}");
        desk.refuses_at(what, request, BAD_REQUEST, parameter, "")
            .await;
    }
    desk.close().await;
}

/// What no id and no slug is, as it stands in a path.
const NO_REFERENCE: &[&str] = &[
    "0",
    "00",
    "-1",
    "+1",
    "%2B1",
    "1.0",
    "1e0",
    "0x1",
    "1%20",
    "%201",
    "%20",
    "%09",
    "1,2",
    "1;2",
    "99999999999999999999",
    "9223372036854775808",
    "9223372036854775807",
    "%EF%BC%91",
    "%D9%A1",
    "%00",
    "1%00",
    "%ff",
    "%c0%af",
    "%ed%a0%80",
    "%",
    "%zz",
    "%2",
    "1%2F2",
    "..%2F1",
    "a%2Fb",
    "A",
    "a_b",
    "a.b",
    "%E6%B8%AF",
    "<script>",
    "'",
    "%22",
    "{id}",
    "*",
    "null",
    "undefined",
];

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
            let request = desk
                .app
                .request(Method::GET, &path)
                .header("authorization", &format!("Bearer {}", desk.token));
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
            json!({"title": "推送", "section_id": desk.section}),
        )
        .await
        .ok(201);
    desk.expect_changes();
    let mut routes = desk.routes();
    routes.retain(|route| {
        let operation = &DOCUMENT["paths"][route.template][route.method.as_str().to_lowercase()];
        !operation["responses"]["412"].is_null()
    });
    routes
}

fn conditioned(desk: &Desk, route: &Route, value: &[u8]) -> Request {
    let request = desk
        .app
        .request(route.method.clone(), &route.path)
        .header("authorization", &format!("Bearer {}", desk.token))
        .raw_header("if-match", value);
    match route.has_body() {
        true => request.json(&route.full),
        false => request,
    }
}

async fn a_malformed_if_match_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let routes = conditional(&desk).await;
    assert_eq!(routes.len(), 9);
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
        let request = desk
            .app
            .request(Method::PATCH, &route.path)
            .header("authorization", &format!("Bearer {}", desk.token))
            .json(&route.full);
        desk.refuses(&route, request, (&[428], "precondition_required"))
            .await;
    }
    desk.close().await;
}

async fn faults_of_query_and_headers_are_told_at_once(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in conditional(&desk).await {
        let path = format!("{}?wat=1&also=2", route.path);
        let mut request = desk
            .app
            .request(route.method.clone(), &path)
            .header("authorization", &format!("Bearer {}", desk.token))
            .header("if-match", "7");
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

// What is odd and good.

async fn what_fits_the_limits_is_taken(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    // Rare characters are the longest, in bytes and as sort keys.
    let rare = |from: u32, length: u32| -> String {
        (0..length)
            .filter_map(|n| char::from_u32(0x20000 + (from + n * 97) % 40_000))
            .collect()
    };
    let terms = |from: u32| -> Vec<String> { (0..30).map(|n| rare(from + n, 60)).collect() };
    let url = |n: usize| {
        format!(
            "https://a.example/{n}{}",
            "a".repeat(1981 - n.to_string().len())
        )
    };
    let cover = json!({"url": url(0), "alt": rare(1, 500), "width": 100_000, "height": 1});
    let mut sections = Vec::new();
    for n in 0..21 {
        let name = rare(n * 7, 200);
        sections.push(admin.section(&name, json!({"slug": format!("s{n}")})).await);
    }
    let whole = json!({
        "slug": "a".repeat(120), "description": rare(2, 2000), "keywords": terms(3),
        "kind": rare(4, 60), "cover": cover, "max_age_days": 36_500, "position": 10_000,
    });
    admin.section("满", whole).await;
    let attachments: Vec<Value> = (0..100)
        .map(|n| {
            json!({
                "name": rare(n, 200), "url": "/a", "bytes": 9_007_199_254_740_991_i64,
                "media_type": format!("a/{}", "b".repeat(125)),
            })
        })
        .collect();
    let legacy: Vec<String> = (0..50).map(url).collect();
    let full = |from: u32| {
        json!({
            "also_in": sections[1..], "slug": format!("{}{from}", "b".repeat(119)),
            "subtitle": rare(from, 300), "short_title": rare(from, 100),
            "summary": rare(from, 2000), "source": {"name": rare(from, 200), "url": url(1)},
            "author": rare(from, 200), "editor": rare(from, 200), "keywords": terms(from),
            "tags": terms(from + 40), "cover": cover, "external_url": url(2),
            "canonical_url": url(3), "attachments": attachments,
            "seo": {"title": rare(from, 300), "description": rare(from, 1000)},
            "legacy_urls": legacy, "external_id": format!("{}{from}", "c".repeat(199)),
        })
    };
    for n in 0..4 {
        let title = rare(n * 1009, 300);
        admin.article(&title, sections[0], full(n)).await;
    }
    for list in ["/v1/articles?", "/v1/articles?section=s3&"] {
        for sort in ["title", "-title", "published_at", "-updated_at"] {
            let mut seen = Vec::new();
            let mut path = format!("{list}sort={sort}&limit=1");
            loop {
                let page = app.get(&path).await.ok(200);
                seen.extend(page.ids());
                match page["page"]["next_cursor"].as_str() {
                    Some(cursor) => path = format!("{list}sort={sort}&limit=1&cursor={cursor}"),
                    None => break,
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, [1, 2, 3, 4], "{list} {sort}");
        }
    }
    let managed = admin
        .get("/v1/admin/articles?sort=title&limit=2")
        .await
        .ok(200);
    let cursor = managed["page"]["next_cursor"].as_str().expect("a cursor");
    let rest = format!("/v1/admin/articles?sort=title&limit=2&cursor={cursor}");
    assert_eq!(admin.get(&rest).await.ok(200).ids().len(), 2);
}

async fn blank_optional_text_is_null(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    for blank in ["", " ", "\u{3000}", "\u{200b}\u{feff}", "\t\n"] {
        let made = app
            .admin()
            .post(
                "/v1/admin/articles",
                json!({
                    "title": "空", "section_id": section, "subtitle": blank, "short_title": blank,
                    "summary": blank, "author": blank, "editor": blank, "external_url": blank,
                    "canonical_url": blank, "lang": blank,
                    "source": {"name": blank, "url": blank},
                    "seo": {"title": blank, "description": blank},
                    "body": {"format": "text", "content": blank},
                }),
            )
            .await
            .ok(201);
        for member in [
            "subtitle",
            "short_title",
            "summary",
            "author",
            "editor",
            "external_url",
            "canonical_url",
            "source",
            "seo",
            "body",
        ] {
            assert_eq!(made[member], Value::Null, "{member} of {blank:?}");
        }
        assert_eq!(made["lang"], "zh-CN");
        let section = json!({"name": "空", "description": blank, "kind": blank});
        let made = app
            .admin()
            .post("/v1/admin/sections", section)
            .await
            .ok(201);
        assert_eq!(
            (&made["description"], &made["kind"]),
            (&Value::Null, &Value::Null)
        );
    }
}

async fn a_blank_instant_or_slug_is_none(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    for member in ["published_at", "expires_at", "pinned_until"] {
        let made = app
            .admin()
            .post(
                "/v1/admin/articles",
                json!({"title": "空", "section_id": section, member: " "}),
            )
            .await
            .ok(201);
        assert_eq!(made[member], Value::Null);
    }
    for (path, body) in [
        (
            "/v1/admin/articles",
            json!({"title": "归航", "section_id": section, "slug": ""}),
        ),
        ("/v1/admin/sections", json!({"name": "归航", "slug": ""})),
    ] {
        let made = app.admin().post(path, body).await.ok(201);
        assert_eq!(made["slug"], "gui-hang");
    }
}

/// Instants at the edges, and what they are in UTC; none: refused.
const INSTANTS: &[(&str, Option<&str>)] = &[
    ("0001-01-01T00:00:00Z", None),
    ("0001-01-01T00:00:00+14:00", None),
    ("0001-01-03T00:00:00Z", Some("0001-01-03T00:00:00Z")),
    ("0099-06-01T12:00:00+08:00", Some("0099-06-01T04:00:00Z")),
    ("1582-10-10T00:00:00Z", Some("1582-10-10T00:00:00Z")),
    ("1850-06-01T12:00:00+08:05", Some("1850-06-01T03:55:00Z")),
    ("1899-12-31T23:59:59Z", Some("1899-12-31T23:59:59Z")),
    ("1900-12-31T15:54:17Z", Some("1900-12-31T15:54:17Z")),
    ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00Z")),
    ("1969-12-31T23:59:59.999Z", Some("1969-12-31T23:59:59.999Z")),
    ("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00Z")),
    ("2000-02-29T00:00:00Z", Some("2000-02-29T00:00:00Z")),
    ("2026-01-31t09:00:00z", Some("2026-01-31T09:00:00Z")),
    (
        "2026-01-31T09:00:00.123456789Z",
        Some("2026-01-31T09:00:00.123Z"),
    ),
    ("2026-01-31T09:00:00-00:00", Some("2026-01-31T09:00:00Z")),
    ("2026-01-31T09:00:00+23:59", Some("2026-01-30T09:01:00Z")),
    ("2026-01-31T09:00:00-23:59", Some("2026-02-01T08:59:00Z")),
    ("2026-01-31T09:00:00+05:45", Some("2026-01-31T03:15:00Z")),
    ("9999-12-29T00:00:00Z", Some("9999-12-29T00:00:00Z")),
    ("9999-12-31T23:59:59Z", None),
    ("9999-12-31T23:59:59-23:59", None),
];

async fn instants_at_the_edges_are_kept_or_refused(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    for (text, expected) in INSTANTS {
        for member in ["published_at", "expires_at", "pinned_until"] {
            let body = json!({"title": "时", "section_id": section, member: text});
            let answer = admin.post("/v1/admin/articles", body).await;
            match expected {
                Some(expected) => {
                    let made = answer.ok(201);
                    assert_eq!(made[member], *expected, "{text}");
                    let path = format!("/v1/admin/articles/{}", made["id"]);
                    assert_eq!(admin.get(&path).await.ok(200)[member], *expected);
                }
                None => {
                    let refused = answer.problem(422, "validation_failed");
                    assert_eq!(refused.faults()[0].0, format!("/{member}"), "{text}");
                }
            }
        }
    }
}

async fn every_local_time_is_well_formed(stage: Stage) {
    for zone in [
        "Asia/Shanghai",
        "Pacific/Kiritimati",
        "Pacific/Niue",
        "Asia/Kathmandu",
        "Africa/Monrovia",
        "America/Juneau",
        "Pacific/Apia",
        "Etc/GMT+12",
        "UTC",
    ] {
        let app = stage.with(&[("LANMU_TIME_ZONE", zone)]).await;
        let section = app.admin().section("港口", json!({})).await;
        let mut made = Vec::new();
        for (text, _) in INSTANTS.iter().filter(|(_, expected)| expected.is_some()) {
            let publish = json!({"publish": {"published_at": text}});
            made.push(app.admin().article("时", section, publish).await);
        }
        app.set_clock("9999-12-29T12:00:00Z");
        let list = app
            .get(&format!(
                "/v1/articles?section={section}&limit=100&sort=published_at"
            ))
            .await
            .ok(200);
        assert_eq!(list.ids().len(), made.len(), "{zone}");
        for item in list["data"].as_array().expect("a list") {
            let local = item["published_local"].as_str().expect("a local time");
            let shape: String = local
                .chars()
                .map(|c| if c.is_ascii_digit() { '9' } else { c })
                .collect();
            assert_eq!(shape, "9999-99-99 99:99", "{zone}");
        }
        app.get("/v1/archive").await.ok(200);
        for id in made {
            app.get(&format!("/v1/articles/{id}")).await.ok(200);
            app.get(&format!("/v1/articles/{id}/neighbors"))
                .await
                .ok(200);
        }
        app.post(&format!("/v1/articles/{}/hits", 1), json!({}))
            .await
            .ok(200);
        app.get("/v1/hits/daily").await.ok(200);
        app.get("/v1/hits/top").await.ok(200);
        app.stop().await;
    }
}

// Reads.

/// Every list, with the sort that its cursors are of.
fn lists(article: i64) -> Vec<String> {
    vec![
        "/v1/articles".to_owned(),
        "/v1/sections".to_owned(),
        format!("/v1/articles/{article}/related"),
        "/v1/admin/articles".to_owned(),
        "/v1/admin/sections".to_owned(),
        "/v1/admin/hits".to_owned(),
    ]
}

fn read(desk: &Desk, path: &str) -> Request {
    let request = desk.app.request(Method::GET, path);
    match path.starts_with("/v1/admin") {
        true => request.header("authorization", &format!("Bearer {}", desk.token)),
        false => request,
    }
}

async fn bad_paging_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for list in lists(desk.article) {
        for (query, parameter) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=abc", "limit"),
            ("limit=1e2", "limit"),
            ("limit=1.0", "limit"),
            ("limit=%2B5", "limit"),
            ("limit=0x10", "limit"),
            ("limit=%D9%A3", "limit"),
            ("limit=", "limit"),
            ("limit", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("limit=5&limit=5", "limit"),
            ("LIMIT=5", "LIMIT"),
            ("limit[]=5", "limit[]"),
            ("page=0", "page"),
            ("page=-1", "page"),
            ("page=99999999999", "page"),
            ("page=99999999999999999999", "page"),
            ("page=9223372036854775807", "page"),
            ("page=1.5", "page"),
            ("page=two", "page"),
            ("page=1&page=2", "page"),
            ("count=maybe", "count"),
            ("count=true", "count"),
            ("sort=wat", "sort"),
            ("sort=title%3B--", "sort"),
            ("sort=id%20desc", "sort"),
            ("offset=10", "offset"),
        ] {
            let path = format!("{list}?{query}");
            desk.refuses_at(&path, read(&desk, &path), BAD_REQUEST, parameter, "")
                .await;
        }
        for query in [
            "page=10000000",
            "page=10000000&limit=100",
            "page=2&count=none",
        ] {
            let path = format!("{list}?{query}");
            read(&desk, &path).send().await.ok(200);
        }
    }
    desk.close().await;
}

async fn a_cursor_that_was_not_given_out_is_refused(stage: Stage) {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let desk = Desk::open(&stage, &[]).await;
    for n in 0..3 {
        let title = format!("航次{n}");
        desk.app
            .admin()
            .article(&title, desk.section, json!({}))
            .await;
    }
    desk.expect_changes();
    let mut cursors: Vec<String> = [
        "x",
        "!!!",
        "%00",
        "%ff",
        "null",
        "e30",
        "W10",
        "bnVsbA",
        "WzFd",
        "MQ",
        "AA",
        "....",
        "eyJhIjoxfQ==",
        "1",
        "-1",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    cursors.push("a".repeat(7999));
    cursors.push("a".repeat(9000));
    for sort in [
        "-published_at",
        "-updated_at",
        "tree",
        "hits",
        "-hits",
        "related",
        "title",
        "",
    ] {
        for key in [
            json!("x"),
            json!(""),
            json!("1e3"),
            json!("99999999999999999999"),
            json!("9223372036854775807"),
            json!("-9223372036854775808"),
            json!("[[1]]"),
            json!("[[1,2"),
            json!("{}"),
            json!(1),
            json!(null),
            json!("' OR 1=1"),
        ] {
            cursors.push(URL_SAFE_NO_PAD.encode(json!([sort, key, 1]).to_string()));
        }
        for forged in [
            json!([sort, "0", 1.5]),
            json!([sort, "0", "1"]),
            json!([sort, "0", 1, 2]),
            json!([sort, "0"]),
            json!({"sort": sort, "key": "0", "id": 1}),
        ] {
            cursors.push(URL_SAFE_NO_PAD.encode(forged.to_string()));
        }
    }
    for list in lists(desk.article) {
        for cursor in &cursors {
            let path = format!("{list}?cursor={cursor}");
            let what = format!("{list}?cursor={cursor:.80}");
            desk.refuses_at(what, read(&desk, &path), BAD_REQUEST, "cursor", "")
                .await;
        }
    }
    let given = |path: &'static str| {
        let desk = &desk;
        async move {
            let page = read(desk, path).send().await.ok(200);
            page["page"]["next_cursor"]
                .as_str()
                .expect("a cursor")
                .to_owned()
        }
    };
    let of_sections = given("/v1/sections?limit=1").await;
    let of_articles = given("/v1/articles?limit=1").await;
    let of_titles = given("/v1/articles?limit=1&sort=title").await;
    let backwards = given("/v1/articles?limit=1&sort=published_at").await;
    for (list, cursor) in [
        ("/v1/articles", &of_sections),
        ("/v1/articles", &of_titles),
        ("/v1/articles", &backwards),
        ("/v1/articles?sort=title", &of_articles),
        ("/v1/articles?section=1", &of_articles),
        ("/v1/sections", &of_articles),
        ("/v1/admin/articles", &of_articles),
        ("/v1/admin/sections", &of_titles),
        ("/v1/admin/hits", &of_articles),
    ] {
        let joint = if list.contains('?') { '&' } else { '?' };
        let path = format!("{list}{joint}cursor={cursor}");
        desk.refuses_at(
            &path,
            read(&desk, &path),
            BAD_REQUEST,
            "cursor",
            "invalid_cursor",
        )
        .await;
    }
    let both = format!("/v1/articles?page=1&cursor={of_articles}");
    desk.refuses_at(
        &both,
        read(&desk, &both),
        BAD_REQUEST,
        "cursor",
        "conflicting",
    )
    .await;
    desk.close().await;
}

async fn a_bad_filter_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let many: Vec<String> = (1..=101).map(|n| n.to_string()).collect();
    let many = format!("ids={}", many.join(","));
    for list in ["/v1/articles", "/v1/admin/articles"] {
        for (query, parameter) in [
            ("ids=1,,2", "ids"),
            ("ids=,", "ids"),
            ("ids=", "ids"),
            ("ids=1,", "ids"),
            ("ids=1;2", "ids"),
            ("ids=a", "ids"),
            ("ids=0", "ids"),
            ("ids=-1", "ids"),
            ("ids=%2B1", "ids"),
            ("ids=1.0", "ids"),
            ("ids=99999999999999999999", "ids"),
            ("ids[]=1", "ids[]"),
            (&many, "ids"),
            ("featured=1", "featured"),
            ("featured=TRUE", "featured"),
            ("pinned=", "pinned"),
            ("subsections=no", "subsections"),
            ("section=A%20B", "section"),
            ("section=0", "section"),
            ("section=%E6%B8%AF", "section"),
            ("section=99999999999999999999", "section"),
            ("lang=x%20y", "lang"),
            ("lang=zh_CN", "lang"),
            ("published_from=yesterday", "published_from"),
            ("published_from=2026-02-30", "published_from"),
            ("published_from=2026-1-1", "published_from"),
            ("published_from=2026-01-01T00:00:00", "published_from"),
            ("published_from=0000-01-01", "published_from"),
            ("published_from=-0001-01-01", "published_from"),
            ("published_to=10000-01-01", "published_to"),
            ("published_to=99999999999", "published_to"),
            ("published_to=2026-01-01T25:00:00Z", "published_to"),
            ("tag=", "tag"),
            ("tag=%20", "tag"),
            ("tag=%00", "tag"),
            ("tag=a%00b", "tag"),
            ("tag=%0a", "tag"),
            ("tag=%ff", "tag"),
            ("tag=%c0%af", "tag"),
            ("tag=%ed%a0%80", "tag"),
            ("tag=a&tag=b", "tag"),
            ("author=%1b", "author"),
            ("source=%7f", "source"),
            ("keyword=%c2%85", "keyword"),
            ("wat=1", "wat"),
            ("filter[title]=x", "filter[title]"),
            ("__proto__=1", "__proto__"),
        ] {
            let path = format!("{list}?{query}");
            desk.refuses_at(&path, read(&desk, &path), BAD_REQUEST, parameter, "")
                .await;
        }
        for parameter in ["tag", "author", "section", "cursor", "ids", "wat"] {
            let path = format!("{list}?{parameter}={}", "9".repeat(10_000));
            let what = format!("{list}?{parameter}=9…");
            desk.refuses_at(what, read(&desk, &path), BAD_REQUEST, parameter, "")
                .await;
        }
    }
    for (query, parameter) in [
        ("include=wat", "include"),
        ("include=body,", "include"),
        ("include=", "include"),
        ("sort=section_order", "sort"),
        ("status=draft", "status"),
        ("created_by=1", "created_by"),
        ("q=x", "q"),
    ] {
        let path = format!("/v1/articles?{query}");
        desk.refuses_at(&path, read(&desk, &path), BAD_REQUEST, parameter, "")
            .await;
    }
    let long = format!("q={}", "x".repeat(201));
    for (query, parameter) in [
        ("status=wat", "status"),
        ("status=draft,trashed", "status"),
        ("created_by=0", "created_by"),
        ("created_by=me", "created_by"),
        ("q=", "q"),
        ("q=%00", "q"),
        (&long, "q"),
        ("include=body", "include"),
    ] {
        let path = format!("/v1/admin/articles?{query}");
        desk.refuses_at(&path, read(&desk, &path), BAD_REQUEST, parameter, "")
            .await;
    }
    for (query, parameter) in [
        ("parent=A%20B", "parent"),
        ("parent=0", "parent"),
        ("depth=-1", "depth"),
        ("depth=8", "depth"),
        ("depth=one", "depth"),
        ("include=hits", "include"),
        ("include=articles&articles_limit=0", "articles_limit"),
        ("include=articles&articles_limit=11", "articles_limit"),
        ("articles_limit=3", "articles_limit"),
        ("visible=true", "visible"),
    ] {
        let path = format!("/v1/sections?{query}");
        desk.refuses_at(&path, read(&desk, &path), BAD_REQUEST, parameter, "")
            .await;
    }
    desk.close().await;
}

async fn all_faults_of_a_query_are_told_at_once(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let query = "limit=0&page=x&sort=wat&count=maybe&ids=a&featured=2&pinned=2&subsections=2\
                 &section=A%20B&lang=x%20y&published_from=soon&published_to=late&include=wat\
                 &tag=%00&author=a&author=b&wat=1&wat2=2";
    let path = format!("/v1/articles?{query}");
    let answer = desk.refuses(&path, read(&desk, &path), BAD_REQUEST).await;
    let mut told: Vec<String> = answer.faults().into_iter().map(|fault| fault.0).collect();
    told.sort();
    let mut expected = [
        "limit",
        "page",
        "sort",
        "count",
        "ids",
        "featured",
        "pinned",
        "subsections",
        "section",
        "lang",
        "published_from",
        "published_to",
        "include",
        "tag",
        "author",
        "wat",
        "wat2",
    ];
    expected.sort_unstable();
    assert_eq!(told, expected);
    for fault in answer["errors"].as_array().expect("faults") {
        assert_eq!(fault["pointer"], Value::Null);
        assert!(
            fault["detail"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    desk.close().await;
}

async fn an_odd_query_does_no_harm(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let unknown: Vec<String> = (0..3000).map(|n| format!("p{n}=1")).collect();
    for query in [
        "tag=%".to_owned(),
        "tag=%zz".to_owned(),
        "tag=%2".to_owned(),
        "tag=%u6E2F".to_owned(),
        "limit=+5".to_owned(),
        "=".to_owned(),
        "=1".to_owned(),
        "&&&".to_owned(),
        "%".to_owned(),
        "%ff".to_owned(),
        "%ff=1".to_owned(),
        "&".repeat(10_000),
        "=".repeat(10_000),
        "%".repeat(10_000),
        "a".repeat(10_000),
        "a&".repeat(5_000),
        "limit=1&".repeat(1000),
        format!("tag={}", "港".repeat(3000)),
        unknown.join("&"),
    ] {
        for list in lists(desk.article) {
            let path = format!("{list}?{query}");
            let what = format!("{list}?{query:.40}");
            desk.refuses(what, read(&desk, &path), (&[200, 400], ""))
                .await;
        }
    }
    desk.close().await;
}

async fn a_reference_that_is_none_is_not_found(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let (long, very_long) = ("a".repeat(121), "a".repeat(10_000));
    let texts = NO_REFERENCE.iter().copied();
    for text in texts.chain([long.as_str(), &very_long]) {
        for path in [
            format!("/v1/articles/{text}"),
            format!("/v1/articles/{text}/hits"),
            format!("/v1/articles/{text}/neighbors"),
            format!("/v1/articles/{text}/related"),
            format!("/v1/articles/{text}/qr.svg"),
            format!("/v1/sections/{text}"),
            format!("/v1/sections/{text}/hits"),
        ] {
            let what = format!("GET {path:.80}");
            desk.refuses(what, read(&desk, &path), MISSING).await;
        }
    }
    let deep = format!("/v1/{}", "a/".repeat(4000));
    for path in [
        "/v1/articles/tree",
        "/v1/",
        "/v1",
        "//",
        "/%00",
        "/%ff",
        &deep,
    ] {
        let what = format!("GET {path:.60}");
        desk.refuses(what, read(&desk, path), MISSING).await;
    }
    desk.close().await;
}

crate::facts![
    every_write_of_the_document_is_tried,
    the_good_bodies_are_good,
    a_body_that_is_not_json_is_refused,
    a_body_that_is_no_object_is_refused,
    a_body_that_is_missing_is_refused,
    text_that_is_no_unicode_is_refused,
    deep_nesting_is_refused,
    a_member_of_the_wrong_type_is_refused,
    a_number_that_is_no_64_bit_integer_is_refused,
    an_unknown_member_is_refused,
    a_member_given_twice_is_refused,
    a_required_member_is_required,
    what_a_patch_can_not_empty_is_not_emptied,
    what_is_too_long_is_refused,
    a_number_out_of_its_range_is_refused,
    control_characters_are_refused,
    a_value_of_the_wrong_form_is_refused,
    all_bad_values_are_told_at_once,
    what_the_database_must_tell_is_told_with_the_rest,
    a_huge_body_is_refused,
    another_media_type_is_refused,
    a_coded_body_is_refused,
    an_action_without_members_takes_no_others,
    an_unknown_parameter_of_a_write_is_refused,
    a_bad_parameter_of_a_delete_is_refused,
    a_path_that_names_nothing_is_not_found,
    a_malformed_if_match_is_refused,
    a_version_that_is_not_there_is_refused,
    a_patch_without_if_match_is_refused,
    faults_of_query_and_headers_are_told_at_once,
    what_fits_the_limits_is_taken,
    blank_optional_text_is_null,
    a_blank_instant_or_slug_is_none,
    instants_at_the_edges_are_kept_or_refused,
    every_local_time_is_well_formed,
    bad_paging_is_refused,
    a_cursor_that_was_not_given_out_is_refused,
    a_bad_filter_is_refused,
    all_faults_of_a_query_are_told_at_once,
    an_odd_query_does_no_harm,
    a_reference_that_is_none_is_not_found,
];
