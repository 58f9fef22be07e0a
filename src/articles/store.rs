//! Every write of articles, and the rows behind them.

use std::collections::HashMap;

use diesel::dsl::{count_star, max};
use diesel::prelude::*;

use crate::db::dialect::MAX_BINDS;
use crate::db::schema::{article_also, article_details, article_terms, articles, listings};
use crate::db::{Conn, JsonOf, Timestamp};
use crate::each;
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::fields::Check;
use crate::http::reference::Slug;
use crate::sections::Tree;
use crate::slugs::{self, Resource};
use crate::visibility::is_public;

use super::rules::{Action, Status, step};
use super::text::{MAX_NESTING, Rendered, TooDeep, render, shows_something, title_key};
use super::wire::{Attachment, BodyFormat, Cover, Edits, NewBody, Publication, Seo, Source};

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

/// Who writes, and when.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// The account.
    pub user_id: Option<i64>,
    /// The instant.
    pub now: Timestamp,
}

/// Makes an article, published at once where that is asked. Faults found here are told with those
/// of `check`.
pub fn create(
    conn: &mut Conn,
    edits: Edits,
    publication: Option<Publication>,
    writer: Writer,
    mut check: Check,
) -> ApiResult<Stored> {
    let tree = crate::sections::store::tree(conn)?;
    check_references(&mut check, &tree, &edits);
    let rendered = rendered(&mut check, &edits, None);
    let mut row = new_row(&edits, rendered.as_ref(), writer);
    release(
        &mut check,
        &mut row,
        publication,
        shows(&rendered),
        writer.now,
    )?;
    check.finish()?;
    check_external_id(conn, edits.external_id.as_deref(), None)?;
    let slug = match edits.slug.as_deref().and_then(Slug::parse) {
        Some(slug) => {
            check_slug(conn, &slug, None)?;
            slug
        }
        None => {
            let wanted = Slug::from_title(&edits.title, Resource::Article.name());
            slugs::free(conn, Resource::Article, &wanted)?
        }
    };
    slugs::claim(conn, Resource::Article, &slug)?;
    row.slug = slug.to_string();
    derive(&mut row, &tree);
    row.id = diesel::insert_into(articles::table)
        .values(&row)
        .returning(articles::id)
        .get_result(conn)?;
    let details = details_row(row.id, &edits, rendered);
    diesel::insert_into(article_details::table)
        .values(&details)
        .execute(conn)?;
    let also_in = edits.also_in;
    write_also_in(conn, row.id, &also_in)?;
    write_terms(conn, &row)?;
    list_one(conn, &tree, &row, &also_in)?;
    Ok(Stored {
        row,
        details,
        also_in,
    })
}

/// Replaces an article's editable members; with `publication`, publishes it in the same breath.
/// Faults found here are told with those of `check`.
pub fn update(
    conn: &mut Conn,
    was: &Stored,
    edits: Edits,
    publication: Option<Publication>,
    writer: Writer,
    mut check: Check,
) -> ApiResult<Stored> {
    let (id, now) = (was.row.id, writer.now);
    let tree = crate::sections::store::tree(conn)?;
    check_references(&mut check, &tree, &edits);
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
        ..new_row(&edits, rendered.as_ref(), writer)
    };
    release(&mut check, &mut row, publication, shows(&rendered), now)?;
    check.finish()?;
    check_external_id(conn, edits.external_id.as_deref(), Some(id))?;
    if let Some(slug) = edits.slug.as_deref().and_then(Slug::parse)
        && slug.as_str() != was.row.slug
    {
        check_slug(conn, &slug, Some(id))?;
        slugs::claim(conn, Resource::Article, &slug)?;
        slugs::retire(conn, Resource::Article, &was.row.slug, id, now)?;
        row.slug = slug.to_string();
    }
    derive(&mut row, &tree);
    diesel::update(articles::table.find(id))
        .set(&row)
        .execute(conn)?;
    let details = details_row(id, &edits, rendered);
    diesel::update(article_details::table.find(id))
        .set(&details)
        .execute(conn)?;
    let also_in = edits.also_in;
    if also_in != was.also_in {
        write_also_in(conn, id, &also_in)?;
    }
    if row.tags != was.row.tags || row.keywords != was.row.keywords {
        write_terms(conn, &row)?;
    }
    list_one(conn, &tree, &row, &also_in)?;
    Ok(Stored {
        row,
        details,
        also_in,
    })
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
    match render(body.format, &body.content) {
        Ok(rendered) => Some(rendered),
        Err(TooDeep) => {
            let detail = format!("has more than {MAX_NESTING} elements within each other");
            check.fault("/body/content", FaultCode::TooDeep, detail);
            None
        }
    }
}

