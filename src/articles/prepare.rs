//! Bodies are rendered ahead of the transaction that writes them, a bounded number at a time: a page
//! that takes long keeps nobody else from writing. What else is long work on bodies takes its turn with
//! them.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult};

use super::limits::TooComplex;
use super::text::{Rendered, render};
use super::wire::NewBody;

/// How many bodies are rendered at once.
const AT_ONCE: usize = 2;

/// A body and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The body.
    pub body: NewBody,
    /// What it was rendered to.
    pub outcome: Result<Rendered, TooComplex>,
}

/// The bounded pool that renders bodies.
#[derive(Debug, Clone)]
pub struct Renderer {
    running: Arc<Semaphore>,
    wait: Duration,
}

impl Renderer {
    /// A pool whose users wait so long for their turn; then the answer is 503.
    pub fn new(wait: Duration) -> Self {
        Self {
            running: Arc::new(Semaphore::new(AT_ONCE)),
            wait,
        }
    }

    /// Renders a body, where there is one.
    pub async fn prepare(&self, body: Option<NewBody>) -> ApiResult<Option<Prepared>> {
        let Some(body) = body else { return Ok(None) };
        let work = move || {
            let outcome = render(body.format, &body.content);
            Prepared { body, outcome }
        };
        self.in_turn(work).await.map(Some)
    }

    /// Does work that keeps a processor busy, off the async threads, when its turn comes; 503 where it
    /// doesn't come in time.
    pub async fn in_turn<T, F>(&self, work: F) -> ApiResult<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let turn = Arc::clone(&self.running).acquire_owned();
        let turn = tokio::time::timeout(self.wait, turn).await;
        let Ok(Ok(turn)) = turn else {
            return Err(ApiError::Unavailable(2));
        };
        let work = web::block(move || {
            // It goes with the work, which goes on when the client has gone.
            let _held = turn;
            work()
        });
        work.await.map_err(|e| ApiError::Internal(e.to_string()))
    }
}
