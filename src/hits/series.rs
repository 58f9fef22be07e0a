//! Series of views, in delivery: hours, days, months.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{Datelike, Days, Months, NaiveDate};
use utoipa::IntoParams;

use crate::app::App;
use crate::articles;
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::Delivery;
use crate::http::params::{FromParams, Params, Reader};
use crate::http::reference::Ref;
use crate::sections;
use crate::view::View;
use crate::visibility::deliver_counted;

use super::handlers::section_of;
use super::store::{self, Of};
use super::wire::{DailyHits, HourlyHits, MonthlyHits};

/// Whose views.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `Whose` reads")]
struct WhoseParams {
    /// Only views of this article: its id or slug. Not together with `section`.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$"
    )]
    article: Option<String>,
    /// Only views of articles in this section and below it: its id or slug.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$",
        example = "news"
    )]
    section: Option<String>,
}

/// An article's, a section's or, without either, the site's.
#[derive(Debug)]
pub struct Whose {
    article: Option<String>,
    section: Option<Ref>,
}

impl FromParams for Whose {
    fn from_params(reader: &mut Reader) -> Self {
        let article = reader.text("article");
        let section = sections::read_reference(reader, "section");
        if article.is_some() && section.is_some() {
            let detail = "can't be given together with article";
            reader.fault("section", FaultCode::Conflicting, detail);
        }
        if article
            .as_ref()
            .is_some_and(|text| Ref::parse(text).is_none())
        {
            reader.fault("article", FaultCode::Invalid, "must be an id or a slug");
        }
        Self { article, section }
    }
}

impl Whose {
    fn find(&self, conn: &mut Conn, view: &View) -> ApiResult<Of> {
        match &self.article {
            Some(text) => articles::resolve_public_for_write(conn, text, view.now).map(Of::Article),
            None => section_of(conn, view.tree(), self.section.as_ref()).map(Of::Section),
        }
    }
}

/// The most days of a series.
const MAX_DAYS: i64 = 400;

/// Which days.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `DailyQuery` reads")]
struct DailyParams {
    /// The first day, `YYYY-MM-DD` in the site's zone; left out: 29 days before the last.
    #[param(value_type = Option<String>, format = Date, example = "2026-01-01")]
    from: Option<NaiveDate>,
    /// The last day; left out: today. At most 400 days in all.
    #[param(value_type = Option<String>, format = Date, example = "2026-01-31")]
    to: Option<NaiveDate>,
}

#[derive(Debug)]
pub struct DailyQuery {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    whose: Whose,
}

impl FromParams for DailyQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let whose = Whose::from_params(reader);
        let (from, to) = (reader.day("from"), reader.day("to"));
        if let (Some(from), Some(to)) = (from, to) {
            check_range(reader, from, to);
        }
        Self { from, to, whose }
    }
}

fn check_range(reader: &mut Reader, from: NaiveDate, to: NaiveDate) {
    if from > to {
        reader.fault("from", FaultCode::OutOfRange, "must not be after to");
    } else if (to - from).num_days() >= MAX_DAYS {
        reader.fault(
            "from",
            FaultCode::OutOfRange,
            format!("must be at most {MAX_DAYS} days before to"),
        );
    }
}

/// Read views day by day
///
/// Views of each day of the site's calendar, of one article, of a section and below it, or of the
/// whole site. Days without a view are there with 0. Days that were rolled up into months
/// (`LANMU_HITS_DAYS`) are 0, too: see the months. Visitors are told of an article only.
#[utoipa::path(
    tag = "hits", operation_id = "getDailyHits", params(DailyParams, WhoseParams),
    responses((status = 200, description = "The series", body = DailyHits)),
)]
#[get("/v1/hits/daily")]
pub async fn daily(
    app: Data<App>,
    req: HttpRequest,
    query: Params<DailyQuery>,
) -> ApiResult<HttpResponse> {
    let (query, zone) = (query.0, app.config.site.zone);
    deliver_counted(&app, &req, move |conn, view| {
        let (from, to) = days(&query, zone.day(view.now))?;
        let of = query.whose.find(conn, view)?;
        let (data, as_of) = store::daily(conn, of, from, to, view.now)?;
        Delivery::json(&DailyHits { data, as_of })
    })
    .await
}

/// The days asked for. What depends on today is checked here.
fn days(query: &DailyQuery, today: NaiveDate) -> ApiResult<(NaiveDate, NaiveDate)> {
    let to = query.to.unwrap_or_else(|| match query.from {
        // From a day ahead on there is nothing but that day.
        Some(from) => today.max(from),
        None => today,
    });
    let from = query
        .from
        .unwrap_or_else(|| to.checked_sub_days(Days::new(29)).unwrap_or(to));
    if (to - from).num_days() >= MAX_DAYS {
        let detail = format!("from must be at most {MAX_DAYS} days before to");
        return Err(ApiError::bad_parameter(
            "from",
            FaultCode::OutOfRange,
            detail,
        ));
    }
    Ok((from, to))
}

