//! A real OpenSSH server on a loopback port, run by the current user, with its own keys.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use soong::error::{Error, Result};

use super::sandbox::{Sandbox, failed};
use super::{program, wait};

/// A running server; it ends when this is dropped. All clients must have disconnected by then.
#[derive(Debug)]
pub struct Sshd {
    pub port: u16,
    /// The private key that logs in.
    pub key: PathBuf,
    child: Child,
}

impl Sshd {
    /// Starts a server whose files are in `sandbox`, and waits until it speaks.
    pub fn start(sandbox: &Sandbox) -> Result<Self> {
        Self::start_at(sandbox, "127.0.0.1")
    }

    /// The same, listening on `address`, which has to include loopback.
    pub fn start_at(sandbox: &Sandbox, address: &str) -> Result<Self> {
        let (key, port) = (sandbox.path("key"), free_port()?);
        let host_key = sandbox.path("host_key");
        generate_key(&key)?;
        generate_key(&host_key)?;
        let authorized = sandbox.path("key.pub");
        let config = sandbox.write(
            "sshd_config",
            &format!(
                "Port {port}\n\
                 ListenAddress {address}\n\
                 HostKey {}\n\
                 AuthorizedKeysFile {}\n\
                 PidFile none\n\
                 StrictModes no\n\
                 UsePAM no\n\
                 UseDNS no\n\
                 SetEnv HOME={}\n",
                host_key.display(),
                authorized.display(),
                // The startup files of the developer's shell are not part of the measurement.
                sandbox.path("").display()
            ),
        )?;
        let log = sandbox.path("sshd.log");
        let child = launch(&config, &log)?;
        let mut sshd = Self { port, key, child };
        wait::until("sshd to speak", || sshd.has_ended() || speaks(port))?;
        if sshd.has_ended() {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(Error::failed("sshd does not start").with_hint(format!("it said: {}", said.trim())));
        }
        Ok(sshd)
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(config: &Path, log: &Path) -> Result<Child> {
    if nix::unistd::geteuid().is_root() {
        // Where sshd locks its unprivileged half in; otherwise a service's start script makes it.
        let directory = Path::new("/run/sshd");
        fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, error))?;
    }
    let log = File::create(log).map_err(|error| Error::io("write", log, error))?;
    // By absolute path, because sshd executes itself anew for every connection.
    Command::new(program::find("sshd")?)
        .args(["-D", "-e", "-f"])
        .arg(config)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| failed("run sshd", error))
}

fn generate_key(file: &Path) -> Result<()> {
    let output = Command::new(program::find("ssh-keygen")?)
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f"])
        .arg(file)
        .output()
        .map_err(|error| failed("run ssh-keygen", error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::failed("ssh-keygen makes no key").with_hint(String::from_utf8_lossy(&output.stderr).trim()))
}

fn speaks(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let patient = stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok();
    let mut banner = String::new();
    patient && BufReader::new(stream).read_line(&mut banner).is_ok() && banner.starts_with("SSH-2.0")
}

/// Returns a loopback port without a listener. It is outside the range that the kernel uses for outgoing
/// connections: those come and go while a benchmark runs.
pub fn free_port() -> Result<u16> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(20_000..30_000))
        .take(100)
        .find(is_free)
        .ok_or_else(|| Error::failed("there is no free port from 20000 to 30000"))
}
