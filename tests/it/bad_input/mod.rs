//! Every kind of bad input against every write route: a clear error, nothing written.
//!
//! What bodies are made of is read from the document, so that a new member is tried by itself.

mod around;
mod assignment;
mod desk;
mod edges;
mod form;
mod media;
mod members;
mod reads;
mod routes;
mod tables;

use serde_json::{Value, json};

use crate::support::stage::Fact;

use desk::Desk;
use routes::{Member, Route, Takes};

/// The statuses that an answer may have, and its code where that is said.
type Expected<'a> = (&'a [u16], &'a str);

const BAD_BODY: Expected<'_> = (&[400], "invalid_body");
const BAD_REQUEST: Expected<'_> = (&[400], "invalid_request");
const INVALID: Expected<'_> = (&[422], "validation_failed");
const WRONG_CREDENTIALS: Expected<'_> = (&[401, 422], "");
const MISSING: Expected<'_> = (&[404], "not_found");
const WRONG_MEDIA: Expected<'_> = (&[415], "unsupported_media_type");

const SLOT: &str = "@@slot@@";

/// The body as text with these bytes in place of the value at a pointer.
fn with_raw(full: &Value, pointer: &str, raw: impl AsRef<[u8]>) -> Vec<u8> {
    let mut body = full.clone();
    *body.pointer_mut(pointer).expect("the table has it") = json!(SLOT);
    let text = body.to_string();
    let (before, after) = text
        .split_once(&format!("\"{SLOT}\""))
        .expect("the slot is there");
    [before.as_bytes(), raw.as_ref(), after.as_bytes()].concat()
}

fn without(full: &Value, pointer: &str) -> Value {
    let mut body = full.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a member");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("an object").remove(name);
    body
}

/// What no id and no slug is, as it stands in a path.
const NO_REFERENCE: &[&str] = &[
    "0",
    "00",
    "-1",
    "+1",
    "%2B1",
    "1.0",
    "1e0",
    "0x1",
    "1%20",
    "%201",
    "%20",
    "%09",
    "1,2",
    "1;2",
    "99999999999999999999",
    "9223372036854775808",
    "9223372036854775807",
    "%EF%BC%91",
    "%D9%A1",
    "%00",
    "1%00",
    "%ff",
    "%c0%af",
    "%ed%a0%80",
    "%",
    "%zz",
    "%2",
    "1%2F2",
    "..%2F1",
    "a%2Fb",
    "A",
    "a_b",
    "a.b",
    "%E6%B8%AF",
    "<script>",
    "'",
    "%22",
    "{id}",
    "*",
    "null",
    "undefined",
];

/// The facts of this module.
pub fn facts() -> Vec<Fact> {
    [
        tables::facts(),
        form::facts(),
        members::facts(),
        media::facts(),
        around::facts(),
        assignment::facts(),
        edges::facts(),
        reads::facts(),
    ]
    .concat()
}
