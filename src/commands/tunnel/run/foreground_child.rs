//! Runs a command in the foreground of the terminal, for a caller with work to do after it.
//!
//! The command stays in this program's process group, so it has the terminal and gets the terminal's signals
//! (Ctrl-C, Ctrl-\, Ctrl-Z) directly; this program only survives them. Signals to this program alone are
//! passed on. The command starts with the signal dispositions of this program's caller: `exec` resets
//! handlers, and ignored signals stay ignored.

use std::io;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

use crate::system::child::{self, wait_without_reaping};

/// Signals that the terminal also sends to the command.
const SHARED: [Signal; 2] = [Signal::SIGINT, Signal::SIGQUIT];
/// Signals to this program that are passed on to the command.
const PASSED_ON: [Signal; 4] = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];

/// Process to pass signals on to; 0 for none.
static COMMAND: AtomicI32 = AtomicI32::new(0);
/// A signal from before the command's start; 0 for none.
static EARLY: AtomicI32 = AtomicI32::new(0);

extern "C" fn outlive(_signal: libc::c_int) {}

extern "C" fn pass_on(signal: libc::c_int) {
    let before = Errno::last_raw();
    match COMMAND.load(Ordering::SeqCst) {
        0 => EARLY.store(signal, Ordering::SeqCst),
        // SAFETY: kill may be called in a signal handler; the process has not been reaped.
        command => drop(unsafe { libc::kill(command, signal) }),
    }
    Errno::set_raw(before);
}

/// Runs `command` to its end. From then on, this process survives signals that are meant for the command.
pub fn run(command: &mut Command) -> io::Result<ExitStatus> {
    for signal in SHARED {
        handle(signal, outlive)?;
    }
    for signal in PASSED_ON {
        handle(signal, pass_on)?;
    }
    let mut child = child::spawn(command, |_| {})?;
    COMMAND.store(i32::try_from(child.id()).unwrap_or_default(), Ordering::SeqCst);
    match EARLY.swap(0, Ordering::SeqCst) {
        0 => {}
        signal => pass_on(signal),
    }
    // Not reaped yet, so the id stays the command's own.
    wait_without_reaping(child.id());
    COMMAND.store(0, Ordering::SeqCst);
    child.wait()
}

/// Sets a handler; ignored signals stay ignored.
fn handle(signal: Signal, handler: extern "C" fn(libc::c_int)) -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(handler), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handlers do what may be done in a handler: atomics and kill.
    let before = unsafe { sigaction(signal, &action) }?;
    if matches!(before.handler(), SigHandler::SigIgn) {
        // SAFETY: puts back what was there before.
        unsafe { sigaction(signal, &before) }?;
    }
    Ok(())
}

/// Ends by `signal`, as the command did, without a core dump. Returns if that fails.
pub fn die_of(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action needs nothing of this program.
    let _ = unsafe { sigaction(signal, &default) };
    let _ = raise(signal);
}
