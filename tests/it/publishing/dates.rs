//! When an article was published.

use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::stage::Stage;

use super::{TOMORROW, act, is_read, managed, path, publish, section};

async fn the_first_publication_is_now_and_stays(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    assert_eq!(managed(&app, id).await["published_at"], Value::Null);
    assert_eq!(
        publish(&app, id, json!({})).await.ok(200)["published_at"],
        NOON
    );
    for (action, then) in [
        ("publish", "published"),
        ("unpublish", "archived"),
        ("publish", "published"),
        ("trash", "trashed"),
        ("restore", "draft"),
        ("publish", "published"),
    ] {
        app.advance(60);
        match action {
            "trash" => app.admin().delete(&path(id)).await.ok(204),
            action => act(&app, id, action).await.ok(200),
        };
        let article = managed(&app, id).await;
        assert_eq!(
            (&article["status"], &article["published_at"]),
            (&json!(then), &json!(NOON))
        );
    }
    assert!(is_read(&app, id).await);
}

async fn a_date_that_is_given_is_taken(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    for (given, date, then) in [
        (
            "2019-08-09T09:21:00+08:00",
            "2019-08-09T01:21:00Z",
            "published",
        ),
        ("2026-02-01T08:00:00+08:00", TOMORROW, "scheduled"),
        (
            "2026-01-31T04:00:00.001Z",
            "2026-01-31T04:00:00.001Z",
            "scheduled",
        ),
        (NOON, NOON, "published"),
    ] {
        let answer = publish(&app, id, json!({"published_at": given}))
            .await
            .ok(200);
        assert_eq!(
            (&answer["published_at"], &answer["status"]),
            (&json!(date), &json!(then))
        );
        assert_eq!(is_read(&app, id).await, then == "published");
    }
}

async fn null_is_no_date(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let dates = json!({"published_at": null, "expires_at": TOMORROW});
    let first = publish(&app, id, dates).await.ok(200);
    assert_eq!(
        (&first["published_at"], &first["expires_at"]),
        (&json!(NOON), &json!(TOMORROW))
    );
    app.advance(60);
    let kept = publish(&app, id, json!({"published_at": null}))
        .await
        .ok(200);
    assert_eq!(
        (&kept["published_at"], &kept["expires_at"]),
        (&json!(NOON), &json!(TOMORROW))
    );
    let endless = publish(&app, id, json!({"expires_at": null})).await.ok(200);
    assert_eq!(endless["expires_at"], Value::Null);
}

crate::facts![
    the_first_publication_is_now_and_stays,
    a_date_that_is_given_is_taken,
    null_is_no_date,
];
