//! Passwords: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), off the async threads,
//! a bounded number at a time.

use std::sync::Arc;

use actix_web::web;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult};

/// The shortest password, in characters.
pub const MIN_PASSWORD: usize = 8;
/// The longest password, in characters.
pub const MAX_PASSWORD: usize = 256;

/// Each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
/// How many may wait; more are answered with 503.
const WAITING: usize = 64;

/// The bounded pool that hashes and checks passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// The hash of no password, to do the same work for an unknown account.
    nobody: Arc<str>,
}

impl Passwords {
    /// A pool. Hashes one password, so that unknown accounts take the same time.
    pub fn new() -> ApiResult<Self> {
        Ok(Self {
            waiting: Arc::new(Semaphore::new(WAITING)),
            running: Arc::new(Semaphore::new(AT_ONCE)),
            nobody: hash("nobody has this password")?.into(),
        })
    }

    /// Whether the password is the one hashed. `None`: no such account; the work is done all the
    /// same and the answer is no. `admit` is asked once it is this one's turn.
    pub async fn matches(
        &self,
        password: String,
        hashed: Option<String>,
        admit: impl FnOnce() -> ApiResult<()>,
    ) -> ApiResult<bool> {
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| ApiError::Unavailable(2))?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|e| ApiError::Internal(e.to_string()))?;
        admit()?;
        let known = hashed.is_some();
        let hashed = hashed.unwrap_or_else(|| self.nobody.to_string());
        web::block(move || {
            // They go with the work, which goes on when the client has gone.
            let _held = (waiting, running);
            known & verify(&password, &hashed)
        })
        .await
        .map_err(|e| ApiError::Internal(e.to_string()))
    }
}

/// The password's hash with its salt and parameters, as a PHC string.
pub fn hash(password: &str) -> ApiResult<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|e| ApiError::Internal(e.to_string()))
}

fn verify(password: &str, hashed: &str) -> bool {
    PasswordHash::new(hashed).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[actix_web::test]
    async fn whoever_waits_is_asked_again_when_it_is_its_turn() {
        let passwords = Passwords::new().expect("a pool");
        let hashed = hash("correct horse battery").expect("a hash");
        let is_open = Cell::new(true);
        let admit = || match is_open.get() {
            true => Ok(()),
            false => Err(ApiError::RateLimited(7)),
        };
        let check = || {
            let password = "correct horse battery".to_owned();
            passwords.matches(password, Some(hashed.clone()), admit)
        };
        assert!(check().await.expect("it is admitted"));
        let all = u32::try_from(AT_ONCE).expect("a few");
        let others = passwords.running.acquire_many(all).await.expect("open");
        let closing = async {
            is_open.set(false);
            drop(others);
        };
        let (checked, ()) = futures_util::future::join(check(), closing).await;
        assert!(matches!(checked, Err(ApiError::RateLimited(7))));
    }
}
