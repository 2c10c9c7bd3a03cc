//! Descriptors of processes: they refer to the same process even if its PID is reused. Linux only.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Returns a descriptor for the process that has `pid` now (`pidfd_open(2)`). Fails if there is none, and if the kernel,
/// before 5.3, or a sandbox refuses.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Returns a copy of the descriptor `number` of `process` (`pidfd_getfd(2)`, Linux 5.6). Needs the right to trace it.
pub fn borrow(process: &OwnedFd, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_getfd takes a descriptor, which is open, and two integers, and returns a new descriptor or -1.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    match i32::try_from(result) {
        // SAFETY: the kernel has just made this descriptor, and no other code has it.
        Ok(descriptor @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}
