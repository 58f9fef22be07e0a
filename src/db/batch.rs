//! Writers of content share transactions: units that wait for their turn are run one after the other in the
//! transaction of the first, each that changes something behind a savepoint, and committed together. So the disk, or the lock that
//! nodes share, is waited for once for all of them. Nobody is answered before the commit.
//!
//! A unit that only adds needs no savepoint, and its rows are written with those of others: see
//! [`super::later`].

use std::time::{Duration, Instant};

use diesel::connection::TransactionManager;
use diesel::prelude::*;
use diesel::result::Error;
use tokio::sync::oneshot::Sender;
use tracing::Span;

use super::{Conn, DbError, content, later, purges};

/// How long a transaction takes in further units, at the longest: the first one waits for them.
pub(super) const TAKES_IN: Duration = Duration::from_millis(10);

type Manager = <Conn as Connection>::TransactionManager;

/// How a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// It did what it was to do.
    Done,
    /// It was refused by a rule of the service's; the connection is as it was.
    Refused,
    /// Something failed: the transaction may not be good any more.
    Failed,
}

/// A unit of writing, with whoever waits for it.
pub(super) trait Unit: Send {
    /// Runs it, and tells how that ended.
    fn run(&mut self, conn: &mut Conn) -> Ran;

    /// Whether it changes nothing that is there, so that it needs no savepoint.
    fn only_adds(&self) -> bool;

    /// Tells what became of it. With an error of the transaction around it nothing of it is kept.
    fn answer(self: Box<Self>, failed: Option<DbError>);
}

/// A unit by its work.
pub(super) struct Asked<T, E, F> {
    pub(super) work: Option<F>,
    pub(super) done: Option<Result<T, E>>,
    pub(super) reply: Sender<Result<T, E>>,
    pub(super) span: Span,
    pub(super) names_purges: bool,
    /// In a unit that only adds: tells a refusal from a fault.
    pub(super) only_adds: Option<fn(&E) -> bool>,
}

impl<T, E, F> Unit for Asked<T, E, F>
where
    T: Send,
    E: From<DbError> + From<Error> + Send,
    F: FnOnce(&mut Conn) -> Result<T, E> + Send,
{
    fn run(&mut self, conn: &mut Conn) -> Ran {
        let (names, work) = (self.names_purges, self.work.take());
        let named = |work| self.span.in_scope(|| purges::named(conn, names, work));
        let done = later::collecting(self.only_adds(), || work.map(named));
        let ran = match (&done, self.only_adds) {
            (Some(Ok(_)), _) => Ran::Done,
            (Some(Err(error)), Some(is_refusal)) if is_refusal(error) => Ran::Refused,
            _ => Ran::Failed,
        };
        self.done = done;
        ran
    }

    fn only_adds(&self) -> bool {
        self.only_adds.is_some()
    }

    fn answer(self: Box<Self>, failed: Option<DbError>) {
        let done = match (failed, self.done) {
            (Some(failed), done) if done.is_some() || self.work.is_some() => {
                self.span.in_scope(|| Err(failed.into()))
            }
            (None, Some(done)) => done,
            // It panicked.
            _ => Err(DbError::Broken.into()),
        };
        // The client may have gone.
        let _ = self.reply.send(done);
    }
}

/// Why a transaction is undone.
#[derive(Debug)]
pub(super) enum Undone {
    /// Its only unit failed, and knows why.
    ByUnit,
    /// The last unit failed, and can't be undone alone; it knows why.
    WithAll,
    /// The database failed.
    ByDatabase(Error),
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::ByDatabase(error)
    }
}

/// Runs the first unit, and those that come for so long. All that have begun are left in `units`.
pub(super) fn run(
    conn: &mut Conn,
    units: &mut Vec<Box<dyn Unit>>,
    takes_in: Duration,
    next: impl Fn() -> Option<Box<dyn Unit>>,
) -> Result<(), Undone> {
    let began = Instant::now();
    later::clear();
    for unit in units.iter_mut() {
        // Not behind a savepoint: mostly there is no other.
        if unit.run(conn) != Ran::Done {
            return Err(Undone::ByUnit);
        }
    }
    while began.elapsed() < takes_in {
        let Some(unit) = next() else { break };
        // Whatever happens, it is told.
        units.push(unit);
        let Some(unit) = units.last_mut() else { break };
        if !unit.only_adds() {
            behind_savepoint(conn, &mut **unit)?;
        } else if !later::try_adding(|| unit.run(conn)) {
            return Err(Undone::WithAll);
        }
    }
    Ok(later::flush(conn)?)
}

