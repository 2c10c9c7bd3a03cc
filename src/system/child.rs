//! Runs a program within limits on time and output, and leaves no process of it behind.
//!
//! The program leads its own session and process group: everything that it starts ends with it, and it has no
//! terminal, not even `/dev/tty`.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::error::io_reason;
use crate::system::script;
use crate::system::signals::{Watch, timeout};

/// Time for a program to end after it was asked to.
const GRACE: Duration = Duration::from_millis(500);
/// Time that the output may stay open after the program has ended: a process that left its group may still
/// hold it.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// Bytes of stderr to keep.
const COMPLAINT_MAX: usize = 8 << 10;

/// Limits of a program.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time from start to end.
    pub time: Duration,
    /// Bytes on stdout.
    pub output: usize,
}

/// Result of a program that ended by itself.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status.
    pub status: ExitStatus,
    /// All of stdout.
    pub stdout: Vec<u8>,
    /// Beginning of stderr.
    pub stderr: String,
}

/// Reason why a program did not finish.
#[derive(Debug)]
pub enum Fault {
    /// It could not be started.
    System(io::Error),
    /// It was started, but its end could not be waited for.
    Lost(io::Error),
    /// It exceeded the time limit. Holds its stderr until then.
    TooLong(String),
    /// It exceeded the output limit.
    TooMuch,
    /// A signal asks this program to end.
    Interrupted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) | Self::Lost(error) => f.write_str(&io_reason(error)),
            Self::TooLong(_) => f.write_str("it timed out"),
            Self::TooMuch => f.write_str("it printed too much"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Runs `command` without input to its end; ends it if it exceeds `limits` or `watch` catches a signal.
pub fn run(command: &mut Command, limits: Limits, watch: &Watch) -> Result<Outcome, Fault> {
    run_with(command, None, limits, watch)
}

/// Runs `command` like [`run`], with `input` on its stdin.
pub fn run_with(
    command: &mut Command,
    input: Option<Vec<u8>>,
    limits: Limits,
    watch: &Watch,
) -> Result<Outcome, Fault> {
    let mut running = Running::start(command, input).map_err(Fault::System)?;
    let end = running.follow(limits, watch);
    let status = running.end(end.is_err()).map_err(Fault::Lost)?;
    let stderr = String::from_utf8_lossy(&running.stderr.bytes).into_owned();
    match end {
        Ok(()) => Ok(Outcome { status, stdout: running.stdout.bytes, stderr }),
        Err(Fault::TooLong(_)) => Err(Fault::TooLong(stderr)),
        Err(fault) => Err(fault),
    }
}

/// A pipe from the program with the data read so far.
struct Stream {
    source: Option<Box<dyn Source>>,
    bytes: Vec<u8>,
}

trait Source: Read + AsFd {}
impl<T: Read + AsFd> Source for T {}

impl Stream {
    fn new(source: Option<impl Source + 'static>) -> Self {
        Self { source: source.map(|source| Box::new(source) as Box<dyn Source>), bytes: Vec::new() }
    }

    /// Reads the available data and keeps at most `limit` bytes; returns true if there was more than that.
    fn read(&mut self, limit: usize) -> io::Result<bool> {
        let Some(source) = &mut self.source else { return Ok(false) };
        let mut buffer = [0; 16 << 10];
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            result => result?,
        };
        if count == 0 {
            self.source = None;
        }
        let room = limit - self.bytes.len();
        self.bytes.extend_from_slice(&buffer[..count.min(room)]);
        Ok(count > room)
    }
}

struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    /// Reads the rest after the program has ended.
    ended: io::PipeReader,
    has_ended: bool,
}

