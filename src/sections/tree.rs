//! The tree of sections, in memory: pure questions and answers.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;

use crate::articles::wire::Cover;
use crate::db::schema::sections;
use crate::db::{JsonOf, Timestamp};

/// A section as it is stored.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sections)]
#[allow(
    missing_docs,
    reason = "named as the columns, which the migration explains"
)]
pub struct SectionRow {
    pub id: i64,
    pub parent_id: Option<i64>,
    pub slug: String,
    pub name: String,
    pub path: String,
    pub depth: i64,
    pub position: i64,
    pub visible: bool,
    pub shown: bool,
    pub description: Option<String>,
    pub keywords: JsonOf<Vec<String>>,
    pub kind: Option<String>,
    pub cover: Option<JsonOf<Cover>>,
    pub max_age_days: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// All sections, in tree order: each before its children, siblings by position.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    rows: Vec<SectionRow>,
    by_id: HashMap<i64, usize>,
    children: HashMap<Option<i64>, Vec<i64>>,
}

/// What the tree decides about a section: its derived columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Slugs from the root, joined by `/`.
    pub path: String,
    /// How many ancestors it has.
    pub depth: i64,
    /// Its place among its siblings, from 0.
    pub position: i64,
    /// Whether it and all its ancestors are visible.
    pub shown: bool,
}

impl Tree {
    /// Puts the rows into tree order.
    pub fn new(rows: Vec<SectionRow>) -> Self {
        let mut children: HashMap<Option<i64>, Vec<(i64, i64)>> = HashMap::new();
        for row in &rows {
            children
                .entry(row.parent_id)
                .or_default()
                .push((row.position, row.id));
        }
        for siblings in children.values_mut() {
            siblings.sort_unstable();
        }
        let children: HashMap<Option<i64>, Vec<i64>> = children
            .into_iter()
            .map(|(parent, list)| (parent, list.into_iter().map(|(_, id)| id).collect()))
            .collect();
        let mut by_row: HashMap<i64, SectionRow> =
            rows.into_iter().map(|row| (row.id, row)).collect();
        let mut ordered = Vec::with_capacity(by_row.len());
        let mut stack: Vec<i64> = children
            .get(&None)
            .into_iter()
            .flatten()
            .rev()
            .copied()
            .collect();
        while let Some(id) = stack.pop() {
            ordered.extend(by_row.remove(&id));
            stack.extend(children.get(&Some(id)).into_iter().flatten().rev());
        }
        let by_id = ordered
            .iter()
            .enumerate()
            .map(|(index, row)| (row.id, index))
            .collect();
        Self {
            rows: ordered,
            by_id,
            children,
        }
    }

    /// All sections, each before its children.
    pub fn rows(&self) -> &[SectionRow] {
        &self.rows
    }

    /// The section of this id.
    pub fn get(&self, id: i64) -> Option<&SectionRow> {
        self.by_id.get(&id).map(|index| &self.rows[*index])
    }

    /// Ids of the children, in order; of the top sections for `None`.
    pub fn children(&self, parent: Option<i64>) -> &[i64] {
        self.children.get(&parent).map_or(&[], Vec::as_slice)
    }

    /// The section and its ancestors, from the top down to itself.
    pub fn ancestors(&self, id: i64) -> Vec<&SectionRow> {
        let mut line = Vec::new();
        let mut next = self.get(id);
        while let Some(row) = next {
            line.push(row);
            next = row.parent_id.and_then(|parent| self.get(parent));
        }
        line.reverse();
        line
    }

