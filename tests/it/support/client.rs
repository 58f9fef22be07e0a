//! Requests and answers. Every answer is held against the OpenAPI document and against what all
//! answers share.

use std::ops::Index;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::{contract, secrets};

/// A request on its way.
pub struct Request {
    builder: RequestBuilder,
    method: Method,
    path: String,
    fails: bool,
}

impl Request {
    /// A request that this builder sends.
    pub fn new(builder: RequestBuilder, method: Method, path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        Self {
            builder,
            method,
            path,
            fails: false,
        }
    }

    /// With this header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// With this header, which need not be UTF-8.
    pub fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// With this JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// With this body of this media type.
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.builder = self
            .builder
            .header("content-type", media_type)
            .body(body.into());
        self
    }

    /// With these bytes and no media type.
    pub fn bare_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.builder = self.builder.body(body.into());
        self
    }

    /// A fault of the service (5xx) is what this request is for.
    pub fn expecting_failure(mut self) -> Self {
        self.fails = true;
        self
    }

    /// Sends it and checks what every answer must be.
    pub async fn send(self) -> Answer {
        let (client, request) = self.builder.build_split();
        let request = request.expect("a request");
        let carried = secrets::of_request(&request);
        let response = client.execute(request).await.expect("an answer");
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let body = response.bytes().await.expect("the whole body").to_vec();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let answer = Answer {
            status,
            headers,
            body,
            json,
        };
        assert!(
            status < 500 || self.fails,
            "{} {} failed: {answer}",
            self.method,
            self.path
        );
        secrets::of_answer(&self.method, &self.path, &answer);
        secrets::check_error(&carried, &answer);
        answer.check_frame();
        contract::check(&self.method, &self.path, &answer);
        answer
    }
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub json: Value,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Answer {
    /// The answer, which must have this status.
    #[track_caller]
    pub fn ok(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The answer, which must be a problem of this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, &self["code"]),
            (status, &Value::from(code)),
            "{self}"
        );
        self
    }

    /// The faults of a problem: each its pointer or parameter, and its code.
    pub fn faults(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let faults = self["errors"].as_array().into_iter().flatten();
        faults
            .map(|fault| {
                let place = text(&fault["pointer"]).or(text(&fault["parameter"]));
                (
                    place.unwrap_or_default(),
                    text(&fault["code"]).unwrap_or_default(),
                )
            })
            .collect()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// The resource that the answer has, without what publishing tells beside it.
    pub fn resource(&self) -> Value {
        let mut resource = self.json.clone();
        if let Some(members) = resource.as_object_mut() {
            members.remove("warnings");
        }
        resource
    }

    /// The ids of a list's items.
    pub fn ids(&self) -> Vec<i64> {
        self.each("id")
    }

    /// A number of each of a list's items.
    pub fn each(&self, member: &str) -> Vec<i64> {
        let items = self["data"].as_array().expect("a list");
        items
            .iter()
            .map(|item| item[member].as_i64().expect("a number"))
            .collect()
    }

    /// For how many seconds caches may go on serving the answer, by `Cache-Control`.
    pub fn freshness(&self) -> i64 {
        let text = self.header("cache-control").expect("Cache-Control");
        let seconds = |name: &str| -> i64 {
            text.split(", ")
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .map_or(0, |number| number.parse().expect("a number"))
        };
        seconds("max-age").max(seconds("s-maxage")) + seconds("stale-while-revalidate")
    }

    /// The targets of `Link`, by relation.
    pub fn link(&self, relation: &str) -> Option<String> {
        let value = self.header("link")?;
        value.split(", <").find_map(|part| {
            let (target, rest) = part.trim_start_matches('<').split_once('>')?;
            rest.contains(&format!("rel=\"{relation}\""))
                .then(|| target.to_owned())
        })
    }

    #[track_caller]
    fn check_frame(&self) {
        assert!(
            self.header("x-request-id").is_some_and(|id| !id.is_empty()),
            "{self}"
        );
        assert_eq!(
            self.header("x-content-type-options"),
            Some("nosniff"),
            "{self}"
        );
        assert!(self.header("content-security-policy").is_some(), "{self}");
        if self.status < 400 || self.body.is_empty() {
            return;
        }
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self}"
        );
        assert_eq!(self["status"], self.status, "{self}");
        let code = self["code"].as_str().expect("a code");
        assert!(
            self["type"]
                .as_str()
                .is_some_and(|kind| kind.ends_with(code)),
            "{self}"
        );
        assert_eq!(
            self["request_id"].as_str(),
            self.header("x-request-id"),
            "{self}"
        );
        for sign in [
            "SELECT", "INSERT", "UPDATE ", "src/", "diesel", "sqlite", "postgres",
        ] {
            assert!(
                !self.text().contains(sign),
                "a cause reaches the client: {self}"
            );
        }
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, member: &str) -> &Value {
        &self.json[member]
    }
}
