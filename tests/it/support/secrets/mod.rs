//! Canaries: the suite remembers every password that it sends and every secret that is handed out
//! to it. None of them may be found in a log line, an error answer or a column of the database.
//!
//! Signing keys are no canaries: they stand in `signing_keys.pkcs8` and `secrets.value` in the clear
//! by design, since all nodes sign with them. Of passwords and tokens only hashes are kept; of the
//! tokens of preview links, what they are made of.

mod columns;
pub mod log;
mod needles;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use super::app::PASSWORD;
use super::client::Answer;

/// The shortest text, in bytes, that is taken for a secret: shorter ones occur by chance.
const SHORTEST: usize = 8;

/// Members of requests that are passwords, wherever they are sent.
const PASSWORDS: &[&str] = &["password", "current_password", "new_password"];
/// Members of requests to `/v1/auth` that are secrets besides.
const TOKENS_SENT: &[&str] = &["refresh_token", "token", "key"];
/// Members of answers that hand a secret out.
const HANDED_OUT: &[&str] = &["access_token", "refresh_token", "key", "token"];
/// Where secrets are handed out.
const HANDING_OUT: &[&str] = &[
    "/v1/auth/",
    "/v1/admin/api-keys",
    "/v1/admin/users",
    "/v1/admin/articles/",
];

/// Columns (`table.column`) that a fact fills with a secret on purpose, by the fact's name without
/// its database. There is no such fact.
const ON_PURPOSE: &[(&str, &str)] = &[];

/// A secret: which member it was, and its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret {
    kind: String,
    text: String,
}

/// What the fact that this thread plays has met.
struct Scope {
    fact: String,
    secrets: BTreeSet<Secret>,
    databases: Vec<String>,
}

thread_local! {
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// Every secret of the run, with the facts that met it.
static ALL: Mutex<Option<HashMap<Secret, Vec<String>>>> = Mutex::new(None);

/// Begins a fact: what this thread meets from now on is the fact's.
pub fn begin(fact: String) {
    SCOPE.set(Some(Scope {
        fact,
        secrets: BTreeSet::new(),
        databases: Vec::new(),
    }));
    note("password", PASSWORD);
}

/// Ends the fact: none of its secrets may stand in its databases. The error names columns.
pub fn end() -> Result<(), String> {
    let Some(scope) = SCOPE.take() else {
        return Ok(());
    };
    let mut found = BTreeSet::new();
    for url in &scope.databases {
        found.extend(columns::holding(url, &scope.secrets));
    }
    found.retain(|(column, _)| {
        let mut meant = ON_PURPOSE.iter();
        !meant.any(|(fact, meant)| scope.fact.ends_with(fact) && column == meant)
    });
    let told: Vec<String> = found
        .into_iter()
        .map(|(column, kind)| format!("{column} holds a secret ({kind}) in the clear"))
        .collect();
    match told.is_empty() {
        true => Ok(()),
        false => Err(told.join("; ")),
    }
}

/// Remembers a database that the fact has made, to be searched at its end.
pub fn note_database(url: &str) {
    SCOPE.with_borrow_mut(|scope| {
        if let Some(scope) = scope {
            scope.databases.push(url.to_owned());
        }
    });
}

/// Remembers a secret of this kind. Short ones are no secrets.
pub fn note(kind: &str, text: &str) {
    let first = text.chars().next();
    let is_weak = text.contains('@') || text.chars().all(|c| Some(c) == first);
    // An e-mail address or one letter over and over, sent to be refused, is nobody's secret.
    if is_weak || text.len() < SHORTEST {
        return;
    }
    let (kind, text) = (kind.to_owned(), text.to_owned());
    let secret = Secret { kind, text };
    let fact = SCOPE.with_borrow_mut(|scope| {
        let scope = scope.as_mut()?;
        scope
            .secrets
            .insert(secret.clone())
            .then(|| scope.fact.clone())
    });
    if let Some(fact) = fact {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = all.get_or_insert_with(HashMap::new).entry(secret);
        facts.or_default().push(fact);
    }
}

/// Calls with each text that stands under one of these names, however deep.
fn each_member(value: &Value, names: &[&str], call: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if names.contains(&name.as_str()) => call(name, text),
                    _ => each_member(member, names, call),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_member(item, names, call)),
        _ => {}
    }
}

/// The secrets that a request carries; its passwords are remembered.
pub fn of_request(request: &reqwest::Request) -> Vec<Secret> {
    let mut carried = Vec::new();
    let mut carry = |kind: &str, text: &str| {
        if text.len() >= SHORTEST {
            let (kind, text) = (kind.to_owned(), text.to_owned());
            carried.push(Secret { kind, text });
        }
    };
    let authorization = request.headers().get(AUTHORIZATION);
    let value = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let credentials = value.as_deref().and_then(|v| v.split_whitespace().last());
    if let Some(credentials) = credentials {
        carry("authorization", credentials);
    }
    let body = request.body().and_then(reqwest::Body::as_bytes);
    let body: Value = serde_json::from_slice(body.unwrap_or_default()).unwrap_or_default();
    each_member(&body, PASSWORDS, &mut |kind, text| {
        carry(kind, text);
        note(kind, text);
    });
    if request.url().path().starts_with("/v1/auth/") {
        each_member(&body, TOKENS_SENT, &mut carry);
    }
    carried
}

/// Remembers what an answer hands out.
pub fn of_answer(method: &Method, path: &str, answer: &Answer) {
    let is_handing_out = HANDING_OUT.iter().any(|start| path.starts_with(start));
    if is_handing_out && *method != Method::GET && matches!(answer.status, 200 | 201) {
        each_member(&answer.json, HANDED_OUT, &mut note);
    }
}

/// An error answer tells no secret: none that its request carried, none that the fact has met.
#[track_caller]
pub fn check_error(carried: &[Secret], answer: &Answer) {
    if answer.status < 400 {
        return;
    }
    let mut text = answer.body.clone();
    for (_, value) in &answer.headers {
        text.push(b'\n');
        text.extend_from_slice(value.as_bytes());
    }
    check_text("an error answer", carried, &text);
}

/// What a process of the fact's has written tells none of the fact's secrets.
#[track_caller]
pub fn check_output(text: &[u8]) {
    check_text("the output of a process", &[], text);
}

#[track_caller]
fn check_text(what: &str, more: &[Secret], text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let tells = |secret: &&Secret| {
        let mut forms = needles::as_text(&secret.text).into_iter();
        forms.any(|form| text.contains(&form))
    };
    let found = SCOPE.with_borrow(|scope| {
        let met = scope.iter().flat_map(|scope| &scope.secrets);
        let found = more.iter().chain(met).find(tells);
        found.map(|secret| secret.kind.clone())
    });
    // Not the text itself: it would tell the secret again.
    assert!(found.is_none(), "{what} tells a secret ({found:?})");
}
