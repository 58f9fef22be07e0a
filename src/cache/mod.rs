//! Delivery's answers, kept whole: a page that is read a thousand times for each write is made once.
//!
//! An answer is kept under its request as all that mean the same have it ([`Normal`]), with its entity
//! tag and its codings made once. It holds for one state of the content and until the next instant at
//! which time alone would change it, so nothing has to be dropped by name. Whoever asks for what is being
//! made waits for it.

mod gather;
mod kept;
mod metrics;
mod watch;

use std::future::Future;
use std::sync::Arc;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use prometheus_client::registry::Registry;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use crate::app::App;
use crate::db::{Content, Timestamp};
use crate::error::ApiResult;
use crate::http::frame::routed_path;
use crate::http::params::Normal;
use crate::limits;

use gather::Gathered;
pub use kept::{Kept, Said, answer};
use metrics::Metrics;
pub use watch::{look, watch};

/// What an answer takes besides its bytes: the key, the headers, the cache's own.
const OVERHEAD: u64 = 700;
/// Of how large an answer one is thought when the cache is laid out.
const USUAL: u64 = 8 * 1024;
/// How many spellings of requests are remembered.
const SPELLINGS: usize = 10_000;
/// The longest spelling that is, in bytes.
const MAX_SPELLING: usize = 500;

/// The answers; cheap to clone.
#[derive(Clone)]
pub struct Answers {
    /// `None`: nothing is kept.
    inner: Option<Arc<Inner>>,
    gathered: Arc<Gathered<Arc<Said>>>,
}

struct Inner {
    kept: Cache<String, Arc<Kept>, Weights, DefaultHashBuilder, Evictions>,
    /// The keys of requests that are spelled otherwise.
    spellings: Cache<String, Arc<str>>,
    content: Content,
    metrics: Metrics,
}

#[derive(Clone)]
struct Weights;

impl Weighter<String, Arc<Kept>> for Weights {
    fn weight(&self, key: &String, kept: &Arc<Kept>) -> u64 {
        OVERHEAD + key.len() as u64 + kept.weight()
    }
}

/// Counts what is put out for want of room.
#[derive(Clone)]
struct Evictions(Metrics);

impl Lifecycle<String, Arc<Kept>> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: String, _: Arc<Kept>) {
        self.0.evictions.inc();
    }
}

impl Answers {
    /// A cache of so many bytes; of none, it keeps nothing.
    pub fn new(bytes: u64, content: &Content, registry: &mut Registry) -> Self {
        let metrics = Metrics::register(registry);
        if bytes == 0 {
            return Self {
                inner: None,
                gathered: Arc::default(),
            };
        }
        let usual = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX).max(16);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(usual)
            .weight_capacity(bytes)
            // The largest answer must fit into a shard.
            .shards(4)
            .build();
        let inner = options.ok().map(|options| {
            let evictions = Evictions(metrics.clone());
            Arc::new(Inner {
                kept: Cache::with_options(
                    options,
                    Weights,
                    DefaultHashBuilder::default(),
                    evictions,
                ),
                spellings: Cache::new(SPELLINGS),
                content: content.clone(),
                metrics,
            })
        });
        Self {
            inner,
            gathered: Arc::default(),
        }
    }

    /// The answer to this request: the one that is kept, or what `make` makes, which is kept from then
    /// on. `make` is told which state of the content is known at least.
    pub async fn get_or_make<M>(
        &self,
        app: &App,
        req: &HttpRequest,
        make: impl FnOnce(u64) -> M,
    ) -> ApiResult<Arc<Kept>>
    where
        M: Future<Output = ApiResult<Kept>>,
    {
        let content = app.db.content();
        let (Some(inner), Some(key)) = (&self.inner, key_of(req)) else {
            return make(content.epoch()).await.map(Arc::new);
        };
        loop {
            let is_stale = |kept: &Arc<Kept>| !inner.holds(kept, app.clock.now());
            match inner.kept.get_value_or_guard_async(&*key).await {
                Ok(kept) if is_stale(&kept) => {
                    // Unless another one has been put in its place meanwhile.
                    inner.kept.remove_if(&*key, is_stale);
                }
                Ok(kept) => {
                    inner.metrics.hits.inc();
                    inner.remember_spelling(req, &key);
                    return Ok(kept);
                }
                Err(guard) => {
                    inner.metrics.misses.inc();
                    let kept = Arc::new(make(content.epoch()).await?);
                    // The place may be gone: then the answer is not kept.
                    drop(guard.insert(Arc::clone(&kept)));
                    inner.remember_spelling(req, &key);
                    inner.measure();
                    return Ok(kept);
                }
            }
        }
    }
}

