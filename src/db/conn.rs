//! The connection: an enum over both databases.

use diesel::{PgConnection, SqliteConnection};

/// A connection to either database.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// PostgreSQL 15 or later.
    Pg(PgConnection),
    /// The bundled SQLite.
    Sqlite(SqliteConnection),
}
