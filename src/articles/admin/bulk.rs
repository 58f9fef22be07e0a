//! One action on many articles.

use std::collections::HashSet;

use actix_web::web::Data;
use actix_web::{HttpResponse, post};

use super::{checked_released, checked_update};
use crate::app::App;
use crate::articles::rules::Action;
use crate::articles::store::{self, Stored, Writer};
use crate::articles::wire::{
    BulkError, BulkInput, BulkItem, BulkResult, MAX_TERM, MAX_TERMS, Publication, PublishInput,
    checked_note,
};
use crate::auth::{Can, Permission, WriteContent};
use crate::db::{Conn, content};
use crate::error::{ApiError, ApiResult, Code, Fault, FaultCode};
use crate::http::body::Body;
use crate::http::fields::{Check, Member};
use crate::writes::{Answer, Asked, DryRunParams};

/// The most articles of one bulk.
const MAX_IDS: usize = 500;

/// The values of `action`.
const ACTIONS: [&str; 5] = ["publish", "unpublish", "move", "tag", "trash"];

/// What is done to each.
#[derive(Debug, Clone)]
enum Each {
    Publish(Publication),
    Unpublish,
    Move(i64),
    Tag {
        add: Vec<String>,
        remove: Vec<String>,
    },
    Trash,
}

/// A checked bulk.
struct Bulk {
    each: Each,
    ids: Vec<i64>,
    is_atomic: bool,
    note: Option<String>,
}

/// Act on many articles
///
/// Publishes, unpublishes, moves, tags or trashes up to 500 articles in one transaction, with a
/// result for each: what one of them does not allow leaves the others alone. With `atomic` all are
/// done or, where one fails, none (409, with a fault for each that failed). Each article needs the
/// same permissions as by itself.
#[utoipa::path(
    tag = "manage articles", operation_id = "bulkArticles",
    params(DryRunParams),
    request_body(content = BulkInput, description = "What to do, to which"),
    responses(
        (status = 200, description = "What became of each", body = BulkResult),
        (status = 409, description = "With `atomic`: some failed, and nothing was written"),
    ),
)]
#[post("/v1/admin/articles/bulk")]
pub async fn bulk(
    caller: Can<WriteContent>,
    app: Data<App>,
    asked: Asked,
    body: Body<BulkInput>,
) -> ApiResult<HttpResponse> {
    let is_publishing = matches!(
        &body.0.action,
        Member::Given(action) if action == "publish" || action == "unpublish"
    );
    let (asking, now) = (caller.caller.clone(), app.clock.now());
    let locale = app.config.site.locale.clone();
    let shared = app.clone();
    let work = move |conn: &mut Conn| {
        let caller = caller.again(conn, now)?;
        if is_publishing {
            caller.check(Permission::Publish)?;
        }
        let bulk = checked(body.0)?;
        let writer = Writer::new(conn, caller, &shared, now)?.noting(bulk.note);
        let mut items = Vec::with_capacity(bulk.ids.len());
        for (index, id) in (0..).zip(bulk.ids) {
            // A savepoint: what fails halfway leaves nothing of its own.
            let done = content::part(conn, |conn| apply(conn, &writer, &bulk.each, id, &locale));
            items.push(item(index, id, done, &writer)?);
        }
        answered(items, bulk.is_atomic)
    };
    asked.write(&app, &asking, work).await
}

fn checked(body: BulkInput) -> ApiResult<Bulk> {
    let mut check = Check::default();
    let ids = checked_ids(&mut check, body.ids);
    let note = checked_note(&mut check, body.note);
    let action = check.required("/action", body.action.given());
    let action = action.unwrap_or_default();
    for (pointer, given, owner) in [
        ("/published_at", is_given(&body.published_at), "publish"),
        ("/expires_at", is_given(&body.expires_at), "publish"),
        ("/section_id", is_given(&body.section_id), "move"),
        ("/add_tags", is_given(&body.add_tags), "tag"),
        ("/remove_tags", is_given(&body.remove_tags), "tag"),
    ] {
        if given && owner != action && ACTIONS.contains(&action.as_str()) {
            check.fault(
                pointer,
                FaultCode::Conflicting,
                format!("goes with {owner} alone"),
            );
        }
    }
    // Whatever the action is, all that is given is looked at: faults are told at once.
    let asked = PublishInput {
        published_at: body.published_at,
        expires_at: body.expires_at,
    };
    let publication = asked.checked(&mut check, "");
    let section_id = body.section_id.given();
    let section_id = section_id.and_then(|id| check.number("/section_id", id, 1, i64::MAX));
    let (add, remove) = checked_tags(&mut check, body.add_tags, body.remove_tags);
    let each = match action.as_str() {
        "publish" => Some(Each::Publish(publication)),
        "unpublish" => Some(Each::Unpublish),
        "trash" => Some(Each::Trash),
        "move" if section_id.is_none() && !check.has_fault_at("/section_id") => {
            check.required("/section_id", section_id).map(Each::Move)
        }
        "move" => section_id.map(Each::Move),
        "tag" => Some(checked_tagging(&mut check, add, remove)),
        _ => {
            if !check.has_fault_at("/action") {
                let detail = format!("must be one of: {}", ACTIONS.join(", "));
                check.fault("/action", FaultCode::NotAllowed, detail);
            }
            None
        }
    };
    check.finish()?;
    Ok(Bulk {
        // Without an action the check has failed.
        each: each.unwrap_or(Each::Unpublish),
        ids,
        is_atomic: body.atomic.given().unwrap_or(false),
        note,
    })
}

