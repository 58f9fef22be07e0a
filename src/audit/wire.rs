//! JSON of the audit log.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::list_of;

use super::Change;
use super::store::AuditRow;

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// The entry's id; later entries have greater ones.
    #[schema(minimum = 1)]
    pub id: i64,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What happened, as `article.published`; the filter `event` lists all names. More may be added.
    #[schema(max_length = 64)]
    pub event: String,
    /// Who did it.
    pub actor: AuditActor,
    /// The client's address, as told by trusted proxies; null for the command line.
    #[schema(required, nullable, max_length = 45)]
    pub address: Option<String>,
    /// The request's id, as in its answer's `X-Request-Id`; null for the command line.
    #[schema(required, nullable, max_length = 128)]
    pub request_id: Option<String>,
    /// What it happened to; null where that is unknown.
    #[schema(required, nullable)]
    pub resource: Option<AuditResource>,
    /// The members that changed. Secrets are never among them; of texts over 1,000 characters the
    /// beginning, the length and the SHA-256 are kept.
    #[schema(max_items = 1000)]
    pub changes: Vec<AuditChange>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditActor {
    /// `account`, `api_key`, `system` (the command line, or the service as time goes by) or
    /// `anonymous`.
    #[serde(rename = "type")]
    #[schema(max_length = 20)]
    pub kind: String,
    /// Id of the account or key; null for the others.
    #[schema(required, nullable, minimum = 1)]
    pub id: Option<i64>,
    /// The account's e-mail address or the key's name, as it was then; null for the others.
    #[schema(required, nullable, max_length = 254)]
    pub name: Option<String>,
}

/// What something happened to.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditResource {
    /// `article`, `section`, `user`, `api_key` or `session`.
    #[serde(rename = "type")]
    #[schema(max_length = 20)]
    pub kind: String,
    /// Its id, which may be that of a resource that is gone.
    #[schema(minimum = 1)]
    pub id: i64,
}

/// A member that changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditChange {
    /// The member's name.
    #[schema(max_length = 64)]
    pub member: String,
    /// Its value before, of any JSON type; null where there was none.
    pub before: Value,
    /// Its value after, of any JSON type; null where there is none.
    pub after: Value,
}

impl From<Change> for AuditChange {
    fn from(change: Change) -> Self {
        Self {
            member: change.member,
            before: change.before,
            after: change.after,
        }
    }
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let resource = row.resource.zip(row.resource_id);
        Self {
            id: row.id,
            at: row.at,
            event: row.event,
            actor: AuditActor {
                kind: row.actor,
                id: row.actor_id,
                name: row.actor_name,
            },
            address: row.address,
            request_id: row.request_id,
            resource: resource.map(|(kind, id)| AuditResource { kind, id }),
            changes: row.changes.0.into_iter().map(Into::into).collect(),
        }
    }
}

list_of! {
    /// A page of the audit log.
    AuditList, AuditEntry
}
