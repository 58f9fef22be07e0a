//! Every operation with every kind of caller: what is answered is what the one table says, and who
//! is refused changes nothing.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use diesel::prelude::*;
use lanmu::auth::Permission;
use lanmu::auth::access::{Extent, OPERATIONS, bounds, permission_of};
use lanmu::db::Conn;
use lanmu::db::schema::{articles, sections};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::PASSWORD;
use crate::support::client::Answer;
use crate::support::contract::document;
use crate::support::databases;
use crate::support::stage::Stage;

use super::people::{Person, Who, everybody, stranger};
use super::plans::{Ask, Listed, Made, On, Place, State, asks};
use super::{ARTICLES, Holder, KEYS, Site, draft, email, id_of, one, sign_in};

/// An id that nothing has.
const NOTHING: i64 = 987_654_321;

type Rows = Vec<(&'static str, Vec<String>)>;

/// An operation of the document.
struct Operation {
    id: String,
    method: Method,
    path: String,
}

fn operations() -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document()["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            found.push(Operation {
                id: operation["operationId"].as_str().expect("an id").to_owned(),
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
            });
        }
    }
    found
}

/// What a request acts on.
struct Target {
    /// Fills the path's parameter.
    reference: String,
    /// The section that a body is to name.
    section: i64,
}

impl Target {
    fn new(reference: impl ToString, section: i64) -> Self {
        let reference = reference.to_string();
        Self { reference, section }
    }
}

/// What a request is ready to act on.
struct Ready {
    target: Target,
    /// Every row there is.
    rows: Rows,
    /// Who has asked for it since, and must not have changed any.
    since: Vec<String>,
}

struct Walk {
    site: Site,
    conn: Conn,
    people: Rc<[Person]>,
    made: usize,
    tried: usize,
}

impl Walk {
    async fn new(stage: &Stage) -> Self {
        let site = Site::new(stage).await;
        let people = everybody(&site).await.into();
        let conn = site.app.connect();
        Self {
            site,
            conn,
            people,
            made: 0,
            tried: 0,
        }
    }

    fn rows(&mut self) -> Rows {
        databases::rows(&mut self.conn)
    }

    fn section(&self, place: Place) -> i64 {
        match place {
            Place::Home => self.site.home,
            Place::Below => self.site.below,
            Place::Beside => self.site.beside,
            Place::Hidden => self.site.hidden,
        }
    }

    fn holder(&self, name: &str) -> Holder {
        let found = self.people.iter().find(|person| person.name == name);
        let token = found.and_then(|person| person.token.clone());
        Holder {
            app: self.site.app.clone(),
            id: 0,
            token: token.expect("everybody has them"),
        }
    }

    /// An article in this state; its id.
    async fn article(&self, state: State, made: Made, place: Place, external: &Value) -> i64 {
        let (admin, section) = (self.site.app.admin(), self.section(place));
        let mut body = draft("晨渡", section);
        body["external_id"] = external.clone();
        let id = match made {
            Made::ByAdmin => id_of(&admin.post(ARTICLES, body).await.ok(201)),
            Made::ByAuthor => {
                body["section_id"] = json!(self.site.home);
                let author = self.holder("author");
                let made = author.post(ARTICLES, body).await;
                let id = id_of(&made.ok(201));
                if section != self.site.home {
                    let moved = json!({"section_id": section});
                    admin.patch(&one(id), moved).await.ok(200);
                }
                id
            }
        };
        match state {
            State::Draft => {}
            State::Public => drop(admin.act(&format!("{}/publish", one(id))).await.ok(200)),
            State::Trashed => drop(admin.delete(&one(id)).await.ok(204)),
        }
        id
    }

