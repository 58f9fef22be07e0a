//! A section finds another place in the tree.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::databases;
use crate::support::stage::Stage;

use super::{
    PATIENT, SECTIONS, article_count, chain, create, delete, harbour, managed, move_to, shown,
    texts,
};

async fn a_section_moves_among_its_siblings(stage: Stage) {
    let app = stage.app().await;
    let mut ids = Vec::new();
    for slug in ["a", "b", "c", "d"] {
        ids.push(app.admin().section("栏", json!({"slug": slug})).await);
    }
    let [a, b, c, d] = ids[..] else {
        unreachable!("four were made")
    };
    for (moved, place, order) in [
        (d, json!({"before": a}), ["d", "a", "b", "c"]),
        (d, json!({"after": b}), ["a", "b", "d", "c"]),
        (a, json!({}), ["b", "d", "c", "a"]),
        (c, json!({"before": d, "after": null}), ["b", "c", "d", "a"]),
        (c, json!({"before": d}), ["b", "c", "d", "a"]),
    ] {
        let mut body = place;
        body["parent_id"] = Value::Null;
        let answer = move_to(&app, moved, body).await.ok(200);
        let list = app.admin().get(SECTIONS).await.ok(200);
        assert_eq!(texts(&list, "slug"), order);
        assert_eq!(list.each("position"), [0, 1, 2, 3]);
        assert_eq!(answer.json, managed(&app, moved).await.json);
        assert_eq!(shown(&app).await, order);
    }
}

async fn a_section_takes_its_subtree_along(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let article = app.admin().article("晨渡", h.pier, json!({})).await;
    let moved = move_to(&app, h.town, json!({"parent_id": h.notices}))
        .await
        .ok(200);
    assert_eq!(
        (&moved["parent_id"], &moved["path"], &moved["depth"]),
        (&json!(h.notices), &json!("notices/town"), &json!(1))
    );
    assert_eq!(
        shown(&app).await,
        [
            "news",
            "news/fleet",
            "notices",
            "notices/town",
            "notices/town/pier"
        ]
    );
    assert_eq!(article_count(&app, h.news).await, 0);
    assert_eq!(article_count(&app, h.notices).await, 1);
    assert!(app.walk("/v1/articles?section=news").await.is_empty());
    assert_eq!(app.walk("/v1/articles?section=notices").await, [article]);
    let article = app.get(&format!("/v1/articles/{article}")).await.ok(200);
    assert_eq!(article["section"]["path"], "notices/town/pier");
    assert_eq!(article["breadcrumb"][1]["slug"], "notices");
}

async fn a_section_moves_to_the_top_and_between(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let top = json!({"parent_id": null, "before": h.notices});
    let moved = move_to(&app, h.town, top).await.ok(200);
    assert_eq!(
        (&moved["parent_id"], &moved["depth"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(
        shown(&app).await,
        ["news", "news/fleet", "town", "town/pier", "notices"]
    );
    let before = json!({"parent_id": h.news, "before": h.fleet});
    move_to(&app, h.notices, before).await.ok(200);
    assert_eq!(
        shown(&app).await,
        ["news", "news/notices", "news/fleet", "town", "town/pier"]
    );
}

async fn a_section_can_not_stand_below_itself(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let before = databases::rows(&mut app.connect());
    for (moved, parent) in [(h.news, h.news), (h.news, h.town), (h.news, h.pier)] {
        move_to(&app, moved, json!({"parent_id": parent}))
            .await
            .problem(409, "section_cycle");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn a_place_that_is_not_there_is_refused(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let before = databases::rows(&mut app.connect());
    for (body, at) in [
        (json!({}), "/parent_id"),
        (json!({"before": h.fleet}), "/parent_id"),
        (json!({"parent_id": 987_654}), "/parent_id"),
        (json!({"parent_id": h.news, "before": h.notices}), "/before"),
        (json!({"parent_id": h.news, "before": h.pier}), "/before"),
        (json!({"parent_id": h.news, "before": h.town}), "/before"),
        (json!({"parent_id": h.news, "after": 987_654}), "/after"),
        (
            json!({"parent_id": h.news, "before": h.fleet, "after": h.fleet}),
            "/after",
        ),
    ] {
        let answer = move_to(&app, h.town, body).await;
        let faults = answer.problem(422, "validation_failed").faults();
        assert_eq!(faults[0].0, at);
    }
    move_to(&app, 987_654, json!({"parent_id": null}))
        .await
        .problem(404, "not_found");
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn the_tree_has_eight_levels(stage: Stage) {
    let app = stage.app().await;
    let ids = chain(&app, &["一", "二", "三", "四", "五", "六", "七", "八"]).await;
    let pair = chain(&app, &["甲", "乙"]).await;
    assert_eq!(managed(&app, ids[7]).await["depth"], 7);
    let before = databases::rows(&mut app.connect());
    let too_deep = |answer: Answer| {
        let faults = answer.problem(422, "validation_failed").faults();
        assert_eq!(faults[0].0, "/parent_id");
    };
    too_deep(create(&app, json!({"name": "九", "parent_id": ids[7]})).await);
    too_deep(move_to(&app, pair[1], json!({"parent_id": ids[7]})).await);
    too_deep(move_to(&app, pair[0], json!({"parent_id": ids[6]})).await);
    let answer = delete(&app, pair[0], &format!("?move_to={}", ids[7])).await;
    assert!(matches!(answer.status, 400 | 409 | 422), "{answer}");
    assert_eq!(databases::rows(&mut app.connect()), before);
    move_to(&app, pair[0], json!({"parent_id": ids[5]}))
        .await
        .ok(200);
    assert_eq!(managed(&app, pair[1]).await["depth"], 7);
}

async fn moves_at_once_make_no_cycle(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    let node = stage.with(&[PATIENT]).await;
    let a = app.admin().section("甲", json!({})).await;
    let b = app.admin().section("乙", json!({})).await;
    for _ in 0..5 {
        let answers = join_all([
            move_to(&app, a, json!({"parent_id": b})),
            move_to(&node, b, json!({"parent_id": a})),
        ])
        .await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        assert_eq!(shown(&app).await.len(), 2);
        for id in [a, b] {
            move_to(&app, id, json!({"parent_id": null})).await.ok(200);
        }
    }
}

crate::facts![
    a_section_moves_among_its_siblings,
    a_section_takes_its_subtree_along,
    a_section_moves_to_the_top_and_between,
    a_section_can_not_stand_below_itself,
    a_place_that_is_not_there_is_refused,
    the_tree_has_eight_levels,
    moves_at_once_make_no_cycle,
];
