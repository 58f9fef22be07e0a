//! Reads with hostile parameters and paths.

use serde_json::{Value, json};

use crate::support::contract::document;
use crate::support::stage::Stage;

use super::{BAD_REQUEST, Desk, MISSING, NO_REFERENCE};

/// Every list, with the sort that its cursors are of.
fn lists(article: i64) -> Vec<String> {
    vec![
        "/v1/articles".to_owned(),
        "/v1/sections".to_owned(),
        format!("/v1/articles/{article}/related"),
        "/v1/admin/articles".to_owned(),
        format!("/v1/admin/articles/{article}/revisions"),
        "/v1/admin/sections".to_owned(),
        "/v1/admin/hits".to_owned(),
    ]
}

async fn bad_paging_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for list in lists(desk.place.article) {
        for (query, parameter) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=abc", "limit"),
            ("limit=1e2", "limit"),
            ("limit=1.0", "limit"),
            ("limit=%2B5", "limit"),
            ("limit=0x10", "limit"),
            ("limit=%D9%A3", "limit"),
            ("limit=", "limit"),
            ("limit", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("limit=5&limit=5", "limit"),
            ("LIMIT=5", "LIMIT"),
            ("limit[]=5", "limit[]"),
            ("page=0", "page"),
            ("page=-1", "page"),
            ("page=99999999999", "page"),
            ("page=99999999999999999999", "page"),
            ("page=9223372036854775807", "page"),
            ("page=1.5", "page"),
            ("page=two", "page"),
            ("page=1&page=2", "page"),
            ("count=maybe", "count"),
            ("count=true", "count"),
            ("sort=wat", "sort"),
            ("sort=title%3B--", "sort"),
            ("sort=id%20desc", "sort"),
            ("offset=10", "offset"),
        ] {
            let path = format!("{list}?{query}");
            desk.refuses_at(&path, desk.get(&path), BAD_REQUEST, parameter, "")
                .await;
        }
        for query in [
            "page=10000000",
            "page=10000000&limit=100",
            "page=2&count=none",
        ] {
            let path = format!("{list}?{query}");
            desk.get(&path).send().await.ok(200);
        }
    }
    desk.close().await;
}

async fn a_cursor_that_was_not_given_out_is_refused(stage: Stage) {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let desk = Desk::open(&stage, &[]).await;
    for n in 0..3 {
        let title = format!("航次{n}");
        desk.app
            .admin()
            .article(&title, desk.place.section, json!({}))
            .await;
    }
    desk.expect_changes();
    let mut cursors: Vec<String> = [
        "x",
        "!!!",
        "%00",
        "%ff",
        "null",
        "e30",
        "W10",
        "bnVsbA",
        "WzFd",
        "MQ",
        "AA",
        "....",
        "eyJhIjoxfQ==",
        "1",
        "-1",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    cursors.push("a".repeat(7999));
    cursors.push("a".repeat(9000));
    for sort in [
        "-published_at",
        "-updated_at",
        "tree",
        "hits",
        "-hits",
        "related",
        "title",
        "",
    ] {
        for key in [
            json!("x"),
            json!(""),
            json!("1e3"),
            json!("99999999999999999999"),
            json!("9223372036854775807"),
            json!("-9223372036854775808"),
            json!("[[1]]"),
            json!("[[1,2"),
            json!("{}"),
            json!(1),
            json!(null),
            json!("' OR 1=1"),
        ] {
            cursors.push(URL_SAFE_NO_PAD.encode(json!([sort, key, 1]).to_string()));
        }
        for forged in [
            json!([sort, "0", 1.5]),
            json!([sort, "0", "1"]),
            json!([sort, "0", 1, 2]),
            json!([sort, "0"]),
            json!({"sort": sort, "key": "0", "id": 1}),
        ] {
            cursors.push(URL_SAFE_NO_PAD.encode(forged.to_string()));
        }
    }
    for list in lists(desk.place.article) {
        for cursor in &cursors {
            let path = format!("{list}?cursor={cursor}");
            let what = format!("{list}?cursor={cursor:.80}");
            desk.refuses_at(what, desk.get(&path), BAD_REQUEST, "cursor", "")
                .await;
        }
    }
    let given = |path: &'static str| {
        let desk = &desk;
        async move {
            let page = desk.get(path).send().await.ok(200);
            page["page"]["next_cursor"]
                .as_str()
                .expect("a cursor")
                .to_owned()
        }
    };
    let of_sections = given("/v1/sections?limit=1").await;
    let of_articles = given("/v1/articles?limit=1").await;
    let of_titles = given("/v1/articles?limit=1&sort=title").await;
    let backwards = given("/v1/articles?limit=1&sort=published_at").await;
    for (list, cursor) in [
        ("/v1/articles", &of_sections),
        ("/v1/articles", &of_titles),
        ("/v1/articles", &backwards),
        ("/v1/articles?sort=title", &of_articles),
        ("/v1/articles?section=1", &of_articles),
        ("/v1/sections", &of_articles),
        ("/v1/admin/articles", &of_articles),
        ("/v1/admin/sections", &of_titles),
        ("/v1/admin/hits", &of_articles),
    ] {
        let joint = if list.contains('?') { '&' } else { '?' };
        let path = format!("{list}{joint}cursor={cursor}");
        desk.refuses_at(
            &path,
            desk.get(&path),
            BAD_REQUEST,
            "cursor",
            "invalid_cursor",
        )
        .await;
    }
    let both = format!("/v1/articles?page=1&cursor={of_articles}");
    desk.refuses_at(&both, desk.get(&both), BAD_REQUEST, "cursor", "conflicting")
        .await;
    desk.close().await;
}

