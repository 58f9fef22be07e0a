//! Queries of accounts.

use diesel::prelude::*;

use crate::audit::{self, By, Event, Resource};
use crate::auth::access::bounds;
use crate::auth::{Role, drop_reset, email_key, revoke_all_sessions};
use crate::db::schema::users;
use crate::db::{Conn, JsonOf, MultiBackend, Timestamp};
use crate::error::{ApiError, ApiResult, Code};
use crate::http::paging::{Found, Paging, Place};

use super::wire::User;

/// An account as it is stored, without its password.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
#[allow(
    missing_docs,
    reason = "named as the columns, which the migrations explain"
)]
pub struct UserRow {
    pub id: i64,
    pub email: String,
    pub email_key: String,
    pub password_hash: String,
    pub role: String,
    pub disabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
    pub name: Option<String>,
    pub sections: Option<JsonOf<Vec<i64>>>,
    pub last_login_at: Option<Timestamp>,
}

/// What a new account is made from, checked.
#[derive(Debug)]
#[allow(missing_docs, reason = "named as the columns")]
pub struct NewUser {
    pub email: String,
    pub name: Option<String>,
    /// Empty: no password yet.
    pub password_hash: String,
    pub role: Role,
    pub sections: Option<Vec<i64>>,
    pub disabled: bool,
}

/// An account's editable members, checked.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named as the columns")]
pub struct Edits {
    pub email: String,
    pub name: Option<String>,
    pub role: Role,
    pub sections: Option<Vec<i64>>,
    pub disabled: bool,
}

/// The account of this id.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<UserRow>> {
    users::table
        .find(id)
        .select(UserRow::as_select())
        .first(conn)
        .optional()
}

fn check_email_is_free(conn: &mut Conn, email: &str, own: Option<i64>) -> ApiResult<()> {
    let holder: Option<i64> = users::table
        .filter(users::email_key.eq(email_key(email)))
        .select(users::id)
        .first(conn)
        .optional()?;
    match holder {
        Some(id) if Some(id) != own => {
            let detail = format!("an account with the e-mail address {email} exists already");
            Err(ApiError::new(Code::EmailTaken, detail))
        }
        _ => Ok(()),
    }
}

/// Makes an account.
pub fn create(conn: &mut Conn, new: NewUser, by: &By) -> ApiResult<UserRow> {
    check_email_is_free(conn, &new.email, None)?;
    let sections = bounds(new.role, new.sections);
    let id: i64 = diesel::insert_into(users::table)
        .values((
            users::email_key.eq(email_key(&new.email)),
            users::email.eq(new.email),
            users::password_hash.eq(new.password_hash),
            users::role.eq(new.role.as_str()),
            users::disabled.eq(new.disabled),
            users::created_at.eq(by.now),
            users::updated_at.eq(by.now),
            users::version.eq(1_i64),
            users::name.eq(new.name),
            users::sections.eq(sections.map(JsonOf)),
        ))
        .returning(users::id)
        .get_result(conn)?;
    let row = super::find(conn, id)?;
    tell(conn, by, Event::UserCreated, id, [None, Some(&row)])?;
    Ok(row)
}

/// Changes an account. Disabling it ends its sessions and the one-time token that it has. A
/// new e-mail address ends the token too, which was handed to whoever reads the old one's mail.
pub fn update(conn: &mut Conn, was: &UserRow, edits: Edits, by: &By) -> ApiResult<UserRow> {
    check_email_is_free(conn, &edits.email, Some(was.id))?;
    if edits.role != Role::Admin || edits.disabled {
        check_not_last_admin(conn, was)?;
    }
    let has_new_email = email_key(&edits.email) != was.email_key;
    let sections = bounds(edits.role, edits.sections);
    diesel::update(users::table.find(was.id))
        .set((
            users::email_key.eq(email_key(&edits.email)),
            users::email.eq(edits.email),
            users::role.eq(edits.role.as_str()),
            users::disabled.eq(edits.disabled),
            users::updated_at.eq(by.now),
            users::version.eq(was.version + 1),
            users::name.eq(edits.name),
            users::sections.eq(sections.map(JsonOf)),
        ))
        .execute(conn)?;
    if edits.disabled {
        revoke_all_sessions(conn, was.id, by.now)?;
    }
    // One that an admin makes for an account while it is disabled is for later.
    if has_new_email || (edits.disabled && !was.disabled) {
        drop_reset(conn, was.id)?;
    }
    let row = super::find(conn, was.id)?;
    tell(
        conn,
        by,
        Event::UserUpdated,
        was.id,
        [Some(was), Some(&row)],
    )?;
    Ok(row)
}

/// Deletes an account with its sessions. Its id is never used again.
pub fn delete(conn: &mut Conn, was: &UserRow, by: &By) -> ApiResult<()> {
    check_not_last_admin(conn, was)?;
    diesel::delete(users::table.find(was.id)).execute(conn)?;
    Ok(tell(
        conn,
        by,
        Event::UserDeleted,
        was.id,
        [Some(was), None],
    )?)
}

/// Refuses to take away the last admin who can sign in.
fn check_not_last_admin(conn: &mut Conn, was: &UserRow) -> ApiResult<()> {
    let admin = Role::Admin.as_str();
    if was.role != admin || was.disabled {
        return Ok(());
    }
    let others: i64 = users::table
        .filter(users::role.eq(admin).and(users::disabled.eq(false)))
        .filter(users::id.ne(was.id).and(users::password_hash.ne("")))
        .count()
        .get_result(conn)?;
    if others == 0 {
        let detail = "make another account an admin first";
        return Err(ApiError::new(Code::LastAdmin, detail));
    }
    Ok(())
}

fn tell(
    conn: &mut Conn,
    by: &By,
    event: Event,
    id: i64,
    states: [Option<&UserRow>; 2],
) -> QueryResult<()> {
    let states = states.map(|row| row.map(User::from));
    audit::record_change(conn, by, event, (Resource::User, id), states)
}

/// Which accounts.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this role.
    pub role: Option<Role>,
    /// Disabled, or not.
    pub disabled: Option<bool>,
    /// With this e-mail address, in any case.
    pub email: Option<String>,
}

impl Filter {
    fn query(&self) -> users::BoxedQuery<'_, MultiBackend> {
        let mut query = users::table.into_boxed();
        if let Some(role) = self.role {
            query = query.filter(users::role.eq(role.as_str()));
        }
        if let Some(disabled) = self.disabled {
            query = query.filter(users::disabled.eq(disabled));
        }
        if let Some(email) = &self.email {
            query = query.filter(users::email_key.eq(email_key(email)));
        }
        query
    }
}

/// A page of accounts, by id.
pub fn page(conn: &mut Conn, filter: &Filter, paging: &Paging) -> QueryResult<Found<UserRow>> {
    let total = if paging.exact {
        Some(filter.query().count().get_result(conn)?)
    } else {
        None
    };
    let mut query = filter.query();
    if let Place::After(cursor) = &paging.place {
        query = query.filter(users::id.gt(cursor.id));
    }
    let rows = query
        .order(users::id)
        .limit(paging.limit + 1)
        .offset(paging.offset())
        .select(UserRow::as_select())
        .load(conn)?;
    Ok(paging.cut(rows, total, |row| (String::new(), row.id)))
}
