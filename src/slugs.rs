//! Slugs that are free, and slugs that once were: an old slug leads to what it named until a live
//! one takes it.

use std::collections::HashMap;

use diesel::dsl::exists;
use diesel::prelude::*;

use crate::db::schema::{articles, old_slugs, sections};
use crate::db::{Conn, Timestamp, purges};
use crate::each;
use crate::http::keys::Key;
use crate::http::reference::{Ref, Slug};

/// A kind of resource with slugs of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Articles.
    Article,
    /// Sections.
    Section,
}

impl Resource {
    /// The name as it stands in the database, and in front of slugs made of digits.
    pub fn name(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Section => "section",
        }
    }

    /// The key of one in answers.
    pub fn key(self, id: i64) -> Key {
        match self {
            Self::Article => Key::Article(id),
            Self::Section => Key::Section(id),
        }
    }
}

/// The id of what has this slug now.
pub fn live(conn: &mut Conn, resource: Resource, slug: &Slug) -> QueryResult<Option<i64>> {
    let slug = slug.as_str();
    match resource {
        Resource::Article => articles::table
            .filter(articles::slug.eq(slug))
            .select(articles::id)
            .first(conn),
        Resource::Section => sections::table
            .filter(sections::slug.eq(slug))
            .select(sections::id)
            .first(conn),
    }
    .optional()
}

/// The id of what had this slug once.
pub fn old(conn: &mut Conn, resource: Resource, slug: &Slug) -> QueryResult<Option<i64>> {
    old_slugs::table
        .find((resource.name(), slug.as_str()))
        .select(old_slugs::target_id)
        .first(conn)
        .optional()
}

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The id. Where the reference is an id, there may be nothing of it.
    pub id: i64,
    /// Whether the reference is a slug that it had once.
    pub is_old: bool,
}

/// What a reference leads to: an id to itself, a slug to what has it now or, where nothing has, to
/// what had it once.
pub fn resolve(
    conn: &mut Conn,
    resource: Resource,
    reference: &Ref,
) -> QueryResult<Option<Target>> {
    let slug = match reference {
        Ref::Id(id) => {
            return Ok(Some(Target {
                id: *id,
                is_old: false,
            }));
        }
        Ref::Slug(slug) => slug,
    };
    if let Some(id) = live(conn, resource, slug)? {
        return Ok(Some(Target { id, is_old: false }));
    }
    Ok(old(conn, resource, slug)?.map(|id| Target { id, is_old: true }))
}

/// The articles that slugs lead to: those that have them now or, where none has, had them once.
pub fn articles(conn: &mut Conn, wanted: &[&str]) -> QueryResult<HashMap<String, i64>> {
    let mut found = HashMap::with_capacity(wanted.len());
    for chunk in wanted.chunks(500) {
        let old: Vec<(String, i64)> = old_slugs::table
            .filter(old_slugs::resource.eq(Resource::Article.name()))
            .filter(old_slugs::slug.eq_any(chunk))
            .select((old_slugs::slug, old_slugs::target_id))
            .load(conn)?;
        found.extend(old);
        let live: Vec<(String, i64)> = articles::table
            .filter(articles::slug.eq_any(chunk))
            .select((articles::slug, articles::id))
            .load(conn)?;
        found.extend(live);
    }
    Ok(found)
}

/// One of `wanted`, `wanted-2`, `wanted-3`, … that nothing has or had: the first where they were
/// taken in turn. `is_reserved` tells of others that can't be had.
pub fn free(
    conn: &mut Conn,
    resource: Resource,
    wanted: &Slug,
    is_reserved: impl Fn(&str) -> bool,
) -> QueryResult<Slug> {
    let mut taken = |n: u64| -> QueryResult<bool> {
        let slug = wanted.numbered(n);
        Ok(is_reserved(slug.as_str()) || is_taken(conn, resource, &slug)?)
    };
    // Gallop to a free number, then halve: a few look-ups however many share the title.
    let (mut low, mut high) = (0, 1);
    while taken(high)? {
        low = high;
        high *= 2;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if taken(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(wanted.numbered(high))
}

/// Whether anything has or had this slug.
fn is_taken(conn: &mut Conn, resource: Resource, slug: &Slug) -> QueryResult<bool> {
    let slug = slug.as_str();
    let old = exists(old_slugs::table.find((resource.name(), slug)));
    match resource {
        Resource::Article => {
            let live = exists(articles::table.filter(articles::slug.eq(slug)));
            each!(conn, c => diesel::select(live.or(old)).get_result(c))
        }
        Resource::Section => {
            let live = exists(sections::table.filter(sections::slug.eq(slug)));
            each!(conn, c => diesel::select(live.or(old)).get_result(c))
        }
    }
}

/// Notes that `id` has given up this slug.
pub fn retire(
    conn: &mut Conn,
    resource: Resource,
    slug: &str,
    id: i64,
    now: Timestamp,
) -> QueryResult<()> {
    diesel::delete(old_slugs::table.find((resource.name(), slug))).execute(conn)?;
    diesel::insert_into(old_slugs::table)
        .values((
            old_slugs::resource.eq(resource.name()),
            old_slugs::slug.eq(slug),
            old_slugs::target_id.eq(id),
            old_slugs::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes that a live resource has this slug now: it leads nowhere else any more. Caches elsewhere may have
/// been led by it, also where what has it now is not public.
pub fn claim(conn: &mut Conn, resource: Resource, slug: &Slug) -> QueryResult<()> {
    let led_to: Vec<i64> = diesel::delete(old_slugs::table.find((resource.name(), slug.as_str())))
        .returning(old_slugs::target_id)
        .load(conn)?;
    purges::name(led_to.iter().flat_map(|id| [resource.key(*id), Key::SITE]));
    Ok(())
}

/// Drops the old slugs of what is deleted.
pub fn forget(conn: &mut Conn, resource: Resource, id: i64) -> QueryResult<()> {
    let of_target = old_slugs::resource
        .eq(resource.name())
        .and(old_slugs::target_id.eq(id));
    diesel::delete(old_slugs::table.filter(of_target)).execute(conn)?;
    Ok(())
}
