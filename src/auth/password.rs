//! Passwords: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), off the async threads,
//! a bounded number at a time; and which passwords are good enough.

use std::sync::{Arc, OnceLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::error::{ApiError, ApiResult, FaultCode};

use super::aside;
use super::store::email_key;

/// The shortest password, in characters.
const MIN_PASSWORD: usize = 8;
/// The longest password, in characters.
const MAX_PASSWORD: usize = 256;

/// Passwords that everybody tries first, in lower case, one a line. Shorter ones need not be here.
const COMMON: &str = include_str!("common_passwords.txt");

/// Each takes 19 MiB and a core for some 20 ms.
const AT_ONCE: usize = 2;
/// How many may wait; more are answered with 503.
const WAITING: usize = 64;

/// What is wrong with a password for the account of this e-mail address, as a code and in words
/// that follow its name. By length and by a list of common ones; what it is composed of doesn't
/// matter (NIST SP 800-63B §3.1.1).
pub fn weakness(password: &str, email: &str) -> Option<(FaultCode, String)> {
    let length = password.chars().count();
    let lower = password.to_lowercase();
    let is_common = || COMMON.lines().any(|common| common == lower);
    let key = email_key(email);
    let local = key.split('@').next().unwrap_or_default();
    if length < MIN_PASSWORD {
        let detail = format!("must have at least {MIN_PASSWORD} characters");
        Some((FaultCode::TooShort, detail))
    } else if length > MAX_PASSWORD {
        let detail = format!("must have at most {MAX_PASSWORD} characters");
        Some((FaultCode::TooLong, detail))
    } else if is_common() || is_one_character(&lower) {
        Some((
            FaultCode::TooCommon,
            "is one that everybody tries first".to_owned(),
        ))
    } else if lower == key || lower == local {
        Some((
            FaultCode::TooCommon,
            "must not be the e-mail address".to_owned(),
        ))
    } else {
        None
    }
}

fn is_one_character(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next();
    characters.all(|c| Some(c) == first)
}

/// The hash of no password, made once in a process.
fn nobody() -> ApiResult<Arc<str>> {
    static NOBODY: OnceLock<Arc<str>> = OnceLock::new();
    if let Some(hash) = NOBODY.get() {
        return Ok(Arc::clone(hash));
    }
    let hash = hash_now("nobody has this password")?.into();
    Ok(Arc::clone(NOBODY.get_or_init(|| hash)))
}

/// The bounded pool that hashes and checks passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// The hash of no password, to do the same work for an unknown account.
    nobody: Arc<str>,
}

impl Passwords {
    /// A pool. The first one hashes a password, so that unknown accounts take the same time.
    pub fn new() -> ApiResult<Self> {
        Ok(Self {
            waiting: Arc::new(Semaphore::new(WAITING)),
            running: Arc::new(Semaphore::new(AT_ONCE)),
            nobody: nobody()?,
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
        let known = hashed.is_some();
        let hashed = hashed.unwrap_or_else(|| self.nobody.to_string());
        self.run(admit, move || known & verify(&password, &hashed))
            .await
    }

    /// The password's hash with its salt and parameters, as a PHC string.
    pub async fn hash(&self, password: String) -> ApiResult<String> {
        self.run(|| Ok(()), move || hash_now(&password)).await?
    }

    async fn run<T: Send + 'static>(
        &self,
        admit: impl FnOnce() -> ApiResult<()>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> ApiResult<T> {
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| ApiError::Unavailable(2))?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|e| ApiError::Internal(e.to_string()))?;
        admit()?;
        // At a lower priority: on the shared pool, a hundred clients with wrong passwords made reads
        // four times as slow.
        aside::run(move || {
            // They go with the work, which goes on when the client has gone.
            let _held = (waiting, running);
            work()
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

/// The password's hash, made on this thread: for the command line.
pub fn hash_now(password: &str) -> ApiResult<String> {
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
        let hashed = hash_now("correct horse battery").expect("a hash");
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

    fn code(password: &str) -> Option<FaultCode> {
        weakness(password, "Lin.Zhou@example.com").map(|(code, _)| code)
    }

    #[test]
    fn length_and_a_list_decide() {
        for (password, expected) in [
            ("correct horse battery", None),
            ("码头的灯亮了又灭了", None),
            ("zzzzzzzy", None),
            ("seven77", Some(FaultCode::TooShort)),
            ("密码太短了", Some(FaultCode::TooShort)),
            ("PassWord123", Some(FaultCode::TooCommon)),
            ("~~~~~~~~~~~~", Some(FaultCode::TooCommon)),
            ("lin.zhou@EXAMPLE.com", Some(FaultCode::TooCommon)),
            ("LIN.ZHOU", Some(FaultCode::TooCommon)),
        ] {
            assert_eq!(code(password), expected, "{password}");
        }
        assert_eq!(code(&"长".repeat(257)), Some(FaultCode::TooLong));
        assert_eq!(code(&"长短".repeat(128)), None);
    }

    #[test]
    fn the_list_is_in_lower_case_and_has_no_short_ones() {
        for common in COMMON.lines() {
            assert_eq!(common, common.to_lowercase());
            assert!(common.chars().count() >= MIN_PASSWORD, "{common}");
        }
    }

    #[test]
    fn a_hash_has_the_parameters_that_are_advised() {
        let hash = hash_now("correct horse battery").expect("a hash");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
    }
}
