//! Caches elsewhere are told what writes change: each purge that a write has left in the database
//! ([`crate::db::purges`]) is sent to every cache of `LANMU_PURGE_URLS`, in order, at least once.
//!
//! Each node has a sender for each cache. A sender claims a cache before it sends to it, so that one node is
//! at it at a time; where that node dies, another one goes on after a while. What waits is merged: the more
//! there is, the more goes into one request.

mod client;
mod metrics;
mod store;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch::Receiver;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::http::frame::random_id;
use crate::http::keys::KeyHeader;

use client::PurgeError;
use store::{Batch, Claim};

pub use metrics::Metrics;
pub use store::MAX_WAITING;

/// How long a purge waits at least, for others to go with it and for all nodes to hear of the write: what a
/// cache asks for anew must not come from a node that still has the old answer.
const LINGER: Duration = Duration::from_millis(40);
/// How often is looked for what this node did not hear of.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// When to look again where another node is at it.
const HELD: Duration = Duration::from_secs(1);
/// The first pause after a failure; each one is twice as long as the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// Sends purges until it is dropped.
pub async fn run(app: App) {
    let Some(header) = app.config.cdn_keys else {
        return;
    };
    let urls = app.config.purge_urls.clone();
    if urls.is_empty() {
        return;
    }
    let names: Vec<String> = urls.iter().map(Url::to_string).collect();
    let kept = app
        .db
        .upkeep(move |conn| -> ApiResult<()> { Ok(store::keep_only(conn, &names)?) });
    if let Err(error) = kept.await {
        tracing::warn!(%error, "caches of before are still kept purges for");
    }
    join_all(
        urls.into_iter()
            .map(|url| Sender::new(&app, url, header).run()),
    )
    .await;
}

/// Sends purges to one cache.
struct Sender {
    app: App,
    url: Url,
    header: KeyHeader,
    /// Who this is to other nodes.
    holder: i64,
    changed: Receiver<u64>,
    is_away: bool,
}

/// What came of one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    /// What waited is sent; more may have come.
    On,
    /// Nothing waits.
    Done,
    /// Another node is at it.
    Held,
    /// The cache or the database could not be reached.
    Failed,
}

impl Sender {
    fn new(app: &App, url: Url, header: KeyHeader) -> Self {
        Self {
            app: app.clone(),
            url,
            header,
            holder: random_id(),
            changed: app.db.content().changed(),
            is_away: false,
        }
    }

    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            // What is written from here on is heard of.
            self.changed.borrow_and_update();
            let went = self.go().await;
            if went != Went::Failed {
                pause = FIRST_PAUSE;
            }
            match went {
                Went::On => {}
                Went::Held => sleep(HELD).await,
                Went::Done => drop(timeout(LOOK_EVERY, self.changed.changed()).await),
                Went::Failed => {
                    sleep(pause).await;
                    pause = (2 * pause).min(LAST_PAUSE);
                }
            }
        }
    }

    /// Sends what waits now, once it has waited for long enough.
    async fn go(&mut self) -> Went {
        let until = match self.newest().await {
            Ok(Some(until)) => until,
            Ok(None) => return Went::Done,
            Err(error) => return failed(&error),
        };
        sleep(LINGER).await;
        loop {
            let batch = match self.claim(until).await {
                Ok(Claim::Batch(batch)) => batch,
                Ok(Claim::Nothing) => return Went::On,
                Ok(Claim::Held) => return Went::Held,
                Err(error) => return failed(&error),
            };
            let sent = self.send(&batch).await;
            self.tell(&sent);
            let last = sent.is_ok().then_some(batch.last);
            match self.note(last).await {
                Ok(()) if last == Some(until) => return Went::On,
                Ok(()) if last.is_some() => {}
                Ok(()) => return Went::Failed,
                Err(error) => return failed(&error),
            }
        }
    }

    /// The newest purge, where any waits for this cache. Where none does, as after the write of a draft, the
    /// database is only read.
    async fn newest(&self) -> ApiResult<Option<i64>> {
        let url = self.url.to_string();
        let read = self.app.db.read(move |conn| -> ApiResult<_> {
            Ok((store::newest(conn, &url)?, store::waiting(conn)?))
        });
        let (newest, waiting) = read.await?;
        self.app.purges.waiting.set(waiting);
        Ok(newest)
    }

    /// Claims what is to be sent next, up to this purge.
    async fn claim(&self, until: i64) -> ApiResult<Claim> {
        let (url, holder, now) = (self.url.to_string(), self.holder, self.app.clock.now());
        let claim = self.app.db.upkeep(move |conn| -> ApiResult<_> {
            Ok(store::claim(conn, &url, (holder, now), until)?)
        });
        claim.await.map(|(claim, _)| claim)
    }

    /// Notes that the cache has all up to this purge, or none of what was claimed.
    async fn note(&self, last: Option<i64>) -> ApiResult<()> {
        let (url, holder) = (self.url.to_string(), self.holder);
        let noted = self.app.db.upkeep(move |conn| -> ApiResult<()> {
            match last {
                Some(last) => store::done(conn, &url, holder, last)?,
                None => store::release(conn, &url, holder)?,
            }
            Ok(())
        });
        noted.await.map(|((), _)| ())
    }

    async fn send(&self, batch: &Batch) -> Result<(), PurgeError> {
        for keys in batch.keys.chunks(store::MAX_KEYS) {
            let sent = client::purge(&self.url, self.header, keys).await;
            self.app.purges.count(sent.is_ok());
            sent?;
        }
        Ok(())
    }

    /// Logs when the cache goes away and when it comes back.
    fn tell(&mut self, sent: &Result<(), PurgeError>) {
        let cache = self.url.authority();
        match sent {
            Ok(()) if self.is_away => tracing::info!(cache, "the cache takes purges again"),
            Err(error) if !self.is_away => {
                tracing::info!(cache, %error, "the cache takes no purges: they wait");
            }
            _ => {}
        }
        self.is_away = sent.is_err();
    }
}

fn failed(error: &ApiError) -> Went {
    tracing::warn!(%error, "purges can't be read or noted: they wait");
    Went::Failed
}
