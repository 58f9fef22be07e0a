//! How long entries are kept.

use serde_json::json;

use crate::support::app::NOON;
use crate::support::people::AUDIT;
use crate::support::stage::Stage;

const MADE: &str = "event=section.created";

async fn entries_are_kept_for_so_many_days(stage: Stage) {
    let app = stage.with(&[("LANMU_AUDIT_DAYS", "30")]).await;
    app.admin().section("港口", json!({})).await;
    app.advance(1);
    app.admin().section("山野", json!({})).await;
    let kept = async || app.entries(&format!("{AUDIT}?{MADE}")).await.len();
    app.set_clock("2026-03-02T04:00:00Z");
    assert_eq!(lanmu::audit::tidy(&app.app).await.expect("it is tidied"), 0);
    assert_eq!(kept().await, 2);
    app.advance(1);
    assert!(lanmu::audit::tidy(&app.app).await.expect("it is tidied") > 0);
    assert_eq!(kept().await, 1);
    app.advance(1);
    lanmu::audit::tidy(&app.app).await.expect("it is tidied");
    assert_eq!(kept().await, 0);
}

async fn entries_are_kept_for_good_without_the_setting(stage: Stage) {
    let app = stage.app().await;
    app.admin().section("港口", json!({})).await;
    app.advance(50 * 365 * 86_400);
    assert_eq!(lanmu::audit::tidy(&app.app).await.expect("it is tidied"), 0);
    assert_eq!(app.entries(&format!("{AUDIT}?{MADE}")).await.len(), 1);
}

async fn an_id_of_an_entry_is_never_used_again(stage: Stage) {
    let app = stage.with(&[("LANMU_AUDIT_DAYS", "1")]).await;
    app.admin().section("港口", json!({})).await;
    let ids = app.walk(&format!("{AUDIT}?limit=100")).await;
    app.advance(2 * 86_400);
    lanmu::audit::tidy(&app.app).await.expect("it is tidied");
    let later = app.walk(&format!("{AUDIT}?limit=100")).await;
    assert!(
        later.iter().all(|id| *id > ids[0]),
        "{later:?} after {ids:?}"
    );
}

async fn sample_content_is_told_when_it_was_added(stage: Stage) {
    let app = stage.app().await;
    app.advance(60);
    lanmu::demo::fill(&app.app).await.expect("it fills");
    for (event, least) in [
        ("section.created", 12),
        ("article.created", 50),
        ("article.published", 40),
    ] {
        let path = format!("{AUDIT}?event={event}&limit=100");
        let told = app.entries(&path).await;
        assert!(told.len() >= least, "{event}: {}", told.len());
        for entry in told {
            assert_eq!(entry["at"], "2026-01-31T04:01:00Z", "{entry}");
        }
    }
    // The articles themselves are dated back.
    let found = app
        .admin()
        .get("/v1/admin/articles?limit=100")
        .await
        .ok(200);
    let rows = found["data"].as_array().expect("a list").iter();
    let earlier = rows.filter(|article| article["created_at"].as_str() < Some(NOON));
    assert!(earlier.count() > 30);
}

crate::facts![
    entries_are_kept_for_so_many_days,
    entries_are_kept_for_good_without_the_setting,
    an_id_of_an_entry_is_never_used_again,
    sample_content_is_told_when_it_was_added,
];
