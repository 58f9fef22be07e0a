//! Passwords: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), off the async threads,
//! a bounded number at a time.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult};

use super::aside;

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
    /// same and the answer is no.
    pub async fn matches(&self, password: String, hashed: Option<String>) -> ApiResult<bool> {
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| ApiError::Unavailable(2))?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|e| ApiError::Internal(e.to_string()))?;
        let known = hashed.is_some();
        let hashed = hashed.unwrap_or_else(|| self.nobody.to_string());
        // At a lower priority: on the shared pool, a hundred clients with wrong passwords made reads
        // four times as slow.
        aside::run(move || {
            // They go with the work, which goes on when the client has gone.
            let _held = (waiting, running);
            known & verify(&password, &hashed)
        })
        .await
    }

    /// 503 where so many wait that another would be turned away. Ask before anything is looked up
    /// for that other: clients that don't mind being turned away come by the thousand each second.
    pub fn has_room(&self) -> ApiResult<()> {
        match self.waiting.available_permits() {
            0 => Err(ApiError::Unavailable(2)),
            _ => Ok(()),
        }
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
