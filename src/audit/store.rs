//! Queries of the audit log.

use diesel::prelude::*;
use serde::Serialize;

use crate::db::later::{self, Later};
use crate::db::schema::audit;
use crate::db::{Conn, JsonOf, MultiBackend, Timestamp};
use crate::error::ApiResult;
use crate::http::paging::{Found, Paging, Place};
use crate::insert_all;

use super::{ActorKind, By, Change, Entry, Event, Resource, between};

/// Adds an entry. Call it in the transaction of what it tells of.
pub fn record(conn: &mut Conn, by: &By, entry: Entry) -> QueryResult<()> {
    let actor = &by.actor;
    let row = NewEntry {
        at: by.recorded_at,
        event: entry.event.as_str(),
        actor: actor.kind.as_str(),
        actor_id: actor.id,
        actor_name: actor.name.clone(),
        address: actor.address.map(|address| address.to_string()),
        request_id: actor.request_id.clone(),
        resource: entry.resource.map(|(kind, _)| kind.as_str()),
        resource_id: entry.resource.map(|(_, id)| id),
        changes: JsonOf(entry.changes),
    };
    later::write(conn, vec![row])
}

#[derive(Insertable)]
#[diesel(table_name = audit, treat_none_as_default_value = false)]
struct NewEntry {
    at: Timestamp,
    event: &'static str,
    actor: &'static str,
    actor_id: Option<i64>,
    actor_name: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    resource: Option<&'static str>,
    resource_id: Option<i64>,
    changes: JsonOf<Vec<Change>>,
}

impl Later for NewEntry {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(audit::table).values(rows)
        })
    }
}

/// Adds an entry of what changed from one state of a resource to the next, both as management shows
/// them; `None` where it isn't there.
pub fn record_change<T: Serialize>(
    conn: &mut Conn,
    by: &By,
    event: Event,
    (resource, id): (Resource, i64),
    [before, after]: [Option<T>; 2],
) -> QueryResult<()> {
    let changes = between(before.as_ref(), after.as_ref());
    record(conn, by, Entry::new(event, resource, id).with(changes))
}

/// An entry as it is stored.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = audit)]
#[allow(
    missing_docs,
    reason = "named as the columns, which the migration explains"
)]
pub struct AuditRow {
    pub id: i64,
    pub at: Timestamp,
    pub event: String,
    pub actor: String,
    pub actor_id: Option<i64>,
    pub actor_name: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub resource: Option<String>,
    pub resource_id: Option<i64>,
    pub changes: JsonOf<Vec<Change>>,
}

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// What happened.
    pub event: Option<Event>,
    /// Who did it: the kind.
    pub actor: Option<ActorKind>,
    /// Who did it: the id.
    pub actor_id: Option<i64>,
    /// To what: the kind.
    pub resource: Option<Resource>,
    /// To what: the id.
    pub resource_id: Option<i64>,
    /// In which request.
    pub request_id: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub before: Option<Timestamp>,
}

impl Filter {
    fn query(&self) -> audit::BoxedQuery<'_, MultiBackend> {
        let mut query = audit::table.into_boxed();
        if let Some(event) = self.event {
            query = query.filter(audit::event.eq(event.as_str()));
        }
        if let Some(actor) = self.actor {
            query = query.filter(audit::actor.eq(actor.as_str()));
        }
        if let Some(id) = self.actor_id {
            query = query.filter(audit::actor_id.eq(id));
        }
        if let Some(resource) = self.resource {
            query = query.filter(audit::resource.eq(resource.as_str()));
        }
        if let Some(id) = self.resource_id {
            query = query.filter(audit::resource_id.eq(id));
        }
        if let Some(id) = &self.request_id {
            query = query.filter(audit::request_id.eq(id));
        }
        if let Some(address) = &self.address {
            query = query.filter(audit::address.eq(address));
        }
        if let Some(from) = self.from {
            query = query.filter(audit::at.ge(from));
        }
        if let Some(before) = self.before {
            query = query.filter(audit::at.lt(before));
        }
        query
    }
}

/// A page of entries, the newest first.
pub fn page(conn: &mut Conn, filter: &Filter, paging: &Paging) -> ApiResult<Found<AuditRow>> {
    let total = if paging.exact {
        Some(filter.query().count().get_result(conn)?)
    } else {
        None
    };
    let mut query = filter.query();
    if let Place::After(cursor) = &paging.place {
        query = query.filter(audit::id.lt(cursor.id));
    }
    let rows = query
        .order(audit::id.desc())
        .limit(paging.limit + 1)
        .offset(paging.offset())
        .select(AuditRow::as_select())
        .load(conn)?;
    Ok(paging.cut(rows, total, |row| (String::new(), row.id)))
}

/// Deletes the entries from before this instant, and returns how many.
pub fn delete_before(conn: &mut Conn, before: Timestamp) -> QueryResult<usize> {
    diesel::delete(audit::table.filter(audit::at.lt(before))).execute(conn)
}
