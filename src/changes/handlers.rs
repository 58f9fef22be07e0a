//! Reading the change log.

use std::collections::HashMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use utoipa::IntoParams;

use super::cursor::Cursor;
use super::store::{self, ChangeRow, Span, UPSERT};
use super::wire::{Change, ChangeList, ChangedSection, ChangesPage};
use crate::app::App;
use crate::articles::lists;
use crate::articles::wire::ChangedArticle;
use crate::config::Site;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::{Delivery, REVALIDATE};
use crate::http::paging::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::params::{FromParams, Params, Reader};
use crate::sections::{self, Tree};
use crate::slugs::Resource;

/// The longest cursor, in characters.
const MAX_CURSOR: usize = 200;

/// Which changes.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ChangesQuery` reads")]
struct ChangesParams {
    /// `next_cursor` of the answer before: what changed since. Left out: everything that is public,
    /// from the start.
    #[param(max_length = 200, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// `article`, `section` or both, separated by a comma. Default: both.
    #[param(
        pattern = "^(article|section)(,(article|section))*$",
        example = "article,section"
    )]
    resources: Option<String>,
    /// The most changes to return.
    #[param(minimum = 1, maximum = 100, default = 20, example = 100)]
    limit: Option<i64>,
}

#[derive(Debug)]
pub struct ChangesQuery {
    cursor: Option<Cursor>,
    resource: Option<Resource>,
    limit: i64,
}

impl FromParams for ChangesQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let cursor = reader.text_within("cursor", MAX_CURSOR).and_then(|text| {
            let cursor = Cursor::decode(&text);
            if cursor.is_none() {
                let detail = "is none that this log gave out";
                reader.fault("cursor", FaultCode::InvalidCursor, detail);
            }
            cursor
        });
        let all = [Resource::Article, Resource::Section];
        let resources = reader.choices("resources", &all.map(|one| (one.name(), one)));
        Self {
            cursor,
            resource: resources
                .first()
                .copied()
                .filter(|first| resources.iter().all(|one| one == first)),
            limit: reader
                .integer("limit", 1..=MAX_LIMIT)
                .unwrap_or(DEFAULT_LIMIT),
        }
    }
}

/// Follow what changes
///
/// Everything that is public, and then what changes of it, for apps that keep a copy. The first call,
/// without a cursor, begins a pass over all public sections and articles; each answer's `next_cursor`
/// goes on from there, also after the end: what changed since, each article and section once, as it
/// is now. `delete` tells of what was public and isn't any more: deleted, unpublished, expired, or in
/// a section that was hidden. Nothing is ever left out, however long a client was away.
#[utoipa::path(
    tag = "changes", operation_id = "listChanges", params(ChangesParams),
    responses((status = 200, description = "A page of changes", body = ChangeList)),
)]
#[get("/v1/changes")]
pub async fn list(
    app: Data<App>,
    req: HttpRequest,
    query: Params<ChangesQuery>,
) -> ApiResult<HttpResponse> {
    let (clock, site) = (app.clock.clone(), app.config.site.clone());
    let read = app
        .db
        .read(move |conn| page(conn, &query.0, &site, clock.now()));
    Delivery::json(&read.await?)?.answer(req.headers(), REVALIDATE)
}

fn page(
    conn: &mut Conn,
    query: &ChangesQuery,
    site: &Site,
    now: Timestamp,
) -> ApiResult<ChangeList> {
    let generation = super::generation(conn)?;
    let cursor = match query.cursor {
        None => Cursor {
            after: 0,
            snapshot_until: generation,
        },
        Some(cursor) if cursor.after <= generation => cursor,
        Some(_) => {
            let detail = "cursor is of another log: begin again without one";
            let code = FaultCode::InvalidCursor;
            return Err(ApiError::bad_parameter("cursor", code, detail));
        }
    };
    let span = Span {
        after: cursor.after,
        snapshot_until: cursor.snapshot_until,
        resource: query.resource,
    };
    let mut rows = store::rows(conn, &span, query.limit + 1)?;
    let limit = usize::try_from(query.limit).unwrap_or(0);
    let mut has_more = rows.len() > limit;
    rows.truncate(limit);
    let tree = sections::store::tree(conn)?;
    let mut shown = Shown::read(conn, &rows, &tree, site, now)?;
    // What another node has published by a clock that is ahead of this one's is told when its time
    // has come here, too: nothing may be passed over.
    let early = rows.iter().position(|row| shown.is_early(row));
    let is_cut = early.is_some();
    if let Some(early) = early {
        rows.truncate(early);
        has_more = false;
    }
    // At the end of what there is, the whole log is behind: what isn't told is looked at once.
    let after = match rows.last() {
        Some(last) if has_more || is_cut => last.seq,
        None if is_cut => cursor.after,
        _ => generation,
    };
    let data = rows.into_iter().filter_map(|row| shown.change(row, &span));
    Ok(ChangeList {
        data: data.collect(),
        page: ChangesPage {
            limit: query.limit,
            next_cursor: Cursor { after, ..cursor }.encode(),
            has_more,
        },
    })
}

/// What readers see of the rows of a page.
struct Shown<'a> {
    tree: &'a Tree,
    articles: HashMap<i64, ChangedArticle>,
    early: Vec<i64>,
}

impl<'a> Shown<'a> {
    fn read(
        conn: &mut Conn,
        rows: &[ChangeRow],
        tree: &'a Tree,
        site: &Site,
        now: Timestamp,
    ) -> ApiResult<Self> {
        let wanted = rows
            .iter()
            .filter(|row| is_article(row) && row.op == UPSERT);
        let ids: Vec<i64> = wanted.map(|row| row.entity_id).collect();
        let articles = lists::changed(conn, &ids, tree, site, now)?;
        let hidden: Vec<i64> = ids
            .into_iter()
            .filter(|id| !articles.contains_key(id))
            .collect();
        Ok(Self {
            early: lists::public_later(conn, &hidden, now)?,
            tree,
            articles,
        })
    }

    fn is_early(&self, row: &ChangeRow) -> bool {
        is_article(row) && self.early.contains(&row.entity_id)
    }

    /// The change; `None` where a client that has nothing yet need not be told.
    fn change(&mut self, row: ChangeRow, span: &Span) -> Option<Change> {
        let (article, section) = if row.op != UPSERT {
            (None, None)
        } else if is_article(&row) {
            (self.articles.remove(&row.entity_id), None)
        } else {
            let shown = self.tree.get(row.entity_id).filter(|row| row.shown);
            (None, shown.map(ChangedSection::from))
        };
        let is_there = article.is_some() || section.is_some();
        if !is_there && row.seq <= span.snapshot_until {
            return None;
        }
        let resource = if is_article(&row) {
            Resource::Article
        } else {
            Resource::Section
        };
        Some(Change {
            seq: row.seq,
            resource: resource.name(),
            id: row.entity_id,
            op: if is_there { UPSERT } else { store::DELETE },
            at: row.at,
            article,
            section,
        })
    }
}

fn is_article(row: &ChangeRow) -> bool {
    row.resource == Resource::Article.name()
}
