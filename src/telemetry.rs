//! The log.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts the log: lines on standard error, as text for people or as JSON.
pub fn start(filter: &str, format: LogFormat) {
    // The filter was checked with the settings.
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // What is no HTTP is answered and forgotten: nobody outside can write errors into the log.
    let filter = match "actix_http::h1::dispatcher=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
    // A second start, as tests make it, keeps the first log.
    drop(started);
}