async fn a_bad_filter_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let many: Vec<String> = (1..=101).map(|n| n.to_string()).collect();
    let many = format!("ids={}", many.join(","));
    for list in ["/v1/articles", "/v1/admin/articles"] {
        for (query, parameter) in [
            ("ids=1,,2", "ids"),
            ("ids=,", "ids"),
            ("ids=", "ids"),
            ("ids=1,", "ids"),
            ("ids=1;2", "ids"),
            ("ids=a", "ids"),
            ("ids=0", "ids"),
            ("ids=-1", "ids"),
            ("ids=%2B1", "ids"),
            ("ids=1.0", "ids"),
            ("ids=99999999999999999999", "ids"),
            ("ids[]=1", "ids[]"),
            (&many, "ids"),
            ("featured=1", "featured"),
            ("featured=TRUE", "featured"),
            ("pinned=", "pinned"),
            ("subsections=no", "subsections"),
            ("section=A%20B", "section"),
            ("section=0", "section"),
            ("section=%E6%B8%AF", "section"),
            ("section=99999999999999999999", "section"),
            ("lang=x%20y", "lang"),
            ("lang=zh_CN", "lang"),
            ("published_from=yesterday", "published_from"),
            ("published_from=2026-02-30", "published_from"),
            ("published_from=2026-1-1", "published_from"),
            ("published_from=2026-01-01T00:00:00", "published_from"),
            ("published_from=0000-01-01", "published_from"),
            ("published_from=-0001-01-01", "published_from"),
            ("published_to=10000-01-01", "published_to"),
            ("published_to=99999999999", "published_to"),
            ("published_to=2026-01-01T25:00:00Z", "published_to"),
            ("tag=", "tag"),
            ("tag=%20", "tag"),
            ("tag=%00", "tag"),
            ("tag=a%00b", "tag"),
            ("tag=%0a", "tag"),
            ("tag=%ff", "tag"),
            ("tag=%c0%af", "tag"),
            ("tag=%ed%a0%80", "tag"),
            ("tag=a&tag=b", "tag"),
            ("author=%1b", "author"),
            ("source=%7f", "source"),
            ("keyword=%c2%85", "keyword"),
            ("wat=1", "wat"),
            ("filter[title]=x", "filter[title]"),
            ("__proto__=1", "__proto__"),
        ] {
            let path = format!("{list}?{query}");
            desk.refuses_at(&path, desk.get(&path), BAD_REQUEST, parameter, "")
                .await;
        }
        for parameter in ["tag", "author", "section", "cursor", "ids", "wat"] {
            let path = format!("{list}?{parameter}={}", "9".repeat(10_000));
            let what = format!("{list}?{parameter}=9…");
            desk.refuses_at(what, desk.get(&path), BAD_REQUEST, parameter, "")
                .await;
        }
    }
    for (query, parameter) in [
        ("include=wat", "include"),
        ("include=body,", "include"),
        ("include=", "include"),
        ("sort=section_order", "sort"),
        ("status=draft", "status"),
        ("created_by=1", "created_by"),
        ("q=x", "q"),
    ] {
        let path = format!("/v1/articles?{query}");
        desk.refuses_at(&path, desk.get(&path), BAD_REQUEST, parameter, "")
            .await;
    }
    let long = format!("q={}", "x".repeat(201));
    for (query, parameter) in [
        ("status=wat", "status"),
        ("status=draft,trashed", "status"),
        ("created_by=0", "created_by"),
        ("created_by=me", "created_by"),
        ("q=", "q"),
        ("q=%00", "q"),
        (&long, "q"),
        ("include=body", "include"),
    ] {
        let path = format!("/v1/admin/articles?{query}");
        desk.refuses_at(&path, desk.get(&path), BAD_REQUEST, parameter, "")
            .await;
    }
    for (query, parameter) in [
        ("parent=A%20B", "parent"),
        ("parent=0", "parent"),
        ("depth=-1", "depth"),
        ("depth=8", "depth"),
        ("depth=one", "depth"),
        ("include=hits", "include"),
        ("include=articles&articles_limit=0", "articles_limit"),
        ("include=articles&articles_limit=11", "articles_limit"),
        ("articles_limit=3", "articles_limit"),
        ("visible=true", "visible"),
    ] {
        let path = format!("/v1/sections?{query}");
        desk.refuses_at(&path, desk.get(&path), BAD_REQUEST, parameter, "")
            .await;
    }
    desk.close().await;
}

