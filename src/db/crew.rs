//! Threads that take jobs from a line, in the order in which these came.
//!
//! A thread that is done goes on with the next job at once. Between two of them nobody is woken and nothing
//! is handed over, which for a short read would cost as much as the read.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

/// How long a thread waits for another job before it ends.
const LINGER: Duration = Duration::from_secs(10);

/// Some threads and the line of jobs before them. Dropped, it takes no more jobs; what is in the line is
/// still done.
pub(super) struct Crew<J: Send + 'static>(Arc<Shared<J>>);

/// What the threads share.
pub(super) struct Shared<J> {
    name: &'static str,
    size: usize,
    waiting: Gauge,
    line: Mutex<Line<J>>,
    came: Condvar,
    work: fn(J, &Self),
}

struct Line<J> {
    jobs: VecDeque<(Arc<Ticket>, J)>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

/// The line is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A job's place in the line: taken by the thread that begins it, or by whoever gives it up.
struct Ticket {
    is_taken: AtomicBool,
    /// Counts the job as long as it waits; `None`: there was a thread for it.
    waiting: Option<Gauge>,
}

impl Ticket {
    fn take(&self) -> bool {
        let is_first = !self.is_taken.swap(true, Ordering::AcqRel);
        if is_first && let Some(waiting) = &self.waiting {
            waiting.dec();
        }
        is_first
    }
}

/// A job in the line, for whoever asked for it. Dropped before it has begun, it is never begun.
pub(super) struct Place(Arc<Ticket>);

impl Place {
    /// Gives the job up; whether it had not begun.
    pub(super) fn give_up(&self) -> bool {
        self.0.take()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<J: Send + 'static> Crew<J> {
    /// At most `size` threads, which are started when they are needed. `work` may take further jobs by
    /// [`Shared::next`]. `waiting` counts the jobs that wait.
    pub(super) fn new(
        name: &'static str,
        size: usize,
        waiting: &Gauge,
        work: fn(J, &Shared<J>),
    ) -> Self {
        Self(Arc::new(Shared {
            name,
            size,
            waiting: waiting.clone(),
            line: Mutex::new(Line {
                jobs: VecDeque::new(),
                threads: 0,
                idle: 0,
                is_closed: false,
            }),
            came: Condvar::new(),
            work,
        }))
    }

    /// Stands in the line. Where there is no thread for it and so many wait already, it is refused.
    pub(super) fn join(&self, job: J, limit: Option<usize>) -> Result<Place, Full> {
        let shared = &self.0;
        let mut line = shared.lock();
        let is_idle = line.jobs.len() < line.idle;
        let is_new = !is_idle && line.threads < shared.size;
        let mut waiting = None;
        if !is_idle && !is_new {
            let before = usize::try_from(shared.waiting.get()).unwrap_or(0);
            if limit.is_some_and(|limit| before >= limit) {
                return Err(Full);
            }
            shared.waiting.inc();
            waiting = Some(shared.waiting.clone());
        }
        let ticket = Arc::new(Ticket {
            is_taken: AtomicBool::new(false),
            waiting,
        });
        line.jobs.push_back((Arc::clone(&ticket), job));
        if is_new {
            let own = Arc::clone(shared);
            let thread = std::thread::Builder::new().name(shared.name.to_owned());
            if thread.spawn(move || own.run()).is_ok() {
                line.threads += 1;
            } else if line.threads == 0 {
                line.jobs.pop_back();
                return Err(Full);
            }
        }
        drop(line);
        if is_idle {
            shared.came.notify_one();
        }
        Ok(Place(ticket))
    }
}

impl<J: Send + 'static> Drop for Crew<J> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.came.notify_all();
    }
}

impl<J> Shared<J> {
    fn lock(&self) -> MutexGuard<'_, Line<J>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, where one waits.
    pub(super) fn next(&self) -> Option<J> {
        let mut past = Vec::new();
        let mut line = self.lock();
        let job = line.pop(&mut past);
        drop(line);
        job
    }

    fn run(&self) {
        while let Some(job) = self.wait() {
            // Whoever asked for it is told by its answer, which is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| (self.work)(job, self)));
        }
    }

