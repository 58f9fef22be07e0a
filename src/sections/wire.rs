//! JSON of sections.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::articles::wire::{ArticleSummary, Cover, CoverInput, Term};
use crate::db::Timestamp;
use crate::http::fields::{Member, Object};
use crate::http::keys::Key;

use super::tree::{SectionRow, Tree};

/// A section in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"id": 4, "slug": "grassroots", "name": "基层纪事", "path": "news/grassroots"}))]
pub struct SectionRef {
    /// The section's id.
    #[schema(minimum = 1)]
    pub id: i64,
    /// The section's slug.
    #[schema(max_length = 120)]
    pub slug: String,
    /// The section's name.
    #[schema(max_length = 200)]
    pub name: String,
    /// Slugs from the root, joined by `/`.
    #[schema(max_length = 1000)]
    pub path: String,
}

impl From<&SectionRow> for SectionRef {
    fn from(row: &SectionRow) -> Self {
        Self {
            id: row.id,
            slug: row.slug.clone(),
            name: row.name.clone(),
            path: row.path.clone(),
        }
    }
}

/// One step of a breadcrumb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"id": null, "slug": null, "name": "首页", "path": ""}))]
pub struct Breadcrumb {
    /// The section's id; null for the site's home.
    #[schema(required, nullable, minimum = 1)]
    pub id: Option<i64>,
    /// The section's slug; null for the site's home.
    #[schema(required, nullable, max_length = 120)]
    pub slug: Option<String>,
    /// The name of the section or of the site's home.
    #[schema(max_length = 200)]
    pub name: String,
    /// Slugs from the root, joined by `/`; blank for the site's home.
    #[schema(max_length = 1000)]
    pub path: String,
}

/// The steps from the site's home down to the section.
pub fn breadcrumb(tree: &Tree, section_id: i64, home_name: &str) -> Vec<Breadcrumb> {
    let home = Breadcrumb {
        id: None,
        slug: None,
        name: home_name.to_owned(),
        path: String::new(),
    };
    let steps = tree
        .ancestors(section_id)
        .into_iter()
        .map(|row| Breadcrumb {
            id: Some(row.id),
            slug: Some(row.slug.clone()),
            name: row.name.clone(),
            path: row.path.clone(),
        });
    std::iter::once(home).chain(steps).collect()
}

