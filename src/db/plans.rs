//! How SQLite keeps what it has compiled.

use std::ffi::{c_char, c_int};
use std::ptr::null_mut;
use std::sync::Once;

use libsqlite3_sys::{
    SQLITE_DBCONFIG_ENABLE_QPSG, sqlite3, sqlite3_api_routines, sqlite3_auto_extension,
    sqlite3_db_config,
};

/// Lets every connection that is opened from now on keep the plan of a statement, whatever is bound to
/// it. By itself SQLite looks at what is bound to `LIMIT ?`, and compiles the statement anew each time.
/// (<https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenableqpsg>)
pub fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function has the shape that SQLite calls. It fails only for want of memory; then
        // plans are made anew.
        unsafe { sqlite3_auto_extension(Some(keep_of)) };
    });
}

unsafe extern "C" fn keep_of(
    db: *mut sqlite3,
    _: *mut *mut c_char,
    _: *const sqlite3_api_routines,
) -> c_int {
    let (on, old) = (1 as c_int, null_mut::<c_int>());
    // SAFETY: SQLite passes a connection that is open; the option takes an int and a pointer.
    unsafe { sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_QPSG, on, old) }
}
