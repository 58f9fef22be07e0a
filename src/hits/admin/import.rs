//! Baselines imported: what an older system had counted of many articles.

use std::collections::{HashMap, HashSet};

use actix_web::put;
use actix_web::web::{Data, Json};

use crate::app::App;
use crate::articles::wire::is_external_id;
use crate::articles::{self, Name};
use crate::audit::By;
use crate::auth::{Can, Permission, WriteHits};
use crate::clock::SiteZone;
use crate::db::Conn;
use crate::error::{ApiResult, FaultCode};
use crate::hits::store::{self, Correction};
use crate::hits::wire::{
    BaselineImport, BaselineImportItem, BaselineImportItemResult, BaselineImportResult,
};
use crate::http::body::Body;
use crate::http::fields::{Check, MAX_URL, Member, Object};
use crate::http::params::Params;

use super::{MAX_BASELINE, MAX_REASON};

/// The most articles of one import.
const MAX_ITEMS: usize = 1000;

/// Import baselines
///
/// Sets what an older system had counted of up to 1,000 articles, each named by its id, slug, external
/// id or an old address (`legacy_urls`): all in one transaction, with one result each. What can't be
/// set leaves the others alone. Each article that changes has its entries in the ledger and in the audit
/// log, with the reason; an import that is sent again changes nothing. Articles out of the caller's
/// reach are `not_found`.
#[utoipa::path(
    tag = "manage hits", operation_id = "importHitBaselines",
    request_body(content = BaselineImport, description = "The baselines, and why"),
    responses((status = 200, description = "What became of each", body = BaselineImportResult)),
)]
#[put("/v1/admin/hits/baselines")]
pub async fn import(
    caller: Can<WriteHits>,
    app: Data<App>,
    _: Params<()>,
    body: Body<BaselineImport>,
) -> ApiResult<Json<BaselineImportResult>> {
    let wanted = checked(body.0)?;
    let (clock, zone) = (app.clock.clone(), app.config.site.zone);
    app.db
        .write(move |conn| {
            let now = clock.now();
            let caller = caller.again(conn, now)?;
            let mut found = articles::named(conn, &wanted.names)?;
            let ids: Vec<i64> = found.iter().flatten().copied().collect();
            let within = articles::within_reach(conn, &caller, Permission::WriteHits, &ids)?;
            for ids in &mut found {
                ids.retain(|id| within.contains(id));
            }
            Importing::new(conn, &within, zone, caller.by(now))?.all(conn, &wanted, &found)
        })
        .await
        .map(Json)
}

/// A checked import: what names each article, and its baseline.
#[derive(Default)]
struct Wanted {
    reason: String,
    names: Vec<Name>,
    baselines: Vec<i64>,
}

fn checked(body: BaselineImport) -> ApiResult<Wanted> {
    let mut check = Check::default();
    let mut wanted = Wanted::default();
    let reason = check.required_line("/reason", body.reason, MAX_REASON);
    let items = body.items.filter(|items| !items.is_empty());
    let items = check.required("/items", items).unwrap_or_default();
    if items.len() > MAX_ITEMS {
        let detail = format!("must have at most {MAX_ITEMS} items");
        check.fault("/items", FaultCode::TooMany, detail);
    } else {
        for (index, Object(item)) in items.into_iter().enumerate() {
            let pointer = format!("/items/{index}");
            let of_baseline = format!("{pointer}/baseline");
            let baseline = check
                .required(&of_baseline, item.baseline)
                .and_then(|n| check.number(&of_baseline, n, 0, MAX_BASELINE));
            let name = checked_name(&mut check, &pointer, item);
            wanted.names.extend(name);
            wanted.baselines.extend(baseline);
        }
    }
    check.finish()?;
    wanted.reason = reason.unwrap_or_default();
    Ok(wanted)
}

