//! Changes the titles of articles at an even rate, and looks how soon readers see that.
//!
//! `cargo run --release --example writer -- --base http://127.0.0.1:8080 --token T --rate 50 --seconds 10`
//!
//! Before each write, the article and a list with it are read, so that they are kept where they are read; after
//! its answer they are read until both have the new title. Read from the node that wrote, the first read must
//! have it: what has not is stale, and the program fails. `--read` reads from another node, which may take its
//! time.

use std::io::{Error, Result};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use actix_web::rt;
use clap::Parser;
use reqwest::Client;
use serde_json::{Value, json};

/// How many articles are written in turn, so that nobody else writes one while it is looked at.
const ARTICLES: usize = 1000;
/// How long a new title may take to be seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Change titles at an even rate, and look how soon readers see that.
#[derive(Debug, Parser)]
struct Options {
    /// Where it writes, as http://127.0.0.1:8080
    #[arg(long)]
    base: String,
    /// Where it reads; left out: where it writes
    #[arg(long)]
    read: Option<String>,
    /// An access token or API key that may write and publish
    #[arg(long)]
    token: String,
    /// Writes a second
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// For how long
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

/// What came of one write.
struct Seen {
    /// From its answer until the article and the list had the new title.
    after: Duration,
    /// Answers to reads without it.
    stale: u64,
}

#[derive(Clone)]
struct Api {
    client: Client,
    write: String,
    read: String,
    token: String,
}

impl Api {
    async fn read(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.read)).send();
        let answer = answer.await.map_err(Error::other)?;
        let answer = answer.error_for_status().map_err(Error::other)?;
        answer.json().await.map_err(Error::other)
    }

    async fn write_title(&self, id: i64, title: &str) -> Result<()> {
        let request = self
            .client
            .patch(format!("{}/v1/admin/articles/{id}", self.write))
            .bearer_auth(&self.token)
            .header("If-Match", "*")
            .json(&json!({ "title": title }));
        let answer = request.send().await.map_err(Error::other)?;
        answer.error_for_status().map_err(Error::other)?;
        Ok(())
    }

    /// The ids of public articles, of pages from all over the site.
    async fn ids(&self) -> Result<Vec<i64>> {
        let first = self.read("/v1/articles?limit=100").await?;
        let pages = first["page"]["total_pages"].as_u64().unwrap_or(0).max(1);
        let mut ids = Vec::new();
        for part in 0..pages.min(ARTICLES as u64 / 100) {
            let page = 1 + part * pages / pages.min(ARTICLES as u64 / 100);
            let list = self
                .read(&format!("/v1/articles?limit=100&count=none&page={page}"))
                .await?;
            let articles = list["data"].as_array().into_iter().flatten();
            ids.extend(articles.filter_map(|article| article["id"].as_i64()));
        }
        Ok(ids)
    }

    /// Writes a title and reads until it is seen.
    async fn change(&self, id: i64, title: String) -> Result<Seen> {
        let paths = [
            (format!("/v1/articles/{id}"), "/title"),
            (format!("/v1/articles?ids={id}"), "/data/0/title"),
        ];
        for (path, _) in &paths {
            self.read(path).await?;
        }
        self.write_title(id, &title).await?;
        let written = Instant::now();
        let mut stale = 0;
        for (path, pointer) in paths {
            while self.read(&path).await?.pointer(pointer) != Some(&json!(title)) {
                stale += 1;
                if written.elapsed() > PATIENCE {
                    return Err(Error::other(format!("{path} does not have {title}")));
                }
                rt::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok(Seen {
            after: written.elapsed(),
            stale,
        })
    }
}

/// Starts a write at every instant of the rate, whether those before are done or not.
async fn work(options: &Options) -> Result<Vec<Seen>> {
    let api = Api {
        client: Client::new(),
        write: options.base.clone(),
        read: options.read.clone().unwrap_or(options.base.clone()),
        token: options.token.clone(),
    };
    let ids = api.ids().await?;
    let mut clock = rt::time::interval(Duration::from_secs(1) / options.rate);
    let mut writes = Vec::new();
    for (number, id) in (0..options.rate * options.seconds).zip(ids.into_iter().cycle()) {
        clock.tick().await;
        let api = api.clone();
        let title = format!("第{number}次改动的标题，{}", std::process::id());
        writes.push(rt::spawn(async move { api.change(id, title).await }));
    }
    let mut seen = Vec::new();
    for write in writes {
        seen.push(write.await.map_err(Error::other)??);
    }
    Ok(seen)
}

/// Milliseconds that so many of a hundred took at most.
fn percentile(sorted: &[Duration], of_hundred: usize) -> f64 {
    let index = (sorted.len() * of_hundred).div_ceil(100).max(1) - 1;
    sorted[index].as_secs_f64() * 1000.0
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seen = match rt::System::new().block_on(work(&options)) {
        Ok(seen) if !seen.is_empty() => seen,
        Ok(_) => {
            eprintln!("writer: nothing was written");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("writer: {error}");
            return ExitCode::FAILURE;
        }
    };
    let stale: u64 = seen.iter().map(|write| write.stale).sum();
    let mut after: Vec<Duration> = seen.iter().map(|write| write.after).collect();
    after.sort();
    println!(
        "{} writes, {stale} stale reads, seen after p50 {:.1} p99 {:.1} max {:.1} ms",
        after.len(),
        percentile(&after, 50),
        percentile(&after, 99),
        percentile(&after, 100),
    );
    // Of another node it is known that it takes some time.
    if stale > 0 && options.read.is_none() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
