//! The write routes, each with a good body, and what the document says about their members.

use std::fmt::Display;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, PASSWORD, merged};
use crate::support::contract::document;

use super::desk::Place;

/// Which bodies a route takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Takes {
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
pub struct Route {
    pub method: Method,
    pub template: &'static str,
    pub path: String,
    pub takes: Takes,
    /// A good body with every member that the document names.
    pub full: Value,
}

impl Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

impl Route {
    pub fn has_body(&self) -> bool {
        !matches!(self.takes, Takes::Nothing | Takes::NoMembers)
    }

    /// Whether it may answer nothing but that the credentials are wrong.
    pub fn hides_what_is_wrong(&self) -> bool {
        self.template.starts_with("/v1/auth")
    }

    /// The path with another text in place of its parameter; of versions, it has the first.
    pub fn at(&self, text: &str) -> Option<String> {
        let (before, rest) = self.template.split_once('{')?;
        let (_, after) = rest.split_once('}')?;
        let after = after.replace("{version}", "1");
        Some(format!("{before}{text}{after}"))
    }

    /// The members of its body, those within others too.
    pub fn members(&self) -> Vec<Member> {
        let method = self.method.as_str().to_lowercase();
        let content = &document()["paths"][self.template][&method]["requestBody"]["content"];
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

    pub fn strings(&self) -> Vec<Member> {
        let mut members = self.members();
        members.retain(|member| member.kind == "string");
        members
    }
}

/// A member of a body as the document describes it.
pub struct Member {
    pub pointer: String,
    pub kind: String,
    pub schema: Value,
    pub required: bool,
    pub nullable: bool,
}

/// A schema behind its references, and whether null is allowed too.
fn resolve(schema: &Value) -> (Value, bool) {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document().pointer(reference.trim_start_matches('#'));
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

/// A route of the table: its method and its path as the document has them, and what its path's
/// parameter is.
fn row(operation: &'static str, argument: impl Display, takes: Takes, full: Value) -> Route {
    let (method, template) = operation.split_once(' ').expect("a method and a path");
    let mut route = Route {
        method: method.parse().expect("a method"),
        template,
        path: template.to_owned(),
        takes,
        full,
    };
    if let Some(path) = route.at(&argument.to_string()) {
        route.path = path;
    }
    route
}

/// Every write route of the document.
pub fn routes(place: &Place) -> Vec<Route> {
    let mut routes = section_routes(place);
    routes.extend(article_routes(place));
    routes.extend(hit_routes(place));
    routes.extend(access_routes(place));
    routes.extend(session_routes(place));
    routes
}

fn cover() -> Value {
    json!({"url": "/img/港.png", "alt": "港口", "width": 800, "height": 450})
}

fn section_routes(place: &Place) -> Vec<Route> {
    let members = |slug: &str| {
        json!({
            "name": "新港", "slug": slug, "visible": true, "description": "港区\n要闻",
            "keywords": ["港"], "kind": "list", "cover": cover(), "max_age_days": 30,
        })
    };
    let (section, below) = (place.section, place.below);
    let stand = json!({"parent_id": section, "position": 0});
    let created = merged(members("new-port"), stand);
    let moved = json!({"parent_id": null, "before": section, "after": null});
    let one = "PATCH /v1/admin/sections/{id}";
    vec![
        row("POST /v1/admin/sections", "", Takes::Json, created),
        row(one, section, Takes::MergePatch, members("old-port")),
        row(
            "POST /v1/admin/sections/{id}/move",
            below,
            Takes::Json,
            moved,
        ),
        row(
            "DELETE /v1/admin/sections/{id}",
            place.empty,
            Takes::Nothing,
            Value::Null,
        ),
    ]
}

fn article_routes(place: &Place) -> Vec<Route> {
    let dates = json!({
        "published_at": "2026-01-30T09:00:00+08:00", "expires_at": "2027-01-30T09:00:00+08:00",
    });
    let members = |name: &str| {
        let members = json!({
            "title": "归航", "section_id": place.section, "also_in": [place.below], "slug": name,
            "subtitle": "副题", "short_title": "归", "summary": "摘\n要",
            "source": {"name": "青屿日报", "url": "https://daily.example.com/"},
            "author": "林舟", "editor": "苏帆", "keywords": ["港"], "tags": ["海"],
            "cover": cover(), "lang": "zh-CN", "external_url": "https://a.example/1",
            "canonical_url": "https://b.example/2",
            "attachments": [{
                "name": "潮汐表.pdf", "url": "/files/tides.pdf",
                "media_type": "application/pdf", "bytes": 4096,
            }],
            "seo": {"title": "归航", "description": "船回来了"},
            "legacy_urls": ["/old/1.html"], "external_id": name, "featured": true,
            "pinned_until": "2026-06-01T00:00:00Z",
            "body": {"format": "markdown", "content": "船\n\n**归**"},
            "related": [place.draft], "note": "改\n稿",
        });
        merged(members, dates.clone())
    };
    let publish = json!({"publish": dates});
    let created = merged(members("created"), publish.clone());
    let pushed = merged(members("pushed"), publish);
    let external = "PUT /v1/admin/external-articles/{external_id}";
    let one = "PATCH /v1/admin/articles/{id}";
    let publication = "POST /v1/admin/articles/{id}/publish";
    let unpublication = "POST /v1/admin/articles/{id}/unpublish";
    let (submission, rejection) = (
        "POST /v1/admin/articles/{id}/submit",
        "POST /v1/admin/articles/{id}/reject",
    );
    let reorder = "POST /v1/admin/articles/{id}/reorder";
    let note = json!({"note": "请补图"});
    let bulk = json!({
        "action": "tag", "ids": [place.article], "atomic": true, "note": "归类",
        "add_tags": ["港湾"], "remove_tags": ["海"],
        "published_at": null, "expires_at": null, "section_id": null,
    });
    let restoration = "POST /v1/admin/articles/{id}/restore";
    let preview = "POST /v1/admin/articles/{id}/preview";
    let preview_end = json!({"expires_at": "2026-02-03T09:00:00+08:00"});
    let revision = "POST /v1/admin/articles/{id}/revisions/{version}/restore";
    let withdrawal = json!({"note": "撤回"});
    let check = "POST /v1/admin/articles/{id}/check";
    vec![
        row("POST /v1/admin/articles", "", Takes::Json, created),
        row(one, place.article, Takes::MergePatch, members("patched")),
        row(external, "pushed", Takes::Json, pushed),
        row(submission, place.draft, Takes::JsonOrNothing, note.clone()),
        row(rejection, place.in_review, Takes::Json, note),
        row(publication, place.draft, Takes::JsonOrNothing, dates),
        row(unpublication, place.article, Takes::NoMembers, json!({})),
        row(restoration, place.trashed, Takes::NoMembers, json!({})),
        row(reorder, place.article, Takes::Json, json!({"position": 0})),
        row("POST /v1/admin/articles/bulk", "", Takes::Json, bulk),
        row(preview, place.draft, Takes::JsonOrNothing, preview_end),
        row(revision, place.draft, Takes::JsonOrNothing, withdrawal),
        row(check, place.article, Takes::NoMembers, json!({})),
        row(
            "DELETE /v1/admin/articles/{id}",
            place.article,
            Takes::Nothing,
            Value::Null,
        ),
    ]
}

fn hit_routes(place: &Place) -> Vec<Route> {
    let article = place.article;
    let baseline = json!({"baseline": 7, "reason": "旧站"});
    let reset = json!({"reason": "试点击"});
    let one = json!({"client": "web", "hit_id": "c"});
    let many = json!({"hits": [{
        "article_id": article, "hit_id": "b", "at": "2026-01-31T03:00:00Z", "client": "app",
    }]});
    let from_server = json!({"hits": [{
        "article_id": article, "hit_id": "s", "at": "2026-01-31T03:00:00Z", "client": "mini",
        "visitor": "openid-1",
    }]});
    let adjustment = json!({"delta": 5, "reason": "补录"});
    // Named in one way; the others are null.
    let import = json!({"reason": "旧站", "items": [{
        "id": article, "slug": null, "external_id": null, "legacy_url": null, "baseline": 9,
    }]});
    let path = "POST /v1/admin/articles/{id}/hits/reset";
    let adjust = "POST /v1/admin/articles/{id}/hits/adjust";
    vec![
        row("POST /v1/articles/{ref}/hits", article, Takes::Beacon, one),
        row("POST /v1/hits", "", Takes::Beacon, many),
        row(
            "PUT /v1/admin/articles/{id}/hits",
            article,
            Takes::Json,
            baseline,
        ),
        row("POST /v1/admin/hits", "", Takes::Json, from_server),
        row("PUT /v1/admin/hits/baselines", "", Takes::Json, import),
        row(adjust, article, Takes::Json, adjustment),
        row(path, article, Takes::Json, reset),
        row(
            "DELETE /v1/admin/articles/{id}/hits",
            article,
            Takes::Nothing,
            Value::Null,
        ),
    ]
}

fn access_routes(place: &Place) -> Vec<Route> {
    let account = |email: &str| {
        json!({
            "email": email, "name": "林舟", "role": "editor", "sections": [place.section],
            "disabled": false,
        })
    };
    let password = json!({"password": "a lantern on the pier"});
    let created = merged(account("new@example.com"), password);
    let key = json!({
        "name": "新钥", "scopes": ["content:read"], "sections": [place.section],
        "expires_at": "2027-01-30T09:00:00+08:00",
    });
    let rotation = json!({"overlap_seconds": 60});
    let (user, api_key) = (place.user, place.api_key);
    let reset = "POST /v1/admin/users/{id}/password-reset";
    let sessions = "DELETE /v1/admin/users/{id}/sessions";
    let rotate = "POST /v1/admin/api-keys/{id}/rotate";
    let (one_user, one_key) = (
        "PATCH /v1/admin/users/{id}",
        "PATCH /v1/admin/api-keys/{id}",
    );
    let (no_user, no_key) = (
        "DELETE /v1/admin/users/{id}",
        "DELETE /v1/admin/api-keys/{id}",
    );
    let patched = account("old@example.com");
    vec![
        row("POST /v1/admin/users", "", Takes::Json, created),
        row(one_user, user, Takes::MergePatch, patched),
        row(reset, user, Takes::NoMembers, json!({})),
        row(sessions, user, Takes::Nothing, Value::Null),
        row(no_user, user, Takes::Nothing, Value::Null),
        row("POST /v1/admin/api-keys", "", Takes::Json, key.clone()),
        row(one_key, api_key, Takes::MergePatch, key),
        row(rotate, api_key, Takes::JsonOrNothing, rotation),
        row(no_key, api_key, Takes::Nothing, Value::Null),
    ]
}

fn session_routes(place: &Place) -> Vec<Route> {
    let login = json!({"email": ADMIN, "password": PASSWORD});
    let refresh = json!({"refresh_token": place.refresh_token});
    let change = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    let reset = json!({"token": place.reset_token, "password": "a lantern on the pier"});
    let one = "DELETE /v1/auth/sessions/{id}";
    vec![
        row("POST /v1/auth/login", "", Takes::Json, login),
        row("POST /v1/auth/refresh", "", Takes::Json, refresh),
        row("POST /v1/auth/password", "", Takes::Json, change),
        row("POST /v1/auth/reset", "", Takes::Json, reset),
        row(one, place.session, Takes::Nothing, Value::Null),
        row("DELETE /v1/auth/sessions", "", Takes::Nothing, Value::Null),
        row("POST /v1/auth/logout", "", Takes::Nothing, Value::Null),
    ]
}
