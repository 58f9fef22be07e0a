//! An article is made, and comes back as it was given.

use serde_json::{Value, json};

use crate::support::app::{NOON, merged};
use crate::support::databases;
use crate::support::stage::Stage;

use super::{ARTICLES, create, everything, id, managed, patch, path, read, section};

async fn a_draft_is_made_with_a_title_and_a_section(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let made = create(&app, json!({"title": "清晨渡口", "section_id": section}))
        .await
        .ok(201);
    let id = id(&made);
    assert_eq!(
        made.json,
        json!({
            "id": id, "section_id": section, "also_in": [], "related": [],
            "position": null, "slug": "qing-chen-du-kou",
            "title": "清晨渡口", "subtitle": null, "short_title": null, "summary": null,
            "source": null, "author": null, "editor": null, "keywords": [], "tags": [],
            "cover": null, "lang": "zh-CN", "external_url": null, "canonical_url": null,
            "attachments": [], "seo": null, "legacy_urls": [], "external_id": null,
            "featured": false, "pinned_until": null, "published_at": null, "expires_at": null,
            "status": "draft", "word_count": 0, "created_by": 1, "created_at": NOON,
            "updated_at": NOON, "version": 1, "body": null
        })
    );
    assert_eq!(made.header("location"), Some(path(id).as_str()));
    assert_eq!(made.header("etag"), Some("\"1\""));
    let found = managed(&app, id).await;
    assert_eq!(found.json, made.json);
    assert_eq!(found.header("etag"), Some("\"1\""));
}

async fn every_member_comes_back_to_editors(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("告示", json!({})).await;
    let given = merged(
        everything(),
        json!({"section_id": home, "also_in": [other]}),
    );
    let made = create(&app, given.clone()).await.ok(201);
    for (member, value) in given.as_object().expect("an object") {
        assert_eq!(&made[member], value, "{member}");
    }
    assert_eq!(managed(&app, id(&made)).await.json, made.json);
    let list = app.admin().get(ARTICLES).await.ok(200);
    let mut summary = made.json.clone();
    summary.as_object_mut().expect("an object").remove("body");
    assert_eq!(list["data"][0], summary);
}

async fn every_member_comes_back_to_readers(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app
        .admin()
        .section("告示", json!({"slug": "notices"}))
        .await;
    let more = json!({"section_id": home, "also_in": [other], "publish": {}});
    let given = merged(everything(), more);
    let id = id(&create(&app, given.clone()).await.ok(201));
    let section = json!({"id": home, "slug": "harbour", "name": "港口", "path": "harbour"});
    let summary = json!({
        "id": id, "slug": "dawn-ferry", "title": "清晨的渡口", "subtitle": "头班船开了",
        "short_title": "晨渡", "summary": given["summary"], "section": section,
        "source": given["source"], "author": "林舟", "editor": "何岸",
        "keywords": ["渡口", "船工"], "tags": ["潮汐", "清晨"], "cover": given["cover"],
        "lang": "zh-CN", "external_url": "https://other.example.com/dawn", "featured": true,
        "pinned_until": "2026-02-28T00:00:00Z", "published_at": "2026-01-30T16:05:06.789Z",
        "published_local": "2026-01-31 00:05", "expires_at": "2026-12-31T16:00:00Z",
        "updated_at": NOON, "word_count": 4, "reading_minutes": 1,
        "links": {
            "self": format!("/v1/articles/{id}"),
            "web": format!("https://www.example.com/articles/{id}"),
            "qr": format!("/v1/articles/{id}/qr.svg")
        }
    });
    let list = app.get("/v1/articles").await.ok(200);
    assert_eq!(list["data"][0], summary);
    let rest = json!({
        "breadcrumb": [
            {"id": null, "slug": null, "name": "首页", "path": ""},
            section
        ],
        "also_in": [{"id": other, "slug": "notices", "name": "告示", "path": "notices"}],
        "attachments": given["attachments"], "canonical_url": "https://www.example.com/dawn",
        "seo": given["seo"],
        "body": {"html": "<p>船离岸了。</p>", "text": "船离岸了。"}
    });
    assert_eq!(read(&app, id).await.json, merged(summary, rest));
    assert_eq!(
        app.get("/v1/articles/dawn-ferry").await.json,
        read(&app, id).await.json
    );
}