fn behind_savepoint(conn: &mut Conn, unit: &mut dyn Unit) -> QueryResult<()> {
    later::flush(conn)?;
    Manager::begin_transaction(conn)?;
    if unit.run(conn) == Ran::Done {
        return Manager::commit_transaction(conn);
    }
    Manager::rollback_transaction(conn)?;
    content::undone();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use diesel::connection::SimpleConnection;
    use diesel::sql_types::BigInt;
    use tokio::sync::oneshot::{Receiver, channel};

    use super::super::later::Later;
    use super::*;

    type Told = Receiver<Result<i64, DbError>>;

    struct Row(i64);

    fn is_busy(error: &DbError) -> bool {
        matches!(error, DbError::Busy)
    }

    impl Later for Row {
        fn write(conn: &mut Conn, rows: Vec<Self>) -> QueryResult<()> {
            let values: Vec<String> = rows
                .iter()
                .map(|Row(number)| format!("({number})"))
                .collect();
            let sql = format!("INSERT INTO numbers VALUES {}", values.join(", "));
            diesel::sql_query(sql).execute(conn).map(drop)
        }
    }

    /// A unit that adds a number, and fails then where that is negative.
    fn unit(number: i64, only_adds: bool) -> (Box<dyn Unit>, Told) {
        let (reply, told) = channel();
        let work = move |conn: &mut Conn| {
            if number == WRITES_OTHERS {
                later::flush(conn)?;
            }
            later::write(conn, vec![Row(number)])?;
            match number {
                HAS_WRITTEN => later::begin_writing(),
                HAS_FLUSHED => later::flush(conn)?,
                MEETS_A_FAULT => drop(diesel::sql_query("SELECT nothing").execute(conn)?),
                _ => {}
            }
            (number >= 0).then_some(number).ok_or(DbError::Busy)
        };
        let asked = Asked {
            work: Some(work),
            done: None,
            reply,
            span: Span::none(),
            names_purges: false,
            only_adds: only_adds.then_some(is_busy),
        };
        (Box::new(asked), told)
    }

    /// Fails after it has begun to write by itself.
    const HAS_WRITTEN: i64 = -100;
    /// Fails after it has had its own row written.
    const HAS_FLUSHED: i64 = -200;
    /// Fails by the database, not by a rule.
    const MEETS_A_FAULT: i64 = -400;
    /// Can be collected, but not be written.
    const UNWRITABLE: i64 = 0;
    /// Fails after it has had the rows of those before written.
    const WRITES_OTHERS: i64 = -300;

    /// Runs units of these numbers in one transaction, which add only or may do more: what it came to,
    /// what is stored then, and what each was told.
    fn together(units: &[(i64, bool)]) -> (bool, Vec<i64>, Vec<Option<i64>>) {
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let sqlite = SqliteConnection::establish(":memory:").expect("a database");
        let mut conn = Conn::Sqlite(sqlite);
        let Conn::Sqlite(sqlite) = &mut conn else {
            unreachable!("it is SQLite's");
        };
        sqlite
            .batch_execute("CREATE TABLE numbers (number INTEGER NOT NULL CHECK (number <> 0))")
            .expect("a table");
        let (units, told): (VecDeque<_>, Vec<_>) = units
            .iter()
            .map(|(number, only_adds)| unit(*number, *only_adds))
            .unzip();
        let line = RefCell::new(units);
        let next = || line.borrow_mut().pop_front();
        let mut begun = Vec::from_iter(next());
        let done = conn.transaction(|conn| run(conn, &mut begun, Duration::MAX, next));
        for unit in begun {
            unit.answer(None);
        }
        let rows: Vec<Number> = diesel::sql_query("SELECT number FROM numbers ORDER BY number")
            .load(&mut conn)
            .expect("the rows");
        let told = told.into_iter().map(|mut told| {
            let told = told.try_recv();
            told.ok().and_then(Result::ok)
        });
        let rows = rows.into_iter().map(|row| row.number);
        (done.is_ok(), rows.collect(), told.collect())
    }

    #[test]
    fn units_share_a_transaction_and_fail_by_themselves() {
        let told = vec![Some(1), None, Some(3), None, Some(5)];
        let numbers = [1, -2, 3, -4, 5];
        for kinds in 0..32 {
            let units: Vec<(i64, bool)> = (0..)
                .zip(numbers)
                .map(|(at, number)| (number, kinds & (1 << at) != 0))
                .collect();
            let came_to = together(&units);
            assert_eq!(came_to, (true, vec![1, 3, 5], told.clone()), "{units:?}");
        }
        // The first has no savepoint: it fails with the transaction, before another one begins.
        for only_adds in [false, true] {
            let units = [(-1, only_adds), (2, only_adds)];
            assert_eq!(together(&units), (false, vec![], vec![None, None]));
        }
    }

    #[test]
    fn what_a_unit_has_left_is_forgotten_alone() {
        let units = [(1, true), (2, true), (WRITES_OTHERS, true), (3, true)];
        let told = vec![Some(1), Some(2), None, Some(3)];
        assert_eq!(together(&units), (true, vec![1, 2, 3], told));
    }

    #[test]
    fn a_unit_that_fails_after_it_has_written_ends_the_transaction() {
        for failing in [HAS_WRITTEN, HAS_FLUSHED, MEETS_A_FAULT] {
            let units = [(1, true), (failing, true), (2, true)];
            let (done, rows, _) = together(&units);
            assert_eq!((done, rows), (false, vec![]), "{failing}");
        }
        // What was left by one before and can't be written when the next one asks for it.
        let units = [(1, true), (UNWRITABLE, true), (WRITES_OTHERS, true)];
        let (done, rows, _) = together(&units);
        assert_eq!((done, rows), (false, vec![]));
        // Behind a savepoint it may.
        let units = [(1, true), (HAS_WRITTEN, false), (2, true)];
        let (done, rows, _) = together(&units);
        assert_eq!((done, rows), (true, vec![1, 2]));
    }

    #[test]
    fn nobody_is_told_of_success_where_the_transaction_fails() {
        let (mut first, mut told) = unit(1, false);
        let (second, mut never_begun) = unit(2, false);
        let sqlite = SqliteConnection::establish(":memory:").expect("a database");
        let ran = first.run(&mut Conn::Sqlite(sqlite));
        assert_eq!(ran, Ran::Failed, "there is no table");
        for unit in [first, second] {
            unit.answer(Some(DbError::Unreachable("gone".to_owned())));
        }
        for told in [&mut told, &mut never_begun] {
            let told = told.try_recv().expect("it is told");
            assert!(matches!(told, Err(DbError::Unreachable(_))), "{told:?}");
        }
    }
}
