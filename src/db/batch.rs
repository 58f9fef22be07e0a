//! Writers of content share transactions: units that wait for their turn are run one after the other in the
//! transaction of the first, each behind a savepoint, and committed together. So the disk, or the lock that
//! nodes share, is waited for once for all of them. Nobody is answered before the commit.

use std::time::{Duration, Instant};

use diesel::connection::TransactionManager;
use diesel::prelude::*;
use diesel::result::Error;
use tokio::sync::oneshot::Sender;
use tracing::Span;

use super::{Conn, DbError, content, purges};

/// How long a transaction takes in further units, at the longest: the first one waits for them.
pub(super) const TAKES_IN: Duration = Duration::from_millis(10);

type Manager = <Conn as Connection>::TransactionManager;

/// A unit of writing, with whoever waits for it.
pub(super) trait Unit: Send {
    /// Runs it; whether it succeeded.
    fn run(&mut self, conn: &mut Conn) -> bool;

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
}

impl<T, E, F> Unit for Asked<T, E, F>
where
    T: Send,
    E: From<DbError> + From<Error> + Send,
    F: FnOnce(&mut Conn) -> Result<T, E> + Send,
{
    fn run(&mut self, conn: &mut Conn) -> bool {
        let (names, work) = (self.names_purges, self.work.take());
        let done = work.map(|work| self.span.in_scope(|| purges::named(conn, names, work)));
        let succeeded = matches!(done, Some(Ok(_)));
        self.done = done;
        succeeded
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
    for unit in units.iter_mut() {
        // Not behind a savepoint: mostly there is no other.
        if !unit.run(conn) {
            return Err(Undone::ByUnit);
        }
    }
    while began.elapsed() < takes_in {
        let Some(unit) = next() else { break };
        units.push(unit);
        Manager::begin_transaction(conn)?;
        let succeeded = units.last_mut().is_some_and(|unit| unit.run(conn));
        if succeeded {
            Manager::commit_transaction(conn)?;
        } else {
            Manager::rollback_transaction(conn)?;
            content::sections_changed();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use diesel::connection::SimpleConnection;
    use diesel::sql_types::BigInt;
    use tokio::sync::oneshot::{Receiver, channel};

    use super::*;

    type Told = Receiver<Result<i64, DbError>>;

    /// A unit that adds a number, and fails then where that is negative.
    fn unit(number: i64) -> (Box<dyn Unit>, Told) {
        let (reply, told) = channel();
        let work = move |conn: &mut Conn| {
            let sql = format!("INSERT INTO numbers VALUES ({number})");
            diesel::sql_query(sql).execute(conn)?;
            (number >= 0).then_some(number).ok_or(DbError::Busy)
        };
        let asked = Asked {
            work: Some(work),
            done: None,
            reply,
            span: Span::none(),
            names_purges: false,
        };
        (Box::new(asked), told)
    }

    /// Runs these in one transaction: what it came to, what is stored then, and what each was told.
    fn together(numbers: &[i64]) -> (bool, Vec<i64>, Vec<Option<i64>>) {
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
            .batch_execute("CREATE TABLE numbers (number INTEGER NOT NULL)")
            .expect("a table");
        let (units, told): (VecDeque<_>, Vec<_>) =
            numbers.iter().map(|number| unit(*number)).unzip();
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
        assert_eq!(together(&[1, -2, 3, -4, 5]), (true, vec![1, 3, 5], told));
        // The first has no savepoint: it fails with the transaction, before another one begins.
        assert_eq!(together(&[-1, 2]), (false, vec![], vec![None, None]));
    }

    #[test]
    fn nobody_is_told_of_success_where_the_transaction_fails() {
        let (mut first, mut told) = unit(1);
        let (second, mut never_begun) = unit(2);
        let sqlite = SqliteConnection::establish(":memory:").expect("a database");
        assert!(!first.run(&mut Conn::Sqlite(sqlite)), "there is no table");
        for unit in [first, second] {
            unit.answer(Some(DbError::Unreachable("gone".to_owned())));
        }
        for told in [&mut told, &mut never_begun] {
            let told = told.try_recv().expect("it is told");
            assert!(matches!(told, Err(DbError::Unreachable(_))), "{told:?}");
        }
    }
}
