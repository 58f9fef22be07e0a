//! Rows that units of writing only add are collected, and written for all units of a transaction together: on
//! PostgreSQL one statement for up to 16 rows of a table, which is one round trip, instead of one a row.

use std::any::Any;
use std::cell::{Cell, RefCell};

use diesel::prelude::*;

use super::Conn;
use super::batch::Ran;

/// A row that can be written later in the transaction: nothing reads it before, but what has called
/// [`flush`].
pub trait Later: Sized + 'static {
    /// Writes these.
    fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()>;
}

/// The rows of one kind.
trait Rows {
    fn as_any(&mut self) -> &mut dyn Any;
    fn len(&self) -> usize;
    fn truncate(&mut self, len: usize);
    fn write(self: Box<Self>, conn: &mut Conn) -> QueryResult<()>;
}

impl<T: Later> Rows for Vec<T> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn truncate(&mut self, len: usize) {
        Vec::truncate(self, len);
    }

    fn write(self: Box<Self>, conn: &mut Conn) -> QueryResult<()> {
        match self.is_empty() {
            true => Ok(()),
            false => T::write(conn, *self),
        }
    }
}

/// What the transaction on this thread has collected.
#[derive(Default)]
struct Collected {
    /// Whether the unit that runs only adds.
    adds: bool,
    /// Whether it has begun to write by itself.
    writes: bool,
    /// By kinds, in the order in which these first came.
    rows: Vec<Box<dyn Rows>>,
    /// How many of each kind are of units before.
    before: Vec<usize>,
    /// What is unique and taken by the rows.
    names: Vec<String>,
    names_before: usize,
}

thread_local! {
    static COLLECTED: RefCell<Collected> = RefCell::default();

    /// A number for each state of the database that units which only add have found.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// In a unit that only adds: a number that is the same for all such units that follow one another in a
/// transaction. What one of them has found and none adds to is the same for the next.
pub fn state() -> Option<u64> {
    COLLECTED.with_borrow(|collected| collected.adds.then(|| STATE.get()))
}

/// Writes rows: at once, or, in a unit that only adds, later in its transaction.
pub fn write<T: Later>(conn: &mut Conn, rows: Vec<T>) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let left = COLLECTED.with_borrow_mut(|collected| match collected.adds {
        true => {
            collected.add(rows);
            None
        }
        false => Some(rows),
    });
    left.map_or(Ok(()), |rows| T::write(conn, rows))
}

/// Notes that the unit on this thread writes by itself from now on: where it fails, its transaction is
/// undone with all others in it. A unit that only adds must call it before, and should as late as it can: what
/// it writes without is not undone where it is refused.
pub fn begin_writing() {
    COLLECTED.with_borrow_mut(|collected| collected.writes = true);
}

/// Writes what units before have left to be written: for whoever reads it in the same transaction. Where it
/// fails, the transaction is undone.
pub fn flush(conn: &mut Conn) -> QueryResult<()> {
    let (rows, writes) = COLLECTED.with_borrow_mut(|collected| {
        let has_own = collected.own().any(|(rows, before)| rows.len() > before);
        let writes = collected.writes || has_own;
        collected.writes = true;
        collected.before.clear();
        collected.names.clear();
        collected.names_before = 0;
        (std::mem::take(&mut collected.rows), writes)
    });
    next_state();
    rows.into_iter().try_for_each(|rows| rows.write(conn))?;
    COLLECTED.with_borrow_mut(|collected| collected.writes = writes);
    Ok(())
}

/// How many rows of this kind are yet to be written.
pub fn count<T: Later>() -> usize {
    COLLECTED.with_borrow_mut(|collected| collected.of::<T>().map_or(0, |rows| rows.len()))
}

/// Notes that a row which is yet to be written has a name that no other may have.
pub fn take(name: String) {
    COLLECTED.with_borrow_mut(|collected| collected.names.push(name));
}

/// Whether a row which is yet to be written has this name.
pub fn is_taken(name: &str) -> bool {
    COLLECTED.with_borrow(|collected| collected.names.iter().any(|taken| taken == name))
}

fn next_state() {
    STATE.set(STATE.get() + 1);
}

/// Forgets what a transaction before has left.
pub(super) fn clear() {
    COLLECTED.take();
    next_state();
}

/// Runs a unit that only adds, behind others in their transaction. Where it is refused, what it has collected is
/// forgotten. Whether the transaction can go on: it can't where the unit had begun to write, or met a fault.
pub(super) fn try_adding(run: impl FnOnce() -> Ran) -> bool {
    COLLECTED.with_borrow_mut(|collected| {
        collected.writes = false;
        collected.before = collected.rows.iter().map(|rows| rows.len()).collect();
        collected.names_before = collected.names.len();
    });
    match run() {
        Ran::Done => true,
        Ran::Refused => COLLECTED.with_borrow_mut(Collected::go_back),
        Ran::Failed => false,
    }
}

/// Runs a unit's work, whose rows may be written later where it only adds.
pub(super) fn collecting<T>(only_adds: bool, work: impl FnOnce() -> T) -> T {
    if !only_adds {
        next_state();
    }
    COLLECTED.with_borrow_mut(|collected| collected.adds = only_adds);
    let done = work();
    COLLECTED.with_borrow_mut(|collected| collected.adds = false);
    done
}

impl Collected {
    fn add<T: Later>(&mut self, mut more: Vec<T>) {
        match self.of() {
            Some(rows) => rows.append(&mut more),
            None => self.rows.push(Box::new(more)),
        }
    }

    fn of<T: Later>(&mut self) -> Option<&mut Vec<T>> {
        let mut all = self.rows.iter_mut();
        all.find_map(|rows| rows.as_any().downcast_mut())
    }

    /// The rows, and how many of them are of units before.
    fn own(&mut self) -> impl Iterator<Item = (&mut Box<dyn Rows>, usize)> {
        let before = self.before.iter().copied().chain(std::iter::repeat(0));
        self.rows.iter_mut().zip(before)
    }

    /// Forgets what the unit has collected; whether it has written nothing by itself.
    fn go_back(&mut self) -> bool {
        self.own().for_each(|(rows, before)| rows.truncate(before));
        self.names.truncate(self.names_before);
        !self.writes
    }
}
