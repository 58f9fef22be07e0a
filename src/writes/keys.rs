//! Requests with an `Idempotency-Key`: one at a time, and the first answer for 24 hours.
//!
//! A request claims its key in a transaction of its own, so that a twin sees it on whichever node,
//! and keeps its answer in the transaction of its work, so that neither is ever there without the
//! other. A claim whose node has died runs out.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::schema::idempotency_keys as table;
use crate::db::{Conn, JsonOf, Timestamp};
use crate::each;
use crate::error::{ApiError, ApiResult, Code, Fault, FaultCode};
use crate::http::frame::random_token;

use super::{Answer, KEPT_SECONDS, Owner};

/// How long a request may be worked on before a twin takes over, in seconds: longer than any
/// statement or wait for a lock may take.
const CLAIM_SECONDS: i64 = 120;
/// How many answers are deleted in one go.
const TIDY_ROWS: i64 = 10_000;

/// A request that wants to be the first with its key.
#[derive(Debug, Clone)]
pub struct Claim {
    caller: String,
    access: String,
    key: String,
    request: Vec<u8>,
    claim: Vec<u8>,
}

impl Claim {
    /// A request of this caller, by the SHA-256 of what it asks.
    pub fn new(owner: Owner, key: String, request: Vec<u8>) -> Self {
        Self {
            caller: owner.name,
            access: owner.access,
            key,
            request,
            claim: random_token(16).into_bytes(),
        }
    }
}

/// What there is of a key.
#[derive(Debug)]
pub enum Found {
    /// Nothing: the request is the first one, and has claimed it.
    Claimed,
    /// The first answer.
    Kept(ApiResult<Answer>),
}

/// An outcome as it is stored, with what the caller might do then.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    access: String,
    kept: Kept,
}

/// An outcome.
#[derive(Debug, Serialize, Deserialize)]
pub enum Kept {
    /// An answer.
    Answer(Answer),
    /// An error: 409 or 422.
    Error(KeptError),
}

/// An error as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptError {
    code: String,
    detail: String,
    faults: Vec<KeptFault>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptFault {
    pointer: Option<String>,
    parameter: Option<String>,
    code: String,
    detail: String,
}

/// Claims the key, or tells what is kept of it. 409 while a twin is worked on, 422 where the key was
/// used for something else.
pub fn claim(conn: &mut Conn, claim: &Claim, now: Timestamp) -> ApiResult<Found> {
    // What has run out makes room: the claim of a dead node, an answer of yesterday.
    let own = table::caller
        .eq(&claim.caller)
        .and(table::key.eq(&claim.key));
    // What is claimed far ahead was so by a clock that has been set back since.
    let abandoned = table::answer.is_null().and(
        table::claimed_at
            .le(now.plus_seconds(-CLAIM_SECONDS))
            .or(table::claimed_at.gt(now.plus_seconds(CLAIM_SECONDS))),
    );
    let forgotten = table::claimed_at.le(now.plus_seconds(-KEPT_SECONDS));
    diesel::delete(table::table.filter(own).filter(abandoned.or(forgotten))).execute(conn)?;
    let inserted = each!(conn, c => diesel::insert_into(table::table)
        .values((
            table::caller.eq(&claim.caller),
            table::key.eq(&claim.key),
            table::request.eq(&claim.request),
            table::claim.eq(&claim.claim),
            table::claimed_at.eq(now),
        ))
        .on_conflict((table::caller, table::key))
        .do_nothing()
        .execute(c))?;
    if inserted == 1 {
        return Ok(Found::Claimed);
    }
    type Row = (Vec<u8>, Option<JsonOf<Stored>>);
    let row: Option<Row> = table::table
        .find((&claim.caller, &claim.key))
        .select((table::request, table::answer))
        .first(conn)
        .optional()?;
    match row {
        Some((request, _)) if request != claim.request => Err(ApiError::new(
            Code::IdempotencyKeyReused,
            "the Idempotency-Key was used for another request: make a new one",
        )),
        // Whoever may less now must not learn from it what it may not see any more.
        Some((_, Some(JsonOf(stored)))) if stored.access != claim.access => Err(ApiError::new(
            Code::Forbidden,
            "the caller's access has changed since the first answer: ask anew, with another key",
        )),
        Some((_, Some(JsonOf(stored)))) => Ok(Found::Kept(stored.kept.outcome())),
        // Also where the twin has failed and released its claim just now.
        Some((_, None)) | None => Err(in_flight()),
    }
}

fn in_flight() -> ApiError {
    let detail = "a request with this Idempotency-Key is being worked on: try again shortly";
    ApiError::new(Code::IdempotencyInFlight, detail)
}

