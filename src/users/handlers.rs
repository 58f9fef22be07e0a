//! Accounts, as admins manage them.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get, patch, post};
use utoipa::IntoParams;

use crate::app::App;
use crate::auth::{self, Can, ManageUsers, Role, weakness};
use crate::db::Conn;
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::answer::managed;
use crate::http::body::{Body, MergePatch, OptionalBody};
use crate::http::fields::{Check, Member, NoMembers};
use crate::http::paging::{Paging, PagingParams};
use crate::http::params::{FromParams, Params, Reader};
use crate::http::precondition::Conditional;
use crate::sections;

use super::store::{self, Edits, Filter, NewUser};
use super::wire::{PasswordReset, User, UserCreate, UserList, UserPatch};
use super::{UserId, check_email};

const MAX_NAME: usize = 200;

/// Which accounts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "documents what `ListQuery` reads")]
struct ListParams {
    /// Only of this role: `admin`, `editor`, `author` or `viewer`.
    #[param(pattern = "^(admin|editor|author|viewer)$", example = "editor")]
    role: Option<String>,
    /// Only disabled accounts, or only active ones.
    disabled: Option<bool>,
    /// Only the account with this e-mail address, in any case.
    #[param(max_length = 254, example = "editor@example.com")]
    email: Option<String>,
}

#[derive(Debug)]
pub struct ListQuery {
    filter: Filter,
    paging: Paging,
}

impl FromParams for ListQuery {
    fn from_params(reader: &mut Reader) -> Self {
        let roles = Role::ALL.map(|role| (role.as_str(), role));
        Self {
            filter: Filter {
                role: reader.choice("role", &roles),
                disabled: reader.boolean("disabled"),
                email: reader.text_within("email", 254),
            },
            paging: Paging::read(reader, "id", true),
        }
    }
}

/// List accounts
///
/// By id, disabled ones too.
#[utoipa::path(
    tag = "manage access", operation_id = "listUsers", params(ListParams, PagingParams),
    responses((status = 200, description = "A page of accounts", body = UserList)),
)]
#[get("/v1/admin/users")]
pub async fn list(
    _: Can<ManageUsers>,
    app: Data<App>,
    query: Params<ListQuery>,
) -> ApiResult<HttpResponse> {
    let query = query.0;
    let (found, link) = app
        .db
        .read(move |conn| {
            let found = store::page(conn, &query.filter, &query.paging)?;
            let (page, link) = query.paging.describe(&found);
            let data = found.items.iter().map(User::from).collect();
            Ok::<_, ApiError>((UserList { data, page }, link))
        })
        .await?;
    managed::list(&found, link)
}

/// The role and the sections of a body, beside those that there are.
fn check_role(
    check: &mut Check,
    role: Member<String>,
    sections: Member<Vec<i64>>,
    current: Option<(Role, Option<Vec<i64>>)>,
) -> (Option<Role>, Option<Vec<i64>>) {
    let (was, had) = current.unzip();
    let role = match role {
        Member::Absent if was.is_some() => was,
        Member::Absent | Member::Null => check.required("/role", None),
        Member::Given(text) => match text.parse() {
            Ok(role) => Some(role),
            Err(_) => {
                let detail = "must be one of: admin, editor, author, viewer";
                check.fault("/role", FaultCode::NotAllowed, detail);
                None
            }
        },
    };
    let is_given = matches!(&sections, Member::Given(ids) if !ids.is_empty());
    if role == Some(Role::Admin) && is_given {
        let detail = "can't be given to an admin, who may do everything everywhere";
        check.fault("/sections", FaultCode::Conflicting, detail);
    }
    (role, sections.or_keep(had.flatten()))
}

/// Create an account
///
/// With a first password, or without: then make a one-time token for it. E-mail addresses are
/// compared without regard to case.
#[utoipa::path(
    tag = "manage access", operation_id = "createUser",
    request_body(content = UserCreate, description = "The new account"),
    responses(
        (status = 201, description = "The account", body = User),
        (status = 409, description = "The e-mail address is in use"),
    ),
)]
#[post("/v1/admin/users")]
pub async fn create(
    caller: Can<ManageUsers>,
    app: Data<App>,
    _: Params<()>,
    body: Body<UserCreate>,
) -> ApiResult<HttpResponse> {
    let body = body.0;
    let mut check = Check::default();
    let email = check_email(&mut check, body.email.given());
    let name = body.name.given();
    let name = name.and_then(|name| check.line("/name", &name, MAX_NAME));
    let password = body.password.given();
    if let Some(password) = &password
        && let Some((code, detail)) = weakness(password, email.as_deref().unwrap_or_default())
    {
        check.fault("/password", code, detail);
    }
    let (role, sections) = check_role(&mut check, body.role, body.sections, None);
    let disabled = body.disabled.given().unwrap_or(false);
    let asked = sections.clone();
    let check = app
        .db
        .read(move |conn| {
            sections::check_exist(conn, &mut check, "/sections", asked.as_deref())?;
            Ok::<_, ApiError>(check)
        })
        .await?;
    check.finish()?;
    let password_hash = match password {
        Some(password) => app.passwords.hash(password).await?,
        None => String::new(),
    };
    let by = caller.caller.by(app.clock.now());
    let row = app
        .db
        .write(move |conn| {
            let new = NewUser {
                email: email.unwrap_or_default(),
                name,
                password_hash,
                // Without a role the check would have failed.
                role: role.unwrap_or(Role::Viewer),
                sections: sections::distinct(sections),
                disabled,
            };
            store::create(conn, new, &by)
        })
        .await?;
    let location = format!("/v1/admin/users/{}", row.id);
    managed::created(&User::from(&row), row.version, &location)
}

