//! How far the content is that this node knows of: what its caches are good for.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use diesel::dsl::max;
use diesel::prelude::*;
use tokio::sync::watch::{Receiver, Sender};

use super::schema::changes;
use super::{Conn, dialect};
use crate::each;
use crate::slugs::Resource;

/// Among how many marks the articles that change are divided.
const MARKS: usize = 4096;
/// After how many changes at once all is taken for changed.
const MAX_NEWS: usize = 1000;

/// Which state of the content this node knows of; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Content(Arc<State>);

#[derive(Debug)]
struct State {
    epoch: AtomicU64,
    /// The epoch of the last change that was not of single articles alone.
    all: AtomicU64,
    /// The epoch of the last change of an article, by its id's remainder.
    articles: Vec<AtomicU64>,
    /// The last row of the change log that the node knows of. Locked until the epoch has grown with it:
    /// whoever finds that a row is known finds no answer of before, either.
    generation: Mutex<i64>,
    /// The epoch, for those who wait for the next one.
    changed: Sender<u64>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            epoch: AtomicU64::new(0),
            all: AtomicU64::new(0),
            articles: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            generation: Mutex::new(0),
            changed: Sender::new(0),
        }
    }
}

/// What the change log has beyond what a node knew of.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    generation: i64,
    /// The articles that changed; `None`: others, too, or very many.
    articles: Option<Vec<i64>>,
}

impl News {
    fn of(added: Added) -> Self {
        Self {
            generation: added.to,
            articles: added.articles.filter(|ids| ids.len() < MAX_NEWS),
        }
    }

    /// What came after a row.
    pub fn after(conn: &mut Conn, known: i64) -> QueryResult<Option<Self>> {
        let limit = i64::try_from(MAX_NEWS).unwrap_or(i64::MAX);
        let rows: Vec<(i64, String, i64)> = changes::table
            .filter(changes::seq.gt(known))
            .order(changes::seq.desc())
            .limit(limit)
            .select((changes::seq, changes::resource, changes::entity_id))
            .load(conn)?;
        let is_article = |resource: &str| resource == Resource::Article.name();
        let are_articles = rows.iter().all(|(_, resource, _)| is_article(resource));
        let is_whole = are_articles && rows.len() < MAX_NEWS;
        let newest = rows.first().map(|(seq, ..)| *seq);
        Ok(newest.map(|generation| Self {
            generation,
            articles: is_whole.then(|| rows.iter().map(|(.., id)| *id).collect()),
        }))
    }
}

impl Content {
    /// A number that grows whenever the node learns of a change. What was read from the database after
    /// it was asked for has all that the node knew of then.
    pub fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::SeqCst)
    }

    /// The epoch since which an article and all sections are as they are, at the latest.
    pub fn unchanged_since(&self, article_id: i64) -> u64 {
        let all = self.0.all.load(Ordering::SeqCst);
        all.max(self.mark(article_id).load(Ordering::SeqCst))
    }

    fn mark(&self, article_id: i64) -> &AtomicU64 {
        // The remainder is below the length.
        &self.0.articles[article_id.unsigned_abs() as usize % MARKS]
    }

    /// The last row of the change log that the node knows of. Asked for after the epoch, it is not older.
    pub fn generation(&self) -> i64 {
        let known = self.0.generation.lock();
        *known.unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns what is committed, and to be seen by whoever reads from now on.
    pub fn learn(&self, news: &News) {
        let known = self.0.generation.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if *known >= news.generation {
            // Whoever learned of it has marked what it has of it.
            return;
        }
        let epoch = self.epoch() + 1;
        match &news.articles {
            Some(ids) => {
                let marks = ids.iter().map(|id| self.mark(*id));
                marks.for_each(|mark| mark.store(epoch, Ordering::SeqCst));
            }
            None => self.0.all.store(epoch, Ordering::SeqCst),
        }
        *known = news.generation;
        self.0.epoch.store(epoch, Ordering::SeqCst);
        self.0.changed.send_replace(epoch);
    }

    /// How far the change log goes in what a unit of work sees; learns what is new in it.
    pub fn look(&self, conn: &mut Conn) -> QueryResult<i64> {
        let (generation, known) = (generation(conn)?, self.generation());
        if generation > known
            && let Some(news) = News::after(conn, known)?
        {
            self.learn(&news);
        }
        Ok(generation)
    }

    /// Tells whenever the node has learned of a change.
    pub fn changed(&self) -> Receiver<u64> {
        self.0.changed.subscribe()
    }
}