async fn a_bad_filter_of_counts_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for (path, parameter) in [
        ("/v1/hits/hourly?hours=0", "hours"),
        ("/v1/hits/hourly?hours=49", "hours"),
        ("/v1/hits/hourly?hours=1.5", "hours"),
        ("/v1/hits/hourly?hours=", "hours"),
        ("/v1/hits/hourly?article=A%20B", "article"),
        ("/v1/hits/hourly?section=A%20B", "section"),
        ("/v1/hits/hourly?article=1&section=1", "section"),
        ("/v1/hits/hourly?days=1", "days"),
        ("/v1/hits/monthly?from=2026-1", "from"),
        ("/v1/hits/monthly?from=2026-13", "from"),
        ("/v1/hits/monthly?from=2026-01-01", "from"),
        ("/v1/hits/monthly?to=%00", "to"),
        ("/v1/hits/monthly?from=2026-02&to=2026-01", "from"),
        ("/v1/hits/monthly?from=2010-01&to=2026-01", "from"),
        ("/v1/hits/monthly?article=1&section=1", "section"),
        ("/v1/admin/hits.csv?section=A%20B", "section"),
        ("/v1/admin/hits.csv?section=987654321", "section"),
        ("/v1/admin/hits.csv?limit=1", "limit"),
        ("/v1/articles/1/hits.js", "callback"),
        ("/v1/articles/1/hits.js?callback=", "callback"),
        ("/v1/articles/1/hits.js?callback=a&callback=b", "callback"),
        ("/metrics?format=json", "format"),
    ] {
        desk.refuses_at(path, desk.get(path), BAD_REQUEST, parameter, "")
            .await;
    }
    desk.close().await;
}

