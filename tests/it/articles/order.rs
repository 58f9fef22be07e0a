//! What editors put in order by hand: a section's articles, and what is related to one.

use diesel::connection::SimpleConnection;
use lanmu::db::Conn;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::databases;
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::{ARTICLES, create, id, managed, patch, path, put, section};

async fn reorder(app: &TestApp, id: i64, position: Value) -> Answer {
    let body = json!({"position": position});
    app.admin()
        .post(&format!("{}/reorder", path(id)), body)
        .await
}

/// Published on this day of January 2026.
async fn on(app: &TestApp, section: i64, day: u8) -> i64 {
    let at = json!({"published_at": format!("2026-01-{day:02}T00:00:00Z")});
    app.admin().article("晨渡", section, at).await
}

/// So many published articles, the oldest first.
async fn days(app: &TestApp, section: i64, number: u8) -> Vec<i64> {
    let mut ids = Vec::new();
    for day in 1..=number {
        ids.push(on(app, section, day).await);
    }
    ids
}

/// The place of each, -1 for none; as the article shows it and as the list does.
async fn places(app: &TestApp, ids: &[i64]) -> Vec<i64> {
    let mut found = Vec::new();
    let list = app
        .admin()
        .get(&format!("{ARTICLES}?limit=100"))
        .await
        .ok(200);
    let listed = list["data"].as_array().expect("a list");
    for id in ids {
        let position = managed(app, *id).await["position"].clone();
        let row = listed.iter().find(|row| row["id"] == *id);
        assert_eq!(row.expect("it is listed")["position"], position);
        found.push(position.as_i64().unwrap_or(-1));
    }
    found
}

/// The section's own order, as readers meet it.
async fn order(app: &TestApp, slug: &str) -> Vec<i64> {
    let list = app.get(&format!("/v1/articles?section={slug}")).await;
    list.ok(200).ids()
}

async fn a_place_moves_those_behind_it_on(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let ids = days(&app, home, 5).await;
    let [a, b, c, d, e] = ids[..] else {
        panic!("five were made")
    };
    assert_eq!(order(&app, "harbour").await, [e, d, c, b, a]);
    for (id, position, expected, listed) in [
        (a, json!(0), [0, -1, -1, -1, -1], [a, e, d, c, b]),
        // Behind the last is the end.
        (b, json!(7), [0, 1, -1, -1, -1], [a, b, e, d, c]),
        (c, json!(0), [1, 2, 0, -1, -1], [c, a, b, e, d]),
        (d, json!(1), [2, 3, 0, 1, -1], [c, d, a, b, e]),
        (e, json!(999), [2, 3, 0, 1, 4], [c, d, a, b, e]),
        // Onwards and back.
        (c, json!(3), [1, 2, 3, 0, 4], [d, a, b, c, e]),
        (e, json!(0), [2, 3, 4, 1, 0], [e, d, a, b, c]),
        (e, json!(0), [2, 3, 4, 1, 0], [e, d, a, b, c]),
        (c, json!(4), [2, 3, 4, 1, 0], [e, d, a, b, c]),
        // Taking one out closes the gap.
        (d, Value::Null, [1, 2, 3, -1, 0], [e, a, b, c, d]),
        (e, Value::Null, [0, 1, 2, -1, -1], [a, b, c, e, d]),
        (e, Value::Null, [0, 1, 2, -1, -1], [a, b, c, e, d]),
    ] {
        let answer = reorder(&app, id, position.clone()).await.ok(200);
        let found = places(&app, &ids).await;
        assert_eq!(found, expected, "{id} to {position}");
        assert_eq!(answer.json, managed(&app, id).await.json);
        assert_eq!(order(&app, "harbour").await, listed, "{id} to {position}");
    }
}

async fn pinned_ones_stand_before_those_in_order(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let ids = days(&app, home, 4).await;
    let pinned = json!({"pinned_until": "2026-02-01T00:00:00Z"});
    patch(&app, ids[0], pinned).await.ok(200);
    reorder(&app, ids[1], json!(0)).await.ok(200);
    reorder(&app, ids[2], json!(1)).await.ok(200);
    let expected = [ids[0], ids[1], ids[2], ids[3]];
    assert_eq!(order(&app, "harbour").await, expected);
    // What is pinned keeps its own place for later.
    reorder(&app, ids[0], json!(2)).await.ok(200);
    assert_eq!(order(&app, "harbour").await, expected);
    app.set_clock("2026-02-01T00:00:00Z");
    assert_eq!(
        order(&app, "harbour").await,
        [ids[1], ids[2], ids[0], ids[3]]
    );
}

