//! A process to wait for or kill that need not be our child.
//!
//! On Linux a descriptor refers to it, even if its PID is reused. Elsewhere the PID does.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[cfg(target_os = "linux")]
use crate::system::pidfd;

/// A process, found by PID. The caller must verify *afterwards* that it is the right one.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    #[cfg(target_os = "linux")]
    descriptor: Option<OwnedFd>,
}

impl Process {
    /// Returns the process that has `pid` now.
    pub(super) fn find(pid: Pid) -> Self {
        Self {
            pid,
            #[cfg(target_os = "linux")]
            descriptor: pidfd::open(pid.as_raw()).ok(),
        }
    }

    /// Returns its PID.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Kills it.
    pub(super) fn kill(&self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = &self.descriptor {
            return send_kill(descriptor);
        }
        Ok(kill(self.pid, Signal::SIGKILL)?)
    }

    /// Waits for its end; returns false if it still runs after `patience`.
    pub(super) fn has_ended(&self, patience: Duration) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = &self.descriptor {
            return becomes_readable(descriptor, patience);
        }
        let deadline = Instant::now() + patience;
        loop {
            if kill(self.pid, None) == Err(Errno::ESRCH) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(Duration::from_millis(1));
        }
    }
}

/// Returns the start of the supervisor `pid` in clock ticks after boot, as in `proc_pid_stat(5)`; `None` for another
/// program, for one that is stopped or a zombie, and where the system does not tell.
pub fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(") ")?;
    let mut fields = tail.split(' ');
    let is_running = matches!(fields.next()?, "R" | "S" | "D");
    let started = fields.nth(18)?.parse().ok()?;
    (is_running && head.ends_with(" (soong-superviso")).then_some(started)
}

#[cfg(target_os = "linux")]
fn send_kill(descriptor: &OwnedFd) -> io::Result<()> {
    let no_information = std::ptr::null::<libc::siginfo_t>();
    let (descriptor, signal) = (descriptor.as_raw_fd(), libc::SIGKILL);
    // SAFETY: the descriptor is open, and a null siginfo means that of a plain kill().
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, no_information, 0) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Polls readable when the process ends.
#[cfg(target_os = "linux")]
fn becomes_readable(descriptor: &OwnedFd, patience: Duration) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let mut polled = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    matches!(poll(&mut polled, patience), Ok(1))
}
