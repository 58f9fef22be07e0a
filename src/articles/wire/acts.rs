//! What actions are sent, and what bulk actions answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parts::Term;
use crate::error::Fault;
use crate::http::fields::Member;

/// A note for the revision that an action makes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "请核对引用的数字"}))]
pub struct NoteInput {
    /// The note.
    #[schema(value_type = Option<String>, max_length = 1000)]
    #[serde(default)]
    pub note: Member<String>,
}

/// Why an article is handed back. `note` is needed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "导语太长，请压缩到三句"}))]
pub struct RejectInput {
    /// What its author is to do.
    #[schema(required, value_type = String, min_length = 1, max_length = 1000)]
    #[serde(default)]
    pub note: Member<String>,
}

/// Where an article goes in its section's manual order. `position` is needed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"position": 0}))]
pub struct ReorderInput {
    /// The place, from 0; null: none, it follows by date.
    #[schema(required, nullable, value_type = Option<i64>, minimum = 0, maximum = 999)]
    #[serde(default)]
    pub position: Member<i64>,
}

/// An action on many articles. `action` and `ids` are needed; `move` needs `section_id`, `tag` needs
/// `add_tags` or `remove_tags`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"action": "tag", "ids": [12, 13], "add_tags": ["海洋"]}))]
pub struct BulkInput {
    /// `publish`, `unpublish`, `move`, `tag` or `trash`.
    #[schema(required, value_type = String, pattern = "^(publish|unpublish|move|tag|trash)$")]
    #[serde(default)]
    pub action: Member<String>,
    /// The articles, each once.
    #[schema(required, value_type = Vec<i64>, min_items = 1, max_items = 500)]
    #[serde(default)]
    pub ids: Member<Vec<i64>>,
    /// `true`: all of them or none.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub atomic: Member<bool>,
    /// With `publish`: from when on (RFC 3339); left out: the date that each has, else now.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    pub published_at: Member<String>,
    /// With `publish`: until when (RFC 3339).
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    pub expires_at: Member<String>,
    /// With `move`: where to.
    #[schema(value_type = Option<i64>, minimum = 1)]
    #[serde(default)]
    pub section_id: Member<i64>,
    /// With `tag`: tags that they get.
    #[schema(inline, value_type = Option<Vec<Term>>, max_items = 30)]
    #[serde(default)]
    pub add_tags: Member<Vec<String>>,
    /// With `tag`: tags that they lose.
    #[schema(inline, value_type = Option<Vec<Term>>, max_items = 30)]
    #[serde(default)]
    pub remove_tags: Member<Vec<String>>,
    /// A note for the revisions that this makes.
    #[schema(value_type = Option<String>, max_length = 1000)]
    #[serde(default)]
    pub note: Member<String>,
}

/// Why an article of a bulk was left as it was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"code": "not_found", "detail": "there is no such article", "errors": []}))]
pub struct BulkError {
    /// Stable name of the kind of problem, as in problem documents.
    #[schema(max_length = 64)]
    pub code: &'static str,
    /// What is wrong, for people.
    pub detail: String,
    /// The faults one by one.
    #[schema(max_items = 1000)]
    pub errors: Vec<Fault>,
}

/// What became of one article of a bulk.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"index": 0, "id": 12, "result": "done", "status": "published", "version": 4, "error": null}))]
pub struct BulkItem {
    /// Its place in `ids`.
    #[schema(minimum = 0, maximum = 499)]
    pub index: i64,
    /// The article's id.
    pub id: i64,
    /// `done` or `failed`.
    #[schema(max_length = 20)]
    pub result: &'static str,
    /// The article's state now; null where it failed.
    #[schema(required, nullable, max_length = 20)]
    pub status: Option<&'static str>,
    /// The article's version now; null where it failed.
    #[schema(required, nullable, minimum = 1)]
    pub version: Option<i64>,
    /// Why it failed; null where it didn't.
    #[schema(required, nullable)]
    pub error: Option<BulkError>,
}

/// What became of each article of a bulk, in the order of `ids`.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkResult {
    /// One result each.
    #[schema(max_items = 500)]
    pub data: Vec<BulkItem>,
    /// How many were done.
    #[schema(minimum = 0, maximum = 500)]
    pub done: i64,
    /// How many failed.
    #[schema(minimum = 0, maximum = 500)]
    pub failed: i64,
}
