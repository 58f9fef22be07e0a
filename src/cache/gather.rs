//! Answers with counts in them are made each time, but not by each who asks: whoever asks while one is
//! being made shares the next. So what an answer says was never older than the request, and a ranking
//! that takes long is made one at a time, however many ask for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as Turn;

use crate::error::ApiResult;

/// What is being made, by key.
#[derive(Debug)]
pub struct Gathered<T> {
    making: Mutex<HashMap<String, Arc<Making<T>>>>,
}

/// Those who ask for the same.
#[derive(Debug)]
struct Making<T> {
    /// How often it was begun.
    begun: AtomicU64,
    /// What was made last, and as which.
    last: Turn<Option<(u64, ApiResult<T>)>>,
}

/// One who asks; the last one to go takes the place along.
struct Asking<'a, T> {
    all: &'a Gathered<T>,
    key: &'a str,
    making: Arc<Making<T>>,
}

impl<T> Default for Gathered<T> {
    fn default() -> Self {
        Self {
            making: Mutex::default(),
        }
    }
}

impl<T: Clone> Gathered<T> {
    /// What `make` makes, or what another one's made that was begun after this was called.
    pub async fn share<M>(&self, key: &str, make: impl FnOnce() -> M) -> ApiResult<T>
    where
        M: Future<Output = ApiResult<T>>,
    {
        let asking = self.ask(key);
        let making = &asking.making;
        let before = making.begun.load(Ordering::SeqCst);
        let mut last = making.last.lock().await;
        if let Some((number, made)) = &*last
            && *number > before
        {
            return made.clone();
        }
        let number = making.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let made = make().await;
        *last = Some((number, made.clone()));
        made
    }

    fn ask<'a>(&'a self, key: &'a str) -> Asking<'a, T> {
        let mut all = self.lock();
        let making = match all.get(key) {
            Some(making) => Arc::clone(making),
            None => {
                let new = Arc::new(Making {
                    begun: AtomicU64::new(0),
                    last: Turn::new(None),
                });
                all.insert(key.to_owned(), Arc::clone(&new));
                new
            }
        };
        Asking {
            all: self,
            key,
            making,
        }
    }
}

impl<T> Gathered<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Making<T>>>> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Asking<'_, T> {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        // The map's and this one's.
        if Arc::strong_count(&self.making) == 2 {
            all.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;
    use crate::error::ApiError;

    /// Makes the next number after a while.
    async fn make(next: &Cell<u64>) -> ApiResult<u64> {
        next.set(next.get() + 1);
        let number = next.get();
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(number)
    }

    #[actix_web::test]
    async fn who_asks_meanwhile_shares_the_next() {
        let (gathered, next) = (Gathered::default(), Cell::new(0));
        let first = gathered.share("top", || make(&next));
        let later = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let asked = (0..50).map(|_| gathered.share("top", || make(&next)));
            join_all(asked).await
        };
        let (first, later) = futures_util::future::join(first, later).await;
        assert_eq!(first.ok(), Some(1));
        assert!(later.into_iter().all(|made| made.ok() == Some(2)));
        assert_eq!(next.get(), 2);
        assert!(gathered.lock().is_empty());
        assert_eq!(gathered.share("top", || make(&next)).await.ok(), Some(3));
    }

    #[actix_web::test]
    async fn who_goes_leaves_the_making_to_the_next() {
        let (gathered, next) = (Rc::new(Gathered::default()), Rc::new(Cell::new(0)));
        let (shared, counted) = (Rc::clone(&gathered), Rc::clone(&next));
        let going = actix_web::rt::spawn(async move {
            shared.share("top", || make(&counted)).await.ok();
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        let staying = gathered.share("top", || make(&next));
        let going = async {
            going.abort();
            going.await.expect_err("it is aborted");
        };
        let (made, ()) = futures_util::future::join(staying, going).await;
        assert_eq!(made.ok(), Some(2));
        assert!(gathered.lock().is_empty());
    }

    #[actix_web::test]
    async fn a_failure_is_shared_and_not_kept() {
        let gathered: Gathered<u64> = Gathered::default();
        let fail = || async { Err(ApiError::Unavailable(2)) };
        assert!(gathered.share("top", fail).await.is_err());
        let next = Cell::new(0);
        assert_eq!(gathered.share("top", || make(&next)).await.ok(), Some(1));
    }
}
