//! What differs between two states of an article.

use std::time::Duration;

use serde_json::Value;
use similar::TextDiff;

use crate::audit::{self, Change};

/// Lines that are shown around each change.
const CONTEXT: usize = 3;
/// How long the smallest difference of two texts is looked for; then a larger one serves.
const TIME: Duration = Duration::from_millis(500);

/// What differs.
#[derive(Debug, PartialEq)]
pub struct Difference {
    /// The members that differ, with their whole values.
    pub changes: Vec<Change>,
    /// What differs in the body's content, as a unified diff; `None`: nothing.
    pub body: Option<String>,
}

/// What differs from one state to the next, both as management shows them; `None`: an article with
/// nothing in it. A body whose format stays is told by its content alone.
pub fn between(before: Option<&Value>, after: &Value) -> Difference {
    let mut changes = audit::whole_between(before, Some(after));
    let nothing = Value::Null;
    let (was, is) = (
        before.map_or(&nothing, |before| &before["body"]),
        &after["body"],
    );
    if was["format"] == is["format"] {
        changes.retain(|change| change.member != "body");
    }
    let content = |body: &Value| body["content"].as_str().unwrap_or_default().to_owned();
    Difference {
        changes,
        body: unified(&content(was), &content(is)),
    }
}

/// The unified diff of two texts, without names of files; `None` where they are equal.
fn unified(before: &str, after: &str) -> Option<String> {
    if before == after {
        return None;
    }
    let diff = TextDiff::configure()
        .timeout(TIME)
        .diff_lines(before, after);
    Some(diff.unified_diff().context_radius(CONTEXT).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Instant;

    fn article(body: Value) -> Value {
        json!({"id": 1, "title": "晨渡", "version": 2, "body": body})
    }

    fn text(content: &str) -> Value {
        json!({"format": "text", "content": content})
    }

    #[test]
    fn a_body_of_the_same_format_is_told_by_its_lines() {
        let lines = |second: &str| format!("一\n{second}\n三\n四\n五\n六\n七\n");
        let was = article(text(&lines("二")));
        let told = between(Some(&was), &article(text(&lines("贰"))));
        assert_eq!(told.changes, []);
        let want = "@@ -1,5 +1,5 @@\n 一\n-二\n+贰\n 三\n 四\n 五\n";
        assert_eq!(told.body.as_deref(), Some(want));
    }

    #[test]
    fn a_body_of_another_format_is_a_member_and_told_by_its_lines() {
        let markdown = json!({"format": "markdown", "content": "灯"});
        let told = between(Some(&article(text("灯"))), &article(markdown.clone()));
        assert_eq!(told.body, None);
        assert_eq!(told.changes.len(), 1);
        assert_eq!(told.changes[0].after, markdown);
        let told = between(Some(&article(text("灯"))), &article(Value::Null));
        assert_eq!(told.changes[0].after, Value::Null);
        let want = "@@ -1 +0,0 @@\n-灯\n\\ No newline at end of file\n";
        assert_eq!(told.body.as_deref(), Some(want));
    }

    #[test]
    fn against_nothing_everything_is_new() {
        let told = between(None, &article(text("灯")));
        let members: Vec<&str> = told.changes.iter().map(|c| c.member.as_str()).collect();
        assert_eq!(members, ["body", "title"]);
        assert!(told.changes.iter().all(|c| c.before == Value::Null));
        assert!(told.body.is_some_and(|body| body.contains("+灯")));
    }

    #[test]
    fn long_texts_stay_whole() {
        let long = |end: &str| json!({"summary": "字".repeat(2000) + end});
        let told = between(Some(&long("甲")), &long("乙"));
        assert_eq!(told.changes[0].after, long("乙")["summary"]);
    }

    #[test]
    fn bodies_that_have_much_in_disorder_take_bounded_time() {
        // Each line is on both sides, in another order.
        let lines = |step: usize| -> String {
            let count = 400_009;
            (0..count)
                .map(|n| format!("{}\n", n * step % count))
                .collect()
        };
        let begun = Instant::now();
        let told = between(
            Some(&article(text(&lines(1)))),
            &article(text(&lines(7919))),
        );
        assert!(told.body.is_some());
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
    }
}