/// What a transaction has added to the change log.
#[derive(Debug, Default)]
struct Added {
    /// The newest row before it; `None`: nobody had looked, or some of it may have been undone.
    from: Option<i64>,
    to: i64,
    /// The articles; `None`: others, too.
    articles: Option<Vec<i64>>,
}

thread_local! {
    /// What the transaction on this thread has added.
    static ADDED: RefCell<Option<Added>> = const { RefCell::new(None) };

    /// The newest row as the writing transaction on this thread has it, once it has looked.
    static LAST: Cell<Option<i64>> = const { Cell::new(None) };

    /// The newest row as the writing transaction before left it.
    static LEFT: Cell<Option<i64>> = const { Cell::new(None) };

    /// A number for each state of the sections that transactions on this thread have seen.
    static SECTIONS: Cell<u64> = const { Cell::new(0) };
}

/// The newest `seq` of the change log in the writing transaction on this thread: nobody else adds to it.
pub fn last(conn: &mut Conn) -> QueryResult<i64> {
    if let Some(last) = LAST.get() {
        return Ok(last);
    }
    let last = generation(conn)?;
    if LEFT.get() != Some(last) {
        // Others have written since.
        sections_changed();
    }
    LAST.set(Some(last));
    Ok(last)
}

/// Notes that the transaction on this thread has added entries of such resources to the change log, up to
/// this `seq`. Whoever undoes some of that calls [`undone`].
pub fn note_added(resource: Resource, ids: impl IntoIterator<Item = i64>, to: i64) {
    let from = LAST.replace(Some(to));
    ADDED.with_borrow_mut(|added| {
        let added = added.get_or_insert_with(|| Added {
            from,
            to,
            articles: Some(Vec::new()),
        });
        added.to = to;
        match (&mut added.articles, resource) {
            (Some(articles), Resource::Article) => articles.extend(ids),
            (articles, _) => *articles = None,
        }
    });
    if resource == Resource::Section {
        sections_changed();
    }
}

/// Notes that the sections may be others than the transaction on this thread has seen.
fn sections_changed() {
    SECTIONS.set(SECTIONS.get() + 1);
}

/// Notes that some of what the transaction on this thread has written was undone.
pub(super) fn undone() {
    LAST.set(None);
    LEFT.set(None);
    sections_changed();
    ADDED.with_borrow_mut(|added| {
        if let Some(added) = added {
            added.from = None;
        }
    });
}

/// In a writing transaction that has asked for [`last`]: as long as it is the same, so are the sections.
pub fn sections_seen() -> u64 {
    SECTIONS.get()
}

/// Runs a part of the writing transaction on this thread behind a savepoint: where it fails, it is undone
/// alone.
pub fn part<T, E: From<diesel::result::Error>>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    conn.transaction(work).inspect_err(|_| undone())
}

/// Runs work of a transaction that writes, and tells what is new in the change log where it has added to
/// it; other nodes of PostgreSQL are told by the commit.
pub(super) fn watched<T, E: From<diesel::result::Error>>(
    conn: &mut Conn,
    content: &Content,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<(T, Option<News>), E> {
    LEFT.set(LAST.take());
    ADDED.take();
    let done = work(conn).inspect_err(|_| undone())?;
    let Some(added) = ADDED.take() else {
        return Ok((done, None));
    };
    let news = match added.from {
        Some(from) if from == content.generation() => Some(News::of(added)),
        // What counts is what is there in the end.
        _ => News::after(conn, content.generation())?,
    };
    if let Some(news) = &news {
        dialect::notify(conn, news.generation)?;
    }
    Ok((done, news))
}

/// The newest `seq` of the change log: the generation of the content. 0 in an empty log.
pub fn generation(conn: &mut Conn) -> QueryResult<i64> {
    let newest = changes::table.select(max(changes::seq));
    let last: Option<i64> = each!(conn, c => newest.first(c))?;
    Ok(last.unwrap_or(0))
}
