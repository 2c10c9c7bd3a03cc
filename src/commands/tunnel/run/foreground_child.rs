//! Running a command for somebody who sits at the terminal, with something to do after it has ended.
//!
//! The command stays in this program's process group, so it has the terminal, and what the terminal
//! sends (Ctrl-C, Ctrl-\, Ctrl-Z) reaches it without help. Of these this program only takes care not
//! to die before its turn. What is sent to this program alone is passed on. The command itself starts
//! with the dispositions that this program was started with: `exec` takes handlers back, and signals
//! that were ignored stay so.

use std::io;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

use crate::system::child::{self, wait_without_reaping};

/// Signals that the terminal sends to the command, too.
const SHARED: [Signal; 2] = [Signal::SIGINT, Signal::SIGQUIT];
/// Signals that somebody sends to this program and means for the command.
const PASSED_ON: [Signal; 4] = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];

/// The process that signals are passed on to; 0 for none.
static COMMAND: AtomicI32 = AtomicI32::new(0);
/// A signal that came before there was one; 0 for none.
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

/// Runs `command` to its end. From here on, and afterwards, this process outlives the signals that
/// are meant for the command.
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
    // The id stays the command's own until nobody uses it any more.
    wait_without_reaping(child.id());
    COMMAND.store(0, Ordering::SeqCst);
    child.wait()
}

/// Sets a handler; a signal that the caller of this program had ignored stays so.
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

/// Dies of `signal`, as the command did, without a core of its own. Returns if that does not work.
pub fn die_of(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action needs nothing of this program.
    let _ = unsafe { sigaction(signal, &default) };
    let _ = raise(signal);
}
