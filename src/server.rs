//! The HTTP server: middleware order, the mounted features, graceful shutdown.

use std::future::Future;
use std::net::TcpListener;
use std::sync::OnceLock;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Data};
use actix_web::{App as Actix, HttpResponse, HttpServer, get};
use socket2::SockRef;
use utoipa_swagger_ui::SwaggerUi;

use crate::app::App;
use crate::error::ApiResult;
use crate::http::answer::Delivery;
use crate::http::frame::{Routes, fallback, frame};
use crate::http::mount::Mount;
use crate::http::params::Params;
use crate::{
    api_keys, articles, audit, auth, cache, changes, hits, limits, memory, openapi, previews,
    purges, sections, site, users, writes,
};

/// How long a client may take to send a request's head.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a client may take to close its side of a connection.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// How long an idle connection is kept.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// When all workers are up, and what they were made of can be given back.
const SETTLED: Duration = Duration::from_secs(1);
/// How often hit ids, visits, sessions, signing keys and revisions that are past are deleted.
const TIDY_EVERY: Duration = Duration::from_secs(600);
/// When to try again where the database was away.
const TICK_AGAIN: Duration = Duration::from_secs(2);
/// How many times as long as folding hits took nothing is folded.
const FOLD_REST: u32 = 20;
/// When hits are folded at the latest, unless the settings say later.
const FOLD_LATEST: Duration = Duration::from_secs(20);
/// How often the signing keys are read anew.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// Mounts every feature. Mounting a route puts it into the OpenAPI document.
pub fn routes<M: Mount>(config: &mut M) {
    // The router tries paths in this order, and most of what comes is a hit or a read of an article.
    hits::routes(config);
    site::routes(config);
    sections::routes(config);
    articles::routes(config);
    previews::routes(config);
    changes::routes(config);
    auth::routes(config);
    users::routes(config);
    api_keys::routes(config);
    audit::routes(config);
    config.service(openapi_json);
}

/// The OpenAPI document as it is served.
#[derive(Clone)]
struct Document(web::Bytes);

/// Read the OpenAPI document
///
/// This document: every operation, parameter and answer of the service.
#[utoipa::path(
    tag = "service", operation_id = "getOpenApi",
    responses((status = 200, description = "The document (OpenAPI 3.1)", body = Object)),
)]
#[get("/openapi.json")]
async fn openapi_json(
    document: Data<Document>,
    req: actix_web::HttpRequest,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    Delivery::bytes(document.0.to_vec(), "application/json")
        .answer(req.headers(), "public, max-age=300")
}

/// The documented paths and the document as it is served, made once in a process.
fn described() -> std::io::Result<(Routes, Document)> {
    static DESCRIBED: OnceLock<(Routes, Document)> = OnceLock::new();
    if let Some(made) = DESCRIBED.get() {
        return Ok(made.clone());
    }
    let document = openapi::document();
    let json = document.to_json().map_err(std::io::Error::other)?;
    let made = (
        Routes::new(&document.paths),
        Document(web::Bytes::from(json)),
    );
    Ok(DESCRIBED.get_or_init(|| made).clone())
}

/// Lets the system end the connection of a client that takes nothing of an answer for so long (RFC 5482's
/// user time-out, which Linux applies to a closed window, too): else it would be kept, and the answer with it,
/// for as long as the client likes.
fn limit_stalls(stream: &TcpStream, send_time: Duration) {
    let limited = SockRef::from(stream).set_tcp_user_timeout(Some(send_time));
    if let Err(error) = limited {
        tracing::debug!(%error, "a client may take nothing of its answer for as long as it likes");
    }
}

