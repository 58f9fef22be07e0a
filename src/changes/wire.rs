//! JSON of the change log.

use serde::Serialize;
use utoipa::ToSchema;

use crate::articles::wire::{ChangedArticle, Cover, Term};
use crate::db::Timestamp;
use crate::sections::SectionRow;

/// A section as followers of the change log get it: without what follows from other sections and
/// from articles.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"id": 4, "parent_id": 2, "slug": "grassroots", "name": "基层纪事", "position": 0, "description": null, "keywords": [], "kind": null, "cover": null, "updated_at": "2026-01-31T01:21:00Z"}))]
pub struct ChangedSection {
    /// The section's id.
    #[schema(minimum = 1)]
    pub id: i64,
    /// The section above; null at the top.
    #[schema(required, nullable, minimum = 1)]
    pub parent_id: Option<i64>,
    /// The slug, unique among sections.
    #[schema(max_length = 120)]
    pub slug: String,
    /// The name.
    #[schema(max_length = 200)]
    pub name: String,
    /// Its place among its siblings, from 0; hidden ones count.
    #[schema(minimum = 0)]
    pub position: i64,
    /// What it is about.
    #[schema(required, nullable, max_length = 2000)]
    pub description: Option<String>,
    /// Key words.
    #[schema(inline, value_type = Vec<Term>, max_items = 30)]
    pub keywords: Vec<String>,
    /// The portal's column type.
    #[schema(required, nullable, max_length = 60)]
    pub kind: Option<String>,
    /// The picture that stands for it.
    #[schema(required, nullable)]
    pub cover: Option<Cover>,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<&SectionRow> for ChangedSection {
    fn from(row: &SectionRow) -> Self {
        Self {
            id: row.id,
            parent_id: row.parent_id,
            slug: row.slug.clone(),
            name: row.name.clone(),
            position: row.position,
            description: row.description.clone(),
            keywords: row.keywords.0.clone(),
            kind: row.kind.clone(),
            cover: row.cover.clone().map(|cover| cover.0),
            updated_at: row.updated_at,
        }
    }
}

/// What became of an article or a section.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"seq": 31, "resource": "article", "id": 12, "op": "delete", "at": "2026-01-31T01:21:00Z", "article": null, "section": null}))]
pub struct Change {
    /// Its place in the log; later changes have greater ones.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// `article` or `section`.
    #[schema(max_length = 20)]
    pub resource: &'static str,
    /// The article's or section's id.
    #[schema(minimum = 1)]
    pub id: i64,
    /// `upsert`: it is public, and this is what it is now. `delete`: it was public, and isn't any
    /// more.
    #[schema(max_length = 20)]
    pub op: &'static str,
    /// When it changed.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The article as it is now; null with `delete` and for sections.
    #[schema(required, nullable)]
    pub article: Option<ChangedArticle>,
    /// The section as it is now; null with `delete` and for articles.
    #[schema(required, nullable)]
    pub section: Option<ChangedSection>,
}

/// Where in the log a page ends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"limit": 20, "next_cursor": "WzEsMzEsMF0", "has_more": false}))]
pub struct ChangesPage {
    /// The most changes of a page.
    #[schema(minimum = 1, maximum = 100)]
    pub limit: i64,
    /// The `cursor` of what follows: there is always one, also where nothing follows yet.
    #[schema(max_length = 200)]
    pub next_cursor: String,
    /// Whether something follows right now.
    pub has_more: bool,
}

/// A page of the change log.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeList {
    /// The changes, in order.
    #[schema(max_items = 100)]
    pub data: Vec<Change>,
    /// Where the page ends.
    pub page: ChangesPage,
}