    async fn make(&mut self, on: On, token: Option<&str>) -> Target {
        self.made += 1;
        let (number, app) = (self.made, self.site.app.clone());
        let own_id = format!("cms-{number}");
        match on {
            On::Article(state, made, place) => {
                let id = self.article(state, made, place, &Value::Null).await;
                Target::new(id, self.section(place))
            }
            On::External(state, made, place) => {
                self.article(state, made, place, &json!(own_id)).await;
                Target::new(own_id, self.section(place))
            }
            On::Into(place) | On::NewExternal(place) => {
                let section = place.map_or(NOTHING, |place| self.section(place));
                Target::new(own_id, section)
            }
            On::Section(place) => Target::new(self.section(place), 0),
            On::EmptySection => {
                let id = app.admin().section("空港", json!({})).await;
                Target::new(id, 0)
            }
            On::User => Target::new(stranger(&app, number).await, 0),
            On::Key => {
                let body = json!({"name": "旧", "scopes": ["hits:read"]});
                Target::new(id_of(&app.admin().post(KEYS, body).await.ok(201)), 0)
            }
            On::OwnSession => Target::new(self.other_session(token).await, 0),
            On::Missing | On::List(_) | On::Nothing => Target::new(NOTHING, 0),
        }
    }

    /// A session of the caller's that is not the one of the token; for who has none, the first.
    async fn other_session(&self, token: Option<&str>) -> i64 {
        let Some(token) = token else { return 1 };
        let app = self.site.app.clone();
        let holder = Holder {
            app,
            id: 0,
            token: token.to_owned(),
        };
        let answer = holder.get("/v1/auth/sessions").await;
        let sessions = answer["data"].as_array().cloned().unwrap_or_default();
        let other = sessions.iter().find(|session| session["current"] == false);
        other.map_or(1, |session| session["id"].as_i64().expect("an id"))
    }

    /// The token to call with: what ends sessions is given one of its own.
    async fn token(&self, person: &Person, permission: Permission) -> Option<String> {
        let is_account = matches!(person.who, Who::Account(_));
        if permission == Permission::OwnAccount && is_account {
            sign_in(&self.site.app, &person.name).await;
            return Some(sign_in(&self.site.app, &person.name).await);
        }
        person.token.clone()
    }

    async fn send(
        &self,
        operation: &Operation,
        ask: &Ask,
        target: &Target,
        token: Option<&str>,
    ) -> Answer {
        let path = operation.path.replace("{id}", &target.reference);
        let path = path.replace("{external_id}", &target.reference);
        assert!(!path.contains('{'), "the walk can't fill {path}");
        let path = format!("{path}{}", ask.query);
        let mut request = self.site.app.request(operation.method.clone(), &path);
        if operation.method == Method::PATCH {
            request = request.header("if-match", "*");
        }
        if let Some(token) = token {
            request = request.header("authorization", &format!("Bearer {token}"));
        }
        let mut body = ask.body.clone();
        if let Some(section) = body.get_mut("section_id") {
            *section = json!(target.section);
        }
        if let Some(address) = body.get_mut("email") {
            *address = json!(email(&format!("new-{}", self.made)));
        }
        super::send(request, body).await
    }

    /// One operation with everybody.
    async fn walk(&mut self, operation: &Operation, permission: Permission) {
        let asks = asks(&operation.id);
        let asks = asks.unwrap_or_else(|| panic!("the walk has no request for {}", operation.id));
        let people = Rc::clone(&self.people);
        for ask in &asks {
            let mut ready: Option<Ready> = None;
            for person in people.iter() {
                let token = self.token(person, permission).await;
                let usable = match ready {
                    Some(ready) => ready,
                    None => self.ready(ask.on, token.as_deref()).await,
                };
                let used = self.pair(operation, permission, ask, person, token, usable);
                ready = used.await;
            }
            if let Some(ready) = ready {
                self.check_unchanged(&ready, operation);
            }
        }
    }

    /// Something to act on, and how all there is looks with it.
    async fn ready(&mut self, on: On, token: Option<&str>) -> Ready {
        let target = self.make(on, token).await;
        Ready {
            target,
            rows: self.rows(),
            since: Vec::new(),
        }
    }

