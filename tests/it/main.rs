//! The integration suite: every fact is checked on SQLite and on PostgreSQL, over real HTTP against
//! the real server.
//!
//! `LANMU_TEST_DATABASES=sqlite,postgres` says which databases must be there. Without it,
//! PostgreSQL's half is left out where `initdb` isn't found, and the run says so.

mod support;

mod access;
mod api_keys;
mod articles;
mod audit;
mod auth;
mod bad_input;
mod cache;
mod cdn;
mod changes;
mod checks;
mod command_line;
mod database;
mod frame;
mod hits;
mod leaks;
mod limits;
mod lists;
mod openapi;
mod previews;
mod publishing;
mod replicas;
mod revisions;
mod sections;
mod users;
mod writes;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use support::databases::{self, Kind};
use support::secrets;
use support::stage::{Fact, Stage};

fn all() -> Vec<Fact> {
    [
        access::facts(),
        api_keys::facts(),
        articles::facts(),
        audit::facts(),
        auth::facts(),
        bad_input::facts(),
        cache::facts(),
        cache::coherence::facts(),
        cdn::facts(),
        changes::facts(),
        checks::facts(),
        command_line::facts(),
        command_line::hits::facts(),
        command_line::killed::facts(),
        command_line::replicas::facts(),
        database::facts(),
        frame::facts(),
        hits::facts(),
        leaks::facts(),
        limits::facts(),
        lists::facts(),
        openapi::facts(),
        previews::facts(),
        publishing::facts(),
        replicas::facts(),
        revisions::facts(),
        sections::facts(),
        users::facts(),
        writes::facts(),
    ]
    .concat()
}

fn trial(fact: Fact, kind: Kind) -> Trial {
    let name = format!("{}::{}", kind.name(), fact.name);
    Trial::test(name, move || Stage::run(fact, kind).map_err(Into::into))
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let postgres = match databases::wanted() {
        Ok(kinds) => kinds.contains(&Kind::Postgres),
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = Vec::new();
    for fact in all() {
        trials.push(trial(fact, Kind::Sqlite));
        trials.push(trial(fact, Kind::Postgres).with_ignored_flag(!postgres));
    }
    let behind = match cdn::proxies::facts() {
        Ok(facts) => facts,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    for (fact, is_left_out) in behind {
        for kind in [Kind::Sqlite, Kind::Postgres] {
            let is_left_out = is_left_out || (kind == Kind::Postgres && !postgres);
            trials.push(trial(fact, kind).with_ignored_flag(is_left_out));
        }
    }
    let left_out = all().len();
    secrets::log::start();
    let conclusion = libtest_mimic::run(&args, trials);
    databases::shut_down();
    let log = secrets::log::check();
    if !postgres && !args.list {
        println!(
            "LEFT OUT: the PostgreSQL half ({left_out} tests), because {}",
            databases::why_not_postgres()
        );
    }
    // No trial of its own: it is of all the others, whichever were asked for.
    if let Err(leaks) = log {
        println!("SECRETS IN THE LOG: {leaks}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
