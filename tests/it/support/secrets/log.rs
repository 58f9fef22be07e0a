//! The log of the whole run, everything that the service can log in it, searched at the end.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::sync::{LazyLock, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;

use super::needles::{Needles, as_text};
use super::{ALL, Secret};

/// Everything of the service, much of the server's libraries, nothing of the client, which runs in
/// the same process.
const FILTER: &str = "debug,lanmu=trace,reqwest=off,hyper=off,hyper_util=off,tower=off,\
                      html5ever=off,selectors=off,jsonschema=off";
/// How many lines are told at most.
const TOLD: usize = 20;

static LINES: LazyLock<Mutex<BufWriter<File>>> = LazyLock::new(|| {
    let file = tempfile::tempfile().expect("a temporary file");
    Mutex::new(BufWriter::with_capacity(1 << 18, file))
});

/// Appends to the log.
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to keep the log.
pub fn start() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(FILTER))
        .with_ansi(false)
        .with_writer(|| Lines)
        .init();
}

/// A line that tells secrets: their kinds, the facts that met them, and the rest of the line.
struct Telling {
    kinds: BTreeSet<String>,
    facts: BTreeSet<String>,
    line: String,
}

/// Searches the log for every secret of the run. The error tells lines with the secrets blanked.
pub fn check() -> Result<(), String> {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner).take();
    let needles = Needles::new(all.unwrap_or_default().into_iter().flat_map(|met| {
        let forms = as_text(&met.0.text).into_iter();
        forms
            .map(|form| (form.into_bytes(), met.clone()))
            .collect::<Vec<_>>()
    }));
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.flush().map_err(|e| e.to_string())?;
    lines.get_mut().rewind().map_err(|e| e.to_string())?;
    let mut reader = BufReader::with_capacity(1 << 18, lines.get_mut());
    let (mut line, mut read, mut told) = (Vec::new(), 0, Vec::new());
    while reader
        .read_until(b'\n', &mut line)
        .map_err(|e| e.to_string())?
        > 0
    {
        read += 1;
        told.extend(search(&needles, &line));
        line.clear();
    }
    if told.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = told.iter().take(TOLD).map(ToString::to_string).collect();
    Err(format!(
        "{} of {read} log lines tell a secret:\n{}",
        told.len(),
        shown.join("\n")
    ))
}

fn search(needles: &Needles<(Secret, Vec<String>)>, line: &[u8]) -> Option<Telling> {
    let found = needles.find(line);
    if found.is_empty() {
        return None;
    }
    let mut blanked = line.to_vec();
    let (mut kinds, mut facts) = (BTreeSet::new(), BTreeSet::new());
    for (start, length, (secret, met_by)) in found {
        // The telling half was found; the whole is blanked where the whole is there.
        let end = start + length;
        let is_whole = line[..end].ends_with(secret.text.as_bytes());
        let start = if is_whole {
            end - secret.text.len()
        } else {
            start
        };
        blanked[start..end].fill(b'*');
        kinds.insert(secret.kind.clone());
        facts.extend(met_by.iter().cloned());
    }
    Some(Telling {
        kinds,
        facts,
        line: String::from_utf8_lossy(&blanked).trim_end().to_owned(),
    })
}

impl std::fmt::Display for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
        let fact = self.facts.first().map_or("?", String::as_str);
        write!(f, "{} of {fact}", kinds.join(", "))?;
        if self.facts.len() > 1 {
            write!(f, " or one of {} others", self.facts.len() - 1)?;
        }
        write!(f, ": {}", self.line)
    }
}