async fn each_section_has_an_order_of_its_own(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("渔场", json!({"slug": "fishery"})).await;
    let (one, two) = (days(&app, home, 2).await, days(&app, other, 3).await);
    for (position, id) in [(0, one[0]), (1, one[1]), (0, two[0]), (1, two[1])] {
        reorder(&app, id, json!(position)).await.ok(200);
    }
    reorder(&app, two[2], json!(0)).await.ok(200);
    assert_eq!(places(&app, &one).await, [0, 1]);
    assert_eq!(places(&app, &two).await, [1, 2, 0]);
    // Where it only stands, too, its place means nothing.
    let also = json!({"also_in": [other]});
    patch(&app, one[0], also).await.ok(200);
    assert_eq!(
        order(&app, "fishery").await,
        [two[2], two[0], two[1], one[0]]
    );
    assert_eq!(order(&app, "harbour").await, one);
}

async fn in_another_section_the_place_is_lost(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("渔场", json!({"slug": "fishery"})).await;
    let ids = days(&app, home, 4).await;
    for (position, id) in (0..).zip(&ids) {
        reorder(&app, *id, json!(position)).await.ok(200);
    }
    let there = json!({"section_id": other});
    patch(&app, ids[0], there.clone()).await.ok(200);
    let bulk = json!({"action": "move", "ids": [ids[1]], "section_id": other});
    admin.post(&format!("{ARTICLES}/bulk"), bulk).await.ok(200);
    assert_eq!(places(&app, &ids[..2]).await, [-1, -1]);
    assert_eq!(order(&app, "harbour").await, ids[2..]);
    assert_eq!(order(&app, "fishery").await, [ids[1], ids[0]]);
    // The next one closes the gap.
    reorder(&app, ids[3], json!(0)).await.ok(200);
    assert_eq!(places(&app, &ids).await, [-1, -1, 1, 0]);
    // A change of anything else leaves it.
    patch(&app, ids[3], json!({"title": "夜渡"})).await.ok(200);
    assert_eq!(places(&app, &ids).await, [-1, -1, 1, 0]);
    let delete = format!("/v1/admin/sections/{home}?move_to={other}");
    admin.delete(&delete).await.ok(204);
    assert_eq!(places(&app, &ids).await, [-1; 4]);
}

async fn what_is_in_the_trash_has_no_place(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let ids = days(&app, home, 4).await;
    for (position, id) in (0..3).zip(&ids) {
        reorder(&app, *id, json!(position)).await.ok(200);
    }
    admin.delete(&path(ids[1])).await.ok(204);
    let before = databases::rows(&mut app.connect());
    for position in [json!(0), Value::Null] {
        let answer = reorder(&app, ids[1], position).await;
        answer.problem(409, "invalid_transition");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    reorder(&app, ids[3], json!(1)).await.ok(200);
    assert_eq!(places(&app, &ids).await, [0, -1, 2, 1]);
    // Its place is somebody else's by the time that it comes back.
    let back = admin
        .act(&format!("{}/restore", path(ids[1])))
        .await
        .ok(200);
    assert_eq!(back["position"], Value::Null);
    admin
        .act(&format!("{}/publish", path(ids[1])))
        .await
        .ok(200);
    assert_eq!(places(&app, &ids).await, [0, -1, 2, 1]);
    assert_eq!(
        order(&app, "harbour").await,
        [ids[0], ids[3], ids[2], ids[1]]
    );
}

async fn drafts_have_their_place_before_they_are_out(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let draft = admin.draft("草稿", home, json!({})).await;
    let ids = days(&app, home, 2).await;
    reorder(&app, draft, json!(0)).await.ok(200);
    reorder(&app, ids[0], json!(1)).await.ok(200);
    assert_eq!(order(&app, "harbour").await, ids);
    admin.act(&format!("{}/publish", path(draft))).await.ok(200);
    assert_eq!(order(&app, "harbour").await, [draft, ids[0], ids[1]]);
    admin
        .act(&format!("{}/unpublish", path(draft)))
        .await
        .ok(200);
    assert_eq!(places(&app, &[draft, ids[0]]).await, [0, 1]);
}

async fn those_that_move_on_keep_their_version(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let one = app.admin().draft("晨渡", home, json!({})).await;
    let two = app.admin().draft("夜渡", home, json!({})).await;
    reorder(&app, one, json!(0)).await.ok(200);
    let before = managed(&app, one).await;
    let tag = before.header("etag").expect("a tag").to_owned();
    let count = || {
        let rows = databases::rows(&mut app.connect());
        let revisions = rows.into_iter().find(|(table, _)| *table == "revisions");
        revisions.expect("the table").1.len()
    };
    let revisions = count();
    reorder(&app, two, json!(0)).await.ok(200);
    assert_eq!(count(), revisions + 1);
    // The version says nothing new, and yet it isn't what the client has.
    let request = app.admin().request(Method::GET, &path(one)).await;
    let after = request.header("if-none-match", &tag).send().await.ok(200);
    assert_eq!(after["position"], 1);
    assert_eq!(after["version"], before["version"]);
    assert_eq!(after["updated_at"], before["updated_at"]);
    // Who has read it before may still write it, and its place stays.
    let title = json!({"title": "清晨"});
    let admin = app.admin();
    let saved = admin.write_if(&tag, Method::PATCH, &path(one), title).await;
    assert_eq!(saved.ok(200)["position"], 1);
    let told = app.entries("/v1/admin/audit?event=article.reordered").await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["resource"]["id"], two);
}

