//! Accounts and API keys besides the admin's, and what the audit log says of their requests.

use reqwest::Method;
use serde_json::{Value, json};

use super::app::{TestApp, merged};
use super::client::{Answer, Request};

/// The password of every account but the admin's.
pub const SECRET: &str = "another horse battery";
/// Where accounts are managed.
pub const USERS: &str = "/v1/admin/users";
/// Where API keys are managed.
pub const KEYS: &str = "/v1/admin/api-keys";
/// Where the audit log is read.
pub const AUDIT: &str = "/v1/admin/audit";

/// The tokens of a session.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    /// The tokens of an answer.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        let text = |member: &str| answer[member].as_str().expect("a token").to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }
}

impl TestApp {
    /// A request with this access token or API key.
    pub fn with(&self, token: &str, method: Method, path: &str) -> Request {
        self.request(method, path)
            .header("authorization", &format!("Bearer {token}"))
    }

    /// `GET` with this access token or API key.
    pub async fn get_with(&self, token: &str, path: &str) -> Answer {
        self.with(token, Method::GET, path).send().await
    }

    /// Tries to sign in.
    pub async fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        self.post("/v1/auth/login", body).await
    }

    /// Signs in.
    pub async fn sign_in(&self, email: &str, password: &str) -> Tokens {
        Tokens::of(&self.login(email, password).await.ok(200))
    }

    /// Uses a refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        let body = json!({"refresh_token": token});
        self.post("/v1/auth/refresh", body).await
    }

    /// Sets a password with a one-time token.
    pub async fn reset(&self, token: &str, password: &str) -> Answer {
        let body = json!({"token": token, "password": password});
        self.post("/v1/auth/reset", body).await
    }

    /// An account of this role with the usual password and these members besides; its id.
    pub async fn account(&self, email: &str, role: &str, more: Value) -> i64 {
        let body = json!({"email": email, "role": role, "password": SECRET});
        let made = self.admin().post(USERS, merged(body, more)).await.ok(201);
        made["id"].as_i64().expect("an id")
    }

    /// An API key with these scopes and these members besides: its id and the key.
    pub async fn api_key(&self, scopes: &[&str], more: Value) -> (i64, String) {
        let body = merged(json!({"name": "推送", "scopes": scopes}), more);
        let made = self.admin().post(KEYS, body).await.ok(201);
        let key = made["key"].as_str().expect("a key").to_owned();
        (made["id"].as_i64().expect("an id"), key)
    }

    /// The tokens are worth nothing.
    pub async fn assert_dead(&self, tokens: &Tokens) {
        self.get_with(&tokens.access, "/v1/auth/me")
            .await
            .problem(401, "unauthorized");
        self.refresh(&tokens.refresh)
            .await
            .problem(401, "invalid_refresh_token");
    }

    /// What the audit log holds of the request with this id, the newest first.
    pub async fn told(&self, request_id: &str) -> Vec<Value> {
        let path = format!("{AUDIT}?limit=100&request_id={request_id}");
        self.entries(&path).await
    }

    /// The entries of this page of the audit log.
    pub async fn entries(&self, path: &str) -> Vec<Value> {
        let found = self.admin().get(path).await.ok(200);
        found["data"].as_array().expect("a list").clone()
    }
}
