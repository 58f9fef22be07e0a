//! What a revision brings back: members that are put in as if somebody had sent them.

use diesel::QueryResult;
use serde_json::Value;

use crate::articles::store::{Stored, Writer, known_articles};
use crate::articles::wire::ArticlePatch;
use crate::db::Conn;
use crate::error::{ApiError, ApiResult};
use crate::http::fields::Member;

/// The members that come back. All others stay as they are now: links that lead to the article stay
/// good, and nothing is published or taken back by it.
const RESTORED: &[&str] = &[
    "section_id",
    "also_in",
    "related",
    "title",
    "subtitle",
    "short_title",
    "summary",
    "source",
    "author",
    "editor",
    "keywords",
    "tags",
    "cover",
    "lang",
    "external_url",
    "canonical_url",
    "attachments",
    "seo",
    "legacy_urls",
    "featured",
    "pinned_until",
    "body",
];

/// The change that brings the members of a revision back.
pub fn patch(content: Value) -> ApiResult<ArticlePatch> {
    let members = match content {
        Value::Object(members) => members,
        _ => return Err(ApiError::Internal("a revision is no object".to_owned())),
    };
    let restored = members
        .into_iter()
        .filter(|(name, _)| RESTORED.contains(&name.as_str()))
        .collect();
    serde_json::from_value(Value::Object(restored)).map_err(|e| ApiError::Internal(e.to_string()))
}

/// Leaves out what is not there any more, or is nothing that the writer may know of: a section that is
/// gone leaves the article where it is now.
pub fn leave_out_what_is_gone(
    conn: &mut Conn,
    patch: &mut ArticlePatch,
    was: &Stored,
    writer: &Writer,
) -> QueryResult<()> {
    let tree = &writer.act.tree;
    let mut home = was.row.section_id;
    match patch.section_id {
        Member::Given(id) if tree.get(id).is_some() => home = id,
        _ => patch.section_id = Member::Absent,
    }
    if let Member::Given(ids) = &mut patch.also_in {
        ids.retain(|id| tree.get(*id).is_some() && *id != home);
    }
    if let Member::Given(ids) = &mut patch.related {
        let known = known_articles(conn, ids, writer)?;
        ids.retain(|id| known.contains(id) || was.related.contains(id));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use utoipa::PartialSchema;

    #[test]
    fn each_editable_member_comes_back_or_is_known_to_stay() {
        let schema = serde_json::to_value(ArticlePatch::schema()).expect("JSON");
        let members = schema["properties"].as_object().expect("members");
        let editable: BTreeSet<&str> = members.keys().map(String::as_str).collect();
        let stays = ["slug", "external_id", "published_at", "expires_at", "note"];
        let known: BTreeSet<&str> = RESTORED.iter().copied().chain(stays).collect();
        assert_eq!(editable, known);
    }
}
