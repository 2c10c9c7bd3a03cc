//! One ssh process: started, watched until its control socket answers, read from, ended.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::line_reader::{LineHandler, LineReader};
use super::mux::Control;
use super::tcp_progress::Connection;
use crate::openssh::failure::{self, Failure, Kind, SshOutput};
use crate::supervisor::askpass::helper::Askpass;
use crate::system::paths;

/// Time for ssh to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// Time to wait for the rest of ssh's output after its end: a program that it started may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// A running ssh. Dropping it kills it.
#[derive(Debug)]
pub struct Link {
    child: Child,
    /// Its log, on standard output: see [`Login::tunnel_arguments`](crate::openssh::Login::tunnel_arguments).
    log: LineReader,
    /// Its standard error: banners of the server, and output of programs that ssh started.
    others: LineReader,
    /// Its connection to the server, from the login on.
    connection: Option<Connection>,
    listening: [JoinHandle<io::Result<()>>; 2],
}

impl Link {
    /// Starts `program` with `arguments`; its questions go to `askpass`. It dies with this process.
    pub fn spawn(
        program: &Path,
        arguments: &[String],
        askpass: &Askpass,
        log: LineHandler,
        others: LineHandler,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        // ssh does not clear the variable; an inherited one would change the question.
        command.env_remove(paths::ASKPASS_HINT).envs(askpass.environment());
        leave_session(&mut command);
        die_with_parent(&mut command);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("ssh has no stdout"))?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("ssh has no stderr"))?;
        let log = LineReader::new(stdout.into_owned_fd()?, log);
        let others = LineReader::new(stderr.into_owned_fd()?, others);
        let listening = [&log, &others].map(|reader| tokio::spawn(reader.clone().listen()));
        Ok(Self { child, log, others, connection: None, listening })
    }

    /// Waits until the control socket accepts a connection, which means that ssh has logged in; otherwise
    /// returns the failure.
    ///
    /// Polls at intervals that grow with the elapsed time, adding at most a two-hundredth of it, or a
    /// millisecond, the timer's resolution.
    pub async fn up(&mut self, control: &Control) -> Result<(), Failure> {
        self.wait_for_login(control).await?;
        // Not later: ssh connects to the targets of remote forwards, too.
        self.connection = self.pid().and_then(Connection::of);
        Ok(())
    }

    async fn wait_for_login(&mut self, control: &Control) -> Result<(), Failure> {
        let begun = Instant::now();
        let (log, others) = (self.log.clone(), self.others.clone());
        // One future for all rounds: a program that ssh started can delay the report of its end beyond a
        // round.
        let mut ended = pin!(self.ended());
        loop {
            let pause = (begun.elapsed() / 200).clamp(Duration::from_millis(1), Duration::from_millis(100));
            tokio::select! {
                failure = &mut ended => return Err(failure),
                () = sleep(pause) => {}
            }
            // Checking for the file is cheaper than a refused connection.
            if !control.path().exists() {
                continue;
            }
            match control.connect().await {
                Ok(_) => {
                    // Lines from before the login cannot be the reason for a later end.
                    log.forget();
                    others.forget();
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Failure { kind: Kind::Displaced, reason: error.to_string() });
                }
                Err(_) => {}
            }
        }
    }

    /// Returns the reader of its log.
    pub fn log(&self) -> &LineReader {
        &self.log
    }

    /// Returns ssh's PID while it is our child.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns its TCP connection to the server; `None` before the login, and where a jump host or a proxy has it.
    pub fn connection(&self) -> Option<Connection> {
        self.connection
    }

    /// Waits until ssh ends and returns the reason.
    pub async fn ended(&mut self) -> Failure {
        let status = self.child.wait().await;
        let [log, others] = &mut self.listening;
        let _ = timeout(LAST_WORDS, async { tokio::join!(log, others) }).await;
        let said = self.said();
        let mut failure = failure::classify(&said);
        let is_silent = said.log.is_empty() && said.others.is_empty();
        if let (Kind::Other, true, Ok(status)) = (failure.kind, is_silent, status) {
            failure.reason = match status.signal() {
                Some(signal) => format!("ssh was killed by signal {signal}"),
                None => format!("ssh ended with exit code {}", status.code().unwrap_or_default()),
            };
        }
        failure
    }

    /// Returns its recent output.
    pub fn said(&self) -> SshOutput {
        SshOutput { log: self.log.kept(), others: self.others.kept() }
    }

    /// Ends ssh; kills it if it does not end by itself.
    pub async fn end(mut self) {
        self.signal(Signal::SIGTERM);
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Suspends ssh.
    pub fn suspend(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a suspended ssh go on.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // Not reaped yet, so the PID is still our child's.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Kills ssh: one that hangs would ignore a request.
    pub async fn kill(mut self) {
        self.kill_group();
        let _ = self.child.wait().await;
    }

    /// Kills ssh and the programs that it started, such as a ProxyCommand: that one would hang in a dead network. ssh leads
    /// a session of its own, and so a group.
    fn kill_group(&self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // Not reaped yet, so the PID is still our child's.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.kill_group();
        self.listening.iter().for_each(JoinHandle::abort);
    }
}

/// Makes the child lead its own session. It is out of reach of the terminal's Ctrl-C, which is meant for the
/// tunnel, and it has no terminal: an ssh without `SSH_ASKPASS_REQUIRE` (before OpenSSH 8.4) would ask there.
fn leave_session(command: &mut Command) {
    let leave = || nix::unistd::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: the closure runs between fork and exec and makes one system call; it allocates nothing.
    unsafe { command.pre_exec(leave) };
}

/// Makes the kernel kill the child when its parent dies in any way. SIGKILL also ends a child that ignores
/// SIGTERM or is suspended.
#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let arm = move || {
        // SAFETY: prctl(PR_SET_PDEATHSIG) only sets an attribute of the calling process.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == -1 {
            return Err(io::Error::last_os_error());
        }
        // If the parent died before the call above, the signal would never come.
        if std::os::unix::process::parent_id() == parent {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        }
    };
    // SAFETY: the closure runs between fork and exec and makes two system calls, prctl and
    // getppid, both async-signal-safe; it allocates nothing.
    unsafe { command.pre_exec(arm) };
}

/// Does nothing: the next command that finds the lock free ends the orphan through its control socket.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
