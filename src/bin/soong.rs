//! `soong`: finds `soong-NAME` and becomes it.
//!
//! The entry point is C's, not the standard library's: that one would open closed descriptors and
//! ignore SIGPIPE before anything here could run, and what `soong NAME` executes is to find the
//! process as the caller set it up.
#![no_main]

use std::ffi::{c_char, c_int};

// The standard library's unwinder, linked statically. Loading `libgcc_s.so` would take a sixth of the time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[link(name = "gcc_eh", kind = "static")]
unsafe extern "C" {}

/// Called by the C runtime.
///
/// # Safety
///
/// `arguments` points to `count` valid strings followed by a null pointer, as C guarantees.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: this is what the C runtime passes.
    let arguments = unsafe { soong::commands::dispatch::arguments_of_c(count, arguments) };
    c_int::from(soong::commands::dispatch::run(&arguments))
}
