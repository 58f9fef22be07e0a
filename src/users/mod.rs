//! Accounts: who can sign in, in which role, for which sections.
//!
//! Sign-in itself is [`crate::auth`]'s; here admins make, change and delete accounts. One admin at
//! least is always left.

mod handlers;
mod store;
pub mod wire;

use thiserror::Error;

use crate::audit::{Actor, By};
use crate::auth::{Role, hash_now, weakness};
use crate::db::{Conn, Timestamp};
use crate::error::{ApiError, ApiResult, FaultCode};
use crate::http::fields::Check;
use crate::http::mount::Mount;

pub use store::{NewUser, UserRow};

crate::path_id! {
    /// The id of an account in a management path.
    UserId, "account"
}

/// Mounts the accounts.
pub fn routes<M: Mount>(config: &mut M) {
    config
        .service(handlers::list)
        .service(handlers::create)
        .service(handlers::read)
        .service(handlers::patch)
        .service(handlers::delete)
        .service(handlers::make_reset);
}

/// Why the command line can't make an account.
#[derive(Debug, Error)]
pub enum AddUserError {
    /// The e-mail address, the password or something else of it can't be taken.
    #[error("{0}")]
    Refused(String),
    /// The database failed.
    #[error("{0}")]
    Failed(String),
}

impl From<diesel::result::Error> for AddUserError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<crate::db::DbError> for AddUserError {
    fn from(error: crate::db::DbError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ApiError> for AddUserError {
    fn from(error: ApiError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Makes an account from the command line, and returns its id. Editors and authors begin without
/// sections.
pub fn add_user(
    conn: &mut Conn,
    email: &str,
    role: Role,
    password: &str,
    now: Timestamp,
) -> Result<i64, AddUserError> {
    let mut check = Check::default();
    let email = check_email(&mut check, Some(email.to_owned()));
    if let Some((code, detail)) = weakness(password, email.as_deref().unwrap_or_default()) {
        check.fault("/password", code, detail);
    }
    check.finish()?;
    let new = NewUser {
        email: email.unwrap_or_default(),
        name: None,
        password_hash: hash_now(password)?,
        role,
        sections: None,
        disabled: false,
    };
    let by: By = Actor::system().at(now);
    Ok(store::create(conn, new, &by)?.id)
}

/// An e-mail address: one `@` with something on both sides, no white space nor anything else that
/// doesn't show, 254 characters at most (RFC 5321 §4.5.3.1.3).
fn check_email(check: &mut Check, email: Option<String>) -> Option<String> {
    let line = check.required_line("/email", email, 254)?;
    if line.chars().any(is_unseen) {
        let detail = "must not have white space, nor control or other invisible characters";
        check.fault("/email", FaultCode::InvalidCharacters, detail);
        return None;
    }
    let is_one = line.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@')
    });
    if !is_one {
        let detail = "must be an e-mail address";
        check.fault("/email", FaultCode::Invalid, detail);
        return None;
    }
    Some(line)
}

/// Whether a character doesn't show, or changes how others show: with it, an address could look just
/// like another one.
fn is_unseen(c: char) -> bool {
    let is_format = matches!(
        c,
        '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}'
            | '\u{FEFF}'
    );
    is_format || c.is_control() || c.is_whitespace()
}

/// The account of this id; 404 where there is none.
pub fn find(conn: &mut Conn, id: i64) -> ApiResult<UserRow> {
    store::find(conn, id)?.ok_or_else(|| ApiError::not_found("account"))
}
