//! Views recorded by servers of the site's own.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};

use crate::app::App;
use crate::articles;
use crate::auth::{Can, Permission, WriteHits};
use crate::error::ApiResult;
use crate::hits::handlers::{batch_answer, checked_batch};
use crate::hits::wire::{HitBatchResult, ManagedHitBatch};
use crate::hits::{Ask, Hit, Recorded, Target, record_keyed};
use crate::http::body::Body;
use crate::http::fields::Object;
use crate::writes::{Keyed, Owner};

/// Count views that a server saw
///
/// For backends that make pages themselves, and for mini-programs that go through one: records up to
/// 500 views of public articles in one transaction, answered once they are on disk, with one result
/// each. `visitor` tells people apart, so that one counts once in the window (30 minutes by default);
/// a view without it counts by itself. What `hit_id`, `at` and `client` mean is as in
/// `POST /v1/hits`, but nobody is taken for a bot, and no address has a share of hits: leave out what
/// should not count. Articles out of the caller's reach are `not_found`. This is traffic, so the audit log
/// does not tell of it.
#[utoipa::path(
    tag = "manage hits", operation_id = "recordManagedHits",
    request_body(content = ManagedHitBatch, description = "The views"),
    responses((status = 200, description = "What became of each", body = HitBatchResult)),
)]
#[post("/v1/admin/hits")]
pub async fn record(
    caller: Can<WriteHits>,
    app: Data<App>,
    keyed: Keyed,
    body: Body<ManagedHitBatch>,
) -> ApiResult<HttpResponse> {
    let items = body.0.hits;
    let items = items.map(|items| items.into_iter().map(|Object(item)| item).collect());
    let hits = checked_batch(items)?;
    let wanted = hits.iter().map(article_of).collect::<Vec<i64>>();
    let owner = Owner::of(&caller.caller);
    let hits = within_reach(&app, caller, hits).await?;
    let ask = Ask {
        hits,
        visitor: None,
        is_bot: false,
    };
    let shape = move |mut recorded: Vec<Recorded>| {
        for (recorded, id) in recorded.iter_mut().zip(wanted) {
            recorded.article_id = id;
        }
        batch_answer(recorded)
    };
    record_keyed(&app, &keyed, Some(owner), Ok(ask), shape).await
}

fn article_of(hit: &Hit) -> i64 {
    match hit.target {
        Target::Id(id) => id,
        Target::Slug(_) => NO_ARTICLE,
    }
}

/// No article has this id.
const NO_ARTICLE: i64 = 0;

/// The hits, with those of articles out of the caller's reach as hits of none.
async fn within_reach(
    app: &Data<App>,
    caller: Can<WriteHits>,
    mut hits: Vec<Hit>,
) -> ApiResult<Vec<Hit>> {
    let clock = app.clock.clone();
    app.db
        .read(move |conn| {
            let caller = caller.again(conn, clock.now())?;
            let ids: Vec<i64> = hits.iter().map(article_of).collect();
            let within = articles::within_reach(conn, &caller, Permission::WriteHits, &ids)?;
            for hit in &mut hits {
                if !within.contains(&article_of(hit)) {
                    hit.target = Target::Id(NO_ARTICLE);
                }
            }
            Ok(hits)
        })
        .await
}
