//! What the process is told of memory before anything else runs.

/// Lets SQLite not count what it allocates, which nobody asks for: each allocation would take a lock that
/// all connections share. Call it before any database is opened.
pub fn set_up_sqlite() {
    // SAFETY: the option takes one int, and nothing of SQLite's is in use yet. Where it is, it refuses.
    unsafe {
        libsqlite3_sys::sqlite3_config(libsqlite3_sys::SQLITE_CONFIG_MEMSTATUS, 0);
    }
}
