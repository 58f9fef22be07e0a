//! Rows become what readers and editors get.

use std::collections::HashMap;

use diesel::dsl::{exists, max};
use diesel::prelude::*;

use crate::articles::store::{ArticleRow, DetailsRow, Stored, also_in, related};
use crate::articles::text::reading_minutes;
use crate::articles::wire::{
    Article, ArticleSummary, Attachment, Body, BodyFormat, BodySource, ChangedArticle, Links,
    ManagedArticle, ManagedArticleSummary, Rest, Seo,
};
use crate::config::Site;
use crate::db::schema::{article_also, article_details, articles, changes, listings};
use crate::db::{Conn, JsonOf, Timestamp, among};
use crate::each;
use crate::error::{ApiError, ApiResult};
use crate::http::answer::CountPlace;
use crate::sections::Tree;
use crate::sections::wire::{SectionRef, breadcrumb};
use crate::view::View;
use crate::visibility::{SITE, is_public};

/// What comes with each summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Include {
    /// `body`.
    pub body: bool,
    /// `hits`.
    pub hits: bool,
}

/// The summaries of public articles, in the order of the ids.
pub fn summaries(
    conn: &mut Conn,
    ids: &[i64],
    tree: &Tree,
    site: &Site,
    include: Include,
) -> ApiResult<Vec<ArticleSummary>> {
    let rows: Vec<ArticleRow> = each!(conn, c => articles::table
        .filter(among(articles::id, ids))
        .select(ArticleRow::as_select())
        .load(c))?;
    let mut rows: HashMap<i64, ArticleRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut bodies = if include.body {
        bodies(conn, ids)?
    } else {
        HashMap::new()
    };
    let mut out = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(row) = rows.remove(id) else { continue };
        let mut summary = summary(row, tree, site)?;
        summary.body = include.body.then(|| bodies.remove(id));
        summary.hits = include.hits.then_some(CountPlace { article_id: *id });
        out.push(summary);
    }
    Ok(out)
}

