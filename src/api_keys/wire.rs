//! JSON of API keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::http::fields::Member;
use crate::list_of;

use super::store::KeyRow;

macro_rules! key {
    ($($(#[$outer:meta])* $name:ident { $($(#[$meta:meta])* $member:ident: $type:ty,)* })*) => {
        $(
            #[derive(Debug, Serialize, ToSchema)]
            $(#[$outer])*
            pub struct $name {
                /// The id, never used again.
                #[schema(minimum = 1)]
                pub id: i64,
                $($(#[$meta])* pub $member: $type,)*
                /// What it is called.
                #[schema(max_length = 200)]
                pub name: String,
                /// The key's first characters, to tell it from others.
                #[schema(max_length = 20)]
                pub prefix: String,
                /// What it is good for: `content:read`, `content:write`, `content:publish`,
                /// `hits:read`, `hits:write`.
                #[schema(max_items = 20)]
                pub scopes: Vec<String>,
                /// Ids of the sections that it is good for, with all below them; null: everywhere.
                #[schema(required, nullable, max_items = 1000)]
                pub sections: Option<Vec<i64>>,
                /// Until when it is good; null: until it is revoked.
                #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
                pub expires_at: Option<Timestamp>,
                /// Until when the key that it replaced is good, too; null: it isn't.
                #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
                pub old_key_expires_at: Option<Timestamp>,
                /// When it was last used, to within a minute.
                #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
                pub last_used_at: Option<Timestamp>,
                /// Id of the account that made it; null where it was none.
                #[schema(required, nullable, minimum = 1)]
                pub created_by: Option<i64>,
                /// When it was made.
                #[schema(value_type = String, format = DateTime)]
                pub created_at: Timestamp,
                /// When it was last changed.
                #[schema(value_type = String, format = DateTime)]
                pub updated_at: Timestamp,
                /// Number of the version, for `If-Match`.
                #[schema(minimum = 1)]
                pub version: i64,
            }
        )*
    };
}

key! {
    /// An API key, without its secret.
    ApiKey {}

    /// An API key with its secret, which is shown this once.
    ApiKeyShown {
        /// The key: send it as `Authorization: Bearer`.
        #[schema(max_length = 100)]
        key: String,
    }
}

impl From<&KeyRow> for ApiKey {
    fn from(row: &KeyRow) -> Self {
        Self {
            id: row.id,
            name: row.name.clone(),
            prefix: row.prefix.clone(),
            scopes: row.scopes.0.clone(),
            sections: row.sections.clone().map(|sections| sections.0),
            expires_at: row.expires_at,
            old_key_expires_at: row.old_expires_at,
            last_used_at: row.last_used_at,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl ApiKey {
    /// With its secret.
    pub fn shown(self, key: &str) -> ApiKeyShown {
        ApiKeyShown {
            id: self.id,
            key: key.to_owned(),
            name: self.name,
            prefix: self.prefix,
            scopes: self.scopes,
            sections: self.sections,
            expires_at: self.expires_at,
            old_key_expires_at: self.old_key_expires_at,
            last_used_at: self.last_used_at,
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        }
    }
}

list_of! {
    /// A page of API keys.
    ApiKeyList, ApiKey
}

/// A new API key.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyCreate {
    /// What it is called.
    #[serde(default)]
    #[schema(required, value_type = String, min_length = 1, max_length = 200)]
    pub name: Member<String>,
    /// What it is good for, one at least: `content:read`, `content:write`, `content:publish`,
    /// `hits:read`, `hits:write`.
    #[serde(default)]
    #[schema(required, value_type = Vec<String>, min_items = 1, max_items = 20)]
    pub scopes: Member<Vec<String>>,
    /// Ids of the sections that it is good for, with all below them; left out or null: everywhere.
    #[serde(default)]
    #[schema(value_type = Option<Vec<i64>>, max_items = 1000)]
    pub sections: Member<Vec<i64>>,
    /// Until when it is good, an instant ahead; left out or null: until it is revoked.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Member<String>,
}

/// Changes of an API key.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyPatch {
    /// What it is called.
    #[serde(default)]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub name: Member<String>,
    /// What it is good for, one at least: `content:read`, `content:write`, `content:publish`,
    /// `hits:read`, `hits:write`.
    #[serde(default)]
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 20)]
    pub scopes: Member<Vec<String>>,
    /// Ids of the sections that it is good for, with all below them; null: everywhere.
    #[serde(default)]
    #[schema(value_type = Option<Vec<i64>>, max_items = 1000)]
    pub sections: Member<Vec<i64>>,
    /// Until when it is good, an instant ahead; null: until it is revoked.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Member<String>,
}

/// How a key is replaced.
#[derive(Debug, Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyRotation {
    /// For how many seconds the old key stays good, so that its users can be given the new one.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 604800, default = 0)]
    pub overlap_seconds: Member<i64>,
}