macro_rules! section_schema {
    ($(#[$meta:meta])* $name:ident { $($extra:tt)* }) => {
        #[derive(Debug, Clone, Serialize, ToSchema)]
        $(#[$meta])*
        pub struct $name {
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
            /// Slugs from the root, joined by `/`.
            #[schema(max_length = 1000)]
            pub path: String,
            /// How many sections are above it: 0 at the top.
            #[schema(minimum = 0, maximum = 7)]
            pub depth: i64,
            /// Place among its siblings, from 0.
            #[schema(minimum = 0)]
            pub position: i64,
            /// What the section is about.
            #[schema(required, nullable, max_length = 2000)]
            pub description: Option<String>,
            /// Key words.
            #[schema(inline, value_type = Vec<Term>, max_items = 30)]
            pub keywords: Vec<String>,
            /// The portal's type of column; free text.
            #[schema(required, nullable, max_length = 60)]
            pub kind: Option<String>,
            /// The section's picture.
            #[schema(required, nullable)]
            pub cover: Option<Cover>,
            /// The steps from the site's home down to this section.
            #[schema(max_items = 10)]
            pub breadcrumb: Vec<Breadcrumb>,
            /// Public articles in the section and below it, each counted once.
            #[schema(minimum = 0)]
            pub article_count: i64,
            /// When the newest of them was published; null without any.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub last_published_at: Option<Timestamp>,
            /// Whether sections are shown below it.
            pub has_children: bool,
            /// When the section was last changed.
            #[schema(value_type = String, format = DateTime)]
            pub updated_at: Timestamp,
            $($extra)*
        }
    };
}

section_schema! {
    /// A section, as readers see it.
    Section {
        /// The section's newest articles; only with `include=articles`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false, max_items = 10)]
        pub articles: Option<Vec<ArticleSummary>>,
    }
}

section_schema! {
    /// A section with the sections below it.
    SectionNode {
        /// The sections below it, in order.
        #[schema(no_recursion, max_items = 10000)]
        pub children: Vec<SectionNode>,
    }
}

impl Section {
    /// The keys of what it shows, without its articles: what is listed in it, for it counts that.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        let steps = self.breadcrumb.iter().filter_map(|step| step.id);
        steps.map(Key::Section).chain([Key::List(self.id)])
    }
}

impl SectionNode {
    /// The keys of what it and those below it show.
    pub fn keys(&self) -> Vec<Key> {
        let below = self.children.iter().flat_map(Self::keys);
        let own = [Key::Section(self.id), Key::List(self.id)];
        own.into_iter().chain(below).collect()
    }

    /// The node of a section with these children.
    pub fn new(section: Section, children: Vec<Self>) -> Self {
        Self {
            id: section.id,
            parent_id: section.parent_id,
            slug: section.slug,
            name: section.name,
            path: section.path,
            depth: section.depth,
            position: section.position,
            description: section.description,
            keywords: section.keywords,
            kind: section.kind,
            cover: section.cover,
            breadcrumb: section.breadcrumb,
            article_count: section.article_count,
            last_published_at: section.last_published_at,
            has_children: section.has_children,
            updated_at: section.updated_at,
            children,
        }
    }
}

crate::list_of! {
    /// A page of sections.
    SectionList, Section
}

/// The whole tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct SectionTree {
    /// The top sections, each with what is below it.
    #[schema(max_items = 10000)]
    pub data: Vec<SectionNode>,
}

/// A section, as its editors see it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ManagedSection {
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
    /// Slugs from the root, joined by `/`.
    #[schema(max_length = 1000)]
    pub path: String,
    /// How many sections are above it: 0 at the top.
    #[schema(minimum = 0, maximum = 7)]
    pub depth: i64,
    /// Place among its siblings, from 0.
    #[schema(minimum = 0)]
    pub position: i64,
    /// Whether readers may see it, provided that they may see all sections above it.
    pub visible: bool,
    /// What the section is about.
    #[schema(required, nullable, max_length = 2000)]
    pub description: Option<String>,
    /// Key words.
    #[schema(inline, value_type = Vec<Term>, max_items = 30)]
    pub keywords: Vec<String>,
    /// The portal's type of column; free text.
    #[schema(required, nullable, max_length = 60)]
    pub kind: Option<String>,
    /// The section's picture.
    #[schema(required, nullable)]
    pub cover: Option<Cover>,
    /// Days within which it must be updated; null: never checked.
    #[schema(required, nullable, minimum = 1, maximum = 36500)]
    pub max_age_days: Option<i64>,
    /// When the section was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the section was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Grows with each change; the `ETag` is this in quotes.
    #[schema(minimum = 1)]
    pub version: i64,
}

