//! Links to articles that are not public: made by editors, read by whoever has one.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};

use crate::app::App;
use crate::articles::rules::Status;
use crate::articles::wire::Article;
use crate::articles::{self, ArticleId, find_for, lists};
use crate::auth::{Can, Permission, Preview};
use crate::db::Timestamp;
use crate::error::{ApiError, ApiResult, Code, FaultCode};
use crate::http::answer::Delivery;
use crate::http::body::OptionalBody;
use crate::http::fields::Check;
use crate::http::params::Params;
use crate::http::precondition::Conditional;
use crate::sections;

use super::store;
use super::wire::{PreviewInput, PreviewLink};

/// The longest that a link is good, in seconds: 30 days.
const MAX_SECONDS: i64 = 30 * 24 * 3600;

/// Make a preview link
///
/// Whoever has the link sees the article as readers would, in whatever state it is. The link ends
/// at `expires_at`, when another one is made, and when the article is put into the trash.
#[utoipa::path(
    tag = "manage articles", operation_id = "createArticlePreview",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    request_body(
        content = Option<PreviewInput>,
        description = "For how long the link is good; may be left out",
    ),
    responses(
        (status = 201, description = "The link, shown this once", body = PreviewLink),
        (status = 409, description = "It is in the trash"),
    ),
)]
#[post("/v1/admin/articles/{id}/preview")]
pub async fn create(
    caller: Can<Preview>,
    app: Data<App>,
    id: ArticleId,
    asked: Conditional,
    body: OptionalBody<PreviewInput>,
) -> ApiResult<HttpResponse> {
    let (id, if_match, now) = (id.0, asked.if_match, app.clock.now());
    let expires_at = checked_end(body.0, app.config.preview_hours, now)?;
    let token = app
        .db
        .write(move |conn| {
            let caller = caller.again(conn, now)?;
            let stored = find_for(conn, &caller, Permission::Preview, id, now)?;
            if_match.check(stored.row.version)?;
            if stored.row.status_at(now) == Status::Trashed {
                let detail = "the article is in the trash: restore it first";
                return Err(ApiError::new(Code::InvalidTransition, detail));
            }
            store::make(conn, id, expires_at, &caller.by(now)).map_err(ApiError::from)
        })
        .await?;
    let template = app.config.preview_url.as_deref();
    Ok(HttpResponse::Created().json(PreviewLink {
        url: template
            .unwrap_or("/v1/preview/{token}")
            .replace("{token}", &token),
        token,
        expires_at,
    }))
}

/// The whole second at which a link that is made now is to end.
fn checked_end(body: PreviewInput, hours: i64, now: Timestamp) -> ApiResult<Timestamp> {
    let mut check = Check::default();
    let given = body.expires_at.given();
    let given = given.and_then(|text| check.instant("/expires_at", &text));
    let end = whole_second(given.unwrap_or_else(|| now.plus_seconds(hours * 3600)));
    if end <= now || end > now.plus_seconds(MAX_SECONDS) {
        let detail = "must be ahead, by 30 days at most";
        check.fault("/expires_at", FaultCode::OutOfRange, detail);
    }
    check.finish()?;
    Ok(end)
}

fn whole_second(at: Timestamp) -> Timestamp {
    let millis = at.millis();
    Timestamp::from_millis(millis - millis.rem_euclid(1000)).unwrap_or(at)
}

/// Read a preview
///
/// The article of a preview link, with all that its page will show: in whatever state it is, in a
/// hidden section, too. One without a date has the present instant. It counts no view, and no cache
/// or search engine is to keep it.
#[utoipa::path(
    tag = "articles", operation_id = "getPreview",
    params((
        "token" = String, Path, description = "The link's token", max_length = 100,
        pattern = "^[A-Za-z0-9_-]+$", example = "b25lLXRpbWUgdG9rZW4",
    )),
    responses((
        status = 200, description = "The article", body = Article,
        headers(
            ("X-Robots-Tag" = String, description = "`noindex, nofollow`, on errors too"),
            ("Referrer-Policy" = String, description = "`no-referrer`, on errors too"),
        ),
    )),
)]
#[get("/v1/preview/{token}")]
pub async fn read(
    app: Data<App>,
    req: HttpRequest,
    token: Path<String>,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let (token, site, clock) = (
        token.into_inner(),
        app.config.site.clone(),
        app.clock.clone(),
    );
    let article = app
        .db
        .read(move |conn| {
            // Taken here: the unit may have waited for its connection.
            let now = clock.now();
            let missing = || ApiError::not_found("preview");
            let id = store::shown_by(conn, &token, now)?.ok_or_else(missing)?;
            let stored = articles::store::find(conn, id)?;
            if stored.row.status_at(now) == Status::Trashed {
                return Err(missing());
            }
            let tree = sections::store::tree(conn)?;
            lists::previewed(stored, &tree, &site, now)
        })
        .await?;
    Delivery::json(&article)?.answer(req.headers(), "no-store")
}
