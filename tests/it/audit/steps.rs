//! Every management write once, and the entries that it leaves.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{PASSWORD, merged};

const S: &str = "/v1/admin/sections";
const A: &str = "/v1/admin/articles";

/// What is done to whom, by the admin: method, path, body, status, and the entries that it leaves.
pub type Step = (Method, &'static str, Value, u16, &'static [&'static str]);

/// Content: sections 1 to 3, articles 1 to 3. Each step stands on those before.
pub fn content_steps() -> Vec<Step> {
    let body = json!({"format": "text", "content": "码头的灯亮了。"});
    let (post, patch, put, delete) = (Method::POST, Method::PATCH, Method::PUT, Method::DELETE);
    let section = |name: &str| json!({"name": name});
    let draft = json!({"title": "晨渡", "section_id": 1, "body": body});
    let public = json!({"title": "夜渡", "section_id": 3, "body": body, "publish": {}});
    let pushed = json!({"title": "推送", "section_id": 1, "body": body, "publish": {}});
    let again = json!({"title": "再推", "section_id": 1, "body": body});
    let pushed_again = merged(again.clone(), json!({"title": "三推", "publish": {}}));
    let dated = json!({"published_at": "2026-01-01T00:00:00Z"});
    let baseline = json!({"baseline": 500, "reason": "旧系统"});
    vec![
        (
            post.clone(),
            S,
            section("港口"),
            201,
            &["section.created section 1"],
        ),
        (
            post.clone(),
            S,
            section("山野"),
            201,
            &["section.created section 2"],
        ),
        (
            post.clone(),
            S,
            section("旧闻"),
            201,
            &["section.created section 3"],
        ),
        (
            patch.clone(),
            "/v1/admin/sections/2",
            section("林野"),
            200,
            &["section.updated section 2"],
        ),
        (
            post.clone(),
            "/v1/admin/sections/2/move",
            json!({"parent_id": 1}),
            200,
            &["section.moved section 2"],
        ),
        (post.clone(), A, draft, 201, &["article.created article 1"]),
        (
            post.clone(),
            A,
            public,
            201,
            &["article.created article 2", "article.published article 2"],
        ),
        (
            patch.clone(),
            "/v1/admin/articles/1",
            json!({"title": "晨"}),
            200,
            &["article.updated article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/check",
            Value::Null,
            200,
            &[],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/revisions/1/restore",
            Value::Null,
            200,
            &["article.revision_restored article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/preview",
            Value::Null,
            201,
            &["article.preview_made article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/submit",
            Value::Null,
            200,
            &["article.submitted article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/reject",
            json!({"note": "再改"}),
            200,
            &["article.rejected article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/publish",
            json!({"published_at": "2026-06-01T00:00:00Z"}),
            200,
            &["article.scheduled article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/publish",
            json!({"published_at": "2026-01-31T04:00:00Z"}),
            200,
            &[
                "article.published article 1",
                "article.published_at_changed article 1",
            ],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/reorder",
            json!({"position": 0}),
            200,
            &["article.reordered article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/bulk",
            json!({"action": "tag", "ids": [1, 2], "add_tags": ["海"]}),
            200,
            &["article.updated article 1", "article.updated article 2"],
        ),
        (
            patch.clone(),
            "/v1/admin/articles/1",
            dated,
            200,
            &["article.published_at_changed article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/unpublish",
            Value::Null,
            200,
            &["article.unpublished article 1"],
        ),
        (
            delete.clone(),
            "/v1/admin/articles/1",
            Value::Null,
            204,
            &["article.trashed article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/restore",
            Value::Null,
            200,
            &["article.restored article 1"],
        ),
        (
            put.clone(),
            "/v1/admin/external-articles/x-1",
            pushed,
            201,
            &["article.created article 3", "article.published article 3"],
        ),
        (
            put.clone(),
            "/v1/admin/external-articles/x-1",
            again,
            200,
            &["article.updated article 3"],
        ),
        (
            put.clone(),
            "/v1/admin/external-articles/x-1",
            pushed_again,
            200,
            &["article.updated article 3", "article.published article 3"],
        ),
        (
            put.clone(),
            "/v1/admin/articles/1/hits",
            baseline,
            200,
            &["hits.baseline_set article 1"],
        ),
        (
            post.clone(),
            "/v1/admin/articles/1/hits/adjust",
            json!({"delta": -20, "reason": "误计"}),
            200,
            &["hits.adjusted article 1"],
        ),
        (
            put,
            "/v1/admin/hits/baselines",
            json!({"reason": "旧系统", "items": [
                {"id": 1, "baseline": 600}, {"external_id": "x-1", "baseline": 9},
                {"id": 987, "baseline": 9},
            ]}),
            200,
            &["hits.baseline_set article 1", "hits.baseline_set article 3"],
        ),
        (
            post.clone(),
            "/v1/admin/hits",
            json!({"hits": [{"article_id": 3, "hit_id": "a"}]}),
            200,
            &[],
        ),
        (
            post,
            "/v1/admin/articles/1/hits/reset",
            json!({"reason": "误计"}),
            200,
            &["hits.reset article 1"],
        ),
        (
            delete.clone(),
            "/v1/admin/articles/1/hits",
            Value::Null,
            204,
            &["hits.reset article 1"],
        ),
        (
            delete.clone(),
            "/v1/admin/articles/1",
            Value::Null,
            204,
            &["article.trashed article 1"],
        ),
        (
            delete.clone(),
            "/v1/admin/articles/1?permanent=true",
            Value::Null,
            204,
            &["article.deleted article 1"],
        ),
        (
            delete.clone(),
            "/v1/admin/sections/3?move_to=1",
            Value::Null,
            204,
            &["section.deleted section 3"],
        ),
        (
            delete,
            "/v1/admin/sections/2",
            Value::Null,
            204,
            &["section.deleted section 2"],
        ),
    ]
}

/// Access: accounts from 2 on, keys, and last of all the admin's own session 1.
pub fn access_steps() -> Vec<Step> {
    let (post, patch, delete) = (Method::POST, Method::PATCH, Method::DELETE);
    let user =
        json!({"email": "a@example.com", "role": "editor", "password": "another horse battery"});
    let key = json!({"name": "推送", "scopes": ["content:read"]});
    let change = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    let wrong = json!({"current_password": "wrong horse", "new_password": PASSWORD});
    vec![
        (
            post.clone(),
            "/v1/admin/users",
            user,
            201,
            &["user.created user 2"],
        ),
        (
            patch.clone(),
            "/v1/admin/users/2",
            json!({"role": "viewer"}),
            200,
            &["user.updated user 2"],
        ),
        (
            post.clone(),
            "/v1/admin/users/2/password-reset",
            Value::Null,
            201,
            &["user.password_reset_made user 2"],
        ),
        (
            delete.clone(),
            "/v1/admin/users/2/sessions",
            Value::Null,
            204,
            &["user.sessions_revoked user 2"],
        ),
        (
            delete.clone(),
            "/v1/admin/users/2",
            Value::Null,
            204,
            &["user.deleted user 2"],
        ),
        (
            post.clone(),
            "/v1/admin/api-keys",
            key,
            201,
            &["api_key.created api_key 1"],
        ),
        (
            patch,
            "/v1/admin/api-keys/1",
            json!({"name": "内网"}),
            200,
            &["api_key.updated api_key 1"],
        ),
        (
            post.clone(),
            "/v1/admin/api-keys/1/rotate",
            Value::Null,
            200,
            &["api_key.rotated api_key 1"],
        ),
        (
            delete.clone(),
            "/v1/admin/api-keys/1",
            Value::Null,
            204,
            &["api_key.revoked api_key 1"],
        ),
        (
            post.clone(),
            "/v1/auth/password",
            wrong,
            422,
            &["auth.sign_in_failed user 1"],
        ),
        (
            post.clone(),
            "/v1/auth/password",
            change,
            200,
            &["user.password_changed user 1"],
        ),
        (
            delete.clone(),
            "/v1/auth/sessions",
            Value::Null,
            204,
            &["auth.signed_out_everywhere user 1"],
        ),
        (
            post,
            "/v1/auth/logout",
            Value::Null,
            204,
            &["auth.signed_out session"],
        ),
        (
            delete,
            "/v1/auth/sessions/{own}",
            Value::Null,
            204,
            &["auth.session_revoked session"],
        ),
    ]
}
