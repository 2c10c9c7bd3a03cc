//! `soong-ext`: list, run, check and make extensions; and what `soong` leaves to it.
//!
//! The entry point is C's, as that of `soong`: what is executed from here is to find the process as
//! the caller set it up.
#![no_main]

use std::ffi::{c_char, c_int};

/// Called by the C runtime.
///
/// # Safety
///
/// `arguments` points to `count` valid strings followed by a null pointer, as C guarantees.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: this is what the C runtime passes.
    let arguments = unsafe { soong::commands::dispatch::arguments_of_c(count, arguments) };
    let code = soong::commands::dispatch::assist(&arguments)
        .unwrap_or_else(|| soong::commands::ext::main(&arguments));
    c_int::from(code)
}