    /// The next job; `None` where the thread ends.
    fn wait(&self) -> Option<J> {
        let mut past = Vec::new();
        let mut line = self.lock();
        loop {
            let job = line.pop(&mut past);
            if !past.is_empty() {
                drop(line);
                past.clear();
                line = self.lock();
            }
            if job.is_some() {
                return job;
            }
            if !line.jobs.is_empty() {
                continue;
            }
            if line.is_closed {
                line.threads -= 1;
                return None;
            }
            line.idle += 1;
            let waited = self.came.wait_timeout(line, LINGER);
            let (again, time) = waited.unwrap_or_else(PoisonError::into_inner);
            line = again;
            line.idle -= 1;
            if time.timed_out() && line.jobs.is_empty() {
                line.threads -= 1;
                return None;
            }
        }
    }
}

impl<J> Line<J> {
    /// The first job that nobody has given up. Those before it are left in `past`, to be dropped without the
    /// lock: the last of what they hold may be the crew itself.
    fn pop(&mut self, past: &mut Vec<J>) -> Option<J> {
        loop {
            let (ticket, job) = self.jobs.pop_front()?;
            if ticket.take() {
                return Some(job);
            }
            past.push(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Tells its number, and waits until it may go on.
    struct Job {
        number: usize,
        begun: Sender<usize>,
        go_on: Receiver<()>,
    }

    struct Desk {
        crew: Crew<Job>,
        waiting: Gauge,
        told: (Sender<usize>, Receiver<usize>),
    }

    impl Desk {
        fn new(size: usize) -> Self {
            let waiting = Gauge::default();
            let crew = Crew::new("test", size, &waiting, |job: Job, _: &Shared<Job>| {
                job.begun.send(job.number).expect("the test listens");
                job.go_on.recv().expect("it is told");
            });
            Self {
                crew,
                waiting,
                told: channel(),
            }
        }

        fn join(&self, number: usize, limit: usize) -> Result<(Place, Sender<()>), Full> {
            let (go_on, told) = channel();
            let job = Job {
                number,
                begun: self.told.0.clone(),
                go_on: told,
            };
            let place = self.crew.join(job, Some(limit))?;
            Ok((place, go_on))
        }

        fn begun(&self) -> usize {
            self.told.1.recv().expect("one begins")
        }
    }

    #[test]
    fn jobs_are_begun_in_order_and_not_when_they_are_given_up() {
        let desk = Desk::new(1);
        let mut jobs: Vec<_> = (0..5)
            .map(|number| desk.join(number, 10).expect("room"))
            .collect();
        assert_eq!(desk.begun(), 0);
        assert_eq!(desk.waiting.get(), 4);
        assert!(!jobs[0].0.give_up());
        assert!(jobs[2].0.give_up());
        drop(jobs.remove(3));
        assert_eq!(desk.waiting.get(), 2);
        for (place, begun) in [(0, 1), (1, 4)] {
            jobs[place].1.send(()).expect("it waits");
            assert_eq!(desk.begun(), begun);
        }
        assert_eq!(desk.waiting.get(), 0);
        jobs[3].1.send(()).expect("it waits");
    }

    #[test]
    fn no_more_wait_than_may() {
        let desk = Desk::new(2);
        let jobs: Vec<_> = (0..3)
            .map(|number| desk.join(number, 1).expect("room"))
            .collect();
        assert_eq!(desk.join(3, 1).err(), Some(Full));
        assert!(jobs[2].0.give_up());
        let last = desk.join(4, 1).expect("room again");
        let mut begun = [desk.begun(), desk.begun()];
        begun.sort_unstable();
        assert_eq!(begun, [0, 1]);
        for go_on in [&jobs[0].1, &jobs[1].1, &last.1] {
            go_on.send(()).expect("it waits");
        }
        assert_eq!(desk.begun(), 4);
    }

    #[test]
    fn a_panic_ends_one_job_alone() {
        let waiting = Gauge::default();
        let (told, hear) = channel();
        let crew = Crew::new("test", 1, &waiting, |job: Sender<i32>, _: &Shared<_>| {
            let sent = job.send(1);
            sent.expect("nobody listens to the first");
        });
        let (deaf, gone) = channel();
        drop(gone);
        let _first = crew.join(deaf, None).expect("room");
        let _second = crew.join(told, None).expect("room");
        assert_eq!(hear.recv(), Ok(1));
    }
}
