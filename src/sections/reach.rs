//! How far a caller reaches into the tree.

use std::collections::HashSet;

use diesel::QueryResult;

use crate::auth::Caller;
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::fields::Check;
use crate::http::reference::Ref;
use crate::slugs::{self, Resource};

use super::tree::{SectionRow, Tree};

/// The most sections that an account or key may be bound to.
const MAX_BOUNDS: usize = 1000;

/// The sections that a caller may work in.
#[derive(Debug, Clone)]
pub enum Reach {
    /// All.
    Everywhere,
    /// These.
    Within(HashSet<i64>),
}

impl Reach {
    /// The sections of this caller, with all below them.
    pub fn of(caller: &Caller, tree: &Tree) -> Self {
        match &caller.sections {
            None => Self::Everywhere,
            Some(roots) => {
                let known = roots.iter().filter(|id| tree.get(**id).is_some());
                Self::Within(known.flat_map(|id| tree.subtree(*id)).collect())
            }
        }
    }

    /// The same, from the database: the tree is read only for a caller that has bounds.
    pub fn load(conn: &mut Conn, caller: &Caller) -> QueryResult<Self> {
        match caller.sections {
            None => Ok(Self::Everywhere),
            Some(_) => Ok(Self::of(caller, &super::store::tree(conn)?)),
        }
    }

    /// Whether this section is among them.
    pub fn covers(&self, section_id: i64) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Within(ids) => ids.contains(&section_id),
        }
    }

    /// The ids of these sections; `None`: all.
    pub fn ids(&self) -> Option<Vec<i64>> {
        match self {
            Self::Everywhere => None,
            Self::Within(ids) => Some(ids.iter().copied().collect()),
        }
    }

    /// The part of these sections that is among them; `None`: all sections there are.
    pub fn narrow(&self, wanted: Option<Vec<i64>>) -> Option<Vec<i64>> {
        match wanted {
            None => self.ids(),
            Some(ids) => Some(ids.into_iter().filter(|id| self.covers(*id)).collect()),
        }
    }

    /// Refuses a section that isn't among them: 403 where readers see it, else 404.
    pub fn check(&self, row: &SectionRow) -> ApiResult<()> {
        if self.covers(row.id) {
            Ok(())
        } else if row.shown {
            Err(not_yours())
        } else {
            Err(ApiError::not_found("section"))
        }
    }

    /// The section that a management filter names. A fault of that parameter where there is none
    /// that the caller may know of.
    pub fn filter<'a>(
        &self,
        conn: &mut Conn,
        tree: &'a Tree,
        parameter: &str,
        reference: &Ref,
    ) -> ApiResult<&'a SectionRow> {
        let target = slugs::resolve(conn, Resource::Section, reference)?;
        let row = target.and_then(|target| tree.get(target.id));
        let known = row.filter(|row| row.shown || self.covers(row.id));
        known.ok_or_else(|| {
            let detail = format!("{parameter} names no section");
            ApiError::bad_parameter(parameter, FaultCode::DoesNotExist, detail)
        })
    }
}

/// 403 for what the caller sees, but has no part in.
pub fn not_yours() -> ApiError {
    let detail = "that belongs to sections or people that the caller has no part in";
    ApiError::new(Code::Forbidden, detail)
}

/// Checks the sections that an account or key is to be bound to: each exists.
pub fn check_exist(
    conn: &mut Conn,
    check: &mut Check,
    pointer: &str,
    sections: Option<&[i64]>,
) -> ApiResult<()> {
    let ids = sections.unwrap_or_default();
    if ids.len() > MAX_BOUNDS {
        let detail = format!("must have at most {MAX_BOUNDS} items");
        check.fault(pointer, FaultCode::TooMany, detail);
    } else if !ids.is_empty() {
        let tree = super::store::tree(conn)?;
        for (index, id) in ids.iter().enumerate() {
            if tree.get(*id).is_none() {
                let pointer = format!("{pointer}/{index}");
                check.fault(&pointer, FaultCode::DoesNotExist, "names no section");
            }
        }
    }
    Ok(())
}

/// The sections that an account or key is to be bound to, each once, in the order given.
pub fn distinct(sections: Option<Vec<i64>>) -> Option<Vec<i64>> {
    let mut seen = HashSet::new();
    sections.map(|ids| ids.into_iter().filter(|id| seen.insert(*id)).collect())
}
