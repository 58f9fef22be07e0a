//! What counts as a view: visitors, windows, hit ids, bots.

use serde_json::json;

use crate::support::databases;
use crate::support::stage::Stage;

use super::{
    CHROME, EVERY_VIEW, FIREFOX, GOOGLEBOT, article, count, entries, hit_rows, published, result,
    view, views, windows,
};

async fn a_visitor_counts_once_in_the_window(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let other = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    assert_eq!(result(view(&app, id)).await, "counted");
    let again = view(&app, id).send().await.ok(200);
    assert_eq!(
        again.json,
        json!({"article_id": id, "result": "duplicate", "total": 1, "today": 1})
    );
    assert_eq!(result(view(&app, other)).await, "counted");
    app.advance(30 * 60 - 1);
    assert_eq!(result(view(&app, id)).await, "duplicate");
    app.advance(1);
    assert_eq!(result(view(&app, id)).await, "counted");
    assert_eq!(entries(&app, id).await, [0, 2, 0, 2, 0, 0]);
}

async fn the_window_is_a_setting(stage: Stage) {
    let app = stage.with(&[("LANMU_HIT_WINDOW", "5")]).await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    app.advance(299);
    assert_eq!(result(view(&app, id)).await, "duplicate");
    app.advance(1);
    assert_eq!(result(view(&app, id)).await, "counted");
}

async fn the_window_reaches_over_midnight(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    app.set_clock("2026-01-31T15:50:00Z");
    assert_eq!(result(view(&app, id)).await, "counted");
    app.set_clock("2026-01-31T16:10:00Z");
    assert_eq!(result(view(&app, id)).await, "duplicate");
    app.set_clock("2026-01-31T16:20:00Z");
    assert_eq!(result(view(&app, id)).await, "counted");
}

async fn without_a_window_every_view_counts(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    views(&app, id, 5).await;
    assert_eq!(entries(&app, id).await, [0, 5, 0, 0, 0, 0]);
}

async fn another_agent_is_another_visitor(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    for (agent, expected) in [
        (CHROME, "counted"),
        (FIREFOX, "counted"),
        (CHROME, "duplicate"),
        (FIREFOX, "duplicate"),
    ] {
        let request = view(&app, id).header("user-agent", agent);
        assert_eq!(result(request).await, expected, "{agent}");
    }
}

async fn an_address_behind_a_trusted_proxy_is_a_visitor(stage: Stage) {
    let app = stage
        .with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")])
        .await;
    let id = article(&app).await;
    for (forwarded, expected) in [
        ("203.0.113.7", "counted"),
        ("203.0.113.8", "counted"),
        ("203.0.113.7", "duplicate"),
        // What the client wrote itself, and a second proxy of ours.
        ("198.51.100.1, 203.0.113.8", "duplicate"),
        ("198.51.100.2, 203.0.113.9, 10.1.2.3", "counted"),
        ("203.0.113.9", "duplicate"),
        ("::ffff:203.0.113.9", "duplicate"),
    ] {
        let request = view(&app, id).header("x-forwarded-for", forwarded);
        assert_eq!(result(request).await, expected, "{forwarded}");
    }
}

async fn an_address_that_an_untrusted_peer_tells_is_not_believed(stage: Stage) {
    let app = stage
        .with(&[("LANMU_TRUSTED_PROXIES", "192.0.2.0/24")])
        .await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-real-ip", "203.0.113.8"),
        ("forwarded", "for=203.0.113.9"),
        ("client-ip", "203.0.113.10"),
    ] {
        let request = view(&app, id).header(name, value);
        assert_eq!(result(request).await, "duplicate", "{name}: {value}");
    }
}

async fn an_ipv6_household_is_one_visitor(stage: Stage) {
    let app = stage.with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let id = article(&app).await;
    for (forwarded, expected) in [
        ("2001:db8:1:2::a", "counted"),
        ("2001:db8:1:2:ffff:1:2:3", "duplicate"),
        ("2001:db8:1:3::a", "counted"),
    ] {
        let request = view(&app, id).header("x-forwarded-for", forwarded);
        assert_eq!(result(request).await, expected, "{forwarded}");
    }
}

async fn no_address_is_kept(stage: Stage) {
    let app = stage.with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let id = article(&app).await;
    let request = view(&app, id)
        .header("x-forwarded-for", "203.0.113.77")
        .header("user-agent", "Reader/77.7");
    assert_eq!(result(request).await, "counted");
    let kept = format!("{:?}", databases::rows(&mut app.connect()));
    assert!(!kept.contains("203.0.113.77") && !kept.contains("Reader/77.7"));
}

