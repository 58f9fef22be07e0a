//! Learning of what others write, nodes and commands: by listening, which takes some milliseconds, and by
//! looking from time to time, which is enough where nothing can be heard.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::app::App;
use crate::db::{Content, DbError, Listener};
use crate::error::{ApiError, ApiResult};

/// How often the change log is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether something was heard: neither PostgreSQL's library nor SQLite has a way to
/// wait for it.
const HEAR_EVERY: Duration = Duration::from_millis(25);
/// When to connect again.
const AGAIN: Duration = Duration::from_secs(1);

/// Learns of changes until it is dropped.
pub async fn watch(app: App) {
    let _hearing = begin(&app);
    let mut is_away = false;
    loop {
        let looked = look(&app).await;
        if let (Err(error), false) = (&looked, is_away) {
            tracing::warn!(%error, "the change log can't be looked at");
        }
        is_away = looked.is_err();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks how far the change log goes: from then on nothing older is served.
pub async fn look(app: &App) -> ApiResult<()> {
    let content = app.db.content().clone();
    let read = app
        .db
        .read(move |conn| Ok::<_, ApiError>(content.look(conn)?));
    read.await.map(drop)
}

/// Begins to listen, on a thread that ends when what is returned is dropped.
fn begin(app: &App) -> Sender<()> {
    let (hearing, ended) = channel();
    let (listener, content) = (app.db.listener(), app.db.content().clone());
    let thread = thread::Builder::new().name("changes".to_owned());
    let begun = thread.spawn(move || {
        loop {
            match hear(&listener, &content, &ended) {
                Ok(()) => return,
                Err(error) => {
                    tracing::info!(%error, "changes can't be heard of: they are looked for");
                }
            }
            if is_over(&ended, AGAIN) {
                return;
            }
        }
    });
    if let Err(error) = begun {
        tracing::error!(%error, "no thread can be had to hear of changes: they are looked for");
    }
    hearing
}

/// Listens on one connection until it breaks or nobody wants to know any more.
fn hear(listener: &Listener, content: &Content, ended: &Receiver<()>) -> Result<(), DbError> {
    let mut heard = listener.listen()?;
    loop {
        heard.learn(content)?;
        if is_over(ended, HEAR_EVERY) {
            return Ok(());
        }
    }
}

/// Waits so long, or until nobody wants to know any more.
fn is_over(ended: &Receiver<()>, wait: Duration) -> bool {
    ended.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected)
}
