//! JSON of articles: what readers get, what editors get, what editors send.

mod acts;
mod input;
mod manage;
mod parts;
mod reader;

pub use acts::{BulkError, BulkInput, BulkItem, BulkResult, NoteInput, RejectInput, ReorderInput};
pub use input::{
    ArticleCreate, ArticlePatch, ArticlePut, Edits, MAX_TERM, MAX_TERMS, checked_note,
    is_external_id,
};
pub use manage::{
    BodySource, ManagedArticle, ManagedArticleList, ManagedArticleSummary, PublishedArticle,
};
pub use parts::{
    Attachment, AttachmentInput, BodyFormat, BodyInput, Cover, CoverInput, NewBody, Publication,
    PublishInput, Seo, SeoInput, Source, SourceInput, Term,
};
pub use reader::{
    Archive, ArchiveMonth, Article, ArticleList, ArticleSummary, Body, ChangedArticle, Links,
    Neighbors, Rest, TagCount, TagList,
};