/// Read an account
///
/// One account by id. Its `ETag` is the version for `If-Match`.
#[utoipa::path(
    tag = "manage access", operation_id = "getUser",
    params(("id" = i64, Path, description = "Id of the account", minimum = 1, example = 2)),
    responses((status = 200, description = "The account", body = User)),
)]
#[get("/v1/admin/users/{id}")]
pub async fn read(
    _: Can<ManageUsers>,
    app: Data<App>,
    id: UserId,
    _: Params<()>,
) -> ApiResult<HttpResponse> {
    let row = app.db.read(move |conn| super::find(conn, id.0)).await?;
    // Signing in changes `last_login_at` and nothing else: the version doesn't tell it.
    managed::ok(&User::from(&row), row.version)
}

/// Change an account
///
/// JSON Merge Patch. A new role, other sections and disabling take effect at once. Passwords change
/// by one-time tokens, or by the account itself.
#[utoipa::path(
    tag = "manage access", operation_id = "updateUser",
    params(("id" = i64, Path, description = "Id of the account", minimum = 1, example = 2)),
    request_body(
        content(
            (UserPatch = "application/merge-patch+json"),
            (UserPatch = "application/json"),
        ),
        description = "What is to change",
    ),
    responses(
        (status = 200, description = "The account", body = User),
        (status = 409, description = "The e-mail address is in use, or no admin would be left"),
    ),
)]
#[patch("/v1/admin/users/{id}")]
pub async fn patch(
    caller: Can<ManageUsers>,
    app: Data<App>,
    id: UserId,
    asked: Conditional,
    body: MergePatch<UserPatch>,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match.required()?;
    let by = caller.caller.by(app.clock.now());
    let row = app
        .db
        .write(move |conn| {
            let was = super::find(conn, id.0)?;
            if_match.check(was.version)?;
            let edits = checked_edits(conn, &was, body.0)?;
            store::update(conn, &was, edits, &by)
        })
        .await?;
    managed::ok(&User::from(&row), row.version)
}

fn checked_edits(conn: &mut Conn, was: &super::UserRow, body: UserPatch) -> ApiResult<Edits> {
    let mut check = Check::default();
    let email = match body.email {
        Member::Absent => Some(was.email.clone()),
        member => check_email(&mut check, member.given()),
    };
    let name = body.name.check(|name| check.line("/name", &name, MAX_NAME));
    let disabled = match body.disabled {
        Member::Absent => Some(was.disabled),
        Member::Null => check.required("/disabled", None),
        Member::Given(disabled) => Some(disabled),
    };
    // The column holds nothing but what this service wrote.
    let current_role = was.role.parse().unwrap_or(Role::Viewer);
    let had = was.sections.clone().map(|sections| sections.0);
    let is_new = body.sections.is_present();
    let current = Some((current_role, had));
    let is_null = matches!(body.sections, Member::Null);
    let (role, sections) = check_role(&mut check, body.role, body.sections, current);
    // An admin's account has no sections to fall back on: who demotes it says which it keeps. Null
    // says so of viewers alone, who then see everything.
    let is_demoted = current_role == Role::Admin && role.is_some_and(|role| role != Role::Admin);
    let says_which = is_new && (!is_null || role == Some(Role::Viewer));
    if is_demoted && !says_which {
        let detail = "is required of an account that was an admin's";
        check.fault("/sections", FaultCode::Required, detail);
    }
    let asked = sections.as_deref().filter(|_| is_new);
    sections::check_exist(conn, &mut check, "/sections", asked)?;
    check.finish()?;
    Ok(Edits {
        email: email.unwrap_or_default(),
        name: name.or_keep(was.name.clone()),
        role: role.unwrap_or(Role::Viewer),
        sections: sections::distinct(sections),
        disabled: disabled.unwrap_or_default(),
    })
}

/// Delete an account
///
/// With its sessions; what it wrote stays, and its id is never used again.
#[utoipa::path(
    tag = "manage access", operation_id = "deleteUser",
    params(("id" = i64, Path, description = "Id of the account", minimum = 1, example = 2)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "No admin would be left"),
    ),
)]
#[delete("/v1/admin/users/{id}")]
pub async fn delete(
    caller: Can<ManageUsers>,
    app: Data<App>,
    id: UserId,
    asked: Conditional,
) -> ApiResult<HttpResponse> {
    let if_match = asked.if_match;
    let by = caller.caller.by(app.clock.now());
    app.db
        .write(move |conn| {
            let was = super::find(conn, id.0)?;
            if_match.check(was.version)?;
            store::delete(conn, &was, &by)
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Make a one-time token for a new password
///
/// To be handed to whose account it is, who sets a password with it at `POST /v1/auth/reset` within
/// 24 hours. A token made before is worth nothing from now on; the password there is stays good
/// until the token is used.
#[utoipa::path(
    tag = "manage access", operation_id = "createPasswordReset",
    params(("id" = i64, Path, description = "Id of the account", minimum = 1, example = 2)),
    responses((status = 201, description = "The token, shown this once", body = PasswordReset)),
)]
#[post("/v1/admin/users/{id}/password-reset")]
pub async fn make_reset(
    caller: Can<ManageUsers>,
    app: Data<App>,
    id: UserId,
    _: Params<()>,
    _: OptionalBody<NoMembers>,
) -> ApiResult<HttpResponse> {
    let by = caller.caller.by(app.clock.now());
    let made = app
        .db
        .write(move |conn| {
            super::find(conn, id.0)?;
            auth::make_reset(conn, id.0, &by).map_err(ApiError::from)
        })
        .await?;
    let template = app.config.reset_url.as_ref();
    Ok(HttpResponse::Created().json(PasswordReset {
        url: template.map(|url| url.replace("{token}", &made.token)),
        token: made.token,
        expires_at: made.expires_at,
    }))
}
