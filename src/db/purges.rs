//! What a write changes for caches elsewhere: its keys are named on the way and left in the table `purges`
//! by the same transaction, so that neither is ever there alone. `crate::purges` sends them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use diesel::prelude::*;

use super::Conn;
use super::later::{self, Later};
use super::schema::purges;
use crate::http::keys::Key;
use crate::insert_all;

/// The most keys of one write. One that changes more, such as hiding a large section, names everything.
pub const MAX_NAMED: usize = 2000;

thread_local! {
    /// What the transaction on this thread has named; `None`: nobody wants to know.
    static NAMED: RefCell<Option<BTreeSet<Key>>> = const { RefCell::new(None) };
}

/// Names what the transaction on this thread changes. Some of it may be undone: then caches drop more than
/// they need to.
pub fn name(keys: impl IntoIterator<Item = Key>) {
    NAMED.with_borrow_mut(|named| {
        if let Some(named) = named {
            named.extend(keys);
        }
    });
}

/// Runs work of a transaction, and leaves what it has named for the caches.
pub(super) fn named<T, E: From<diesel::result::Error>>(
    conn: &mut Conn,
    is_wanted: bool,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    NAMED.set(is_wanted.then(BTreeSet::new));
    let worked = work(conn);
    let named = NAMED.take();
    let done = worked?;
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let keys = text(&named);
        later::write(conn, vec![Named { keys }])?;
    }
    Ok(done)
}

#[derive(Insertable)]
#[diesel(table_name = purges, treat_none_as_default_value = false)]
struct Named {
    keys: String,
}

impl Later for Named {
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
        insert_all!(conn, rows, |rows| {
            diesel::insert_into(purges::table).values(rows)
        })
    }
}

fn text(named: &BTreeSet<Key>) -> String {
    if named.len() > MAX_NAMED {
        return Key::All.to_string();
    }
    let keys: Vec<String> = named.iter().map(Key::to_string).collect();
    keys.join(" ")
}