async fn a_bare_article_has_nulls_for_readers(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let body = json!({
        "title": "外链", "section_id": section, "external_url": "https://other.example.com/",
        "publish": {}
    });
    let article = read(&app, id(&create(&app, body).await.ok(201))).await;
    for member in [
        "subtitle",
        "short_title",
        "summary",
        "source",
        "author",
        "editor",
        "cover",
        "pinned_until",
        "expires_at",
        "canonical_url",
        "seo",
        "body",
    ] {
        assert_eq!(article.json.get(member), Some(&Value::Null), "{member}");
    }
    for member in ["keywords", "tags", "also_in", "attachments"] {
        assert_eq!(article[member], json!([]), "{member}");
    }
    assert_eq!(article["published_at"], NOON);
    assert_eq!(article["published_local"], "2026-01-31 12:00");
    assert_eq!(
        (&article["word_count"], &article["reading_minutes"]),
        (&json!(0), &json!(0))
    );
    for private in [
        "status",
        "version",
        "external_id",
        "legacy_urls",
        "created_by",
    ] {
        assert_eq!(article.json.get(private), None, "{private}");
    }
}

async fn blank_text_is_null(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let blank = " \u{3000}\u{200B}";
    let made = create(
        &app,
        json!({
            "title": "\u{3000}\u{200B}晨渡 \u{FEFF}", "section_id": section, "slug": "",
            "subtitle": blank, "short_title": "", "summary": "\n", "author": blank,
            "editor": blank, "lang": "", "external_url": "", "canonical_url": " ",
            "external_id": "", "source": {"name": blank, "url": ""},
            "seo": {"title": "", "description": blank}, "pinned_until": "", "published_at": "",
            "expires_at": " ", "body": {"format": "text", "content": blank},
            "cover": {"url": "/a.png", "alt": blank},
            "attachments": [{"name": "表", "url": "/t.pdf", "media_type": ""}]
        }),
    )
    .await
    .ok(201);
    assert_eq!(made["title"], "晨渡");
    assert_eq!(made["slug"], "chen-du");
    assert_eq!(made["lang"], "zh-CN");
    for member in [
        "subtitle",
        "short_title",
        "summary",
        "author",
        "editor",
        "external_url",
        "canonical_url",
        "external_id",
        "source",
        "seo",
        "pinned_until",
        "published_at",
        "expires_at",
        "body",
    ] {
        assert_eq!(made[member], Value::Null, "{member}");
    }
    assert_eq!(made["cover"]["alt"], Value::Null);
    assert_eq!(made["attachments"][0]["media_type"], Value::Null);
}

async fn text_is_kept_as_it_was_written(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let title = "Ａ班“晨渡” ﬁ 𠮷 e\u{301} 👩‍🚀";
    let made = create(
        &app,
        json!({"title": title, "section_id": section, "tags": ["ＡＢ", "AB", "ab"]}),
    )
    .await
    .ok(201);
    assert_eq!(made["title"], title);
    assert_eq!(made["tags"], json!(["ＡＢ", "AB", "ab"]));
}

async fn instants_are_told_in_utc(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let body = json!({
        "published_at": "2019-08-09T09:21:00+08:00", "expires_at": "2030-01-01T00:00:00-05:30",
        "pinned_until": "2026-02-01T00:00:00.5Z"
    });
    let article = app.admin().article("晨渡", section, body).await;
    let managed = managed(&app, article).await;
    let public = read(&app, article).await;
    for answer in [managed, public.clone()] {
        assert_eq!(answer["published_at"], "2019-08-09T01:21:00Z");
        assert_eq!(answer["expires_at"], "2030-01-01T05:30:00Z");
        assert_eq!(answer["pinned_until"], "2026-02-01T00:00:00.500Z");
    }
    assert_eq!(public["published_local"], "2019-08-09 09:21");
}

async fn local_time_is_the_sites(stage: Stage) {
    let app = stage.with(&[("LANMU_TIME_ZONE", "America/New_York")]).await;
    let section = section(&app).await;
    for (at, local) in [
        ("2025-07-04T03:30:00Z", "2025-07-03 23:30"),
        ("2025-12-04T03:30:00Z", "2025-12-03 22:30"),
    ] {
        let article = app
            .admin()
            .article("晨渡", section, json!({"published_at": at}))
            .await;
        assert_eq!(read(&app, article).await["published_local"], local);
    }
}

