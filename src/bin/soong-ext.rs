//! `soong-ext`: list, run, check and make extensions; and what `soong` leaves to it.
//!
//! The entry point is C's, as that of `soong`: what is executed from here is to find the process as
//! the caller set it up.
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
    let code = soong::dispatch::assist(&arguments).unwrap_or_else(|| soong::ext::main(&arguments));
    c_int::from(code)
}
