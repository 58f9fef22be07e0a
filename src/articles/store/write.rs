//! Articles are made, changed, published, trashed and deleted.

use diesel::prelude::*;

use crate::audit::{By, Event};
use crate::auth::Permission;
use crate::changes::{self, Visible};
use crate::db::schema::{article_details, articles};
use crate::db::{Conn, JsonOf, Timestamp};
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::fields::Check;
use crate::http::reference::Slug;
use crate::previews;
use crate::sections::{Reach, SectionRow, Tree, not_yours};
use crate::slugs::{self, Resource};

use super::places::{is_live, list_again, list_new, write_also_in, write_related, write_terms};
use super::revise::revise;
use super::tell::{tell, tell_published};
use super::{Act, ArticleRow, DetailsRow, Stored, Writer, find_external};
use crate::articles::limits::TooComplex;
use crate::articles::lists;
use crate::articles::rules::{Action, Status, step};
use crate::articles::text::{MAX_NESTING, Rendered, render, shows_something, title_key};
use crate::articles::wire::{Edits, Publication};

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
    release(&mut check, &mut row, publication, shows(&rendered), by.now)?;
    let mut stored = Stored {
        row,
        details: details_row(0, &edits, rendered),
        also_in: edits.also_in.clone(),
        related: edits.related.clone(),
    };
    writer.act.check(&mut check, None, &stored);
    check.finish()?;
    check_external_id(conn, edits.external_id.as_deref(), None)?;
    let slug = match edits.slug.as_deref().and_then(Slug::parse) {
        Some(slug) => {
            check_slug(conn, &slug, None, writer)?;
            slug
        }
        None => {
            let wanted = Slug::from_title(&edits.title, Resource::Article.name());
            slugs::free(conn, Resource::Article, &wanted)?
        }
    };
    slugs::claim(conn, Resource::Article, &slug)?;
    stored.row.slug = slug.to_string();
    derive(&mut stored.row, tree);
    let id = diesel::insert_into(articles::table)
        .values(&stored.row)
        .returning(articles::id)
        .get_result(conn)?;
    (stored.row.id, stored.details.article_id) = (id, id);
    diesel::insert_into(article_details::table)
        .values(&stored.details)
        .execute(conn)?;
    write_also_in(conn, id, &stored.also_in)?;
    if !stored.related.is_empty() {
        write_related(conn, id, &stored.related)?;
    }
    write_terms(conn, &stored.row)?;
    finish(conn, &writer.act, None, &stored)?;
    if is_published {
        tell_published(conn, by, None, &stored)?;
    } else {
        tell(conn, by, Event::ArticleCreated, None, Some(&stored))?;
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
    release(&mut check, &mut row, publication, shows(&rendered), now)?;
    let mut is = Stored {
        row,
        details: details_row(id, &edits, rendered),
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
    finish(conn, &writer.act, Some(was), &is)?;
    if is_published {
        tell_published(conn, by, Some(was), &is)?;
    } else {
        tell(conn, by, event, Some(was), Some(&is))?;
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

/// Whether a body shows anything.
pub(super) fn shows(rendered: &Option<Rendered>) -> bool {
    rendered
        .as_ref()
        .is_some_and(|body| shows_something(&body.html, &body.text))
}

/// What every write of an article ends with: its listings, its revision, the change log.
pub(super) fn finish(
    conn: &mut Conn,
    act: &Act,
    was: Option<&Stored>,
    is: &Stored,
) -> ApiResult<()> {
    if was.is_some() {
        list_again(conn, &act.tree, &is.row, &is.also_in)?;
    } else {
        list_new(conn, &act.tree, &is.row, &is.also_in)?;
    }
    revise(conn, act, was, is)?;
    log_change(conn, act, was, is)
}

/// Moves the article to the end of the change log.
pub(super) fn log_change(
    conn: &mut Conn,
    act: &Act,
    was: Option<&Stored>,
    is: &Stored,
) -> ApiResult<()> {
    let now = act.by.now;
    let was_public = was.is_some_and(|was| was.row.is_public_at(now));
    let visible = Visible::from(was_public, is.row.is_public_at(now));
    changes::record(conn, Resource::Article, &[(is.row.id, visible)], now)?;
    Ok(())
}

/// Publishes an article, or schedules it. An end that it had and that is past is dropped: it would
/// undo the publishing at once.
pub fn publish(
    conn: &mut Conn,
    was: &Stored,
    publication: Publication,
    act: &Act,
) -> ApiResult<Stored> {
    let (mut stored, now) = (was.clone(), act.by.now);
    stored.row.status = stored.row.status_at(now).as_str().to_owned();
    stored.row.expires_at = stored.row.expires_at.filter(|end| *end > now);
    stored.row.ended_at = None;
    let shows = match (&stored.details.html, &stored.details.text) {
        (Some(html), Some(text)) => shows_something(html, text),
        _ => false,
    };
    let mut check = Check::default();
    release(&mut check, &mut stored.row, Some(publication), shows, now)?;
    act.check(&mut check, Some(was), &stored);
    check.finish()?;
    let is = save_row(conn, was, stored, act)?;
    let event = published_event(&is);
    tell(conn, &act.by, event, Some(was), Some(&is))?;
    Ok(is)
}

/// What publishing is called in the audit log, by what came of it.
pub(super) fn published_event(is: &Stored) -> Event {
    if is.row.status == Status::Scheduled.as_str() {
        Event::ArticleScheduled
    } else {
        Event::ArticlePublished
    }
}

/// Takes an article through a step of its life that needs nothing but its state.
pub fn take(conn: &mut Conn, was: &Stored, action: Action, act: &Act) -> ApiResult<Stored> {
    let (mut stored, now) = (was.clone(), act.by.now);
    if let Some(to) = step(stored.row.status_at(now), action, now)? {
        stored.row.status = to.as_str().to_owned();
    }
    stored.row.ended_at = (action == Action::Trash).then_some(now);
    // Another one has its place by the time that it comes back.
    stored.row.position = stored.row.position.filter(|_| action != Action::Trash);
    let is = save_row(conn, was, stored, act)?;
    tell(conn, &act.by, event_of(action), Some(was), Some(&is))?;
    if action == Action::Trash {
        previews::revoke(conn, &[is.row.id])?;
    }
    Ok(is)
}

fn event_of(action: Action) -> Event {
    match action {
        Action::Submit => Event::ArticleSubmitted,
        Action::Reject => Event::ArticleRejected,
        Action::Publish(_) => Event::ArticlePublished,
        Action::Unpublish => Event::ArticleUnpublished,
        Action::Trash => Event::ArticleTrashed,
        Action::Restore => Event::ArticleRestored,
        Action::Delete => Event::ArticleDeleted,
    }
}

/// Saves a new version of the article's row alone.
pub(super) fn save_row(
    conn: &mut Conn,
    was: &Stored,
    mut stored: Stored,
    act: &Act,
) -> ApiResult<Stored> {
    stored.row.version += 1;
    stored.row.updated_at = act.by.now;
    derive(&mut stored.row, &act.tree);
    diesel::update(articles::table.find(stored.row.id))
        .set(&stored.row)
        .execute(conn)?;
    finish(conn, act, Some(was), &stored)?;
    Ok(stored)
}

/// Deletes an article in the trash for good. Its hit counts and its place in the change log stay,
/// and its id is never used again.
pub fn delete(conn: &mut Conn, was: &Stored, act: &Act) -> ApiResult<()> {
    let now = act.by.now;
    step(was.row.status_at(now), Action::Delete, now)?;
    diesel::delete(articles::table.find(was.row.id)).execute(conn)?;
    slugs::forget(conn, Resource::Article, was.row.id)?;
    let gone = [(was.row.id, Visible::Not)];
    changes::record(conn, Resource::Article, &gone, now)?;
    tell(conn, &act.by, event_of(Action::Delete), Some(was), None)
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
fn release(
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

/// Checks the sections that an article is to stand in: each exists, and the writer may put the
/// article there or it is there already. 403 for one that the writer sees but has no part in; one
/// that it must not know of counts as missing.
fn check_references(
    check: &mut Check,
    tree: &Tree,
    edits: &Edits,
    reach: &Reach,
    was: Option<&Stored>,
) -> ApiResult<()> {
    let stands_in =
        |id: i64| was.is_some_and(|was| was.row.section_id == id || was.also_in.contains(&id));
    let find = |id: i64| {
        let may_know = |row: &&SectionRow| row.shown || reach.covers(id) || stands_in(id);
        tree.get(id).filter(may_know)
    };
    let may_use = |id: i64| {
        if find(id).is_none() || reach.covers(id) || stands_in(id) {
            Ok(())
        } else {
            Err(not_yours())
        }
    };
    let section_is_given = !check.has_fault_at("/section_id");
    if section_is_given {
        // It must be in reach wherever the article stood: also_in alone gives no part in it.
        if find(edits.section_id).is_some() && !reach.covers(edits.section_id) {
            return Err(not_yours());
        }
        if find(edits.section_id).is_none() {
            check.fault("/section_id", FaultCode::DoesNotExist, "names no section");
        }
    }
    for (index, id) in edits.also_in.iter().enumerate() {
        let pointer = format!("/also_in/{index}");
        may_use(*id)?;
        if find(*id).is_none() {
            check.fault(
                &pointer,
                FaultCode::DoesNotExist,
                format!("names no section: {id}"),
            );
        } else if *id == edits.section_id {
            check.fault(
                &pointer,
                FaultCode::Conflicting,
                "names the article's own section",
            );
        }
    }
    Ok(())
}

/// Checks the articles that are set as related: each exists, and the writer may know of it or it
/// was set already.
fn check_related(
    conn: &mut Conn,
    check: &mut Check,
    edits: &Edits,
    writer: &Writer,
    was: Option<&Stored>,
) -> ApiResult<()> {
    let given = edits.related.iter().enumerate();
    let new: Vec<(usize, i64)> = given
        .map(|(index, id)| (index, *id))
        .filter(|(_, id)| !was.is_some_and(|was| was.related.contains(id)))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = new.iter().map(|(_, id)| *id).collect();
    let public = lists::public_among(conn, &ids, writer.act.by.now)?;
    let rows: Vec<(i64, i64, Option<i64>)> = articles::table
        .filter(articles::id.eq_any(&ids))
        .select((articles::id, articles::section_id, articles::created_by))
        .load(conn)?;
    let only_by = writer.only_by(Permission::ReadContent);
    let is_known = |id: i64| {
        let own = rows.iter().find(|(found, ..)| *found == id);
        public.contains(&id)
            || own.is_some_and(|(_, section, by)| {
                writer.reach.covers(*section) && (only_by.is_none() || only_by == *by)
            })
    };
    for (index, id) in new {
        let pointer = format!("/related/{index}");
        if was.is_some_and(|was| was.row.id == id) {
            check.fault(&pointer, FaultCode::Conflicting, "names the article itself");
        } else if !is_known(id) {
            let detail = format!("names no article: {id}");
            check.fault(&pointer, FaultCode::DoesNotExist, detail);
        }
    }
    Ok(())
}

/// Refuses a slug that another article has, or had where it is not the writer's to take: the old one
/// still leads readers there. (What has it is not told: the writer may not know of it.)
fn check_slug(conn: &mut Conn, slug: &Slug, own: Option<i64>, writer: &Writer) -> ApiResult<()> {
    let taken = || {
        ApiError::new(
            Code::SlugTaken,
            format!("another article has the slug {slug}"),
        )
    };
    let holder = slugs::live(conn, Resource::Article, slug)?;
    if holder.is_some_and(|id| Some(id) != own) {
        return Err(taken());
    }
    let former = slugs::old(conn, Resource::Article, slug)?;
    if let Some(id) = former.filter(|id| Some(*id) != own) {
        let stands: Option<(i64, Option<i64>)> = articles::table
            .find(id)
            .select((articles::section_id, articles::created_by))
            .first(conn)
            .optional()?;
        let is_theirs = |(section, by): (i64, Option<i64>)| {
            let only_by = writer.only_by(Permission::WriteContent);
            !writer.reach.covers(section) || (only_by.is_some() && only_by != by)
        };
        if stands.is_some_and(is_theirs) {
            return Err(taken());
        }
    }
    Ok(())
}

fn check_external_id(conn: &mut Conn, given: Option<&str>, own: Option<i64>) -> ApiResult<()> {
    let Some(external_id) = given else {
        return Ok(());
    };
    match find_external(conn, external_id)? {
        Some(id) if Some(id) != own => Err(external_id_taken(external_id)),
        _ => Ok(()),
    }
}

/// 409 for an external id that another article has. (Which one is not told: the writer may not know
/// of it.)
pub fn external_id_taken(external_id: &str) -> ApiError {
    let detail = format!("another article has the external id {external_id}");
    ApiError::new(Code::ExternalIdTaken, detail)
}
