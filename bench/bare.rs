//! What `bench/hits` compares with: the same web server and route, which answers 204 and does nothing.
//!
//! `cargo run --release --example bare -- --port-file port`

use std::net::TcpListener;
use std::path::PathBuf;

use actix_web::web::Path;
use actix_web::{App, HttpResponse, HttpServer, post};
use clap::Parser;

/// Answer 204 to every hit, on two workers.
#[derive(Debug, Parser)]
struct Options {
    /// Where the port is written, once it listens
    #[arg(long)]
    port_file: PathBuf,
    /// Threads that answer
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

#[post("/v1/articles/{id}/hits")]
async fn hit(_: Path<i64>) -> HttpResponse {
    HttpResponse::NoContent().finish()
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let server = HttpServer::new(|| App::new().service(hit))
        .workers(options.workers)
        .listen(listener)?;
    std::fs::write(options.port_file, port.to_string())?;
    server.run().await
}
