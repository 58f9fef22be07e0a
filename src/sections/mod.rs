//! Sections: the tree that articles stand in.
//!
//! The whole tree is small (10,000 sections at most) and is read whole: [`Tree`] answers every
//! question about ancestors, order and paths without another query. `path`, `depth` and `shown`
//! are derived columns that [`store`] settles after every change.

mod admin;
mod handlers;
pub mod store;
mod tree;
pub mod wire;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::db::Conn;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::reference::Ref;
use crate::slugs::{self, Resource};

pub use handlers::read_reference;
pub use tree::{SectionRow, Tree};

crate::path_id! {
    /// The id of a section in a management path.
    SectionId, "section"
}

/// Mounts the sections of delivery and of management.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(handlers::list)
        .service(handlers::read_tree)
        .service(handlers::read)
        .service(admin::list)
        .service(admin::create)
        .service(admin::read)
        .service(admin::patch)
        .service(admin::delete)
        .service(admin::move_section);
}

/// What a reference in a delivery path leads to.
pub enum Resolved<'a> {
    /// A section that is shown.
    Found(&'a SectionRow),
    /// It was an old slug: this is the live one.
    Moved(&'a SectionRow),
}

/// Finds a shown section by id, slug or old slug; `None` where there is none that delivery may
/// show.
pub fn resolve_shown<'a>(
    conn: &mut Conn,
    tree: &'a Tree,
    reference: &Ref,
) -> ApiResult<Option<Resolved<'a>>> {
    let found = match reference {
        Ref::Id(id) => tree.get(*id).map(Resolved::Found),
        Ref::Slug(slug) => match tree.by_slug(slug.as_str()) {
            Some(row) => Some(Resolved::Found(row)),
            None => slugs::old(conn, Resource::Section, slug)?
                .and_then(|id| tree.get(id))
                .map(Resolved::Moved),
        },
    };
    Ok(found.filter(|found| match found {
        Resolved::Found(row) | Resolved::Moved(row) => row.shown,
    }))
}

/// The shown section that a `section` filter names; 404 where there is none.
pub fn shown_filter<'a>(
    conn: &mut Conn,
    tree: &'a Tree,
    reference: &Ref,
) -> ApiResult<&'a SectionRow> {
    match resolve_shown(conn, tree, reference)? {
        Some(Resolved::Found(row) | Resolved::Moved(row)) => Ok(row),
        None => Err(ApiError::not_found("section")),
    }
}

/// The section that a management filter names; a fault of that parameter where there is none.
pub fn any_filter<'a>(
    conn: &mut Conn,
    tree: &'a Tree,
    parameter: &str,
    reference: &Ref,
) -> ApiResult<&'a SectionRow> {
    let row = match reference {
        Ref::Id(id) => tree.get(*id),
        Ref::Slug(slug) => match tree.by_slug(slug.as_str()) {
            Some(row) => Some(row),
            None => slugs::old(conn, Resource::Section, slug)?.and_then(|id| tree.get(id)),
        },
    };
    row.ok_or_else(|| {
        let detail = format!("{parameter} names no section");
        ApiError::bad_parameter(parameter, FaultCode::DoesNotExist, detail)
    })
}
