//! JSON of hit counts in management.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Timestamp;
use crate::http::fields::{Member, Object};

use super::{HitBatchItem, Visitors};

/// A count with its ledger: `total = baseline + counted + adjusted` and
/// `received = counted + duplicate + bot + rejected`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"article_id": 12, "total": 1530, "today": 12, "last_7_days": 94, "last_30_days": 410, "as_of": "2026-01-31T02:03:04.567Z", "visitors": {"today": 11, "last_7_days": 83, "last_30_days": 352}, "baseline": 1000, "counted": 530, "adjusted": 0, "duplicate": 41, "bot": 7, "rejected": 0, "received": 578, "clients": {"web": 200, "h5": 180, "app": 100, "mini": 40, "other": 10}}))]
pub struct ManagedHitCount {
    /// The article.
    #[schema(minimum = 1)]
    pub article_id: i64,
    /// All views, with what was set by hand.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    pub total: i64,
    /// Views of today.
    #[schema(minimum = 0)]
    pub today: i64,
    /// Views of today and the 6 days before.
    #[schema(minimum = 0)]
    pub last_7_days: i64,
    /// Views of today and the 29 days before.
    #[schema(minimum = 0)]
    pub last_30_days: i64,
    /// When the last view was; null before the first.
    #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// How many visitors made them, by day.
    pub visitors: Visitors,
    /// What an older system had counted.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    pub baseline: i64,
    /// Views that were counted here.
    #[schema(minimum = 0)]
    pub counted: i64,
    /// What corrections and resets added (negative: took off).
    pub adjusted: i64,
    /// Hits seen before: the same hit id, or the same visitor within the window.
    #[schema(minimum = 0)]
    pub duplicate: i64,
    /// Hits of crawlers, link previews and prefetches.
    #[schema(minimum = 0)]
    pub bot: i64,
    /// Hits whose time was too far off.
    #[schema(minimum = 0)]
    pub rejected: i64,
    /// All hits that came in.
    #[schema(minimum = 0)]
    pub received: i64,
    /// Where what was counted was viewed.
    pub clients: Clients,
}

/// What was counted, by where it was viewed: together `counted`. What did not say is `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"web": 200, "h5": 180, "app": 100, "mini": 40, "other": 10}))]
pub struct Clients {
    /// On web pages on a desktop.
    #[schema(minimum = 0)]
    pub web: i64,
    /// On web pages on a phone.
    #[schema(minimum = 0)]
    pub h5: i64,
    /// In native apps.
    #[schema(minimum = 0)]
    pub app: i64,
    /// In mini-programs.
    #[schema(minimum = 0)]
    pub mini: i64,
    /// Elsewhere.
    #[schema(minimum = 0)]
    pub other: i64,
}

crate::list_of! {
    /// A page of counts with their ledgers.
    ManagedHitList, ManagedHitCount
}

