//! JSON of revisions.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::articles::wire::ManagedArticle;
use crate::audit::wire::{AuditActor, AuditChange};
use crate::db::Timestamp;
use crate::list_of;

/// The name of an article's member.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 64)]
#[allow(dead_code, reason = "documents what `changed` holds")]
struct MemberName(String);

macro_rules! revision_schema {
    ($(#[$meta:meta])* $name:ident { $($extra:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Serialize, ToSchema)]
        pub struct $name {
            /// The version of the article that the save made.
            #[schema(minimum = 1)]
            pub version: i64,
            /// When it was saved.
            #[schema(value_type = String, format = DateTime)]
            pub at: Timestamp,
            /// Who saved it.
            pub by: AuditActor,
            /// What was noted with it.
            #[schema(required, nullable, max_length = 1000)]
            pub note: Option<String>,
            /// The members that differ from the version before; `[]` where that is not known.
            #[schema(inline, value_type = Vec<MemberName>, max_items = 100)]
            pub changed: Vec<String>,
            $($extra)*
        }
    };
}

revision_schema! {
    /// A save of an article.
    RevisionSummary {}
}

revision_schema! {
    /// A save of an article, and what the article was then.
    Revision {
        /// The article as it was saved.
        #[schema(value_type = ManagedArticle)]
        pub article: Value,
    }
}

impl Revision {
    /// The revision of this summary with this content.
    pub fn new(summary: RevisionSummary, article: Value) -> Self {
        Self {
            version: summary.version,
            at: summary.at,
            by: summary.by,
            note: summary.note,
            changed: summary.changed,
            article,
        }
    }
}

list_of! {
    /// A page of an article's revisions.
    RevisionList, RevisionSummary
}

/// What differs from one revision to another.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionDiff {
    /// The version that was asked for.
    #[schema(minimum = 1)]
    pub version: i64,
    /// The version that it is held against; null: an article with nothing in it.
    #[schema(required, nullable, minimum = 1)]
    pub against: Option<i64>,
    /// The members that differ, with their whole values. `body` is among them only where its format
    /// differs or one side has none.
    #[schema(max_items = 100)]
    pub changes: Vec<AuditChange>,
    /// What differs in the body's content, as a unified diff with 3 lines around each change; null
    /// where nothing does.
    #[schema(required, nullable)]
    pub body: Option<String>,
}
