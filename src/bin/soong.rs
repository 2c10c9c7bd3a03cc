//! `soong`: finds `soong-NAME` and becomes it.
//!
//! The entry point is C's, not the standard library's: that one would open closed descriptors and
//! ignore SIGPIPE before anything here could run, and what `soong NAME` executes is to find the
//! process as the caller set it up.
#![no_main]

use std::ffi::{CStr, c_char, c_int};

/// Called by the C runtime.
///
/// # Safety
///
/// `arguments` points to `count` valid strings followed by a null pointer, as C guarantees.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    let count = usize::try_from(count).unwrap_or_default();
    let arguments: Vec<&CStr> = (0..count)
        // SAFETY: the C runtime passes `count` pointers to strings that live as long as the process.
        .map(|index| unsafe { CStr::from_ptr(*arguments.add(index)) })
        .collect();
    c_int::from(soong::dispatch::run(&arguments))
}
