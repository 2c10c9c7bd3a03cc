//! Client of the supervisor's socket: requests of other commands, and proof of its identity.
//!
//! The kernel identifies the process that listens at the other end of a Unix socket. While a connection is
//! open, that PID is alive and is the supervisor's; without this proof, no command sends a signal.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::config::forwarding::{ForwardSpec, Listen};
use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::process::Process;
use crate::system::deadline_stream::{DeadlineStream, is_late};
use crate::system::peer;

/// Request to stop. Each request is one line.
pub const STOP: &str = "stop\n";
/// Request to query the status daemon now.
pub const POLL_DAEMON: &str = "ask\n";
/// Request for the traffic of the forwards; the answer is a JSON line with a list of [`Flow`]s, then the
/// connection closes.
pub const TRAFFIC: &str = "traffic\n";
/// Request that only shows whether the supervisor answers: it closes the connection, as after any invalid request.
const PRESENCE: &str = "\n";
/// Request to add a forward, which follows as text; the answer is an [`Answer`].
pub const ADD: &str = "add ";
/// Request to remove a forward; likewise.
pub const REMOVE: &str = "remove ";
/// Request for the reason why the server does not connect to a forward's target; likewise. The answer is
/// ssh's message, or success.
pub const WHY: &str = "why ";
/// Request to start an idle tunnel's ssh; the answer is an [`Answer`], once the link is up or cannot be. The link is
/// wanted until the connection closes.
pub const OPEN: &str = "open\n";
/// The answer to [`WHY`] if a connection waits for another to end.
pub const TOO_MANY_CONNECTIONS: &str = "the tunnel has no room for more connections";
/// Longest request, in bytes: a forward has two paths or names and two ports.
pub const REQUEST_MAX: u64 = 1024;
/// Time for a supervisor to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);

/// Answer to a request: a JSON line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Reason of a refusal.
    pub error: Option<String>,
    /// Hint.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// Longest answer, in bytes.
const ANSWER_MAX: u64 = 1 << 20;

/// Traffic of one forward since the start of the tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Local end.
    pub local: Listen,
    /// Open connections, including those waiting for a lost link.
    pub open: u64,
    /// All connections, including open ones.
    pub connections: u64,
    /// Bytes to the instance.
    pub sent: u64,
    /// Bytes from the instance.
    pub received: u64,
}

/// Question to a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Request for a sign of life.
    Presence,
    /// Request for the traffic of its forwards.
    Traffic,
}

impl Question {
    fn request(self) -> &'static str {
        match self {
            Self::Presence => PRESENCE,
            Self::Traffic => TRAFFIC,
        }
    }
}

/// Connection to a running supervisor.
#[derive(Debug)]
pub struct Supervisor {
    stream: UnixStream,
    process: Process,
    is_asked: bool,
}

impl Supervisor {
    /// Connects to the supervisor of the tunnel in `directory`.
    pub fn connect(directory: &Directory) -> io::Result<Self> {
        let stream = UnixStream::connect(directory.supervisor_socket())?;
        if !peer::is_own(&stream) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let process = Process::find(listener(&stream)?);
        // Still connected, so the process is the one that listens and not a later one with its PID.
        if is_disconnected(&stream) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(Self { stream, process, is_asked: false })
    }

    /// Asks it a question, unless it was asked, and does not wait: many can be asked before the first answer is read. Ends
    /// the use of this connection but for the answer.
    pub fn ask(&mut self, question: Question) {
        if !std::mem::replace(&mut self.is_asked, true) {
            // A supervisor that has ended gives no answer, either.
            let _ = self.stream.write_all(question.request().as_bytes());
        }
    }

    /// Returns true if it answers [`Question::Presence`] before `deadline`. A suspended or hanging one still holds its
    /// lock, and the kernel accepts connections for it.
    pub fn responds(&mut self, deadline: Instant) -> bool {
        !matches!(self.answer(deadline).read(&mut [0]), Err(error) if is_late(&error))
    }

    /// Returns its process.
    pub fn pid(&self) -> u32 {
        self.process.pid().as_raw().unsigned_abs()
    }

