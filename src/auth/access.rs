//! The one table of who may do what.
//!
//! [`TABLE`] says which roles and which scope of API keys have a permission, [`OPERATIONS`] which
//! permission each operation needs. The permission stands in the handler's signature as well
//! ([`super::Can`]); a test walks every operation with every kind of caller and holds what is
//! answered against these tables, and the OpenAPI document is described from them.

use std::fmt;
use std::str::FromStr;

/// What kind of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// May do everything everywhere.
    Admin,
    /// Writes and publishes in its sections.
    Editor,
    /// Writes drafts of its own in its sections, and sees what it wrote.
    Author,
    /// Reads.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Editor, Self::Author, Self::Viewer];

    /// The name in JSON, in the database and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Author => "author",
            Self::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        let names = Self::ALL.map(Self::as_str).join(", ");
        found.ok_or_else(|| format!("there is no role {text:?}: use one of {names}"))
    }
}

/// What an API key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Read articles and sections in every state.
    ContentRead,
    /// Create, change and trash articles that are not public.
    ContentWrite,
    /// Publish, unpublish, change what is public, delete for good.
    ContentPublish,
    /// Read hit counts with their ledgers.
    HitsRead,
    /// Record views as a server, and correct hit counts.
    HitsWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::ContentRead,
        Self::ContentWrite,
        Self::ContentPublish,
        Self::HitsRead,
        Self::HitsWrite,
    ];

    /// The name in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContentRead => "content:read",
            Self::ContentWrite => "content:write",
            Self::ContentPublish => "content:publish",
            Self::HitsRead => "hits:read",
            Self::HitsWrite => "hits:write",
        }
    }

    /// The scope of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Not at all.
    Nothing,
    /// Articles that the account made itself, in its sections, as long as they are drafts or in the
    /// trash.
    OwnDrafts,
    /// Articles that the account made itself, in its sections.
    Own,
    /// Everything in the caller's sections; all that is, where it has no bounds.
    All,
}

