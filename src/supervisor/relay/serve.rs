//! Carrying connections from a local port to ssh by copying to a Unix socket that ssh forwards.
//!
//! The local port belongs to the supervisor, not to ssh, so it stays bound while ssh is replaced.
//! A connection that arrives while there is no link waits, for as long as it is told to, and then goes
//! through as if nothing had happened, unless its client has gone meanwhile; so does one that a lost link had
//! not begun to carry ([`replay`](super::replay)). What was under way when a link broke is delivered to the
//! client as far as it had come, and the connection is reset ([`copy`](super::copy)).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

use super::accept::{self, Listener};
use super::copy;
use super::departure::departure;
use super::replay::{Fate, ReplayBuffer};
use super::stream::{self, Stream};
use super::uplink::Uplink;

/// How long to wait before asking again a socket that refused although the link counts as up: in
/// the moment between the death of an ssh and its being noticed, and when a burst of connections
/// has filled the socket's queue, which holds 128 and does not make the next one wait as TCP does.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// Accepts connections on `listener` for ever and carries each to `socket` while the link is up.
/// Ends when the task is dropped.
pub async fn serve<L: Listener<Client: Stream>>(listener: L, socket: PathBuf, uplink: Uplink) {
    let socket: Arc<Path> = socket.into();
    accept::serve(listener, uplink, 1, false, |client, uplink| carry(client, Arc::clone(&socket), uplink))
        .await;
}

async fn carry(client: impl Stream, socket: Arc<Path>, mut uplink: Uplink) -> io::Result<()> {
    let mut opening = ReplayBuffer::default();
    let remote = loop {
        let remote = connect(&client, &socket, &mut uplink).await?;
        match opening.attend(&client, &remote, &uplink).await? {
            Fate::UnderWay => break remote,
            Fate::Refused => return stream::reset(&client),
            // An ssh that is ending may still listen.
            Fate::Lost => drop(timeout(CONNECT_PAUSE, uplink.until_down()).await),
        }
    };
    drop(opening);
    copy::join(&client, &remote, &remote, &mut uplink).await
}

/// A connection to `socket`, as soon as there is a link; an error if `client` goes before.
async fn connect(client: &impl Stream, socket: &Path, uplink: &mut Uplink) -> io::Result<UnixStream> {
    // A service that speaks first owes something from now on.
    uplink.liveness.sent();
    // From now on another link is one too many: see `replay::is_gone`.
    if *uplink.link.borrow_and_update()
        && let Ok(stream) = UnixStream::connect(socket).await
    {
        return Ok(stream);
    }
    tokio::select! {
        stream = connect_when_up(socket, uplink) => stream,
        gone = departure(client) => gone.and(Err(io::ErrorKind::ConnectionAborted.into())),
    }
}

async fn connect_when_up(socket: &Path, uplink: &mut Uplink) -> io::Result<UnixStream> {
    let deadline = uplink.deadline();
    loop {
        uplink.until_up(deadline).await?;
        uplink.liveness.sent();
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => drop(timeout(CONNECT_PAUSE, uplink.link.changed()).await),
        }
    }
}

#[cfg(test)]
mod tests;
