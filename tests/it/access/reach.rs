//! People work in their sections and below, see nothing of what readers don't see elsewhere, and
//! their reach follows the tree.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::stage::Stage;

use super::{ARTICLES, Holder, SECTIONS, Site, draft, holder, id_of, key, named, one};

async fn publish(by: &Holder, id: i64) -> Answer {
    let path = format!("{}/publish", one(id));
    by.post(&path, Value::Null).await
}

/// A list's ids in any order, read from cursor to cursor; each page's total is the whole.
async fn all(by: &Holder, path: &str, member: &str) -> HashSet<i64> {
    let whole = by.get(path).await.ok(200);
    let mut found = HashSet::new();
    let mut next = format!("{path}&limit=1&count=exact");
    loop {
        let page = by.get(&next).await.ok(200);
        assert_eq!(page["page"]["total"], whole["page"]["total"], "{path}");
        for id in page.each(member) {
            assert!(found.insert(id), "{path} shows {id} twice");
        }
        match page["page"]["next_cursor"].as_str() {
            Some(cursor) => next = format!("{path}&limit=1&count=exact&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(whole["page"]["total"], found.len(), "{path}");
    assert_eq!(
        whole.each(member).into_iter().collect::<HashSet<_>>(),
        found
    );
    found
}

async fn titles_are_changed(by: &Holder, id: i64) -> u16 {
    by.patch(&one(id), json!({"title": "夜渡"})).await.status
}

async fn an_editor_publishes_in_its_section_and_below_but_not_beside(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    for section in [site.home, site.below] {
        let id = admin.draft("晨渡", section, json!({})).await;
        publish(&editor, id).await.ok(200);
        site.app.get(&format!("/v1/articles/{id}")).await.ok(200);
        let mut body = draft("午渡", section);
        body["publish"] = json!({});
        let own = editor.post(ARTICLES, body).await.ok(201);
        assert_eq!(
            (&own["status"], &own["created_by"]),
            (&json!("published"), &json!(editor.id))
        );
    }
    for section in [site.beside, site.hidden] {
        let id = admin.draft("晨渡", section, json!({})).await;
        publish(&editor, id).await.problem(404, "not_found");
        admin.act(&format!("{}/publish", one(id))).await.ok(200);
    }
    let beside = admin.article("渔讯", site.beside, json!({})).await;
    for answer in [
        publish(&editor, beside).await,
        editor.get(&one(beside)).await,
        editor.delete(&one(beside)).await,
        editor.post(ARTICLES, draft("晨渡", site.beside)).await,
    ] {
        answer.problem(403, "forbidden");
    }
    let hidden = editor.post(ARTICLES, draft("晨渡", site.hidden)).await;
    let nothing = editor.post(ARTICLES, draft("晨渡", 987_654_321)).await;
    assert_eq!(hidden.faults(), nothing.faults());
    let fault = ("/section_id".to_owned(), "does_not_exist".to_owned());
    assert_eq!(hidden.ok(422).faults(), [fault]);
}

async fn lists_show_what_is_in_reach_and_nothing_else(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let mut inside = HashSet::new();
    for section in [site.home, site.below, site.beside, site.hidden] {
        for published in [false, true] {
            let also =
                json!({"also_in": if section == site.home { vec![] } else { vec![site.home] }});
            let id = if published {
                admin.article("晨渡", section, also).await
            } else {
                admin.draft("晨渡", section, also).await
            };
            if section == site.home || section == site.below {
                inside.insert(id);
            }
        }
    }
    for by in [
        holder(&site.app, "editor", json!([site.home])).await,
        holder(&site.app, "viewer", json!([site.home])).await,
        key(
            &site.app,
            &["content:read", "hits:read"],
            json!([site.home]),
        )
        .await,
    ] {
        for sort in ["-updated_at", "title", "published_at", "created_at"] {
            let path = format!("{ARTICLES}?sort={sort}");
            assert_eq!(all(&by, &path, "id").await, inside);
        }
        // What is beside, and shown here too, is not theirs.
        let path = format!("{ARTICLES}?section=home&sort=title");
        assert_eq!(all(&by, &path, "id").await, inside);
        let sections = HashSet::from([site.home, site.below]);
        assert_eq!(
            all(&by, &format!("{SECTIONS}?depth=0"), "id").await,
            HashSet::from([site.home])
        );
        assert_eq!(by.get(SECTIONS).await["page"]["total"], sections.len());
        for sort in ["-hits", "id"] {
            let hits = by.get(&format!("/v1/admin/hits?sort={sort}")).await.ok(200);
            assert_eq!(hits["page"]["total"], inside.len());
            let shown: HashSet<i64> = hits.each("article_id").into_iter().collect();
            assert_eq!(shown, inside);
        }
    }
}

async fn a_filter_tells_nothing_of_hidden_sections_elsewhere(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    admin.article("渔讯", site.beside, json!({})).await;
    admin.draft("内参", site.hidden, json!({})).await;
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    for (path, parameter) in [
        (ARTICLES, "section"),
        ("/v1/admin/hits", "section"),
        (SECTIONS, "parent"),
    ] {
        for reference in ["beside".to_owned(), site.beside.to_string()] {
            let answer = editor.get(&format!("{path}?{parameter}={reference}")).await;
            let answer = answer.ok(200);
            assert_eq!(
                (&answer["data"], &answer["page"]["total"]),
                (&json!([]), &json!(0))
            );
        }
        let ask = async |reference: &str| {
            let answer = editor.get(&format!("{path}?{parameter}={reference}")).await;
            let answer = answer.problem(400, "invalid_request");
            (answer.faults(), answer["errors"][0]["detail"].clone())
        };
        let nothing = ask("987654321").await;
        assert_eq!(nothing.0[0].1, "does_not_exist");
        assert_eq!(ask("hidden").await, nothing);
        assert_eq!(ask(&site.hidden.to_string()).await, nothing);
    }
}

async fn an_article_moves_within_reach_only(stage: Stage) {
    let site = Site::new(&stage).await;
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    let id = editor.draft("晨渡", site.home).await;
    let path = one(id);
    editor
        .patch(&path, json!({"section_id": site.below}))
        .await
        .ok(200);
    for (change, pointer) in [("section_id", "/section_id"), ("also_in", "/also_in/0")] {
        let to = |section: i64| match change {
            "also_in" => json!({"also_in": [section]}),
            _ => json!({"section_id": section}),
        };
        let beside = editor.patch(&path, to(site.beside)).await;
        beside.problem(403, "forbidden");
        let hidden = editor.patch(&path, to(site.hidden)).await.ok(422);
        let nothing = editor.patch(&path, to(987_654_321)).await.ok(422);
        let fault = (pointer.to_owned(), "does_not_exist".to_owned());
        assert_eq!(hidden.faults(), [fault]);
        assert_eq!(hidden.faults(), nothing.faults());
    }
    let article = editor.get(&path).await.ok(200);
    assert_eq!(
        (&article["section_id"], &article["also_in"]),
        (&json!(site.below), &json!([]))
    );
    editor
        .patch(&path, json!({"also_in": [site.home]}))
        .await
        .ok(200);
}

async fn what_an_admin_also_put_elsewhere_stays_there(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let elsewhere = json!([site.beside, site.hidden]);
    let also = json!({"also_in": elsewhere});
    let id = admin.article("晨渡", site.home, also).await;
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    let changed = editor
        .patch(&one(id), json!({"title": "夜渡"}))
        .await
        .ok(200);
    assert_eq!(changed["also_in"], elsewhere);
    // It may take it out, and then not put it back.
    let taken = json!({"also_in": []});
    editor.patch(&one(id), taken).await.ok(200);
    let back = json!({"also_in": [site.beside]});
    editor.patch(&one(id), back).await.problem(403, "forbidden");
}

async fn also_standing_in_a_section_is_no_part_in_the_article(stage: Stage) {
    let site = Site::new(&stage).await;
    let also = json!({"also_in": [site.home]});
    let admin = site.app.admin();
    let public = admin.article("渔讯", site.beside, also.clone()).await;
    let secret = admin.draft("内参", site.hidden, also).await;
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    assert_eq!(titles_are_changed(&editor, public).await, 403);
    assert_eq!(titles_are_changed(&editor, secret).await, 404);
    let taken = editor
        .patch(&one(public), json!({"section_id": site.home}))
        .await;
    taken.problem(403, "forbidden");
}

async fn reach_follows_a_section_that_moves(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let id = admin.draft("晨渡", site.below, json!({})).await;
    let of_home = named(&site.app, "home", "editor", json!([site.home])).await;
    let of_beside = named(&site.app, "beside", "editor", json!([site.beside])).await;
    let of_below = named(&site.app, "below", "editor", json!([site.below])).await;
    let may = async || {
        let mut statuses = Vec::new();
        for editor in [&of_home, &of_beside, &of_below] {
            statuses.push(editor.get(&one(id)).await.status);
        }
        statuses
    };
    assert_eq!(may().await, [200, 404, 200]);
    let path = format!("{SECTIONS}/{}/move", site.below);
    admin
        .post(&path, json!({"parent_id": site.beside}))
        .await
        .ok(200);
    assert_eq!(may().await, [404, 200, 200]);
    publish(&of_beside, id).await.ok(200);
    assert_eq!(may().await, [403, 200, 200]);
}

async fn reach_follows_what_a_deleted_section_held(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let own = admin.draft("晨渡", site.home, json!({})).await;
    let lower = admin.draft("晚渡", site.below, json!({})).await;
    let of_home = named(&site.app, "home", "editor", json!([site.home])).await;
    let of_beside = named(&site.app, "beside", "editor", json!([site.beside])).await;
    let of_below = named(&site.app, "below", "editor", json!([site.below])).await;
    let path = format!("{SECTIONS}/{}?move_to={}", site.home, site.beside);
    admin.delete(&path).await.ok(204);
    for (editor, reached) in [
        (&of_home, vec![]),
        (&of_beside, vec![own, lower]),
        (&of_below, vec![lower]),
    ] {
        let found = all(editor, &format!("{ARTICLES}?sort=title"), "id").await;
        assert_eq!(found, reached.iter().copied().collect());
        for id in [own, lower] {
            let status = if reached.contains(&id) { 200 } else { 404 };
            editor.get(&one(id)).await.ok(status);
        }
    }
}

async fn whose_only_section_is_gone_reaches_nothing(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let doomed = admin.section("临时", json!({})).await;
    let public = admin.article("晨渡", site.home, json!({})).await;
    let secret = admin.draft("内参", site.home, json!({})).await;
    let scopes = [
        "content:read",
        "content:write",
        "content:publish",
        "hits:read",
    ];
    let holders = [
        key(&site.app, &scopes, json!([doomed])).await,
        named(&site.app, "viewer", "viewer", json!([doomed])).await,
        named(&site.app, "editor", "editor", json!([doomed])).await,
        named(&site.app, "empty-viewer", "viewer", json!([])).await,
        named(&site.app, "idle-editor", "editor", Value::Null).await,
        named(&site.app, "idle-author", "author", Value::Null).await,
        key(&site.app, &scopes, json!([])).await,
    ];
    admin.delete(&format!("{SECTIONS}/{doomed}")).await.ok(204);
    let next = admin.section("新港", json!({})).await;
    assert_ne!(next, doomed);
    for by in &holders {
        for path in [ARTICLES, SECTIONS, "/v1/admin/hits"] {
            let list = by.get(path).await.ok(200);
            assert_eq!(
                (&list["data"], &list["page"]["total"]),
                (&json!([]), &json!(0)),
                "{path}"
            );
        }
        by.get(&one(public)).await.problem(403, "forbidden");
        by.get(&one(secret)).await.problem(404, "not_found");
        let section = format!("{SECTIONS}/{}", site.home);
        by.get(&section).await.problem(403, "forbidden");
    }
    let made = holders[0].post(ARTICLES, draft("晨渡", site.home)).await;
    made.problem(403, "forbidden");
    let made = holders[0].post(ARTICLES, draft("晨渡", doomed)).await;
    made.ok(422);
}

async fn a_viewer_may_be_bound_to_sections(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let mut drafts = Vec::new();
    for section in [site.home, site.below, site.beside, site.hidden] {
        drafts.push(admin.draft("晨渡", section, json!({})).await);
    }
    let bound = named(&site.app, "bound", "viewer", json!([site.home])).await;
    let free = named(&site.app, "free", "viewer", Value::Null).await;
    for (index, id) in drafts.iter().enumerate() {
        free.get(&one(*id)).await.ok(200);
        let status = if index < 2 { 200 } else { 404 };
        bound.get(&one(*id)).await.ok(status);
        bound.get(&format!("{}/hits", one(*id))).await.ok(status);
        for viewer in [&bound, &free] {
            assert_eq!(titles_are_changed(viewer, *id).await, 403);
        }
    }
    assert_eq!(id_of(&free.get("/v1/auth/me").await), free.id);
}

crate::facts![
    an_editor_publishes_in_its_section_and_below_but_not_beside,
    lists_show_what_is_in_reach_and_nothing_else,
    a_filter_tells_nothing_of_hidden_sections_elsewhere,
    an_article_moves_within_reach_only,
    what_an_admin_also_put_elsewhere_stays_there,
    also_standing_in_a_section_is_no_part_in_the_article,
    reach_follows_a_section_that_moves,
    reach_follows_what_a_deleted_section_held,
    whose_only_section_is_gone_reaches_nothing,
    a_viewer_may_be_bound_to_sections,
];
