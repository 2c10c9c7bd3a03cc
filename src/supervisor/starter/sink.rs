//! Event sink of a starter: a terminal, or the socket of a waiting `start`, which may read slowly.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use zeroize::Zeroizing;

use crate::supervisor::askpass::helper::Reply;
use crate::supervisor::protocol::event::{self, Event};
use crate::supervisor::protocol::progress::Report;
use crate::supervisor::protocol::request::Request;

/// Answer to a question; `None` without one.
pub(super) type Answer = Option<Zeroizing<String>>;

#[derive(Debug)]
pub(super) enum Sink {
    /// Terminal of a tunnel in the foreground.
    Terminal(Report),
    /// The `start` that spawned this process.
    Process(StartProcess),
    /// The start is over.
    None,
}

/// A waiting `start`.
#[derive(Debug)]
pub(super) struct StartProcess {
    stream: UnixStream,
    /// True if it shows ssh's messages.
    verbose: bool,
    /// True if it can ask the user questions.
    can_answer: bool,
    /// Receiver of its answer.
    waiting: Option<oneshot::Sender<Answer>>,
    /// Events that did not fit into the socket: a server can make ssh write faster than the starter reads.
    unsent: Vec<u8>,
    /// Notified when there are such events.
    full: Arc<Notify>,
    /// True if the last event has been sent or is in `unsent`.
    over: bool,
}

impl Sink {
    pub(super) fn send(&mut self, event: &Event) {
        match self {
            Self::Terminal(report) => report.show(event),
            Self::Process(starter) if !starter.takes(event) => {}
            Self::Process(starter) => {
                starter.over = event.clone().outcome().is_some();
                if event::send(&mut starter.unsent, event).is_ok()
                    && let Ok(stream) = starter.stream.try_clone()
                {
                    self.flush(|bytes| (&stream).write(bytes));
                }
            }
            Self::None => {}
        }
    }

    /// Writes unsent events as far as there is room; returns true if none are left.
    pub(super) fn flush(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> bool {
        let Self::Process(starter) = self else { return true };
        while !starter.unsent.is_empty() {
            match write(&starter.unsent) {
                Ok(written) => drop(starter.unsent.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    starter.full.notify_one();
                    return false;
                }
                Err(_) => {
                    *self = Self::None;
                    return true;
                }
            }
        }
        if starter.over {
            *self = Self::None;
        }
        true
    }
}

impl StartProcess {
    /// Returns the `start` of `request` at the other end of `stream`.
    pub(super) fn new(stream: UnixStream, request: &Request) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (verbose, can_answer) = (request.verbose, request.can_answer);
        let (waiting, unsent, full, over) = (None, Vec::new(), Arc::default(), false);
        Ok(Self { stream, verbose, can_answer, waiting, unsent, full, over })
    }

    /// Returns true while it waits for the tunnel.
    pub(super) fn is_waiting(&self) -> bool {
        !self.over
    }

    /// Returns true if it can ask the user questions.
    pub(super) fn can_answer(&self) -> bool {
        self.can_answer
    }

    /// Returns the receiver of its next answer.
    pub(super) fn expect_answer(&mut self) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.waiting = Some(sender);
        receiver
    }

    /// Passes on its answer.
    pub(super) fn receive_answer(&mut self, reply: Reply) {
        // A withdrawn question has no receiver.
        let _ = self.waiting.take().map(|waiting| waiting.send(reply.text.map(Zeroizing::new)));
    }

    /// Returns another handle of its socket.
    pub(super) fn socket(&self) -> io::Result<tokio::net::UnixStream> {
        self.stream.try_clone().and_then(tokio::net::UnixStream::from_std)
    }

    /// Returns the notification that events are left to be sent.
    pub(super) fn full(&self) -> Arc<Notify> {
        Arc::clone(&self.full)
    }

    /// Sends it the rest, at the end of the tunnel.
    pub(super) fn finish(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(PATIENCE));
        let _ = self.stream.write_all(&self.unsent);
    }

    /// Returns true if it gets `event`.
    fn takes(&self, event: &Event) -> bool {
        let is_talk = matches!(event, Event::Said { .. });
        !self.over && (!is_talk || self.verbose && self.unsent.is_empty())
    }
}