/// Whether a body shows anything.
fn shows(rendered: &Option<Rendered>) -> bool {
    rendered
        .as_ref()
        .is_some_and(|body| shows_something(&body.html, &body.text))
}

/// Publishes an article, or schedules it. An end that it had and that is past is dropped: it would
/// undo the publishing at once.
pub fn publish(
    conn: &mut Conn,
    was: Stored,
    publication: Publication,
    now: Timestamp,
) -> ApiResult<Stored> {
    let mut stored = was;
    stored.row.status = stored.row.status_at(now).as_str().to_owned();
    stored.row.expires_at = stored.row.expires_at.filter(|end| *end > now);
    let shows = match (&stored.details.html, &stored.details.text) {
        (Some(html), Some(text)) => shows_something(html, text),
        _ => false,
    };
    let mut check = Check::default();
    release(&mut check, &mut stored.row, Some(publication), shows, now)?;
    check.finish()?;
    save_status(conn, stored, now)
}

/// Takes an article through a step of its life that needs nothing but its state.
pub fn take(conn: &mut Conn, was: Stored, action: Action, now: Timestamp) -> ApiResult<Stored> {
    let mut stored = was;
    if let Some(to) = step(stored.row.status_at(now), action, now)? {
        stored.row.status = to.as_str().to_owned();
    }
    save_status(conn, stored, now)
}

fn save_status(conn: &mut Conn, mut stored: Stored, now: Timestamp) -> ApiResult<Stored> {
    let tree = crate::sections::store::tree(conn)?;
    stored.row.version += 1;
    stored.row.updated_at = now;
    derive(&mut stored.row, &tree);
    diesel::update(articles::table.find(stored.row.id))
        .set(&stored.row)
        .execute(conn)?;
    list_one(conn, &tree, &stored.row, &stored.also_in)?;
    Ok(stored)
}

/// Deletes an article in the trash for good. Its hit counts stay in their own tables, and its id is
/// never used again.
pub fn delete(conn: &mut Conn, was: &Stored, now: Timestamp) -> ApiResult<()> {
    step(was.row.status_at(now), Action::Delete, now)?;
    diesel::delete(articles::table.find(was.row.id)).execute(conn)?;
    slugs::forget(conn, Resource::Article, was.row.id)?;
    Ok(())
}

