//! Many rows at once, in the way that each database is quick at: PostgreSQL takes a JSON text apart by one
//! statement, which spares both sides to bind each value; SQLite, which is at hand, runs a prepared one
//! for each row.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::Sqlite;
use serde::Serialize;

use super::{Conn, Timestamp};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// A number.
    Number,
    /// Text.
    Text,
    /// A day.
    Day,
    /// An instant.
    Instant,
    /// Bytes.
    Bytes,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Nothing, a text, a day, an instant or bytes.
    Text(Option<String>),
    /// A number.
    Number(i64),
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<chrono::NaiveDate> for Cell {
    fn from(day: chrono::NaiveDate) -> Self {
        Self::Text(Some(day.to_string()))
    }
}

impl From<Timestamp> for Cell {
    fn from(at: Timestamp) -> Self {
        Self::Text(Some(at.column_text()))
    }
}

impl From<&[u8]> for Cell {
    fn from(bytes: &[u8]) -> Self {
        use std::fmt::Write;
        let mut text = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            // Writing to a String never fails.
            write!(text, "{byte:02x}").ok();
        }
        Self::Text(Some(text))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Text(None), Into::into)
    }
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

impl Table {
    /// Inserts rows, each of values in the order of the columns; no key may be there twice.
    pub fn upsert(&self, conn: &mut Conn, rows: &[Vec<Cell>]) -> QueryResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        match conn {
            Conn::Sqlite(sqlite) => {
                let pieces = self.pieces();
                for row in rows {
                    let pieces = &pieces;
                    UpsertOne { pieces, row }.execute(sqlite)?;
                }
            }
            Conn::Pg(pg) => {
                let text = serde_json::to_string(rows)
                    .map_err(|error| diesel::result::Error::SerializationError(Box::new(error)))?;
                diesel::sql_query(self.postgres_statement())
                    .bind::<Text, _>(text)
                    .execute(pg)?;
            }
        }
        Ok(())
    }

    /// The statement for one row of SQLite's, cut where its values stand.
    fn pieces(&self) -> Vec<String> {
        let places: Vec<&str> = self
            .columns
            .iter()
            .map(|(_, column)| match column {
                Column::Bytes => "unhex(?)",
                _ => "?",
            })
            .collect();
        let statement = self.statement(&format!("VALUES ({})", places.join(", ")));
        statement.split('?').map(ToOwned::to_owned).collect()
    }

    fn postgres_statement(&self) -> String {
        let values: Vec<String> = (0..)
            .zip(self.columns)
            .map(|(at, (_, column))| postgres_value(*column, at))
            .collect();
        self.statement(&format!(
            "SELECT {} FROM jsonb_array_elements(CAST($1 AS jsonb)) AS rows (value) WHERE true",
            values.join(", ")
        ))
    }

    fn statement(&self, values: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let table = self.name;
        let set: Vec<String> = names[self.keys..]
            .iter()
            .map(|name| match self.met {
                Met::Replaced => format!("{name} = excluded.{name}"),
                Met::Added => format!("{name} = {table}.{name} + excluded.{name}"),
            })
            .collect();
        format!(
            "INSERT INTO {table} ({}) {values} ON CONFLICT ({}) DO UPDATE SET {}",
            names.join(", "),
            names[..self.keys].join(", "),
            set.join(", "),
        )
    }
}

/// The value at a place of a row's array.
fn postgres_value(column: Column, at: usize) -> String {
    let text = format!("(value ->> {at})");
    match column {
        Column::Number => format!("CAST({text} AS bigint)"),
        Column::Text => text,
        Column::Day => format!("CAST({text} AS date)"),
        // The session's zone is UTC.
        Column::Instant => format!("CAST({text} AS timestamptz)"),
        Column::Bytes => format!("decode({text}, 'hex')"),
    }
}

/// An upsert of one row.
struct UpsertOne<'a> {
    pieces: &'a [String],
    row: &'a [Cell],
}

impl QueryId for UpsertOne<'_> {
    type QueryId = ();
    /// The statement's text tells them apart.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Sqlite> for UpsertOne<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut pieces = self.pieces.iter();
        for cell in self.row {
            out.push_sql(pieces.next().map_or("", String::as_str));
            match cell {
                Cell::Number(number) => out.push_bind_param::<BigInt, _>(number)?,
                Cell::Text(text) => out.push_bind_param::<Nullable<Text>, _>(text)?,
            }
        }
        out.push_sql(pieces.next().map_or("", String::as_str));
        Ok(())
    }
}

impl<C> RunQueryDsl<C> for UpsertOne<'_> {}
