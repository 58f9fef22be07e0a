//! Every column of every table of a database, searched for secrets.

use std::collections::BTreeSet;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::{Binary, Bool, Text};
use lanmu::db::Conn;

use super::super::databases;
use super::Secret;
use super::needles::{Needles, as_stored};

/// A column of a table.
#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    of: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    is_binary: bool,
}

/// A value, as the bytes that it is kept as; numbers and instants as their text.
#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = Text)]
    place: String,
    #[diesel(sql_type = Binary)]
    bytes: Vec<u8>,
}

const SQLITE_COLUMNS: &str = "SELECT tables.name AS of, columns.name AS name, true AS is_binary \
     FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns \
     WHERE tables.type = 'table'";
const POSTGRES_COLUMNS: &str = "SELECT relname::text AS of, attname::text AS name, \
     atttypid = 'bytea'::regtype AS is_binary \
     FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
     WHERE relkind IN ('r', 'p', 'm') AND relnamespace = 'public'::regnamespace \
     AND attnum > 0 AND NOT attisdropped";

/// The columns (`table.column`) of this database that hold one of these secrets, with its kind.
/// A database that is gone, or was never filled, holds none.
pub fn holding(url: &str, secrets: &BTreeSet<Secret>) -> BTreeSet<(String, String)> {
    let needles = Needles::new(secrets.iter().flat_map(|secret| {
        let forms = as_stored(&secret.text).into_iter();
        forms.map(|form| (form, secret.kind.clone()))
    }));
    let mut found = BTreeSet::new();
    let Some(mut conn) = open(url) else {
        return found;
    };
    for kept in values(&mut conn) {
        for (_, _, kind) in needles.find(&kept.bytes) {
            found.insert((kept.place.clone(), kind.clone()));
        }
    }
    found
}

/// A connection, where the database is still there.
fn open(url: &str) -> Option<Conn> {
    match url.strip_prefix("sqlite://") {
        // To connect would make the file.
        Some(file) if !Path::new(file).exists() => None,
        // It waits for what the last node does at its end.
        Some(_) => Some(databases::connect(url)),
        None => match PgConnection::establish(url) {
            Ok(conn) => Some(Conn::Pg(conn)),
            Err(error) if error.to_string().contains("does not exist") => None,
            Err(error) => panic!("{error}"),
        },
    }
}

/// Every value that is not null, in one statement.
fn values(conn: &mut Conn) -> Vec<Kept> {
    let columns: Vec<Column> = match conn {
        Conn::Sqlite(conn) => diesel::sql_query(SQLITE_COLUMNS).load(conn),
        Conn::Pg(conn) => diesel::sql_query(POSTGRES_COLUMNS).load(conn),
    }
    .expect("the columns are told");
    if columns.is_empty() {
        return Vec::new();
    }
    let selects: Vec<String> = columns.iter().map(|c| select(conn, c)).collect();
    let all = diesel::sql_query(selects.join(" UNION ALL "));
    match conn {
        Conn::Sqlite(conn) => all.load(conn),
        Conn::Pg(conn) => all.load(conn),
    }
    .expect("the values are read")
}

fn select(conn: &Conn, column: &Column) -> String {
    let Column {
        of,
        name,
        is_binary,
    } = column;
    let bytes = match conn {
        Conn::Sqlite(_) => format!("CAST(\"{name}\" AS BLOB)"),
        Conn::Pg(_) if *is_binary => format!("\"{name}\""),
        Conn::Pg(_) => format!("convert_to(\"{name}\"::text, 'UTF8')"),
    };
    format!(
        "SELECT '{of}.{name}' AS place, {bytes} AS bytes FROM \"{of}\" WHERE \"{name}\" IS NOT NULL"
    )
}
