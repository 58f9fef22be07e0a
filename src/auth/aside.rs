//! Work that takes a core for a while and must not be felt by those who read.

use tokio::sync::oneshot;

use crate::error::{ApiError, ApiResult};

/// How much less the work counts than all else that wants a core (`nice(2)`): a tenth, where
/// the cores are busy. Measured beside 100 clients that sign in without a pause (bench/RESULTS.md):
/// the least priority, 19, spares readers a little more, but then one sign-in waits for a second or
/// more wherever other work fills the machine.
#[cfg(target_os = "linux")]
const NICENESS: libc::c_int = 10;

/// Runs the work on a thread of its own, which gives way to all others. Not on a pool's: a thread can
/// lower its priority, but only a privileged one can raise it again. A thread is made in some 20 µs.
/// The work goes on when nobody waits for it any more.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name("aside".to_owned())
        .spawn(move || {
            give_way();
            // Nobody may be there to be told.
            let _ = tell.send(work());
        })
        .map_err(|e| ApiError::Internal(e.to_string()))?;
    told.await.map_err(|e| ApiError::Internal(e.to_string()))
}

/// Lowers this thread's priority; where it can't be done, the work is done all the same.
fn give_way() {
    #[cfg(target_os = "linux")]
    // SAFETY: it takes a number alone, and on Linux changes the calling thread alone.
    unsafe {
        libc::nice(NICENESS);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn niceness() -> libc::c_int {
        // SAFETY: it takes numbers alone and changes nothing.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }

    #[actix_web::test]
    async fn the_work_gives_way_and_its_caller_does_not() {
        let before = niceness();
        let lowest = 19;
        let lower = lowest.min(before + NICENESS);
        assert!(before < lowest, "the tests themselves run at {before}");
        assert_eq!(run(niceness).await.expect("it is done"), lower);
        assert_eq!(niceness(), before);
    }

    #[actix_web::test]
    async fn work_that_panics_is_a_fault_of_ours() {
        let done = run(|| panic!("it goes wrong")).await;
        assert!(matches!(done, Err::<(), _>(ApiError::Internal(_))));
    }
}
