//! One flush: what becomes of each hit, and the row of the log that holds them all.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use diesel::prelude::*;

use crate::app::App;
use crate::clock::{Clock, SiteZone};
use crate::db::{Conn, Timestamp};
use crate::hits::rules::{HIT_ID_SECONDS, MAX_AHEAD_SECONDS, Outcome, Visitor};
use crate::hits::store::{self, Delta, Views};
use crate::hits::{Ask, DaySalts, Hit, Recorded, Target};
use crate::limits::Share;

use super::memory::{Memory, Reads, Visit, Written};

/// What hits are judged by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The site's days.
    pub zone: SiteZone,
    /// How long a visitor's views of one article are one view.
    pub window: Duration,
    /// Now.
    pub clock: Clock,
}

/// What became of a flush.
#[derive(Debug)]
pub struct Flushed {
    /// What became of each hit of each request.
    pub recorded: Vec<Vec<Recorded>>,
    /// What is to be remembered once it is committed.
    pub written: Written,
}

/// A hit on its way to an outcome.
struct Judged<'a> {
    ask: usize,
    hit: &'a Hit,
    article_id: i64,
    outcome: Option<Outcome>,
    /// The visitor, by today's salt.
    visitor: Option<[u8; 16]>,
}

/// Hits whose articles were looked up.
struct Found<'a> {
    judged: Vec<Judged<'a>>,
    /// The hits' places, in the order of their articles.
    order: Vec<usize>,
    /// The articles, in order.
    ids: Vec<i64>,
}

impl Rules {
    /// The service's.
    pub fn of(app: &App) -> Self {
        Self {
            zone: app.config.site.zone,
            window: app.config.hit_window,
            clock: app.clock.clone(),
        }
    }
}

/// Judges hits, and notes their ids and visitors in this transaction. What they add is for the caller to
/// write. Without a transaction, [`diesel::result::Error::NotFound`] where anything is not known.
pub fn flush(
    reads: &mut Reads<'_>,
    memory: &mut Memory,
    asks: &[Ask],
    rules: &Rules,
) -> QueryResult<Flushed> {
    // Taken here: whoever waits has waited for the turn.
    let now = rules.clock.now();
    let today = rules.zone.day(now);
    let Found {
        mut judged,
        order,
        mut ids,
    } = found(reads, memory, asks, now)?;
    judge_alone(&mut judged, asks, now);
    let salts = identify(reads, memory, asks, &mut judged, today)?;
    judge_hit_ids(reads, &mut judged, now)?;
    let counting = Counting {
        asks,
        rules,
        salts: salts.as_deref(),
        now,
    };
    counting.judge_visits(reads, memory, &mut judged)?;
    let (deltas, visits) = counting.add_up(memory, &judged, &order);
    ids.retain(|id| memory.is_public(*id, now));
    memory.count_up(reads, &ids, today)?;
    let recorded = told(memory, asks, &judged, &deltas, today);
    Ok(Flushed {
        recorded,
        written: Written {
            deltas: Arc::new(deltas),
            visits,
            salts,
        },
    })
}

/// Which articles hits are of, and whether these are public.
fn found<'a>(
    reads: &mut Reads<'_>,
    memory: &mut Memory,
    asks: &'a [Ask],
    now: Timestamp,
) -> QueryResult<Found<'a>> {
    let mut judged = Vec::with_capacity(asks.len());
    for (ask, hit) in asks
        .iter()
        .enumerate()
        .flat_map(|(n, ask)| ask.hits.iter().map(move |hit| (n, hit)))
    {
        let article_id = match &hit.target {
            Target::Id(id) => *id,
            // No article has this id.
            Target::Slug(slug) => memory.article_of(reads, slug)?.unwrap_or(0),
        };
        judged.push(Judged {
            ask,
            hit,
            article_id,
            outcome: None,
            visitor: None,
        });
    }
    let mut order: Vec<usize> = (0..judged.len()).collect();
    order.sort_by_key(|at| judged[*at].article_id);
    let mut ids: Vec<i64> = order.iter().map(|at| judged[*at].article_id).collect();
    ids.dedup();
    memory.look_up(reads, &ids)?;
    for judged in &mut judged {
        if !memory.is_public(judged.article_id, now) {
            judged.outcome = Some(Outcome::NotFound);
        }
    }
    Ok(Found { judged, order, ids })
}

