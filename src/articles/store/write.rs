//! Articles are made, changed, published, trashed and deleted.

use diesel::prelude::*;

use super::names::{add_legacy_urls, write_legacy_urls};
use super::new;
use super::places::{
    add_also_in, add_related, add_terms, is_live, list_again, list_new, write_also_in,
    write_related, write_terms,
};
use super::references::{check_external_id, check_references, check_related, check_slug};
use super::revise::revise;
use super::tell::{self, tell, tell_published};
use super::{Act, ArticleRow, DetailsRow, Stored, Writer};
use crate::articles::limits::TooComplex;
use crate::articles::rules::{Action, Status, step};
use crate::articles::text::{MAX_NESTING, Rendered, render, title_key};
use crate::articles::wire::{Edits, Publication};
use crate::audit::{By, Change, Event};
use crate::changes::{self, Visible};
use crate::db::later::{self, Later};
use crate::db::schema::{article_details, articles};
use crate::db::{Conn, JsonOf, Timestamp};
use crate::error::{ApiResult, FaultCode};
use crate::http::fields::Check;
use crate::http::reference::Slug;
use crate::insert_all;
use crate::sections::Tree;
use crate::slugs::{self, Resource};

/// Makes an article, published at once where that is asked. Faults found here are told with those
/// of `check`.
pub fn create(
    conn: &mut Conn,
    edits: Edits,
    publication: Option<Publication>,
    writer: &Writer,
    mut check: Check,
) -> ApiResult<Stored> {
    let (tree, by) = (&writer.act.tree, &writer.act.by);
    check_references(&mut check, tree, &edits, &writer.reach, None)?;
    check_related(conn, &mut check, &edits, writer, None)?;
    let (rendered, is_published) = (rendered(&mut check, &edits, None), publication.is_some());
    let mut row = new_row(&edits, rendered.as_ref(), by);
    let details = details_row(0, &edits, rendered);
    release(&mut check, &mut row, publication, details.shows(), by.now)?;
    let mut stored = Stored {
        row,
        details,
        also_in: edits.also_in.clone(),
        related: edits.related.clone(),
    };
    writer.act.check(&mut check, None, &stored);
    check.finish()?;
    check_external_id(conn, edits.external_id.as_deref(), None)?;
    let slug = match edits.slug.as_deref().and_then(Slug::parse) {
        Some(slug) => {
            check_slug(conn, &slug, None, writer)?;
            later::begin_writing();
            slugs::claim(conn, Resource::Article, &slug)?;
            slug
        }
        None => {
            let wanted = Slug::from_title(&edits.title, Resource::Article.name());
            slugs::free(conn, Resource::Article, &wanted, new::has_slug)?
        }
    };
    stored.row.slug = slug.to_string();
    derive(&mut stored.row, tree);
    let id = new::insert(conn, &stored.row)?;
    (stored.row.id, stored.details.article_id) = (id, id);
    later::write(conn, vec![stored.details.clone()])?;
    add_also_in(conn, id, &stored.also_in)?;
    add_related(conn, id, &stored.related)?;
    add_legacy_urls(conn, id, &stored.details.legacy_urls.0)?;
    add_terms(conn, &stored.row)?;
    let changes = finish(conn, &writer.act, None, &stored)?;
    if is_published {
        tell_published(conn, by, None, &stored, changes)?;
    } else {
        tell(
            conn,
            by,
            Event::ArticleCreated,
            None,
            Some(&stored),
            changes,
        )?;
    }
    Ok(stored)
}

/// Replaces an article's editable members; with `publication`, publishes it in the same breath.
/// Faults found here are told with those of `check`.
pub fn update(
    conn: &mut Conn,
    was: &Stored,
    edits: Edits,
    publication: Option<Publication>,
    writer: &Writer,
    check: Check,
) -> ApiResult<Stored> {
    let event = Event::ArticleUpdated;
    replace(conn, was, edits, publication, writer, check, event)
}

/// Gives an article the members of an earlier revision.
pub fn restore_revision(
    conn: &mut Conn,
    was: &Stored,
    edits: Edits,
    writer: &Writer,
    check: Check,
) -> ApiResult<Stored> {
    let event = Event::ArticleRevisionRestored;
    replace(conn, was, edits, None, writer, check, event)
}

