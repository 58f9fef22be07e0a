//! The database: one connection type over SQLite and PostgreSQL, its pools, the schema.
//!
//! `DATABASE_URL` picks the database. Everything the two spell differently is in [`dialect`];
//! every query is written once, against [`Conn`].

mod among;
mod batch;
#[allow(missing_docs, reason = "the derived backend has no doc comments")]
mod conn;
pub mod content;
mod crew;
pub mod dialect;
pub mod later;
mod listen;
mod metrics;
mod plans;
mod pool;
pub mod purges;
mod replicas;
pub mod rows;
pub mod schema;
pub mod types;

use diesel::expression::Selectable;

pub use among::among;
pub use conn::{Conn, MultiBackend};
pub use content::Content;
pub use dialect::HitsSync;
pub use listen::Listener;
pub use pool::{Appending, Db, DbError, DbSettings, DbUrl, Source, UrlError};
pub use types::{JsonOf, Timestamp};

/// The columns of `T`, for `returning`: diesel's `as_returning` binds to one database.
pub fn columns<T: Selectable<MultiBackend>>() -> T::SelectExpression {
    T::construct_selection()
}
