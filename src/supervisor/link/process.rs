//! One ssh process, from its start to its end: started, watched until its control socket answers,
//! listened to, ended.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::line_reader::{LineHandler, LineReader};
use super::mux::Control;
use crate::openssh::failure::{self, Failure, Kind, SshOutput};
use crate::supervisor::askpass::helper::Askpass;
use crate::system::paths;

/// How long ssh may take to end by itself once asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait for the rest of what ssh said, once it has ended: a program it started may
/// still hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// A running ssh. Its listeners stop when it is dropped.
#[derive(Debug)]
pub struct Link {
    child: Child,
    /// Its log, which ssh writes to its standard output: see [`Login::tunnel_arguments`](crate::openssh::Login::tunnel_arguments).
    log: LineReader,
    /// Its standard error: banners of the server, and the output of programs that ssh started.
    others: LineReader,
    listening: [JoinHandle<io::Result<()>>; 2],
}

impl Link {
    /// Starts `program` with `arguments`, asking by way of `askpass`. It dies with this process.
    pub fn spawn(
        program: &Path,
        arguments: &[String],
        askpass: &Askpass,
        log: LineHandler,
        others: LineHandler,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // ssh leaves it as it is where it has nothing to say; inherited, it would change the question.
        command.env_remove(paths::ASKPASS_HINT).envs(askpass.environment());
        leave_session(&mut command);
        die_with_parent(&mut command);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("ssh has no stdout"))?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("ssh has no stderr"))?;
        let log = LineReader::new(stdout.into_owned_fd()?, log);
        let others = LineReader::new(stderr.into_owned_fd()?, others);
        let listening = [&log, &others].map(|reader| tokio::spawn(reader.clone().listen()));
        Ok(Self { child, log, others, listening })
    }

    /// Waits until the control socket takes a connection, which ssh lets it do once it has
    /// authenticated; or says why ssh ended instead.
    ///
    /// The socket is looked for at intervals that grow with the time already waited, so that the
    /// looking adds at most a two-hundredth to the wait, or the millisecond that is the timer's
    /// finest.
    pub async fn up(&mut self, control: &Control) -> Result<(), Failure> {
        let begun = Instant::now();
        let (log, others) = (self.log.clone(), self.others.clone());
        // One for all rounds: the end takes longer to tell than a round where a program that ssh has
        // started outlives it.
        let mut ended = pin!(self.ended());
        loop {
            let pause = (begun.elapsed() / 200).clamp(Duration::from_millis(1), Duration::from_millis(100));
            tokio::select! {
                failure = &mut ended => return Err(failure),
                () = sleep(pause) => {}
            }
            // Whether it is there is asked for less than a connection that is refused.
            if !control.path().exists() {
                continue;
            }
            match control.connect().await {
                Ok(_) => {
                    // What was said on the way here did not keep it from getting here, and does not
                    // tell why the link is lost one day.
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

    /// What it says.
    pub fn log(&self) -> &LineReader {
        &self.log
    }

    /// The PID of ssh, while it is our child.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until ssh ends and says why.
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

    /// What it has said lately.
    pub fn said(&self) -> SshOutput {
        SshOutput { log: self.log.kept(), others: self.others.kept() }
    }

    /// Ends ssh, by force if it does not go by itself.
    pub async fn end(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // Not yet waited for, so the PID is still that of our child.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends ssh by force: one that is stuck would not hear a request.
    pub async fn kill(mut self) {
        let _ = self.child.kill().await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listening.iter().for_each(JoinHandle::abort);
    }
}

/// Has the child lead a session of its own. It is out of the way of Ctrl-C, which goes to all of the
/// terminal's process group: it is meant for the tunnel, and an ssh that ended by itself would look
/// like a failure. And it has no terminal: one that does not know `SSH_ASKPASS_REQUIRE` (before
/// OpenSSH 8.4) would ask there.
fn leave_session(command: &mut Command) {
    let leave = || nix::unistd::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: the closure runs between fork and exec and makes one system call; it allocates nothing.
    unsafe { command.pre_exec(leave) };
}

/// Has the kernel end the child when its parent dies, by whatever death. With SIGKILL, because a
/// child that was told to ignore SIGTERM, or that is suspended, would stay.
#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let arm = move || {
        // SAFETY: prctl(PR_SET_PDEATHSIG) only sets an attribute of the calling process.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == -1 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have died before the call above; then nobody would send the signal.
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

/// Elsewhere the next command that finds the lock free ends the orphan through its control socket.
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}
