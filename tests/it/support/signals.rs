//! Signals that the caller of the test run ignores.
//!
//! Shells start background commands of scripts with SIGINT and SIGQUIT ignored, and nohup ignores SIGHUP. Every program
//! inherits that through exec, as POSIX wants it, and a test that interrupts one would wait for ever.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// The signals that tests send and callers ignore.
const SIGNALS: [Signal; 4] = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGTERM];

/// Runs before `main`: the test harness has no hook for code that comes before the first test.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static HANDLE_IGNORED: extern "C" fn() = handle_ignored;

/// Replaces ignored signals by handlers that do nothing. The test run survives these signals as before; in the programs
/// that it starts, exec restores the default actions.
extern "C" fn handle_ignored() {
    let nothing = SigAction::new(SigHandler::Handler(do_nothing), SaFlags::SA_RESTART, SigSet::empty());
    for signal in SIGNALS {
        // SAFETY: the handler does nothing, and no other thread exists yet.
        let before = unsafe { sigaction(signal, &nothing) };
        if let Ok(before) = before
            && !matches!(before.handler(), SigHandler::SigIgn)
        {
            // SAFETY: puts back what was there before.
            let _ = unsafe { sigaction(signal, &before) };
        }
    }
}

extern "C" fn do_nothing(_signal: libc::c_int) {}
