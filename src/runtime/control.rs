//! The supervisor's own socket: how other commands ask something of it, and how they learn for
//! certain which process it is.
//!
//! The kernel tells who listens at the other end of a Unix socket. While a connection to the
//! supervisor is open, the PID it names is alive and is the supervisor's: that is the proof without
//! which no command here sends a signal.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::config::forwarding::{Forwarding, Listen};
use crate::error::{Error, Result};
use crate::runtime::directory::Directory;
use crate::runtime::process::Process;
use crate::system::deadline_stream::DeadlineStream;
use crate::system::peer;

/// Asks a supervisor to stop. Requests are a line each.
pub const STOP: &str = "stop\n";
/// Asks a supervisor to have the status daemon say how things are now.
pub const POLL_DAEMON: &str = "ask\n";
/// Asks a supervisor what goes through its forwards: it answers with a line of JSON, [`Flow`]s in a
/// list, and closes the connection.
pub const TRAFFIC: &str = "traffic\n";
/// Asks a supervisor to forward something more; a forward as text follows. It answers with an
/// [`Answer`].
pub const ADD: &str = "add ";
/// Asks a supervisor to stop forwarding something; likewise.
pub const REMOVE: &str = "remove ";
/// Asks a supervisor why the server does not connect to the target of a forward; likewise. Its answer
/// is what ssh says, or that nothing is wrong.
pub const WHY: &str = "why ";
/// The longest a request can be, in bytes: a forward is two paths or names and two ports.
pub const REQUEST_MAX: u64 = 1024;
/// How long a supervisor may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(15);

/// What a supervisor says to a request: a line of JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Why it was not fulfilled.
    pub error: Option<String>,
    /// What to do about it.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 1 << 20;

/// What has gone through one forward since the tunnel was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// What is listened on here.
    pub local: Listen,
    /// Connections that are open now, those among them that wait for a lost link.
    pub open: u64,
    /// Connections there have been, the open ones among them.
    pub connections: u64,
    /// Bytes to the instance.
    pub sent: u64,
    /// Bytes from the instance.
    pub received: u64,
}

/// A connection to a running supervisor.
#[derive(Debug)]
pub struct Supervisor {
    stream: UnixStream,
    process: Process,
}

impl Supervisor {
    /// Connects to the supervisor of the tunnel in `directory`.
    pub fn connect(directory: &Directory) -> io::Result<Self> {
        let stream = UnixStream::connect(directory.supervisor_socket())?;
        if !peer::is_own(&stream) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let process = Process::find(listener(&stream)?);
        // Connected still, so the process that was found is the one that listens, and not a later
        // one that was given its PID.
        if is_disconnected(&stream) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(Self { stream, process })
    }

    /// Whether it does anything: one that is suspended or hangs still holds its lock, and the kernel
    /// still takes connections for it. Looked at for at most `patience`.
    pub fn responds(directory: &Directory, patience: Duration) -> bool {
        let question = || {
            let mut stream = UnixStream::connect(directory.supervisor_socket())?;
            stream.set_read_timeout(Some(patience))?;
            stream.write_all(b"\n")?;
            // What is no request is answered with the end of the connection, if with nothing else.
            stream.read(&mut [0])
        };
        !matches!(question(), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid().as_raw().unsigned_abs()
    }

    /// Asks it to stop and waits until its process is gone; `false` if it is still there after
    /// `patience`.
    pub fn stop(&mut self, patience: Duration) -> io::Result<bool> {
        match self.stream.write_all(STOP.as_bytes()) {
            Err(error) if !is_end(&error) => Err(error),
            _ => Ok(self.process.has_ended(patience)),
        }
    }

    /// Has it ask the status daemon now instead of when it is due. It does so in its own time.
    pub fn poll_daemon(&mut self) -> io::Result<()> {
        self.stream.write_all(POLL_DAEMON.as_bytes())
    }

    /// What goes through its forwards. An error when it does not say so within `patience`. Nothing
    /// else can be asked over this connection afterwards.
    pub fn traffic(&mut self, patience: Duration) -> io::Result<Vec<Flow>> {
        let mut stream = DeadlineStream::new(self.stream.try_clone()?, patience);
        stream.write_all(TRAFFIC.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream.take(ANSWER_MAX)).read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// Has it forward something more (`what` is [`ADD`]) or no more ([`REMOVE`]), or say why it does
    /// not work ([`WHY`]).
    pub fn change(mut self, what: &str, forwarding: &Forwarding) -> Result<()> {
        let at_fault = |source| Error::cannot("ask the supervisor", source);
        let mut ask = || {
            self.stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
            self.stream.write_all(format!("{what}{forwarding}\n").as_bytes())?;
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

    /// Kills its process, which has been proved to be the supervisor's, and waits for its end;
    /// `false` if it is still there after `patience`.
    pub fn kill(&mut self, patience: Duration) -> io::Result<bool> {
        if is_disconnected(&self.stream) {
            return Ok(self.process.has_ended(patience));
        }
        self.process.kill()?;
        Ok(self.process.has_ended(patience))
    }
}

/// Whether the other side is gone.
fn is_disconnected(stream: &UnixStream) -> bool {
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    !matches!(recv(stream.as_raw_fd(), &mut [0], flags), Ok(1..) | Err(Errno::EAGAIN))
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// The process that listens at the other end.
fn listener(stream: &UnixStream) -> io::Result<Pid> {
    use nix::sys::socket::{getsockopt, sockopt};

    #[cfg(target_os = "linux")]
    let pid = getsockopt(stream, sockopt::PeerCredentials)?.pid();
    #[cfg(target_os = "macos")]
    let pid = getsockopt(stream, sockopt::LocalPeerPid)?;
    // 0 stands for a process that cannot be seen from here; as a target of kill it means many.
    if pid > 1 {
        Ok(Pid::from_raw(pid))
    } else {
        Err(io::Error::other("the supervisor's process is not visible"))
    }
}
