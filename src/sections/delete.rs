//! A section is deleted, and what it holds is moved.

use std::sync::Arc;

use diesel::prelude::*;
use serde_json::Value;

use crate::articles;
use crate::articles::store::Act;
use crate::audit::{self, By, Change, Entry, Event};
use crate::changes::{self, Visible};
use crate::db::Conn;
use crate::db::schema::{article_also, articles as articles_table, sections};
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::slugs::{self, Resource};

use super::store::{TOO_DEEP, find, is_too_deep, name_places, set_order, settle, tell, tree};
use super::tree::Tree;
use super::wire::ManagedSection;

/// The most ids of what was moved that an entry of the audit log has.
const MAX_TOLD: usize = 1000;

/// Deletes a section. One that holds articles or sections needs a section to move them to.
///
/// The audit log gets an entry for each section that moves up there, but none for each article:
/// there may be very many, which would bury everything else. The entry of the deleted section has
/// their ids instead, the first 1,000 of them.
pub fn delete(conn: &mut Conn, id: i64, move_to: Option<i64>, by: &By) -> ApiResult<()> {
    let (was, tree) = (find(conn, id)?, tree(conn)?);
    let moves = match move_to {
        Some(target) => {
            check_target(&tree, id, target)?;
            delete_full(conn, &tree, id, target, by)?
        }
        None => {
            check_is_empty(conn, &tree, id)?;
            remove(conn, &tree, id, by)?;
            Vec::new()
        }
    };
    let mut changes = audit::between(Some(&ManagedSection::from(&was)), None);
    changes.extend(moves);
    let entry = Entry::new(Event::SectionDeleted, audit::Resource::Section, id).with(changes);
    Ok(audit::record(conn, by, entry)?)
}

/// Deletes a section with its contents moved to another one, and returns what the audit log is to
/// have of that.
fn delete_full(
    conn: &mut Conn,
    tree: &Tree,
    id: i64,
    target: i64,
    by: &By,
) -> ApiResult<Vec<Change>> {
    let children = tree.children(Some(id));
    let order: Vec<i64> = tree
        .children(Some(target))
        .iter()
        .chain(children)
        .copied()
        .filter(|child| *child != id)
        .collect();
    diesel::update(sections::table.filter(sections::parent_id.eq(id)))
        .set(sections::parent_id.eq(target))
        .execute(conn)?;
    set_order(conn, &order)?;
    let act = Act {
        by: by.clone(),
        note: None,
        tree: Arc::new(tree.clone()),
        checker: None,
    };
    let moved = articles::store::move_all(conn, id, target, &act)?;
    remove(conn, tree, id, by)?;
    let settled = super::store::tree(conn)?;
    let told = moved.iter().copied().collect();
    articles::store::relist(conn, &settled, &moved, &told, by.now)?;
    for child in children {
        let states = [tree, &settled].map(|tree| tree.get(*child));
        tell(conn, by, Event::SectionMoved, *child, states)?;
    }
    Ok(vec![
        Change::new("move_to", Value::Null, target),
        ids("moved_articles", &moved),
        ids("moved_sections", children),
    ])
}

fn ids(member: &str, moved: &[i64]) -> Change {
    let told = moved.get(..MAX_TOLD).unwrap_or(moved);
    Change::new(member, Value::Null, told.to_vec())
}

fn remove(conn: &mut Conn, tree: &Tree, id: i64, by: &By) -> ApiResult<()> {
    diesel::delete(sections::table.find(id)).execute(conn)?;
    slugs::forget(conn, Resource::Section, id)?;
    let was = tree.get(id);
    let was_shown = was.is_some_and(|row| row.shown);
    if was_shown {
        name_places(id, was, None);
    }
    let gone = [(id, Visible::from(was_shown, false))];
    changes::record(conn, Resource::Section, &gone, by.now)?;
    settle(conn, tree, by.now)
}

/// Checks that a section's contents may be moved to another one.
fn check_target(tree: &Tree, id: i64, target: i64) -> ApiResult<()> {
    let bad = |code, detail: &str| Err(ApiError::bad_parameter("move_to", code, detail));
    if tree.get(target).is_none() {
        return bad(FaultCode::DoesNotExist, "move_to names no section");
    }
    if tree.is_within(target, id) {
        let detail = "move_to is the section itself or below it";
        return Err(ApiError::new(Code::SectionCycle, detail));
    }
    let heights = tree.children(Some(id)).iter().map(|id| tree.height(*id));
    if is_too_deep(tree, Some(target), heights.max().unwrap_or(0)) {
        return bad(FaultCode::TreeTooLarge, &format!("move_to {TOO_DEEP}"));
    }
    Ok(())
}

fn check_is_empty(conn: &mut Conn, tree: &Tree, id: i64) -> ApiResult<()> {
    if tree.children(Some(id)).is_empty() && !holds_articles(conn, id)? {
        return Ok(());
    }
    let detail = "it holds articles (in the trash too) or sections: \
                  move or delete them first, or say where to with ?move_to={id}";
    Err(ApiError::new(Code::SectionNotEmpty, detail))
}

fn holds_articles(conn: &mut Conn, id: i64) -> QueryResult<bool> {
    let own: i64 = articles_table::table
        .filter(articles_table::section_id.eq(id))
        .count()
        .get_result(conn)?;
    let also: i64 = article_also::table
        .filter(article_also::section_id.eq(id))
        .count()
        .get_result(conn)?;
    Ok(own + also > 0)
}
