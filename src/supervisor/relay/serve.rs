//! Carrying connections from a local port to ssh by copying to a Unix socket that ssh forwards.
//!
//! The local port belongs to the supervisor, not to ssh, so it stays bound while ssh is replaced.
//! A connection that arrives while there is no link waits, for as long as it is told to, and then goes
//! through as if nothing had happened; so does one that a lost link had not begun to carry
//! ([`replay`]). What was under way when a link broke is delivered to the client as far as it had
//! come, and the connection is closed: as with `ssh -L`.

use std::cell::RefCell;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::socket::shutdown;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::accept::{self, Listener};
use super::metrics::Meter;
use super::owner::Guard;
use super::replay::{Fate, Opening};
use crate::supervisor::link::liveness::Pulse;

/// How long to wait before asking again a socket that refused although the link counts as up: in
/// the moment between the death of an ssh and its being noticed, and when a burst of connections
/// has filled the socket's queue, which holds 128 and does not make the next one wait as TCP does.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// Bytes moved at a time.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One buffer for all connections: bytes rest in it only between a read and the write that
    /// follows at once. Only what a slow receiver does not take is copied elsewhere, so that idle
    /// connections cost no memory.
    pub(super) static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// What connections have to know of the link that they go over. Copies share it.
#[derive(Debug, Clone)]
pub struct Way {
    /// Whether there is a link.
    pub link: watch::Receiver<bool>,
    /// How long a connection waits for one.
    pub hold: Duration,
    /// One for which there is no room waits for another to end, and those behind it in the
    /// listener's queue.
    pub room: Arc<Semaphore>,
    /// Keeps other users of this machine out, where the user wants that.
    pub guard: Guard,
    /// Hears of what goes and comes.
    pub pulse: Arc<Pulse>,
    /// Counts the connections, and what goes and comes.
    pub meter: Arc<Meter>,
}

impl Way {
    /// Whether the link is up.
    pub fn is_up(&self) -> bool {
        *self.link.borrow()
    }

    /// Until when a connection that arrives now waits.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.hold
    }

    /// Waits until the link is up.
    pub async fn until_up(&mut self, deadline: Instant) -> io::Result<()> {
        let gone = |_| io::Error::from(io::ErrorKind::ConnectionAborted);
        timeout_at(deadline, self.link.wait_for(|up| *up)).await?.map_err(gone).map(drop)
    }

    /// Resolves when the link is down, or the supervisor gone.
    pub async fn until_down(&mut self) {
        let _ = self.link.wait_for(|up| !*up).await;
    }

    /// Room for a connection that takes as much as `count` ordinary ones.
    pub async fn place(&self, count: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_many_owned(count).await.ok()
    }
}

/// Accepts connections on `listener` for ever and carries each to `socket` while the link is up.
/// Ends when the task is dropped.
pub async fn serve<L: Listener<Client: Stream>>(listener: L, socket: PathBuf, way: Way) {
    let socket: Arc<Path> = socket.into();
    accept::serve(listener, way, 1, false, |client, way| carry(client, Arc::clone(&socket), way)).await;
}

async fn carry(client: impl Stream, socket: Arc<Path>, mut way: Way) -> io::Result<()> {
    let mut opening = Opening::default();
    let remote = loop {
        let remote = connect(&socket, &mut way).await?;
        if opening.attend(&client, &remote, &way).await? == Fate::UnderWay {
            break remote;
        }
        // An ssh that is ending may still listen.
        drop(timeout(CONNECT_PAUSE, way.until_down()).await);
    };
    drop(opening);
    join(&client, &remote, &remote, &mut way).await
}

/// Carries between `client` and ssh, which takes what is written to `up` and gives what is read
/// from `down`, until both directions have ended or the link is lost.
pub async fn join(client: &impl Stream, up: &UnixStream, down: &UnixStream, way: &mut Way) -> io::Result<()> {
    let (pulse, meter) = (Arc::clone(&way.pulse), Arc::clone(&way.meter));
    let upload = async {
        tokio::select! {
            result = upload(client, up, Direction::Up(&pulse, &meter)) => result,
            () = way.until_down() => Ok(()),
        }
    };
    tokio::try_join!(upload, download(down, client, Direction::Down(&pulse, &meter))).map(drop)
}

/// From the client to the instance. A service that takes no more, because it has answered already,
/// must not cost the client the answer: what the client still sends is thrown away.
async fn upload(client: &impl Stream, remote: &UnixStream, direction: Direction<'_>) -> io::Result<()> {
    match copy(client, remote, &direction).await {
        Ok(()) => Ok(()),
        Err(Broken::Sender(error)) => Err(error),
        Err(Broken::Receiver(_)) => discard(client).await,
    }
}

