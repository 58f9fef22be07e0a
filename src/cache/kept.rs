//! One answer as it is kept: made once, sent many times.

use actix_web::HttpResponse;
use actix_web::http::header::HeaderMap;

use crate::config::CachePolicy;
use crate::db::{Content, Timestamp};
use crate::error::{ApiError, ApiResult};
use crate::http::answer::{Prepared, cache_control};
use crate::http::keys::{KeyHeader, Keys};

/// An answer, for one state of the content and until the next edge.
#[derive(Debug)]
pub struct Kept {
    /// What the node knew of the content, at least.
    pub epoch: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The instant at which time alone changes it.
    pub edge: Option<Timestamp>,
    /// What caches elsewhere may do with it.
    pub policy: CachePolicy,
    /// How caches elsewhere get its keys.
    pub keys: Option<KeyHeader>,
    /// What it says.
    pub said: Said,
}

/// What an answer says; 404 and 308 are answers, too.
pub type Said = Result<Prepared, ApiError>;

/// The answer to a request with these headers: 304 where the client has it already.
pub fn answer(said: &Said, headers: &HeaderMap, cache_control: &str) -> ApiResult<HttpResponse> {
    match said {
        Ok(said) => said.answer(headers, cache_control),
        Err(ApiError::Moved(place)) => Err(ApiError::Moved(place.clone())),
        Err(error) => {
            let error = Box::new(error.clone());
            Err(ApiError::Cacheable(error, cache_control.to_owned()))
        }
    }
}

impl Kept {
    /// Whether it is as it would be made now.
    pub fn holds(&self, content: &Content, now: Timestamp) -> bool {
        let article = self.said.as_ref().ok().and_then(Prepared::article);
        let is_same = match article {
            Some((id, _)) => content.unchanged_since(id) <= self.epoch,
            None => content.epoch() == self.epoch,
        };
        // A clock that was put back makes it one of the future.
        is_same && self.made_at <= now && self.edge.is_none_or(|edge| now < edge)
    }

    /// Whether counts are to be put into it before it is sent.
    pub fn has_places(&self) -> bool {
        self.said
            .as_ref()
            .is_ok_and(|said| !said.places().is_empty())
    }

    /// How many bytes it takes with all codings that it may get. Compressed bodies are thought to be, all
    /// together, as long as the plain one.
    pub fn weight(&self) -> u64 {
        let size = |said: &Prepared| (2 * said.size() + said.keys_size()) as u64;
        self.said.as_ref().map_or(0, size)
    }

    /// The answer to a request with these headers: 304 where the client has it already.
    pub fn answer(&self, headers: &HeaderMap, now: Timestamp) -> ApiResult<HttpResponse> {
        let cache_control = cache_control(self.policy, now, self.edge);
        match answer(&self.said, headers, &cache_control) {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.keyed(error)?),
        }
    }

    /// The error with its keys: whatever makes something appear, or lead elsewhere, names the site's list.
    fn keyed(&self, error: ApiError) -> ApiResult<ApiError> {
        let Some(header) = self.keys else {
            return Ok(error);
        };
        let (name, keys) = header.header(&Keys::of_list(None))?;
        Ok(ApiError::Keyed(Box::new((error, name, keys))))
    }
}
