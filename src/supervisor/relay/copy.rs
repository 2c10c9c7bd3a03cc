//! Copying between a client and ssh: each direction to its own end, and both ends as the other side made them.
//!
//! | what happens | what the client sees |
//! |---|---|
//! | the service ends its direction | all bytes, then an end; its own direction goes on |
//! | the service closes, with or without having read everything | all bytes, then an end; `ssh -L` may reset |
//! | ssh closes without a byte, with some of the client's unread | a reset, as from `ssh -L` |
//! | the link is lost | the bytes that had come, then a reset: something is missing |

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use super::disconnect::is_closed;
use super::metrics::Counters;
use super::pipe::Pipe;
use super::stream::{Stream, end, is_momentary, reset, unsent, write_all};
use super::uplink::{Uplink, is_gone};
use crate::supervisor::link::carrier::Exchange;

/// Bytes to copy at a time. A read of this length shows a large transfer, which goes on through a pipe.
const CHUNK: usize = 64 * 1024;
/// Time to read from a client that goes on sending after the service has closed, so that it is not reset
/// before it has read the answer.
const LINGER: Duration = Duration::from_secs(5);
/// Time for a client to read the data that had come when its link was lost.
const DRAIN: Duration = Duration::from_secs(10);
/// Time that a connection whose service has ended must be silent before it makes room for others.
const SILENT: Duration = Duration::from_secs(1);
/// Time for ssh's end to become known after that of its sockets.
const LAST_BREATH: Duration = Duration::from_millis(50);

