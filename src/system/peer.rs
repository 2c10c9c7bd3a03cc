//! Credentials of the process at the other end of a Unix socket, from the kernel. File modes keep other users
//! away already; this also holds if those were changed.

use std::os::fd::AsFd;

use nix::unistd::geteuid;

/// Returns true if the process at the other end of `socket` is this user's.
pub fn is_own(socket: &impl AsFd) -> bool {
    uid(socket).is_ok_and(|uid| uid == geteuid().as_raw())
}

#[cfg(target_os = "linux")]
fn uid(socket: &impl AsFd) -> nix::Result<libc::uid_t> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    getsockopt(&socket.as_fd(), PeerCredentials).map(|peer| peer.uid())
}

#[cfg(not(target_os = "linux"))]
fn uid(socket: &impl AsFd) -> nix::Result<libc::uid_t> {
    nix::unistd::getpeereid(socket.as_fd()).map(|(uid, _)| uid.as_raw())
}
