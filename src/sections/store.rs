//! Queries of sections.

use diesel::prelude::*;

use crate::articles;
use crate::articles::wire::Cover;
use crate::audit::{self, By, Event};
use crate::changes::{self, Visible};
use crate::db::schema::sections;
use crate::db::{Conn, JsonOf, Timestamp, purges};
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::fields::Check;
use crate::http::keys::Key;
use crate::http::reference::Slug;
use crate::slugs::{self, Resource};

use super::tree::{SectionRow, Tree};
use super::wire::ManagedSection;

pub use super::delete::delete;

/// The most sections of a site.
pub const MAX_SECTIONS: usize = 10_000;
/// The most levels of the tree.
pub const MAX_LEVELS: i64 = 8;

/// Reads the whole tree.
pub fn tree(conn: &mut Conn) -> QueryResult<Tree> {
    sections::table
        .select(SectionRow::as_select())
        .load(conn)
        .map(Tree::new)
}

/// A section's editable members, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the columns")]
pub struct Edits {
    pub name: String,
    pub visible: bool,
    pub description: Option<String>,
    pub keywords: Vec<String>,
    pub kind: Option<String>,
    pub cover: Option<Cover>,
    pub max_age_days: Option<i64>,
}

/// What a new section is made from.
#[derive(Debug)]
pub struct NewSection {
    /// The section above.
    pub parent_id: Option<i64>,
    /// Place among its siblings; `None`: at the end.
    pub position: Option<i64>,
    /// The slug; `None`: from the name.
    pub slug: Option<Slug>,
    /// The rest.
    pub edits: Edits,
}

/// The section of this id, for its editors.
pub fn find(conn: &mut Conn, id: i64) -> ApiResult<SectionRow> {
    sections::table
        .find(id)
        .select(SectionRow::as_select())
        .first(conn)
        .optional()?
        .ok_or_else(|| ApiError::not_found("section"))
}

/// Makes a section. Faults found here are told with those of `check`.
pub fn create(
    conn: &mut Conn,
    new: NewSection,
    mut check: Check,
    by: &By,
) -> ApiResult<SectionRow> {
    let (tree, now) = (tree(conn)?, by.now);
    if tree.rows().len() >= MAX_SECTIONS {
        let detail = format!("is one too many: a site has at most {MAX_SECTIONS} sections");
        check.fault("/name", FaultCode::TreeTooLarge, detail);
    }
    check_parent(&mut check, &tree, new.parent_id, 1);
    check.finish()?;
    let slug = match new.slug {
        Some(slug) => {
            check_slug(conn, &slug, None)?;
            slug
        }
        None => {
            let wanted = Slug::from_title(&new.edits.name, Resource::Section.name());
            slugs::free(conn, Resource::Section, &wanted, |_| false)?
        }
    };
    slugs::claim(conn, Resource::Section, &slug)?;
    let siblings = tree.children(new.parent_id);
    let end = i64::try_from(siblings.len()).unwrap_or(i64::MAX);
    let position = new.position.unwrap_or(end).clamp(0, end);
    let edits = new.edits;
    let id: i64 = diesel::insert_into(sections::table)
        .values((
            sections::parent_id.eq(new.parent_id),
            sections::slug.eq(slug.as_str()),
            sections::name.eq(edits.name),
            sections::path.eq(""),
            sections::depth.eq(0_i64),
            sections::position.eq(end),
            sections::visible.eq(edits.visible),
            sections::shown.eq(false),
            sections::description.eq(edits.description),
            sections::keywords.eq(JsonOf(edits.keywords)),
            sections::kind.eq(edits.kind),
            sections::cover.eq(edits.cover.map(JsonOf)),
            sections::max_age_days.eq(edits.max_age_days),
            sections::created_at.eq(now),
            sections::updated_at.eq(now),
            sections::version.eq(1_i64),
        ))
        .returning(sections::id)
        .get_result(conn)?;
    let mut order = siblings.to_vec();
    // Both are within the number of siblings.
    order.insert(usize::try_from(position).unwrap_or(0), id);
    set_order(conn, &order)?;
    settle(conn, &tree, now)?;
    let row = find(conn, id)?;
    tell(conn, by, Event::SectionCreated, id, [None, Some(&row)])?;
    Ok(row)
}

