//! Where articles are found: their sections, tags and key words, and the rows of `listings`.

use std::collections::{BTreeMap, HashSet};

use diesel::prelude::*;

use crate::changes::{self, Visible};
use crate::db::later::{self, Later};
use crate::db::rows::{self, Cell, Column, Met};
use crate::db::schema::{article_also, article_related, article_terms, articles, listings};
use crate::db::{Conn, Timestamp, among, purges};
use crate::error::ApiResult;
use crate::hits;
use crate::http::keys::Key;
use crate::insert_all;
use crate::sections::Tree;
use crate::slugs::Resource;

use super::revise::revise;
use super::tell;
use super::{Act, ArticleRow, also_in, find_many};
use crate::articles::rules::Status;

pub(super) fn is_live(status: &str, section_id: i64, tree: &Tree) -> bool {
    Status::parse(status).is_some_and(Status::is_released)
        && tree.get(section_id).is_some_and(|section| section.shown)
}

#[derive(Insertable)]
#[diesel(table_name = article_also, treat_none_as_default_value = false)]
struct AlsoRow {
    article_id: i64,
    section_id: i64,
    ordinal: i64,
}

pub(super) fn write_also_in(conn: &mut Conn, id: i64, also_in: &[i64]) -> QueryResult<()> {
    diesel::delete(article_also::table.filter(article_also::article_id.eq(id))).execute(conn)?;
    add_also_in(conn, id, also_in)
}

/// The same for an article that is new.
pub(super) fn add_also_in(conn: &mut Conn, id: i64, also_in: &[i64]) -> QueryResult<()> {
    let rows: Vec<AlsoRow> = (0..)
        .zip(also_in)
        .map(|(ordinal, section_id)| AlsoRow {
            article_id: id,
            section_id: *section_id,
            ordinal,
        })
        .collect();
    later::write(conn, rows)
}

impl Later for AlsoRow {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(article_also::table).values(rows)
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = article_related, treat_none_as_default_value = false)]
struct RelatedRow {
    article_id: i64,
    related_id: i64,
    ordinal: i64,
}

pub(super) fn write_related(conn: &mut Conn, id: i64, related: &[i64]) -> QueryResult<()> {
    let of_article = article_related::article_id.eq(id);
    diesel::delete(article_related::table.filter(of_article)).execute(conn)?;
    add_related(conn, id, related)
}

/// The same for an article that is new.
pub(super) fn add_related(conn: &mut Conn, id: i64, related: &[i64]) -> QueryResult<()> {
    let rows: Vec<RelatedRow> = (0..)
        .zip(related)
        .map(|(ordinal, related_id)| RelatedRow {
            article_id: id,
            related_id: *related_id,
            ordinal,
        })
        .collect();
    later::write(conn, rows)
}

impl Later for RelatedRow {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(article_related::table).values(rows)
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = article_terms, treat_none_as_default_value = false)]
struct TermRow {
    kind: &'static str,
    term: String,
    article_id: i64,
}

/// The kind of a tag in `article_terms`.
pub const TAG: &str = "tag";

/// The kind of a key word in `article_terms`.
pub const KEYWORD: &str = "keyword";

pub(super) fn write_terms(conn: &mut Conn, row: &ArticleRow) -> QueryResult<()> {
    diesel::delete(article_terms::table.filter(article_terms::article_id.eq(row.id)))
        .execute(conn)?;
    add_terms(conn, row)
}

/// The same for an article that is new.
pub(super) fn add_terms(conn: &mut Conn, row: &ArticleRow) -> QueryResult<()> {
    let tags = row.tags.0.iter().map(|term| (TAG, term));
    let keywords = row.keywords.0.iter().map(|term| (KEYWORD, term));
    let rows: Vec<TermRow> = tags
        .chain(keywords)
        .map(|(kind, term)| TermRow {
            kind,
            term: term.clone(),
            article_id: row.id,
        })
        .collect();
    later::write(conn, rows)
}

impl Later for TermRow {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(article_terms::table).values(rows)
        })
    }
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

impl Listed {
    fn is_told_at(&self, now: Timestamp) -> bool {
        let stored = Status::parse(&self.status).unwrap_or(Status::Draft);
        self.live && stored.is_told(self.published_at, self.expires_at, now)
    }
}

/// Lists an article anew.
pub(super) fn list_again(
    conn: &mut Conn,
    tree: &Tree,
    row: &ArticleRow,
    also_in: &[i64],
) -> QueryResult<()> {
    let listed = listed_of(row);
    let rows = listing_rows(tree, &listed, also_in);
    replace_listings(conn, &[row.id], &rows)
}

