//! Lists in management: articles in every state.

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::db::schema::{article_also, article_terms, articles};
use crate::db::{Conn, MultiBackend, Timestamp, dialect};
use crate::error::ApiResult;
use crate::http::paging::{Found, Paging};

use super::keyset::{after, found, keyset};
use super::{Direction, Filter};
use crate::articles::rules::Status;
use crate::articles::store::{KEYWORD, TAG};

/// Which articles, in management.
#[derive(Debug, Clone, Default)]
pub struct ManagedFilter {
    /// What delivery filters by, too. `section` is applied by `section_ids`.
    pub shared: Filter,
    /// The section and, unless only it is wanted, those below it.
    pub section_ids: Option<Vec<i64>>,
    /// The sections that the caller works in; `None`: all.
    pub reach: Option<Vec<i64>>,
    /// The account whose articles alone the caller sees; `None`: everybody's.
    pub only_by: Option<i64>,
    /// The state that time has made.
    pub status: Option<Status>,
    /// Who made it.
    pub created_by: Option<i64>,
    /// Words that the title must have, ASCII letters in any case.
    pub words: Vec<String>,
}

/// How a management list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagedSort {
    /// By date of publication, or of making where there is none.
    PublishedAt(Direction),
    /// By last change.
    UpdatedAt(Direction),
    /// By making.
    CreatedAt(Direction),
    /// By title, as ICU's zh collator does.
    Title(Direction),
}

impl ManagedSort {
    /// The values of `sort`.
    pub const CHOICES: &[(&str, Self)] = &[
        ("published_at", Self::PublishedAt(Direction::Ascending)),
        ("-published_at", Self::PublishedAt(Direction::Descending)),
        ("updated_at", Self::UpdatedAt(Direction::Ascending)),
        ("-updated_at", Self::UpdatedAt(Direction::Descending)),
        ("created_at", Self::CreatedAt(Direction::Ascending)),
        ("-created_at", Self::CreatedAt(Direction::Descending)),
        ("title", Self::Title(Direction::Ascending)),
        ("-title", Self::Title(Direction::Descending)),
    ];

    /// The value of `sort`.
    pub fn name(self) -> &'static str {
        Self::CHOICES
            .iter()
            .find(|(_, sort)| *sort == self)
            .map_or("", |(name, _)| name)
    }
}

/// The pattern of `LIKE` for text that contains this word, ASCII letters lower-cased.
fn like_pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for character in word.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

/// The articles that a management filter lets through.
pub fn managed_articles<'a>(
    conn: &Conn,
    filter: &'a ManagedFilter,
    now: Timestamp,
) -> articles::BoxedQuery<'a, MultiBackend> {
    let mut query = articles::table.into_boxed();
    let shared = &filter.shared;
    for word in &filter.words {
        let title = dialect::ascii_lower(conn, "articles.title");
        let contains = sql::<Bool>(&format!("{title} LIKE "))
            .bind::<Text, _>(like_pattern(word))
            .sql(" ESCAPE '\\'");
        query = query.filter(contains);
    }
    if let Some(ids) = &filter.section_ids {
        let also = article_also::table
            .filter(article_also::section_id.eq_any(ids))
            .select(article_also::article_id);
        query = query.filter(
            articles::section_id
                .eq_any(ids)
                .or(articles::id.eq_any(also)),
        );
    }
    if let Some(ids) = &filter.reach {
        query = query.filter(articles::section_id.eq_any(ids));
    }
    if let Some(status) = filter.status {
        let stored = articles::status.eq(status.as_str());
        let released =
            articles::status.eq_any([Status::Scheduled.as_str(), Status::Published.as_str()]);
        let ended = articles::expires_at
            .is_not_null()
            .and(articles::expires_at.assume_not_null().le(now));
        let open = articles::expires_at
            .is_null()
            .or(articles::expires_at.assume_not_null().gt(now));
        query = match status {
            Status::Draft | Status::InReview | Status::Trashed => query.filter(stored),
            Status::Scheduled => query.filter(released.and(open).and(articles::dated_at.gt(now))),
            Status::Published => query.filter(released.and(open).and(articles::dated_at.le(now))),
            Status::Archived => query.filter(stored.or(released.and(ended))),
        };
    }
    for user in [filter.created_by, filter.only_by].into_iter().flatten() {
        query = query.filter(articles::created_by.eq(user));
    }
    if let Some(from) = shared.published_from {
        query = query.filter(articles::published_at.ge(from));
    }
    if let Some(before) = shared.published_before {
        query = query.filter(articles::published_at.lt(before));
    }
    if let Some(ids) = &shared.ids {
        query = query.filter(articles::id.eq_any(ids));
    }
    for (kind, term) in [(TAG, &shared.tag), (KEYWORD, &shared.keyword)] {
        if let Some(term) = term {
            let with_term = article_terms::table
                .filter(
                    article_terms::kind
                        .eq(kind)
                        .and(article_terms::term.eq(term)),
                )
                .select(article_terms::article_id);
            query = query.filter(articles::id.eq_any(with_term));
        }
    }
    if let Some(source) = &shared.source {
        query = query.filter(articles::source_name.eq(source));
    }
    if let Some(author) = &shared.author {
        query = query.filter(articles::author.eq(author));
    }
    if let Some(lang) = &shared.lang {
        query = query.filter(articles::lang.eq(lang));
    }
    if let Some(featured) = shared.featured {
        query = query.filter(articles::featured.eq(featured));
    }
    match shared.pinned {
        Some(true) => query = query.filter(articles::pinned_until.gt(now)),
        Some(false) => {
            let until = articles::pinned_until;
            query = query.filter(until.is_null().or(until.assume_not_null().le(now)));
        }
        None => {}
    }
    query
}

/// A page of ids of articles in any state.
pub fn managed_page_ids(
    conn: &mut Conn,
    filter: &ManagedFilter,
    sort: ManagedSort,
    paging: &Paging,
    now: Timestamp,
) -> ApiResult<Found<i64>> {
    let total = if paging.exact {
        Some(
            managed_articles(conn, filter, now)
                .select(count_star())
                .first(conn)?,
        )
    } else {
        None
    };
    let (limit, offset) = (paging.limit + 1, paging.offset());
    let (query, id) = (managed_articles(conn, filter, now), articles::id);
    macro_rules! by {
        ($key:expr, $type:ty, $direction:expr) => {{
            let after: Option<($type, i64)> = after(paging)?;
            let query = keyset!(query, $key, id, $direction, after);
            let rows = query
                .select((id, $key))
                .limit(limit)
                .offset(offset)
                .load(conn)?;
            Ok(found::<$type>(rows, paging, total))
        }};
    }
    match sort {
        ManagedSort::PublishedAt(direction) => by!(articles::dated_at, Timestamp, direction),
        ManagedSort::UpdatedAt(direction) => by!(articles::updated_at, Timestamp, direction),
        ManagedSort::CreatedAt(direction) => by!(articles::created_at, Timestamp, direction),
        ManagedSort::Title(direction) => by!(articles::title_key, Vec<u8>, direction),
    }
}
