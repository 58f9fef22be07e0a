//! A body that takes its time: whose access has ended when it is whole writes nothing.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::databases;
use crate::support::stage::Stage;

use super::{ARTICLES, KEYS, Site, USERS, draft, holder, one};

/// A request whose head and first bytes are sent.
struct Slow {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Slow {
    fn begin(site: &Site, token: &str, path: &str, body: &Value) -> Self {
        let mut stream = TcpStream::connect(site.app.address()).expect("it listens");
        let body = body.to_string().into_bytes();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("it is sent");
        stream.write_all(&body[..1]).expect("it is sent");
        Self {
            stream,
            rest: body[1..].to_vec(),
        }
    }

    /// Sends the rest, and the status of the answer.
    fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).expect("it is sent");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

/// The status of a slow write, with something done while its body is on the way.
async fn slowly(
    site: &Site,
    token: &str,
    path: &str,
    body: Value,
    end: impl AsyncFnOnce(),
) -> String {
    let slow = Slow::begin(site, token, path, &body);
    // Its head has been looked at once this is answered: one worker reads in order of arrival.
    site.app.get("/v1/site").await.ok(200);
    end().await;
    actix_web::rt::task::spawn_blocking(move || slow.finish())
        .await
        .expect("it does not panic")
}

async fn whose_access_has_ended_meanwhile_writes_nothing(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    let other =
        json!({"email": "late@example.com", "role": "admin", "password": "a lantern at sea"});
    let path = format!("{USERS}/{}", editor.id);
    let articles = || databases::rows(&mut site.app.connect()).swap_remove(7);
    let (table, before) = articles();
    assert_eq!(table, "articles");

    let sent = draft("晨渡", site.home);
    let status = slowly(&site, &editor.token, ARTICLES, sent.clone(), async || {
        admin.patch(&path, json!({"role": "viewer"})).await.ok(200);
    });
    assert_eq!(status.await, "403");
    admin.patch(&path, json!({"role": "editor"})).await.ok(200);
    let status = slowly(&site, &editor.token, ARTICLES, sent.clone(), async || {
        admin.patch(&path, json!({"disabled": true})).await.ok(200);
    });
    assert_eq!(status.await, "401");

    let body = json!({"name": "灯塔", "scopes": ["content:write"]});
    let key = admin.post(KEYS, body).await.ok(201);
    let secret = key["key"].as_str().expect("a key");
    let status = slowly(&site, secret, ARTICLES, sent, async || {
        let path = format!("{KEYS}/{}", key["id"]);
        admin.delete(&path).await.ok(204);
    });
    assert_eq!(status.await, "401");
    assert_eq!(articles().1, before);

    let token = site.app.token().await;
    let status = slowly(&site, &token, USERS, other, async || {
        admin.delete("/v1/auth/sessions").await.ok(204);
    });
    assert_eq!(status.await, "401");
    site.app.forget_token();
    let late = format!("{USERS}?email=late@example.com");
    assert_eq!(admin.get(&late).await["page"]["total"], 0);
}

async fn who_still_has_access_writes_however_slowly(stage: Stage) {
    let site = Site::new(&stage).await;
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    let sent = draft("晨渡", site.home);
    let status = slowly(&site, &editor.token, ARTICLES, sent, async || {});
    assert_eq!(status.await, "201");
    let found = site.app.admin().get(ARTICLES).await.ok(200);
    site.app.admin().get(&one(found.ids()[0])).await.ok(200);
}

crate::facts![
    whose_access_has_ended_meanwhile_writes_nothing,
    who_still_has_access_writes_however_slowly,
];