/// Replaces the listings of these articles; the sums of their views follow. Caches elsewhere are told of
/// every list that they are or were in, also where they stay: their order may be another one.
fn replace_listings(conn: &mut Conn, ids: &[i64], rows: &[ListingRow]) -> QueryResult<()> {
    let before: Vec<(i64, i64)> = listings::table
        .filter(among(listings::article_id, ids))
        .select((listings::article_id, listings::section_id))
        .load(conn)?;
    let before: HashSet<(i64, i64)> = before.into_iter().collect();
    let after: HashSet<(i64, i64)> = rows
        .iter()
        .map(|row| (row.article_id, row.section_id))
        .collect();
    purges::name(before.union(&after).map(|(_, section)| Key::List(*section)));
    diesel::delete(listings::table.filter(among(listings::article_id, ids))).execute(conn)?;
    insert_listings(conn, rows)?;
    let gone: Vec<(i64, i64)> = before.difference(&after).copied().collect();
    let come: Vec<(i64, i64)> = after.difference(&before).copied().collect();
    move_counts(conn, &gone, &come)?;
    hits::listings_moved(conn, &gone, -1)?;
    hits::listings_moved(conn, &come, 1)
}

/// How many articles sections list: a difference is added to a row that is there.
const COUNTS: rows::Table = rows::Table {
    name: "listing_counts",
    columns: &[("section_id", Column::Number), ("articles", Column::Number)],
    keys: 1,
    met: Met::Added,
};

/// Keeps the counts of listings right where pairs of article and section go and come.
fn move_counts(conn: &mut Conn, gone: &[(i64, i64)], come: &[(i64, i64)]) -> QueryResult<()> {
    let mut moved: BTreeMap<i64, i64> = BTreeMap::new();
    for (listings, sign) in [(gone, -1), (come, 1)] {
        for (_, section) in listings {
            *moved.entry(*section).or_default() += sign;
        }
    }
    let moved = moved.into_iter().filter(|(_, articles)| *articles != 0);
    let rows: Vec<Vec<Cell>> = moved
        .map(|(section_id, articles)| vec![section_id.into(), articles.into()])
        .collect();
    COUNTS.upsert(conn, &rows)
}

/// Lists an article that is new, so that it has no views.
pub(super) fn list_new(
    conn: &mut Conn,
    tree: &Tree,
    row: &ArticleRow,
    also_in: &[i64],
) -> QueryResult<()> {
    let rows = listing_rows(tree, &listed_of(row), also_in);
    purges::name(rows.iter().map(|row| Key::List(row.section_id)));
    later::write(conn, rows)
}

/// Listings of articles that are new.
impl Later for ListingRow {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_listings(conn, &rows)?;
        let come: Vec<(i64, i64)> = rows
            .iter()
            .map(|row| (row.article_id, row.section_id))
            .collect();
        move_counts(conn, &[], &come)
    }
}

fn listed_of(row: &ArticleRow) -> Listed {
    Listed {
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
    }
}

fn insert_listings(conn: &mut Conn, rows: &[ListingRow]) -> QueryResult<()> {
    insert_all!(conn, rows, |rows| {
        diesel::insert_into(listings::table).values(rows)
    })
}

/// How many articles are read whole at once.
const WHOLE: usize = 20;
/// How many ids one statement names.
const CHUNK: usize = 500;

/// Lists these articles anew, by the tree as it is now: after sections were moved, hidden or shown.
/// The change log is told of those that came into readers' sight or went out of it, and of `told`.
pub fn relist(
    conn: &mut Conn,
    tree: &Tree,
    ids: &[i64],
    told: &HashSet<i64>,
    now: Timestamp,
) -> ApiResult<()> {
    for chunk in ids.chunks(CHUNK) {
        let also_in = also_in(conn, chunk)?;
        let mut listed: Vec<Listed> = articles::table
            .filter(articles::id.eq_any(chunk))
            .order(articles::id)
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
        let (mut rows, mut changed) = (Vec::new(), Vec::new());
        for article in &mut listed {
            let was = article.is_told_at(now);
            article.live = is_live(&article.status, article.section_id, tree);
            let is = article.is_told_at(now);
            if was != is || told.contains(&article.id) {
                changed.push((article.id, Visible::from(was, is)));
            }
            let also = also_in.get(&article.id).map_or(&[][..], Vec::as_slice);
            rows.extend(listing_rows(tree, article, also));
        }
        replace_listings(conn, chunk, &rows)?;
        changes::record(conn, Resource::Article, &changed, now)?;
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

/// Moves all articles of a section to another one, `also_in` too, and returns their ids. Each gets a
/// revision; they are not listed anew.
pub fn move_all(conn: &mut Conn, from: i64, to: i64, act: &Act) -> ApiResult<Vec<i64>> {
    let ids = ids_in_sections(conn, &[from])?;
    for chunk in ids.chunks(WHOLE) {
        let before = find_many(conn, chunk)?;
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
                articles::updated_at.eq(act.by.now),
                articles::version.eq(articles::version + 1),
            ))
            .execute(conn)?;
        for was in &before {
            let home = if was.row.section_id == from {
                to
            } else {
                was.row.section_id
            };
            let mut kept: Vec<i64> = Vec::new();
            for section in &was.also_in {
                let section = if *section == from { to } else { *section };
                if section != home && !kept.contains(&section) {
                    kept.push(section);
                }
            }
            if kept != was.also_in {
                write_also_in(conn, was.row.id, &kept)?;
            }
        }
        for (was, is) in before.iter().zip(find_many(conn, chunk)?) {
            let changes = tell::changes(act.by.now, Some(was), Some(&is));
            revise(conn, act, Some(was), &is, &changes)?;
        }
    }
    Ok(ids)
}
