//! What the benches compare with: the same web server and routes, which do nothing. Hits are answered with
//! 204, reads with the bytes of a file.
//!
//! `cargo run --release --example bare -- --port-file port [--article FILE] [--list FILE]`

use std::net::TcpListener;
use std::path::{Path as FilePath, PathBuf};

use actix_web::web::{Bytes, Data, Path};
use actix_web::{App, HttpResponse, HttpServer, get, post};
use clap::Parser;

/// Answer every request with nothing or always the same, on two workers.
#[derive(Debug, Parser)]
struct Options {
    /// Where the port is written, once it listens
    #[arg(long)]
    port_file: PathBuf,
    /// Threads that answer
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// What every article is answered with
    #[arg(long)]
    article: Option<PathBuf>,
    /// What every list is answered with
    #[arg(long)]
    list: Option<PathBuf>,
}

struct Answers {
    article: Bytes,
    list: Bytes,
}

#[post("/v1/articles/{id}/hits")]
async fn take_hit(_: Path<i64>) -> HttpResponse {
    HttpResponse::NoContent().finish()
}

#[get("/v1/articles/{id}")]
async fn read_article(_: Path<i64>, answers: Data<Answers>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(answers.article.clone())
}

#[get("/v1/articles")]
async fn read_list(answers: Data<Answers>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(answers.list.clone())
}

fn bytes(file: Option<&FilePath>) -> std::io::Result<Bytes> {
    Ok(file
        .map(std::fs::read)
        .transpose()?
        .unwrap_or_default()
        .into())
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let answers = Data::new(Answers {
        article: bytes(options.article.as_deref())?,
        list: bytes(options.list.as_deref())?,
    });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let app = move || {
        App::new()
            .app_data(answers.clone())
            .service(take_hit)
            .service(read_article)
            .service(read_list)
    };
    let server = HttpServer::new(app)
        .workers(options.workers)
        .listen(listener)?;
    std::fs::write(options.port_file, port.to_string())?;
    server.run().await
}
