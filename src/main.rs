//! The `lanmu` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    give_large_blocks_back();
    lanmu::cli::run()
}

/// Lets the allocator give blocks of a mebibyte and more back to the system as soon as they are
/// free. By itself glibc learns from the first one that is freed to keep such blocks: each password
/// that is checked takes 19 MiB for some milliseconds, and would take them for good.
fn give_large_blocks_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number of the allocator, and no other thread is there yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}
