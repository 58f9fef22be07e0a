//! What changed: member by member, before and after, long texts cut.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest text that is kept whole, in characters.
const MAX_TEXT: usize = 1000;
/// How much is kept of a longer one.
const KEPT_TEXT: usize = 200;

/// Members that change with every write, or that never do.
const SELF_EVIDENT: &[&str] = &["id", "created_at", "updated_at", "version"];

/// One member's change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The member's name.
    pub member: String,
    /// Its value before; null where there was none.
    pub before: Value,
    /// Its value after; null where there is none.
    pub after: Value,
}

impl Change {
    /// A member's change.
    pub fn new(member: &str, before: impl Into<Value>, after: impl Into<Value>) -> Self {
        Self {
            member: member.to_owned(),
            before: shorten(before.into()),
            after: shorten(after.into()),
        }
    }
}

/// The changes from one state of a resource to the next, both as management shows them; `None`
/// where it isn't there.
pub fn between<T: Serialize>(before: Option<&T>, after: Option<&T>) -> Vec<Change> {
    let changes = whole_between(before, after).into_iter();
    changes
        .map(|change| Change::new(&change.member, change.before, change.after))
        .collect()
}

/// The same with long texts left whole.
pub fn whole_between<T: Serialize>(before: Option<&T>, after: Option<&T>) -> Vec<Change> {
    // What is not an object has no members: nothing is told rather than something wrong.
    let members = |value: Option<&T>| value.and_then(|value| serde_json::to_value(value).ok());
    let (before, after) = (members(before), members(after));
    let names = [&before, &after]
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|object| object.keys());
    let mut changes: Vec<Change> = Vec::new();
    for name in names {
        let of = |value: &Option<Value>| {
            let found = value.as_ref().and_then(|value| value.get(name));
            found.cloned().unwrap_or(Value::Null)
        };
        let (before, after) = (of(&before), of(&after));
        let is_known = changes.iter().any(|change| change.member == *name);
        if before != after && !is_known && !SELF_EVIDENT.contains(&name.as_str()) {
            changes.push(Change {
                member: name.clone(),
                before,
                after,
            });
        }
    }
    changes
}

/// Cuts long texts; what is cut off is told by its length and its SHA-256.
fn shorten(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(shortened(text)),
        Value::Array(items) => items.into_iter().map(shorten).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, shorten(value)))
            .collect(),
        other => other,
    }
}

fn shortened(text: String) -> String {
    let length = text.chars().count();
    if length <= MAX_TEXT {
        return text;
    }
    let kept: String = text.chars().take(KEPT_TEXT).collect();
    let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
    format!("{kept}… ({length} characters, SHA-256 {hash})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_changed_is_told() {
        let before = json!({"id": 1, "title": "a", "tags": ["x"], "version": 1, "gone": 2});
        let after = json!({"id": 1, "title": "b", "tags": ["x"], "version": 2, "new": null});
        let told = between(Some(&before), Some(&after));
        assert_eq!(
            told,
            [
                Change::new("gone", 2, Value::Null),
                Change::new("title", "a", "b")
            ]
        );
        assert_eq!(between(None, Some(&json!({"id": 1}))), []);
    }

    #[test]
    fn a_change_deep_in_a_long_text_still_shows() {
        let text = |end: &str| json!({"body": {"content": "字".repeat(5000) + end}});
        let told = between(Some(&text("a")), Some(&text("b")));
        assert_eq!(told.len(), 1);
        assert_ne!(told[0].before, told[0].after);
        assert!(told[0].before.to_string().chars().count() < 400);
        assert!(told[0].before.to_string().contains("5001 characters"));
    }
}
