//! Articles found by what names them elsewhere, many at once.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::later::{self, Later};
use crate::db::schema::{article_legacy_urls, articles};
use crate::http::reference::Slug;
use crate::insert_all;
use crate::slugs;

/// How many names one statement asks for.
const CHUNK: usize = 500;

/// How much of an address is indexed, in characters.
const HEAD: usize = 400;

/// What names an article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// Its id.
    Id(i64),
    /// Its slug, or one that it had.
    Slug(Slug),
    /// Its id in another system.
    ExternalId(String),
    /// An address that it had in an older system.
    LegacyUrl(String),
}

#[derive(Insertable)]
#[diesel(table_name = article_legacy_urls, treat_none_as_default_value = false)]
struct LegacyUrlRow {
    article_id: i64,
    ordinal: i64,
    head: String,
    url: String,
}

fn head(url: &str) -> &str {
    let end = url.char_indices().nth(HEAD);
    &url[..end.map_or(url.len(), |(at, _)| at)]
}

pub(super) fn write_legacy_urls(conn: &mut Conn, id: i64, urls: &[String]) -> QueryResult<()> {
    let of_article = article_legacy_urls::article_id.eq(id);
    diesel::delete(article_legacy_urls::table.filter(of_article)).execute(conn)?;
    add_legacy_urls(conn, id, urls)
}

/// The same for an article that is new.
pub(super) fn add_legacy_urls(conn: &mut Conn, id: i64, urls: &[String]) -> QueryResult<()> {
    let rows: Vec<LegacyUrlRow> = (0..)
        .zip(urls)
        .map(|(ordinal, url)| LegacyUrlRow {
            article_id: id,
            ordinal,
            head: head(url).to_owned(),
            url: url.clone(),
        })
        .collect();
    later::write(conn, rows)
}

impl Later for LegacyUrlRow {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(article_legacy_urls::table).values(rows)
        })
    }
}

/// The articles that each of these names leads to, in whatever state, in the order of the names: none,
/// one or, for an address, several. An id leads to itself, whether there is an article or not. Takes a
/// few statements for every 500 names.
pub fn named(conn: &mut Conn, names: &[Name]) -> QueryResult<Vec<Vec<i64>>> {
    let (mut slugs, mut external_ids, mut urls) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        match name {
            Name::Id(_) => {}
            Name::Slug(slug) => slugs.push(slug.as_str()),
            Name::ExternalId(id) => external_ids.push(id.as_str()),
            Name::LegacyUrl(url) => urls.push(url.as_str()),
        }
    }
    let by_slug = slugs::articles(conn, &slugs)?;
    let by_external_id = by_external_id(conn, &external_ids)?;
    let by_url = by_legacy_url(conn, &urls)?;
    let found = names.iter().map(|name| match name {
        Name::Id(id) => vec![*id],
        Name::Slug(slug) => by_slug.get(slug.as_str()).copied().into_iter().collect(),
        Name::ExternalId(id) => by_external_id.get(id).copied().into_iter().collect(),
        Name::LegacyUrl(url) => by_url.get(url).cloned().unwrap_or_default(),
    });
    Ok(found.collect())
}

fn by_external_id(conn: &mut Conn, wanted: &[&str]) -> QueryResult<HashMap<String, i64>> {
    let mut found = HashMap::new();
    for chunk in wanted.chunks(CHUNK) {
        let rows: Vec<(Option<String>, i64)> = articles::table
            .filter(articles::external_id.eq_any(chunk))
            .select((articles::external_id, articles::id))
            .load(conn)?;
        found.extend(rows.into_iter().filter_map(|(name, id)| Some((name?, id))));
    }
    Ok(found)
}

fn by_legacy_url(conn: &mut Conn, wanted: &[&str]) -> QueryResult<HashMap<String, Vec<i64>>> {
    let mut found: HashMap<String, Vec<i64>> = HashMap::new();
    for chunk in wanted.chunks(CHUNK) {
        let heads: Vec<&str> = chunk.iter().map(|url| head(url)).collect();
        let rows: Vec<(String, i64)> = article_legacy_urls::table
            .filter(article_legacy_urls::head.eq_any(heads))
            .select((article_legacy_urls::url, article_legacy_urls::article_id))
            .load(conn)?;
        for (url, id) in rows {
            let ids = found.entry(url).or_default();
            // Where an address is asked for twice, so may its rows be.
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(found)
}
