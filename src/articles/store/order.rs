//! The manual order of a section.

use diesel::prelude::*;

use crate::audit::Event;
use crate::changes::{self, Visible};
use crate::db::Conn;
use crate::db::schema::{articles, listings};
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::slugs::Resource;

use super::life::save_row;
use super::tell::tell;
use super::{Act, ArticleRow, Stored};

/// The last place of a section's manual order.
pub const MAX_POSITION: i64 = 999;

/// Puts an article at this place (from 0) among those of its section that were put in order by hand,
/// or, with `None`, back among the others, which follow by date. Those behind move on; their
/// versions stay, since nothing of their own changes. What is in the trash has no place.
pub fn reorder(
    conn: &mut Conn,
    was: &Stored,
    position: Option<i64>,
    act: &Act,
) -> ApiResult<Stored> {
    if was.row.is_trashed() {
        let detail = "the article is trashed: restore it before it is put in order";
        return Err(ApiError::new(Code::InvalidTransition, detail));
    }
    let own = was.row.id;
    let placed: Vec<ArticleRow> = articles::table
        .filter(articles::section_id.eq(was.row.section_id))
        .filter(articles::position.is_not_null())
        .filter(articles::id.ne(own))
        .order((articles::position, articles::id))
        .select(ArticleRow::as_select())
        .load(conn)?;
    let ahead = usize::try_from(position.unwrap_or(i64::MAX)).unwrap_or(usize::MAX);
    let ahead = ahead.min(placed.len());
    let mut is = was.clone();
    is.row.position = position.map(|_| number(ahead));
    if position.is_some() && number(placed.len()) > MAX_POSITION {
        let detail = format!(
            "a section has at most {} articles in order",
            MAX_POSITION + 1
        );
        return Err(ApiError::invalid("/position", FaultCode::TooMany, detail));
    }
    let mut moved = Vec::new();
    for (index, other) in placed.iter().enumerate() {
        let place = number(index + usize::from(position.is_some() && index >= ahead));
        if other.position != Some(place) {
            place_at(conn, other, place)?;
            let is_told = other.is_told_at(act.by.now);
            moved.push((other.id, Visible::from(is_told, is_told)));
        }
    }
    changes::record(conn, Resource::Article, &moved, act.by.now)?;
    let (is, changes) = save_row(conn, was, is, act)?;
    let event = Event::ArticleReordered;
    tell(conn, &act.by, event, Some(was), Some(&is), changes)?;
    Ok(is)
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn place_at(conn: &mut Conn, row: &ArticleRow, place: i64) -> QueryResult<()> {
    diesel::update(articles::table.find(row.id))
        .set(articles::position.eq(place))
        .execute(conn)?;
    diesel::update(listings::table.find((row.section_id, row.id)))
        .set(listings::position.eq(place))
        .execute(conn)?;
    Ok(())
}