/// How many hours.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `HourlyQuery` reads")]
struct HourlyParams {
    /// How many hours, the present one included.
    #[param(minimum = 1, maximum = 48, default = 48, example = 24)]
    hours: Option<i64>,
}

#[derive(Debug)]
pub struct HourlyQuery {
    hours: i64,
    whose: Whose,
}

/// The most hours of a series.
const MAX_HOURS: i64 = 48;

impl FromParams for HourlyQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            hours: reader.integer_or("hours", 1..=MAX_HOURS, MAX_HOURS),
            whose: Whose::from_params(reader),
        }
    }
}

/// Read views hour by hour
///
/// Views of the last hours on the site's clocks, of one article, of a section and below it, or of the
/// whole site. Hours without a view are there with 0; where the clocks are changed no hour is left out
/// or told twice.
#[utoipa::path(
    tag = "hits", operation_id = "getHourlyHits", params(HourlyParams, WhoseParams),
    responses((status = 200, description = "The series", body = HourlyHits)),
)]
#[get("/v1/hits/hourly")]
pub async fn hourly(
    app: Data<App>,
    req: HttpRequest,
    query: Params<HourlyQuery>,
) -> ApiResult<HttpResponse> {
    let (query, zone) = (query.0, app.config.site.zone);
    deliver_counted(&app, &req, move |conn, view| {
        let of = query.whose.find(conn, view)?;
        let (data, as_of) = store::hourly(conn, of, query.hours, zone, view.now)?;
        Delivery::json(&HourlyHits { data, as_of })
    })
    .await
}

/// Which months.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `MonthlyQuery` reads")]
struct MonthlyParams {
    /// The first month, `YYYY-MM`; left out: 11 months before the last.
    #[param(
        max_length = 7,
        pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$",
        example = "2025-02"
    )]
    from: Option<String>,
    /// The last month; left out: the present one. At most 120 months in all.
    #[param(
        max_length = 7,
        pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$",
        example = "2026-01"
    )]
    to: Option<String>,
}

#[derive(Debug)]
pub struct MonthlyQuery {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    whose: Whose,
}

/// The most months of a series.
const MAX_MONTHS: i32 = 120;

fn months_between(from: NaiveDate, to: NaiveDate) -> i32 {
    let number = |day: NaiveDate| day.year() * 12 + day.month0() as i32;
    number(to) - number(from)
}

impl FromParams for MonthlyQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let (from, to) = (reader.month("from"), reader.month("to"));
        if let (Some(from), Some(to)) = (from, to) {
            if from > to {
                reader.fault("from", FaultCode::OutOfRange, "must not be after to");
            } else if months_between(from, to) >= MAX_MONTHS {
                let detail = format!("must be at most {MAX_MONTHS} months before to");
                reader.fault("from", FaultCode::OutOfRange, detail);
            }
        }
        Self {
            from,
            to,
            whose: Whose::from_params(reader),
        }
    }
}

/// Read views month by month
///
/// Views of each month of the site's calendar, of one article, of a section and below it, or of the
/// whole site; days that were rolled up into months and those that were not together. Months without a
/// view are there with 0.
#[utoipa::path(
    tag = "hits", operation_id = "getMonthlyHits", params(MonthlyParams, WhoseParams),
    responses((status = 200, description = "The series", body = MonthlyHits)),
)]
#[get("/v1/hits/monthly")]
pub async fn monthly(
    app: Data<App>,
    req: HttpRequest,
    query: Params<MonthlyQuery>,
) -> ApiResult<HttpResponse> {
    let (query, zone) = (query.0, app.config.site.zone);
    deliver_counted(&app, &req, move |conn, view| {
        let (from, to) = months(&query, store::month_of(zone.day(view.now)))?;
        let of = query.whose.find(conn, view)?;
        let (data, as_of) = store::monthly(conn, of, from, to, view.now)?;
        Delivery::json(&MonthlyHits { data, as_of })
    })
    .await
}

/// The months asked for. What depends on today is checked here.
fn months(query: &MonthlyQuery, present: NaiveDate) -> ApiResult<(NaiveDate, NaiveDate)> {
    let to = query.to.unwrap_or_else(|| match query.from {
        Some(from) => present.max(from),
        None => present,
    });
    let from = query
        .from
        .unwrap_or_else(|| to.checked_sub_months(Months::new(11)).unwrap_or(to));
    if months_between(from, to) >= MAX_MONTHS {
        let detail = format!("from must be at most {MAX_MONTHS} months before to");
        return Err(ApiError::bad_parameter(
            "from",
            FaultCode::OutOfRange,
            detail,
        ));
    }
    Ok((from, to))
}
