//! Reading the audit log.

use std::net::IpAddr;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use utoipa::IntoParams;

use crate::app::App;
use crate::auth::{Can, ReadAudit};
use crate::clock::SiteZone;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::managed;
use crate::http::paging::{Paging, PagingParams};
use crate::http::params::{DayOrInstant, FromParams, Params, Reader};

use super::store::{self, Filter};
use super::wire::AuditList;
use super::{ActorKind, Event, Resource};

/// Which entries.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ListQuery` reads")]
struct ListParams {
    /// Only this event: `article.created`, `article.updated`, `article.published_at_changed`,
    /// `article.submitted`, `article.rejected`, `article.scheduled`, `article.published`,
    /// `article.expired`, `article.reordered`, `article.revision_restored`, `article.preview_made`, `article.unpublished`,
    /// `article.trashed`, `article.restored`, `article.deleted`, `section.created`, `section.updated`, `section.moved`,
    /// `section.deleted`, `hits.baseline_set`, `hits.reset`, `user.created`, `user.updated`,
    /// `user.deleted`, `user.password_reset_made`, `user.password_reset`, `user.password_changed`,
    /// `user.sessions_revoked`, `api_key.created`, `api_key.updated`, `api_key.rotated`,
    /// `api_key.revoked`, `auth.signed_in`, `auth.sign_in_failed`, `auth.signed_out`,
    /// `auth.signed_out_everywhere`, `auth.session_revoked`, `auth.refresh_token_reused` or
    /// `signing_key.rotated`.
    #[param(
        max_length = 64,
        pattern = "^[a-z_]+[.][a-z_]+$",
        example = "article.published"
    )]
    event: Option<String>,
    /// Only by this kind of actor: `account`, `api_key`, `system` or `anonymous`.
    #[param(pattern = "^(account|api_key|system|anonymous)$", example = "account")]
    actor: Option<String>,
    /// Only by the account or key of this id; with `actor`.
    #[param(minimum = 1, example = 1)]
    actor_id: Option<i64>,
    /// Only to this kind of resource: `article`, `section`, `user`, `api_key` or `session`.
    #[param(
        pattern = "^(article|section|user|api_key|session)$",
        example = "article"
    )]
    resource: Option<String>,
    /// Only to the resource of this id; with `resource`.
    #[param(minimum = 1, example = 12)]
    resource_id: Option<i64>,
    /// Only of the request with this id.
    #[param(max_length = 128, pattern = "^[A-Za-z0-9._-]+$")]
    request_id: Option<String>,
    /// Only from this client address (IPv4 or IPv6).
    #[param(max_length = 45, example = "203.0.113.9")]
    address: Option<String>,
    /// Only from this day or instant on.
    #[param(max_length = 40, example = "2026-01-01")]
    from: Option<String>,
    /// Only up to this day, or before this instant.
    #[param(max_length = 40, example = "2026-01-31")]
    to: Option<String>,
}

#[derive(Debug)]
pub struct ListQuery {
    filter: Filter,
    from: Option<DayOrInstant>,
    to: Option<DayOrInstant>,
    paging: Paging,
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let events: Vec<_> = Event::ALL.iter().map(|e| (e.as_str(), *e)).collect();
        let actors: Vec<_> = ActorKind::ALL.iter().map(|a| (a.as_str(), *a)).collect();
        let resources: Vec<_> = Resource::ALL.iter().map(|r| (r.as_str(), *r)).collect();
        let filter = Filter {
            event: reader.choice("event", &events),
            actor: reader.choice("actor", &actors),
            actor_id: reader.integer("actor_id", 1..=i64::MAX),
            resource: reader.choice("resource", &resources),
            resource_id: reader.integer("resource_id", 1..=i64::MAX),
            request_id: reader.text_within("request_id", 128),
            address: read_address(reader),
            ..Filter::default()
        };
        for (id, kind, given) in [
            (
                "actor_id",
                "actor",
                filter.actor_id.is_some() && filter.actor.is_none(),
            ),
            (
                "resource_id",
                "resource",
                filter.resource_id.is_some() && filter.resource.is_none(),
            ),
        ] {
            if given {
                reader.fault(id, FaultCode::Conflicting, format!("needs {kind}"));
            }
        }
        Self {
            filter,
            from: reader.day_or_instant("from"),
            to: reader.day_or_instant("to"),
            paging: Paging::read(reader, "-id", true),
        }
    }
}

/// An address in the form in which it is stored.
fn read_address(reader: &mut Reader) -> Option<String> {
    let text = reader.text_within("address", 45)?;
    let address = text.parse::<IpAddr>().ok();
    if address.is_none() {
        reader.fault("address", FaultCode::Invalid, "must be an IP address");
    }
    address.map(|address| address.to_canonical().to_string())
}

impl ListQuery {
    fn filter(&self, zone: SiteZone) -> Filter {
        Filter {
            from: self.from.map(|bound| bound.lower(zone)),
            before: self.to.map(|bound| bound.upper(zone)),
            ..self.filter.clone()
        }
    }
}

/// Read the audit log
///
/// Who did what, the newest first: every management write and every sign-in event, each written in
/// the same transaction as what it tells of. A later change of an article's `published_at` and every
/// change of a hit count are events of their own. Entries can't be changed.
#[utoipa::path(
    tag = "manage access", operation_id = "listAudit", params(ListParams, PagingParams),
    responses((status = 200, description = "A page of entries", body = AuditList)),
)]
#[get("/v1/admin/audit")]
pub async fn list(
    _: Can<ReadAudit>,
    app: Data<App>,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let (query, zone) = (query.0, app.config.site.zone);
    let (found, link) = app
        .db
        .read(move |conn| {
            let found = store::page(conn, &query.filter(zone), &query.paging)?;
            let (page, link) = query.paging.describe(&found);
            let data = found.items.into_iter().map(Into::into).collect();
            Ok::<_, ApiError>((AuditList { data, page }, link))
        })
        .await?;
    managed::list(&found, link)
}
