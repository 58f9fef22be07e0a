//! Sections, as their editors see them.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use utoipa::IntoParams;

use crate::app::App;
use crate::auth::{Can, ReadContent, WriteSections};
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::managed;
use crate::http::body::{Body, MergePatch};
use crate::http::fields::{Check, Member, Object};
use crate::http::paging::{Paging, PagingParams};
use crate::http::params::{FromParams, Params, Reader};
use crate::http::reference::Ref;
use crate::writes::{Answer, Asked, DryRunParams};

use super::handlers::{page, read_reference};
use super::store::{self, Among, Edits, NewSection};
use super::wire::{ManagedSection, ManagedSectionList, SectionCreate, SectionMove, SectionPatch};
use super::{Reach, SectionId, SectionRow};

const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 2000;
const MAX_KIND: usize = 60;
const MAX_AGE_DAYS: i64 = 36_500;

/// Which sections.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ListQuery` reads")]
struct ListParams {
    /// Only the children of this section: its id or slug.
    #[param(
        max_length = 120,
        pattern = "^([1-9][0-9]{0,17}|[a-z0-9-]*[a-z-][a-z0-9-]*)$",
        example = "news"
    )]
    parent: Option<String>,
    /// Only sections with so many above them: 0 is the top.
    #[param(minimum = 0, maximum = 7, example = 0)]
    depth: Option<i64>,
    /// Only visible sections, or only hidden ones.
    visible: Option<bool>,
}

#[derive(Debug)]
pub struct ListQuery {
    parent: Option<Ref>,
    depth: Option<i64>,
    visible: Option<bool>,
    paging: Paging,
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            parent: read_reference(reader, "parent"),
            depth: reader.integer("depth", 0..=store::MAX_LEVELS - 1),
            visible: reader.boolean("visible"),
            paging: Paging::read(reader, "tree", true),
        }
    }
}

/// List all sections
///
/// Every section that the caller works in, hidden ones too, in tree order.
#[utoipa::path(
    tag = "manage sections", operation_id = "listManagedSections", params(ListParams, PagingParams),
    responses((status = 200, description = "A page of sections", body = ManagedSectionList)),
)]
#[get("/v1/admin/sections")]
pub async fn list(
    caller: Can<ReadContent>,
    app: Data<App>,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let query = query.0;
    let (list, link) = app
        .db
        .read(move |conn| {
            let tree = store::tree(conn)?;
            let reach = Reach::of(&caller.caller, &tree);
            let parent = match &query.parent {
                Some(reference) => Some(reach.filter(conn, &tree, "parent", reference)?.id),
                None => None,
            };
            let rows = tree.rows().iter().filter(|row| {
                reach.covers(row.id)
                    && parent.is_none_or(|parent| row.parent_id == Some(parent))
                    && query.depth.is_none_or(|depth| row.depth == depth)
                    && query.visible.is_none_or(|visible| row.visible == visible)
            });
            let found = page(&tree, rows.collect(), &query.paging)?;
            let (page, link) = query.paging.describe(&found);
            let data = found.items.into_iter().map(ManagedSection::from).collect();
            Ok::<_, ApiError>((ManagedSectionList { data, page }, link))
        })
        .await?;
    managed::list(&list, link)
}

/// Create a section
///
/// Made with a name and what else is given. Without a slug, one is made from the name, Chinese by
/// pinyin. The tree has at most 10,000 sections on 8 levels.
#[utoipa::path(
    tag = "manage sections", operation_id = "createSection",
    params(DryRunParams),
    request_body(content = SectionCreate, description = "The new section"),
    responses(
        (status = 200, description = "The section as it would be (dry run)", body = ManagedSection),
        (status = 201, description = "The section", body = ManagedSection),
        (status = 409, description = "The slug is in use"),
    ),
)]
#[post("/v1/admin/sections")]
pub async fn create(
    caller: Can<WriteSections>,
    app: Data<App>,
    asked: Asked,
    body: Body<SectionCreate>,
) -> ApiResult<HttpResponse> {
    let (asking, now) = (caller.caller.clone(), app.clock.now());
    let work = move |conn: &mut Conn| {
        let by = caller.again(conn, now)?.by(now);
        let mut check = Check::default();
        let new = checked_create(&mut check, body.0);
        let row = store::create(conn, new, check, &by)?;
        let location = format!("/v1/admin/sections/{}", row.id);
        Answer::created(&ManagedSection::from(&row), row.version, location)
    };
    asked.write(&app, &asking, work).await
}

/// 200 with the section.
fn saved(row: &SectionRow) -> ApiResult<Answer> {
    Answer::ok(&ManagedSection::from(row), row.version)
}

