//! Heap of this process.

/// Returns freed memory to the system, for a process that has needed more than it will need. glibc's allocator keeps
/// it otherwise.
pub fn release() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes the allocator's locks and gives up only pages that hold no allocation.
    unsafe {
        libc::malloc_trim(0);
    }
}