/// Keeps the outcome of claimed work. 409 where the claim ran out and a twin has taken over.
pub fn keep(conn: &mut Conn, claim: &Claim, kept: Kept) -> ApiResult<()> {
    let own = table::table
        .find((&claim.caller, &claim.key))
        .filter(table::claim.eq(&claim.claim))
        .filter(table::answer.is_null());
    let access = claim.access.clone();
    let updated = diesel::update(own)
        .set(table::answer.eq(Some(JsonOf(Stored { access, kept }))))
        .execute(conn)?;
    if updated == 1 {
        Ok(())
    } else {
        Err(in_flight())
    }
}

/// The answer of claimed work that seemed to fail: it is there where the work was done after all, and
/// only the news of it was lost.
pub fn own_answer(conn: &mut Conn, claim: &Claim) -> ApiResult<Option<Answer>> {
    let row: Option<Option<JsonOf<Stored>>> = table::table
        .find((&claim.caller, &claim.key))
        .filter(table::claim.eq(&claim.claim))
        .select(table::answer)
        .first(conn)
        .optional()?;
    row.flatten()
        .map(|stored| stored.0.kept.outcome())
        .transpose()
}

/// Gives the key back: what came of the work is not kept.
pub fn release(conn: &mut Conn, claim: &Claim) -> ApiResult<()> {
    let own = table::table
        .find((&claim.caller, &claim.key))
        .filter(table::claim.eq(&claim.claim))
        .filter(table::answer.is_null());
    diesel::delete(own).execute(conn)?;
    Ok(())
}

/// Deletes what was claimed before this instant, some 10,000 rows, and returns how many.
pub fn delete_before(conn: &mut Conn, before: Timestamp) -> QueryResult<usize> {
    let last: Option<Timestamp> = table::table
        .filter(table::claimed_at.lt(before))
        .order(table::claimed_at)
        .offset(TIDY_ROWS)
        .select(table::claimed_at)
        .first(conn)
        .optional()?;
    let of_past = table::table.filter(table::claimed_at.lt(before));
    match last {
        Some(last) => diesel::delete(of_past.filter(table::claimed_at.le(last))).execute(conn),
        None => diesel::delete(of_past).execute(conn),
    }
}

/// An error as it is kept.
pub fn kept_error(error: &ApiError) -> KeptError {
    let faults = match error {
        ApiError::Faults(_, faults) => faults.as_slice(),
        _ => &[],
    };
    let faults = faults.iter().map(|fault| KeptFault {
        pointer: fault.pointer.clone(),
        parameter: fault.parameter.clone(),
        code: fault.code.to_owned(),
        detail: fault.detail.clone(),
    });
    KeptError {
        code: error.code().as_str().to_owned(),
        detail: error.to_string(),
        faults: faults.collect(),
    }
}

impl Kept {
    fn outcome(self) -> ApiResult<Answer> {
        match self {
            Self::Answer(answer) => Ok(answer),
            Self::Error(error) => Err(error.into()),
        }
    }
}

impl From<KeptError> for ApiError {
    fn from(kept: KeptError) -> Self {
        let mut codes = Code::ALL.iter();
        let Some(code) = codes.find(|code| code.as_str() == kept.code) else {
            return Self::Internal(format!("a kept answer has the code {}", kept.code));
        };
        if kept.faults.is_empty() {
            return Self::new(*code, kept.detail);
        }
        let faults = kept.faults.into_iter().map(|fault| Fault {
            pointer: fault.pointer,
            parameter: fault.parameter,
            code: named(&fault.code),
            detail: fault.detail,
        });
        Self::Faults(*code, faults.collect())
    }
}

/// The static name of a fault's code, which may be an error's code where a fault stands for an
/// item.
fn named(text: &str) -> &'static str {
    let faults = FaultCode::ALL.iter().map(|code| code.as_str());
    let errors = Code::ALL.iter().map(|code| code.as_str());
    let mut names = faults.chain(errors);
    names
        .find(|name| *name == text)
        .unwrap_or(FaultCode::Invalid.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_error_is_the_same_again() {
        let fault = Fault::member("/title", FaultCode::Required, "title is required");
        for error in [
            ApiError::new(Code::SlugTaken, "another article has the slug a"),
            ApiError::Faults(Code::ValidationFailed, vec![fault]),
        ] {
            let text = serde_json::to_string(&kept_error(&error)).expect("it serialises");
            let kept: KeptError = serde_json::from_str(&text).expect("it is read back");
            let again = ApiError::from(kept);
            let told = |error: &ApiError| serde_json::to_value(error.problem("x")).expect("JSON");
            assert_eq!(told(&again), told(&error));
        }
    }
}