/// The row of these members, but for the slug.
fn new_row(edits: &Edits, rendered: Option<&Rendered>, writer: Writer) -> ArticleRow {
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
        dated_at: writer.now,
        live: false,
        word_count: rendered.map_or(0, |rendered| rendered.words),
        created_by: writer.user_id,
        created_at: writer.now,
        updated_at: writer.now,
        version: 1,
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
fn derive(row: &mut ArticleRow, tree: &Tree) {
    row.dated_at = row.published_at.unwrap_or(row.created_at);
    row.live = is_live(&row.status, row.section_id, tree);
}

fn is_live(status: &str, section_id: i64, tree: &Tree) -> bool {
    Status::parse(status).is_some_and(Status::is_released)
        && tree.get(section_id).is_some_and(|section| section.shown)
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

fn check_references(check: &mut Check, tree: &Tree, edits: &Edits) {
    let section_is_given = !check.has_fault_at("/section_id");
    if section_is_given && tree.get(edits.section_id).is_none() {
        check.fault("/section_id", FaultCode::DoesNotExist, "names no section");
    }
    for (index, id) in edits.also_in.iter().enumerate() {
        let pointer = format!("/also_in/{index}");
        if tree.get(*id).is_none() {
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
}

fn check_slug(conn: &mut Conn, slug: &Slug, own: Option<i64>) -> ApiResult<()> {
    match slugs::live(conn, Resource::Article, slug)? {
        Some(id) if Some(id) != own => {
            let detail = format!("article {id} has the slug {slug}");
            Err(ApiError::new(Code::SlugTaken, detail))
        }
        _ => Ok(()),
    }
}

fn check_external_id(conn: &mut Conn, given: Option<&str>, own: Option<i64>) -> ApiResult<()> {
    let Some(external_id) = given else {
        return Ok(());
    };
    match find_external(conn, external_id)? {
        Some(id) if Some(id) != own => {
            let detail = format!("article {id} has the external id {external_id}");
            Err(ApiError::new(Code::ExternalIdTaken, detail))
        }
        _ => Ok(()),
    }
}

#[derive(Insertable)]
#[diesel(table_name = article_also)]
struct AlsoRow {
    article_id: i64,
    section_id: i64,
    ordinal: i64,
}

fn write_also_in(conn: &mut Conn, id: i64, also_in: &[i64]) -> QueryResult<()> {
    diesel::delete(article_also::table.filter(article_also::article_id.eq(id))).execute(conn)?;
    let rows: Vec<AlsoRow> = (0..)
        .zip(also_in)
        .map(|(ordinal, section_id)| AlsoRow {
            article_id: id,
            section_id: *section_id,
            ordinal,
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    each!(conn, c => diesel::insert_into(article_also::table).values(&rows).execute(c))?;
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = article_terms)]
struct TermRow<'a> {
    kind: &'static str,
    term: &'a str,
    article_id: i64,
}

/// The kind of a tag in `article_terms`.
pub const TAG: &str = "tag";
/// The kind of a key word in `article_terms`.
pub const KEYWORD: &str = "keyword";

fn write_terms(conn: &mut Conn, row: &ArticleRow) -> QueryResult<()> {
    diesel::delete(article_terms::table.filter(article_terms::article_id.eq(row.id)))
        .execute(conn)?;
    let tags = row.tags.0.iter().map(|term| (TAG, term));
    let keywords = row.keywords.0.iter().map(|term| (KEYWORD, term));
    let rows: Vec<TermRow<'_>> = tags
        .chain(keywords)
        .map(|(kind, term)| TermRow {
            kind,
            term,
            article_id: row.id,
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    each!(conn, c => diesel::insert_into(article_terms::table).values(&rows).execute(c))?;
    Ok(())
}

#[derive(Debug, Insertable)]
#[diesel(table_name = listings, treat_none_as_default_value = false)]
struct ListingRow {
    section_id: i64,
    article_id: i64,
    direct: bool,
    published_at: Timestamp,
    expires_at: Option<Timestamp>,
    updated_at: Timestamp,
    title_key: Vec<u8>,
    position: Option<i64>,
    pinned_until: Option<Timestamp>,
}

const LISTING_COLUMNS: usize = 9;

/// The listings that an article has by rights.
fn listing_rows(tree: &Tree, listed: &Listed, also_in: &[i64]) -> Vec<ListingRow> {
    let Some(published_at) = listed.published_at.filter(|_| listed.live) else {
        return Vec::new();
    };
    let places = tree.listed_in(listed.section_id, also_in).into_iter();
    places
        .map(|(section_id, direct)| {
            let is_home = section_id == listed.section_id;
            ListingRow {
                section_id,
                article_id: listed.id,
                direct,
                published_at,
                expires_at: listed.expires_at,
                updated_at: listed.updated_at,
                title_key: listed.title_key.clone(),
                position: listed.position.filter(|_| is_home),
                pinned_until: listed.pinned_until.filter(|_| is_home),
            }
        })
        .collect()
}

/// What listings are made from.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = articles)]
struct Listed {
    id: i64,
    section_id: i64,
    status: String,
    live: bool,
    published_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    updated_at: Timestamp,
    title_key: Vec<u8>,
    position: Option<i64>,
    pinned_until: Option<Timestamp>,
}

fn list_one(conn: &mut Conn, tree: &Tree, row: &ArticleRow, also_in: &[i64]) -> QueryResult<()> {
    let listed = Listed {
        id: row.id,
        section_id: row.section_id,
        status: row.status.clone(),
        live: row.live,
        published_at: row.published_at,
        expires_at: row.expires_at,
        updated_at: row.updated_at,
        title_key: row.title_key.clone(),
        position: row.position,
        pinned_until: row.pinned_until,
    };
    if row.version > 1 {
        diesel::delete(listings::table.filter(listings::article_id.eq(row.id))).execute(conn)?;
    }
    insert_listings(conn, &listing_rows(tree, &listed, also_in))
}

fn insert_listings(conn: &mut Conn, rows: &[ListingRow]) -> QueryResult<()> {
    for chunk in rows.chunks(MAX_BINDS / LISTING_COLUMNS) {
        each!(conn, c => diesel::insert_into(listings::table).values(chunk).execute(c))?;
    }
    Ok(())
}

/// How many ids one statement names.
const CHUNK: usize = 500;

/// Lists these articles anew, by the tree as it is now: after sections were moved, hidden or shown.
pub fn relist(conn: &mut Conn, tree: &Tree, ids: &[i64]) -> ApiResult<()> {
    for chunk in ids.chunks(CHUNK) {
        let also_in = also_in(conn, chunk)?;
        let mut listed: Vec<Listed> = articles::table
            .filter(articles::id.eq_any(chunk))
            .select(Listed::as_select())
            .load(conn)?;
        for live in [true, false] {
            let changed: Vec<i64> = listed
                .iter()
                .filter(|l| l.live != live && is_live(&l.status, l.section_id, tree) == live)
                .map(|l| l.id)
                .collect();
            diesel::update(articles::table.filter(articles::id.eq_any(&changed)))
                .set(articles::live.eq(live))
                .execute(conn)?;
        }
        let mut rows = Vec::new();
        for article in &mut listed {
            article.live = is_live(&article.status, article.section_id, tree);
            let also = also_in.get(&article.id).map_or(&[][..], Vec::as_slice);
            rows.extend(listing_rows(tree, article, also));
        }
        diesel::delete(listings::table.filter(listings::article_id.eq_any(chunk))).execute(conn)?;
        insert_listings(conn, &rows)?;
    }
    Ok(())
}

/// Ids of the articles that stand in these sections, by `also_in` too.
pub fn ids_in_sections(conn: &mut Conn, section_ids: &[i64]) -> QueryResult<Vec<i64>> {
    let mut ids: Vec<i64> = Vec::new();
    for chunk in section_ids.chunks(CHUNK) {
        ids.extend(
            articles::table
                .filter(articles::section_id.eq_any(chunk))
                .select(articles::id)
                .load::<i64>(conn)?,
        );
        ids.extend(
            article_also::table
                .filter(article_also::section_id.eq_any(chunk))
                .select(article_also::article_id)
                .load::<i64>(conn)?,
        );
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Moves all articles of a section to another one, `also_in` too, and returns their ids. They are
/// not listed anew.
pub fn move_all(conn: &mut Conn, from: i64, to: i64, now: Timestamp) -> ApiResult<Vec<i64>> {
    let ids = ids_in_sections(conn, &[from])?;
    for chunk in ids.chunks(CHUNK) {
        diesel::update(
            articles::table
                .filter(articles::id.eq_any(chunk))
                .filter(articles::section_id.eq(from)),
        )
        .set((
            articles::section_id.eq(to),
            articles::position.eq(None::<i64>),
        ))
        .execute(conn)?;
        diesel::update(articles::table.filter(articles::id.eq_any(chunk)))
            .set((
                articles::updated_at.eq(now),
                articles::version.eq(articles::version + 1),
            ))
            .execute(conn)?;
        let homes: HashMap<i64, i64> = articles::table
            .filter(articles::id.eq_any(chunk))
            .select((articles::id, articles::section_id))
            .load::<(i64, i64)>(conn)?
            .into_iter()
            .collect();
        for (id, mut also) in also_in(conn, chunk)? {
            for section in &mut also {
                if *section == from {
                    *section = to;
                }
            }
            let home = homes.get(&id).copied();
            let mut kept: Vec<i64> = Vec::new();
            for section in also {
                if Some(section) != home && !kept.contains(&section) {
                    kept.push(section);
                }
            }
            write_also_in(conn, id, &kept)?;
        }
    }
    Ok(ids)
}

/// What a section shows of its articles.
#[derive(Debug, Clone, Copy)]
pub struct SectionCount {
    /// Public articles in it and below it, each counted once.
    pub articles: i64,
    /// When the newest was published.
    pub last_published_at: Timestamp,
}

/// The counts of those of these sections that have public articles; of the whole site for 0.
pub fn counts(
    conn: &mut Conn,
    section_ids: &[i64],
    now: Timestamp,
) -> QueryResult<HashMap<i64, SectionCount>> {
    let mut counts = HashMap::new();
    for chunk in section_ids.chunks(CHUNK) {
        let rows: Vec<(i64, i64, Option<Timestamp>)> = listings::table
            .filter(listings::section_id.eq_any(chunk))
            .filter(is_public(now))
            .group_by(listings::section_id)
            .select((
                listings::section_id,
                count_star(),
                max(listings::published_at),
            ))
            .load(conn)?;
        for (section, articles, newest) in rows {
            if let Some(last_published_at) = newest {
                counts.insert(
                    section,
                    SectionCount {
                        articles,
                        last_published_at,
                    },
                );
            }
        }
    }
    Ok(counts)
}
