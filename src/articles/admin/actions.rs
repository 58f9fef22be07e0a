//! What people do to an article's state and place.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpResponse, post};

use super::saved;
use crate::app::App;
use crate::articles::rules::Action;
use crate::articles::store::{self, Stored, Writer};
use crate::articles::wire::{
    ManagedArticle, NoteInput, PublishInput, PublishedArticle, RejectInput, ReorderInput,
    checked_note,
};
use crate::articles::{ArticleId, lists};
use crate::auth::{Can, Needs, Publish, WriteContent};
use crate::db::Conn;
use crate::error::{ApiResult, FaultCode};
use crate::http::body::{Body, OptionalBody};
use crate::http::fields::{Check, Member, NoMembers};
use crate::writes::{Answer, Asked, DryRunParams};

/// What an action was sent: the note, and the faults of all of it.
#[derive(Default)]
struct Sent {
    note: Option<String>,
    check: Check,
}

/// Runs an action on an article that the caller may do it to: what it makes is answered. Faults of
/// what was sent are told where nothing else stands in the way, and kept as any answer is.
async fn act<P: Needs>(
    app: &App,
    caller: Can<P>,
    id: ArticleId,
    asked: &Asked,
    sent: Sent,
    action: impl FnOnce(&mut Conn, &Stored, &Writer) -> ApiResult<Answer> + Send + 'static,
) -> ApiResult<HttpResponse> {
    let (id, now) = (id.0, app.clock.now());
    let (if_match, asking) = (asked.if_match.clone(), caller.caller.clone());
    let shared = app.clone();
    let work = move |conn: &mut Conn| {
        let caller = caller.again(conn, now)?;
        let writer = Writer::new(conn, caller, &shared, now)?.noting(sent.note);
        let was = writer.find(conn, P::PERMISSION, id)?;
        if_match.check(was.row.version)?;
        sent.check.finish()?;
        action(conn, &was, &writer)
    };
    asked.write(app, &asking, work).await
}

/// Takes it through a step that needs nothing but its state.
fn step(
    action: Action,
) -> impl FnOnce(&mut Conn, &Stored, &Writer) -> ApiResult<Answer> + Send + 'static {
    move |conn, was, writer| {
        let is = store::take(conn, was, action, &writer.act)?;
        saved(is, writer.act.by.now)
    }
}

/// Hand an article in for review
///
/// A draft becomes `in_review`: its author can't change it any more, an editor publishes it or hands
/// it back.
#[utoipa::path(
    tag = "manage articles", operation_id = "submitArticle",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        DryRunParams,
    ),
    request_body(content = Option<NoteInput>, description = "A note; may be left out"),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is no draft"),
    ),
)]
#[post("/v1/admin/articles/{id}/submit")]
pub async fn submit(
    caller: Can<WriteContent>,
    app: Data<App>,
    id: ArticleId,
    asked: Asked,
    body: OptionalBody<NoteInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let note = checked_note(&mut check, body.0.note);
    let sent = Sent { note, check };
    act(&app, caller, id, &asked, sent, step(Action::Submit)).await
}

/// Hand an article back to its author
///
/// What is in review becomes a draft again. The note, which stands in the revision that this makes,
/// says why.
#[utoipa::path(
    tag = "manage articles", operation_id = "rejectArticle",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        DryRunParams,
    ),
    request_body(content = RejectInput, description = "Why"),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is not in review"),
    ),
)]
#[post("/v1/admin/articles/{id}/reject")]
pub async fn reject(
    caller: Can<Publish>,
    app: Data<App>,
    id: ArticleId,
    asked: Asked,
    body: Body<RejectInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let note = checked_note(&mut check, body.0.note);
    if note.is_none() && !check.has_fault_at("/note") {
        check.required::<String>("/note", None);
    }
    let sent = Sent { note, check };
    act(&app, caller, id, &asked, sent, step(Action::Reject)).await
}