fn is_given<T>(member: &Member<T>) -> bool {
    matches!(member, Member::Given(_))
}

fn checked_ids(check: &mut Check, ids: Member<Vec<i64>>) -> Vec<i64> {
    let given = ids.given().filter(|ids| !ids.is_empty());
    let ids = check.required("/ids", given).unwrap_or_default();
    if ids.len() > MAX_IDS {
        let detail = format!("must have at most {MAX_IDS} items");
        check.fault("/ids", FaultCode::TooMany, detail);
        return Vec::new();
    }
    let mut seen = HashSet::new();
    for (index, id) in ids.iter().enumerate() {
        let pointer = format!("/ids/{index}");
        if *id < 1 {
            check.fault(&pointer, FaultCode::OutOfRange, "must be from 1 on");
        } else if !seen.insert(*id) {
            check.fault(&pointer, FaultCode::Duplicate, "is given more than once");
        }
    }
    ids
}

/// The tags to add and those to remove: none is both.
fn checked_tags(
    check: &mut Check,
    add: Member<Vec<String>>,
    remove: Member<Vec<String>>,
) -> (Vec<String>, Vec<String>) {
    let mut lines = |pointer: &str, member: Member<Vec<String>>| {
        let given = member.given().unwrap_or_default();
        check.lines(pointer, given, MAX_TERMS, MAX_TERM)
    };
    let (add, remove) = (lines("/add_tags", add), lines("/remove_tags", remove));
    if let Some(index) = add.iter().position(|tag| remove.contains(tag)) {
        let pointer = format!("/add_tags/{index}");
        let detail = "stands in remove_tags, too";
        check.fault(&pointer, FaultCode::Conflicting, detail);
    }
    (add, remove)
}

fn checked_tagging(check: &mut Check, add: Vec<String>, remove: Vec<String>) -> Each {
    let is_faulty = check.has_fault_at("/add_tags") || check.has_fault_at("/remove_tags");
    if add.is_empty() && remove.is_empty() && !is_faulty {
        let detail = "or remove_tags is required";
        check.fault("/add_tags", FaultCode::Required, detail);
    }
    Each::Tag { add, remove }
}

/// Does it to one article, as if it were asked for that alone.
fn apply(
    conn: &mut Conn,
    writer: &Writer,
    each: &Each,
    id: i64,
    locale: &str,
) -> ApiResult<Stored> {
    let needed = match each {
        Each::Publish(_) | Each::Unpublish => Permission::Publish,
        Each::Move(_) | Each::Tag { .. } | Each::Trash => Permission::WriteContent,
    };
    let was = writer.find(conn, needed, id)?;
    let act = &writer.act;
    let mut edits = was.edits(locale);
    match each {
        Each::Publish(publication) => return store::publish(conn, &was, *publication, act),
        Each::Unpublish => return store::take(conn, &was, Action::Unpublish, act),
        Each::Trash => {
            checked_released(writer, &was)?;
            return store::take(conn, &was, Action::Trash, act);
        }
        Each::Move(section_id) => {
            edits.section_id = *section_id;
            edits.also_in.retain(|id| id != section_id);
        }
        Each::Tag { add, remove } => {
            edits.tags.retain(|tag| !remove.contains(tag));
            let new = add.iter().filter(|tag| !was.row.tags.0.contains(tag));
            edits.tags.extend(new.cloned());
        }
    }
    checked_update(writer, &was, &edits)?;
    let mut check = Check::default();
    if edits.tags.len() > MAX_TERMS {
        let detail = format!("would be more than {MAX_TERMS}");
        check.fault("/tags", FaultCode::TooMany, detail);
    }
    store::update(conn, &was, edits, None, writer, check)
}

/// The result of one article. What is no fault of the request ends the bulk.
fn item(index: i64, id: i64, done: ApiResult<Stored>, writer: &Writer) -> ApiResult<BulkItem> {
    let mut item = BulkItem {
        index,
        id,
        result: "done",
        status: None,
        version: None,
        error: None,
    };
    match done {
        Ok(stored) => {
            item.status = Some(stored.row.status_at(writer.act.by.now).as_str());
            item.version = Some(stored.row.version);
        }
        Err(error) if error.code().status().is_client_error() => {
            let problem = error.problem("");
            item.result = "failed";
            item.error = Some(BulkError {
                code: problem.code,
                detail: problem.detail,
                errors: problem.errors,
            });
        }
        Err(error) => return Err(error),
    }
    Ok(item)
}

fn answered(items: Vec<BulkItem>, is_atomic: bool) -> ApiResult<Answer> {
    let failed = items.iter().filter(|item| item.error.is_some()).count();
    if is_atomic && failed > 0 {
        let faults = items.into_iter().filter_map(|item| {
            let error = item.error?;
            Some(Fault {
                pointer: Some(format!("/ids/{}", item.index)),
                parameter: None,
                code: error.code,
                detail: error.detail,
            })
        });
        return Err(ApiError::Faults(Code::BulkFailed, faults.collect()));
    }
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Answer::plain(&BulkResult {
        done: count(items.len() - failed),
        failed: count(failed),
        data: items,
    })
}
