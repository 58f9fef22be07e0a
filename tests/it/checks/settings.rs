//! The operator's list of words, and which checks block.

use std::fs;

use lanmu::app::App;
use lanmu::articles::store;
use lanmu::clock::Clock;
use lanmu::config::Config;
use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::databases::{self, ParseInstant};
use crate::support::stage::Stage;

use super::{check, draft, found, in_body, whole};

const WORDS: &str = "LANMU_CHECK_WORDS_FILE";
const BLOCKS: &str = "LANMU_CHECK_BLOCKS";

/// A file with these bytes, in a folder that goes with it; its path.
fn file(bytes: &[u8]) -> (tempfile::TempDir, String) {
    let folder = databases::scratch();
    let path = folder.path().join("words.txt");
    fs::write(&path, bytes).expect("it is written");
    let path = path.to_str().expect("UTF-8").to_owned();
    (folder, path)
}

async fn listed_words_are_found_with_their_places(stage: Stage) {
    let (_folder, path) =
        file("\u{FEFF}# 不登的词\r\n\r\n暗礁\r\nFog Bank\r\n大雾\r\n大\r\n".as_bytes());
    let app = stage.with(&[(WORDS, &path)]).await;
    let content =
        "<p title=\"暗礁\">船🎉<!-- 暗礁 -->绕过暗礁，fog bank 里 大<b>雾</b>&nbsp;暗&#30977;</p>";
    let id = draft(&app, "html", content).await;
    assert_eq!(
        in_body(&check(&app, id).await, content),
        found(&[
            ("listed_word", "暗礁\">船🎉"),
            ("listed_word", "暗礁，fog"),
            ("listed_word", "fog ba"),
            ("listed_word", ""),
            ("listed_word", ""),
        ])
    );
    for (format, content, first) in [
        ("markdown", "船绕过**暗礁**。", "暗礁**。"),
        ("text", "🎉暗礁<b>。", "暗礁<b>。"),
    ] {
        let id = draft(&app, format, content).await;
        let answer = check(&app, id).await;
        assert_eq!(in_body(&answer, content), found(&[("listed_word", first)]));
        assert_eq!(answer["data"][0]["severity"], "error");
    }
}

async fn listed_words_are_found_in_titles_and_summary(stage: Stage) {
    let (_folder, path) = file("暗礁\n".as_bytes());
    let app = stage.with(&[(WORDS, &path)]).await;
    let section = app.admin().section("港口", json!({})).await;
    let mut body = whole("text", "船离岸了。");
    body["subtitle"] = json!("暗礁");
    body["short_title"] = json!("过暗礁");
    body["summary"] = json!("船工看见了\n暗礁。");
    let id = app.admin().draft("绕过暗礁", section, body).await;
    let answer = check(&app, id).await;
    let told: Vec<(&Value, &Value)> = answer["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|finding| (&finding["pointer"], &finding["offset"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("/title"), &json!(2)),
            (&json!("/subtitle"), &json!(0)),
            (&json!("/short_title"), &json!(1)),
            (&json!("/summary"), &json!(6)),
        ]
    );
    let detail = answer["data"][0]["detail"].as_str().expect("a sentence");
    assert!(detail.contains("暗礁"), "{detail}");
}

async fn findings_block_where_the_settings_say_so(stage: Stage) {
    let (_folder, path) = file("暗礁\n".as_bytes());
    let blocks = "listed_word, relative_link";
    let app = stage.with(&[(WORDS, &path), (BLOCKS, blocks)]).await;
    for (content, blocking) in [
        ("<p>船离岸了。</p>", false),
        (
            "<a href='https://tide.example/'>潮</a><img src='https://tide.example/a.png'>",
            false,
        ),
        ("<a href=x>潮</a>", true),
        ("<p>暗礁</p>", true),
    ] {
        let id = draft(&app, "html", content).await;
        assert_eq!(check(&app, id).await["blocking"], blocking, "{content}");
    }
    let free = stage.app().await;
    let id = draft(&free, "html", "<a href=x>潮</a>").await;
    assert_eq!(check(&free, id).await["blocking"], false);
}

async fn what_blocks_is_told_as_faults(stage: Stage) {
    let app = stage.with(&[(BLOCKS, "relative_link")]).await;
    let mut conn = app.connect();
    let mut stored = async |content: &str| {
        let id = draft(&app, "html", content).await;
        store::find(&mut conn, id).expect("it is there")
    };
    let clean = stored("<p>船离岸了。</p><script>x</script>").await;
    let one = stored("<a href=x>潮</a>").await;
    let two = stored("<a href=x>潮</a><a href=y>汐</a><img>").await;
    let checker = &app.app.checker;
    assert_eq!(checker.faults(None, &clean), []);
    let faults = checker.faults(None, &one);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].pointer.as_deref(), Some("/body/content"));
    assert_eq!(faults[0].code, "check_failed");
    assert!(faults[0].detail.contains("relative_link"), "{faults:?}");
    // Of what is public already, only what is new.
    assert_eq!(checker.faults(Some(&one), &one), []);
    assert_eq!(checker.faults(Some(&two), &one), []);
    assert_eq!(checker.faults(Some(&one), &two).len(), 2);
    let free = stage.app().await;
    assert_eq!(free.app.checker.faults(None, &two), []);
}

async fn no_link_leads_away_where_the_site_has_no_address(stage: Stage) {
    let app = stage.with(&[("LANMU_SITE_URL", "")]).await;
    let content = "<a href='https://tide.example/'>潮</a>";
    let id = draft(&app, "html", content).await;
    assert_eq!(check(&app, id).await["data"], json!([]));
}

/// Why the service doesn't start with this setting.
async fn refusal(stage: &Stage, name: &str, value: &str) -> String {
    let url = stage.url();
    let lookup = |asked: &str| match asked {
        "DATABASE_URL" => Some(url.clone()),
        asked => (asked == name).then(|| value.to_owned()),
    };
    let config = Config::from_lookup(&lookup).expect("it is of the right form");
    let built = App::build(config, Clock::manual(NOON.parse_instant())).await;
    let problem = built.err().expect("it is refused").to_string();
    assert!(problem.starts_with(name), "{problem}");
    assert!(!problem.contains('\n'), "{problem}");
    problem
}

async fn a_wrong_list_stops_the_start(stage: Stage) {
    let missing = refusal(&stage, WORDS, "/nowhere/words.txt").await;
    assert!(missing.contains("can't be read"), "{missing}");
    let long = format!("暗礁\n{}\n", "礁".repeat(101));
    for (bytes, told) in [
        (long.as_bytes(), "line 2 has more than 100 characters"),
        (&b"reef\n\n\xB0\xB5\xBD\xB8\n"[..], "line 3 is not UTF-8"),
    ] {
        let (_folder, path) = file(bytes);
        let problem = refusal(&stage, WORDS, &path).await;
        assert!(problem.contains(told), "{problem}");
        assert!(problem.contains(&path), "{problem}");
    }
}

async fn an_unknown_check_stops_the_start(stage: Stage) {
    let problem = refusal(&stage, BLOCKS, "listed_word,spelling").await;
    assert!(problem.contains("\"spelling\""), "{problem}");
    assert!(
        problem.contains("missing_source, missing_summary"),
        "{problem}"
    );
}

crate::facts![
    listed_words_are_found_with_their_places,
    listed_words_are_found_in_titles_and_summary,
    findings_block_where_the_settings_say_so,
    what_blocks_is_told_as_faults,
    no_link_leads_away_where_the_site_has_no_address,
    a_wrong_list_stops_the_start,
    an_unknown_check_stops_the_start,
];
