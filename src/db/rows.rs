//! Many rows by one statement with one bound value: a JSON text, which either database takes apart itself.
//! To bind each value of each row costs more than to write them.

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::Value;

use super::Conn;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// A number.
    Number,
    /// Text.
    Text,
    /// A day.
    Day,
    /// An instant, as [`super::Timestamp::column_text`] writes it.
    Instant,
    /// Bytes, as [`bytes`] writes them.
    Bytes,
}

/// What becomes of a row whose key is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It takes the new values.
    Replaced,
    /// The new values are added to its own.
    Added,
}

/// A table's columns, the key's first.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The table.
    pub name: &'static str,
    /// The columns, in the order of the values.
    pub columns: &'static [(&'static str, Column)],
    /// How many of them are the key.
    pub keys: usize,
    /// What becomes of a row whose key is there.
    pub met: Met,
}

/// Bytes as a value of a row.
pub fn bytes(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String never fails.
        write!(text, "{byte:02x}").ok();
    }
    text
}

impl Table {
    /// Inserts rows, each an array of values in the order of the columns; no key may be there twice.
    pub fn upsert(&self, conn: &mut Conn, rows: &[Value]) -> QueryResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_string(rows)
            .map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
        diesel::sql_query(self.statement(conn))
            .bind::<Text, _>(text)
            .execute(conn)?;
        Ok(())
    }

    fn statement(&self, conn: &Conn) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let values: Vec<String> = (0..)
            .zip(self.columns)
            .map(|(at, (_, column))| value(conn, *column, at))
            .collect();
        let from = match conn {
            Conn::Sqlite(_) => "json_each($1)",
            Conn::Pg(_) => "jsonb_array_elements(CAST($1 AS jsonb)) AS rows (value)",
        };
        let table = self.name;
        let set: Vec<String> = names[self.keys..]
            .iter()
            .map(|name| match self.met {
                Met::Replaced => format!("{name} = excluded.{name}"),
                Met::Added => format!("{name} = {table}.{name} + excluded.{name}"),
            })
            .collect();
        format!(
            "INSERT INTO {table} ({}) SELECT {} FROM {from} WHERE true \
             ON CONFLICT ({}) DO UPDATE SET {}",
            names.join(", "),
            values.join(", "),
            names[..self.keys].join(", "),
            set.join(", "),
        )
    }
}

/// The value at a place of a row's array.
fn value(conn: &Conn, column: Column, at: usize) -> String {
    let text = format!("(value ->> {at})");
    match (conn, column) {
        (Conn::Sqlite(_), Column::Bytes) => format!("unhex{text}"),
        (Conn::Sqlite(_), _) => text,
        (Conn::Pg(_), Column::Number) => format!("CAST({text} AS bigint)"),
        (Conn::Pg(_), Column::Text) => text,
        (Conn::Pg(_), Column::Day) => format!("CAST({text} AS date)"),
        // The session's zone is UTC.
        (Conn::Pg(_), Column::Instant) => format!("CAST({text} AS timestamptz)"),
        (Conn::Pg(_), Column::Bytes) => format!("decode({text}, 'hex')"),
    }
}
