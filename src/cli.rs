//! The command line.

mod key;

use std::io::{BufRead, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::{App, StartError};
use crate::auth::Role;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::users::{self, AddUserError};
use crate::{demo, openapi, server, telemetry};

use self::key::KeyCommand;

/// A headless content API for portals and news sites.
#[derive(Debug, Parser)]
#[command(name = "lanmu", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve(Serve),
    /// Manage accounts
    #[command(subcommand)]
    User(User),
    /// Manage the keys that sign access tokens
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print the OpenAPI document
    Openapi,
    /// Bring the database up to date and stop
    Migrate,
}

#[derive(Debug, Args, Default)]
struct Serve {
    /// Fill an empty database with sample content first
    #[arg(long)]
    demo: bool,
    /// Write the port that is listened on to this file
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum User {
    /// Add an account; works beside a running server
    Add {
        /// E-mail address
        #[arg(long)]
        email: String,
        /// Role: admin, editor, author or viewer
        #[arg(long)]
        role: Role,
        /// Read the password from the first line of standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

/// Runs the command of the process. What went wrong is one line on standard error.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => serve(&cli.serve),
        Some(Command::Serve(options)) => serve(&options),
        Some(Command::User(User::Add { email, role, .. })) => add_user(&email, role),
        Some(Command::Key(command)) => key::run(&command),
        Some(Command::Openapi) => print(&openapi::pretty()),
        Some(Command::Migrate) => migrate(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let line = error.to_string().replace('\n', " ");
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "lanmu: {line}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> Result<(), StartError> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|e| StartError::Other(e.to_string()))
}

fn serve(options: &Serve) -> Result<(), StartError> {
    let config = Config::from_env()?;
    telemetry::start(&config.log, config.log_format);
    actix_web::rt::System::new().block_on(async {
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .map_err(|e| StartError::Other(format!("LANMU_LISTEN {address} can't be used: {e}")))?;
        let app = App::build(config, Clock::System).await?;
        if options.demo {
            demo::fill(&app).await?;
        }
        let address = listener
            .local_addr()
            .map_err(|e| StartError::Other(e.to_string()))?;
        if let Some(file) = &options.port_file {
            write_port(file, address.port())?;
        }
        let docs = format!("http://{address}/docs/");
        tracing::info!(%address, docs, "listening");
        server::run(app, listener, server::stop_signal())
            .await
            .map_err(|e| StartError::Other(e.to_string()))
    })
}

/// Writes the port beside the file and renames it, so that a reader never sees half of it.
fn write_port(file: &Path, port: u16) -> Result<(), StartError> {
    let told =
        |e: std::io::Error| StartError::Other(format!("--port-file {}: {e}", file.display()));
    let partial = file.with_extension("partial");
    std::fs::write(&partial, format!("{port}\n")).map_err(told)?;
    std::fs::rename(&partial, file).map_err(told)
}

fn migrate() -> Result<(), StartError> {
    let config = Config::from_env()?;
    let done = Db::migrate(&config.db())?;
    if done.is_empty() {
        return print("the database is up to date\n");
    }
    done.iter()
        .try_for_each(|name| print(&format!("migrated: {name}\n")))
}

fn add_user(email: &str, role: Role) -> Result<(), StartError> {
    let config = Config::from_env()?;
    let mut password = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut password)
        .map_err(|e| StartError::Other(format!("the password can't be read: {e}")))?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    Db::migrate(&config.db())?;
    let db = Db::new(&config.db());
    let (email, now) = (email.to_owned(), Clock::System.now());
    let id = actix_web::rt::System::new()
        .block_on(db.write(move |conn| users::add_user(conn, &email, role, &password, now)))
        .map_err(|e: AddUserError| StartError::Other(e.to_string()))?;
    print(&format!("added account {id}\n"))
}