fn bodies(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, Body>> {
    let rows: Vec<(i64, Option<String>, Option<String>)> = article_details::table
        .filter(among(article_details::article_id, ids))
        .select((
            article_details::article_id,
            article_details::html,
            article_details::text,
        ))
        .load(conn)?;
    let bodies = rows.into_iter();
    Ok(bodies
        .filter_map(|(id, html, text)| {
            Some((
                id,
                Body {
                    html: html?,
                    text: text?,
                },
            ))
        })
        .collect())
}

fn summary(row: ArticleRow, tree: &Tree, site: &Site) -> ApiResult<ArticleSummary> {
    let inconsistent = |what: &str| ApiError::Internal(format!("article {} has no {what}", row.id));
    let section = tree
        .get(row.section_id)
        .ok_or_else(|| inconsistent("section"))?;
    let published_at = row.published_at.ok_or_else(|| inconsistent("date"))?;
    Ok(ArticleSummary {
        id: row.id,
        section: SectionRef::from(section),
        source: row.source(),
        keywords: row.keywords.0,
        tags: row.tags.0,
        cover: row.cover.map(|cover| cover.0),
        external_url: row.external_url,
        featured: row.featured,
        pinned_until: row.pinned_until,
        published_at,
        published_local: site.zone.local_minute(published_at),
        expires_at: row.expires_at,
        updated_at: row.updated_at,
        word_count: row.word_count,
        reading_minutes: reading_minutes(row.word_count, &row.lang),
        lang: row.lang,
        links: Links {
            this: format!("/v1/articles/{}", row.id),
            web: site.article_address(row.id, &row.slug),
            qr: format!("/v1/articles/{}/qr.svg", row.id),
        },
        slug: row.slug,
        title: row.title,
        subtitle: row.subtitle,
        short_title: row.short_title,
        summary: row.summary,
        author: row.author,
        editor: row.editor,
        body: None,
        hits: None,
    })
}

/// What only the page of an article shows.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = article_details)]
struct Details {
    canonical_url: Option<String>,
    attachments: JsonOf<Vec<Attachment>>,
    seo: Option<JsonOf<Seo>>,
    html: Option<String>,
    text: Option<String>,
}

impl From<DetailsRow> for Details {
    fn from(row: DetailsRow) -> Self {
        Self {
            canonical_url: row.canonical_url,
            attachments: row.attachments,
            seo: row.seo,
            html: row.html,
            text: row.text,
        }
    }
}

/// A whole public article; `None` where there is none of this id.
pub fn article(
    conn: &mut Conn,
    id: i64,
    view: &View,
    site: &Site,
    with_hits: bool,
) -> ApiResult<Option<Article>> {
    type Row = (ArticleRow, Details, bool, Option<i64>);
    let found: Option<Row> = each!(conn, c => articles::table
        .inner_join(article_details::table)
        .inner_join(listings::table)
        .filter(articles::id.eq(id))
        .filter(listings::section_id.eq(SITE))
        .filter(is_public(view.now))
        .select((
            ArticleRow::as_select(),
            Details::as_select(),
            exists(article_also::table.filter(article_also::article_id.eq(id))),
            changes::table.select(max(changes::seq)).single_value(),
        ))
        .first(c))
    .optional()?;
    let Some((row, details, stands_elsewhere, generation)) = found else {
        return Ok(None);
    };
    let also_in: Vec<i64> = if stands_elsewhere {
        article_also::table
            .filter(article_also::article_id.eq(id))
            .order(article_also::ordinal)
            .select(article_also::section_id)
            .load(conn)?
    } else {
        // All of it is of one statement.
        view.note(generation.unwrap_or(0));
        Vec::new()
    };
    let mut article = whole(row, details, &also_in, view.tree(), site)?;
    if with_hits {
        article.hits = Some(CountPlace { article_id: id });
    }
    Ok(Some(article))
}

/// A whole article in any state as readers would see it; one without a date has the present
/// instant.
pub fn previewed(
    mut stored: Stored,
    tree: &Tree,
    site: &Site,
    now: Timestamp,
) -> ApiResult<Article> {
    stored.row.published_at.get_or_insert(now);
    let details = stored.details.into();
    whole(stored.row, details, &stored.also_in, tree, site)
}

/// A whole article, without its count. It must have a date.
fn whole(
    row: ArticleRow,
    details: Details,
    also_in: &[i64],
    tree: &Tree,
    site: &Site,
) -> ApiResult<Article> {
    let section_id = row.section_id;
    let summary = summary(row, tree, site)?;
    let also_in = also_in.iter().filter_map(|id| tree.get(*id));
    let also_in = also_in.filter(|row| row.shown);
    let rest = Rest {
        breadcrumb: breadcrumb(tree, section_id, &site.home_name),
        also_in: also_in.map(SectionRef::from).collect(),
        attachments: details.attachments.0,
        canonical_url: details.canonical_url,
        seo: details.seo.map(|seo| seo.0),
        body: details
            .html
            .zip(details.text)
            .map(|(html, text)| Body { html, text }),
    };
    Ok(Article::new(summary, rest))
}

/// Those of these articles that are public, as followers of the change log get them.
pub fn changed(
    conn: &mut Conn,
    ids: &[i64],
    tree: &Tree,
    site: &Site,
    now: Timestamp,
) -> ApiResult<HashMap<i64, ChangedArticle>> {
    let public = super::public_among(conn, ids, now)?;
    let mut found = HashMap::new();
    for stored in crate::articles::store::find_many(conn, &public)? {
        let (id, position) = (stored.row.id, stored.row.position);
        let article = whole(
            stored.row,
            stored.details.into(),
            &stored.also_in,
            tree,
            site,
        )?;
        found.insert(id, ChangedArticle::new(article, position));
    }
    Ok(found)
}

/// The articles of these ids as their editors see them, in order, without bodies.
pub fn managed_summaries(
    conn: &mut Conn,
    ids: &[i64],
    now: Timestamp,
) -> ApiResult<Vec<ManagedArticleSummary>> {
    type Lean = (
        Option<String>,
        crate::db::JsonOf<Vec<crate::articles::wire::Attachment>>,
        Option<crate::db::JsonOf<crate::articles::wire::Seo>>,
        crate::db::JsonOf<Vec<String>>,
    );
    let rows: Vec<(ArticleRow, Lean)> = articles::table
        .inner_join(article_details::table)
        .filter(among(articles::id, ids))
        .select((
            ArticleRow::as_select(),
            (
                article_details::canonical_url,
                article_details::attachments,
                article_details::seo,
                article_details::legacy_urls,
            ),
        ))
        .load(conn)?;
    let (mut also_in, mut related) = (also_in(conn, ids)?, related(conn, ids)?);
    let mut by_id: HashMap<i64, ManagedArticleSummary> = HashMap::new();
    for (row, (canonical_url, attachments, seo, legacy_urls)) in rows {
        let id = row.id;
        let details = DetailsRow {
            article_id: id,
            canonical_url,
            attachments,
            seo,
            legacy_urls,
            format: None,
            source: None,
            html: None,
            text: None,
        };
        let stored = Stored {
            row,
            details,
            also_in: also_in.remove(&id).unwrap_or_default(),
            related: related.remove(&id).unwrap_or_default(),
        };
        by_id.insert(id, managed_summary(stored, now));
    }
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}

fn managed_summary(stored: Stored, now: Timestamp) -> ManagedArticleSummary {
    let (row, details) = (stored.row, stored.details);
    ManagedArticleSummary {
        id: row.id,
        section_id: row.section_id,
        also_in: stored.also_in,
        related: stored.related,
        position: row.position,
        source: row.source(),
        status: row.status_at(now).as_str(),
        slug: row.slug,
        title: row.title,
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
        word_count: row.word_count,
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

/// A whole article as its editors see it.
pub fn managed(mut stored: Stored, now: Timestamp) -> ManagedArticle {
    let details = &mut stored.details;
    let format = details
        .format
        .take()
        .and_then(|format| BodyFormat::parse(&format));
    let body = format
        .zip(details.source.take())
        .map(|(format, content)| BodySource {
            format: format.as_str(),
            content,
        });
    ManagedArticle::new(managed_summary(stored, now), body)
}
