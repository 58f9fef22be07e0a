//! Bodies that are not the JSON that is asked for.

use serde_json::json;

use crate::support::stage::Stage;

use super::{BAD_BODY, Desk, Takes, with_raw};

async fn a_body_that_is_not_json_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let bodies: [&[u8]; 22] = [
        b"{",
        b"}",
        b"nonsense",
        b" ",
        b"\n",
        b"\0",
        b"{} x",
        b"{}{}",
        b"{},",
        b"{'a': 1}",
        b"{a: 1}",
        b"{\"",
        b"{,}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"<article/>",
        b"title=x&section_id=1",
        b"NaN",
        b"Infinity",
        b"undefined",
        b"// none\n{}",
        b"{} /* */",
    ];
    for route in desk.with_body() {
        for body in bodies {
            let shown = String::from_utf8_lossy(body);
            let request = desk.send(&route, body);
            desk.refuses_at(
                format!("{route} {shown:?}"),
                request,
                BAD_BODY,
                "",
                "malformed_json",
            )
            .await;
        }
        let text = route.full.to_string();
        for cut in [1, text.len() / 2, text.len() - 1] {
            let mut end = cut;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let request = desk.send(&route, &text.as_bytes()[..end]);
            desk.refuses_at(
                format!("{route} cut at {end}"),
                request,
                BAD_BODY,
                "",
                "malformed_json",
            )
            .await;
        }
    }
    desk.close().await;
}

async fn a_body_that_is_no_object_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        let listed = json!([route.full]).to_string();
        let values: Vec<String> = route
            .full
            .as_object()
            .map(|members| json!(members.values().collect::<Vec<_>>()).to_string())
            .into_iter()
            .collect();
        let plain = ["[]", "null", "true", "\"x\"", "1", "-1.5", "[{}]"];
        let all = plain.into_iter().chain([listed.as_str()]);
        for body in all.chain(values.iter().map(String::as_str)) {
            let request = desk.send(&route, body);
            desk.refuses_at(
                format!("{route} {body:.40}"),
                request,
                BAD_BODY,
                "",
                "wrong_type",
            )
            .await;
        }
    }
    desk.close().await;
}

async fn a_body_that_is_missing_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    for route in desk.with_body() {
        if route.template == "/v1/articles/{ref}/hits" || route.takes == Takes::JsonOrNothing {
            continue;
        }
        for request in [desk.ask(&route), desk.send(&route, "")] {
            desk.refuses(
                format!("{route} without a body"),
                request,
                (&[400, 422], ""),
            )
            .await;
        }
    }
    desk.close().await;
}

async fn text_that_is_no_unicode_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let texts: [&[u8]; 16] = [
        b"\"\\ud800\"",
        b"\"\\udc00\"",
        b"\"a\\ud800b\"",
        b"\"\\ud800\\ud800\"",
        b"\"\\udfff\\ud800\"",
        b"\"\\ud83d\\u0041\"",
        b"\"\\u12\"",
        b"\"\\uZZZZ\"",
        b"\"\\x41\"",
        b"\"\xff\"",
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe6\xb8\"",
        b"\"a\nb\"",
        b"\"a\0b\"",
    ];
    for route in desk.with_body() {
        let Some(member) = route.strings().into_iter().next() else {
            continue;
        };
        for text in texts {
            let body = with_raw(&route.full, &member.pointer, text);
            let shown = text.escape_ascii();
            desk.refuses_at(
                format!("{route} {} {shown}", member.pointer),
                desk.send(&route, body),
                BAD_BODY,
                "",
                "malformed_json",
            )
            .await;
        }
        let text = route.full.to_string();
        let name = [b"{\"\xff\": 1, ".as_slice(), &text.as_bytes()[1..]];
        desk.refuses(
            format!("{route} a name that is no UTF-8"),
            desk.send(&route, name.concat()),
            BAD_BODY,
        )
        .await;
    }
    desk.close().await;
}

async fn deep_nesting_is_refused(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let lists = "[".repeat(10_000);
    let closed = format!("{lists}{}", "]".repeat(10_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for route in desk.with_body() {
        for (name, value) in [("open", &lists), ("lists", &closed), ("objects", &objects)] {
            let request = desk.send(&route, value.as_str());
            desk.refuses(format!("{route} {name}"), request, BAD_BODY)
                .await;
            for member in route.members() {
                let body = with_raw(&route.full, &member.pointer, value);
                desk.refuses(
                    format!("{route} {} {name}", member.pointer),
                    desk.send(&route, body),
                    BAD_BODY,
                )
                .await;
            }
            let unknown = format!("{{\"wat\":{value},{}", &route.full.to_string()[1..]);
            desk.refuses(
                format!("{route} /wat {name}"),
                desk.send(&route, unknown),
                BAD_BODY,
            )
            .await;
        }
        if route.template == "/v1/admin/sections/{id}" {
            for name in ["parent_id", "position"] {
                let body = format!("{{\"{name}\": {closed}}}");
                desk.refuses(format!("{route} {name}"), desk.send(&route, body), BAD_BODY)
                    .await;
            }
        }
    }
    desk.close().await;
}

crate::facts![
    a_body_that_is_not_json_is_refused,
    a_body_that_is_no_object_is_refused,
    a_body_that_is_missing_is_refused,
    text_that_is_no_unicode_is_refused,
    deep_nesting_is_refused,
];
