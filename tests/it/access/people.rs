//! Every kind of caller.

use std::collections::HashSet;

use diesel::prelude::*;
use lanmu::auth::access::{Extent, Permission, bounds, scopes_may};
use lanmu::auth::{Role, Scope};
use lanmu::db::Conn;
use lanmu::db::schema::{sections, users};
use reqwest::Method;
use serde_json::{Value, json};

use crate::auth::forge::Forge;
use crate::support::app::TestApp;

use super::{KEYS, Site, USERS, account, id_of, key, named, sign_in};

/// What a caller proves to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Nobody that is known.
    Nobody,
    /// An account.
    Account(Role),
    /// An API key of one scope.
    Key(Scope),
}

/// A caller.
pub struct Person {
    /// What kind of caller it is; of an account, also its name.
    pub name: String,
    pub who: Who,
    pub token: Option<String>,
    /// The sections that it was bound to.
    pub sections: Option<Vec<i64>>,
}

impl Person {
    fn nobody(name: &str, token: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            who: Who::Nobody,
            token,
            sections: None,
        }
    }

    /// How far the permission goes by the table; `None` for nobody.
    pub fn extent(&self, permission: Permission) -> Option<Extent> {
        match self.who {
            Who::Nobody => None,
            Who::Account(role) => Some(role.may(permission)),
            Who::Key(scope) => Some(scopes_may(&[scope], permission)),
        }
    }

    /// The sections in reach, as the tree is now: what it is bound to and what is below. `None`:
    /// all.
    pub fn reach(&self, conn: &mut Conn) -> Option<HashSet<i64>> {
        let roots = match self.who {
            Who::Account(role) => bounds(role, self.sections.clone()),
            _ => self.sections.clone(),
        };
        let tree: Vec<(i64, Option<i64>)> = sections::table
            .select((sections::id, sections::parent_id))
            .load(conn)
            .expect("the sections");
        let mut found: HashSet<i64> = roots?.into_iter().collect();
        loop {
            let below =
                |(_, parent): &&(i64, Option<i64>)| parent.is_some_and(|p| found.contains(&p));
            let more: HashSet<i64> = tree.iter().filter(below).map(|(id, _)| *id).collect();
            if more.is_subset(&found) {
                return Some(found);
            }
            found.extend(more);
        }
    }
}

/// Those who must be taken for nobody. Moves the clock on, so that what expires has.
async fn nobodies(app: &std::rc::Rc<TestApp>) -> Vec<Person> {
    let admin = app.admin();
    let all = json!(Scope::ALL.map(Scope::as_str));
    account(app, "late", "admin", Value::Null).await;
    let expired = sign_in(app, "late").await;
    let soon = app.now().plus_seconds(60).to_string();
    let body = json!({"name": "旧", "scopes": all, "expires_at": soon});
    let made = admin.post(KEYS, body).await.ok(201);
    let expired_key = made["key"].as_str().expect("a key").to_owned();
    app.advance(16 * 60);

    let mut found = vec![
        Person::nobody("anonymous", None),
        Person::nobody("with garbage", Some("x".to_owned())),
        Person::nobody("with an expired token", Some(expired)),
        Person::nobody("with an expired key", Some(expired_key)),
    ];
    let forge = Forge::new(app).await;
    let foreign = forge.with_claim("iss", json!("https://evil.example"));
    found.push(Person::nobody("of another issuer", Some(foreign)));

    let scopes = Scope::ALL.map(Scope::as_str);
    let revoked = key(app, &scopes, Value::Null).await;
    let path = format!("{KEYS}/{}", revoked.id);
    admin.delete(&path).await.ok(204);
    found.push(Person::nobody("with a revoked key", Some(revoked.token)));
    let rotated = key(app, &scopes, Value::Null).await;
    let path = format!("{KEYS}/{}/rotate", rotated.id);
    admin.act(&path).await.ok(200);
    found.push(Person::nobody("with a replaced key", Some(rotated.token)));

    let gone = named(app, "gone", "admin", Value::Null).await;
    gone.post("/v1/auth/logout", Value::Null).await.ok(204);
    found.push(Person::nobody("signed out", Some(gone.token)));
    let deleted = named(app, "deleted", "admin", Value::Null).await;
    let path = format!("{USERS}/{}", deleted.id);
    admin.delete(&path).await.ok(204);
    found.push(Person::nobody("of a deleted account", Some(deleted.token)));
    let disabled = named(app, "disabled", "admin", Value::Null).await;
    // Behind the service's back, so that the session stays open.
    diesel::update(users::table.find(disabled.id))
        .set(users::disabled.eq(true))
        .execute(&mut app.connect())
        .expect("it is disabled");
    found.push(Person::nobody(
        "of a disabled account",
        Some(disabled.token),
    ));
    found
}

/// Every kind of caller on this site. The author is called `author`.
pub async fn everybody(site: &Site) -> Vec<Person> {
    let app = &site.app;
    let mut found = nobodies(app).await;
    for (name, role, sections) in [
        ("other-admin", Role::Admin, None),
        ("editor", Role::Editor, Some(vec![site.home])),
        ("idle-editor", Role::Editor, None),
        ("author", Role::Author, Some(vec![site.home])),
        ("viewer", Role::Viewer, None),
        ("bound-viewer", Role::Viewer, Some(vec![site.home])),
    ] {
        // Every database has one admin; this is another, which may sign itself out.
        let holder = named(app, name, role.as_str(), json!(sections)).await;
        found.push(Person {
            name: name.to_owned(),
            who: Who::Account(role),
            token: Some(holder.token),
            sections,
        });
    }
    for scope in Scope::ALL {
        for sections in [None, Some(vec![site.home])] {
            let bound = sections.as_ref().map_or("", |_| "bound ");
            let holder = key(app, &[scope.as_str()], json!(sections)).await;
            // Its first use is noted; the clock stands still, so later ones aren't.
            holder.get("/v1/admin/articles").await;
            found.push(Person {
                name: format!("{bound}key {}", scope.as_str()),
                who: Who::Key(scope),
                token: Some(holder.token),
                sections,
            });
        }
    }
    found
}

/// A fresh account that nobody is; its id.
pub async fn stranger(app: &TestApp, number: usize) -> i64 {
    let body = json!({"email": format!("stranger-{number}@example.com"), "role": "viewer"});
    let admin = app.admin().request(Method::POST, USERS).await;
    id_of(&admin.json(&body).send().await.ok(201))
}