impl Running {
    fn start(command: &mut Command, input: Option<Vec<u8>>) -> io::Result<Self> {
        let (ended, alive) = io::pipe()?;
        let mut child = spawn(command, |command| {
            let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
            command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
            in_own_session(command);
        })?;
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // A program that ends without reading its input breaks the pipe; its status says more.
            thread::spawn(move || stdin.write_all(&input));
        }
        let pid = child.id();
        thread::spawn(move || {
            wait_without_reaping(pid);
            drop(alive);
        });
        if let Some(stdout) = &child.stdout {
            widen(stdout);
        }
        let (stdout, stderr) = (Stream::new(child.stdout.take()), Stream::new(child.stderr.take()));
        Ok(Self { child, stdout, stderr, ended, has_ended: false })
    }

    fn follow(&mut self, limits: Limits, watch: &Watch) -> Result<(), Fault> {
        let mut deadline = Instant::now() + limits.time;
        while !self.has_ended || self.stdout.source.is_some() || self.stderr.source.is_some() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() && self.has_ended {
                break;
            }
            if left.is_zero() {
                return Err(Fault::TooLong(String::new()));
            }
            let ready = self.poll(left, watch).map_err(Fault::Lost)?;
            if watch.interrupted() {
                return Err(Fault::Interrupted);
            }
            if ready.stdout && self.stdout.read(limits.output).map_err(Fault::Lost)? {
                return Err(Fault::TooMuch);
            }
            if ready.stderr {
                self.stderr.read(COMPLAINT_MAX).map_err(Fault::Lost)?;
            }
            if ready.ended && !self.has_ended {
                self.has_ended = true;
                self.signal(Signal::SIGKILL);
                deadline = Instant::now() + LAST_WORDS;
            }
        }
        Ok(())
    }

    /// Waits for an event.
    fn poll(&self, time: Duration, watch: &Watch) -> io::Result<Ready> {
        let stdout = self.stdout.source.as_deref().map(AsFd::as_fd);
        let stderr = self.stderr.source.as_deref().map(AsFd::as_fd);
        let ended = (!self.has_ended).then(|| self.ended.as_fd());
        let sources = [stdout, stderr, ended, Some(watch.as_fd())];
        let present: Vec<BorrowedFd<'_>> = sources.iter().flatten().copied().collect();
        let mut polled: Vec<PollFd<'_>> =
            present.into_iter().map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
        match poll(&mut polled, timeout(time)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut results = polled.iter().map(|polled| polled.any() == Some(true));
        let mut happened = |source: Option<BorrowedFd<'_>>| source.is_some() && results.next() == Some(true);
        Ok(Ready { stdout: happened(stdout), stderr: happened(stderr), ended: happened(ended) })
    }

    /// Ends all processes of the program.
    fn end(&mut self, early: bool) -> io::Result<ExitStatus> {
        if early && !self.has_ended {
            self.signal(Signal::SIGTERM);
            self.signal(Signal::SIGCONT);
            let _ = poll(&mut [PollFd::new(self.ended.as_fd(), PollFlags::POLLIN)], timeout(GRACE));
        }
        self.signal(Signal::SIGKILL);
        self.child.wait()
    }

    /// Signals the group. Its leader is not reaped yet, so the group's id is still its own.
    fn signal(&self, signal: Signal) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), signal);
        }
    }
}

/// Lets a long output into the pipe at once, so that the program and its reader need not take turns.
#[cfg(target_os = "linux")]
fn widen(pipe: &impl AsFd) {
    // Pipes of a user may have 64 MiB in all by default (pipe-user-pages-soft): enough for many tunnels that ask at once.
    const LENGTH: libc::c_int = 256 << 10;
    let _ = nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(LENGTH));
}

#[cfg(not(target_os = "linux"))]
fn widen(_: &impl AsFd) {}

/// Makes the command lead its own session.
fn in_own_session(command: &mut Command) {
    let detach = || nix::unistd::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: the closure runs between fork and exec, makes one system call and allocates nothing.
    unsafe { command.pre_exec(detach) };
}

/// Starts `command` after `prepare`. As in a shell, `/bin/sh` runs a text without a `#!` line; not every C
/// library does that.
pub(crate) fn spawn(command: &mut Command, prepare: impl Fn(&mut Command)) -> io::Result<Child> {
    prepare(command);
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            let program = PathBuf::from(command.get_program());
            if !program.has_root() || !script::is_text(&program) {
                return Err(error);
            }
            let mut shell = Command::new(script::SHELL);
            shell.arg(program).args(command.get_args());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => shell.env(name, value),
                    None => shell.env_remove(name),
                };
            }
            if let Some(directory) = command.get_current_dir() {
                shell.current_dir(directory);
            }
            prepare(&mut shell);
            shell.spawn()
        }
        outcome => outcome,
    }
}

/// Source of an event.
struct Ready {
    stdout: bool,
    stderr: bool,
    ended: bool,
}

/// Waits until the child `pid` has ended and leaves it a zombie, so that its id stays taken.
pub(crate) fn wait_without_reaping(pid: u32) {
    loop {
        // SAFETY: siginfo_t is plain data, for which all zeroes is a value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is valid for writing, and the flags are among those that waitid takes.
        let result = unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, libc::WEXITED | libc::WNOWAIT) };
        if result == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