thread_local! {
    /// One buffer for all connections: bytes stay in it only between a read and the write right after it.
    /// Only what a slow receiver does not accept is copied elsewhere, so idle connections cost no memory.
    pub(super) static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// Copies between `client` and ssh, which reads from `up` and writes to `down`, until both directions have
/// ended or one side is gone.
pub async fn join(
    client: &impl Stream,
    up: &UnixStream,
    down: &UnixStream,
    uplink: &Uplink,
) -> io::Result<()> {
    let (exchange, counters) = (&uplink.exchange, &uplink.counters);
    let _under_way = exchange.carrier().carry();
    let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut upload = pin!(copy(client, up, Direction::Up(exchange, counters, &sent)));
    let mut download = pin!(copy(down, client, Direction::Down(exchange, counters, &received)));
    let mut uploaded = None;
    let downloaded = loop {
        tokio::select! {
            result = &mut download => break result,
            result = &mut upload, if uploaded.is_none() => match result {
                Err(Broken::Sender(error)) => return Err(error),
                result => uploaded = Some(result),
            },
        }
    };
    if let Err(Broken::Receiver(error)) = downloaded {
        return Err(error);
    }
    if downloaded.is_err() || is_closed(up) {
        let complete = matches!(uploaded, Some(Ok(())));
        if is_lost(up, complete, uplink).await {
            return break_off(client).await;
        }
        let unread = downloaded.is_err() || uploaded.is_some_and(|result| result.is_err());
        return close(client, complete, unread, received.load(Ordering::Relaxed) > 0, uplink).await;
    }
    end(client)?;
    if uploaded.is_none() {
        uploaded = tokio::select! {
            result = &mut upload => Some(result),
            () = uplink.until_down() => None,
            () = given_way(uplink, &sent) => return Ok(()),
        };
    }
    match uploaded {
        Some(Ok(())) => Ok(()),
        Some(Err(Broken::Sender(error))) => Err(error),
        _ => reset(client),
    }
}

/// Ends a connection that ssh has closed: `complete` if the client had ended before, with some of its data
/// `unread`, and `answered` if any data came back.
async fn close(
    client: &impl Stream,
    complete: bool,
    unread: bool,
    answered: bool,
    uplink: &Uplink,
) -> io::Result<()> {
    if !complete && !answered {
        return if unread { reset(client) } else { Ok(()) };
    }
    end(client)?;
    if !complete {
        tokio::select! {
            _ = timeout(LINGER, discard(client)) => {}
            () = uplink.limit.crowded() => {}
        }
    }
    Ok(())
}

/// Waits until a silent connection must make room for others.
async fn given_way(uplink: &Uplink, sent: &AtomicU64) {
    let (mut before, mut since) = (sent.load(Ordering::Relaxed), Instant::now());
    loop {
        uplink.limit.crowded().await;
        let now = sent.load(Ordering::Relaxed);
        if now != before {
            (before, since) = (now, Instant::now());
        } else if since.elapsed() >= SILENT {
            return;
        }
    }
}

/// Returns true if ssh itself has ended, as it closes connections for other reasons, too. Does not wait for
/// one that the client had ended.
async fn is_lost(remote: &UnixStream, complete: bool, uplink: &Uplink) -> bool {
    is_gone(remote, uplink)
        || !complete && (timeout(LAST_BREATH, uplink.until_down()).await.is_ok() || is_gone(remote, uplink))
}

/// Resets a connection whose link was lost, after the client has read the data that had come.
async fn break_off(client: &impl Stream) -> io::Result<()> {
    let begun = Instant::now();
    while unsent(client) > 0 && begun.elapsed() < DRAIN {
        sleep((begun.elapsed() / 4).clamp(Duration::from_millis(1), Duration::from_millis(250))).await;
    }
    reset(client)
}

/// A direction: whom to tell about its bytes, and their count.
enum Direction<'a> {
    /// To ssh.
    Up(&'a Exchange, &'a Counters, &'a AtomicU64),
    /// From ssh.
    Down(&'a Exchange, &'a Counters, &'a AtomicU64),
}

impl Direction<'_> {
    /// Records data from the sender, or its end.
    fn took(&self) {
        match self {
            Self::Up(exchange, ..) => exchange.sent(),
            Self::Down(exchange, ..) => exchange.received(),
        }
    }

    /// Records data that the receiver accepted.
    fn count(&self, bytes: usize) {
        let (counter, own) = match self {
            Self::Up(_, counters, own) => (&counters.sent, own),
            Self::Down(_, counters, own) => (&counters.received, own),
        };
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
        own.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Records that a full receiver accepts data again.
    fn unblocked(&self) {
        match self {
            Self::Up(exchange, ..) => exchange.unblocked(),
            Self::Down(..) => {}
        }
    }
}

/// The side of a copy that broke.
enum Broken {
    /// Reading failed.
    Sender(io::Error),
    /// Writing failed.
    Receiver(io::Error),
}

/// Copies until `from` ends. Then shuts down ssh's side; a client's end depends on more than this. Reads no
/// more than the receiver accepts.
async fn copy(from: &impl Stream, to: &impl Stream, direction: Direction<'_>) -> Result<(), Broken> {
    let mut is_bulk = false;
    loop {
        from.readable().await.map_err(Broken::Sender)?;
        let pipe = if is_bulk { Pipe::take() } else { None };
        let step = match pipe {
            Some(pipe) => splice(pipe, from, to, &direction)?,
            None => step(from, to, &direction)?,
        };
        match step {
            // Nothing for now says nothing of what follows.
            Step::Moved(0) => {}
            Step::Moved(length) => is_bulk = length >= CHUNK,
            Step::Left(rest) => {
                write_all(to, &rest).await.map_err(Broken::Receiver)?;
                direction.unblocked();
            }
            Step::Stuck(mut pipe) => {
                empty(&mut pipe, to).await.map_err(Broken::Receiver)?;
                pipe.give_back();
                direction.unblocked();
            }
            Step::Ended if matches!(direction, Direction::Up(..)) => {
                return end(to).map_err(Broken::Receiver);
            }
            Step::Ended => return Ok(()),
        }
    }
}

/// Reads and discards until `from` ends.
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
    /// Everything that was read was written; its length.
    Moved(usize),
    /// The receiver did not accept these bytes.
    Left(Vec<u8>),
    /// The receiver did not accept the content of this pipe.
    Stuck(Pipe),
    /// There was nothing to read, and there will be nothing.
    Ended,
}

fn step(from: &impl Stream, to: &impl Stream, direction: &Direction<'_>) -> Result<Step, Broken> {
    BUFFER.with_borrow_mut(|buffer| {
        let read = match from.try_read(buffer) {
            Err(error) if is_momentary(&error) => return Ok(Step::Moved(0)),
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
        Ok(if taken == length { Step::Moved(length) } else { Step::Left(buffer[taken..length].to_vec()) })
    })
}

/// Like [`step`], for large amounts, without copying through this process.
fn splice(
    mut pipe: Pipe,
    from: &impl Stream,
    to: &impl Stream,
    direction: &Direction<'_>,
) -> Result<Step, Broken> {
    let read = match from.try_io(Interest::READABLE, || pipe.fill(from)) {
        Err(error) if is_momentary(&error) => Ok(Step::Moved(0)),
        read => {
            direction.took();
            match read {
                Ok(0) => Ok(Step::Ended),
                Ok(length) => Ok(Step::Moved(length)),
                Err(error) => Err(Broken::Sender(error)),
            }
        }
    };
    if let Ok(Step::Moved(length @ 1..)) = read {
        direction.count(length);
        match to.try_io(Interest::WRITABLE, || pipe.empty(to)) {
            Err(error) if is_momentary(&error) => return Ok(Step::Stuck(pipe)),
            result => result.map_err(Broken::Receiver)?,
        }
    }
    pipe.give_back();
    read
}

/// Empties `pipe` as `to` accepts data.
async fn empty(pipe: &mut Pipe, to: &impl Stream) -> io::Result<()> {
    loop {
        to.writable().await?;
        match to.try_io(Interest::WRITABLE, || pipe.empty(to)) {
            Err(error) if is_momentary(&error) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