/// Publish an article
///
/// Makes it public, now or at an instant ahead (`scheduled`). The first time the date is now if
/// none is given, later it stays. The article needs a body or `external_url`. `warnings` are what
/// `…/check` finds; findings of the kinds that the settings name keep the article from being
/// published (422).
#[utoipa::path(
    tag = "manage articles", operation_id = "publishArticle",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        DryRunParams,
    ),
    request_body(
        content = Option<PublishInput>,
        description = "From when on, and until when; may be left out",
    ),
    responses(
        (status = 200, description = "The article", body = PublishedArticle),
        (status = 409, description = "It is in the trash"),
    ),
)]
#[post("/v1/admin/articles/{id}/publish")]
pub async fn publish(
    caller: Can<Publish>,
    app: Data<App>,
    id: ArticleId,
    asked: Asked,
    body: OptionalBody<PublishInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let publication = body.0.checked(&mut check, "");
    let sent = Sent { note: None, check };
    let checker = Arc::clone(&app.checker);
    let publish = move |conn: &mut Conn, was: &Stored, writer: &Writer| {
        let is = store::publish(conn, was, publication, &writer.act)?;
        let findings = checker.check(&is);
        let warnings = findings.told().iter().map(Into::into).collect();
        let article = lists::managed(is, writer.act.by.now);
        let published = PublishedArticle::new(article, warnings);
        Answer::ok(&published, published.version)
    };
    act(&app, caller, id, &asked, sent, publish).await
}

/// Take an article back
///
/// A published article becomes `archived`, a scheduled one a draft again.
#[utoipa::path(
    tag = "manage articles", operation_id = "unpublishArticle",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        DryRunParams,
    ),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is neither published nor scheduled"),
    ),
)]
#[post("/v1/admin/articles/{id}/unpublish")]
pub async fn unpublish(
    caller: Can<Publish>,
    app: Data<App>,
    id: ArticleId,
    asked: Asked,
    _: OptionalBody<NoMembers>,
) -> ApiResult<HttpResponse> {
    act(
        &app,
        caller,
        id,
        &asked,
        Sent::default(),
        step(Action::Unpublish),
    )
    .await
}

/// Take an article out of the trash
///
/// It becomes a draft.
#[utoipa::path(
    tag = "manage articles", operation_id = "restoreArticle",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        DryRunParams,
    ),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is not in the trash"),
    ),
)]
#[post("/v1/admin/articles/{id}/restore")]
pub async fn restore(
    caller: Can<WriteContent>,
    app: Data<App>,
    id: ArticleId,
    asked: Asked,
    _: OptionalBody<NoMembers>,
) -> ApiResult<HttpResponse> {
    act(
        &app,
        caller,
        id,
        &asked,
        Sent::default(),
        step(Action::Restore),
    )
    .await
}

/// Put an article in order by hand
///
/// Gives it a place among the articles of its section that are in order by hand: lists sorted by
/// `section_order` show these after what is pinned and before all others. Those behind it move on;
/// a place behind the last is the end. `null` takes it out of the order. At most 1,000 articles of a
/// section are in order by hand.
#[utoipa::path(
    tag = "manage articles", operation_id = "reorderArticle",
    params(
        ("id" = i64, Path, description = "Id of the article", minimum = 1, example = 12),
        DryRunParams,
    ),
    request_body(content = ReorderInput, description = "Where to"),
    responses(
        (status = 200, description = "The article", body = ManagedArticle),
        (status = 409, description = "It is in the trash"),
    ),
)]
#[post("/v1/admin/articles/{id}/reorder")]
pub async fn reorder(
    caller: Can<Publish>,
    app: Data<App>,
    id: ArticleId,
    asked: Asked,
    body: Body<ReorderInput>,
) -> ApiResult<HttpResponse> {
    let mut check = Check::default();
    let position = match body.0.position {
        Member::Given(n) => check.number("/position", n, 0, store::MAX_POSITION),
        Member::Null => None,
        Member::Absent => {
            let detail = "is required; null takes it out of the order";
            check.fault("/position", FaultCode::Required, detail);
            None
        }
    };
    let sent = Sent { note: None, check };
    let reorder = move |conn: &mut Conn, was: &Stored, writer: &Writer| {
        let is = store::reorder(conn, was, position, &writer.act)?;
        saved(is, writer.act.by.now)
    };
    act(&app, caller, id, &asked, sent, reorder).await
}
