//! Which articles a caller may do something with.

use crate::auth::{Caller, Extent, Permission};
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult, Code};
use crate::sections::{self, Reach, not_yours};

use super::lists;
use super::rules::Status;
use super::store::{self, Stored};

/// The article of this id, where the caller may do that with it. What stands in a section that the
/// caller has no part in is 403 where readers see it, else 404; so is what isn't there. A draft of
/// somebody else's is 403 for those who may write their own only.
pub fn find_for(
    conn: &mut Conn,
    caller: &Caller,
    permission: Permission,
    id: i64,
    now: Timestamp,
) -> ApiResult<Stored> {
    let stored = store::find(conn, id)?;
    if caller.sections.is_some() {
        let tree = sections::store::tree(conn)?;
        if !Reach::of(caller, &tree).covers(stored.row.section_id) {
            return Err(if lists::is_public_now(conn, id, now)? {
                not_yours()
            } else {
                ApiError::not_found("article")
            });
        }
    }
    match caller.extent(permission) {
        Extent::All => Ok(stored),
        Extent::OwnDrafts if is_own_draft(&stored, caller, now) => Ok(stored),
        Extent::OwnDrafts => {
            let detail = "the account may change drafts of its own only";
            Err(ApiError::new(Code::Forbidden, detail))
        }
        Extent::Nothing => {
            let detail = "the caller may not do that with articles";
            Err(ApiError::new(Code::Forbidden, detail))
        }
    }
}

/// Whether the account made the article and it is a draft still, or in the trash.
fn is_own_draft(stored: &Stored, caller: &Caller, now: Timestamp) -> bool {
    let is_own = stored.row.created_by.is_some() && stored.row.created_by == caller.user_id();
    is_own && matches!(stored.row.status_at(now), Status::Draft | Status::Trashed)
}
