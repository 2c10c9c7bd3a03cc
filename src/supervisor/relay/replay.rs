//! The beginning of a connection, which survives the link that it was made over.
//!
//! ssh takes a connection to its socket at once, be the link dead or alive, but reads nothing from
//! it before the server has opened the other end. What it has not read has therefore reached nobody, and can
//! be said again over the next link: no request is made twice, and one that was made into a link
//! already dead is late instead of lost.
//!
//! So what a client says first is kept, one piece that ssh reads at a time, until something
//! comes back or ssh has begun to read.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::copy::BUFFER;
use super::departure;
use super::stream::{Stream, end, is_momentary, write_all};
use super::uplink::{Uplink, is_gone};

/// How much is kept, in bytes; the rest of a long request waits at the client. ssh reads 16 KB at a
/// time or more (`channels.c`, OpenSSH 7.6 to 10), so that it has either read nothing of this or all.
const KEPT_MAX: usize = 8 * 1024;

/// How long to rely on being told that ssh has read something.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What has become of a beginning.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has gone on its way, and is like any other connection from now on.
    UnderWay,
    /// The link was lost before anything of it had gone anywhere.
    Lost,
    /// The far end could not be reached; what the client had said is not wanted.
    Refused,
}

/// What a client has said so far.
#[derive(Debug, Default)]
pub struct ReplayBuffer {
    kept: Vec<u8>,
    /// It will say no more.
    ended: bool,
}

/// What comes from ssh first.
enum Answer {
    /// Nothing yet, but it has taken what it was given.
    Taken,
    Bytes,
    /// Its end, and whether it left something unread.
    End {
        unread: bool,
    },
}

impl ReplayBuffer {
    /// Carries the beginning from `client` to ssh, once more if it was carried before.
    /// A client that has gone meanwhile is an error.
    pub async fn attend(
        &mut self,
        client: &impl Stream,
        remote: &UnixStream,
        uplink: &Uplink,
    ) -> io::Result<Fate> {
        if !self.kept.is_empty() && departure::is_gone(client) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut given = self.give(remote).await;
        loop {
            tokio::select! {
                answer = answer(remote) => return Ok(answer.fate(given, remote, uplink)),
                // In one piece: of two, ssh could have read one.
                ready = client.readable(), if self.kept.is_empty() && !self.ended => {
                    ready?;
                    self.listen(client, uplink)?;
                    given = self.give(remote).await;
                }
                () = until_read(remote), if given > 0 => if let Some(answer) = taken(remote) {
                    return Ok(answer.fate(given, remote, uplink));
                }
            }
        }
    }

    /// Takes what the client says now.
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
        uplink.liveness.sent();
        Ok(())
    }

    /// Gives ssh what is kept; returns how much it was. What cannot be given is kept all the same:
    /// why, is told by what comes back.
    async fn give(&self, remote: &UnixStream) -> usize {
        let given = if write_all(remote, &self.kept).await.is_ok() { self.kept.len() } else { 0 };
        if self.ended {
            let _ = end(remote);
        }
        given
    }
}

impl Answer {
    /// What it means for a beginning of which `given` bytes were given to ssh.
    fn fate(&self, given: usize, remote: &UnixStream, uplink: &Uplink) -> Fate {
        match self {
            Self::End { unread } if (*unread || given == 0) && is_gone(remote, uplink) => Fate::Lost,
            Self::End { unread: true } => Fate::Refused,
            _ => Fate::UnderWay,
        }
    }
}

/// Waits for what comes first, and leaves it where it is.
async fn answer(remote: &UnixStream) -> Answer {
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

/// Resolves when ssh may have read what it was given.
async fn until_read(remote: &UnixStream) {
    if is_unread(remote) {
        // The kernel says anew that there is room whenever something was read. What it said before is
        // forgotten; what it says from the look above on is not lost, because one thread does all this.
        let _ = remote.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        let _ = timeout(LOOK_AGAIN, remote.writable()).await;
    }
}

/// What there is to say if ssh has read what it was given; what it had not read when it ended is
/// thrown away with its end, and not before.
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
        // Said by Linux of a socket that was closed with something in it (`unix_release_sock`).
        Err(error) => Some(Answer::End { unread: error.kind() == io::ErrorKind::ConnectionReset }),
    }
}

/// Whether ssh has read nothing yet of what it was given.
#[cfg(target_os = "linux")]
fn is_unread(remote: &UnixStream) -> bool {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes one int to where it is told; the descriptor is open.
    let asked = unsafe { libc::ioctl(remote.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    asked == 0 && bytes > 0
}

/// Elsewhere nobody can tell.
#[cfg(not(target_os = "linux"))]
fn is_unread(_remote: &UnixStream) -> bool {
    false
}
