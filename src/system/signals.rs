//! Delays signals that end a program while it has something to clean up: a child process, a hidden cursor, a
//! spinner.
//!
//! A [`Watch`] records the signal. Its holder polls the watch, cleans up and drops it; then the signal takes
//! effect.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

use crate::error::{Error, Result};

/// The delayed signals.
const SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// The recorded signal; 0 for none.
static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// Descriptor to which the handler writes a byte to wake a poll; -1 for none.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// True while a first signal is recorded only; see [`Watch::hold`].
static HELD: AtomicBool = AtomicBool::new(false);

/// Delays signals until dropped. An inner watch passes its signal on to the outer one.
#[derive(Debug)]
pub struct Watch {
    reader: PipeReader,
    /// Open as long as the handler may write to it.
    _writer: PipeWriter,
    before: Vec<(Signal, SigAction)>,
    /// Value of [`WAKE`] before, that of an outer watch.
    outer: i32,
}

extern "C" fn note(signal: libc::c_int) {
    // The first signal counts: a later one can be a library's reaction to it.
    let is_first = CAUGHT.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    let wakes = if is_first { !HELD.load(Ordering::Relaxed) } else { HELD.swap(false, Ordering::Relaxed) };
    if wakes {
        wake();
    }
}

fn wake() {
    let before = Errno::last_raw();
    // SAFETY: write may be called in a signal handler, and the byte lives long enough.
    unsafe { libc::write(WAKE.load(Ordering::Relaxed), [0u8].as_ptr().cast(), 1) };
    Errno::set_raw(before);
}

/// Lets a first signal wait until dropped; a second one ends the hold.
#[derive(Debug)]
pub struct Hold(());

impl Drop for Hold {
    fn drop(&mut self) {
        if HELD.swap(false, Ordering::Relaxed) && CAUGHT.load(Ordering::Relaxed) != 0 {
            wake();
        }
    }
}

impl Watch {
    /// Begins to delay signals. Signals that were ignored stay ignored.
    pub fn new() -> Result<Self> {
        Self::install().map_err(|source| Error::cannot("handle signals", source))
    }

    fn install() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let outer = WAKE.swap(writer.as_raw_fd(), Ordering::Relaxed);
        let mut watch = Self { reader, _writer: writer, before: Vec::new(), outer };
        let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
        for signal in SIGNALS {
            // SAFETY: the handler only stores a number and writes a byte.
            let before = unsafe { sigaction(signal, &action) }?;
            watch.before.push((signal, before));
            if matches!(before.handler(), SigHandler::SigIgn) {
                watch.restore_last();
            }
        }
        Ok(watch)
    }

    /// Returns true if a signal is recorded.
    pub fn interrupted(&self) -> bool {
        CAUGHT.load(Ordering::Relaxed) != 0 && !HELD.load(Ordering::Relaxed)
    }

    /// Holds a first signal back, for a request that must not be cut in half: until then, this watch does not
    /// show it. A second signal shows both.
    pub fn hold(&self) -> Hold {
        HELD.store(!self.interrupted(), Ordering::Relaxed);
        Hold(())
    }

    /// Waits for `time` or until a signal comes; returns true in the latter case.
    pub fn sleep(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while !self.interrupted() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            // The loop checks the clock in any case.
            let _ = poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], timeout(left));
        }
        true
    }

    fn restore_last(&mut self) {
        if let Some((signal, before)) = self.before.pop() {
            // SAFETY: puts back what was there before.
            let _ = unsafe { sigaction(signal, &before) };
        }
    }
}

/// Returns true if this process ignores `signal`, as its caller did.
pub fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action, sigaction only writes the present one to the given address.
    let asked = unsafe { libc::sigaction(signal as libc::c_int, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: sigaction has succeeded, and so has written it.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Returns `time` for poll, rounded up to milliseconds.
pub fn timeout(time: Duration) -> PollTimeout {
    let milliseconds = time.as_nanos().div_ceil(1_000_000);
    PollTimeout::from(u16::try_from(milliseconds).unwrap_or(u16::MAX))
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        while !self.before.is_empty() {
            self.restore_last();
        }
        WAKE.store(self.outer, Ordering::Relaxed);
        if let Ok(signal) = Signal::try_from(CAUGHT.swap(0, Ordering::Relaxed)) {
            let _ = raise(signal);
        }
    }
}
