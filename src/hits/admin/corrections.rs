//! Corrections by hand of one count.

use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, delete, post, put};

use crate::app::App;
use crate::articles::{self, ArticleId};
use crate::auth::{Can, Permission, WriteHits};
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::hits::store::{self, Correction, Refusal};
use crate::hits::wire::{AdjustInput, BaselineInput, ManagedHitCount, ResetInput};
use crate::http::body::Body;
use crate::http::fields::Check;
use crate::http::params::Params;
use crate::writes::{Answer, Keyed, Owner};

use super::{MAX_BASELINE, MAX_REASON, ledger};

/// The most that one adjustment adds or takes off.
const MAX_DELTA: i64 = 1_000_000_000_000;

/// A correction of an article's count, and why.
struct Corrected {
    id: i64,
    correction: Correction,
    reason: Option<String>,
}

impl Corrected {
    /// Makes it in this transaction.
    fn make(
        self,
        conn: &mut Conn,
        app: &App,
        caller: &Can<WriteHits>,
    ) -> ApiResult<ManagedHitCount> {
        let (id, now) = (self.id, app.clock.now());
        let caller = caller.again(conn, now)?;
        articles::find_for(conn, &caller, Permission::WriteHits, id, now)?;
        let reason = self.reason.as_deref();
        let zone = app.config.site.zone;
        match store::correct(conn, id, self.correction, reason, zone, &caller.by(now))? {
            Ok(()) => ledger(conn, id, app, now),
            Err(refusal) => Err(refused(self.correction, refusal)),
        }
    }

    /// Answers with the count once it is made; with an `Idempotency-Key` once only.
    async fn keyed(
        self,
        app: Data<App>,
        caller: Can<WriteHits>,
        keyed: Keyed,
        check: Check,
    ) -> ApiResult<HttpResponse> {
        let (shared, owner) = (app.clone(), Owner::of(&caller.caller));
        let work = move |conn: &mut Conn| {
            check.finish()?;
            Answer::plain(&self.make(conn, &shared, &caller)?)
        };
        keyed.run(&app, owner, work).await
    }
}

/// 422: the total would be no good.
fn refused(correction: Correction, refusal: Refusal) -> ApiError {
    let pointer = match correction {
        Correction::Baseline(_) => "/baseline",
        Correction::Adjust(_) | Correction::Reset => "/delta",
    };
    let detail = match refusal {
        Refusal::BelowZero(total) => format!("would make the total negative: it is {total}"),
        Refusal::TooMany(total) => format!("would make the total too large: it is {total}"),
    };
    ApiError::invalid(pointer, FaultCode::OutOfRange, detail)
}

async fn correct(
    app: Data<App>,
    caller: Can<WriteHits>,
    corrected: Corrected,
) -> ApiResult<ManagedHitCount> {
    let shared = app.clone();
    app.db
        .write(move |conn| corrected.make(conn, &shared, &caller))
        .await
}

/// Set the baseline of a count
///
/// What an older system had counted; kept apart from what was counted here, with the reason in the
/// ledger.
#[utoipa::path(
    tag = "manage hits", operation_id = "setHitBaseline",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    request_body(content = BaselineInput, description = "The baseline, and why"),
    responses((status = 200, description = "The count", body = ManagedHitCount)),
)]
#[put("/v1/admin/articles/{id}/hits")]
pub async fn set_baseline(
    caller: Can<WriteHits>,
    app: Data<App>,
    id: ArticleId,
    _: Params<()>,
    body: Body<BaselineInput>,
) -> ApiResult<Json<ManagedHitCount>> {
    let id = id.0;
    let mut check = Check::default();
    let baseline = check
        .required("/baseline", body.0.baseline)
        .and_then(|n| check.number("/baseline", n, 0, MAX_BASELINE));
    let reason = check.required_line("/reason", body.0.reason, MAX_REASON);
    check.finish()?;
    let corrected = Corrected {
        id,
        correction: Correction::Baseline(baseline.unwrap_or_default()),
        reason,
    };
    correct(app, caller, corrected).await.map(Json)
}

/// Adjust a count
///
/// Adds views that were missed, or takes off (`delta` below zero) those that should not have counted,
/// with the reason in the ledger. Days, windows and what was received stay as they are.
#[utoipa::path(
    tag = "manage hits", operation_id = "adjustHits",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    request_body(content = AdjustInput, description = "How many more or less, and why"),
    responses((status = 200, description = "The count", body = ManagedHitCount)),
)]
#[post("/v1/admin/articles/{id}/hits/adjust")]
pub async fn adjust(
    caller: Can<WriteHits>,
    app: Data<App>,
    id: ArticleId,
    keyed: Keyed,
    body: Body<AdjustInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let delta = check
        .required("/delta", body.0.delta)
        .and_then(|n| check.number("/delta", n, -MAX_DELTA, MAX_DELTA));
    if delta == Some(0) {
        check.fault("/delta", FaultCode::OutOfRange, "must not be 0");
    }
    let reason = check.required_line("/reason", body.0.reason, MAX_REASON);
    let corrected = Corrected {
        id: id.0,
        correction: Correction::Adjust(delta.unwrap_or_default()),
        reason,
    };
    corrected.keyed(app, caller, keyed, check).await
}

/// Reset a count
///
/// Back to zero, days and baseline too, with the reason in the ledger. What was received stays
/// told.
#[utoipa::path(
    tag = "manage hits", operation_id = "resetHits",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    request_body(content = ResetInput, description = "Why"),
    responses((status = 200, description = "The count", body = ManagedHitCount)),
)]
#[post("/v1/admin/articles/{id}/hits/reset")]
pub async fn reset(
    caller: Can<WriteHits>,
    app: Data<App>,
    id: ArticleId,
    keyed: Keyed,
    body: Body<ResetInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let reason = check.required_line("/reason", body.0.reason, MAX_REASON);
    let corrected = Corrected {
        id: id.0,
        correction: Correction::Reset,
        reason,
    };
    corrected.keyed(app, caller, keyed, check).await
}

/// Reset a count without a reason
///
/// Back to zero, days and baseline too.
#[utoipa::path(
    tag = "manage hits", operation_id = "deleteHits",
    params(("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12)),
    responses((status = 204, description = "The count is zero")),
)]
#[delete("/v1/admin/articles/{id}/hits")]
pub async fn delete(
    caller: Can<WriteHits>,
    app: Data<App>,
    id: ArticleId,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let corrected = Corrected {
        id: id.0,
        correction: Correction::Reset,
        reason: None,
    };
    correct(app, caller, corrected).await?;
    Ok(HttpResponse::NoContent().finish())
}
