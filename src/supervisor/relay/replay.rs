//! The first data of a connection, which survives the loss of its link.
//!
//! ssh accepts connections to its socket whether the link is dead or alive, but reads nothing before the
//! server has opened the other end. Data that it has not read has reached no server and can be sent over the
//! next link: no request is sent twice, and one sent into a dead link is late instead of lost.
//!
//! So a client's first data is kept, one piece that ssh reads at a time, until an answer comes or ssh has
//! begun to read.
//!
//! If another ssh takes over while the link is in doubt, the first one goes on for other connections, and may read the
//! data later. So the data is taken back from it before it is sent again ([`recall`]).

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::copy::BUFFER;
use super::disconnect;
use super::stream::{Stream, end, is_momentary, write_all};
use super::uplink::{Uplink, is_gone};
use crate::system::recall::recall;

/// Bytes to keep; the rest of a long request waits at the client. ssh reads 16 KB or more at a time
/// (`channels.c`, OpenSSH 7.6 to 10), so it has read either nothing of this or everything.
const KEPT_MAX: usize = 8 * 1024;

/// Time to wait for the kernel's event that ssh has read something.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Outcome of the first data.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on its way; the connection is ordinary from now on.
    UnderWay,
    /// The link was lost before any of it was read.
    Lost,
    /// Another ssh has taken over, and this one will read none of it.
    Withdrawn,
    /// The far end was not reachable; the data is discarded.
    Refused,
}

/// The client's data so far.
#[derive(Debug, Default)]
pub struct ReplayBuffer {
    kept: Vec<u8>,
    /// True if the client has shut down sending.
    ended: bool,
}

/// First event from ssh.
enum Answer {
    /// No data yet, but ssh has read the client's.
    Taken,
    Bytes,
    /// The end, with `unread` true if some of the client's data was not read.
    End {
        unread: bool,
    },
}

impl ReplayBuffer {
    /// Sends the first data of `client` to ssh, again after a lost link. Fails if the client has gone.
    pub async fn attend(
        &mut self,
        client: &impl Stream,
        remote: &UnixStream,
        uplink: &Uplink,
    ) -> io::Result<Fate> {
        if !self.kept.is_empty() && disconnect::is_gone(client) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut given = self.give(remote).await;
        let mut is_bound = false;
        loop {
            tokio::select! {
                answer = first_event(remote) => return Ok(answer.fate(given, remote, uplink)),
                // In one piece: of two, ssh could have read one.
                ready = client.readable(), if self.kept.is_empty() && !self.ended => {
                    ready?;
                    self.listen(client, uplink)?;
                    given = self.give(remote).await;
                }
                () = uplink.until_replaced(), if !is_bound => {
                    if let Some(fate) = self.withdraw(given, remote, uplink) {
                        return Ok(fate);
                    }
                    is_bound = true;
                }
                () = until_read(remote), if given > 0 => if let Some(answer) = taken(remote) {
                    return Ok(answer.fate(given, remote, uplink));
                }
            }
        }
    }

    /// Reads more data of the client.
    fn listen(&mut self, client: &impl Stream, uplink: &Uplink) -> io::Result<()> {
        let length = BUFFER.with_borrow_mut(|buffer| {
            let length = client.try_read(&mut buffer[..KEPT_MAX])?;
            self.kept.extend_from_slice(&buffer[..length]);
            Ok(length)
        });
        match length {
            Err(error) if is_momentary(&error) => return Ok(()),
            length => {
                let length = length?;
                self.ended = length == 0;
                uplink.counters.sent.fetch_add(length as u64, Ordering::Relaxed);
            }
        }
        uplink.exchange.sent();
        Ok(())
    }

    /// Takes back from ssh the `given` bytes that were sent to it. Returns `None` if the connection stays with it, because
    /// it has read them or does not give them back.
    fn withdraw(&self, given: usize, remote: &UnixStream, uplink: &Uplink) -> Option<Fate> {
        // The kernel reports an error once only.
        if let Some(answer) = read(look(remote)) {
            return Some(answer.fate(given, remote, uplink));
        }
        if self.kept.is_empty() {
            return Some(Fate::Withdrawn);
        }
        let peer = remote.peer_cred().ok()?.pid()?;
        match recall(remote, peer, &mut [0; KEPT_MAX]) {
            Ok(0) | Err(_) => None,
            Ok(length) if length == given => Some(Fate::Withdrawn),
            // ssh has read only a part, which it never does.
            Ok(_) => Some(Fate::Refused),
        }
    }

    /// Sends ssh the kept data; returns its length. Data that cannot be sent stays kept; the answer tells the
    /// reason.
    async fn give(&self, remote: &UnixStream) -> usize {
        let given = if write_all(remote, &self.kept).await.is_ok() { self.kept.len() } else { 0 };
        if self.ended {
            let _ = end(remote);
        }
        given
    }
}

impl Answer {
    /// Returns the outcome for `given` bytes that were sent to ssh.
    fn fate(&self, given: usize, remote: &UnixStream, uplink: &Uplink) -> Fate {
        match self {
            Self::End { unread } if (*unread || given == 0) && is_gone(remote, uplink) => Fate::Lost,
            Self::End { unread: true } => Fate::Refused,
            _ => Fate::UnderWay,
        }
    }
}

/// Waits for ssh's first event and leaves its data in place.
async fn first_event(remote: &UnixStream) -> Answer {
    loop {
        let looked = match remote.readable().await {
            Ok(()) => remote.try_io(Interest::READABLE, || look(remote)),
            Err(error) => Err(error),
        };
        if let Some(answer) = read(looked) {
            return answer;
        }
    }
}

/// Waits until ssh may have read its data.
async fn until_read(remote: &UnixStream) {
    if is_unread(remote) {
        // The kernel reports room anew after each read. Earlier reports are dropped; none after the look
        // above is lost, because one thread does all this.
        let _ = remote.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        let _ = timeout(LOOK_AGAIN, remote.writable()).await;
    }
}

/// Returns the event if ssh has read its data; unread data is discarded with the socket's end, not earlier.
fn taken(remote: &UnixStream) -> Option<Answer> {
    (!is_unread(remote)).then(|| read(look(remote)).unwrap_or(Answer::Taken))
}

fn look(remote: &UnixStream) -> io::Result<usize> {
    Ok(recv(remote.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK)?)
}

fn read(looked: io::Result<usize>) -> Option<Answer> {
    match looked {
        Ok(0) => Some(Answer::End { unread: false }),
        Ok(_) => Some(Answer::Bytes),
        Err(error) if is_momentary(&error) => None,
        // Linux reports this for a socket that was closed with unread data (`unix_release_sock`).
        Err(error) => Some(Answer::End { unread: error.kind() == io::ErrorKind::ConnectionReset }),
    }
}

/// Returns true if ssh has read none of its data.
#[cfg(target_os = "linux")]
fn is_unread(remote: &UnixStream) -> bool {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes one int to the given address; the descriptor is open.
    let asked = unsafe { libc::ioctl(remote.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    asked == 0 && bytes > 0
}

/// Returns false: other systems do not tell.
#[cfg(not(target_os = "linux"))]
fn is_unread(_remote: &UnixStream) -> bool {
    false
}
