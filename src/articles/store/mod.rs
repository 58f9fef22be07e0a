//! Every write of articles, and the rows behind them.

mod places;
mod tell;
mod write;

use std::collections::HashMap;

use diesel::prelude::*;

use crate::articles::rules::Status;
use crate::articles::wire::{Attachment, BodyFormat, Cover, Edits, NewBody, Seo, Source};
use crate::audit::By;
use crate::auth::{Caller, Permission};
use crate::db::schema::{article_also, article_details, articles};
use crate::db::{Conn, JsonOf, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::sections::Reach;

pub use places::{KEYWORD, SectionCount, TAG, counts, ids_in_sections, move_all, relist};
pub use write::{create, delete, external_id_taken, publish, take, update};

/// An article as it is stored.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = articles, treat_none_as_null = true)]
#[allow(
    missing_docs,
    reason = "named as the columns, which the migration explains"
)]
pub struct ArticleRow {
    #[diesel(skip_insertion)]
    pub id: i64,
    pub section_id: i64,
    pub slug: String,
    pub title: String,
    pub title_key: Vec<u8>,
    pub subtitle: Option<String>,
    pub short_title: Option<String>,
    pub summary: Option<String>,
    pub source_name: Option<String>,
    pub source_url: Option<String>,
    pub author: Option<String>,
    pub editor: Option<String>,
    pub keywords: JsonOf<Vec<String>>,
    pub tags: JsonOf<Vec<String>>,
    pub cover: Option<JsonOf<Cover>>,
    pub lang: String,
    pub external_url: Option<String>,
    pub external_id: Option<String>,
    pub featured: bool,
    pub pinned_until: Option<Timestamp>,
    pub position: Option<i64>,
    pub status: String,
    pub published_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub dated_at: Timestamp,
    pub live: bool,
    pub word_count: i64,
    pub created_by: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
    pub ended_at: Option<Timestamp>,
}

impl ArticleRow {
    /// The status that time has made.
    pub fn status_at(&self, now: Timestamp) -> Status {
        // The column holds nothing but what this service wrote.
        let stored = Status::parse(&self.status).unwrap_or(Status::Draft);
        stored.at(self.published_at, self.expires_at, now)
    }

    /// Where it comes from.
    pub fn source(&self) -> Option<Source> {
        let name = self.source_name.clone()?;
        Some(Source {
            name,
            url: self.source_url.clone(),
        })
    }
}

/// What only the whole article shows.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = article_details, treat_none_as_null = true)]
#[allow(
    missing_docs,
    reason = "named as the columns, which the migration explains"
)]
pub struct DetailsRow {
    pub article_id: i64,
    pub canonical_url: Option<String>,
    pub attachments: JsonOf<Vec<Attachment>>,
    pub seo: Option<JsonOf<Seo>>,
    pub legacy_urls: JsonOf<Vec<String>>,
    pub format: Option<String>,
    pub source: Option<String>,
    pub html: Option<String>,
    pub text: Option<String>,
}

/// A whole article as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The article.
    pub row: ArticleRow,
    /// What only the whole article shows.
    pub details: DetailsRow,
    /// Other sections that it is listed in, in order.
    pub also_in: Vec<i64>,
}

impl Stored {
    /// The editable members as they are.
    pub fn edits(&self, default_lang: &str) -> Edits {
        let (row, details) = (self.row.clone(), self.details.clone());
        let format = details.format.as_deref().and_then(BodyFormat::parse);
        let body = format
            .zip(details.source)
            .map(|(format, content)| NewBody { format, content });
        Edits {
            source: row.source(),
            title: row.title,
            section_id: row.section_id,
            also_in: self.also_in.clone(),
            slug: Some(row.slug),
            subtitle: row.subtitle,
            short_title: row.short_title,
            summary: row.summary,
            author: row.author,
            editor: row.editor,
            keywords: row.keywords.0,
            tags: row.tags.0,
            cover: row.cover.map(|cover| cover.0),
            lang: row.lang,
            external_url: row.external_url,
            canonical_url: details.canonical_url,
            attachments: details.attachments.0,
            seo: details.seo.map(|seo| seo.0),
            legacy_urls: details.legacy_urls.0,
            external_id: row.external_id,
            featured: row.featured,
            pinned_until: row.pinned_until,
            published_at: row.published_at,
            expires_at: row.expires_at,
            body,
            default_lang: default_lang.to_owned(),
            prepared: None,
        }
    }
}

/// The article of this id, in any state.
pub fn find(conn: &mut Conn, id: i64) -> ApiResult<Stored> {
    let found = articles::table
        .inner_join(article_details::table)
        .filter(articles::id.eq(id))
        .select((ArticleRow::as_select(), DetailsRow::as_select()))
        .first(conn)
        .optional()?;
    let (row, details) = found.ok_or_else(|| ApiError::not_found("article"))?;
    let also_in = also_in(conn, &[id])?.remove(&id).unwrap_or_default();
    Ok(Stored {
        row,
        details,
        also_in,
    })
}

/// The id of the article with this external id.
pub fn find_external(conn: &mut Conn, external_id: &str) -> QueryResult<Option<i64>> {
    articles::table
        .filter(articles::external_id.eq(external_id))
        .select(articles::id)
        .first(conn)
        .optional()
}

/// The slug of an article.
pub fn slug_of(conn: &mut Conn, id: i64) -> QueryResult<Option<String>> {
    articles::table
        .find(id)
        .select(articles::slug)
        .first(conn)
        .optional()
}

/// The `also_in` of each of these articles that has any.
pub fn also_in(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, Vec<i64>>> {
    let mut found: HashMap<i64, Vec<i64>> = HashMap::new();
    let rows: Vec<(i64, i64)> = article_also::table
        .filter(article_also::article_id.eq_any(ids))
        .order((article_also::article_id, article_also::ordinal))
        .select((article_also::article_id, article_also::section_id))
        .load(conn)?;
    for (article, section) in rows {
        found.entry(article).or_default().push(section);
    }
    Ok(found)
}

/// Who writes, when, and where that may be.
#[derive(Debug, Clone)]
pub struct Writer {
    /// Who and when.
    pub by: By,
    /// The sections that it may write to.
    pub reach: Reach,
    /// The account whose articles alone it may write; `None`: anybody's.
    pub only_by: Option<i64>,
}

impl Writer {
    /// This caller at this instant.
    pub fn new(conn: &mut Conn, caller: &Caller, now: Timestamp) -> ApiResult<Self> {
        Ok(Self {
            by: caller.by(now),
            reach: Reach::load(conn, caller)?,
            only_by: caller.only_by(Permission::WriteContent),
        })
    }
}
