//! JSON of accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::http::fields::Member;
use crate::list_of;

use super::store::UserRow;

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    /// The account's id, never used again.
    #[schema(minimum = 1)]
    pub id: i64,
    /// E-mail address, unique without regard to case.
    #[schema(max_length = 254)]
    pub email: String,
    /// The name of whose account it is.
    #[schema(required, nullable, max_length = 200)]
    pub name: Option<String>,
    /// What the account may do: `admin`, `editor`, `author` or `viewer`.
    #[schema(max_length = 20)]
    pub role: String,
    /// Ids of the sections that the account works in, with all below them; null: everywhere.
    #[schema(required, nullable, max_items = 1000)]
    pub sections: Option<Vec<i64>>,
    /// Whether nobody can sign in with it.
    pub disabled: bool,
    /// Whether it has a password; without one it waits for a one-time token to be used.
    pub has_password: bool,
    /// When somebody last signed in with it.
    #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
    pub last_login_at: Option<Timestamp>,
    /// When the account was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Number of the version, for `If-Match`.
    #[schema(minimum = 1)]
    pub version: i64,
}

impl From<&UserRow> for User {
    fn from(row: &UserRow) -> Self {
        Self {
            id: row.id,
            email: row.email.clone(),
            name: row.name.clone(),
            role: row.role.clone(),
            sections: row.sections.clone().map(|sections| sections.0),
            disabled: row.disabled,
            has_password: !row.password_hash.is_empty(),
            last_login_at: row.last_login_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

list_of! {
    /// A page of accounts.
    UserList, User
}

/// A new account.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// E-mail address, unique without regard to case.
    #[serde(default)]
    #[schema(required, value_type = String, format = Email, min_length = 3, max_length = 254)]
    pub email: Member<String>,
    /// The name of whose account it is.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub name: Member<String>,
    /// A first password: 8 to 256 characters, none of the common ones, not the e-mail address.
    /// Without one the account waits for a one-time token to be used.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 8, max_length = 256)]
    pub password: Member<String>,
    /// What the account may do: `admin`, `editor`, `author` or `viewer`.
    #[serde(default)]
    #[schema(required, value_type = String, pattern = "^(admin|editor|author|viewer)$")]
    pub role: Member<String>,
    /// Ids of the sections that the account works in, with all below them. Editors and authors work
    /// nowhere without; viewers without see everything; an admin has no such bounds.
    #[serde(default)]
    #[schema(value_type = Option<Vec<i64>>, max_items = 1000)]
    pub sections: Member<Vec<i64>>,
    /// Whether nobody can sign in with it.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub disabled: Member<bool>,
}

/// Changes of an account. An account that was an admin's had no bounds: with the `role` of an editor,
/// author or viewer it needs its `sections` in the same change.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// E-mail address, unique without regard to case. A new one ends a one-time token for a password
    /// that was made before.
    #[serde(default)]
    #[schema(value_type = String, format = Email, min_length = 3, max_length = 254)]
    pub email: Member<String>,
    /// The name of whose account it is.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    pub name: Member<String>,
    /// What the account may do: `admin`, `editor`, `author` or `viewer`.
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(admin|editor|author|viewer)$")]
    pub role: Member<String>,
    /// Ids of the sections that the account works in, with all below them. Editors and authors work
    /// nowhere without; viewers without see everything; an admin has no such bounds.
    /// Required when an admin becomes something else: an array, or for a viewer null.
    #[serde(default)]
    #[schema(value_type = Option<Vec<i64>>, max_items = 1000)]
    pub sections: Member<Vec<i64>>,
    /// Whether nobody can sign in with it. Disabling ends all of its sessions.
    #[serde(default)]
    #[schema(value_type = bool)]
    pub disabled: Member<bool>,
}

/// A one-time token to set a password with.
#[derive(Serialize, ToSchema)]
pub struct PasswordReset {
    /// The token for `POST /v1/auth/reset`, shown this once.
    #[schema(max_length = 256)]
    pub token: String,
    /// The address to hand on, from `LANMU_RESET_URL`; null where that is not set.
    #[schema(required, nullable, max_length = 2000)]
    pub url: Option<String>,
    /// Until when the token is good.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}
