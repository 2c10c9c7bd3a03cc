//! The real status daemon, with its home in a temporary directory.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

/// The running daemon. Dropping it ends the process and removes its directory.
pub struct StatusDaemon {
    address: SocketAddr,
    child: Child,
    _log: BufReader<ChildStderr>,
    _directory: TempDir,
}

impl StatusDaemon {
    /// Starts the daemon on a free port of 127.0.0.1. It asks for `token` and never ends this machine.
    pub async fn start(token: &str) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::Builder::new().prefix("soong-statusd.").tempdir()?;
        let config = directory.path().join("statusd.toml");
        write_private(&config, &configuration(token, directory.path()))?;
        let mut child = Command::new(program()?)
            .arg("--config")
            .arg(&config)
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            // Signals to the demo are the demo's.
            .process_group(0)
            .spawn()?;
        let mut log = BufReader::new(child.stderr.take().ok_or("the status daemon has no standard error")?);
        let address = listening(&mut log).await?;
        Ok(Self { address, child, _log: log, _directory: directory })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for StatusDaemon {
    fn drop(&mut self) {
        const PAUSE: Duration = Duration::from_millis(1);
        // Its directory is removed next; it must not write there any more.
        let _ = self.child.start_kill();
        while matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(PAUSE);
        }
    }
}

fn configuration(token: &str, directory: &Path) -> String {
    let directory = directory.display();
    // A machine that is only played has no use to look for.
    format!(
        "token = \"{token}\"\nlisten = \"127.0.0.1:0\"\nstate = \"{directory}/state\"\ninstance-id = \"demo\"\n\
         gpu = false\nsessions = false\ndry-run = true\n"
    )
}

/// Returns the program, which is built into the directory above that of the examples.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let program = own.ancestors().nth(2).map(|directory| directory.join("soong-statusd"));
    program
        .filter(|program| program.is_file())
        .ok_or_else(|| "soong-statusd is not built yet: cargo build --package soong-statusd".into())
}

/// Reads the log up to the line that names the address.
async fn listening(log: &mut BufReader<ChildStderr>) -> Result<SocketAddr, Box<dyn Error>> {
    let mut text = String::new();
    while log.read_line(&mut text).await? > 0 {
        let address = text.split_once("listening on ").and_then(|(_, rest)| rest.split_once(';'));
        if let Some((address, _)) = address {
            return Ok(address.parse()?);
        }
    }
    Err(format!("the status daemon does not start: {}", text.trim()).into())
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}