async fn a_repeated_hit_id_is_a_duplicate_for_seven_days(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let other = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    let hit = |article| view(&app, article).json(&json!({"hit_id": "甲-1"}));
    assert_eq!(result(hit(id)).await, "counted");
    assert_eq!(result(hit(id)).await, "duplicate");
    assert_eq!(result(hit(other)).await, "counted");
    app.advance(7 * 86_400 - 1);
    assert_eq!(result(hit(id)).await, "duplicate");
    app.advance(1);
    assert_eq!(result(hit(id)).await, "counted");
    assert_eq!(entries(&app, id).await, [0, 2, 0, 2, 0, 0]);
}

async fn a_hit_id_has_up_to_64_characters(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for hit_id in ["一", &"浪".repeat(64)] {
        let request = view(&app, id).json(&json!({"hit_id": hit_id}));
        assert_eq!(result(request).await, "counted");
    }
    for hit_id in ["", "  ", &"浪".repeat(65)] {
        let refused = app
            .post(
                &format!("/v1/articles/{id}/hits"),
                json!({"hit_id": hit_id}),
            )
            .await
            .problem(422, "validation_failed");
        assert_eq!(refused.faults()[0].0, "/hit_id");
    }
}

async fn hit_ids_differ_by_case(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for hit_id in ["abc", "ABC", "é", "e\u{301}"] {
        let request = view(&app, id).json(&json!({"hit_id": hit_id}));
        assert_eq!(result(request).await, "counted", "{hit_id}");
    }
}

async fn bots_and_prefetches_are_answered_and_not_counted(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    views(&app, id, 1).await;
    let agents = [
        GOOGLEBOT,
        "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
        "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Twitterbot/1.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    ];
    for agent in agents {
        let hit = view(&app, id)
            .header("user-agent", agent)
            .send()
            .await
            .ok(200);
        assert_eq!(
            hit.json,
            json!({"article_id": id, "result": "bot", "total": 1, "today": 1}),
            "{agent}"
        );
    }
    let prefetches = [
        ("purpose", "prefetch"),
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("x-moz", "prefetch"),
        ("x-purpose", "preview"),
    ];
    for (name, value) in prefetches {
        let request = view(&app, id)
            .header("user-agent", CHROME)
            .header(name, value);
        assert_eq!(result(request).await, "bot", "{name}: {value}");
    }
    let expected = i64::try_from(agents.len() + prefetches.len()).expect("few");
    assert_eq!(entries(&app, id).await, [0, 1, 0, 0, expected, 0]);
    assert_eq!(windows(&app, id).await, [1, 1, 1]);
}

async fn apps_and_libraries_count(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    for agent in [
        "curl/8.5.0",
        "Wget/1.21.4",
        "okhttp/4.12.0",
        "axios/1.7.2",
        "python-requests/2.31.0",
        "Go-http-client/1.1",
        "Java/17.0.2",
        "Dart/3.4 (dart:io)",
        "Apache-HttpClient/5.3 (Java/17)",
        "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        "GuzzleHttp/7",
        "PostmanRuntime/7.39.0",
        "Portal/3.1 CFNetwork/1494 Darwin/23.4.0",
        "MyPaper/2.0 (Android 14)",
        CHROME,
        FIREFOX,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49 NetType/WIFI Language/zh_CN",
    ] {
        let request = view(&app, id).header("user-agent", agent);
        assert_eq!(result(request).await, "counted", "{agent}");
    }
}

async fn tidying_forgets_only_what_is_past(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let with_id = || view(&app, id).json(&json!({"hit_id": "t"}));
    let tidy = || async {
        lanmu::hits::tidy(&app.app).await.expect("it is tidied");
    };
    assert_eq!(result(with_id()).await, "counted");
    tidy().await;
    assert_eq!(result(view(&app, id)).await, "duplicate");
    app.advance(6 * 86_400);
    tidy().await;
    assert_eq!(result(with_id()).await, "duplicate");
    app.advance(2 * 86_400);
    app.fold().await;
    let counted = count(&app, id).await.json;
    tidy().await;
    let left: Vec<&str> = hit_rows(&app)
        .iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(table, _)| *table)
        .collect();
    assert_eq!(left, ["hit_totals", "hit_days", "hit_sums"]);
    assert_eq!(count(&app, id).await.json, counted);
    assert_eq!(result(with_id()).await, "counted");
}

crate::facts![
    a_visitor_counts_once_in_the_window,
    the_window_is_a_setting,
    the_window_reaches_over_midnight,
    without_a_window_every_view_counts,
    another_agent_is_another_visitor,
    an_address_behind_a_trusted_proxy_is_a_visitor,
    an_address_that_an_untrusted_peer_tells_is_not_believed,
    an_ipv6_household_is_one_visitor,
    no_address_is_kept,
    a_repeated_hit_id_is_a_duplicate_for_seven_days,
    a_hit_id_has_up_to_64_characters,
    hit_ids_differ_by_case,
    bots_and_prefetches_are_answered_and_not_counted,
    apps_and_libraries_count,
    tidying_forgets_only_what_is_past,
];
