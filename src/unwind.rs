//! Stands in for the library that unwinds stacks, which a program whose panics abort never needs.
//!
//! The standard library calls that library (`libgcc_s`) to run destructors after a panic and to
//! list callers in a backtrace. With `panic = "abort"` the first does not happen, and in a stripped
//! program the second would list bare addresses. But a reference is a reference: the system would
//! map the library and bind its symbols on every start, which takes a tenth of a millisecond. With
//! the functions defined here nothing refers to it any more, the linker leaves it out, and the
//! code that reads debug information for backtraces goes too: 0.2 MB in each program.
//!
//! A panic is still told, with its place in the source. Only its backtrace is empty. A function
//! that a future standard library needs and that is missing here brings the library back; nothing
//! breaks.
//!
//! Names and arguments are those of the Itanium C++ ABI, section 1 ("Exception handling").

use std::ffi::{c_int, c_void};
use std::process::abort;

/// `_URC_END_OF_STACK`: there are no more callers.
const END_OF_STACK: c_int = 5;

/// What is called for every caller in a backtrace.
type Trace = extern "C" fn(context: *mut c_void, argument: *mut c_void) -> c_int;

// What makes this unsafe is that others call these names: they get what they expect, because the
// arguments and results are the same.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_trace: Trace, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

// Libraries that the system loads into a program, say to look up a user, may well unwind stacks.
// They are to find the real functions, so these are kept from their sight.
std::arch::global_asm!(".hidden _Unwind_Backtrace");

/// Functions that are called only while a stack is being unwound.
macro_rules! never {
    ($($name:ident($($argument:ty),*) -> $result:ty;)*) => { $(
        #[unsafe(no_mangle)]
        extern "C" fn $name($(_: $argument),*) -> $result {
            abort()
        }

        std::arch::global_asm!(concat!(".hidden ", stringify!($name)));
    )* };
}

never! {
    _Unwind_GetDataRelBase(*mut c_void) -> *const u8;
    _Unwind_GetIP(*mut c_void) -> *const u8;
    _Unwind_GetIPInfo(*mut c_void, *mut c_int) -> *const u8;
    _Unwind_GetLanguageSpecificData(*mut c_void) -> *mut c_void;
    _Unwind_GetRegionStart(*mut c_void) -> *const u8;
    _Unwind_GetTextRelBase(*mut c_void) -> *const u8;
    _Unwind_Resume(*mut c_void) -> !;
    _Unwind_SetGR(*mut c_void, c_int, *const u8) -> ();
    _Unwind_SetIP(*mut c_void, *const u8) -> ();
}
