//! The site as a whole, and the service's own health.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::articles::lists::Filter;
use crate::error::{ApiError, ApiResult};
use crate::http::answer::{CountPlace, Delivery};
use crate::http::mount::Mount;
use crate::http::params::Params;
use crate::visibility::{SITE, deliver};

/// Mounts `/v1/site` and the health checks.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(site)
        .service(healthz)
        .service(readyz)
        .service(metrics);
}

/// The site, as its readers see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "青屿门户", "home_name": "首页", "locale": "zh-CN", "time_zone": "Asia/Shanghai", "home_url": "https://www.example.com", "article_count": 56, "section_count": 12, "hit_count": 48210}))]
pub struct SiteInfo {
    /// The site's name.
    #[schema(max_length = 200)]
    pub name: String,
    /// The name of its home: the first step of every breadcrumb.
    #[schema(max_length = 200)]
    pub home_name: String,
    /// Its language (BCP 47).
    #[schema(max_length = 35)]
    pub locale: String,
    /// Its time zone (IANA): days and local times are by its rules.
    #[schema(max_length = 64)]
    pub time_zone: String,
    /// Its web address; null where the settings tell none.
    #[schema(required, nullable, max_length = 2000)]
    pub home_url: Option<String>,
    /// Public articles.
    #[schema(minimum = 0)]
    pub article_count: i64,
    /// Sections that are shown.
    #[schema(minimum = 0)]
    pub section_count: i64,
    /// All views of public articles.
    #[schema(value_type = i64, minimum = 0, maximum = 9007199254740991_i64)]
    pub hit_count: CountPlace,
}

/// Read about the site
///
/// Its name, language and time zone, and what it holds. The hit count is as of the answer.
#[utoipa::path(
    tag = "site", operation_id = "getSite",
    responses((status = 200, description = "The site", body = SiteInfo)),
)]
#[get("/v1/site")]
async fn site(app: Data<App>, req: HttpRequest, _: Params<()>) -> ApiResult<HttpResponse> {
    let site = app.config.site.clone();
    deliver(&app, &req, app.config.cache_section, move |conn, view| {
        let shown = view.tree().rows().iter().filter(|row| row.shown).count();
        let info = SiteInfo {
            name: site.name.clone(),
            home_name: site.home_name.clone(),
            locale: site.locale.clone(),
            time_zone: site.zone.0.name().to_owned(),
            home_url: site.url.clone(),
            article_count: view.total(conn, &Filter::default())?,
            section_count: i64::try_from(shown).unwrap_or(i64::MAX),
            hit_count: CountPlace { article_id: SITE },
        };
        Ok(Delivery::json(&info)?.with_counts(true))
    })
    .await
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"status": "ok", "version": "0.1.0"}))]
struct Health {
    /// `ok`.
    #[schema(max_length = 20)]
    status: &'static str,
    /// The service's version.
    #[schema(max_length = 20)]
    version: &'static str,
}

const OK: Health = Health {
    status: "ok",
    version: env!("CARGO_PKG_VERSION"),
};

fn healthy() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(OK)
}

/// Check that the process answers
///
/// 200 as long as the process can answer at all.
#[utoipa::path(
    tag = "service", operation_id = "getHealth",
    responses((status = 200, description = "It answers", body = Health)),
)]
#[get("/healthz")]
async fn healthz(_: Params<()>) -> ApiResult<HttpResponse> {
    Ok(healthy())
}

/// Check that the service can work
///
/// 200 when the database answers and has every migration of this version, and what writes hits has not
/// broken in the last seconds; else 503.
#[utoipa::path(
    tag = "service", operation_id = "getReadiness",
    responses((status = 200, description = "It is ready", body = Health)),
)]
#[get("/readyz")]
async fn readyz(app: Data<App>, _: Params<()>) -> ApiResult<HttpResponse> {
    if !app.hits.is_well() {
        return Err(ApiError::Unavailable(5));
    }
    match app.db.is_ready().await {
        Ok(true) => Ok(healthy()),
        Ok(false) => Err(ApiError::Unavailable(5)),
        Err(error) => {
            tracing::error!(%error, "not ready");
            Err(ApiError::Unavailable(5))
        }
    }
}

/// Read the service's metrics
///
/// Counters, gauges and histograms of this node for Prometheus, in the OpenMetrics text format 1.0.
#[utoipa::path(
    tag = "service", operation_id = "getMetrics",
    responses((
        status = 200, description = "The metrics", body = String,
        content_type = "application/openmetrics-text",
        example = json!("# TYPE lanmu_hits_answered counter\nlanmu_hits_answered_total{result=\"counted\"} 12\n# EOF\n"),
    )),
)]
#[get("/metrics")]
async fn metrics(app: Data<App>, _: Params<()>) -> ApiResult<HttpResponse> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &app.metrics)
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}