async fn all_faults_of_a_query_are_told_at_once(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let query = "limit=0&page=x&sort=wat&count=maybe&ids=a&featured=2&pinned=2&subsections=2\
                 &section=A%20B&lang=x%20y&published_from=soon&published_to=late&include=wat\
                 &tag=%00&author=a&author=b&wat=1&wat2=2";
    let path = format!("/v1/articles?{query}");
    let answer = desk.refuses(&path, desk.get(&path), BAD_REQUEST).await;
    let mut told: Vec<String> = answer.faults().into_iter().map(|fault| fault.0).collect();
    told.sort();
    let mut expected = [
        "limit",
        "page",
        "sort",
        "count",
        "ids",
        "featured",
        "pinned",
        "subsections",
        "section",
        "lang",
        "published_from",
        "published_to",
        "include",
        "tag",
        "author",
        "wat",
        "wat2",
    ];
    expected.sort_unstable();
    assert_eq!(told, expected);
    for fault in answer["errors"].as_array().expect("faults") {
        assert_eq!(fault["pointer"], Value::Null);
        assert!(
            fault["detail"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    desk.close().await;
}

async fn no_read_takes_an_unknown_parameter(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for (path, item) in document()["paths"].as_object().expect("paths") {
        if item["get"].is_null() {
            continue;
        }
        let path = path.replace("{id}", "1").replace("{ref}", "1");
        let path = path.replace("{version}", "1");
        for (query, parameter) in [("wat=1", "wat"), ("wat", "wat"), ("wat=%ff", "wat")] {
            let path = format!("{path}?{query}");
            let request = desk.get(&path);
            let answer = desk.refuses(&path, request, BAD_REQUEST).await;
            let told = answer.faults();
            if !told.iter().any(|fault| fault.0 == parameter) {
                desk.note(format!("{path}: {parameter} is not told: {answer}"));
            }
        }
    }
    desk.close().await;
}

async fn an_odd_query_does_no_harm(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let unknown: Vec<String> = (0..3000).map(|n| format!("p{n}=1")).collect();
    for query in [
        "tag=%".to_owned(),
        "tag=%zz".to_owned(),
        "tag=%2".to_owned(),
        "tag=%u6E2F".to_owned(),
        "limit=+5".to_owned(),
        "=".to_owned(),
        "=1".to_owned(),
        "&&&".to_owned(),
        "%".to_owned(),
        "%ff".to_owned(),
        "%ff=1".to_owned(),
        "&".repeat(10_000),
        "=".repeat(10_000),
        "%".repeat(10_000),
        "a".repeat(10_000),
        "a&".repeat(5_000),
        "limit=1&".repeat(1000),
        format!("tag={}", "港".repeat(3000)),
        unknown.join("&"),
    ] {
        for list in lists(desk.place.article) {
            let path = format!("{list}?{query}");
            let what = format!("{list}?{query:.40}");
            desk.refuses(what, desk.get(&path), (&[200, 400], "")).await;
        }
    }
    desk.close().await;
}

async fn a_reference_that_is_none_is_not_found(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let (long, very_long) = ("a".repeat(121), "a".repeat(10_000));
    let texts = NO_REFERENCE.iter().copied();
    for text in texts.chain([long.as_str(), &very_long]) {
        for path in [
            format!("/v1/articles/{text}"),
            format!("/v1/articles/{text}/hits"),
            format!("/v1/articles/{text}/hits.js?callback=show"),
            format!("/v1/articles/{text}/neighbors"),
            format!("/v1/articles/{text}/related"),
            format!("/v1/articles/{text}/qr.svg"),
            format!("/v1/sections/{text}"),
            format!("/v1/sections/{text}/hits"),
        ] {
            let what = format!("GET {path:.80}");
            desk.refuses(what, desk.get(&path), MISSING).await;
        }
    }
    let deep = format!("/v1/{}", "a/".repeat(4000));
    for path in [
        "/v1/articles/tree",
        "/v1/",
        "/v1",
        "//",
        "/%00",
        "/%ff",
        &deep,
    ] {
        let what = format!("GET {path:.60}");
        desk.refuses(what, desk.get(path), MISSING).await;
    }
    desk.close().await;
}

crate::facts![
    bad_paging_is_refused,
    a_cursor_that_was_not_given_out_is_refused,
    a_bad_filter_is_refused,
    a_bad_filter_of_counts_is_refused,
    all_faults_of_a_query_are_told_at_once,
    no_read_takes_an_unknown_parameter,
    an_odd_query_does_no_harm,
    a_reference_that_is_none_is_not_found,
];
