//! Asking whether a link is alive, end to end, without waiting for ssh's keepalive.
//!
//! Every tunnel carries one forward that leads to a Unix socket which does not exist on the
//! instance. A connection to it makes ssh ask the server, and the server refuse; the refusal has
//! come all the way, so the link is alive. It needs nothing on the instance and reaches no service.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::runtime::directory::Directory;
use crate::ssh::{Destination, SocketForward};

/// A place at which nothing listens.
const NOWHERE: &str = "/nonexistent/soong";

/// The forward that a probe uses.
pub fn forward(directory: &Directory) -> SocketForward {
    SocketForward { socket: socket(directory), destination: Destination::Socket(NOWHERE.into()) }
}

/// Asks the links of one tunnel.
#[derive(Debug)]
pub struct Probe {
    socket: PathBuf,
    /// Questions whose refusal ssh has not mentioned yet.
    unmentioned: AtomicUsize,
}

impl Probe {
    /// Asks through the sockets in `directory`.
    pub fn new(directory: &Directory) -> Self {
        Self { socket: socket(directory), unmentioned: AtomicUsize::new(0) }
    }

    /// Whether the far end of the link answers within `patience`.
    pub async fn is_alive(&self, patience: Duration) -> bool {
        let refusal = async {
            let mut stream = UnixStream::connect(&self.socket).await?;
            self.unmentioned.fetch_add(1, Ordering::Relaxed);
            stream.read(&mut [0]).await
        };
        matches!(timeout(patience, refusal).await, Ok(Ok(_)))
    }

    /// Whether `line`, which ssh said, only mentions the refusal that answered a question of ours.
    pub fn is_echo(&self, line: &str) -> bool {
        let less = |count: usize| count.checked_sub(1);
        is_refusal(line) && self.unmentioned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Forgets what was asked of a link that is no more.
    pub fn reset(&self) {
        self.unmentioned.store(0, Ordering::Relaxed);
    }
}

/// Whether ssh tells of a forward that the server could not open (`channels.c`,
/// `channel_input_open_failure`), and not of a port at which nothing listens.
fn is_refusal(line: &str) -> bool {
    let Some((number, rest)) = line.strip_prefix("channel ").and_then(|rest| rest.split_once(": ")) else {
        return false;
    };
    number.bytes().all(|byte| byte.is_ascii_digit())
        && rest.starts_with("open failed: ")
        && !rest.to_ascii_lowercase().contains("refused")
}

fn socket(directory: &Directory) -> PathBuf {
    directory.socket("probe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_a_probe_is_told_from_that_of_a_service() {
        for line in [
            "channel 3: open failed: connect failed: open failed",
            "channel 12: open failed: administratively prohibited: open failed",
        ] {
            assert!(is_refusal(line), "{line}");
        }
        for line in [
            "channel 3: open failed: connect failed: Connection refused",
            "channel x: open failed: connect failed: open failed",
            "Connection to 192.0.2.1 closed by remote host.",
            "",
        ] {
            assert!(!is_refusal(line), "{line}");
        }
    }

    #[test]
    fn a_question_has_one_echo() {
        let probe = Probe { socket: PathBuf::new(), unmentioned: AtomicUsize::new(1) };
        let line = "channel 3: open failed: connect failed: open failed";
        assert!(!probe.is_echo("channel 3: open failed: connect failed: Connection refused"));
        assert!(probe.is_echo(line));
        assert!(!probe.is_echo(line));
    }
}
