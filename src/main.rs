//! The `lanmu` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Small blocks come and go with every request, on several threads, and what is free is to go back to the
/// system.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    lanmu::memory::set_up_sqlite();
    lanmu::cli::run()
}
