//! Events between a `start` and its supervisor, over one socket, the supervisor's standard input. `start`
//! sends the request; the supervisor sends events until the tunnel is up or has failed. If `start` goes away
//! before, the tunnel stops.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::runtime::forward::Forward;
use crate::supervisor::askpass::prompt::Asked;

/// Event from the supervisor to its starter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Lock and ports are taken; ssh is starting.
    Connecting,
    /// A line of ssh's output.
    Said {
        /// The line as ssh wrote it.
        line: String,
    },
    /// A question of ssh, which `start` answers.
    Question {
        /// The question.
        asked: Asked,
    },
    /// A problem that does not stop the tunnel.
    Warning {
        /// Description.
        text: String,
    },
    /// The tunnel is up.
    Up {
        /// Forwards with their final local ports.
        forwards: Vec<Forward>,
    },
    /// The ports are open; the first connection starts ssh.
    Idle {
        /// Forwards with their final local ports.
        forwards: Vec<Forward>,
    },
    /// An on-demand tunnel's link is up again. Sent in the foreground only.
    Opened,
    /// An on-demand tunnel's ssh has ended, as nothing used it. Sent in the foreground only.
    Closed,
    /// The link was lost; reconnecting. Sent in the foreground only.
    Lost {
        /// Reason.
        reason: String,
        /// Milliseconds until the next attempt.
        retry_in: u64,
    },
    /// A tunnel of this name is already running.
    AlreadyRunning {
        /// Hints.
        hints: Vec<String>,
    },
    /// The tunnel was not up in time.
    TimedOut {
        /// Hints.
        hints: Vec<String>,
    },
    /// The tunnel failed to start.
    Failed {
        /// Reason.
        reason: String,
        /// Hints.
        hints: Vec<String>,
    },
    /// An error before the first attempt.
    Refused {
        /// Message.
        message: String,
        /// Hints.
        hints: Vec<String>,
    },
    /// The tunnel was stopped before it was up.
    Stopped,
}

/// Longest message, in bytes.
const MESSAGE_MAX: u64 = 1 << 20;

/// Usual size of a message, in bytes.
const USUAL_LENGTH: usize = 1 << 15;

/// Sends one message as a line of JSON.
pub fn send(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    // It can be the answer to a question.
    let mut line = Zeroizing::new(Vec::with_capacity(USUAL_LENGTH));
    serde_json::to_writer(&mut *line, message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Receiver of messages.
#[derive(Debug)]
pub struct Receiver {
    reader: BufReader<UnixStream>,
}

impl Receiver {
    /// Returns the receiver for `stream`.
    pub fn new(stream: UnixStream) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    /// Returns the next message; `None` at the end.
    pub fn receive<T: for<'a> Deserialize<'a>>(&mut self) -> io::Result<Option<T>> {
        let mut line = Vec::new();
        (&mut self.reader).take(MESSAGE_MAX).read_until(b'\n', &mut line)?;
        if line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&line)?)) }
    }
}

impl From<&Error> for Event {
    fn from(error: &Error) -> Self {
        let hints = || error.hints().into_iter().map(str::to_owned).collect();
        match error {
            Error::AlreadyRunning { .. } => Self::AlreadyRunning { hints: hints() },
            Error::TimedOut { .. } => Self::TimedOut { hints: hints() },
            Error::Start { reason, .. } => Self::Failed { reason: reason.clone(), hints: hints() },
            other => Self::Refused { message: other.to_string(), hints: hints() },
        }
    }
}

impl Event {
    /// Returns the result if this event ends the start; `None` otherwise.
    pub fn outcome(self) -> Option<Result<()>> {
        match self {
            Self::Connecting
            | Self::Said { .. }
            | Self::Question { .. }
            | Self::Warning { .. }
            | Self::Opened
            | Self::Closed
            | Self::Lost { .. } => None,
            Self::Up { .. } | Self::Idle { .. } => Some(Ok(())),
            Self::AlreadyRunning { hints } => Some(Err(Error::AlreadyRunning { hints })),
            Self::TimedOut { hints } => Some(Err(Error::TimedOut { hints })),
            Self::Failed { reason, hints } => Some(Err(Error::Start { reason, hints })),
            Self::Refused { message, hints } => Some(Err(Error::Failed { message, hints })),
            Self::Stopped => Some(Err(Error::failed("the tunnel was stopped before it was up"))),
        }
    }
}
