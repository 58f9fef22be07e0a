//! What is odd and good.

use serde_json::{Value, json};

use crate::support::stage::Stage;

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

crate::facts![
    what_fits_the_limits_is_taken,
    blank_optional_text_is_null,
    a_blank_instant_or_slug_is_none,
    instants_at_the_edges_are_kept_or_refused,
    every_local_time_is_well_formed,
];