/// What is decided by the hit alone.
fn judge_alone(judged: &mut [Judged<'_>], asks: &[Ask], now: Timestamp) {
    let oldest = now.plus_seconds(-HIT_ID_SECONDS);
    let latest = now.plus_seconds(MAX_AHEAD_SECONDS);
    for judged in judged.iter_mut().filter(|j| j.outcome.is_none()) {
        let is_far = judged.hit.at.is_some_and(|at| at < oldest || at > latest);
        // What is over a limit leaves no hit id behind, so that it can be sent again and count then.
        if is_far || judged.hit.share != Share::Judged {
            judged.outcome = Some(Outcome::Rejected);
        } else if asks[judged.ask].is_bot {
            judged.outcome = Some(Outcome::Bot);
        }
    }
}

/// Makes the visitors' hashes of those that may count, where there are any. Returns the day's salts, which
/// are to be remembered once they are committed.
fn identify(
    reads: &mut Reads<'_>,
    memory: &Memory,
    asks: &[Ask],
    judged: &mut [Judged<'_>],
    today: NaiveDate,
) -> QueryResult<Option<Arc<DaySalts>>> {
    if judged.iter().all(|j| j.outcome.is_some()) {
        return Ok(None);
    }
    let known = memory.salts.as_ref().filter(|salts| salts.day == today);
    let salts = match known {
        Some(salts) => Arc::clone(salts),
        None => Arc::new(DaySalts::find_or_make(reads.conn()?, today)?),
    };
    let mut last: Option<(usize, Option<[u8; 16]>)> = None;
    for judged in judged.iter_mut().filter(|j| j.outcome.is_none()) {
        judged.visitor = match (&judged.hit.visitor, last) {
            (Some(visitor), _) => Some(visitor.hash(&salts.own)),
            (None, Some((ask, hash))) if ask == judged.ask => hash,
            (None, _) => {
                let viewer = asks[judged.ask].visitor.as_ref();
                let hash = viewer.map(|visitor: &Visitor| visitor.hash(&salts.own));
                last = Some((judged.ask, hash));
                hash
            }
        };
    }
    Ok(Some(salts))
}

/// What was noted in the last 7 days is a duplicate; the rest is noted.
fn judge_hit_ids(
    reads: &mut Reads<'_>,
    judged: &mut [Judged<'_>],
    now: Timestamp,
) -> QueryResult<()> {
    let wanted: BTreeSet<(i64, &str)> = judged
        .iter()
        .filter(|j| j.outcome.is_none())
        .filter_map(|j| Some((j.article_id, j.hit.hit_id.as_deref()?)))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let wanted: Vec<(i64, &str)> = wanted.into_iter().collect();
    let mut fresh = store::note_hit_ids(reads.conn()?, &wanted, now)?;
    for judged in judged.iter_mut().filter(|j| j.outcome.is_none()) {
        if let Some(hit_id) = &judged.hit.hit_id
            && !fresh.remove(&(judged.article_id, hit_id.clone()))
        {
            judged.outcome = Some(Outcome::Duplicate);
        }
    }
    Ok(())
}

/// Deciding what counts, and counting it.
struct Counting<'a> {
    asks: &'a [Ask],
    rules: &'a Rules,
    salts: Option<&'a DaySalts>,
    now: Timestamp,
}

impl Counting<'_> {
    /// A visitor's views of one article within the window are one view.
    fn judge_visits(
        &self,
        reads: &mut Reads<'_>,
        memory: &Memory,
        judged: &mut [Judged<'_>],
    ) -> QueryResult<()> {
        if self.rules.window.is_zero() {
            return Ok(());
        }
        let window = i64::try_from(self.rules.window.as_millis()).unwrap_or(i64::MAX);
        let since = Timestamp::from_millis(self.now.millis().saturating_sub(window));
        let since = since.unwrap_or(self.now);
        let mut near: HashMap<(usize, Visit), Vec<i64>> = HashMap::new();
        let mut wanted: BTreeSet<Visit> = BTreeSet::new();
        for judged in judged.iter_mut().filter(|j| j.outcome.is_none()) {
            let Some(visit) = visit(judged) else { continue };
            if let Some(at) = judged.hit.at {
                // What happened without a connection is compared with its own batch only.
                let seen = near.entry((judged.ask, visit)).or_default();
                if seen
                    .iter()
                    .any(|other| (other - at.millis()).abs() < window)
                {
                    judged.outcome = Some(Outcome::Duplicate);
                } else {
                    seen.push(at.millis());
                }
            } else {
                match memory.last_visit(&visit) {
                    Some(last) if last > since => judged.outcome = Some(Outcome::Duplicate),
                    _ => drop(wanted.insert(visit)),
                }
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let conn = reads.conn()?;
        let known = self.known_by_yesterday(conn, judged, since)?;
        let wanted: Vec<Visit> = wanted.into_iter().filter(|v| !known.contains(v)).collect();
        let mut fresh = store::note_visits(conn, &wanted, self.now, since)?;
        let of_now = |j: &&mut Judged<'_>| j.outcome.is_none() && j.hit.at.is_none();
        for judged in judged.iter_mut().filter(of_now) {
            if let Some(visit) = visit(judged)
                && !fresh.remove(&visit)
            {
                judged.outcome = Some(Outcome::Duplicate);
            }
        }
        Ok(())
    }

    /// Who came just before midnight is known by the hash of the day before.
    fn known_by_yesterday(
        &self,
        conn: &mut Conn,
        judged: &[Judged<'_>],
        since: Timestamp,
    ) -> QueryResult<HashSet<Visit>> {
        let before = self.salts.and_then(|salts| salts.before.as_ref());
        let (Some(before), true) = (
            before,
            since < self.rules.zone.start_of_day(self.rules.zone.day(self.now)),
        ) else {
            return Ok(HashSet::new());
        };
        let mut of_today: HashMap<Visit, Visit> = HashMap::new();
        for judged in judged.iter().filter(|j| j.outcome.is_none()) {
            let visitor = judged.hit.visitor.as_ref();
            let visitor = visitor.or(self.asks[judged.ask].visitor.as_ref());
            if let (Some(visit), Some(visitor)) = (visit(judged), visitor) {
                of_today.insert((visit.0, visitor.hash(before)), visit);
            }
        }
        let wanted: Vec<Visit> = of_today.keys().copied().collect();
        let found = store::visited(conn, &wanted, since)?;
        Ok(found
            .iter()
            .filter_map(|visit| of_today.get(visit))
            .copied()
            .collect())
    }

    /// Adds up what became of the hits, by ascending article; and tells who was there.
    fn add_up(
        &self,
        memory: &Memory,
        judged: &[Judged<'_>],
        order: &[usize],
    ) -> (Vec<Delta>, Vec<(Visit, Timestamp)>) {
        let zone = self.rules.zone;
        let slot = |at| (zone.day(at), zone.start_of_hour(at));
        let slot_of_now = slot(self.now);
        let mut deltas: Vec<Delta> = Vec::new();
        let mut visits = Vec::new();
        let mut new_today: HashSet<Visit> = HashSet::new();
        for judged in order.iter().map(|at| &judged[*at]) {
            let outcome = judged.outcome.unwrap_or(Outcome::Counted);
            if outcome == Outcome::NotFound || judged.hit.share == Share::Unnoted {
                continue;
            }
            let delta = last_of(&mut deltas, judged.article_id);
            match outcome {
                Outcome::Duplicate => delta.duplicate += 1,
                Outcome::Bot => delta.bot += 1,
                Outcome::Rejected => delta.rejected += 1,
                Outcome::Counted | Outcome::NotFound => {
                    let at = judged.hit.at.unwrap_or(self.now).min(self.now);
                    delta.last_at = delta.last_at.max(Some(at.millis()));
                    let is_now = judged.hit.at.is_none();
                    let (day, hour) = if is_now { slot_of_now } else { slot(at) };
                    let mut views = Views::new(day, hour, judged.hit.client, 1);
                    if let Some(visit) = visit(judged) {
                        let is_known = is_now
                            && memory
                                .last_visit(&visit)
                                .is_some_and(|last| zone.day(last) == day);
                        if !is_known && (!is_now || new_today.insert(visit)) {
                            views.visitors.push(short(visit.1));
                        }
                        if is_now {
                            visits.push((visit, self.now));
                        }
                    }
                    delta.add(views);
                }
            }
        }
        (deltas, visits)
    }
}

/// The last one, which is made one of this article.
fn last_of(deltas: &mut Vec<Delta>, article_id: i64) -> &mut Delta {
    if deltas
        .last()
        .is_none_or(|last| last.article_id != article_id)
    {
        deltas.push(Delta::of(article_id));
    }
    let last = deltas.len() - 1;
    &mut deltas[last]
}

fn visit(judged: &Judged<'_>) -> Option<Visit> {
    judged.visitor.map(|visitor| (judged.article_id, visitor))
}

/// What a sketch takes of a hash.
fn short(visitor: [u8; 16]) -> u64 {
    let (first, _) = visitor.split_at(8);
    first
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// What became of each hit, with its article's count: those counted before it included, and itself.
fn told(
    memory: &Memory,
    asks: &[Ask],
    judged: &[Judged<'_>],
    deltas: &[Delta],
    today: NaiveDate,
) -> Vec<Vec<Recorded>> {
    // A batch is told of as a whole: its hits all have the counts that it ends with.
    let more = |id: i64| match deltas.binary_search_by_key(&id, |delta| delta.article_id) {
        Ok(at) => (deltas[at].counted(), deltas[at].between(today, today)),
        Err(_) => (0, 0),
    };
    let mut recorded: Vec<Vec<Recorded>> = asks
        .iter()
        .map(|ask| Vec::with_capacity(ask.hits.len()))
        .collect();
    for judged in judged {
        let (total, today) = memory.count(judged.article_id);
        let (more, more_today) = more(judged.article_id);
        recorded[judged.ask].push(Recorded {
            article_id: judged.article_id,
            outcome: judged.outcome.unwrap_or(Outcome::Counted),
            total: total + more,
            today: today + more_today,
        });
    }
    recorded
}
