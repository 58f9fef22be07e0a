//! What editors get.

use serde::Serialize;
use utoipa::ToSchema;

use super::parts::{Attachment, Cover, LegacyUrl, Seo, Source, Term};
use crate::articles::check::admin::CheckFinding;
use crate::db::Timestamp;

/// A body, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"format": "markdown", "content": "渔船归港，**码头渐亮**。"}))]
pub struct BodySource {
    /// `html`, `markdown` or `text`.
    #[schema(max_length = 20)]
    pub format: &'static str,
    /// What the author sent, unchanged.
    pub content: String,
}

macro_rules! managed_schema {
    ($(#[$meta:meta])* $name:ident { $($extra:tt)* }) => {
        #[derive(Debug, Clone, Serialize, ToSchema)]
        $(#[$meta])*
        pub struct $name {
            /// The article's id.
            #[schema(minimum = 1)]
            pub id: i64,
            /// The section that it stands in.
            #[schema(minimum = 1)]
            pub section_id: i64,
            /// Other sections that it is listed in.
            #[schema(max_items = 20)]
            pub also_in: Vec<i64>,
            /// Related articles that were set by hand, in order.
            #[schema(max_items = 20)]
            pub related: Vec<i64>,
            /// Its place among the articles of its section that were put in order by hand, from 0;
            /// null where it wasn't. Changes by `…/reorder`.
            #[schema(required, nullable, minimum = 0)]
            pub position: Option<i64>,
            /// The slug, unique among articles.
            #[schema(max_length = 120)]
            pub slug: String,
            /// The title.
            #[schema(max_length = 300)]
            pub title: String,
            /// The subtitle.
            #[schema(required, nullable, max_length = 300)]
            pub subtitle: Option<String>,
            /// A shorter title, for narrow places.
            #[schema(required, nullable, max_length = 100)]
            pub short_title: Option<String>,
            /// The summary.
            #[schema(required, nullable, max_length = 2000)]
            pub summary: Option<String>,
            /// Where it comes from.
            #[schema(required, nullable)]
            pub source: Option<Source>,
            /// Who wrote it.
            #[schema(required, nullable, max_length = 200)]
            pub author: Option<String>,
            /// Who edited it.
            #[schema(required, nullable, max_length = 200)]
            pub editor: Option<String>,
            /// Key words.
            #[schema(inline, value_type = Vec<Term>, max_items = 30)]
            pub keywords: Vec<String>,
            /// Tags.
            #[schema(inline, value_type = Vec<Term>, max_items = 30)]
            pub tags: Vec<String>,
            /// The picture that stands for it.
            #[schema(required, nullable)]
            pub cover: Option<Cover>,
            /// Its language (BCP 47).
            #[schema(max_length = 35)]
            pub lang: String,
            /// Where the title links to instead of the article's own page.
            #[schema(required, nullable, max_length = 2000)]
            pub external_url: Option<String>,
            /// The address that search engines are to keep.
            #[schema(required, nullable, max_length = 2000)]
            pub canonical_url: Option<String>,
            /// Files that go with it.
            #[schema(max_items = 100)]
            pub attachments: Vec<Attachment>,
            /// What search engines are told instead of title and summary.
            #[schema(required, nullable)]
            pub seo: Option<Seo>,
            /// Addresses that it had on older sites.
            #[schema(inline, value_type = Vec<LegacyUrl>, max_items = 50)]
            pub legacy_urls: Vec<String>,
            /// Its id in the system that pushes it.
            #[schema(required, nullable, max_length = 200)]
            pub external_id: Option<String>,
            /// Whether it is featured.
            pub featured: bool,
            /// Until when it stands at the top of its section.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub pinned_until: Option<Timestamp>,
            /// From when on readers see it, once it is published.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub published_at: Option<Timestamp>,
            /// From when on they don't.
            #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
            pub expires_at: Option<Timestamp>,
            /// `draft`, `in_review`, `scheduled`, `published`, `archived` or `trashed`.
            #[schema(max_length = 20)]
            pub status: &'static str,
            /// Han characters and other words of the body.
            #[schema(minimum = 0)]
            pub word_count: i64,
            /// Who made it: the account's id.
            #[schema(required, nullable, minimum = 1)]
            pub created_by: Option<i64>,
            /// When it was made.
            #[schema(value_type = String, format = DateTime)]
            pub created_at: Timestamp,
            /// When it was last changed.
            #[schema(value_type = String, format = DateTime)]
            pub updated_at: Timestamp,
            /// Grows with each change; the `ETag` is this in quotes.
            #[schema(minimum = 1)]
            pub version: i64,
            $($extra)*
        }
    };
}

managed_schema! {
    /// An article in a list, as its editors see it.
    ManagedArticleSummary {}
}

managed_schema! {
    /// An article, as its editors see it.
    ManagedArticle {
        /// The body as its author wrote it.
        #[schema(required, nullable)]
        pub body: Option<BodySource>,
    }
}

macro_rules! with_members_of {
    ($summary:ident, $name:ident { $($extra:tt)* }) => {
        $name {
            id: $summary.id,
            section_id: $summary.section_id,
            also_in: $summary.also_in,
            related: $summary.related,
            position: $summary.position,
            slug: $summary.slug,
            title: $summary.title,
            subtitle: $summary.subtitle,
            short_title: $summary.short_title,
            summary: $summary.summary,
            source: $summary.source,
            author: $summary.author,
            editor: $summary.editor,
            keywords: $summary.keywords,
            tags: $summary.tags,
            cover: $summary.cover,
            lang: $summary.lang,
            external_url: $summary.external_url,
            canonical_url: $summary.canonical_url,
            attachments: $summary.attachments,
            seo: $summary.seo,
            legacy_urls: $summary.legacy_urls,
            external_id: $summary.external_id,
            featured: $summary.featured,
            pinned_until: $summary.pinned_until,
            published_at: $summary.published_at,
            expires_at: $summary.expires_at,
            status: $summary.status,
            word_count: $summary.word_count,
            created_by: $summary.created_by,
            created_at: $summary.created_at,
            updated_at: $summary.updated_at,
            version: $summary.version,
            $($extra)*
        }
    };
}

impl ManagedArticle {
    /// The article of this summary with this body.
    pub fn new(summary: ManagedArticleSummary, body: Option<BodySource>) -> Self {
        with_members_of!(summary, ManagedArticle { body })
    }
}

managed_schema! {
    /// An article that was published, with what a check finds in it.
    PublishedArticle {
        /// The body as its author wrote it.
        #[schema(required, nullable)]
        pub body: Option<BodySource>,
        /// What `…/check` finds: nothing that kept the article from being published.
        #[schema(max_items = 200)]
        pub warnings: Vec<CheckFinding>,
    }
}

impl PublishedArticle {
    /// The article with these findings.
    pub fn new(article: ManagedArticle, warnings: Vec<CheckFinding>) -> Self {
        let body = article.body;
        with_members_of!(article, PublishedArticle { body, warnings })
    }
}

crate::list_of! {
    /// A page of articles, as their editors see them.
    ManagedArticleList, ManagedArticleSummary
}
