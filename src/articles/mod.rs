//! Articles: written and published in management, read in delivery.
//!
//! [`rules`] is the life cycle, [`text`] what becomes of a body, [`wire`] the JSON, [`store`] every
//! write, [`lists`] every read. What readers may see stands in the table `listings`, which
//! [`store::relist`] keeps right and `visibility` filters by time.

mod admin;
mod handlers;
pub mod lists;
pub mod rules;
pub mod store;
pub mod text;
pub mod wire;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::config::Site;
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::http::reference::{Ref, moved};
use crate::sections::Tree;
use crate::slugs::{self, Resource};

use lists::{Filter, Include, Sort};
use wire::ArticleSummary;

/// Mounts the articles of delivery and of management.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(handlers::list)
        .service(handlers::read)
        .service(handlers::neighbors)
        .service(handlers::related)
        .service(handlers::qr)
        .service(handlers::archive)
        .service(handlers::tags)
        .service(admin::list)
        .service(admin::create)
        .service(admin::read)
        .service(admin::patch)
        .service(admin::delete)
        .service(admin::publish)
        .service(admin::unpublish)
        .service(admin::restore)
        .service(admin::put_external);
}

/// The id of the public article that a delivery path names. 404 where there is none; 308 to
/// `/v1/articles/{slug}{rest}` where it was an old slug.
pub fn resolve_public(
    conn: &mut Conn,
    text: &str,
    rest: &str,
    query: &str,
    now: Timestamp,
) -> ApiResult<i64> {
    let missing = || ApiError::not_found("article");
    let reference = Ref::parse(text).ok_or_else(missing)?;
    let (id, is_old) = match &reference {
        Ref::Id(id) => (Some(*id), false),
        Ref::Slug(slug) => match slugs::live(conn, Resource::Article, slug)? {
            Some(id) => (Some(id), false),
            None => (slugs::old(conn, Resource::Article, slug)?, true),
        },
    };
    let id = id.ok_or_else(missing)?;
    if !lists::is_public_now(conn, id, now)? {
        return Err(missing());
    }
    if is_old {
        let slug = store::slug_of(conn, id)?.ok_or_else(missing)?;
        return Err(moved(&format!("/v1/articles/{slug}{rest}"), query));
    }
    Ok(id)
}

/// The id of the public article that a write path names; an old slug serves as well.
pub fn resolve_public_for_write(conn: &mut Conn, text: &str, now: Timestamp) -> ApiResult<i64> {
    let missing = || ApiError::not_found("article");
    let id = match Ref::parse(text).ok_or_else(missing)? {
        Ref::Id(id) => Some(id),
        Ref::Slug(slug) => match slugs::live(conn, Resource::Article, &slug)? {
            Some(id) => Some(id),
            None => slugs::old(conn, Resource::Article, &slug)?,
        },
    };
    let id = id.ok_or_else(missing)?;
    if lists::is_public_now(conn, id, now)? {
        Ok(id)
    } else {
        Err(missing())
    }
}

/// The newest articles of a section and all below it, in the section's own order.
pub fn newest_in(
    conn: &mut Conn,
    tree: &Tree,
    site: &Site,
    section_id: i64,
    limit: i64,
    now: Timestamp,
) -> ApiResult<Vec<ArticleSummary>> {
    let filter = Filter {
        section: Some(section_id),
        ..Filter::default()
    };
    let ids = lists::newest_ids(conn, &filter, Sort::SectionOrder, limit, now)?;
    lists::summaries(conn, &ids, tree, site, Include::default(), now)
}
