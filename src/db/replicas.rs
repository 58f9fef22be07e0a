//! Copies of PostgreSQL that delivery reads from.
//!
//! A streaming replica is some milliseconds behind, or hours. So each unit first asks it, in its snapshot,
//! how far the change log goes there: where that is less than this node knows of, the unit is given up, and
//! the primary is asked. A node therefore never shows less than it has shown or acknowledged before, and
//! what is kept of an answer is as good as the primary's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::web;
use tokio::sync::OwnedSemaphorePermit;
use tracing::dispatcher::{self, Dispatch};

use super::dialect::{self, Kind, Outcome};
use super::pool::{Lane, Manager};
use super::{Conn, Content, DbError, DbSettings, DbUrl};

/// How long a replica is left out that can't be reached, or does not answer.
const AWAY: Duration = Duration::from_secs(5);
/// How long one is left out that is behind: at first, mostly about as long as it takes to catch up, and
/// at the longest, after twice as long each time.
const BEHIND: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// How long a reader waits for a connection to a replica.
const CONNECT_WITHIN: Duration = Duration::from_millis(250);
/// How long a reader waits for the whole answer of a replica.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// All replicas, used in turn.
pub struct Replicas {
    all: Vec<Arc<Replica>>,
    next: AtomicUsize,
}

struct Replica {
    /// Its place in the setting, from 1.
    number: usize,
    url: DbUrl,
    lane: Lane,
    rest: Mutex<Option<Rest>>,
}

/// That a replica is left out.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    length: Duration,
    /// Whether it could not be reached, which is logged; else it is behind.
    is_away: bool,
}

impl Rest {
    fn begin(is_away: bool) -> Self {
        let length = if is_away { AWAY } else { BEHIND.0 };
        Self {
            until: Instant::now() + length,
            length,
            is_away,
        }
    }

    /// Whether it is over: then it begins anew, unless whoever asked finds the replica good.
    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        let is_over = self.until <= now;
        if is_over {
            let longest = if self.is_away { AWAY } else { BEHIND.1 };
            self.length = longest.min(2 * self.length);
            self.until = now + self.length;
        }
        is_over
    }
}

/// A replica and one of its connections, for one unit.
pub struct Turn {
    replica: Arc<Replica>,
    permit: OwnedSemaphorePermit,
}

/// What became of a unit on a replica.
pub enum Tried<T> {
    /// It was read.
    Read(T),
    /// The replica lacks something that this node knows of.
    Behind,
    /// The work failed, or can't be done there: what the primary says counts.
    Failed,
    /// The replica can't be reached, or is none: what is wrong.
    Away(String),
}

impl Replicas {
    /// Sets up the pools. Connects to nothing yet.
    pub fn new(settings: &DbSettings) -> Self {
        let replicas = settings.replicas.iter().zip(1..);
        let all = replicas.map(|(url, number)| {
            let manager = Manager::new(url, true, settings.wait);
            Arc::new(Replica {
                number,
                url: url.clone(),
                lane: Lane::of_replica(manager, settings.pool_size, AWAY, CONNECT_WITHIN),
                rest: Mutex::default(),
            })
        });
        Self {
            all: all.collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The next replica that is not left out and has a connection to spare.
    pub fn next(&self) -> Option<Turn> {
        let count = self.all.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..count).find_map(|place| {
            let replica = &self.all[first.wrapping_add(place) % count];
            let permit = Arc::clone(&replica.lane.permits).try_acquire_owned().ok()?;
            replica.may_be_asked().then(|| Turn {
                replica: Arc::clone(replica),
                permit,
            })
        })
    }
}

impl Turn {
    /// Runs a unit of reading, which is told how far the change log goes in what it sees.
    pub async fn read<T, F>(self, content: &Content, work: F) -> Tried<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn, i64) -> Option<T> + Send + 'static,
    {
        let Self { replica, permit } = self;
        let (shared, content) = (Arc::clone(&replica), content.clone());
        let reading = web::block(move || {
            // It goes with the work, which goes on when nobody waits for it any more.
            let _held = permit;
            // Nothing is wrong for anybody yet: what goes wrong is logged once it does on the primary, too.
            dispatcher::with_default(&Dispatch::none(), || shared.read(&content, work))
        });
        let tried = match tokio::time::timeout(ANSWER_WITHIN, reading).await {
            Ok(Ok(tried)) => tried,
            Ok(Err(_)) => Tried::Failed,
            Err(_) => Tried::Away("it does not answer".to_owned()),
        };
        replica.note(&tried);
        tried
    }
}

/// Why nothing was read.
enum Refusal {
    Behind,
    Failed,
    Away(String),
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        Self::Away(error.to_string())
    }
}

impl From<diesel::result::Error> for Refusal {
    fn from(error: diesel::result::Error) -> Self {
        Self::Away(error.to_string())
    }
}

impl Replica {
    fn read<T>(
        &self,
        content: &Content,
        work: impl FnOnce(&mut Conn, i64) -> Option<T>,
    ) -> Tried<T> {
        let work = |conn: &mut Conn| {
            let known = content.generation();
            // A server of its own, as one becomes that is promoted, may have anything in its change log.
            let Some(generation) = dialect::replicated_generation(conn)? else {
                return Err(Refusal::Away("it is no replica".to_owned()));
            };
            if generation < known {
                return Err(Refusal::Behind);
            }
            content.look(conn)?;
            work(conn, generation).ok_or(Refusal::Failed)
        };
        match self.lane.try_work(Kind::Read, Duration::ZERO, work) {
            Outcome::Done(Ok(read)) => Tried::Read(read),
            Outcome::Done(Err(Refusal::Behind)) => Tried::Behind,
            Outcome::Done(Err(Refusal::Failed)) => Tried::Failed,
            Outcome::Done(Err(Refusal::Away(why))) | Outcome::Broken(Refusal::Away(why)) => {
                Tried::Away(why)
            }
            Outcome::Broken(_) => Tried::Away("the connection broke".to_owned()),
            Outcome::NotBegun(error) => Tried::Away(error.to_string()),
        }
    }

    /// Whether it is not left out, or has been for long enough: then one reader finds out.
    fn may_be_asked(&self) -> bool {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.as_mut().is_none_or(Rest::is_over)
    }

    /// Leaves it out for a while, or no longer.
    fn note<T>(&self, tried: &Tried<T>) {
        let is_away = matches!(tried, Tried::Away(_));
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let was_away = rest.is_some_and(|rest| rest.is_away);
        *rest = match tried {
            Tried::Read(_) | Tried::Failed => None,
            Tried::Behind | Tried::Away(_) => rest
                .filter(|rest| rest.is_away == is_away)
                .or_else(|| Some(Rest::begin(is_away))),
        };
        drop(rest);
        let (number, url) = (self.number, &self.url);
        match tried {
            Tried::Away(why) if !was_away => {
                tracing::info!(number, ?url, why, "a replica is left out");
            }
            Tried::Away(_) => {}
            _ if was_away => tracing::info!(number, ?url, "a replica is used again"),
            _ => {}
        }
    }
}
