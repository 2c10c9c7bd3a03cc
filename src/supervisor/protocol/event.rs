//! The line between `start` and the supervisor it spawned: one socket, the supervisor's standard
//! input. `start` sends the request; the supervisor sends events until the tunnel is up or has
//! failed. When `start` is gone before that, nobody wants the tunnel any more.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::runtime::state::Forward;
use crate::supervisor::askpass::prompt::Asked;

/// What the supervisor tells whoever started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The lock and the ports are taken; ssh is being started.
    Connecting,
    /// ssh said something.
    Said {
        /// The line, as ssh wrote it.
        line: String,
    },
    /// ssh has a question. `start` says what was typed, or that nobody answers.
    Question {
        /// The question.
        asked: Asked,
    },
    /// Something is not as it should be, and the tunnel does without.
    Warning {
        /// What.
        text: String,
    },
    /// Requests go through.
    Up {
        /// The services, with the local ports that they got.
        forwards: Vec<Forward>,
    },
    /// The link was lost and is being made anew. Only told in the foreground.
    Lost {
        /// Why.
        reason: String,
        /// Milliseconds until the next attempt.
        retry_in: u64,
    },
    /// A tunnel of this name runs already.
    AlreadyRunning,
    /// The tunnel did not come up in time.
    TimedOut {
        /// What to look at.
        hints: Vec<String>,
    },
    /// The tunnel cannot be started.
    Failed {
        /// Why.
        reason: String,
        /// What to do about it.
        hints: Vec<String>,
    },
    /// Something went wrong before the tunnel was tried.
    Refused {
        /// What.
        message: String,
        /// What to do about it.
        hints: Vec<String>,
    },
    /// The tunnel was stopped before it came up.
    Stopped,
}

/// The longest message taken from the other side, in bytes.
const MESSAGE_MAX: u64 = 1 << 20;

/// What nearly every message has room in, in bytes.
const USUAL_LENGTH: usize = 1 << 15;

/// Sends one message, as a line of JSON.
pub fn send(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    // It may be the answer to a question.
    let mut line = Zeroizing::new(Vec::with_capacity(USUAL_LENGTH));
    serde_json::to_writer(&mut *line, message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Receives messages of the other side.
#[derive(Debug)]
pub struct Receiver {
    reader: BufReader<UnixStream>,
}

impl Receiver {
    /// Receives from `stream`.
    pub fn new(stream: UnixStream) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    /// The next message; `None` when the other side is gone.
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
            Error::AlreadyRunning => Self::AlreadyRunning,
            Error::TimedOut { .. } => Self::TimedOut { hints: hints() },
            Error::Start { reason, .. } => Self::Failed { reason: reason.clone(), hints: hints() },
            other => Self::Refused { message: other.to_string(), hints: hints() },
        }
    }
}

impl Event {
    /// Whether the start ends with this event: well, with an error, or (`None`) not yet.
    pub fn outcome(self) -> Option<Result<()>> {
        match self {
            Self::Connecting
            | Self::Said { .. }
            | Self::Question { .. }
            | Self::Warning { .. }
            | Self::Lost { .. } => None,
            Self::Up { .. } => Some(Ok(())),
            Self::AlreadyRunning => Some(Err(Error::AlreadyRunning)),
            Self::TimedOut { hints } => Some(Err(Error::TimedOut { hints })),
            Self::Failed { reason, hints } => Some(Err(Error::Start { reason, hints })),
            Self::Refused { message, hints } => Some(Err(Error::Failed { message, hints })),
            Self::Stopped => Some(Err(Error::failed("the tunnel was stopped before it was up"))),
        }
    }
}
