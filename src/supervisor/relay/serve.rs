//! Carries connections from a local port to the Unix socket that ssh forwards.
//!
//! The local port belongs to the supervisor, so it stays bound while ssh is replaced. A connection without a
//! link waits, within a time limit, and then continues as if nothing had happened, unless its client has
//! gone; so does one whose first data a lost link had not read ([`replay`](super::replay)). When a link
//! breaks, data that has come is delivered to the client and the connection is reset ([`copy`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

use super::accept::{self, Listener};
use super::copy;
use super::disconnect::disconnected;
use super::replay::{Fate, ReplayBuffer};
use super::stream::{self, Stream};
use super::uplink::Uplink;

/// Pause before trying a socket again that refused although the link counts as up: right after ssh's death,
/// and when a burst of connections has filled the socket's queue of 128, which does not make the next one
/// wait as TCP does.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// Accepts connections on `listener` for ever and carries each to `socket` while the link is up. Ends when
/// the task is dropped.
pub async fn serve<L: Listener<Client: Stream>>(listener: L, socket: PathBuf, uplink: Uplink) {
    let socket: Arc<Path> = socket.into();
    accept::serve(listener, uplink, 1, false, |client, uplink| carry(client, Arc::clone(&socket), uplink))
        .await;
}

async fn carry(client: impl Stream, socket: Arc<Path>, mut uplink: Uplink) -> io::Result<()> {
    let mut replay = ReplayBuffer::default();
    let remote = loop {
        let remote = match connect(&client, &socket, &mut uplink).await {
            Ok(remote) => remote,
            // Otherwise a client that has sent nothing would see an end.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return stream::reset(&client),
            Err(error) => return Err(error),
        };
        match replay.attend(&client, &remote, &uplink).await? {
            Fate::UnderWay => break remote,
            Fate::Refused => return stream::reset(&client),
            Fate::Withdrawn => {}
            // A dying ssh may still listen.
            Fate::Lost => drop(timeout(CONNECT_PAUSE, uplink.until_down()).await),
        }
    };
    drop(replay);
    copy::join(&client, &remote, &remote, &uplink).await
}

/// Returns a connection to `socket` as soon as there is a link; fails if `client` goes before.
async fn connect(client: &impl Stream, socket: &Path, uplink: &mut Uplink) -> io::Result<UnixStream> {
    if uplink.attach()
        && let Ok(stream) = UnixStream::connect(socket).await
    {
        return Ok(stream);
    }
    tokio::select! {
        stream = connect_when_up(socket, uplink) => stream,
        gone = disconnected(client) => gone.and(Err(io::ErrorKind::ConnectionAborted.into())),
    }
}

async fn connect_when_up(socket: &Path, uplink: &mut Uplink) -> io::Result<UnixStream> {
    let deadline = uplink.deadline();
    loop {
        uplink.until_up(deadline).await?;
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => drop(timeout(CONNECT_PAUSE, uplink.link.changed()).await),
        }
    }
}

#[cfg(test)]
mod tests;