impl Answers {
    /// The answer to this request, with counts as of now: what `make` makes, or what another one's does
    /// that is begun from now on.
    pub async fn gather<M>(
        &self,
        req: &HttpRequest,
        make: impl FnOnce() -> M,
    ) -> ApiResult<Arc<Said>>
    where
        M: Future<Output = ApiResult<Said>>,
    {
        let make = || async { make().await.map(Arc::new) };
        match key_of(req) {
            Some(key) => self.gathered.share(&key, make).await,
            None => make().await,
        }
    }
}

impl Inner {
    /// Whether an answer is as it would be made now.
    fn holds(&self, kept: &Kept, now: Timestamp) -> bool {
        kept.holds(&self.content, now)
    }

    fn remember_spelling(&self, req: &HttpRequest, key: &str) {
        let Some(spelled) = spelled(req) else { return };
        if spelled != key && spelled.len() <= MAX_SPELLING && self.spellings.get(spelled).is_none()
        {
            self.spellings.insert(spelled.into(), key.into());
        }
    }

    fn find(&self, spelled: &str) -> Option<Arc<Kept>> {
        let kept = self.kept.get(spelled);
        kept.or_else(|| self.kept.get(&*self.spellings.get(spelled)?))
    }

    fn measure(&self) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.metrics.bytes.set(number(self.kept.weight()));
        self.metrics.answers.set(number(self.kept.len() as u64));
    }
}

/// The request as all that mean the same have it; `None` where its query was not read as a whole, or where
/// its path could be taken for another's with a query.
fn key_of(req: &HttpRequest) -> Option<String> {
    let extensions = req.extensions();
    let Normal(query) = extensions.get::<Normal>()?;
    let path = routed_path(req);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if !path.bytes().all(is_plain) {
        return None;
    }
    Some(match query.as_str() {
        "" => path.into(),
        query => format!("{path}?{query}"),
    })
}

/// The request as it is spelled.
fn spelled(req: &HttpRequest) -> Option<&str> {
    req.uri().path_and_query().map(|target| target.as_str())
}

/// The answer to a read that is at hand: all that is on the way to a handler, but for the limits, would
/// take longer than to send it.
pub fn answer_at_hand(req: &ServiceRequest) -> Option<HttpResponse> {
    let app = req.app_data::<web::Data<App>>()?;
    let inner = app.answers.inner.as_ref()?;
    let (request, payload) = req.parts();
    let is_read = matches!(*req.method(), Method::GET | Method::HEAD);
    if !is_read || !matches!(payload, Payload::None) {
        return None;
    }
    let kept = inner.find(spelled(request)?)?;
    if kept.has_places() {
        return None;
    }
    let now = app.clock.now();
    if !inner.holds(&kept, now) {
        return None;
    }
    let decision = limits::of_address(app, req);
    if decision.is_some_and(|decision| decision.refusal().is_some()) {
        return None;
    }
    inner.metrics.hits.inc();
    let answer = kept.answer(request.headers(), now);
    let mut answer = answer.unwrap_or_else(HttpResponse::from_error);
    if let Some(decision) = decision {
        app.limits.tell(decision, answer.headers_mut());
    }
    Some(answer)
}
