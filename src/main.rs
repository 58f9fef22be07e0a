//! The `lanmu` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    lanmu::memory::give_large_blocks_back();
    lanmu::memory::set_up_sqlite();
    lanmu::cli::run()
}
