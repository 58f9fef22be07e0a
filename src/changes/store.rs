//! Queries of the change log.

use diesel::dsl::{case_when, sql};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::upsert::excluded;

use crate::db::later::{self, Later};
use crate::db::schema::changes;
use crate::db::{Conn, Timestamp, content, purges};
use crate::http::keys::Key;
use crate::insert_all;
use crate::slugs::Resource;

/// What a write made of an article or section for readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    /// It is public.
    Now,
    /// It was public just before, and isn't any more.
    Before,
    /// Neither.
    Not,
}

impl Visible {
    /// From whether it was public before and whether it is after.
    pub fn from(was: bool, is: bool) -> Self {
        match (was, is) {
            (_, true) => Self::Now,
            (true, false) => Self::Before,
            (false, false) => Self::Not,
        }
    }

    fn op(self) -> &'static str {
        match self {
            Self::Now => UPSERT,
            Self::Before => DELETE,
            Self::Not => NONE,
        }
    }
}

/// `op` of what is public.
pub const UPSERT: &str = "upsert";
/// `op` of what was public once.
pub const DELETE: &str = "delete";
/// `op` of what never was.
const NONE: &str = "none";

#[derive(Debug, Insertable)]
#[diesel(table_name = changes, treat_none_as_default_value = false)]
struct NewChange {
    seq: i64,
    resource: &'static str,
    entity_id: i64,
    op: &'static str,
    at: Timestamp,
}

/// Moves these to the end of the log, each once, in order. What was public once stays marked so.
/// Call it in the transaction of the write, which holds the lock of content writers: that makes a
/// later `seq` the later commit, so that no reader passes over one. Caches elsewhere are told of what
/// readers see anything of.
pub fn record(
    conn: &mut Conn,
    resource: Resource,
    entities: &[(i64, Visible)],
    at: Timestamp,
) -> QueryResult<()> {
    if entities.is_empty() {
        return Ok(());
    }
    name(resource, entities);
    let last = content::last(conn)?;
    let rows: Vec<NewChange> = (last + 1..)
        .zip(entities)
        .map(|(seq, entity)| NewChange::of(seq, resource, *entity, at))
        .collect();
    // What was seen once is deleted, not nothing.
    let op = || {
        let is_gone = excluded(changes::op).eq(NONE).and(changes::op.ne(NONE));
        case_when::<_, _, Text>(is_gone, DELETE).otherwise(excluded(changes::op))
    };
    insert_all!(conn, rows, |rows| {
        diesel::insert_into(changes::table)
            .values(rows)
            .on_conflict((changes::resource, changes::entity_id))
            .do_update()
            .set((
                changes::seq.eq(excluded(changes::seq)),
                changes::op.eq(op()),
                changes::at.eq(excluded(changes::at)),
            ))
    })?;
    note_added(resource, &rows);
    Ok(())
}

fn note_added(resource: Resource, rows: &[NewChange]) {
    let ids = rows.iter().map(|row| row.entity_id);
    if let Some(last) = rows.last() {
        content::note_added(resource, ids, last.seq);
    }
}

/// The same for an article that is new, so that the log has nothing of it.
pub fn record_new(conn: &mut Conn, id: i64, visible: Visible, at: Timestamp) -> QueryResult<()> {
    let entity = (id, visible);
    name(Resource::Article, &[entity]);
    let row = NewChange::of(0, Resource::Article, entity, at);
    later::write(conn, vec![row])
}

/// Names for caches elsewhere what readers see anything of.
fn name(resource: Resource, entities: &[(i64, Visible)]) {
    let seen = entities.iter().filter(|(_, seen)| *seen != Visible::Not);
    purges::name(seen.flat_map(|(id, _)| [resource.key(*id), Key::SITE]));
}

impl NewChange {
    fn of(
        seq: i64,
        resource: Resource,
        (entity_id, visible): (i64, Visible),
        at: Timestamp,
    ) -> Self {
        Self {
            seq,
            resource: resource.name(),
            entity_id,
            op: visible.op(),
            at,
        }
    }
}

/// Articles that are new.
impl Later for NewChange {
    fn write(conn: &mut Conn, mut rows: Vec<Self>) -> QueryResult<()> {
        let last = content::last(conn)?;
        for (seq, row) in (last + 1..).zip(&mut rows) {
            row.seq = seq;
        }
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(changes::table).values(rows)
        })?;
        note_added(Resource::Article, &rows);
        Ok(())
    }
}

/// The articles that have changed after this row; `None` where there are more than `limit`.
pub fn articles_since(conn: &mut Conn, seq: i64, limit: i64) -> QueryResult<Option<Vec<i64>>> {
    let ids: Vec<i64> = changes::table
        .filter(changes::seq.gt(seq))
        .filter(changes::resource.eq(Resource::Article.name()))
        .order(changes::seq)
        .limit(limit + 1)
        .select(changes::entity_id)
        .load(conn)?;
    let number = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    Ok(Some(ids).filter(|_| number <= limit))
}

/// Whether there is or was such an article or section.
pub fn knows(conn: &mut Conn, resource: Resource, id: i64) -> QueryResult<bool> {
    changes::table
        .filter(changes::resource.eq(resource.name()))
        .filter(changes::entity_id.eq(id))
        .select(changes::seq)
        .first::<i64>(conn)
        .optional()
        .map(|found| found.is_some())
}

/// A row of the log.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = changes)]
#[allow(
    missing_docs,
    reason = "named as the columns, which the migration explains"
)]
pub struct ChangeRow {
    pub seq: i64,
    pub resource: String,
    pub entity_id: i64,
    pub op: String,
    pub at: Timestamp,
}

/// Which part of the log.
#[derive(Debug, Clone)]
pub struct Span {
    /// Behind this `seq`.
    pub after: i64,
    /// Up to this `seq` only what is public: a client that has nothing needs no deletions.
    pub snapshot_until: i64,
    /// Only this kind.
    pub resource: Option<Resource>,
}

/// The next rows that were public at some time, in order.
pub fn rows(conn: &mut Conn, span: &Span, limit: i64) -> QueryResult<Vec<ChangeRow>> {
    let mut query = changes::table
        // As in the partial index.
        .filter(sql::<diesel::sql_types::Bool>("changes.op <> 'none'"))
        .filter(changes::seq.gt(span.after))
        .filter(
            changes::op
                .eq(UPSERT)
                .or(changes::seq.gt(span.snapshot_until)),
        )
        .into_boxed();
    if let Some(resource) = span.resource {
        query = query.filter(changes::resource.eq(resource.name()));
    }
    query
        .order(changes::seq.asc())
        .limit(limit)
        .select(ChangeRow::as_select())
        .load(conn)
}
