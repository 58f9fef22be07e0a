//! What ends a link.

use diesel::prelude::*;
use futures_util::future::join_all;
use lanmu::db::schema::{preview_links, secrets};
use lanmu::db::{Conn, Timestamp};
use serde_json::json;

use crate::support::stage::Stage;

use super::{a_draft, assert_gone, link, making, one, shown, token_of};

type Row = (i64, i64, Timestamp, Timestamp);

/// Every link that there is.
fn rows(conn: &mut Conn) -> Vec<Row> {
    preview_links::table
        .order(preview_links::article_id)
        .load(conn)
        .expect("the links")
}

async fn it_ends_to_the_millisecond(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let end = json!({"expires_at": "2026-01-31T05:00:00Z"});
    let token = token_of(&app.admin().post(&making(id), end).await.ok(201));
    app.set_clock("2026-01-31T04:59:59.999Z");
    shown(&app, &token).await;
    app.set_clock("2026-01-31T05:00:00Z");
    assert_gone(&app, &token).await;
    app.set_clock("2027-01-31T05:00:00Z");
    assert_gone(&app, &token).await;
}

async fn it_ends_after_a_day_by_default(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    app.advance(24 * 3600 - 1);
    shown(&app, &token).await;
    app.advance(1);
    assert_gone(&app, &token).await;
}

async fn a_new_link_ends_the_one_before(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let other = app.admin().draft("夜渡", 1, json!({})).await;
    let apart = link(&app, other).await;
    let mut before = link(&app, id).await;
    for _ in 0..3 {
        // Made at the same instant, with the same end.
        let next = link(&app, id).await;
        assert_ne!(next, before);
        assert_gone(&app, &before).await;
        shown(&app, &next).await;
        before = next;
    }
    shown(&app, &apart).await;
    assert_eq!(rows(&mut app.connect()).len(), 2);
}

async fn the_trash_ends_it_for_good(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    app.admin().delete(&one(id)).await.ok(204);
    assert_gone(&app, &token).await;
    assert_eq!(rows(&mut app.connect()), []);
    app.admin()
        .act(&format!("{}/restore", one(id)))
        .await
        .ok(200);
    assert_gone(&app, &token).await;
    let next = link(&app, id).await;
    shown(&app, &next).await;
    assert_gone(&app, &token).await;
}

async fn no_link_leads_into_the_trash(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    let mut conn = app.connect();
    let (_, serial, expires_at, created_at) = rows(&mut conn)[0];
    app.admin().delete(&one(id)).await.ok(204);
    // A link that came past the trash, somehow.
    diesel::insert_into(preview_links::table)
        .values((
            preview_links::article_id.eq(id),
            preview_links::serial.eq(serial),
            preview_links::expires_at.eq(expires_at),
            preview_links::created_at.eq(created_at),
        ))
        .execute(&mut conn)
        .expect("the link");
    assert_gone(&app, &token).await;
    let purge = format!("{}?permanent=true", one(id));
    app.admin().delete(&purge).await.ok(204);
    assert_eq!(rows(&mut conn), []);
    assert_gone(&app, &token).await;
}

async fn many_are_ended_at_once(stage: Stage) {
    let app = stage.app().await;
    let first = a_draft(&app).await;
    let mut tokens = vec![(first, link(&app, first).await)];
    for _ in 0..3 {
        let id = app.admin().draft("夜渡", 1, json!({})).await;
        tokens.push((id, link(&app, id).await));
    }
    let ids: Vec<i64> = tokens.iter().take(2).map(|(id, _)| *id).collect();
    let mut conn = app.connect();
    let ended = lanmu::previews::revoke(&mut conn, &ids).expect("they end");
    assert_eq!(ended, 2);
    assert_eq!(lanmu::previews::revoke(&mut conn, &[]), Ok(0));
    for (index, (_, token)) in tokens.iter().enumerate() {
        if index < 2 {
            assert_gone(&app, token).await;
        } else {
            shown(&app, token).await;
        }
    }
}

async fn all_nodes_know_of_it(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let id = a_draft(&nodes[0]).await;
    let first = link(&nodes[0], id).await;
    for node in &nodes {
        shown(node, &first).await;
    }
    let second = link(&nodes[1], id).await;
    for node in &nodes {
        assert_gone(node, &first).await;
        shown(node, &second).await;
    }
    nodes[0].admin().delete(&one(id)).await.ok(204);
    assert_gone(&nodes[1], &second).await;
    // One that starts later knows the key, too.
    let third = stage.app().await;
    let other = third.admin().draft("夜渡", 1, json!({})).await;
    let token = link(&nodes[1], other).await;
    shown(&third, &token).await;
}

async fn nodes_that_begin_at_once_share_one_key(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let mut ids = vec![a_draft(&nodes[0]).await];
    for _ in 0..3 {
        ids.push(nodes[0].admin().draft("夜渡", 1, json!({})).await);
    }
    for node in &nodes {
        node.token().await;
    }
    let made = ids.iter().enumerate();
    let tokens = join_all(made.map(|(n, id)| link(&nodes[n % 2], *id))).await;
    for token in &tokens {
        for node in &nodes {
            shown(node, token).await;
        }
    }
    let mut conn = nodes[0].connect();
    let keys: Vec<(String, Vec<u8>)> = secrets::table
        .select((secrets::name, secrets::value))
        .load(&mut conn)
        .expect("the keys");
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].0, "preview_links");
    assert_eq!(keys[0].1.len(), 32);
}

async fn links_made_at_once_leave_one_that_is_good(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let id = a_draft(&nodes[0]).await;
    for node in &nodes {
        node.token().await;
    }
    let tokens = join_all((0..6).map(|n| link(&nodes[n % 2], id))).await;
    let mut good = 0;
    for token in &tokens {
        let answer = nodes[0].get(&super::place(token)).await;
        good += usize::from(answer.status == 200);
    }
    assert_eq!(good, 1);
}

crate::facts![
    it_ends_to_the_millisecond,
    it_ends_after_a_day_by_default,
    a_new_link_ends_the_one_before,
    the_trash_ends_it_for_good,
    no_link_leads_into_the_trash,
    many_are_ended_at_once,
    all_nodes_know_of_it,
    nodes_that_begin_at_once_share_one_key,
    links_made_at_once_leave_one_that_is_good,
];
