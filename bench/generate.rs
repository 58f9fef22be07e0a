//! Fills an empty database with made-up content: the same for the same seed and instant.
//!
//! `DATABASE_URL=sqlite://bench.db cargo run --release --example generate -- --articles 10000`

mod generator;

use std::process::ExitCode;

use clap::Parser;
use lanmu::app::StartError;
use lanmu::clock::Clock;
use lanmu::config::Config;
use lanmu::db::{Db, Timestamp};
use lanmu::error::ApiError;

use generator::Numbers;

/// How many articles are written in one transaction.
const BATCH: usize = 500;

/// Fill an empty database with made-up content.
#[derive(Debug, Parser)]
struct Options {
    /// How many articles
    #[arg(long, default_value_t = 10_000)]
    articles: usize,
    /// The same seed makes the same content
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The instant (RFC 3339) that the last ten years end at; left out: now
    #[arg(long, value_parser = instant)]
    now: Option<Timestamp>,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "no RFC 3339 instant".to_owned())
}

fn main() -> ExitCode {
    match fill(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fill(options: &Options) -> Result<(), StartError> {
    let config = Config::from_env()?;
    let zone = config.site.zone;
    let now = options.now.unwrap_or_else(|| Clock::System.now());
    Db::migrate(&config.db())?;
    let db = Db::new(&config.db());
    let (count, seed) = (options.articles, options.seed);
    actix_web::rt::System::new().block_on(async move {
        let sections = db.write(move |conn| generator::sections(conn, now)).await?;
        let mut numbers = Numbers::new(seed);
        for first in (0..count).step_by(BATCH) {
            let (sections, range) = (sections.clone(), first..count.min(first + BATCH));
            numbers = db
                .write(move |conn| {
                    generator::articles(conn, &sections, &mut numbers, range, now, zone)?;
                    Ok::<_, ApiError>(numbers)
                })
                .await?;
        }
        println!("{} sections, {count} articles", sections.len());
        Ok(())
    })
}
