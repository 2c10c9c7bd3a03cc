//! Carrying a connection without touching its bytes: ssh is given the client's own socket, and reads and
//! writes it as it would one that it had accepted itself. So a connection costs what it costs with `ssh -L`.
//!
//! The port still belongs to the supervisor, and so does the socket until the server has made the connection: ssh
//! reads nothing before that. When the link breaks first, or later but before anything went either way,
//! the client is given to the next ssh as if nothing had happened.
//!
//! One thing is not as with `ssh -L`: ssh takes the end of what a service says for the end of the connection
//! (`force_drain` in `channels.c`). In HTTP it is that, so only connections that begin with a request of HTTP are
//! handed over; those that say something else, or nothing, are copied.

use std::convert::Infallible;
use std::net::TcpStream as Socket;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::replay::is_gone;
pub(crate) use super::serve::{CONNECT_PAUSE, Way, discard, end, io};
use super::tcp_info::Counts;
use crate::config::forwarding::Target;
use crate::supervisor::link::channels::Channels;
use crate::supervisor::link::mux::{self, Refusal};

/// How long a client may take to begin its request. One that waits for the service to speak first waits for this, too.
const FIRST_WORDS: Duration = Duration::from_millis(20);

/// With what a request begins: the methods of RFC 9110 and RFC 5789, and the preface of HTTP/2 (RFC 9113). What
/// follows CONNECT is not HTTP.
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"TRACE ", b"PATCH ", b"PRI * HTTP/2"];

/// Where connections to one service are handed over, and how many at once.
#[derive(Debug)]
pub struct Handover {
    /// ssh's control socket.
    pub control: PathBuf,
    /// Where the connections lead.
    pub target: Target,
    /// Tells the clients of the end.
    pub channels: Arc<Channels>,
    /// ssh has three files open for each connection. Those for which there is no room are carried by copying,
    /// which takes one.
    pub room: Arc<Semaphore>,
}

/// What became of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// ssh could not be asked to carry it.
    Unasked,
    /// The link was lost before anything had gone either way.
    Lost,
    /// The link was lost.
    Broken,
    /// The far end has closed it, or was not there.
    Closed,
}

impl Handover {
    /// Carries `client` to its end. Returns it where that has to be done in another way.
    pub async fn carry(&self, mut client: TcpStream, way: &mut Way) -> io::Result<Option<TcpStream>> {
        let mut deadline = way.deadline();
        loop {
            way.until_up(deadline).await?;
            // In this order, so that nobody is waited for where there is nothing to decide.
            let Some(place) = self.place() else { return Ok(Some(client)) };
            if !speaks_http(&client).await {
                return Ok(Some(client));
            }
            let socket = Arc::new(client.into_std()?);
            way.pulse.sent();
            let counted = way.meter.count(&socket);
            let fate = self.attend(&socket, way).await;
            drop((counted, place));
            client = returned(socket)?;
            match fate {
                Fate::Unasked if Instant::now() >= deadline => return Err(io::ErrorKind::TimedOut.into()),
                Fate::Unasked => {}
                Fate::Lost => deadline = way.deadline(),
                Fate::Broken => return end(&client).map(|()| None),
                Fate::Closed => {
                    end(&client)?;
                    return discard(&client).await.map(|()| None);
                }
            }
            // An ssh that is ending may still listen.
            drop(timeout(CONNECT_PAUSE, way.until_down()).await);
        }
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let proven = self.channels.are_proven();
        proven.then(|| Arc::clone(&self.room).try_acquire_owned().ok()).flatten()
    }

    /// Has ssh carry `client`, and waits until it does so no more.
    async fn attend(&self, client: &Arc<Socket>, way: &Way) -> Fate {
        let Ok(mut offer) = mux::offer(&self.control, &self.target, client.as_fd()).await else {
            return Fate::Unasked;
        };
        let opened = offer.opened().await;
        if !matches!(opened, Err(Refusal::Silent(_))) {
            way.pulse.heard();
        }
        if let Ok(number) = opened {
            let _claim = self.channels.claim(number, client, &offer);
            tokio::select! {
                () = offer.over() => {}
                never = feel(client, way) => match never {},
            }
        }
        fate(&opened, is_gone(offer.connection(), way), client)
    }
}

/// Whether a client begins with a request of HTTP, which is left where it is.
async fn speaks_http(client: &TcpStream) -> bool {
    let mut beginning = [0; 16];
    let heard = timeout(FIRST_WORDS, client.peek(&mut beginning)).await;
    matches!(heard, Ok(Ok(length)) if is_request(&beginning[..length]))
}

fn is_request(beginning: &[u8]) -> bool {
    METHODS.iter().any(|method| beginning.starts_with(method))
}

fn fate(opened: &Result<u32, Refusal>, is_gone: bool, client: &Socket) -> Fate {
    match opened {
        Ok(_) if !is_gone => Fate::Closed,
        Err(Refusal::Refused(_)) => Fate::Closed,
        _ if !Counts::of(client).is_untouched() => Fate::Broken,
        _ if is_gone => Fate::Lost,
        _ => Fate::Unasked,
    }
}

/// The socket, which nobody else holds any more.
fn returned(socket: Arc<Socket>) -> io::Result<TcpStream> {
    let socket = Arc::into_inner(socket).ok_or_else(|| io::Error::other("the socket is still in use"))?;
    TcpStream::from_std(socket)
}

/// Tells the pulse what goes and comes, for ever: what came from the client, and after a while whether
/// there was an answer. In between it looks away; an idle connection wakes nobody.
async fn feel(client: &Arc<Socket>, way: &Way) -> Infallible {
    loop {
        let Ok(()) = something_from(client).await else { return std::future::pending().await };
        way.pulse.sent();
        let before = Counts::of(client);
        sleep(way.pulse.pace()).await;
        let now = Counts::of(client);
        // What waited and was taken went over a link that had no room before.
        if now.written > before.written || (before.unread > 0 && now.read > before.read) {
            way.pulse.heard();
        }
        if now.ended && now.unread == 0 {
            return std::future::pending().await;
        }
    }
}

/// Resolves when the client has sent something that ssh has not read yet. It is not asked for longer than
/// necessary, because from then on every byte that comes would wake this process.
async fn something_from(client: &Arc<Socket>) -> io::Result<()> {
    // SAFETY: an `Arc` of a socket has the same open descriptor for as long as it lives.
    let client = unsafe { AsyncFd::register_with_interest(Arc::clone(client), Interest::READABLE) };
    let client = client.map_err(io::Error::from)?;
    client.readable().await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_http_are_known() {
        for beginning in ["GET / HTTP/1.1\r\n", "POST /v1/chat", "OPTIONS * HTTP/1", "PRI * HTTP/2.0\r\n"] {
            assert!(is_request(beginning.as_bytes()), "{beginning}");
        }
        for beginning in
            ["", "GE", "GET", "get / HTTP/1.1", "PRI x", "\x16\x03\x01", "SSH-2.0-x", "HELO x", "CONNECT h:1"]
        {
            assert!(!is_request(beginning.as_bytes()), "{beginning}");
        }
    }
}