fn replace(
    conn: &mut Conn,
    was: &Stored,
    edits: Edits,
    publication: Option<Publication>,
    writer: &Writer,
    mut check: Check,
    event: Event,
) -> ApiResult<Stored> {
    let (id, by, tree) = (was.row.id, &writer.act.by, &writer.act.tree);
    let now = by.now;
    check_references(&mut check, tree, &edits, &writer.reach, Some(was))?;
    check_related(conn, &mut check, &edits, writer, Some(was))?;
    let rendered = rendered(&mut check, &edits, Some(was));
    let stays = was.row.section_id == edits.section_id;
    let mut row = ArticleRow {
        id,
        slug: was.row.slug.clone(),
        position: was.row.position.filter(|_| stays),
        status: was.row.status_at(now).as_str().to_owned(),
        created_by: was.row.created_by,
        created_at: was.row.created_at,
        version: was.row.version + 1,
        ended_at: was.row.ended_at.filter(|_| was.row.is_trashed()),
        ..new_row(&edits, rendered.as_ref(), by)
    };
    let is_published = publication.is_some();
    let details = details_row(id, &edits, rendered);
    release(&mut check, &mut row, publication, details.shows(), now)?;
    let mut is = Stored {
        row,
        details,
        also_in: edits.also_in,
        related: edits.related,
    };
    writer.act.check(&mut check, Some(was), &is);
    check.finish()?;
    check_external_id(conn, edits.external_id.as_deref(), Some(id))?;
    if let Some(slug) = edits.slug.as_deref().and_then(Slug::parse)
        && slug.as_str() != was.row.slug
    {
        check_slug(conn, &slug, Some(id), writer)?;
        slugs::claim(conn, Resource::Article, &slug)?;
        slugs::retire(conn, Resource::Article, &was.row.slug, id, now)?;
        is.row.slug = slug.to_string();
    }
    derive(&mut is.row, tree);
    diesel::update(articles::table.find(id))
        .set(&is.row)
        .execute(conn)?;
    diesel::update(article_details::table.find(id))
        .set(&is.details)
        .execute(conn)?;
    if is.also_in != was.also_in {
        write_also_in(conn, id, &is.also_in)?;
    }
    if is.row.tags != was.row.tags || is.row.keywords != was.row.keywords {
        write_terms(conn, &is.row)?;
    }
    if is.related != was.related {
        write_related(conn, id, &is.related)?;
    }
    if is.details.legacy_urls != was.details.legacy_urls {
        write_legacy_urls(conn, id, &is.details.legacy_urls.0)?;
    }
    let changes = finish(conn, &writer.act, Some(was), &is)?;
    if is_published {
        tell_published(conn, by, Some(was), &is, changes)?;
    } else {
        tell(conn, by, event, Some(was), Some(&is), changes)?;
    }
    Ok(is)
}

/// The body rendered; what is unchanged isn't rendered anew.
fn rendered(check: &mut Check, edits: &Edits, was: Option<&Stored>) -> Option<Rendered> {
    let body = edits.body.as_ref()?;
    if let Some(was) = was
        && was.edits("").body.as_ref() == Some(body)
        && let (Some(html), Some(text)) = (&was.details.html, &was.details.text)
    {
        let (html, text) = (html.clone(), text.clone());
        return Some(Rendered {
            html,
            text,
            words: was.row.word_count,
        });
    }
    let outcome = match &edits.prepared {
        Some(prepared) if prepared.body == *body => prepared.outcome.clone(),
        _ => render(body.format, &body.content),
    };
    match outcome {
        Ok(rendered) => Some(rendered),
        Err(TooComplex) => {
            let detail = format!(
                "is too complex: at most {MAX_NESTING} elements within each other, and tables, \
                 footnotes and tags in proportion to the text"
            );
            check.fault("/body/content", FaultCode::TooComplex, detail);
            None
        }
    }
}

/// What every write of an article ends with: its listings, its revision, the change log. What changed
/// is for the audit log.
pub(super) fn finish(
    conn: &mut Conn,
    act: &Act,
    was: Option<&Stored>,
    is: &Stored,
) -> ApiResult<Vec<Change>> {
    if was.is_some() {
        list_again(conn, &act.tree, &is.row, &is.also_in)?;
    } else {
        list_new(conn, &act.tree, &is.row, &is.also_in)?;
    }
    let changes = tell::changes(act.by.now, was, Some(is));
    revise(conn, act, was, is, &changes)?;
    log_change(conn, act.by.now, was, is)?;
    Ok(changes)
}