/// Changes a section's own members. A new slug re-paths the subtree and keeps the old one leading
/// here; hiding or showing takes its articles out of delivery or puts them in.
pub fn update(
    conn: &mut Conn,
    row: &SectionRow,
    edits: Edits,
    slug: Option<Slug>,
    by: &By,
) -> ApiResult<SectionRow> {
    let (before, now) = (tree(conn)?, by.now);
    let slug = slug.filter(|slug| slug.as_str() != row.slug);
    if let Some(slug) = &slug {
        check_slug(conn, slug, Some(row.id))?;
        slugs::claim(conn, Resource::Section, slug)?;
        slugs::retire(conn, Resource::Section, &row.slug, row.id, now)?;
    }
    let slug = slug.map_or_else(|| row.slug.clone(), |slug| slug.to_string());
    diesel::update(sections::table.find(row.id))
        .set((
            sections::slug.eq(slug),
            sections::name.eq(edits.name),
            sections::visible.eq(edits.visible),
            sections::description.eq(edits.description),
            sections::keywords.eq(JsonOf(edits.keywords)),
            sections::kind.eq(edits.kind),
            sections::cover.eq(edits.cover.map(JsonOf)),
            sections::max_age_days.eq(edits.max_age_days),
            sections::updated_at.eq(now),
            sections::version.eq(row.version + 1),
        ))
        .execute(conn)?;
    settle(conn, &before, now)?;
    let is = find(conn, row.id)?;
    tell(
        conn,
        by,
        Event::SectionUpdated,
        row.id,
        [Some(row), Some(&is)],
    )?;
    Ok(is)
}

/// Where a section is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// Behind all siblings.
    Last,
    /// Before this sibling.
    Before(i64),
    /// Behind this sibling.
    After(i64),
}

/// Moves a section with all below it, and orders its new siblings.
pub fn move_to(
    conn: &mut Conn,
    id: i64,
    parent_id: Option<i64>,
    among: Among,
    by: &By,
) -> ApiResult<SectionRow> {
    let (was, tree, now) = (find(conn, id)?, tree(conn)?, by.now);
    if parent_id.is_some_and(|parent| tree.is_within(parent, id)) {
        return Err(ApiError::new(
            Code::SectionCycle,
            Code::SectionCycle.title(),
        ));
    }
    let mut check = Check::default();
    check_parent(&mut check, &tree, parent_id, tree.height(id));
    check.finish()?;
    let mut order: Vec<i64> = tree
        .children(parent_id)
        .iter()
        .copied()
        .filter(|sibling| *sibling != id)
        .collect();
    let place = |pointer: &str, sibling: i64| {
        order
            .iter()
            .position(|other| *other == sibling)
            .ok_or_else(|| {
                let detail = format!("{} is no sibling there", pointer.trim_start_matches('/'));
                ApiError::invalid(pointer, FaultCode::DoesNotExist, detail)
            })
    };
    let index = match among {
        Among::Last => order.len(),
        Among::Before(sibling) => place("/before", sibling)?,
        Among::After(sibling) => place("/after", sibling)? + 1,
    };
    order.insert(index, id);
    diesel::update(sections::table.find(id))
        .set(sections::parent_id.eq(parent_id))
        .execute(conn)?;
    set_order(conn, &order)?;
    settle(conn, &tree, now)?;
    let row = find(conn, id)?;
    tell(conn, by, Event::SectionMoved, id, [Some(&was), Some(&row)])?;
    Ok(row)
}

/// Records what happened to a section: the members that changed.
pub(super) fn tell(
    conn: &mut Conn,
    by: &By,
    event: Event,
    id: i64,
    states: [Option<&SectionRow>; 2],
) -> QueryResult<()> {
    let states = states.map(|row| row.map(ManagedSection::from));
    audit::record_change(conn, by, event, (audit::Resource::Section, id), states)
}

fn check_slug(conn: &mut Conn, slug: &Slug, own: Option<i64>) -> ApiResult<()> {
    match slugs::live(conn, Resource::Section, slug)? {
        Some(id) if Some(id) != own => {
            let detail = format!("section {id} has the slug {slug}");
            Err(ApiError::new(Code::SlugTaken, detail))
        }
        _ => Ok(()),
    }
}

