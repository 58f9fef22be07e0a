//! The log.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts the log: lines on standard error, as text for people or as JSON.
pub fn start(filter: &str, format: LogFormat) {
    // The filter was checked with the settings.
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // What is no HTTP is answered and forgotten: nobody outside can write errors into the log.
    // Nor does the parser of HTML complain about what authors paste.
    let quiet = ["actix_http::h1::dispatcher=off", "html5ever=error"];
    let directives = quiet.iter().filter_map(|directive| directive.parse().ok());
    let filter = directives.fold(filter, EnvFilter::add_directive);
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
