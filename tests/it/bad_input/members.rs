//! Members of bodies that are wrong, missing, too many or too much.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::merged;
use crate::support::stage::Stage;

use super::{BAD_BODY, Desk, INVALID, Member, Route, Takes, WRONG_CREDENTIALS, with_raw, without};

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
                if members.contains_key(name) {
                    continue;
                }
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

/// A body with a bad value in one member is refused, and the member is told.
async fn refuses_value(
    desk: &Desk,
    route: &Route,
    pointer: &str,
    raw: impl AsRef<[u8]>,
    fault: &str,
) {
    let shown = String::from_utf8_lossy(raw.as_ref());
    let what = format!("{route} {pointer}: {shown:.60}");
    let request = desk.send(route, with_raw(&route.full, pointer, &raw));
    if route.hides_what_is_wrong() {
        desk.refuses(what, request, WRONG_CREDENTIALS).await;
    } else {
        desk.refuses_at(what, request, INVALID, pointer, fault)
            .await;
    }
}

/// The most characters of a string, where it has a limit. The document can't tell those of items.
fn longest(member: &Member) -> Option<usize> {
    let documented = member.schema["maxLength"].as_u64();
    let of_items = match member.pointer.as_str() {
        "/keywords/0" | "/tags/0" => Some(60),
        "/legacy_urls/0" => Some(2000),
        _ => None,
    };
    documented
        .or(of_items)
        .map(|max| usize::try_from(max).expect("small"))
}

async fn text_that_is_too_long_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.strings() {
            let at = &member.pointer;
            let Some(max) = longest(&member) else {
                continue;
            };
            let has_form = ["url", "slug", "lang", "media_type", "external_id"]
                .iter()
                .any(|name| at.contains(name));
            let (text, fault) = match has_form {
                true if at.contains("url") => {
                    (format!("https://a.example/{}", "a".repeat(max - 17)), "")
                }
                true => ("a".repeat(max + 1), ""),
                false => ("潮".repeat(max + 1), "too_long"),
            };
            refuses_value(&desk, &route, at, json!(text).to_string(), fault).await;
        }
    }
    desk.close().await;
}

async fn a_list_that_is_too_long_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.members() {
            let Some(max) = member.schema["maxItems"].as_u64() else {
                continue;
            };
            let item = &route.full.pointer(&member.pointer).expect("a list")[0];
            let items: Vec<Value> = (0..=max)
                .map(|n| match item {
                    Value::String(text) => json!(format!("{text}{n}")),
                    Value::Object(_) if !item["hit_id"].is_null() => {
                        merged(item.clone(), json!({"hit_id": n.to_string()}))
                    }
                    other => other.clone(),
                })
                .collect();
            let raw = json!(items).to_string();
            refuses_value(&desk, &route, &member.pointer, raw, "too_many").await;
        }
    }
    desk.close().await;
}

/// Whether the number is good there. Numbers of things that aren't there never are.
fn is_within(member: &Member, number: i64) -> bool {
    let names_something = member.pointer.contains("_id")
        || ["/also_in/0", "/before", "/after"].contains(&member.pointer.as_str());
    let limit = |name: &str| member.schema[name].as_i64();
    !names_something
        && limit("minimum").is_none_or(|min| number >= min)
        && limit("maximum").is_none_or(|max| number <= max)
}

async fn a_number_out_of_its_range_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.members() {
            // In a batch an article that can't be there is told, not refused.
            if member.kind != "integer" || member.pointer == "/hits/0/article_id" {
                continue;
            }
            let mut numbers = vec![i64::MIN, i64::MAX, 0, -1];
            numbers.extend(member.schema["minimum"].as_i64().map(|n| n - 1));
            numbers.extend(member.schema["maximum"].as_i64().map(|n| n + 1));
            for number in numbers {
                if !is_within(&member, number) {
                    refuses_value(&desk, &route, &member.pointer, number.to_string(), "").await;
                }
            }
        }
    }
    desk.close().await;
}

/// Members that may have more than one line.
const SEVERAL_LINES: &[&str] = &[
    "/summary",
    "/description",
    "/seo/description",
    "/note",
    "/body/content",
    "/note",
];

async fn control_characters_are_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for member in route.strings() {
            let always = ["\\u0000", "\\u0007", "\\u001b", "\\u007f", "\\u009f"];
            let in_one_line: &[&str] = match SEVERAL_LINES.contains(&member.pointer.as_str()) {
                true => &[],
                false => &["\\n", "\\r", "\\t"],
            };
            for character in always.iter().chain(in_one_line) {
                let raw = format!("\"a{character}b\"");
                refuses_value(&desk, &route, &member.pointer, raw, "").await;
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
                let raw = json!(text).to_string();
                refuses_value(&desk, &route, &member.pointer, raw, "").await;
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
    let (section, article) = (desk.place.section, desk.place.article);
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
        let mut request = desk.request(&method, path).json(&body);
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

crate::facts![
    a_member_of_the_wrong_type_is_refused,
    a_number_that_is_no_64_bit_integer_is_refused,
    an_unknown_member_is_refused,
    a_member_given_twice_is_refused,
    a_required_member_is_required,
    what_a_patch_can_not_empty_is_not_emptied,
    text_that_is_too_long_is_refused,
    a_list_that_is_too_long_is_refused,
    a_number_out_of_its_range_is_refused,
    control_characters_are_refused,
    a_value_of_the_wrong_form_is_refused,
    all_bad_values_are_told_at_once,
    what_the_database_must_tell_is_told_with_the_rest,
];