fn check_parent(check: &mut Check, tree: &Tree, parent_id: Option<i64>, height: i64) {
    if parent_id.is_some_and(|parent| tree.get(parent).is_none()) {
        check.fault("/parent_id", FaultCode::DoesNotExist, "names no section");
    } else if is_too_deep(tree, parent_id, height) {
        check.fault("/parent_id", FaultCode::TreeTooLarge, TOO_DEEP);
    }
}

/// What is wrong with a place there.
pub(super) const TOO_DEEP: &str = "is too deep: the tree has at most 8 levels";

/// Whether what is so high would reach below the last level there.
pub(super) fn is_too_deep(tree: &Tree, parent_id: Option<i64>, height: i64) -> bool {
    let parent = parent_id.and_then(|id| tree.get(id));
    parent.map_or(0, |row| row.depth + 1) + height > MAX_LEVELS
}

/// Gives siblings their positions.
pub(super) fn set_order(conn: &mut Conn, order: &[i64]) -> QueryResult<()> {
    for (index, id) in order.iter().enumerate() {
        let position = i64::try_from(index).unwrap_or(i64::MAX);
        diesel::update(
            sections::table
                .find(*id)
                .filter(sections::position.ne(position)),
        )
        .set(sections::position.eq(position))
        .execute(conn)?;
    }
    Ok(())
}

/// Tells caches elsewhere of a section that stands somewhere else now, or is seen no more or only now: of
/// what is listed in it, and of the sections above, which list it.
pub(super) fn name_places(id: i64, was: Option<&SectionRow>, is: Option<&SectionRow>) {
    let above = [was, is]
        .into_iter()
        .flatten()
        .filter_map(|row| row.parent_id);
    purges::name(above.chain([id]).map(Key::List));
}

/// Puts every derived column right after a change, raises the version of each section that looks
/// different from `before`, tells the change log, and lists anew the articles of those that readers
/// now find elsewhere, or no more.
pub(super) fn settle(conn: &mut Conn, before: &Tree, now: Timestamp) -> ApiResult<()> {
    let after = tree(conn)?;
    let lineage = |tree: &Tree, id| tree.ancestors(id).iter().map(|r| r.id).collect::<Vec<_>>();
    let (mut elsewhere, mut turned, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for (id, derived) in after.derive() {
        let Some(row) = after.get(id) else { continue };
        let was = before.get(id);
        let looks_different = was.is_some_and(|was| {
            was.parent_id != row.parent_id
                || was.path != derived.path
                || was.position != derived.position
                || was.shown != derived.shown
        });
        let is_turned = was.is_some_and(|was| was.shown != derived.shown);
        if is_turned {
            turned.push(id);
        }
        if is_turned || (was.is_some() && lineage(before, id) != lineage(&after, id)) {
            elsewhere.push(id);
        }
        let raised = looks_different && was.is_some_and(|was| was.version == row.version);
        if raised || was.is_none_or(|was| was.version != row.version) {
            let was_shown = was.is_some_and(|was| was.shown);
            changed.push((id, Visible::from(was_shown, derived.shown)));
            let is_placed_anew = was.is_none_or(|was| {
                was.parent_id != row.parent_id || was.position != derived.position
            });
            if (was_shown && is_placed_anew) || was_shown != derived.shown {
                name_places(id, was, Some(row));
            }
        }
        let is_right = row.path == derived.path
            && row.depth == derived.depth
            && row.position == derived.position
            && row.shown == derived.shown;
        if is_right && !raised {
            continue;
        }
        diesel::update(sections::table.find(id))
            .set((
                sections::path.eq(derived.path),
                sections::depth.eq(derived.depth),
                sections::position.eq(derived.position),
                sections::shown.eq(derived.shown),
                sections::updated_at.eq(if raised { now } else { row.updated_at }),
                sections::version.eq(row.version + i64::from(raised)),
            ))
            .execute(conn)?;
    }
    changes::record(conn, Resource::Section, &changed, now)?;
    if elsewhere.is_empty() {
        return Ok(());
    }
    let settled = tree(conn)?;
    let ids = articles::store::ids_in_sections(conn, &elsewhere)?;
    // What only stands in another section of the tree now is the same to readers.
    let told = articles::store::ids_in_sections(conn, &turned)?;
    let told = told.into_iter().collect();
    articles::store::relist(conn, &settled, &ids, &told, now)
}
