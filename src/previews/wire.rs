//! JSON of preview links.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::http::fields::Member;

/// For how long a preview link is to be good.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"expires_at": "2026-02-03T18:00:00+08:00"}))]
pub struct PreviewInput {
    /// Until when the link is good: an instant ahead, by 30 days at most, cut off to a whole second.
    /// Left out or null: for `LANMU_PREVIEW_HOURS`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Member<String>,
}

/// A preview link.
#[derive(Serialize, ToSchema)]
pub struct PreviewLink {
    /// The address to hand on, from `LANMU_PREVIEW_URL`; where that is not set, the path in this
    /// API.
    #[schema(max_length = 2200)]
    pub url: String,
    /// The token for `GET /v1/preview/{token}`, shown this once.
    #[schema(max_length = 100)]
    pub token: String,
    /// Until when the link is good.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}