    fn check_unchanged(&mut self, ready: &Ready, operation: &Operation) {
        let (id, since) = (&operation.id, &ready.since);
        assert!(
            self.rows() == ready.rows,
            "{id} by one of {since:?} changed something"
        );
    }

    /// One request of one caller. What was ready for it and still is, is handed back.
    async fn pair(
        &mut self,
        operation: &Operation,
        permission: Permission,
        ask: &Ask,
        person: &Person,
        token: Option<String>,
        mut ready: Ready,
    ) -> Option<Ready> {
        let status = expected(person, permission, ask);
        let writes = status < 300 && operation.method != Method::GET;
        // The next caller of its own account is signed in first, which writes.
        let ends = writes || permission == Permission::OwnAccount;
        if ends {
            self.check_unchanged(&ready, operation);
        }
        let answer = self.send(operation, ask, &ready.target, token.as_deref());
        let answer = answer.await;
        let told = format!("{} {ask:?}: {} got {answer}", operation.id, person.name);
        assert_eq!(answer.status, status, "{told}");
        if let Some(code) = code(status) {
            assert_eq!(answer["code"], code, "{told}");
        }
        if let (200, On::List(listed)) = (status, ask.on) {
            self.check_list(listed, person, &answer, &told);
        }
        self.tried += 1;
        ready.since.push(format!("{} {:?}", person.name, ask.on));
        if ends {
            assert_eq!(self.rows() != ready.rows, writes, "what it changed: {told}");
            return None;
        }
        Some(ready)
    }

    /// A list has what is in reach, and nothing else; its total, too.
    fn check_list(&self, listed: Listed, person: &Person, answer: &Answer, told: &str) {
        let mut conn = self.site.app.connect();
        let reach = person.reach(&mut conn);
        let is_within = |section: &i64| reach.as_ref().is_none_or(|ids| ids.contains(section));
        let articles: Vec<(i64, i64)> = articles::table
            .select((articles::id, articles::section_id))
            .load(&mut conn)
            .expect("the articles");
        let articles = articles.into_iter();
        let articles = articles.filter_map(|(id, section)| is_within(&section).then_some(id));
        let (wanted, member): (HashSet<i64>, _) = match listed {
            Listed::Articles => (articles.collect(), "id"),
            Listed::Hits => (articles.collect(), "article_id"),
            Listed::Sections => {
                let ids = sections::table.select(sections::id).load(&mut conn);
                let ids: Vec<i64> = ids.expect("the sections");
                (ids.into_iter().filter(is_within).collect(), "id")
            }
            Listed::Else => return,
        };
        assert_eq!(answer["page"]["total"], wanted.len(), "{told}");
        let shown = answer.each(member);
        assert_eq!(shown.len(), wanted.len().min(20), "{told}");
        assert!(shown.iter().all(|id| wanted.contains(id)), "{told}");
    }
}

/// Whether the caller's sections hold that place, by the table.
fn reaches(person: &Person, place: Place) -> bool {
    let sections = match person.who {
        Who::Account(role) => bounds(role, person.sections.clone()),
        _ => person.sections.clone(),
    };
    match sections {
        None => true,
        // Whoever is bound is bound to home, or to nothing.
        Some(ids) => !ids.is_empty() && matches!(place, Place::Home | Place::Below),
    }
}

/// The status that the caller must be answered with.
fn expected(person: &Person, permission: Permission, ask: &Ask) -> u16 {
    let Some(extent) = person.extent(permission) else {
        return 401;
    };
    let lacks = |needed| person.extent(needed) == Some(Extent::Nothing);
    let lacks_more = ask.also.is_some_and(lacks);
    if extent == Extent::Nothing || (lacks_more && ask.body.get("publish").is_some()) {
        return 403;
    }
    match ask.on {
        On::Missing | On::Into(None) | On::NewExternal(None) => {
            if ask.on == On::Missing {
                404
            } else {
                422
            }
        }
        On::Into(Some(place)) | On::NewExternal(Some(place)) => match place {
            place if reaches(person, place) => ask.status,
            Place::Hidden => 422,
            _ => 403,
        },
        On::Article(state, made, place) | On::External(state, made, place) => {
            let is_public = state == State::Public && place != Place::Hidden;
            let is_own_draft = made == Made::ByAuthor && state != State::Public;
            if !reaches(person, place) {
                if is_public { 403 } else { 404 }
            } else if lacks_more || (extent == Extent::OwnDrafts && !is_own_draft) {
                403
            } else {
                ask.status
            }
        }
        On::Section(place) if !reaches(person, place) => {
            if place == Place::Hidden {
                404
            } else {
                403
            }
        }
        _ => ask.status,
    }
}

