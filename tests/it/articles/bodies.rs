//! What becomes of a body.

use serde_json::json;

use crate::support::app::{TestApp, merged};
use crate::support::stage::Stage;

use super::{create, managed, patch, path, read, section};

/// What readers get of a body.
async fn body(app: &TestApp, section: i64, format: &str, content: &str) -> (String, String) {
    let body = json!({"body": {"format": format, "content": content}});
    let article = app.admin().article("晨渡", section, body).await;
    assert_eq!(
        managed(app, article).await["body"],
        json!({"format": format, "content": content})
    );
    let article = read(app, article).await;
    let text = |member: &str| article["body"][member].as_str().expect("text").to_owned();
    (text("html"), text("text"))
}

async fn html_is_served_without_what_runs_or_styles(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let hostile = r#"<h2 style="color:red" onclick="x()">班次</h2>
        <script>alert(1)</script><style>p{}</style><iframe src="https://x.example.com"></iframe>
        <p onmouseover="x()">船<b>离</b>岸 <a href="javascript:alert(1)">一</a>
        <a href="jAvA&#x0A;script:alert(1)">二</a> <a href="data:text/html,x">三</a>
        <img src="x" onerror="alert(1)"></p>
        <form action="/x"><input name="q"><button>发</button></form>
        <object data="x"></object><embed src="x"><svg onload="x()"><path d="M0"/></svg>
        <meta http-equiv="refresh" content="0"><link rel="stylesheet" href="x"><base href="//x">"#;
    let (html, text) = body(&app, section, "html", hostile).await;
    let lower = html.to_lowercase();
    for sign in [
        "style",
        "onclick",
        "onmouseover",
        "onerror",
        "onload",
        "script",
        "iframe",
        "<form",
        "<button",
        "<object",
        "<embed",
        "<svg",
        "<meta",
        "<link",
        "<base",
        "data:",
    ] {
        assert!(!lower.contains(sign), "{sign} in {html}");
    }
    assert!(
        html.contains("<h2>班次</h2>") && html.contains("<b>离</b>"),
        "{html}"
    );
    assert!(text.contains("班次") && !text.contains("alert"), "{text}");
}

