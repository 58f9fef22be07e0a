//! `lanmu key`: the keys that sign access tokens.

use std::path::Path;

use clap::Subcommand;

use crate::app::StartError;
use crate::auth::{self, Begin, Key, KeyError, Ring, State};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, Timestamp};

use super::print;

/// What is done with the signing keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Add a new signing key; works beside running servers
    Rotate {
        /// Minutes until it signs: caches of the public keys last for 5
        #[arg(long, value_name = "MINUTES", default_value_t = 10,
              value_parser = clap::value_parser!(i64).range(6..=10_080))]
        overlap: i64,
        /// A key has leaked: the new one signs at once, and all others are deleted with their tokens
        #[arg(long, conflicts_with = "overlap")]
        now: bool,
    },
    /// List the signing keys
    List,
}

/// Runs the command; what it did is told on standard output.
pub fn run(command: &KeyCommand) -> Result<(), StartError> {
    let config = Config::from_env()?;
    let begin = match (command, &config.signing_key_file) {
        (KeyCommand::List, Some(file)) => return list_file(file),
        (KeyCommand::List, None) => return list(&config),
        (KeyCommand::Rotate { .. }, Some(file)) => return Err(refusal(file)),
        (KeyCommand::Rotate { now: true, .. }, None) => Begin::Now,
        (KeyCommand::Rotate { overlap, .. }, None) => Begin::After(overlap * 60),
    };
    rotate(&config, begin)
}

fn refusal(file: &Path) -> StartError {
    StartError::Other(format!(
        "LANMU_SIGNING_KEY_FILE is set, so the keys are those in {}: add the new key at its end and \
         restart, after 6 minutes make it the first and restart, after 16 more take the old one out \
         and restart",
        file.display()
    ))
}

fn rotate(config: &Config, begin: Begin) -> Result<(), StartError> {
    Db::migrate(&config.db())?;
    let db = Db::new(&config.db());
    let now = Clock::System.now();
    let rotated = actix_web::rt::System::new()
        .block_on(db.write(move |conn| auth::rotate_keys(conn, now, begin)))
        .map_err(StartError::from)?;
    print(&format!(
        "added key {}, which signs from {} on\n",
        rotated.kid, rotated.signs_from
    ))?;
    rotated
        .deleted
        .iter()
        .try_for_each(|kid| print(&format!("deleted key {kid}: its tokens have ended\n")))
}

fn list(config: &Config) -> Result<(), StartError> {
    Db::migrate(&config.db())?;
    let db = Db::new(&config.db());
    let keys = actix_web::rt::System::new()
        .block_on(db.read(auth::load_keys))
        .map_err(|e: KeyError| StartError::from(e))?;
    if keys.is_empty() {
        return print("there is no key yet: the first start makes one\n");
    }
    let begins: Vec<Timestamp> = keys.iter().map(|timed| timed.signs_from).collect();
    let ring = Ring::Database(keys);
    let states = ring.states(Clock::System.now()).into_iter().zip(begins);
    states
        .map(|((key, state), from)| line(key, state, Some(from)))
        .try_for_each(|line| print(&line))
}

fn list_file(file: &Path) -> Result<(), StartError> {
    let ring = Ring::File(auth::keys_of_file(file)?);
    let states = ring.states(Clock::System.now()).into_iter();
    states
        .map(|(key, state)| line(key, state, None))
        .try_for_each(|line| print(&line))
}

/// A key of a list: its id, its state, from when on it signs and until when it verifies.
fn line(key: &Key, state: State, from: Option<Timestamp>) -> String {
    let (word, until) = match state {
        State::Coming => ("coming", None),
        State::Signing => ("signing", None),
        State::Retiring(until) => ("retiring", Some(until)),
        State::Verifying => ("verifying", None),
        State::Past => ("past", None),
    };
    let from = from.map_or_else(String::new, |at| format!("  from {at}"));
    let until = until.map_or_else(String::new, |at| format!("  until {at}"));
    format!("{}  {word}{from}{until}\n", key.kid)
}
