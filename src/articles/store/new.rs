//! The rows of articles that are new, and the ids that they get.
//!
//! Where an article is written with others, later in its transaction, its id is told before: it is the next
//! of the sequence, which nobody else takes from while the transaction has the lock of content writers.

use std::cell::Cell;

use diesel::prelude::*;
use diesel::result::Error;

use super::ArticleRow;
use crate::db::later::{self, Later};
use crate::db::schema::articles;
use crate::db::{Conn, dialect};
use crate::{each, in_chunks};

#[derive(Insertable)]
#[diesel(table_name = articles, treat_none_as_default_value = false)]
struct NewArticle {
    #[diesel(skip_insertion)]
    id: i64,
    #[diesel(embed)]
    row: ArticleRow,
}

thread_local! {
    /// The next id of the sequence, in a state of [`later::state`].
    static NEXT: Cell<Option<(u64, i64)>> = const { Cell::new(None) };
}

/// Inserts an article; its id.
pub(super) fn insert(conn: &mut Conn, row: &ArticleRow) -> QueryResult<i64> {
    let Some(state) = later::state() else {
        return each!(conn, c => diesel::insert_into(articles::table)
            .values(row)
            .returning(articles::id)
            .get_result(c));
    };
    let next = match NEXT.get().filter(|(of, _)| *of == state) {
        Some((_, next)) => next,
        None => dialect::next_article_id(conn)?,
    };
    NEXT.set(Some((state, next)));
    let id = (next..).nth(later::count::<NewArticle>());
    let id = id.ok_or(Error::NotFound)?;
    later::take(slug_name(&row.slug));
    if let Some(external_id) = &row.external_id {
        later::take(external_name(external_id));
    }
    let row = row.clone();
    later::write(conn, vec![NewArticle { id, row }])?;
    Ok(id)
}

/// Whether an article that is yet to be written has this slug.
pub(super) fn has_slug(slug: &str) -> bool {
    later::is_taken(&slug_name(slug))
}

/// Whether an article that is yet to be written has this external id.
pub(super) fn has_external_id(external_id: &str) -> bool {
    later::is_taken(&external_name(external_id))
}

fn slug_name(slug: &str) -> String {
    format!("article {slug}")
}

fn external_name(external_id: &str) -> String {
    format!("external {external_id}")
}

impl Later for NewArticle {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        let mut ids: Vec<i64> = Vec::with_capacity(rows.len());
        in_chunks!(conn, rows, |rows, c| {
            let inserted = diesel::insert_into(articles::table)
                .values(rows)
                .returning(articles::id)
                .get_results::<i64>(c);
            inserted.map(|inserted| ids.extend(inserted))
        })?;
        // Whoever waits has been promised these.
        let promised: Vec<i64> = rows.iter().map(|row| row.id).collect();
        if promised == ids {
            return Ok(());
        }
        tracing::error!(?promised, ?ids, "somebody else takes ids of articles");
        Err(Error::RollbackTransaction)
    }
}