fn code(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("unauthorized"),
        403 => Some("forbidden"),
        404 => Some("not_found"),
        _ => None,
    }
}

/// Walks the operations that need one of these permissions; at least so many pairs.
async fn walk(stage: Stage, permissions: &[Permission], floor: usize) {
    let mut walk = Walk::new(&stage).await;
    let mut names = BTreeSet::new();
    for operation in operations() {
        let needed = permission_of(&operation.id);
        if let Some(permission) = needed.filter(|p| permissions.contains(p)) {
            walk.walk(&operation, permission).await;
            names.insert(operation.id);
        }
    }
    let (tried, count) = (walk.tried, names.len());
    println!("{:?}: {tried} requests of {count} operations", stage.kind());
    assert!(tried >= floor, "{tried} requests are too few");
}

async fn articles_are_written_by_whom_the_table_names(stage: Stage) {
    walk(stage, &[Permission::WriteContent], 1200).await;
}

async fn articles_are_published_by_whom_the_table_names(stage: Stage) {
    let content = [
        Permission::Publish,
        Permission::ReadContent,
        Permission::WriteSections,
    ];
    walk(stage, &content, 800).await;
}

async fn counts_are_seen_and_set_by_whom_the_table_names(stage: Stage) {
    walk(stage, &[Permission::ReadHits, Permission::WriteHits], 1000).await;
}

async fn access_is_managed_by_whom_the_table_names(stage: Stage) {
    let access = [
        Permission::ManageUsers,
        Permission::ManageApiKeys,
        Permission::ReadAudit,
        Permission::OwnAccount,
    ];
    walk(stage, &access, 600).await;
}

async fn the_table_and_the_document_name_the_same(_: Stage) {
    let rows: BTreeSet<&str> = OPERATIONS.iter().map(|(id, _)| *id).collect();
    let all = operations();
    let is_guarded = |operation: &&Operation| {
        let open = ["login", "refreshTokens", "resetPassword"];
        let is_managed = ["/v1/admin/", "/v1/auth/"]
            .iter()
            .any(|start| operation.path.starts_with(start));
        is_managed && !open.contains(&operation.id.as_str())
    };
    let guarded: BTreeSet<&str> = all
        .iter()
        .filter(is_guarded)
        .map(|operation| operation.id.as_str())
        .collect();
    assert_eq!(guarded, rows);
    // Every permission is walked by one of the facts above.
    for (id, permission) in OPERATIONS {
        match permission {
            Permission::WriteContent
            | Permission::Publish
            | Permission::ReadContent
            | Permission::WriteSections
            | Permission::ReadHits
            | Permission::WriteHits
            | Permission::ManageUsers
            | Permission::ManageApiKeys
            | Permission::ReadAudit
            | Permission::OwnAccount => {}
        }
        assert!(asks(id).is_some(), "the walk has no request for {id}");
    }
}

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
        "getHits" => ("article_ids=", Value::Null),
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

crate::facts![
    the_table_and_the_document_name_the_same,
    articles_are_written_by_whom_the_table_names,
    articles_are_published_by_whom_the_table_names,
    counts_are_seen_and_set_by_whom_the_table_names,
    access_is_managed_by_whom_the_table_names,
    what_needs_no_caller_is_the_same_for_all,
];
