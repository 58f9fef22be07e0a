//! Every write of articles, and the rows behind them.

mod due;
mod life;
mod names;
mod new;
mod order;
mod places;
mod references;
mod revise;
mod tell;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;

use crate::app::App;
use crate::articles::check::Checker;
use crate::articles::permit;
use crate::articles::rules::Status;
use crate::articles::text::shows_something;
use crate::articles::wire::{Attachment, BodyFormat, Cover, Edits, NewBody, Seo, Source};
use crate::audit::{Actor, By};
use crate::auth::{Caller, Permission};
use crate::db::schema::{article_also, article_details, article_related, articles};
use crate::db::{Conn, JsonOf, Timestamp, among};
use crate::error::{ApiError, ApiResult};
use crate::http::fields::Check;
use crate::sections::{self, Reach, Tree};

pub use due::{delete_trashed, due_ids, settle_due};
pub use life::{delete, publish, take};
pub use names::{Name, named};
pub use order::{MAX_POSITION, reorder};
pub use places::{KEYWORD, TAG, ids_in_sections, move_all, relist};
pub use references::{external_id_taken, known_articles};
pub use write::{create, restore_revision, update};

/// An article as it is stored.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = articles, treat_none_as_null = true, treat_none_as_default_value = false)]
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

    /// Whether readers see it, as [`crate::visibility::is_public`] tells of its listings.
    pub fn is_public_at(&self, now: Timestamp) -> bool {
        self.live && self.status_at(now) == Status::Published
    }

    /// Whether the change log has it as one that readers see, as [`Status::is_told`] tells.
    pub fn is_told_at(&self, now: Timestamp) -> bool {
        let stored = Status::parse(&self.status).unwrap_or(Status::Draft);
        self.live && stored.is_told(self.published_at, self.expires_at, now)
    }

    /// Whether it is in the trash.
    pub fn is_trashed(&self) -> bool {
        self.status == Status::Trashed.as_str()
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
#[diesel(table_name = article_details, treat_none_as_null = true, treat_none_as_default_value = false)]
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

impl DetailsRow {
    /// Whether there is a body that shows anything.
    fn shows(&self) -> bool {
        let body = self.html.as_ref().zip(self.text.as_ref());
        body.is_some_and(|(html, text)| shows_something(html, text))
    }
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
    /// Related articles set by hand, in order.
    pub related: Vec<i64>,
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
            related: self.related.clone(),
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
    let found = find_many(conn, &[id])?.pop();
    found.ok_or_else(|| ApiError::not_found("article"))
}

/// Those of these articles that there are, in any state, by id.
pub fn find_many(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Stored>> {
    let rows: Vec<(ArticleRow, DetailsRow)> = articles::table
        .inner_join(article_details::table)
        .filter(among(articles::id, ids))
        .order(articles::id)
        .select((ArticleRow::as_select(), DetailsRow::as_select()))
        .load(conn)?;
    let mut also_in = also_in(conn, ids)?;
    let mut related = related(conn, ids)?;
    let stored = rows.into_iter().map(|(row, details)| Stored {
        also_in: also_in.remove(&row.id).unwrap_or_default(),
        related: related.remove(&row.id).unwrap_or_default(),
        row,
        details,
    });
    Ok(stored.collect())
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
        .filter(among(article_also::article_id, ids))
        .order((article_also::article_id, article_also::ordinal))
        .select((article_also::article_id, article_also::section_id))
        .load(conn)?;
    for (article, section) in rows {
        found.entry(article).or_default().push(section);
    }
    Ok(found)
}

/// The articles set by hand as related to each of these that has any.
pub fn related(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, Vec<i64>>> {
    let mut found: HashMap<i64, Vec<i64>> = HashMap::new();
    let rows: Vec<(i64, i64)> = article_related::table
        .filter(among(article_related::article_id, ids))
        .order((article_related::article_id, article_related::ordinal))
        .select((article_related::article_id, article_related::related_id))
        .load(conn)?;
    for (article, other) in rows {
        found.entry(article).or_default().push(other);
    }
    Ok(found)
}

/// An act of writing articles: by whom and when, why, and the sections as they are.
#[derive(Debug, Clone)]
pub struct Act {
    /// Who and when.
    pub by: By,
    /// What the writer notes for the revision.
    pub note: Option<String>,
    /// The sections.
    pub tree: Arc<Tree>,
    /// What keeps articles from being published; `None`: nothing does.
    pub checker: Option<Arc<Checker>>,
}

impl Act {
    /// What the service does by itself, as time goes by.
    pub fn of_time(conn: &mut Conn, now: Timestamp) -> QueryResult<Self> {
        Ok(Self {
            by: Actor::system().at(now),
            note: None,
            tree: Arc::new(sections::store::tree(conn)?),
            checker: None,
        })
    }

    /// Reports what keeps the article from being released so. Where readers see it already, only what
    /// there was less of counts: what was published before a check came must be mendable.
    fn check(&self, check: &mut Check, was: Option<&Stored>, is: &Stored) {
        let Some(checker) = &self.checker else { return };
        if is.row.status_at(self.by.now).is_released() {
            let seen = was.filter(|was| was.row.is_public_at(self.by.now));
            for fault in checker.faults(seen, is) {
                check.report(fault);
            }
        }
    }
}

/// Somebody who writes articles: what it does, and where it may.
#[derive(Debug, Clone)]
pub struct Writer {
    /// Who, when, why.
    pub act: Act,
    /// The sections that it may write to.
    pub reach: Reach,
    /// The caller, as it is in this transaction; `None`: the command line, which may do everything.
    pub caller: Option<Caller>,
}

impl Writer {
    /// This caller at this instant.
    pub fn new(conn: &mut Conn, caller: Caller, app: &App, now: Timestamp) -> QueryResult<Self> {
        let tree = app.views.writing_tree(conn)?;
        Ok(Self {
            reach: Reach::of(&caller, &tree),
            act: Act {
                by: caller.by(now),
                note: None,
                tree,
                checker: Some(Arc::clone(&app.checker)),
            },
            caller: Some(caller),
        })
    }

    /// The same with a note for the revision.
    pub fn noting(mut self, note: Option<String>) -> Self {
        self.act.note = note;
        self
    }

    /// Refuses what it may not do at all, with 403.
    pub fn check(&self, permission: Permission) -> ApiResult<()> {
        let caller = self.caller.as_ref();
        caller.map_or(Ok(()), |caller| caller.check(permission))
    }

    /// The account whose articles alone the permission is for; `None`: anybody's.
    pub fn only_by(&self, permission: Permission) -> Option<i64> {
        let caller = self.caller.as_ref();
        caller.and_then(|caller| caller.only_by(permission))
    }

    /// The article of this id, to be written: see [`super::find_for`]. What time has made of it and
    /// is not written down yet is written down first.
    pub fn find(&self, conn: &mut Conn, permission: Permission, id: i64) -> ApiResult<Stored> {
        let now = self.act.by.now;
        let found = match &self.caller {
            Some(caller) => permit::find_within(conn, caller, &self.reach, permission, id, now)?,
            None => find(conn, id)?,
        };
        due::settle(conn, found, &self.act)
    }
}
