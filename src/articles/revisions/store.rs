//! Queries of revisions.

use diesel::dsl::count_star;
use diesel::prelude::*;
use serde_json::Value;

use crate::audit::wire::AuditActor;
use crate::db::schema::{changes, revisions};
use crate::db::{Conn, JsonOf, Timestamp, dialect};
use crate::error::{ApiError, ApiResult};
use crate::http::paging::{Found, Paging, Place};
use crate::slugs::Resource;

use super::wire::RevisionSummary;

/// A revision without its content, as it is stored.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = revisions)]
struct Row {
    version: i64,
    at: Timestamp,
    actor: String,
    actor_id: Option<i64>,
    actor_name: Option<String>,
    note: Option<String>,
    changed: JsonOf<Vec<String>>,
}

impl From<Row> for RevisionSummary {
    fn from(row: Row) -> Self {
        Self {
            version: row.version,
            at: row.at,
            by: AuditActor {
                kind: row.actor,
                id: row.actor_id,
                name: row.actor_name,
            },
            note: row.note,
            changed: row.changed.0,
        }
    }
}

fn missing() -> ApiError {
    ApiError::not_found("revision")
}

/// A page of an article's revisions, the newest first.
pub fn page(conn: &mut Conn, id: i64, paging: &Paging) -> ApiResult<Found<RevisionSummary>> {
    let of_article = || revisions::table.filter(revisions::article_id.eq(id));
    let total = if paging.exact {
        Some(of_article().count().get_result(conn)?)
    } else {
        None
    };
    let mut query = of_article().into_boxed();
    if let Place::After(cursor) = &paging.place {
        query = query.filter(revisions::version.lt(cursor.id));
    }
    let rows: Vec<Row> = query
        .order(revisions::version.desc())
        .limit(paging.limit + 1)
        .offset(paging.offset())
        .select(Row::as_select())
        .load(conn)?;
    let items = rows.into_iter().map(Into::into).collect();
    Ok(paging.cut(items, total, |item: &RevisionSummary| {
        (String::new(), item.version)
    }))
}

/// An article's revision of this version and its content; 404 where there is none.
pub fn find(conn: &mut Conn, id: i64, version: i64) -> ApiResult<(RevisionSummary, Value)> {
    let found: Option<(Row, JsonOf<Value>)> = revisions::table
        .find((id, version))
        .select((Row::as_select(), revisions::content))
        .first(conn)
        .optional()?;
    let (row, content) = found.ok_or_else(missing)?;
    Ok((row.into(), content.0))
}

/// The content of an article's revision of this version; 404 where there is none.
pub fn content(conn: &mut Conn, id: i64, version: i64) -> ApiResult<Value> {
    let found: Option<JsonOf<Value>> = revisions::table
        .find((id, version))
        .select(revisions::content)
        .first(conn)
        .optional()?;
    found.map(|content| content.0).ok_or_else(missing)
}

/// The version of the nearest revision before this one.
pub fn version_before(conn: &mut Conn, id: i64, version: i64) -> QueryResult<Option<i64>> {
    revisions::table
        .filter(revisions::article_id.eq(id))
        .filter(revisions::version.lt(version))
        .order(revisions::version.desc())
        .select(revisions::version)
        .first(conn)
        .optional()
}

/// Deletes up to `limit` revisions from before this instant, the oldest first, and returns how many.
pub fn delete_before(conn: &mut Conn, before: Timestamp, limit: usize) -> QueryResult<usize> {
    let before = dialect::instant(conn, before);
    // Instants and numbers only. `NOT kept` is the condition of the partial index.
    let sql = format!(
        "DELETE FROM revisions WHERE (article_id, version) IN \
         (SELECT article_id, version FROM revisions WHERE NOT kept AND at < {before} \
          ORDER BY at LIMIT {limit})"
    );
    diesel::sql_query(sql).execute(conn)
}

/// Articles that were changed, in the order of the change log.
#[derive(Debug)]
pub struct Changed {
    /// Those with more than so many revisions.
    pub overlong: Vec<i64>,
    /// The `seq` of the last one that was looked at; `None`: there was none.
    pub last: Option<i64>,
}

/// Looks at the next `limit` changes behind this `seq` for articles with more than `keep` revisions.
pub fn overlong(conn: &mut Conn, after: i64, keep: i64, limit: i64) -> QueryResult<Changed> {
    let rows: Vec<(i64, String, i64)> = changes::table
        .filter(changes::seq.gt(after))
        .order(changes::seq)
        .limit(limit)
        .select((changes::seq, changes::resource, changes::entity_id))
        .load(conn)?;
    let last = rows.last().map(|(seq, ..)| *seq);
    let articles: Vec<i64> = rows
        .into_iter()
        .filter(|(_, resource, _)| resource == Resource::Article.name())
        .map(|(.., id)| id)
        .collect();
    let overlong = revisions::table
        .filter(revisions::article_id.eq_any(articles))
        .group_by(revisions::article_id)
        .having(count_star().gt(keep))
        .select(revisions::article_id)
        .load(conn)?;
    Ok(Changed { overlong, last })
}

/// Deletes up to `limit` revisions that are not among the newest `keep` of each of these articles, the
/// oldest of each first, and returns how many.
pub fn trim(conn: &mut Conn, ids: &[i64], keep: i64, limit: usize) -> QueryResult<usize> {
    let mut left = limit;
    for id in ids {
        left -= trim_one(conn, *id, keep, left)?;
    }
    Ok(limit - left)
}

fn trim_one(conn: &mut Conn, id: i64, keep: i64, limit: usize) -> QueryResult<usize> {
    // Numbers only.
    let sql = format!(
        "DELETE FROM revisions WHERE article_id = {id} AND version IN \
         (SELECT version FROM revisions WHERE article_id = {id} AND NOT kept AND version <= \
          (SELECT version FROM revisions WHERE article_id = {id} \
           ORDER BY version DESC LIMIT 1 OFFSET {keep}) \
          ORDER BY version LIMIT {limit})"
    );
    diesel::sql_query(sql).execute(conn)
}
