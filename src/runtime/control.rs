//! The supervisor's own socket: how other commands ask it to stop, and how they learn for certain
//! which process it is.
//!
//! The kernel tells who listens at the other end of a Unix socket. While a connection to the
//! supervisor is open, the PID it names is alive and is the supervisor's: that is the proof without
//! which no command here sends a signal.

use std::io::{self, Read, Write};
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::unistd::Pid;

use super::directory::Directory;

/// What a supervisor is asked to do; a line each.
pub const STOP: &str = "stop\n";

/// A connection to a running supervisor.
#[derive(Debug)]
pub struct Supervisor {
    stream: UnixStream,
    pid: Pid,
}

impl Supervisor {
    /// Connects to the supervisor of the tunnel in `directory`.
    pub fn connect(directory: &Directory) -> io::Result<Self> {
        let stream = UnixStream::connect(directory.supervisor_socket())?;
        let pid = peer(&stream)?;
        Ok(Self { stream, pid })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Asks it to stop and waits until its process is gone; `false` if it is still there after
    /// `patience`.
    pub fn stop(&mut self, patience: Duration) -> io::Result<bool> {
        match self.stream.write_all(STOP.as_bytes()) {
            Ok(()) => self.gone(patience),
            Err(error) if is_end(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Kills its process, which still holds this connection open, and waits for its end; `false`
    /// if it is still there after `patience`.
    pub fn kill(&mut self, patience: Duration) -> io::Result<bool> {
        let target = Target::find(self.pid)?;
        if self.gone(Duration::from_millis(1))? {
            return Ok(true);
        }
        target.kill()?;
        self.gone(patience)
    }

    /// Waits for the end of the connection, which is that of the process.
    fn gone(&mut self, patience: Duration) -> io::Result<bool> {
        self.stream.set_read_timeout(Some(patience))?;
        loop {
            match self.stream.read(&mut [0; 64]) {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_end(&error) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

/// A process that can be signalled. It has to be found *before* the check that the connection is
/// still open: then it is the supervisor, and stays it even if the process ends and its PID is
/// given to another.
#[cfg(target_os = "linux")]
struct Target(OwnedFd);

#[cfg(target_os = "linux")]
impl Target {
    fn find(pid: Pid) -> io::Result<Self> {
        // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
        if descriptor == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us; nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    fn kill(&self) -> io::Result<()> {
        let no_information = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open, and a null siginfo means that of a plain kill().
        let result = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), libc::SIGKILL, no_information, 0)
        };
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Elsewhere a process is known by its PID only.
#[cfg(not(target_os = "linux"))]
struct Target(Pid);

#[cfg(not(target_os = "linux"))]
impl Target {
    fn find(pid: Pid) -> io::Result<Self> {
        Ok(Self(pid))
    }

    fn kill(&self) -> io::Result<()> {
        Ok(kill(self.0, Signal::SIGKILL)?)
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// The process that listens at the other end.
fn peer(stream: &UnixStream) -> io::Result<Pid> {
    use nix::sys::socket::{getsockopt, sockopt};

    #[cfg(target_os = "linux")]
    let pid = getsockopt(stream, sockopt::PeerCredentials)?.pid();
    #[cfg(target_os = "macos")]
    let pid = getsockopt(stream, sockopt::LocalPeerPid)?;
    // 0 stands for a process that cannot be seen from here; as a target of kill it means many.
    if pid > 1 {
        Ok(Pid::from_raw(pid))
    } else {
        Err(io::Error::other("the supervisor's process cannot be seen"))
    }
}