/// The one thing that names the article.
fn checked_name(check: &mut Check, pointer: &str, item: BaselineImportItem) -> Option<Name> {
    let given = [
        ("id", matches!(item.id, Member::Given(_))),
        ("slug", matches!(item.slug, Member::Given(_))),
        ("external_id", matches!(item.external_id, Member::Given(_))),
        ("legacy_url", matches!(item.legacy_url, Member::Given(_))),
    ];
    let mut given = given.iter().filter(|(_, is_given)| *is_given);
    let Some((first, _)) = given.next() else {
        let detail = "needs one of id, slug, external_id and legacy_url";
        check.fault(pointer, FaultCode::Required, detail);
        return None;
    };
    for (name, _) in given {
        let detail = format!("can't be given together with {first}");
        check.fault(&format!("{pointer}/{name}"), FaultCode::Conflicting, detail);
    }
    // All that is given is looked at: faults are told at once.
    let at = |name: &str| format!("{pointer}/{name}");
    let id = item.id.given();
    let id = id.and_then(|id| check.number(&at("id"), id, 1, i64::MAX));
    let slug = item.slug.given().and_then(|text| {
        let text = check.required_line(&at("slug"), Some(text), MAX_URL)?;
        check.slug(&at("slug"), &text)
    });
    let external_id = item.external_id.given();
    let external_id =
        external_id.and_then(|text| checked_external_id(check, &at("external_id"), text));
    let url = item.legacy_url.given();
    let url = url.and_then(|url| check.required_line(&at("legacy_url"), Some(url), MAX_URL));
    id.map(Name::Id)
        .or(slug.map(Name::Slug))
        .or(external_id.map(Name::ExternalId))
        .or(url.map(Name::LegacyUrl))
}

fn checked_external_id(check: &mut Check, pointer: &str, text: String) -> Option<String> {
    let text = check.required_line(pointer, Some(text), MAX_URL)?;
    if is_external_id(&text) {
        return Some(text);
    }
    let detail = "must be 1 to 200 of A-Z, a-z, 0-9 and ._:~-";
    check.fault(pointer, FaultCode::Invalid, detail);
    None
}

/// What becomes of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    Set,
    Unchanged,
    NotFound,
    Ambiguous,
    Duplicate,
    BelowZero,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Unchanged => "unchanged",
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::Duplicate => "duplicate",
            Self::BelowZero => "below_zero",
        }
    }
}

/// An import on its way through its items.
struct Importing {
    /// Baseline and total of each article, as they were before.
    before: HashMap<i64, (i64, i64)>,
    done: HashSet<i64>,
    zone: SiteZone,
    by: By,
}

impl Importing {
    fn new(conn: &mut Conn, ids: &HashSet<i64>, zone: SiteZone, by: By) -> ApiResult<Self> {
        let ids: Vec<i64> = ids.iter().copied().collect();
        let ledgers = store::ledgers(conn, &ids, zone.day(by.now))?;
        let before = ledgers.into_iter();
        let before = before.map(|(id, ledger)| (id, (ledger.baseline, ledger.total)));
        Ok(Self {
            before: before.collect(),
            done: HashSet::new(),
            zone,
            by,
        })
    }

    /// Sets what each item asks for; `found` are the articles that it names, in the caller's reach.
    fn all(
        mut self,
        conn: &mut Conn,
        wanted: &Wanted,
        found: &[Vec<i64>],
    ) -> ApiResult<BaselineImportResult> {
        let mut data = Vec::with_capacity(found.len());
        let mut counts: HashMap<Fate, i64> = HashMap::new();
        for (index, (ids, baseline)) in (0..).zip(found.iter().zip(&wanted.baselines)) {
            let (fate, total) = match ids.as_slice() {
                [] => (Fate::NotFound, None),
                [id] => self.one(conn, *id, *baseline, &wanted.reason)?,
                _ => (Fate::Ambiguous, None),
            };
            *counts.entry(fate).or_default() += 1;
            data.push(BaselineImportItemResult {
                index,
                article_id: ids.first().copied().filter(|_| ids.len() == 1),
                result: fate.as_str(),
                total,
            });
        }
        let count = |fate: Fate| counts.get(&fate).copied().unwrap_or(0);
        Ok(BaselineImportResult {
            data,
            set: count(Fate::Set),
            unchanged: count(Fate::Unchanged),
            not_found: count(Fate::NotFound),
            ambiguous: count(Fate::Ambiguous),
            duplicate: count(Fate::Duplicate),
            below_zero: count(Fate::BelowZero),
        })
    }

    /// Sets one article's; its total where that is so now.
    fn one(
        &mut self,
        conn: &mut Conn,
        id: i64,
        baseline: i64,
        reason: &str,
    ) -> ApiResult<(Fate, Option<i64>)> {
        if !self.done.insert(id) {
            return Ok((Fate::Duplicate, None));
        }
        let (before, total) = self.before.get(&id).copied().unwrap_or_default();
        if baseline == before {
            return Ok((Fate::Unchanged, Some(total)));
        }
        let correction = Correction::Baseline(baseline);
        match store::correct(conn, id, correction, Some(reason), self.zone, &self.by)? {
            Ok(()) => Ok((Fate::Set, Some(total - before + baseline))),
            Err(_) => Ok((Fate::BelowZero, None)),
        }
    }
}
