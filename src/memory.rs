//! What the allocator of the GNU C library is told, so that memory that was used for a moment is not
//! held for good; and SQLite of its own.

/// Lets blocks of a mebibyte and more go back to the system as soon as they are free. By itself glibc
/// learns from the first one that is freed to keep such blocks: each password that is checked takes
/// 19 MiB for some milliseconds, and would take them for good. Call it before other threads run.
pub fn give_large_blocks_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number of the allocator, and no other thread is there yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}

/// Gives back what is free in every arena: the start has made the OpenAPI document and the tables of
/// all workers' routes, and let go of what that took.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets SQLite not count what it allocates, which nobody asks for: each allocation would take a lock that
/// all connections share. Call it before any database is opened.
pub fn set_up_sqlite() {
    // SAFETY: the option takes one int, and nothing of SQLite's is in use yet. Where it is, it refuses.
    unsafe {
        libsqlite3_sys::sqlite3_config(libsqlite3_sys::SQLITE_CONFIG_MEMSTATUS, 0);
    }
}