/// From the instance to the client. However the other side ends, what it sent is delivered.
async fn download(remote: &UnixStream, client: &impl Stream, direction: Direction<'_>) -> io::Result<()> {
    match copy(remote, client, &direction).await {
        Ok(()) => Ok(()),
        Err(Broken::Sender(_)) => end(client),
        Err(Broken::Receiver(error)) => Err(error),
    }
}

/// A connection to `socket`, as soon as there is a link.
async fn connect(socket: &Path, way: &mut Way) -> io::Result<UnixStream> {
    let deadline = way.deadline();
    loop {
        way.until_up(deadline).await?;
        // A service that speaks first owes something from now on.
        way.pulse.sent();
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => drop(timeout(CONNECT_PAUSE, way.link.changed()).await),
        }
    }
}

/// One end of a connection, as far as copying needs it.
pub trait Stream: AsFd + Send + Sync + 'static {
    /// Resolves when something can be read.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;
    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send;
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

macro_rules! stream {
    ($type:ty) => {
        impl Stream for $type {
            async fn readable(&self) -> io::Result<()> {
                <$type>::readable(self).await
            }
            async fn writable(&self) -> io::Result<()> {
                <$type>::writable(self).await
            }
            fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                <$type>::try_read(self, buffer)
            }
            fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                <$type>::try_write(self, bytes)
            }
        }
    };
}

stream!(TcpStream);
stream!(UnixStream);

/// Which way bytes go, and who hears of it.
enum Direction<'a> {
    /// To ssh.
    Up(&'a Pulse, &'a Meter),
    /// From ssh.
    Down(&'a Pulse, &'a Meter),
}

impl Direction<'_> {
    /// The sender gave bytes, or its end.
    fn took(&self) {
        match self {
            Self::Up(pulse, _) => pulse.sent(),
            Self::Down(pulse, _) => pulse.heard(),
        }
    }

    /// That many bytes were taken.
    fn count(&self, bytes: usize) {
        let counter = match self {
            Self::Up(_, meter) => &meter.sent,
            Self::Down(_, meter) => &meter.received,
        };
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A receiver that was full takes bytes again.
    fn unblocked(&self) {
        match self {
            // ssh is not stuck, and what it could not send it has got rid of.
            Self::Up(pulse, _) => pulse.heard(),
            Self::Down(..) => {}
        }
    }
}

/// Which side of a copy broke, and how.
enum Broken {
    /// Nothing can be read any more.
    Sender(io::Error),
    /// Nothing is taken any more.
    Receiver(io::Error),
}

/// Copies until `from` ends, then tells `to` that no more will come and leaves the other
/// direction open. No more is read than the receiver takes.
async fn copy(from: &impl Stream, to: &impl Stream, direction: &Direction<'_>) -> Result<(), Broken> {
    loop {
        from.readable().await.map_err(Broken::Sender)?;
        match step(from, to, direction)? {
            Step::Moved => {}
            Step::Left(rest) => {
                write_all(to, &rest).await.map_err(Broken::Receiver)?;
                direction.unblocked();
            }
            Step::Ended => return end(to).map_err(Broken::Receiver),
        }
    }
}

/// Reads until `from` ends and forgets it.
async fn discard(from: &impl Stream) -> io::Result<()> {
    loop {
        from.readable().await?;
        match BUFFER.with_borrow_mut(|buffer| from.try_read(buffer)) {
            Ok(0) => return Ok(()),
            Err(error) if !is_momentary(&error) => return Err(error),
            _ => {}
        }
    }
}

enum Step {
    /// All that was read was written, be it nothing.
    Moved,
    /// The receiver did not take these bytes.
    Left(Vec<u8>),
    /// There was nothing to read and there will not be.
    Ended,
}

fn step(from: &impl Stream, to: &impl Stream, direction: &Direction<'_>) -> Result<Step, Broken> {
    BUFFER.with_borrow_mut(|buffer| {
        let read = match from.try_read(buffer) {
            Err(error) if is_momentary(&error) => return Ok(Step::Moved),
            read => read,
        };
        direction.took();
        let length = match read {
            Ok(0) => return Ok(Step::Ended),
            Ok(length) => length,
            Err(error) => return Err(Broken::Sender(error)),
        };
        direction.count(length);
        let taken = match to.try_write(&buffer[..length]) {
            Ok(taken) => taken,
            Err(error) if is_momentary(&error) => 0,
            Err(error) => return Err(Broken::Receiver(error)),
        };
        Ok(if taken == length { Step::Moved } else { Step::Left(buffer[taken..length].to_vec()) })
    })
}

pub(super) async fn write_all(to: &impl Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(taken) => bytes = &bytes[taken..],
            Err(error) if is_momentary(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Half-closes. That the peer closed first is no error.
pub(super) fn end(to: &impl Stream) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    match shutdown(to.as_fd().as_raw_fd(), nix::sys::socket::Shutdown::Write) {
        Ok(()) | Err(nix::errno::Errno::ENOTCONN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests;