fn checked_create(check: &mut Check, body: SectionCreate) -> NewSection {
    let nothing = Edits {
        name: String::new(),
        visible: true,
        description: None,
        keywords: Vec::new(),
        kind: None,
        cover: None,
        max_age_days: None,
    };
    let visible = Member::Given(body.visible.given().unwrap_or(true));
    let name = Member::Given(body.name.given().unwrap_or_default());
    let common = Common {
        name,
        visible,
        description: body.description,
        keywords: body.keywords,
        kind: body.kind,
        cover: body.cover,
        max_age_days: body.max_age_days,
    };
    let edits = common.apply(check, nothing);
    let slug = body
        .slug
        .given()
        .and_then(|slug| check.slug("/slug", &slug));
    let position = body
        .position
        .given()
        .and_then(|n| check.number("/position", n, 0, 10_000));
    let parent_id = body.parent_id.given();
    NewSection {
        parent_id,
        position,
        slug,
        edits,
    }
}

/// The members that creating and patching share.
struct Common {
    name: Member<String>,
    visible: Member<bool>,
    description: Member<String>,
    keywords: Member<Vec<String>>,
    kind: Member<String>,
    cover: Member<Object<crate::articles::wire::CoverInput>>,
    max_age_days: Member<i64>,
}

impl Common {
    /// What becomes of the section by these members.
    fn apply(self, check: &mut Check, current: Edits) -> Edits {
        let name = match self.name {
            Member::Absent => Some(current.name),
            Member::Null => check.required("/name", None),
            Member::Given(name) => check.required_line("/name", Some(name), MAX_NAME),
        };
        let visible = match self.visible {
            Member::Absent => Some(current.visible),
            Member::Null => check.required("/visible", None),
            Member::Given(visible) => Some(visible),
        };
        let description = self
            .description
            .check(|text| check.text("/description", &text, MAX_DESCRIPTION));
        let keywords = self
            .keywords
            .check(|words| Some(check.lines("/keywords", words, 30, 60)));
        let kind = self.kind.check(|text| check.line("/kind", &text, MAX_KIND));
        let cover = self.cover.merge(current.cover, |input, was| {
            input.merged(check, "/cover", was)
        });
        let max_age_days = self
            .max_age_days
            .check(|days| check.number("/max_age_days", days, 1, MAX_AGE_DAYS));
        Edits {
            name: name.unwrap_or_default(),
            visible: visible.unwrap_or_default(),
            description: description.or_keep(current.description),
            keywords: keywords.or_keep(Some(current.keywords)).unwrap_or_default(),
            kind: kind.or_keep(current.kind),
            cover,
            max_age_days: max_age_days.or_keep(current.max_age_days),
        }
    }
}

/// Read a section in management
///
/// One section by id, hidden or not. Its `ETag` is the version for `If-Match`.
#[utoipa::path(
    tag = "manage sections", operation_id = "getManagedSection",
    params(("id" = i64, Path, description = "Id of the section", minimum = 1, example = 4)),
    responses((status = 200, description = "The section", body = ManagedSection)),
)]
#[get("/v1/admin/sections/{id}")]
pub async fn read(
    caller: Can<ReadContent>,
    app: Data<App>,
    req: HttpRequest,
    id: SectionId,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let id = id.0;
    let row = app
        .db
        .read(move |conn| {
            let row = store::find(conn, id)?;
            Reach::load(conn, &caller.caller)?.check(&row)?;
            Ok::<_, ApiError>(row)
        })
        .await?;
    managed::read(&req, &ManagedSection::from(&row), row.version)
}

/// Change a section
///
/// JSON Merge Patch of its own members. `parent_id` and `position` change only by `/move`. A new
/// slug re-paths all sections below; the old one goes on leading here. Hiding a section takes all
/// articles below it out of delivery.
#[utoipa::path(
    tag = "manage sections", operation_id = "updateSection",
    params(
        ("id" = i64, Path, description = "Id of the section", minimum = 1, example = 4),
        DryRunParams,
    ),
    request_body(
        content(
            (SectionPatch = "application/merge-patch+json"),
            (SectionPatch = "application/json"),
        ),
        description = "What is to change",
    ),
    responses(
        (status = 200, description = "The section", body = ManagedSection),
        (status = 409, description = "The slug is in use"),
    ),
)]
#[patch("/v1/admin/sections/{id}")]
pub async fn patch(
    caller: Can<WriteSections>,
    app: Data<App>,
    id: SectionId,
    asked: Asked,
    body: MergePatch<SectionPatch>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match.clone().required()?;
    let id = id.0;
    let (body, now) = (body.0, app.clock.now());
    let asking = caller.caller.clone();
    let work = move |conn: &mut Conn| {
        let by = caller.again(conn, now)?.by(now);
        let row = store::find(conn, id)?;
        if_match.check(row.version)?;
        let mut check = Check::default();
        for (pointer, given) in [
            ("/parent_id", body.parent_id.is_present()),
            ("/position", body.position.is_present()),
        ] {
            if given {
                check.fault(pointer, FaultCode::UseMove, "changes only by POST …/move");
            }
        }
        let slug = match body.slug.blank_is_null() {
            Member::Absent => None,
            Member::Null => check.required("/slug", None),
            Member::Given(slug) => check.slug("/slug", &slug),
        };
        let common = Common {
            name: body.name,
            visible: body.visible,
            description: body.description,
            keywords: body.keywords,
            kind: body.kind,
            cover: body.cover,
            max_age_days: body.max_age_days,
        };
        let current = Edits {
            name: row.name.clone(),
            visible: row.visible,
            description: row.description.clone(),
            keywords: row.keywords.0.clone(),
            kind: row.kind.clone(),
            cover: row.cover.clone().map(|cover| cover.0),
            max_age_days: row.max_age_days,
        };
        let edits = common.apply(&mut check, current);
        check.finish()?;
        saved(&store::update(conn, &row, edits, slug, &by)?)
    };
    asked.write(&app, &asking, work).await
}

