//! What an article names, and its own names: sections, other articles, its slug, its external id.

use std::collections::HashSet;

use diesel::prelude::*;

use super::{Stored, Writer, find_external, new};
use crate::articles::lists;
use crate::articles::wire::Edits;
use crate::auth::Permission;
use crate::db::schema::articles;
use crate::db::{Conn, later};
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::fields::Check;
use crate::http::reference::Slug;
use crate::sections::{Reach, SectionRow, Tree, not_yours};
use crate::slugs::{self, Resource};

/// Checks the sections that an article is to stand in: each exists, and the writer may put the
/// article there or it is there already. 403 for one that the writer sees but has no part in; one
/// that it must not know of counts as missing.
pub(super) fn check_references(
    check: &mut Check,
    tree: &Tree,
    edits: &Edits,
    reach: &Reach,
    was: Option<&Stored>,
) -> ApiResult<()> {
    let stands_in =
        |id: i64| was.is_some_and(|was| was.row.section_id == id || was.also_in.contains(&id));
    let find = |id: i64| {
        let may_know = |row: &&SectionRow| row.shown || reach.covers(id) || stands_in(id);
        tree.get(id).filter(may_know)
    };
    let may_use = |id: i64| {
        if find(id).is_none() || reach.covers(id) || stands_in(id) {
            Ok(())
        } else {
            Err(not_yours())
        }
    };
    let section_is_given = !check.has_fault_at("/section_id");
    if section_is_given {
        // It must be in reach wherever the article stood: also_in alone gives no part in it.
        if find(edits.section_id).is_some() && !reach.covers(edits.section_id) {
            return Err(not_yours());
        }
        if find(edits.section_id).is_none() {
            check.fault("/section_id", FaultCode::DoesNotExist, "names no section");
        }
    }
    for (index, id) in edits.also_in.iter().enumerate() {
        let pointer = format!("/also_in/{index}");
        may_use(*id)?;
        if find(*id).is_none() {
            check.fault(
                &pointer,
                FaultCode::DoesNotExist,
                format!("names no section: {id}"),
            );
        } else if *id == edits.section_id {
            check.fault(
                &pointer,
                FaultCode::Conflicting,
                "names the article's own section",
            );
        }
    }
    Ok(())
}

/// Those of these articles that the writer may know of: public ones, and those that it may read.
pub fn known_articles(conn: &mut Conn, ids: &[i64], writer: &Writer) -> QueryResult<HashSet<i64>> {
    let public = lists::public_among(conn, ids, writer.act.by.now)?;
    let mut known: HashSet<i64> = public.into_iter().collect();
    let rows: Vec<(i64, i64, Option<i64>)> = articles::table
        .filter(articles::id.eq_any(ids))
        .select((articles::id, articles::section_id, articles::created_by))
        .load(conn)?;
    let only_by = writer.only_by(Permission::ReadContent);
    let readable = rows.into_iter().filter(|(_, section, by)| {
        writer.reach.covers(*section) && (only_by.is_none() || only_by == *by)
    });
    known.extend(readable.map(|(id, ..)| id));
    Ok(known)
}

/// Checks the articles that are set as related: each exists, and the writer may know of it or it
/// was set already.
pub(super) fn check_related(
    conn: &mut Conn,
    check: &mut Check,
    edits: &Edits,
    writer: &Writer,
    was: Option<&Stored>,
) -> ApiResult<()> {
    let given = edits.related.iter().enumerate();
    let new: Vec<(usize, i64)> = given
        .map(|(index, id)| (index, *id))
        .filter(|(_, id)| !was.is_some_and(|was| was.related.contains(id)))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = new.iter().map(|(_, id)| *id).collect();
    // They may have been made just now.
    later::flush(conn)?;
    let known = known_articles(conn, &ids, writer)?;
    for (index, id) in new {
        let pointer = format!("/related/{index}");
        if was.is_some_and(|was| was.row.id == id) {
            check.fault(&pointer, FaultCode::Conflicting, "names the article itself");
        } else if !known.contains(&id) {
            let detail = format!("names no article: {id}");
            check.fault(&pointer, FaultCode::DoesNotExist, detail);
        }
    }
    Ok(())
}

/// Refuses a slug that another article has, or had where it is not the writer's to take: the old one
/// still leads readers there. (What has it is not told: the writer may not know of it.)
pub(super) fn check_slug(
    conn: &mut Conn,
    slug: &Slug,
    own: Option<i64>,
    writer: &Writer,
) -> ApiResult<()> {
    let taken = || {
        ApiError::new(
            Code::SlugTaken,
            format!("another article has the slug {slug}"),
        )
    };
    if new::has_slug(slug.as_str()) {
        return Err(taken());
    }
    let holder = slugs::live(conn, Resource::Article, slug)?;
    if holder.is_some_and(|id| Some(id) != own) {
        return Err(taken());
    }
    let former = slugs::old(conn, Resource::Article, slug)?;
    if let Some(id) = former.filter(|id| Some(*id) != own) {
        let stands: Option<(i64, Option<i64>)> = articles::table
            .find(id)
            .select((articles::section_id, articles::created_by))
            .first(conn)
            .optional()?;
        let is_theirs = |(section, by): (i64, Option<i64>)| {
            let only_by = writer.only_by(Permission::WriteContent);
            !writer.reach.covers(section) || (only_by.is_some() && only_by != by)
        };
        if stands.is_some_and(is_theirs) {
            return Err(taken());
        }
    }
    Ok(())
}

pub(super) fn check_external_id(
    conn: &mut Conn,
    given: Option<&str>,
    own: Option<i64>,
) -> ApiResult<()> {
    let Some(external_id) = given else {
        return Ok(());
    };
    if new::has_external_id(external_id) {
        return Err(external_id_taken(external_id));
    }
    match find_external(conn, external_id)? {
        Some(id) if Some(id) != own => Err(external_id_taken(external_id)),
        _ => Ok(()),
    }
}

/// 409 for an external id that another article has. (Which one is not told: the writer may not know
/// of it.)
pub fn external_id_taken(external_id: &str) -> ApiError {
    let detail = format!("another article has the external id {external_id}");
    ApiError::new(Code::ExternalIdTaken, detail)
}
