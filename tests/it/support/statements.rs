//! The statements that the service sends to a database, for facts about plans and their number.

use std::collections::HashMap;
use std::sync::{Mutex, Once, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

/// What was sent to each database that is watched, by its URL as diesel has it.
static SENT: Mutex<Option<HashMap<String, Vec<String>>>> = Mutex::new(None);
static INSTALL: Once = Once::new();

/// Notes the statements of one connection.
struct Recorder {
    url: String,
}

impl Instrumentation for Recorder {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => self.url = url.to_owned(),
            InstrumentationEvent::StartQuery { query, .. } => {
                let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(list) = sent.as_mut().and_then(|sent| sent.get_mut(&self.url)) {
                    let text = query.to_string();
                    list.push(
                        text.split(" -- binds")
                            .next()
                            .unwrap_or_default()
                            .to_owned(),
                    );
                }
            }
            _ => {}
        }
    }
}

/// The statements sent to one database from the watch's beginning on.
pub struct Watch {
    url: String,
}

impl Watch {
    /// Begins to watch the database. Only connections made later are seen: begin before the node
    /// starts.
    pub fn begin(url: &str) -> Self {
        INSTALL.call_once(|| {
            set_default_instrumentation(|| Some(Box::new(Recorder { url: String::new() })))
                .expect("nothing else sets it");
        });
        let url = url.strip_prefix("sqlite://").unwrap_or(url).to_owned();
        let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get_or_insert_with(HashMap::new)
            .insert(url.clone(), Vec::new());
        Self { url }
    }

    /// What was sent since the last call, transactions' own statements aside, and those that a node
    /// sends by itself: looking the signing keys up every 10 seconds, and how far the change log goes
    /// every second.
    pub fn take(&self) -> Vec<String> {
        let mut taken = self.take_all();
        taken.retain(|sql| !looks_keys_up(sql));
        taken
    }

    /// The same with those that look the signing keys up.
    pub fn take_all(&self) -> Vec<String> {
        self.take_whole()
            .into_iter()
            .filter(|sql| sql.starts_with("SELECT") || sql.starts_with("WITH"))
            .filter(|sql| !looks_for_changes(sql))
            .collect()
    }

    /// Everything that was sent since the last call, writes too.
    pub fn take_whole(&self) -> Vec<String> {
        let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
        let list = sent.as_mut().and_then(|sent| sent.get_mut(&self.url));
        list.map(std::mem::take).unwrap_or_default()
    }
}

/// Whether a statement reads how far the change log goes and nothing else.
fn looks_for_changes(sql: &str) -> bool {
    let sql = sql.replace(['"', '`'], "");
    sql.starts_with("SELECT max(changes.seq) FROM changes")
}

/// Whether a statement reads the signing keys and nothing else.
pub fn looks_keys_up(sql: &str) -> bool {
    let columns = sql.strip_prefix("SELECT ").unwrap_or_default();
    columns
        .trim_start_matches(['"', '`'])
        .starts_with("signing_keys")
}