/// Serves on the listener until `stop` is done; then finishes what is in flight, within
/// `LANMU_SHUTDOWN_SECONDS`.
pub async fn run(
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let shutdown = app.config.shutdown;
    let (workers, send_time) = (app.config.workers, app.config.send_time);
    let (routes_table, document) = described()?;
    let (routes_table, document) = (Data::new(routes_table), Data::new(document));
    let data = Data::new(app.clone());

    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(data.clone())
            .app_data(routes_table.clone())
            .app_data(document.clone())
            .configure(routes::<web::ServiceConfig>)
            .service(SwaggerUi::new("/docs/{_:.*}").config(
                utoipa_swagger_ui::Config::from("/openapi.json").display_request_duration(true),
            ))
            .service(web::redirect("/docs", "/docs/"))
            .default_service(web::to(fallback))
            .wrap(from_fn(auth::guard))
            .wrap(from_fn(limits::limit))
            .wrap(from_fn(frame))
    })
    .workers(workers)
    .client_request_timeout(HEAD_TIME)
    .client_disconnect_timeout(CLOSE_TIME)
    .on_connect(move |connection, _| {
        if let Some(stream) = connection.downcast_ref::<TcpStream>() {
            limit_stalls(stream, send_time);
        }
    })
    .keep_alive(IDLE_TIME)
    .shutdown_timeout(shutdown.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();

    let counting = actix_web::rt::spawn(app.hits.clone().run(app.clone()));
    let app = app.patient();
    let folding = actix_web::rt::spawn(fold(app.clone()));
    let watching = actix_web::rt::spawn(cache::watch(app.clone()));
    let purging = actix_web::rt::spawn(purges::run(app.clone()));
    let learning = actix_web::rt::spawn(learn_keys(app.clone()));
    let ticking = actix_web::rt::spawn(tick(app.clone()));
    let forgetting = actix_web::rt::spawn(app.limits.clone().keep_tidy());
    let tidying = actix_web::rt::spawn(async move {
        tokio::time::sleep(SETTLED).await;
        memory::trim();
        let mut revisions = articles::revisions::Retention::default();
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            for (what, done) in [
                ("hits", hits::tidy(&app).await),
                ("sessions", auth::tidy(&app).await),
                ("audit", audit::tidy(&app).await),
                ("trash", articles::tidy(&app).await),
                ("idempotency keys", writes::tidy(&app).await),
                ("revisions", revisions.tidy(&app).await),
            ] {
                match done {
                    Ok(deleted) => tracing::debug!(what, deleted, "tidied"),
                    Err(error) => tracing::error!(what, %error, "tidying failed"),
                }
            }
        }
    });
    let handle = server.handle();
    let server = actix_web::rt::spawn(server);
    stop.await;
    tracing::info!("stopping");
    tidying.abort();
    ticking.abort();
    learning.abort();
    forgetting.abort();
    folding.abort();
    watching.abort();
    handle.stop(true).await;
    let served = server.await.map_err(std::io::Error::other)?;
    // Only now: what was in flight has been written and answered.
    counting.abort();
    purging.abort();
    served
}

/// Writes down what time makes of articles.
async fn tick(app: App) {
    let Some(pause) = app.config.tick else { return };
    loop {
        let pause = match articles::tick(&app).await {
            Ok(_) => pause,
            Err(error) => {
                tracing::warn!(%error, "what time has made of articles can't be written down");
                TICK_AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Folds hits of the log into the ledger. It costs the same for one hit of an article as for a thousand,
/// so where there is much to fold it is done less often.
async fn fold(app: App) {
    let Some(least) = app.config.hits_fold else {
        return;
    };
    let mut pause = least;
    loop {
        tokio::time::sleep(pause).await;
        pause = match app.hits.fold(&app).await {
            Ok(folded) => least.max((folded.took * FOLD_REST).min(FOLD_LATEST)),
            Err(error) => {
                tracing::warn!(%error, "hits can't be folded into the ledger: they stay in the log");
                least.max(TICK_AGAIN)
            }
        };
    }
}

/// Keeps the signing keys as the database has them.
async fn learn_keys(app: App) {
    loop {
        tokio::time::sleep(KEYS_EVERY).await;
        if let Err(error) = auth::reload_keys(&app).await {
            tracing::error!(%error, "the signing keys can't be read");
        }
    }
}

/// Done when the process is asked to end (SIGTERM, SIGINT).
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("signals can't be caught: stop the process by force");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}
