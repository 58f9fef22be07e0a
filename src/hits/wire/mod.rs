//! JSON of hit counts.

mod manage;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::articles::wire::ArticleSummary;
use crate::db::Timestamp;
use crate::http::fields::{Member, Object};

pub use manage::{
    AdjustInput, BaselineImport, BaselineImportItem, BaselineImportItemResult,
    BaselineImportResult, BaselineInput, Clients, ManagedHitBatch, ManagedHitBatchItem,
    ManagedHitCount, ManagedHitList, ResetInput,
};

/// How often an article was viewed. Days are the site's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"article_id": 12, "total": 1530, "today": 12, "last_7_days": 94, "last_30_days": 410, "as_of": "2026-01-31T02:03:04.567Z", "visitors": {"today": 11, "last_7_days": 83, "last_30_days": 352}}))]
pub struct HitCount {
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
}

/// How many different visitors an article had. They are known for a day only: who comes on two days is
/// two visitors. Estimated by HyperLogLog with 2,048 registers: the standard error is 2.3 % a day, and
/// far less where they are few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"today": 11, "last_7_days": 83, "last_30_days": 352}))]
pub struct Visitors {
    /// Visitors of today.
    #[schema(minimum = 0)]
    pub today: i64,
    /// Visitors of today and of the 6 days before, added up.
    #[schema(minimum = 0)]
    pub last_7_days: i64,
    /// Visitors of today and of the 29 days before, added up.
    #[schema(minimum = 0)]
    pub last_30_days: i64,
}

/// How often the articles of a section were viewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"section_id": 4, "total": 15300, "today": 120, "last_7_days": 940, "last_30_days": 4100, "as_of": "2026-01-31T02:03:04.567Z"}))]
pub struct SectionHitCount {
    /// The section.
    #[schema(minimum = 1)]
    pub section_id: i64,
    /// All views of the articles that stand in the section or below it now.
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
}

/// The counts of several articles.
#[derive(Debug, Serialize, ToSchema)]
pub struct HitCounts {
    /// One for each public article that was asked for, in that order.
    #[schema(max_items = 100)]
    pub data: Vec<HitCount>,
}

/// One view, as a page or app sends it. All members may be left out, and the body too.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"client": "web", "hit_id": "5f0c1d1e-7a5e-4f0e-9a3e-0d6c6b1f2a10"}))]
pub struct HitInput {
    /// Where it was viewed: `web`, `h5`, `app`, `mini` or `other`.
    #[schema(value_type = Option<String>, pattern = "^(web|h5|app|mini|other)$")]
    #[serde(default)]
    pub client: Member<String>,
    /// What the client calls this view; the same id for the same article counts once in 7 days.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    #[serde(default)]
    pub hit_id: Member<String>,
}

/// What became of a view.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"article_id": 12, "result": "counted", "total": 1531, "today": 13}))]
pub struct HitResult {
    /// The article.
    #[schema(minimum = 1)]
    pub article_id: i64,
    /// `counted`, `duplicate`, `bot` or `rejected` (the address has sent too many).
    #[schema(max_length = 20)]
    pub result: &'static str,
    /// All views of the article, this one included.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    pub total: i64,
    /// Views of today.
    #[schema(minimum = 0)]
    pub today: i64,
}

/// Views that were kept while there was no connection, or collected.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"hits": [{"article_id": 12, "hit_id": "a1", "at": "2026-01-31T01:59:00Z", "client": "app"}]}))]
pub struct HitBatch {
    /// Up to 500 views.
    #[schema(required, value_type = Vec<HitBatchItem>, min_items = 1, max_items = 500)]
    pub hits: Option<Vec<Object<HitBatchItem>>>,
}

/// One view of a batch.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HitBatchItem {
    /// The article.
    #[schema(required, value_type = i64)]
    pub article_id: Option<i64>,
    /// What the client calls this view: a batch that is sent again counts once.
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
}

/// What became of one view of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"index": 0, "article_id": 12, "result": "counted"}))]
pub struct HitBatchItemResult {
    /// Its place in the batch, from 0.
    #[schema(minimum = 0, maximum = 499)]
    pub index: i64,
    /// The article.
    pub article_id: i64,
    /// `counted`, `duplicate`, `bot`, `rejected` or `not_found`.
    #[schema(max_length = 20)]
    pub result: &'static str,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct HitBatchResult {
    /// One result for each view, in order.
    #[schema(max_items = 500)]
    pub data: Vec<HitBatchItemResult>,
}

/// A place in the ranking.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopArticle {
    /// The place, from 1.
    #[schema(minimum = 1)]
    pub rank: i64,
    /// Views in the window.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    pub hits: i64,
    /// The article.
    pub article: ArticleSummary,
}

/// The most viewed articles.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopList {
    /// The articles, the most viewed first.
    #[schema(max_items = 100)]
    pub data: Vec<TopArticle>,
    /// When the last view of them was; null before the first.
    #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
}

/// Views of one day.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"day": "2026-01-31", "hits": 120, "visitors": 97}))]
pub struct DayHits {
    /// The day, in the site's zone.
    #[schema(value_type = String, format = Date)]
    pub day: NaiveDate,
    /// Views of that day.
    #[schema(minimum = 0)]
    pub hits: i64,
    /// How many visitors made them, estimated; null where it is not an article's series.
    #[schema(required, nullable, minimum = 0)]
    pub visitors: Option<i64>,
}

/// Views a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct DailyHits {
    /// Every day asked for, in order, those without a view too.
    #[schema(max_items = 400)]
    pub data: Vec<DayHits>,
    /// When the last view was; null before the first.
    #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
}

/// Views of one hour.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"hour": "2026-01-31T02:00:00Z", "hits": 12}))]
pub struct HourHits {
    /// The first instant of the hour on the site's clocks.
    #[schema(value_type = String, format = DateTime)]
    pub hour: Timestamp,
    /// Views of that hour.
    #[schema(minimum = 0)]
    pub hits: i64,
}

/// Views an hour.
#[derive(Debug, Serialize, ToSchema)]
pub struct HourlyHits {
    /// The last hours in order, the present one the last, those without a view too.
    #[schema(max_items = 48)]
    pub data: Vec<HourHits>,
    /// When the last view was; null before the first.
    #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
}

/// Views of one month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"month": "2026-01", "hits": 3120}))]
pub struct MonthHits {
    /// The month of the site's calendar, `YYYY-MM`.
    #[schema(max_length = 7, pattern = "^[0-9]{4}-[0-9]{2}$")]
    pub month: String,
    /// Views of that month.
    #[schema(minimum = 0)]
    pub hits: i64,
}

/// Views a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonthlyHits {
    /// Every month asked for, in order, those without a view too.
    #[schema(max_items = 120)]
    pub data: Vec<MonthHits>,
    /// When the last view was; null before the first.
    #[schema(required, nullable, value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
}