macro_rules! permissions {
    ($($(#[$meta:meta])* $name:ident)*) => {
        /// What a handler may need.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Permission { $($(#[$meta])* $name,)* }

        $(
            $(#[$meta])*
            #[derive(Debug)]
            pub struct $name;
            impl super::Needs for $name {
                const PERMISSION: Permission = Permission::$name;
            }
        )*
    };
}

permissions! {
    /// Read articles and sections in every state.
    ReadContent
    /// Create, change and trash articles.
    WriteContent
    /// Publish and unpublish articles, change what is public, and delete for good.
    Publish
    /// Show others what isn't public, by a link.
    Preview
    /// Create, change, move and delete sections.
    WriteSections
    /// Read hit counts with their ledgers.
    ReadHits
    /// Record views as a server, and correct hit counts.
    WriteHits
    /// See and change accounts.
    ManageUsers
    /// See and change API keys.
    ManageApiKeys
    /// Read the audit log.
    ReadAudit
    /// Deal with the caller's own account: password, sessions.
    OwnAccount
}

/// Who has a permission.
#[derive(Debug)]
#[allow(missing_docs, reason = "named as the roles")]
pub struct Row {
    pub permission: Permission,
    pub admin: Extent,
    pub editor: Extent,
    pub author: Extent,
    pub viewer: Extent,
    /// The scope that gives it to API keys; `None`: no key has it.
    pub scope: Option<Scope>,
}

const fn row(permission: Permission, extents: [Extent; 4], scope: Option<Scope>) -> Row {
    let [admin, editor, author, viewer] = extents;
    Row {
        permission,
        admin,
        editor,
        author,
        viewer,
        scope,
    }
}

/// Who may do what: admin, editor, author, viewer, and the scope of API keys.
pub const TABLE: &[Row] = {
    use Extent::{All, Nothing, Own, OwnDrafts};
    use Permission as P;
    use Scope as S;
    &[
        row(P::ReadContent, [All, All, Own, All], Some(S::ContentRead)),
        row(
            P::WriteContent,
            [All, All, OwnDrafts, Nothing],
            Some(S::ContentWrite),
        ),
        row(
            P::Publish,
            [All, All, Nothing, Nothing],
            Some(S::ContentPublish),
        ),
        row(P::Preview, [All, All, Own, Nothing], Some(S::ContentWrite)),
        row(P::WriteSections, [All, Nothing, Nothing, Nothing], None),
        row(P::ReadHits, [All, All, Own, All], Some(S::HitsRead)),
        row(
            P::WriteHits,
            [All, All, Nothing, Nothing],
            Some(S::HitsWrite),
        ),
        row(P::ManageUsers, [All, Nothing, Nothing, Nothing], None),
        row(P::ManageApiKeys, [All, Nothing, Nothing, Nothing], None),
        row(P::ReadAudit, [All, Nothing, Nothing, Nothing], None),
        row(P::OwnAccount, [All, All, All, All], None),
    ]
};

/// The permission that each operation needs, by operation id. What isn't here needs no caller.
pub const OPERATIONS: &[(&str, Permission)] = {
    use Permission as P;
    &[
        ("listManagedArticles", P::ReadContent),
        ("getManagedArticle", P::ReadContent),
        ("createArticlePreview", P::Preview),
        ("checkArticle", P::ReadContent),
        ("createArticle", P::WriteContent),
        ("updateArticle", P::WriteContent),
        ("deleteArticle", P::WriteContent),
        ("restoreArticle", P::WriteContent),
        ("listRevisions", P::ReadContent),
        ("getRevision", P::ReadContent),
        ("diffRevision", P::ReadContent),
        ("restoreRevision", P::WriteContent),
        ("putExternalArticle", P::WriteContent),
        ("bulkArticles", P::WriteContent),
        ("submitArticle", P::WriteContent),
        ("rejectArticle", P::Publish),
        ("reorderArticle", P::Publish),
        ("publishArticle", P::Publish),
        ("unpublishArticle", P::Publish),
        ("listManagedSections", P::ReadContent),
        ("getManagedSection", P::ReadContent),
        ("createSection", P::WriteSections),
        ("updateSection", P::WriteSections),
        ("deleteSection", P::WriteSections),
        ("moveSection", P::WriteSections),
        ("listManagedHits", P::ReadHits),
        ("getManagedHits", P::ReadHits),
        ("exportHits", P::ReadHits),
        ("recordManagedHits", P::WriteHits),
        ("importHitBaselines", P::WriteHits),
        ("setHitBaseline", P::WriteHits),
        ("adjustHits", P::WriteHits),
        ("resetHits", P::WriteHits),
        ("deleteHits", P::WriteHits),
        ("listUsers", P::ManageUsers),
        ("createUser", P::ManageUsers),
        ("getUser", P::ManageUsers),
        ("updateUser", P::ManageUsers),
        ("deleteUser", P::ManageUsers),
        ("createPasswordReset", P::ManageUsers),
        ("listUserSessions", P::ManageUsers),
        ("revokeUserSessions", P::ManageUsers),
        ("listApiKeys", P::ManageApiKeys),
        ("createApiKey", P::ManageApiKeys),
        ("getApiKey", P::ManageApiKeys),
        ("updateApiKey", P::ManageApiKeys),
        ("rotateApiKey", P::ManageApiKeys),
        ("revokeApiKey", P::ManageApiKeys),
        ("listAudit", P::ReadAudit),
        ("getMe", P::OwnAccount),
        ("logout", P::OwnAccount),
        ("changePassword", P::OwnAccount),
        ("listSessions", P::OwnAccount),
        ("revokeSessions", P::OwnAccount),
        ("revokeSession", P::OwnAccount),
    ]
};

/// The permission that an operation needs; `None`: it needs no caller.
pub fn permission_of(operation_id: &str) -> Option<Permission> {
    let found = OPERATIONS.iter().find(|(id, _)| *id == operation_id);
    found.map(|(_, permission)| *permission)
}

impl Permission {
    /// Who has it.
    pub fn row(self) -> &'static Row {
        let found = TABLE.iter().find(|row| row.permission == self);
        // A unit test sees that each permission has its row.
        found.unwrap_or(&NOBODY)
    }
}

/// The row of a permission that nobody has.
static NOBODY: Row = row(Permission::OwnAccount, [Extent::Nothing; 4], None);

impl Role {
    /// How far this permission goes for accounts of the role.
    pub fn may(self, permission: Permission) -> Extent {
        let row = permission.row();
        match self {
            Self::Admin => row.admin,
            Self::Editor => row.editor,
            Self::Author => row.author,
            Self::Viewer => row.viewer,
        }
    }
}

/// How far this permission goes for API keys of these scopes.
pub fn scopes_may(scopes: &[Scope], permission: Permission) -> Extent {
    match permission.row().scope {
        Some(scope) if scopes.contains(&scope) => Extent::All,
        _ => Extent::Nothing,
    }
}

/// The sections that an account of this role works in: none bounds an admin, a viewer is bounded
/// only where sections are given, editors and authors work in what is given and nowhere else.
pub fn bounds(role: Role, given: Option<Vec<i64>>) -> Option<Vec<i64>> {
    match role {
        Role::Admin => None,
        Role::Viewer => given,
        Role::Editor | Role::Author => Some(given.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_one_row() {
        for (_, permission) in OPERATIONS {
            let rows = TABLE.iter().filter(|row| row.permission == *permission);
            assert_eq!(rows.count(), 1, "{permission:?}");
        }
        for row in TABLE {
            assert!(
                OPERATIONS.iter().any(|(_, p)| *p == row.permission),
                "{:?} is needed nowhere",
                row.permission
            );
            assert_eq!(row.admin, Extent::All);
        }
    }

    #[test]
    fn each_operation_is_named_once() {
        let mut names: Vec<_> = OPERATIONS.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OPERATIONS.len());
    }

    #[test]
    fn editors_without_sections_work_nowhere() {
        assert_eq!(bounds(Role::Editor, None), Some(vec![]));
        assert_eq!(bounds(Role::Author, None), Some(vec![]));
        assert_eq!(bounds(Role::Viewer, None), None);
        assert_eq!(bounds(Role::Admin, Some(vec![1])), None);
    }
}