/// Where the contents go.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `DeleteQuery` reads")]
struct DeleteParams {
    /// Id of the section that takes over the articles and sections.
    #[param(minimum = 1, example = 2)]
    move_to: Option<i64>,
}

#[derive(Debug)]
pub struct DeleteQuery {
    move_to: Option<i64>,
}

impl FromParams for DeleteQuery {
    fn from_params(reader: &mut Reader) -> Self {
        Self {
            move_to: reader.integer("move_to", 1..=i64::MAX),
        }
    }
}

/// Delete a section
///
/// An empty one just goes. One that holds articles (in the trash too, or by `also_in`) or sections
/// is 409, unless `move_to` says which section takes them over; all of it or nothing.
#[utoipa::path(
    tag = "manage sections", operation_id = "deleteSection",
    params(
        ("id" = i64, Path, description = "Id of the section", minimum = 1, example = 4),
        DeleteParams, DryRunParams,
    ),
    responses(
        (status = 200, description = "The section that would go (dry run)", body = ManagedSection),
        (status = 204, description = "Deleted"),
        (status = 409, description = "It is not empty, or `move_to` is below it"),
    ),
)]
#[delete("/v1/admin/sections/{id}")]
pub async fn delete(
    caller: Can<WriteSections>,
    app: Data<App>,
    id: SectionId,
    asked: Asked<DeleteQuery>,
) -> ApiResult<HttpResponse> {
    let (id, now) = (id.0, app.clock.now());
    let (if_match, move_to) = (asked.if_match.clone(), asked.query.move_to);
    let asking = caller.caller.clone();
    let work = move |conn: &mut Conn| {
        let by = caller.again(conn, now)?.by(now);
        let was = store::find(conn, id)?;
        if_match.check(was.version)?;
        store::delete(conn, id, move_to, &by)?;
        Answer::gone(&ManagedSection::from(&was))
    };
    asked.write(&app, &asking, work).await
}

/// Move a section
///
/// To another place in the tree, with all that is below it, or to another place among its
/// siblings. The paths of everything below change with it.
#[utoipa::path(
    tag = "manage sections", operation_id = "moveSection",
    params(
        ("id" = i64, Path, description = "Id of the section", minimum = 1, example = 4),
        DryRunParams,
    ),
    request_body(content = SectionMove, description = "Where to"),
    responses(
        (status = 200, description = "The section", body = ManagedSection),
        (status = 409, description = "The new place is the section itself or below it"),
    ),
)]
#[post("/v1/admin/sections/{id}/move")]
pub async fn move_section(
    caller: Can<WriteSections>,
    app: Data<App>,
    id: SectionId,
    asked: Asked,
    body: Body<SectionMove>,
) -> ApiResult<HttpResponse> {
    let (if_match, id) = (asked.if_match.clone(), id.0);
    let body = body.0;
    let mut check = Check::default();
    if !body.parent_id.is_present() {
        check.fault(
            "/parent_id",
            FaultCode::Required,
            "is required; null is the top",
        );
    }
    let among = match (body.before.given(), body.after.given()) {
        (None, None) => Among::Last,
        (Some(sibling), None) => Among::Before(sibling),
        (None, Some(sibling)) => Among::After(sibling),
        (Some(_), Some(_)) => {
            check.fault(
                "/after",
                FaultCode::Conflicting,
                "can't be given together with before",
            );
            Among::Last
        }
    };
    let (parent_id, now) = (body.parent_id.given(), app.clock.now());
    let asking = caller.caller.clone();
    let work = move |conn: &mut Conn| {
        let by = caller.again(conn, now)?.by(now);
        if_match.check(store::find(conn, id)?.version)?;
        check.finish()?;
        saved(&store::move_to(conn, id, parent_id, among, &by)?)
    };
    asked.write(&app, &asking, work).await
}