async fn a_place_is_a_number_below_1000(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let before = databases::rows(&mut app.connect());
    for position in [json!(1000), json!(-1), json!(9_007_199_254_740_991_i64)] {
        let answer = reorder(&app, id, position).await;
        let answer = answer.problem(422, "validation_failed");
        let fault = ("/position".to_owned(), "out_of_range".to_owned());
        assert_eq!(answer.faults(), [fault]);
    }
    for position in [json!("0"), json!(0.5), json!([0]), json!(true)] {
        let answer = reorder(&app, id, position).await;
        answer.problem(400, "invalid_body");
    }
    let reorder_path = format!("{}/reorder", path(id));
    let admin = app.admin();
    let answer = admin.post(&reorder_path, json!({})).await;
    let answer = answer.problem(422, "validation_failed");
    let fault = ("/position".to_owned(), "required".to_owned());
    assert_eq!(answer.faults(), [fault]);
    let zero = json!({"position": 0});
    admin
        .write_if("\"2\"", Method::POST, &reorder_path, zero.clone())
        .await
        .problem(412, "version_mismatch");
    reorder(&app, 987_654, json!(0))
        .await
        .problem(404, "not_found");
    assert_eq!(databases::rows(&mut app.connect()), before);
    let answer = admin
        .write_if("\"1\"", Method::POST, &reorder_path, zero)
        .await
        .ok(200);
    assert_eq!(answer.header("etag"), Some("\"2\""));
}

/// Columns of articles that copies share.
const SHARED: &str = "section_id, title, title_key, keywords, tags, lang, featured, status, dated_at, \
    live, word_count, created_at, updated_at, version";

