//! What the allocator of the GNU C library is told, so that memory that was used for a moment is not
//! held for good.

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

/// Gives back what is free in every arena: each worker has made the OpenAPI document for itself and
/// let go of it.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
