//! Which revisions go. The newest one of an article, and the newest one that was released, always
//! stay.

use crate::app::App;
use crate::error::{ApiError, ApiResult};

use super::store;

/// The most revisions that are deleted in one go.
const MAX_DELETED: usize = 10_000;
/// How many changes are looked at in one transaction.
const CHUNK: i64 = 1000;
/// How many transactions of one go look at changes.
const CHUNKS: usize = 100;

/// Deletes what `LANMU_REVISIONS_KEEP` and `LANMU_REVISIONS_DAYS` don't keep. An article has more
/// revisions only where it was changed, so it is looked at again when the change log tells of it; the
/// first goes pass over all there are, as settings may have been other ones before.
#[derive(Debug, Default)]
pub struct Retention {
    /// The `seq` of the change log that it has come to.
    seen: i64,
}

impl Retention {
    /// One go: bounded work, however much there is to do. Returns how many revisions were deleted.
    pub async fn tidy(&mut self, app: &App) -> ApiResult<usize> {
        let aged = delete_aged(app).await?;
        let surplus = match app.config.revisions_keep {
            Some(keep) => self.delete_surplus(app, keep).await?,
            None => 0,
        };
        Ok(aged + surplus)
    }

    async fn delete_surplus(&mut self, app: &App, keep: i64) -> ApiResult<usize> {
        let mut left = MAX_DELETED;
        for _ in 0..CHUNKS {
            let after = self.seen;
            let looking = app.db.read(move |conn| {
                store::overlong(conn, after, keep, CHUNK).map_err(ApiError::from)
            });
            let found = looking.await?;
            let Some(last) = found.last else { break };
            if !found.overlong.is_empty() {
                let trimming = app.db.write(move |conn| {
                    store::trim(conn, &found.overlong, keep, left).map_err(ApiError::from)
                });
                left -= trimming.await?;
            }
            if left == 0 {
                // There may be more: the same changes are looked at again in the next go.
                break;
            }
            self.seen = last;
        }
        Ok(MAX_DELETED - left)
    }
}

async fn delete_aged(app: &App) -> ApiResult<usize> {
    let Some(days) = app.config.revisions_days else {
        return Ok(0);
    };
    let before = app.clock.now().plus_seconds(-days * 24 * 3600);
    app.db
        .write(move |conn| store::delete_before(conn, before, MAX_DELETED).map_err(ApiError::from))
        .await
}