/// Moves the article to the end of the change log.
pub(super) fn log_change(
    conn: &mut Conn,
    now: Timestamp,
    was: Option<&Stored>,
    is: &Stored,
) -> QueryResult<()> {
    let was_told = was.is_some_and(|was| was.row.is_told_at(now));
    let visible = Visible::from(was_told, is.row.is_told_at(now));
    match was {
        Some(_) => changes::record(conn, Resource::Article, &[(is.row.id, visible)], now),
        None => changes::record_new(conn, is.row.id, visible, now),
    }
}

impl Later for DetailsRow {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(article_details::table).values(rows)
        })
    }
}

/// The row of these members, but for the slug.
fn new_row(edits: &Edits, rendered: Option<&Rendered>, by: &By) -> ArticleRow {
    ArticleRow {
        id: 0,
        section_id: edits.section_id,
        slug: String::new(),
        title: edits.title.clone(),
        title_key: title_key(&edits.title),
        subtitle: edits.subtitle.clone(),
        short_title: edits.short_title.clone(),
        summary: edits.summary.clone(),
        source_name: edits.source.as_ref().map(|source| source.name.clone()),
        source_url: edits.source.as_ref().and_then(|source| source.url.clone()),
        author: edits.author.clone(),
        editor: edits.editor.clone(),
        keywords: JsonOf(edits.keywords.clone()),
        tags: JsonOf(edits.tags.clone()),
        cover: edits.cover.clone().map(JsonOf),
        lang: edits.lang.clone(),
        external_url: edits.external_url.clone(),
        external_id: edits.external_id.clone(),
        featured: edits.featured,
        pinned_until: edits.pinned_until,
        position: None,
        status: Status::Draft.as_str().to_owned(),
        published_at: edits.published_at,
        expires_at: edits.expires_at,
        dated_at: by.now,
        live: false,
        word_count: rendered.map_or(0, |rendered| rendered.words),
        created_by: by.actor.user_id(),
        created_at: by.now,
        updated_at: by.now,
        version: 1,
        ended_at: None,
    }
}

fn details_row(article_id: i64, edits: &Edits, rendered: Option<Rendered>) -> DetailsRow {
    let (html, text) = rendered.map(|r| (r.html, r.text)).unzip();
    DetailsRow {
        article_id,
        canonical_url: edits.canonical_url.clone(),
        attachments: JsonOf(edits.attachments.clone()),
        seo: edits.seo.clone().map(JsonOf),
        legacy_urls: JsonOf(edits.legacy_urls.clone()),
        format: edits
            .body
            .as_ref()
            .map(|body| body.format.as_str().to_owned()),
        source: edits.body.as_ref().map(|body| body.content.clone()),
        html,
        text,
    }
}

/// Columns that follow from others.
pub(super) fn derive(row: &mut ArticleRow, tree: &Tree) {
    row.dated_at = row.published_at.unwrap_or(row.created_at);
    row.live = is_live(&row.status, row.section_id, tree);
}

/// Publishes the row where that is asked; else keeps publish's conditions where it is released, and
/// lets its dates say whether it is scheduled or published. 409 where its state allows no publishing.
pub(super) fn release(
    check: &mut Check,
    row: &mut ArticleRow,
    publication: Option<Publication>,
    shows: bool,
    now: Timestamp,
) -> ApiResult<()> {
    let from = Status::parse(&row.status).unwrap_or(Status::Draft);
    let mut end_pointer = "/expires_at".to_owned();
    if let Some(publication) = publication {
        let at = publication.published_at.or(row.published_at).unwrap_or(now);
        let to = step(from, Action::Publish(at), now)?;
        row.status = to.unwrap_or(from).as_str().to_owned();
        row.published_at = Some(at);
        if let Some(end) = publication.expires_at {
            row.expires_at = end;
            end_pointer = format!("{}/expires_at", publication.pointer);
        }
    } else if from.is_released() {
        let ahead = row.published_at.is_some_and(|at| at > now);
        let to = if ahead {
            Status::Scheduled
        } else {
            Status::Published
        };
        row.status = to.as_str().to_owned();
    }
    let is_released = publication.is_some() || from.is_released();
    if is_released && !shows && row.external_url.is_none() && !check.has_fault_at("/body") {
        check.fault(
            "/body",
            FaultCode::Required,
            "or external_url is required to publish",
        );
    }
    if is_released && row.published_at.is_none() && !check.has_fault_at("/published_at") {
        let detail = "is required while the article is published";
        check.fault("/published_at", FaultCode::Required, detail);
    }
    if let (Some(begin), Some(end)) = (row.published_at, row.expires_at)
        && end <= begin
    {
        check.fault(
            &end_pointer,
            FaultCode::OutOfRange,
            "must be after published_at",
        );
    }
    Ok(())
}