async fn html_keeps_its_structure(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let html = "<h2>班次</h2><h3>上午</h3><ul><li>头班</li></ul><ol><li>一</li></ol>\
        <table><thead><tr><th>船</th></tr></thead><tbody><tr><td>晨号</td></tr></tbody></table>\
        <figure><img src=\"/dawn.jpg\" alt=\"薄雾\"><figcaption>渡口</figcaption></figure>\
        <blockquote><p>慢些。</p></blockquote><p>a<br>b<em>c</em><strong>d</strong><code>e</code></p><hr>";
    assert_eq!(body(&app, section, "html", html).await.0, html);
    let link = r#"<p><a href="https://www.example.com/t?a=1&amp;b=2" title="表">表</a> <a href="/t">内</a></p>"#;
    let (served, text) = body(&app, section, "html", link).await;
    assert!(
        served.contains(r#"href="https://www.example.com/t?a=1&amp;b=2""#),
        "{served}"
    );
    assert!(served.contains(r#"href="/t""#), "{served}");
    assert_eq!(text, "表 内");
}

async fn markdown_is_rendered_and_then_sanitised(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let content = "# 班次\n\n**头班**六点，~~二班~~停。\n\n| 船 | 点 |\n|---|---|\n| 晨号 | 6 |\n\n\
        1. 一\n2. 二\n\n```\nlet x = 1;\n```\n\nhttps://www.example.com/t\n\n\
        <script>alert(1)</script>\n\n[坏](javascript:alert(1)) ![图](/a.png)\n\n- [x] 完";
    let (html, text) = body(&app, section, "markdown", content).await;
    for part in [
        "<h1>班次</h1>",
        "<strong>头班</strong>",
        "<del>二班</del>",
        "<td>晨号</td>",
        "<ol>",
        "let x = 1;",
        "href=\"https://www.example.com/t\"",
        "alt=\"图\"",
        "checkbox",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert!(
        !html.contains("<script") && !html.contains("javascript:"),
        "{html}"
    );
    assert!(text.contains("头班六点") && !text.contains('*'), "{text}");
}

async fn plain_text_is_not_html(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let content = "船 <b>离</b> & 岸\r\n第二行\n\n\n第二段 <script>";
    let (html, text) = body(&app, section, "text", content).await;
    assert_eq!(text, "船 <b>离</b> & 岸\n第二行\n\n第二段 <script>");
    assert!(
        html.contains("&lt;b&gt;离") && !html.contains("<script"),
        "{html}"
    );
    assert_eq!(html.matches("<p>").count(), 2, "{html}");
}

async fn a_body_may_be_changed_alone(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let more = json!({"body": {"format": "markdown", "content": "**晨**"}});
    let id = app.admin().article("晨渡", section, more).await;
    let after = patch(&app, id, json!({"body": {"content": "*夜*"}}))
        .await
        .ok(200);
    assert_eq!(
        after["body"],
        json!({"format": "markdown", "content": "*夜*"})
    );
    assert_eq!(after["word_count"], 1);
    let html = read(&app, id).await["body"]["html"].clone();
    assert!(
        html.as_str().is_some_and(|h| h.contains("<em>夜</em>")),
        "{html}"
    );
}

async fn words_are_han_characters_and_other_words(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    for (content, words) in [
        ("码头有 3 boats，灯亮了。", 8),
        ("Don't stop — at 3.5 knots!", 5),
        ("2026年1月31日", 6),
        ("……！？《》—— , . ;", 0),
        ("二〇二六 𠮷野", 6),
        ("晨渡\n\n夜渡", 4),
    ] {
        let body = json!({"body": {"format": "text", "content": content}});
        let id = app.admin().draft("晨渡", section, body).await;
        assert_eq!(managed(&app, id).await["word_count"], words, "{content}");
    }
    let html =
        "<p>晨<b>渡</b></p><script>不算</script><p title=\"不算\">夜&amp;渡<!-- 不算 --></p>";
    let body = json!({"body": {"format": "html", "content": html}});
    let id = app.admin().article("晨渡", section, body).await;
    assert_eq!(read(&app, id).await["word_count"], 4);
}

async fn a_longer_body_takes_longer_to_read(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let mut last = 0;
    for characters in [1, 2000, 8000] {
        let body = json!({"body": {"format": "text", "content": "渡".repeat(characters)}});
        let id = app.admin().article("晨渡", section, body).await;
        let article = read(&app, id).await;
        assert_eq!(article["word_count"], characters);
        let minutes = article["reading_minutes"].as_i64().expect("minutes");
        assert!(minutes > last, "{minutes}");
        last = minutes;
    }
}

async fn a_body_that_costs_too_much_is_refused(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("夜市", json!({})).await;
    let id = app.admin().draft("灯笼", section, json!({})).await;
    let before = managed(&app, id).await;
    let table = format!("|{}\n|{}\n", "a|".repeat(200), "-|".repeat(200));
    for (format, content) in [
        ("markdown", format!("{table}{}", "x\n".repeat(2450))),
        ("markdown", "[^1]".repeat(3000)),
        ("markdown", ">".repeat(2000)),
        ("html", "<div>".repeat(2000)),
        ("html", "&".repeat(60_000)),
        ("html", "<b a=1>".repeat(2000)),
    ] {
        let body = json!({"body": {"format": format, "content": content}});
        let patched = app.admin().patch(&path(id), body.clone()).await;
        let new = merged(json!({"title": "灯笼", "section_id": section}), body);
        for refused in [patched, create(&app, new).await] {
            let faults = refused.problem(422, "validation_failed").faults();
            let fault = ("/body/content".to_owned(), "too_complex".to_owned());
            assert_eq!(faults, [fault]);
        }
    }
    assert_eq!(managed(&app, id).await.json, before.json);
}

crate::facts![
    a_body_that_costs_too_much_is_refused,
    html_is_served_without_what_runs_or_styles,
    html_keeps_its_structure,
    markdown_is_rendered_and_then_sanitised,
    plain_text_is_not_html,
    a_body_may_be_changed_alone,
    words_are_han_characters_and_other_words,
    a_longer_body_takes_longer_to_read,
];
