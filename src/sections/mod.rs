//! Sections: the tree that articles stand in.
//!
//! The whole tree is small (10,000 sections at most) and is read whole: [`Tree`] answers every
//! question about ancestors, order and paths without another query. `path`, `depth` and `shown`
//! are derived columns that [`store`] settles after every change.

mod admin;
mod delete;
mod handlers;
mod reach;
pub mod store;
mod tree;
pub mod wire;

use crate::db::Conn;
use crate::error::{ApiError, ApiResult};
use crate::http::mount::Mount;
use crate::http::reference::{Ref, moved};
use crate::slugs::{self, Resource};

pub use handlers::read_reference;
pub use reach::{Reach, check_exist, distinct, not_yours};
pub use tree::{SectionRow, Tree};

crate::path_id! {
    /// The id of a section in a management path.
    SectionId, "section"
}

/// Mounts the sections of delivery and of management.
pub fn routes<M: Mount>(config: &mut M) {
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

/// The shown section that a delivery path names. 404 where there is none; 308 to
/// `/v1/sections/{slug}{rest}` where it was an old slug.
pub fn resolve_shown<'a>(
    conn: &mut Conn,
    tree: &'a Tree,
    text: &str,
    rest: &str,
    query: &str,
) -> ApiResult<&'a SectionRow> {
    let reference = Ref::parse(text).ok_or_else(|| ApiError::not_found("section"))?;
    let (row, is_old) = find_shown(conn, tree, &reference)?;
    if is_old {
        return Err(moved(&format!("/v1/sections/{}{rest}", row.slug), query));
    }
    Ok(row)
}

/// The shown section that a `section` filter names; 404 where there is none.
pub fn shown_filter<'a>(
    conn: &mut Conn,
    tree: &'a Tree,
    reference: &Ref,
) -> ApiResult<&'a SectionRow> {
    find_shown(conn, tree, reference).map(|(row, _)| row)
}

/// The shown section that a reference leads to, and whether by an old slug.
fn find_shown<'a>(
    conn: &mut Conn,
    tree: &'a Tree,
    reference: &Ref,
) -> ApiResult<(&'a SectionRow, bool)> {
    let missing = || ApiError::not_found("section");
    let target = slugs::resolve(conn, Resource::Section, reference)?.ok_or_else(missing)?;
    let row = tree
        .get(target.id)
        .filter(|row| row.shown)
        .ok_or_else(missing)?;
    Ok((row, target.is_old))
}