/// What an older system had counted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"baseline": 1000, "reason": "counts of the old portal"}))]
pub struct BaselineInput {
    /// Views counted elsewhere.
    #[schema(required, value_type = i64, minimum = 0, maximum = 1000000000000_i64)]
    pub baseline: Option<i64>,
    /// Why; kept in the ledger.
    #[schema(required, value_type = String, min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

/// Why a count goes back to zero.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "test views before the launch"}))]
pub struct ResetInput {
    /// Why; kept in the ledger.
    #[schema(required, value_type = String, min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

/// How a count is corrected, and why.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"delta": -40, "reason": "views of a broken script"}))]
pub struct AdjustInput {
    /// Views to add or, below zero, to take off; not 0.
    #[schema(required, value_type = i64, minimum = -1000000000000_i64, maximum = 1000000000000_i64)]
    pub delta: Option<i64>,
    /// Why; kept in the ledger.
    #[schema(required, value_type = String, min_length = 1, max_length = 500)]
    pub reason: Option<String>,
}

/// Views that a server of the site's own saw.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"hits": [{"article_id": 12, "hit_id": "r-81", "client": "mini", "visitor": "openid-5f0c"}]}))]
pub struct ManagedHitBatch {
    /// Up to 500 views.
    #[schema(required, value_type = Vec<ManagedHitBatchItem>, min_items = 1, max_items = 500)]
    pub hits: Option<Vec<Object<ManagedHitBatchItem>>>,
}

/// One view that a server of the site's own saw.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagedHitBatchItem {
    /// The article.
    #[schema(required, value_type = i64)]
    pub article_id: Option<i64>,
    /// What the server calls this view: a batch that is sent again counts once.
    #[schema(required, value_type = String, min_length = 1, max_length = 64)]
    pub hit_id: Option<String>,
    /// When it was (RFC 3339); left out: now. Older than 7 days or over 5 minutes ahead is
    /// `rejected`.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    pub at: Member<String>,
    /// Where it was viewed: `web`, `h5`, `app`, `mini` or `other`.
    #[schema(value_type = Option<String>, pattern = "^(web|h5|app|mini|other)$")]
    #[serde(default)]
    pub client: Member<String>,
    /// What tells the visitor from others, such as a session's id; only a hash of it is kept, for two
    /// days. Left out: somebody else each time.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    #[serde(default)]
    pub visitor: Member<String>,
}

impl From<HitBatchItem> for ManagedHitBatchItem {
    fn from(item: HitBatchItem) -> Self {
        Self {
            article_id: item.article_id,
            hit_id: item.hit_id,
            at: item.at,
            client: item.client,
            visitor: Member::Absent,
        }
    }
}

/// What an older system had counted of many articles.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "counts of the old portal", "items": [{"legacy_url": "/show.asp?id=12", "baseline": 1000}]}))]
pub struct BaselineImport {
    /// Why; kept in each ledger.
    #[schema(required, value_type = String, min_length = 1, max_length = 500)]
    pub reason: Option<String>,
    /// Up to 1,000 articles.
    #[schema(required, value_type = Vec<BaselineImportItem>, min_items = 1, max_items = 1000)]
    pub items: Option<Vec<Object<BaselineImportItem>>>,
}

/// What an older system had counted of one article, which is named in one way.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineImportItem {
    /// The article's id.
    #[schema(value_type = Option<i64>, minimum = 1)]
    #[serde(default)]
    pub id: Member<i64>,
    /// Its slug, or one that it had.
    #[schema(value_type = Option<String>, max_length = 120, pattern = "^[a-z0-9-]*[a-z-][a-z0-9-]*$")]
    #[serde(default)]
    pub slug: Member<String>,
    /// Its id in another system.
    #[schema(value_type = Option<String>, max_length = 200, pattern = "^[A-Za-z0-9._:~-]+$")]
    #[serde(default)]
    pub external_id: Member<String>,
    /// One of its `legacy_urls`, letter by letter.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    #[serde(default)]
    pub legacy_url: Member<String>,
    /// Views counted elsewhere.
    #[schema(required, value_type = i64, minimum = 0, maximum = 1000000000000_i64)]
    pub baseline: Option<i64>,
}

/// What became of one article of an import.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"index": 0, "article_id": 12, "result": "set", "total": 1530}))]
pub struct BaselineImportItemResult {
    /// Its place in the import, from 0.
    #[schema(minimum = 0, maximum = 999)]
    pub index: i64,
    /// The article; null where there is none, or more than one.
    #[schema(required, nullable, minimum = 1)]
    pub article_id: Option<i64>,
    /// `set`, `unchanged` (it was so before), `not_found`, `ambiguous` (the address is of several
    /// articles), `duplicate` (an item before names the same article) or `below_zero` (corrections
    /// took off more than there would be). Only `set` has changed anything.
    #[schema(max_length = 20)]
    pub result: &'static str,
    /// The article's total, where its baseline is as asked.
    #[schema(required, nullable, minimum = 0, maximum = 9007199254740991_i64)]
    pub total: Option<i64>,
}

/// What became of an import.
#[derive(Debug, Serialize, ToSchema)]
pub struct BaselineImportResult {
    /// One result for each item, in order.
    #[schema(max_items = 1000)]
    pub data: Vec<BaselineImportItemResult>,
    /// How many were set.
    #[schema(minimum = 0)]
    pub set: i64,
    /// How many were so before.
    #[schema(minimum = 0)]
    pub unchanged: i64,
    /// How many name no article that the caller may do this with.
    #[schema(minimum = 0)]
    pub not_found: i64,
    /// How many name several articles.
    #[schema(minimum = 0)]
    pub ambiguous: i64,
    /// How many name an article that stands in the import before.
    #[schema(minimum = 0)]
    pub duplicate: i64,
    /// How many would make a total negative.
    #[schema(minimum = 0)]
    pub below_zero: i64,
}