impl From<&SectionRow> for ManagedSection {
    fn from(row: &SectionRow) -> Self {
        Self {
            id: row.id,
            parent_id: row.parent_id,
            slug: row.slug.clone(),
            name: row.name.clone(),
            path: row.path.clone(),
            depth: row.depth,
            position: row.position,
            visible: row.visible,
            description: row.description.clone(),
            keywords: row.keywords.0.clone(),
            kind: row.kind.clone(),
            cover: row.cover.as_ref().map(|cover| cover.0.clone()),
            max_age_days: row.max_age_days,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

crate::list_of! {
    /// A page of sections, as their editors see them.
    ManagedSectionList, ManagedSection
}

/// A new section.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "基层纪事", "parent_id": 1, "slug": "grassroots", "description": "来自社区与乡村的报道"}))]
pub struct SectionCreate {
    /// The name.
    #[schema(required, value_type = String, min_length = 1, max_length = 200)]
    #[serde(default)]
    pub name: Member<String>,
    /// The section above; null or left out: at the top.
    #[schema(value_type = Option<i64>, minimum = 1)]
    #[serde(default)]
    pub parent_id: Member<i64>,
    /// Place among its siblings, from 0; left out: at the end.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 10000)]
    #[serde(default)]
    pub position: Member<i64>,
    /// The slug; left out: made from the name.
    #[schema(value_type = Option<String>, max_length = 120, pattern = "^([a-z0-9-]*[a-z-][a-z0-9-]*)?$")]
    #[serde(default)]
    pub slug: Member<String>,
    /// Whether readers may see it; left out: yes.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub visible: Member<bool>,
    /// What the section is about.
    #[schema(value_type = Option<String>, max_length = 2000)]
    #[serde(default)]
    pub description: Member<String>,
    /// Key words.
    #[schema(inline, value_type = Option<Vec<Term>>, max_items = 30)]
    #[serde(default)]
    pub keywords: Member<Vec<String>>,
    /// The portal's type of column; free text.
    #[schema(value_type = Option<String>, max_length = 60)]
    #[serde(default)]
    pub kind: Member<String>,
    /// The section's picture.
    #[schema(value_type = Option<CoverInput>)]
    #[serde(default)]
    pub cover: Member<Object<CoverInput>>,
    /// Days within which it must be updated; null: never checked.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 36500)]
    #[serde(default)]
    pub max_age_days: Member<i64>,
}

/// Changes to a section: members left out stay as they are, null empties (RFC 7396).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "基层风貌", "visible": true}))]
pub struct SectionPatch {
    /// The name; can't be null.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    #[serde(default)]
    pub name: Member<String>,
    /// The slug; can't be null. The old one goes on leading here.
    #[schema(value_type = String, max_length = 120, pattern = "^[a-z0-9-]*[a-z-][a-z0-9-]*$")]
    #[serde(default)]
    pub slug: Member<String>,
    /// Whether readers may see it; can't be null.
    #[schema(value_type = bool)]
    #[serde(default)]
    pub visible: Member<bool>,
    /// What the section is about.
    #[schema(value_type = Option<String>, max_length = 2000)]
    #[serde(default)]
    pub description: Member<String>,
    /// Key words; null is none.
    #[schema(inline, value_type = Option<Vec<Term>>, max_items = 30)]
    #[serde(default)]
    pub keywords: Member<Vec<String>>,
    /// The portal's type of column; free text.
    #[schema(value_type = Option<String>, max_length = 60)]
    #[serde(default)]
    pub kind: Member<String>,
    /// The section's picture.
    #[schema(value_type = Option<CoverInput>)]
    #[serde(default)]
    pub cover: Member<Object<CoverInput>>,
    /// Days within which it must be updated; null: never checked.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 36500)]
    #[serde(default)]
    pub max_age_days: Member<i64>,
    /// Changes only by `/move`.
    #[schema(ignore)]
    #[serde(default)]
    pub parent_id: Member<serde_json::Value>,
    /// Changes only by `/move`.
    #[schema(ignore)]
    #[serde(default)]
    pub position: Member<serde_json::Value>,
}

/// Where to move a section: below another one, before or after a sibling there; at the end without
/// either.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"parent_id": 1, "before": 3}))]
pub struct SectionMove {
    /// The section above; null: to the top.
    #[schema(required, value_type = Option<i64>, minimum = 1)]
    #[serde(default)]
    pub parent_id: Member<i64>,
    /// The sibling that it is to stand before.
    #[schema(value_type = Option<i64>, minimum = 1)]
    #[serde(default)]
    pub before: Member<i64>,
    /// The sibling that it is to stand after.
    #[schema(value_type = Option<i64>, minimum = 1)]
    #[serde(default)]
    pub after: Member<i64>,
}
