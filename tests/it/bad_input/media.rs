//! Bodies that are too large, or of a media type or coding that is not taken.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::stage::Stage;

use super::{BAD_BODY, Desk, Route, Takes, WRONG_MEDIA};

async fn a_huge_body_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[("LANMU_MAX_BODY_BYTES", "3000")]).await;
    for route in desk.with_body() {
        let text = route.full.to_string();
        let padded = format!("{text}{}", " ".repeat(3001 - text.len()));
        let large = format!("{{\"wat\":\"{}\"}}", "x".repeat(200_000));
        for (what, body) in [("one byte too much", padded), ("200 kB", large)] {
            desk.refuses(
                format!("{route} {what}"),
                desk.send(&route, body),
                (&[413], "payload_too_large"),
            )
            .await;
        }
        let status = chunked(&desk, &route, 60_000);
        if status != 413 {
            desk.note(format!("{route} in chunks: {status}"));
        }
    }
    desk.close().await;
}

/// Status of a request whose body tells no length.
fn chunked(desk: &Desk, route: &Route, bytes: usize) -> u16 {
    let mut stream = TcpStream::connect(desk.app.address()).expect("the node listens");
    let (method, path, token) = (&route.method, &route.path, &desk.token);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         if-match: *\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    let mut request = head.into_bytes();
    for _ in 0..bytes / 1000 {
        request.extend_from_slice(chunk.as_bytes());
    }
    request.extend_from_slice(b"0\r\n\r\n");
    // The node may have answered and hung up before all of it is sent.
    let _ = stream.write_all(&request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let line = String::from_utf8_lossy(&answer);
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
    status.unwrap_or(0)
}

async fn another_media_type_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        let body = route.full.to_string();
        for media_type in [
            "text/plain",
            "application/merge-patch+json",
            "application/json-patch+json",
            "application/problem+json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/octet-stream",
            "application/jsonx",
            "application/jso",
            "text/json",
            "text/html",
            "json",
            "*/*",
            "application/*",
            ";",
            "application/json; charset=gbk",
            "application/json; charset=utf-16",
            "application/json; charset=\"iso-8859-1\"",
            "application/json;CHARSET=ascii",
        ] {
            let is_taken = match route.takes {
                Takes::Beacon => media_type == "text/plain",
                Takes::MergePatch => media_type == "application/merge-patch+json",
                _ => false,
            };
            if !is_taken {
                let request = desk.ask(&route).body(media_type, body.clone());
                desk.refuses(format!("{route} {media_type}"), request, WRONG_MEDIA)
                    .await;
            }
        }
        let bare = desk.ask(&route).bare_body(body.clone());
        desk.refuses(format!("{route} without a type"), bare, WRONG_MEDIA)
            .await;
        let raw = desk.ask(&route).bare_body(body.clone());
        let raw = raw.raw_header("content-type", b"application/json\xff");
        desk.refuses(format!("{route} with a type in bytes"), raw, WRONG_MEDIA)
            .await;
    }
    desk.close().await;
}

async fn a_coded_body_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        for coding in [
            "gzip",
            "GZIP",
            "x-gzip",
            "br",
            "deflate",
            "zstd",
            "identity, gzip",
            "wat",
        ] {
            let request = desk
                .send(&route, route.full.to_string())
                .header("content-encoding", coding);
            desk.refuses(format!("{route} in {coding}"), request, WRONG_MEDIA)
                .await;
        }
        let request = desk
            .send(&route, route.full.to_string())
            .header("content-encoding", "identity")
            .header("content-encoding", "gzip");
        desk.refuses(format!("{route} in two codings"), request, WRONG_MEDIA)
            .await;
    }
    desk.close().await;
}

async fn an_action_without_members_takes_no_others(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let mut routes = desk.routes();
    routes.retain(|route| route.takes == Takes::NoMembers);
    for route in routes {
        for body in ["{", "nonsense", " ", "{} x"] {
            let request = desk.send(&route, body);
            desk.refuses_at(
                format!("{route} {body:?}"),
                request,
                BAD_BODY,
                "",
                "malformed_json",
            )
            .await;
        }
        for body in ["[]", "null", "1", "\"x\""] {
            let request = desk.send(&route, body);
            desk.refuses_at(
                format!("{route} {body}"),
                request,
                BAD_BODY,
                "",
                "wrong_type",
            )
            .await;
        }
        let request = desk.send(&route, "{\"note\": \"x\"}");
        desk.refuses_at(&route, request, BAD_BODY, "/note", "unknown_member")
            .await;
        for request in [
            desk.ask(&route).body("text/plain", "{}"),
            desk.ask(&route).bare_body("{}"),
            desk.send(&route, "{}").header("content-encoding", "gzip"),
        ] {
            desk.refuses(&route, request, WRONG_MEDIA).await;
        }
        let large = " ".repeat(3_000_000);
        let request = desk.send(&route, large);
        desk.refuses(&route, request, (&[413], "payload_too_large"))
            .await;
    }
    desk.close().await;
}

crate::facts![
    a_huge_body_is_refused,
    another_media_type_is_refused,
    a_coded_body_is_refused,
    an_action_without_members_takes_no_others,
];