async fn a_section_has_1000_articles_in_order_at_most(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("渔场", json!({})).await;
    let first = app.admin().draft("晨渡", home, json!({})).await;
    let next = app.admin().draft("夜渡", home, json!({})).await;
    let last = app.admin().draft("午渡", home, json!({})).await;
    let elsewhere = app.admin().draft("晚渡", other, json!({})).await;
    let sql = format!(
        "INSERT INTO articles (slug, position, {SHARED}) \
         WITH RECURSIVE places (place) AS \
           (SELECT 1 UNION ALL SELECT place + 1 FROM places WHERE place < 998) \
         SELECT 'copy-' || place, place, {SHARED} FROM articles, places WHERE id = {first}"
    );
    match &mut app.connect() {
        Conn::Sqlite(conn) => conn.batch_execute(&sql),
        Conn::Pg(conn) => conn.batch_execute(&sql),
    }
    .expect("998 copies are made");
    reorder(&app, first, json!(0)).await.ok(200);
    let answer = reorder(&app, next, json!(999)).await.ok(200);
    assert_eq!(answer["position"], 999);
    let before = databases::rows(&mut app.connect());
    for position in [0, 999] {
        let answer = reorder(&app, last, json!(position)).await;
        let answer = answer.problem(422, "validation_failed");
        let fault = ("/position".to_owned(), "too_many".to_owned());
        assert_eq!(answer.faults(), [fault]);
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    // Another section's is its own, those that have a place move on, and one out lets one in.
    reorder(&app, elsewhere, json!(0)).await.ok(200);
    reorder(&app, next, json!(0)).await.ok(200);
    assert_eq!(managed(&app, first).await["position"], 1);
    reorder(&app, first, Value::Null).await.ok(200);
    let answer = reorder(&app, last, json!(999)).await.ok(200);
    assert_eq!(answer["position"], 999);
}

async fn only_who_publishes_there_sets_the_order(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("渔场", json!({})).await;
    let there = json!({"sections": [home]});
    let mut callers = Vec::new();
    for role in ["editor", "author", "viewer"] {
        let email = format!("{role}@example.com");
        app.account(&email, role, there.clone()).await;
        callers.push(app.sign_in(&email, SECRET).await.access);
    }
    callers.push(app.api_key(&["content:publish"], json!({})).await.1);
    callers.push(app.api_key(&["content:write"], json!({})).await.1);
    let body = json!({"title": "晨渡", "section_id": home});
    let made = app.with(&callers[1], Method::POST, ARTICLES).json(&body);
    let own = id(&made.send().await.ok(201));
    let beyond = app.admin().draft("夜渡", other, json!({})).await;
    let shown = app.admin().article("午渡", other, json!({})).await;
    let ask = async |caller: usize, id: i64| {
        let path = format!("{}/reorder", path(id));
        let request = app.with(&callers[caller], Method::POST, &path);
        request.json(&json!({"position": 0})).send().await.status
    };
    for (caller, statuses) in [
        (0, [200, 404, 403]),
        (1, [403; 3]),
        (2, [403; 3]),
        (3, [200; 3]),
        (4, [403; 3]),
    ] {
        for (id, status) in [own, beyond, shown].into_iter().zip(statuses) {
            assert_eq!(ask(caller, id).await, status, "{caller} {id}");
        }
    }
}

/// The ids that readers are told are related.
async fn told(app: &TestApp, id: i64) -> Vec<i64> {
    let list = app.get(&format!("/v1/articles/{id}/related")).await;
    list.ok(200).ids()
}

async fn what_is_set_as_related_comes_first(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("渔场", json!({})).await;
    let make = async |section: i64, more: Value| admin.article("晨渡", section, more).await;
    let tagged = json!({"tags": ["潮汐"]});
    let near = make(home, json!({})).await;
    let like = make(other, tagged.clone()).await;
    let far = make(other, json!({})).await;
    let farther = make(other, json!({})).await;
    let id = make(home, tagged).await;
    assert_eq!(told(&app, id).await, [like, near]);
    let set = json!({"related": [farther, near, far, near]});
    let saved = patch(&app, id, set).await.ok(200);
    assert_eq!(saved["related"], json!([farther, near, far]));
    assert_eq!(told(&app, id).await, [farther, near, far, like]);
    let page = format!("/v1/articles/{id}/related?limit=2&page=2");
    assert_eq!(app.get(&page).await.ok(200).ids(), [far, like]);
    // It is not the other way round.
    assert!(!told(&app, farther).await.contains(&id));
    let set = json!({"related": [like]});
    patch(&app, id, set).await.ok(200);
    assert_eq!(told(&app, id).await, [like, near]);
    let set = json!({"related": null});
    let saved = patch(&app, id, set).await.ok(200);
    assert_eq!(saved["related"], json!([]));
    // Creating and replacing set them, too.
    let body = json!({"title": "夜渡", "section_id": home, "related": [far]});
    let made = create(&app, body.clone()).await.ok(201);
    assert_eq!(made["related"], json!([far]));
    let made = put(&app, "cms-1", body).await.ok(201);
    assert_eq!(
        managed(&app, super::id(&made)).await["related"],
        json!([far])
    );
    let body = json!({"title": "夜渡", "section_id": home});
    let replaced = put(&app, "cms-1", body).await.ok(200);
    assert_eq!(replaced["related"], json!([]));
}

async fn readers_are_told_of_what_they_see(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("渔场", json!({})).await;
    let hidden = admin.section("内部", json!({"visible": false})).await;
    let draft = admin.draft("草稿", other, json!({})).await;
    let inner = admin.article("密", hidden, json!({})).await;
    let soon = json!({"published_at": "2026-01-31T04:01:00Z"});
    let soon = admin.article("将来", other, soon).await;
    let shown = admin.article("夜渡", other, json!({})).await;
    let set = json!({"related": [draft, inner, soon, shown]});
    let id = admin.article("晨渡", home, set.clone()).await;
    assert_eq!(told(&app, id).await, [shown]);
    assert_eq!(managed(&app, id).await["related"], set["related"]);
    app.advance(60);
    assert_eq!(told(&app, id).await, [soon, shown]);
    admin.act(&format!("{}/publish", path(draft))).await.ok(200);
    assert_eq!(told(&app, id).await, [draft, soon, shown]);
    admin.delete(&path(shown)).await.ok(204);
    assert_eq!(told(&app, id).await, [draft, soon]);
}

async fn a_deleted_article_is_related_to_none(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let one = admin.draft("一", home, json!({})).await;
    let two = admin.draft("二", home, json!({})).await;
    let set = json!({"related": [one, two]});
    let id = admin.draft("晨渡", home, set.clone()).await;
    admin.delete(&path(one)).await.ok(204);
    assert_eq!(managed(&app, id).await["related"], set["related"]);
    for (gone, left) in [(one, json!([two])), (two, json!([]))] {
        if gone == two {
            admin.delete(&path(two)).await.ok(204);
        }
        let tag = managed(&app, id)
            .await
            .header("etag")
            .map(ToOwned::to_owned);
        let forever = format!("{}?permanent=true", path(gone));
        admin.delete(&forever).await.ok(204);
        // The version has no say in it.
        let request = admin.request(Method::GET, &path(id)).await;
        let request = request.header("if-none-match", &tag.expect("a tag"));
        assert_eq!(request.send().await.ok(200)["related"], left);
    }
    patch(&app, id, json!({"title": "夜渡"})).await.ok(200);
}

async fn what_is_related_must_be_known(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("渔场", json!({})).await;
    let one = admin.draft("一", home, json!({})).await;
    let id = admin.draft("晨渡", home, json!({})).await;
    let many: Vec<i64> = (1..=21).collect();
    let before = databases::rows(&mut app.connect());
    for (related, at, code) in [
        (json!([one, 987_654]), "/related/1", "does_not_exist"),
        (json!([one, id]), "/related/1", "conflicting"),
        (json!(many), "/related", "too_many"),
        (json!([0]), "/related/0", "does_not_exist"),
    ] {
        let answer = patch(&app, id, json!({"related": related})).await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(answer.faults(), [(at.to_owned(), code.to_owned())]);
    }
    let body = json!({"title": "夜渡", "section_id": home, "related": [one, 987_654]});
    for answer in [
        create(&app, body.clone()).await,
        put(&app, "cms-1", body).await,
    ] {
        let answer = answer.problem(422, "validation_failed");
        let fault = ("/related/1".to_owned(), "does_not_exist".to_owned());
        assert_eq!(answer.faults(), [fault]);
    }
    for related in [json!(one), json!(["1"]), json!([null])] {
        let answer = patch(&app, id, json!({"related": related})).await;
        answer.problem(400, "invalid_body");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    // What an editor must not know of isn't there, unless it was set already.
    let unseen = admin.draft("密", other, json!({})).await;
    let shown = admin.article("众", other, json!({})).await;
    let there = json!({"sections": [home]});
    app.account("e@example.com", "editor", there).await;
    let token = app.sign_in("e@example.com", SECRET).await.access;
    let set = async |related: Value| {
        let request = app.with(&token, Method::PATCH, &path(id));
        let request = request.header("if-match", "*");
        request.json(&json!({"related": related})).send().await
    };
    let answer = set(json!([shown, unseen])).await;
    let answer = answer.problem(422, "validation_failed");
    let fault = ("/related/1".to_owned(), "does_not_exist".to_owned());
    assert_eq!(answer.faults(), [fault]);
    set(json!([shown, one])).await.ok(200);
    let both = json!({"related": [unseen, one]});
    patch(&app, id, both).await.ok(200);
    let answer = set(json!([one, unseen])).await.ok(200);
    assert_eq!(answer["related"], json!([one, unseen]));
}

crate::facts![
    a_place_moves_those_behind_it_on,
    pinned_ones_stand_before_those_in_order,
    each_section_has_an_order_of_its_own,
    in_another_section_the_place_is_lost,
    what_is_in_the_trash_has_no_place,
    drafts_have_their_place_before_they_are_out,
    those_that_move_on_keep_their_version,
    a_place_is_a_number_below_1000,
    a_section_has_1000_articles_in_order_at_most,
    only_who_publishes_there_sets_the_order,
    what_is_set_as_related_comes_first,
    readers_are_told_of_what_they_see,
    a_deleted_article_is_related_to_none,
    what_is_related_must_be_known,
];