async fn an_article_needs_a_title_and_a_section(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    for (body, at) in [
        (json!({}), &["/section_id", "/title"][..]),
        (
            json!({"title": null, "section_id": null}),
            &["/section_id", "/title"],
        ),
        (
            json!({"title": " \u{3000}", "section_id": section}),
            &["/title"],
        ),
        (
            json!({"title": "晨渡", "section_id": 987_654}),
            &["/section_id"],
        ),
        (json!({"title": "晨渡", "section_id": 0}), &["/section_id"]),
    ] {
        let answer = create(&app, body).await.problem(422, "validation_failed");
        let mut told: Vec<String> = answer.faults().into_iter().map(|(at, _)| at).collect();
        told.sort();
        assert_eq!(told, at);
    }
}

async fn all_faults_of_an_article_are_told_at_once(stage: Stage) {
    let app = stage.app().await;
    app.token().await;
    let before = databases::rows(&mut app.connect());
    let answer = create(
        &app,
        json!({
            "title": "", "section_id": 987_654, "also_in": [987_655], "slug": "Ü",
            "subtitle": "长".repeat(301), "source": {"url": "https://x.example.com/"},
            "tags": [" "], "cover": {}, "lang": "not a language", "external_url": "javascript:alert(1)",
            "canonical_url": "//x", "attachments": [{"name": "表"}], "external_id": "a b",
            "pinned_until": "tomorrow", "published_at": "2026-01-31", "expires_at": "2026-13-01T00:00:00Z",
            "body": {"format": "rtf", "content": "x"}, "publish": {"published_at": "now"}
        }),
    )
    .await
    .problem(422, "validation_failed");
    let told: Vec<String> = answer.faults().into_iter().map(|(at, _)| at).collect();
    for at in [
        "/title",
        "/section_id",
        "/also_in/0",
        "/slug",
        "/subtitle",
        "/source/name",
        "/tags/0",
        "/cover/url",
        "/lang",
        "/external_url",
        "/canonical_url",
        "/attachments/0/url",
        "/external_id",
        "/pinned_until",
        "/published_at",
        "/expires_at",
        "/body/format",
        "/publish/published_at",
    ] {
        assert!(told.contains(&at.to_owned()), "{at}: {answer}");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn unknown_and_misshapen_members_are_refused(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    for more in [
        json!({"status": "published"}),
        json!({"word_count": 3}),
        json!({"created_by": 1}),
        json!({"id": 7}),
        json!({"tags": "潮汐"}),
        json!({"featured": "yes"}),
        json!({"also_in": [1.5]}),
        json!({"source": {"name": "报", "logo": "x"}}),
        json!({"body": "晨渡"}),
    ] {
        let body = merged(
            json!({"title": "晨渡", "section_id": section}),
            more.clone(),
        );
        create(&app, body).await.problem(400, "invalid_body");
        patch(&app, id, more).await.problem(400, "invalid_body");
    }
    assert_eq!(managed(&app, id).await["version"], 1);
}

async fn a_language_is_told_in_its_canonical_form(stage: Stage) {
    let app = stage.with(&[("LANMU_LOCALE", "en-GB")]).await;
    let section = section(&app).await;
    for (given, lang) in [
        (json!("ZH-hans-cn"), "zh-Hans-CN"),
        (json!("en-us"), "en-US"),
        (json!(null), "en-GB"),
    ] {
        let article = app
            .admin()
            .article("晨渡", section, json!({"lang": given}))
            .await;
        assert_eq!(read(&app, article).await["lang"], lang);
    }
}

crate::facts![
    a_draft_is_made_with_a_title_and_a_section,
    every_member_comes_back_to_editors,
    every_member_comes_back_to_readers,
    a_bare_article_has_nulls_for_readers,
    blank_text_is_null,
    text_is_kept_as_it_was_written,
    instants_are_told_in_utc,
    local_time_is_the_sites,
    an_article_needs_a_title_and_a_section,
    all_faults_of_an_article_are_told_at_once,
    unknown_and_misshapen_members_are_refused,
    a_language_is_told_in_its_canonical_form,
];
