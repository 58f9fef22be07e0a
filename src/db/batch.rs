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

/// Runs the first unit, and those that come while it lasts. All that have begun are left in `units`.
pub(super) fn run(
    conn: &mut Conn,
    units: &mut Vec<Box<dyn Unit>>,
    next: impl Fn() -> Option<Box<dyn Unit>>,
) -> Result<(), Undone> {
    let began = Instant::now();
    for unit in units.iter_mut() {
        // Not behind a savepoint: mostly there is no other.
        if !unit.run(conn) {
            return Err(Undone::ByUnit);
        }
    }
    while began.elapsed() < TAKES_IN {
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