    /// Asks it to stop and waits until its process is gone; returns false if it is still there after
    /// `patience`.
    pub fn stop(&mut self, patience: Duration) -> io::Result<bool> {
        match self.stream.write_all(STOP.as_bytes()) {
            Err(error) if !is_end(&error) => Err(error),
            _ => Ok(self.process.has_ended(patience)),
        }
    }

    /// Asks it to query the status daemon now instead of at the next interval. It does so later.
    pub fn poll_daemon(&mut self) -> io::Result<()> {
        self.stream.write_all(POLL_DAEMON.as_bytes())
    }

    /// Returns its answer to [`Question::Traffic`]: the traffic of its forwards. Fails if there is none before `deadline`.
    pub fn traffic(&mut self, deadline: Instant) -> io::Result<Vec<Flow>> {
        let mut answer = String::new();
        BufReader::new(self.answer(deadline).take(ANSWER_MAX)).read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// Returns the stream with the answer. What has come before a deadline that passed can still be read.
    fn answer(&self, deadline: Instant) -> DeadlineStream<&UnixStream> {
        const LEAST: Duration = Duration::from_millis(5);
        DeadlineStream::new(&self.stream, deadline.saturating_duration_since(Instant::now()).max(LEAST))
    }

    /// Asks it for a link and waits for it; `None` if there is none within `patience`. An error has the reason why there
    /// will be none. The link does not end for lack of use while this connection is open.
    pub fn open_link(mut self, patience: Duration) -> Result<Option<Self>> {
        let at_fault = |source| Error::cannot("ask the supervisor", source);
        let mut ask = || {
            self.stream.write_all(OPEN.as_bytes())?;
            let stream = DeadlineStream::new(self.stream.try_clone()?, patience);
            let mut line = String::new();
            match BufReader::new(stream.take(ANSWER_MAX)).read_line(&mut line) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => Ok(Some(serde_json::from_str::<Answer>(&line)?)),
                Err(error) if is_late(&error) => Ok(None),
                Err(error) => Err(error),
            }
        };
        match ask().map_err(at_fault)? {
            None => Ok(None),
            Some(Answer { error: None, .. }) => Ok(Some(self)),
            Some(Answer { error: Some(message), hints }) => Err(Error::Failed { message, hints }),
        }
    }

    /// Asks it to add ([`ADD`]) or remove ([`REMOVE`]) a forward, or for the reason of a failure ([`WHY`]).
    pub fn change(mut self, what: &str, spec: &ForwardSpec) -> Result<()> {
        let at_fault = |source| Error::cannot("ask the supervisor", source);
        let mut ask = || {
            self.stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
            self.stream.write_all(format!("{what}{spec}\n").as_bytes())?;
            let mut line = String::new();
            BufReader::new((&self.stream).take(ANSWER_MAX)).read_line(&mut line)?;
            if line.is_empty() {
                // A supervisor of an earlier version does not know the request.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(serde_json::from_str::<Answer>(&line)?)
        };
        match ask().map_err(at_fault)? {
            Answer { error: None, .. } => Ok(()),
            Answer { error: Some(message), hints } => Err(Error::Failed { message, hints }),
        }
    }

    /// Kills its process, which is proven to be the supervisor's, and waits for its end; returns false if it
    /// is still there after `patience`.
    pub fn kill(&mut self, patience: Duration) -> io::Result<bool> {
        if is_disconnected(&self.stream) {
            return Ok(self.process.has_ended(patience));
        }
        self.process.kill()?;
        Ok(self.process.has_ended(patience))
    }
}

/// Returns true if the other end is closed.
fn is_disconnected(stream: &UnixStream) -> bool {
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    !matches!(recv(stream.as_raw_fd(), &mut [0], flags), Ok(1..) | Err(Errno::EAGAIN))
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Returns the process that listens at the other end.
fn listener(stream: &UnixStream) -> io::Result<Pid> {
    use nix::sys::socket::{getsockopt, sockopt};

    #[cfg(target_os = "linux")]
    let pid = getsockopt(stream, sockopt::PeerCredentials)?.pid();
    #[cfg(target_os = "macos")]
    let pid = getsockopt(stream, sockopt::LocalPeerPid)?;
    // 0 stands for a process that is not visible here; kill would signal many.
    if pid > 1 {
        Ok(Pid::from_raw(pid))
    } else {
        Err(io::Error::other("the supervisor's process is not visible"))
    }
}
