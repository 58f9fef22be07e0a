//! The check, as editors ask for it.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::articles::{ArticleId, find_for};
use crate::auth::{Can, Permission, ReadContent};
use crate::error::{ApiError, ApiResult};
use crate::http::body::OptionalBody;
use crate::http::fields::NoMembers;
use crate::http::precondition::Conditional;

use super::{Checker, Finding, Findings};

/// Something that a check found in an article.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"code": "relative_link", "severity": "warning", "pointer": "/body/content", "offset": 9, "detail": "\"a.html\" has no scheme: write the whole address"}))]
pub struct CheckFinding {
    /// Stable name of the check, more may be added: `javascript_link`, `listed_word`,
    /// `missing_source`, `missing_summary`, `image_without_alt`, `relative_link`, `office_markup`,
    /// `external_link`.
    #[schema(max_length = 64)]
    code: &'static str,
    /// `error`, `warning` or `info`.
    #[schema(max_length = 20)]
    severity: &'static str,
    /// JSON Pointer (RFC 6901) into the article as its editors see it.
    #[schema(max_length = 1000)]
    pointer: &'static str,
    /// Characters (Unicode code points) before it in the text at `pointer`; null where it has no
    /// place of its own there, as a word that markup splits.
    #[schema(required, nullable, minimum = 0)]
    offset: Option<usize>,
    /// What is wrong, for people.
    #[schema(max_length = 2000)]
    detail: String,
}

impl From<&Finding> for CheckFinding {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code.as_str(),
            severity: finding.code.severity().as_str(),
            pointer: finding.pointer,
            offset: finding.offset,
            detail: finding.detail.clone(),
        }
    }
}

/// What a check found in an article.
#[derive(Debug, Serialize, ToSchema)]
struct CheckResult {
    /// The findings, the worst first, then by place: 200 at most.
    #[schema(max_items = 200)]
    data: Vec<CheckFinding>,
    /// Whether one of the findings, told or not, keeps a new article from being published.
    blocking: bool,
}

impl CheckResult {
    fn new(findings: &Findings, checker: &Checker) -> Self {
        Self {
            data: findings.told().iter().map(CheckFinding::from).collect(),
            blocking: findings.has_any(checker.blocks()),
        }
    }
}

/// Check an article before it is published
///
/// Looks for what is missing, for links that are relative, external or run scripts, pictures without
/// alternative text, left-overs of office suites and words of the operator's list, in what the author
/// sent. Changes nothing. Tells 200 findings at most, the worst first.
#[utoipa::path(
    tag = "manage articles", operation_id = "checkArticle",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    responses((status = 200, description = "What was found", body = CheckResult)),
)]
#[post("/v1/admin/articles/{id}/check")]
pub async fn check(
    caller: Can<ReadContent>,
    app: Data<App>,
    id: ArticleId,
    asked: Conditional,
    _: OptionalBody<NoMembers>,
) -> ApiResult<HttpResponse> {
    let (id, now) = (id.0, app.clock.now());
    let checker = app.checker.clone();
    let result = app
        .db
        .read(move |conn| {
            let stored = find_for(conn, &caller.caller, Permission::ReadContent, id, now)?;
            asked.if_match.check(stored.row.version)?;
            let findings = checker.check(&stored);
            Ok::<_, ApiError>(CheckResult::new(&findings, &checker))
        })
        .await?;
    Ok(HttpResponse::Ok().json(result))
}
