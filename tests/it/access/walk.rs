//! Every operation with every kind of caller: what is answered is what the one table says, and who
//! is refused changes nothing.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use diesel::prelude::*;
use lanmu::auth::Permission;
use lanmu::auth::access::{Extent, OPERATIONS, permission_of};
use lanmu::db::Conn;
use lanmu::db::schema::{articles, sections, users};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::contract::document;
use crate::support::databases;
use crate::support::stage::Stage;

use super::expected::{code, expected};
use super::people::{Person, Who, everybody, stranger};
use super::plans::{Ask, Listed, Made, On, Place, State, asks};
use super::{ARTICLES, Holder, KEYS, Site, draft, email, id_of, one, sign_in};

/// An id that nothing has.
const NOTHING: i64 = 987_654_321;

type Rows = Vec<(&'static str, Vec<String>)>;

/// An operation of the document.
pub struct Operation {
    pub id: String,
    pub method: Method,
    pub path: String,
}

/// Every operation of the document.
pub fn operations() -> Vec<Operation> {
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

/// The site, everybody on it, and how far the walk has come.
pub struct Walk {
    pub site: Site,
    conn: Conn,
    pub people: Rc<[Person]>,
    /// How many things were made, to name the next one.
    pub made: usize,
    tried: usize,
}

impl Walk {
    pub async fn new(stage: &Stage) -> Self {
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
            State::InReview => drop(admin.act(&format!("{}/submit", one(id))).await.ok(200)),
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
        // Every article has been saved once.
        let path = path.replace("{version}", "1");
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
        let only_reads = operation.method == Method::GET || operation.id == "checkArticle";
        let writes = status < 300 && !only_reads;
        // The next caller of its own account is signed in first, which writes.
        let ends = writes || permission == Permission::OwnAccount;
        if ends {
            self.check_unchanged(&ready, operation);
        }
        let answer = self.send(operation, ask, &ready.target, token.as_deref());
        let answer = answer.await;
        let told = format!("{} {ask:?}: {} got {answer}", operation.id, person.name);
        assert_eq!(answer.status, status, "{told}");
        if let Some(code) = code(status, ask.on) {
            assert_eq!(answer["code"], code, "{told}");
        }
        if let (200, On::List(listed)) = (status, ask.on) {
            self.check_list(listed, person, &answer, &told);
        }
        self.tried += 1;
        ready.since.push(format!("{} {:?}", person.name, ask.on));
        if ends {
            // The walk's bulks name what isn't there.
            let names_nothing = ["bulkArticles", "recordManagedHits", "importHitBaselines"];
            let writes = writes && !names_nothing.contains(&operation.id.as_str());
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
        let mut articles: Vec<(i64, i64, Option<i64>)> = articles::table
            .select((articles::id, articles::section_id, articles::created_by))
            .load(&mut conn)
            .expect("the articles");
        if person.extent(Permission::ReadContent) == Some(Extent::Own) {
            let authors: Vec<Option<i64>> = users::table
                .filter(users::role.eq("author"))
                .select(users::id.nullable())
                .load(&mut conn)
                .expect("the authors");
            assert_eq!(authors.len(), 1, "there is but one");
            articles.retain(|(.., by)| authors.contains(by));
        }
        let articles = articles.into_iter();
        let articles = articles.filter_map(|(id, section, _)| is_within(&section).then_some(id));
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
        Permission::Preview,
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
            | Permission::Preview
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

crate::facts![
    the_table_and_the_document_name_the_same,
    articles_are_written_by_whom_the_table_names,
    articles_are_published_by_whom_the_table_names,
    counts_are_seen_and_set_by_whom_the_table_names,
    access_is_managed_by_whom_the_table_names,
];
