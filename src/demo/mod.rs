//! Sample content for a first look: an invented city's portal.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{Days, NaiveTime};
use diesel::prelude::*;
use serde::Deserialize;

use crate::app::{App, StartError};
use crate::articles::store::{Act, Writer};
use crate::articles::wire::{Attachment, BodyFormat, Cover, Edits, NewBody, Publication, Source};
use crate::audit::{Actor, By};
use crate::clock::SiteZone;
use crate::config::Site;
use crate::db::schema::{articles as articles_table, sections as sections_table};
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::http::fields::Check;
use crate::http::reference::Slug;
use crate::sections::Reach;
use crate::{articles, hits, sections};

const CONTENT: &str = include_str!("content.json");

/// How many days of views are made up.
const HISTORY_DAYS: u64 = 60;

#[derive(Deserialize)]
struct Content {
    sections: Vec<DemoSection>,
    articles: Vec<DemoArticle>,
}

#[derive(Deserialize)]
struct DemoSection {
    slug: String,
    name: String,
    parent: Option<String>,
    description: Option<String>,
    keywords: Vec<String>,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct DemoArticle {
    section: String,
    also_in: Vec<String>,
    title: String,
    subtitle: Option<String>,
    short_title: Option<String>,
    summary: Option<String>,
    source: Option<DemoSource>,
    author: Option<String>,
    editor: Option<String>,
    keywords: Vec<String>,
    tags: Vec<String>,
    lang: String,
    featured: bool,
    pinned_days: Option<i64>,
    cover: Option<Cover>,
    external_url: Option<String>,
    attachments: Vec<Attachment>,
    days_ago: i64,
    time: String,
    status: String,
    body: Option<DemoBody>,
    baseline: i64,
    popularity: i64,
}

#[derive(Deserialize)]
struct DemoSource {
    name: String,
    url: Option<String>,
}

#[derive(Deserialize)]
struct DemoBody {
    format: String,
    content: String,
}

/// Fills an empty database; leaves one with any section or article as it is.
pub async fn fill(app: &App) -> Result<(), StartError> {
    let content: Content =
        serde_json::from_str(CONTENT).map_err(|e| StartError::Other(format!("demo: {e}")))?;
    let (now, site) = (app.clock.now(), app.config.site.clone());
    let filled = app
        .db
        .write(move |conn| fill_all(conn, content, &site, now))
        .await;
    match filled {
        Ok(Some(articles)) => tracing::info!(articles, "filled with sample content"),
        Ok(None) => tracing::info!("the database is not empty: no sample content added"),
        Err(error) => return Err(StartError::Other(format!("demo: {error}"))),
    }
    Ok(())
}

fn fill_all(
    conn: &mut Conn,
    content: Content,
    site: &Site,
    now: Timestamp,
) -> ApiResult<Option<usize>> {
    let existing: i64 = sections_table::table.count().get_result::<i64>(conn)?
        + articles_table::table.count().get_result::<i64>(conn)?;
    if existing > 0 {
        return Ok(None);
    }
    let mut ids: HashMap<String, i64> = HashMap::new();
    for section in content.sections {
        let parent_id = section
            .parent
            .as_ref()
            .and_then(|slug| ids.get(slug))
            .copied();
        let new = sections::store::NewSection {
            parent_id,
            position: None,
            slug: Slug::parse(&section.slug),
            edits: sections::store::Edits {
                name: section.name,
                visible: true,
                description: section.description,
                keywords: section.keywords,
                kind: section.kind,
                cover: None,
                max_age_days: None,
            },
        };
        let row = sections::store::create(conn, new, Check::default(), &Actor::system().at(now))?;
        ids.insert(section.slug, row.id);
    }
    let count = content.articles.len();
    for article in content.articles {
        add_article(conn, article, &ids, site, now)?;
    }
    Ok(Some(count))
}

fn add_article(
    conn: &mut Conn,
    article: DemoArticle,
    ids: &HashMap<String, i64>,
    site: &Site,
    now: Timestamp,
) -> ApiResult<()> {
    let wrong = |what: &str| ApiError::Internal(format!("{}: wrong {what}", article.title));
    let section = |slug: &String| ids.get(slug).copied().ok_or_else(|| wrong("section"));
    let time = NaiveTime::parse_from_str(&article.time, "%H:%M").map_err(|_| wrong("time"))?;
    let at = instant(site.zone, now, article.days_ago, time).ok_or_else(|| wrong("date"))?;
    // What is of today may have a time that hasn't come yet.
    let published_at = if article.status == "published" {
        at.min(now)
    } else {
        at
    };
    let body = match article.body {
        Some(ref body) => Some(NewBody {
            format: BodyFormat::parse(&body.format).ok_or_else(|| wrong("format"))?,
            content: body.content.clone(),
        }),
        None => None,
    };
    let also_in = article
        .also_in
        .iter()
        .map(section)
        .collect::<ApiResult<Vec<_>>>()?;
    let is_draft = article.status == "draft";
    let edits = Edits {
        section_id: section(&article.section)?,
        also_in,
        body,
        source: article.source.map(|source| Source {
            name: source.name,
            url: source.url,
        }),
        title: article.title,
        subtitle: article.subtitle,
        short_title: article.short_title,
        summary: article.summary,
        author: article.author,
        editor: article.editor,
        keywords: article.keywords,
        tags: article.tags,
        lang: article.lang,
        featured: article.featured,
        pinned_until: article
            .pinned_days
            .map(|days| now.plus_seconds(days * 24 * 3600)),
        cover: article.cover,
        external_url: article.external_url,
        attachments: article.attachments,
        ..Edits::nothing(&site.locale)
    };
    let publication = Publication {
        published_at: Some(published_at),
        ..Publication::default()
    };
    let at = if is_draft { now } else { published_at.min(now) };
    let writer = Writer {
        act: Act {
            by: By {
                recorded_at: now,
                ..Actor::system().at(at)
            },
            note: None,
            tree: Arc::new(sections::store::tree(conn)?),
            checker: None,
        },
        reach: Reach::Everywhere,
        caller: None,
    };
    let stored = articles::store::create(
        conn,
        edits,
        (!is_draft).then_some(publication),
        &writer,
        Check::default(),
    )?;
    if article.status == "published" {
        let views = Views {
            article_id: stored.row.id,
            popularity: article.popularity,
            published_at,
            baseline: article.baseline,
        };
        add_views(conn, &views, site.zone, now)?;
    }
    Ok(())
}

fn instant(zone: SiteZone, now: Timestamp, days_ago: i64, time: NaiveTime) -> Option<Timestamp> {
    use chrono::Timelike;
    let today = zone.day(now);
    let day = today.checked_sub_signed(chrono::TimeDelta::days(days_ago))?;
    Some(
        zone.start_of_day(day)
            .plus_seconds(i64::from(time.num_seconds_from_midnight())),
    )
}

struct Views {
    article_id: i64,
    popularity: i64,
    published_at: Timestamp,
    baseline: i64,
}

/// A made-up history of views: many in the first days, fewer later, each day a little different.
fn add_views(conn: &mut Conn, views: &Views, zone: SiteZone, now: Timestamp) -> ApiResult<()> {
    let (first, today) = (zone.day(views.published_at), zone.day(now));
    let oldest = today
        .checked_sub_days(Days::new(HISTORY_DAYS))
        .unwrap_or(today);
    for day in first
        .max(oldest)
        .iter_days()
        .take_while(|day| *day <= today)
    {
        let age = (day - first).num_days();
        let fresh = if age < 3 { 4 - age } else { 1 };
        let wobble = (views.article_id * 7 + age * 13) % 5;
        let hits = views.popularity * fresh * (8 + wobble) / 10;
        if hits > 0 {
            let last_at = zone.end_of_day(day).plus_seconds(-60).min(now);
            hits::store::add_history(conn, views.article_id, hits, last_at, zone, now)?;
        }
    }
    hits::store::start_from(conn, views.article_id, views.baseline, today)?;
    Ok(())
}