    /// Ids of the section and all below it.
    pub fn subtree(&self, id: i64) -> Vec<i64> {
        let mut found = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            found.push(id);
            stack.extend(self.children(Some(id)));
        }
        found
    }

    /// Whether `id` is `ancestor` or below it.
    pub fn is_within(&self, id: i64, ancestor: i64) -> bool {
        self.ancestors(id).iter().any(|row| row.id == ancestor)
    }

    /// How many levels the section and what is below it have: 1 without children.
    pub fn height(&self, id: i64) -> i64 {
        1 + self
            .children(Some(id))
            .iter()
            .map(|child| self.height(*child))
            .max()
            .unwrap_or(0)
    }

    /// The derived columns of every section, from `parent_id`, `slug`, `visible` and the order of
    /// `position`.
    pub fn derive(&self) -> Vec<(i64, Derived)> {
        let mut done: HashMap<i64, Derived> = HashMap::new();
        for row in &self.rows {
            let parent = row.parent_id.and_then(|id| done.get(&id));
            let siblings = self.children(row.parent_id);
            let position = siblings.iter().position(|id| *id == row.id).unwrap_or(0);
            let derived = Derived {
                path: parent
                    .map_or_else(|| row.slug.clone(), |p| format!("{}/{}", p.path, row.slug)),
                depth: parent.map_or(0, |p| p.depth + 1),
                position: i64::try_from(position).unwrap_or(i64::MAX),
                shown: row.visible && parent.is_none_or(|p| p.shown),
            };
            done.insert(row.id, derived);
        }
        self.rows
            .iter()
            .filter_map(|row| done.remove(&row.id).map(|d| (row.id, d)))
            .collect()
    }

    /// Where an article is listed: in the site (0), in its section, in the shown ones of
    /// `also_in`, and in all their ancestors; with whether it stands in that very section.
    pub fn listed_in(&self, section_id: i64, also_in: &[i64]) -> Vec<(i64, bool)> {
        let homes = std::iter::once(section_id)
            .chain(also_in.iter().copied())
            .filter(|id| self.get(*id).is_some_and(|row| row.shown))
            .collect::<Vec<_>>();
        let mut places = vec![(0, false)];
        let mut seen = HashSet::new();
        for home in &homes {
            for row in self.ancestors(*home) {
                if seen.insert(row.id) {
                    places.push((row.id, homes.contains(&row.id)));
                }
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(id: i64, parent_id: Option<i64>, position: i64, visible: bool) -> SectionRow {
        let at = Timestamp::from_millis(0).expect("valid");
        SectionRow {
            id,
            parent_id,
            slug: format!("s{id}"),
            name: String::new(),
            path: String::new(),
            depth: 0,
            position,
            visible,
            shown: visible,
            description: None,
            keywords: JsonOf(vec![]),
            kind: None,
            cover: None,
            max_age_days: None,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    /// Each section's parent is an earlier one, so there is no cycle.
    fn any_tree() -> impl Strategy<Value = Tree> {
        proptest::collection::vec(
            (any::<prop::sample::Index>(), 0_i64..4, any::<bool>()),
            1..40,
        )
        .prop_map(|parts| {
            let rows = parts
                .iter()
                .enumerate()
                .map(|(n, (parent, position, visible))| {
                    let parent = parent.index(n + 1) as i64;
                    row(
                        n as i64 + 1,
                        (parent > 0).then_some(parent),
                        *position,
                        *visible,
                    )
                });
            Tree::new(rows.collect())
        })
    }

    proptest! {
        #[test]
        fn tree_order_has_parents_first_and_loses_nobody(tree in any_tree()) {
            let mut seen = HashSet::new();
            for row in tree.rows() {
                prop_assert!(row.parent_id.is_none_or(|p| seen.contains(&p)));
                prop_assert!(seen.insert(row.id));
            }
            prop_assert_eq!(seen.len(), tree.by_id.len());
        }

        #[test]
        fn derived_columns_follow_from_the_parent(tree in any_tree()) {
            let derived: HashMap<i64, Derived> = tree.derive().into_iter().collect();
            for row in tree.rows() {
                let own = &derived[&row.id];
                prop_assert_eq!(own.depth as usize + 1, tree.ancestors(row.id).len());
                prop_assert_eq!(own.path.split('/').count() as i64, own.depth + 1);
                prop_assert_eq!(own.shown, tree.ancestors(row.id).iter().all(|r| r.visible));
                let siblings = tree.children(row.parent_id);
                prop_assert_eq!(siblings[own.position as usize], row.id);
            }
        }

        #[test]
        fn subtree_and_ancestors_are_inverse(tree in any_tree()) {
            for row in tree.rows() {
                for below in tree.subtree(row.id) {
                    prop_assert!(tree.is_within(below, row.id));
                }
            }
        }
    }

    #[test]
    fn a_hidden_also_in_section_lists_nothing() {
        let tree = Tree::new(vec![
            row(1, None, 0, true),
            row(2, Some(1), 0, true),
            row(3, None, 1, false),
        ]);
        assert_eq!(tree.listed_in(2, &[3]), [(0, false), (1, false), (2, true)]);
        assert_eq!(tree.listed_in(2, &[1]), [(0, false), (1, true), (2, true)]);
    }
}
