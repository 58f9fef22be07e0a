//! Whatever an article went through, a revision brings its members back.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::support::stage::Stage;

use super::{content, patch, restore, section};

/// How many sequences are tried.
const CASES: usize = 12;

/// Members that a restoration leaves alone, and those that every save sets.
const EXEMPT: &[&str] = &[
    "slug",
    "external_id",
    "status",
    "published_at",
    "expires_at",
    "position",
    "updated_at",
    "version",
];

/// A value for this member: any kind of it, null too where that is allowed.
fn value(member: &'static str, sections: [i64; 3], related: [i64; 2]) -> BoxedStrategy<Value> {
    let text = || "[ 甲乙丙a-c*<>&\"'\u{3000}]{1,12}";
    let line = move || prop_oneof![Just(Value::Null), text().prop_map(Value::from)];
    let terms = prop_oneof![
        Just(Value::Null),
        vec("[甲乙丙a-c]{1,4}", 0..4).prop_map(Value::from)
    ];
    let instant = prop_oneof![
        Just(Value::Null),
        (0_u32..60).prop_map(|m| json!(format!("2026-03-01T08:{m:02}:00.5+08:00")))
    ];
    let url = prop_oneof![
        Just(Value::Null),
        "[a-z]{1,6}".prop_map(|name| json!(format!("https://{name}.example/一")))
    ];
    match member {
        "title" => "[甲乙丙a-c]{1,8}".prop_map(Value::from).boxed(),
        "section_id" => select(sections[..2].to_vec()).prop_map(Value::from).boxed(),
        "also_in" => select(vec![json!([]), json!([sections[2]])]).boxed(),
        "related" => select(vec![json!([]), json!(related), json!([related[1]])]).boxed(),
        "keywords" | "tags" => terms.boxed(),
        "featured" => any::<bool>().prop_map(Value::from).boxed(),
        "pinned_until" | "expires_at" => instant.boxed(),
        "lang" => select(vec![json!(null), json!("en"), json!("zh-hant")]).boxed(),
        "external_url" | "canonical_url" => url.boxed(),
        "slug" => "[a-z]{4,9}".prop_map(Value::from).boxed(),
        "legacy_urls" => vec("/[a-z]{1,4}", 0..3).prop_map(Value::from).boxed(),
        "source" => prop_oneof![
            Just(Value::Null),
            (text(), url).prop_map(|(name, url)| json!({"name": name, "url": url}))
        ]
        .prop_filter("a web address needs a name", |source| {
            source["url"].is_null() || source["name"].as_str().is_some_and(|n| !is_blank(n))
        })
        .boxed(),
        "cover" => prop_oneof![
            Just(Value::Null),
            (
                line(),
                prop_oneof![Just(Value::Null), (1..999).prop_map(Value::from)]
            )
                .prop_map(|(alt, width)| json!({"url": "/a.png", "alt": alt, "width": width}))
        ]
        .boxed(),
        "attachments" => prop_oneof![
            Just(json!([])),
            (0..999).prop_map(|bytes| json!([{"name": "表", "url": "/t.pdf", "bytes": bytes}]))
        ]
        .boxed(),
        "seo" => prop_oneof![
            Just(Value::Null),
            (line(), line()).prop_map(|(title, text)| json!({"title": title, "description": text}))
        ]
        .boxed(),
        "body" => prop_oneof![
            Just(Value::Null),
            (
                select(vec!["html", "markdown", "text"]),
                "[ 甲乙a<>p/*_\n]{0,20}"
            )
                .prop_map(|(format, content)| json!({"format": format, "content": content}))
        ]
        .boxed(),
        _ => line().boxed(),
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

const MEMBERS: &[&str] = &[
    "title",
    "section_id",
    "also_in",
    "related",
    "slug",
    "subtitle",
    "short_title",
    "summary",
    "source",
    "author",
    "editor",
    "keywords",
    "tags",
    "cover",
    "lang",
    "external_url",
    "canonical_url",
    "attachments",
    "seo",
    "legacy_urls",
    "featured",
    "pinned_until",
    "expires_at",
    "body",
];

/// A merge patch of some members.
fn change(sections: [i64; 3], related: [i64; 2]) -> impl Strategy<Value = Value> {
    let members: Vec<_> = MEMBERS
        .iter()
        .map(|member| {
            let value = value(member, sections, related);
            value.prop_map(move |value| (*member, value))
        })
        .collect();
    let member = (any::<Index>(), members).prop_map(|(index, members)| index.get(&members).clone());
    vec(member, 1..8).prop_map(|members| {
        let members = members.into_iter();
        Value::Object(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    })
}

fn restored(article: &Value) -> Map<String, Value> {
    let mut members = article.as_object().expect("an article").clone();
    members.retain(|name, _| !EXEMPT.contains(&name.as_str()));
    members
}

async fn a_restored_revision_has_the_members_that_it_had(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let sections = [
        section(&app).await,
        admin.section("山野", json!({})).await,
        admin.section("渡口", json!({})).await,
    ];
    let related = [
        admin.draft("近", sections[0], json!({})).await,
        admin.draft("远", sections[0], json!({})).await,
    ];
    let mut runner = TestRunner::deterministic();
    let case = (vec(change(sections, related), 1..7), any::<Index>());
    for number in 0..CASES {
        let tree = case.new_tree(&mut runner).expect("a case");
        let (changes, index) = tree.current();
        let first = json!({"slug": format!("case-{number}")});
        let id = admin.draft("晨渡", sections[0], first).await;
        for change in &changes {
            patch(&app, id, change.clone()).await;
        }
        let count = changes.len() + 1;
        let version = i64::try_from(index.index(count)).expect("small") + 1;
        let now = admin.get(&super::path(id)).await.ok(200);
        let was = content(&app, id, version).await;
        let answer = restore(&app, id, version).await.ok(200);
        assert_eq!(
            restored(&answer.json),
            restored(&was),
            "{version} of {changes:?}"
        );
        for member in [
            "slug",
            "external_id",
            "status",
            "published_at",
            "expires_at",
        ] {
            assert_eq!(answer[member], now[member], "{member} of {changes:?}");
        }
    }
}

crate::facts![a_restored_revision_has_the_members_that_it_had];
