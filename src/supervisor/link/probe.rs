//! Probes a link end to end, without ssh's keepalive.
//!
//! Every tunnel has one forward to a Unix socket that does not exist on the instance. A connection to it
//! makes ssh ask the server, which refuses; the refusal has travelled the whole way, so the link is alive.
//! The probe needs nothing on the instance and reaches no service.
//!
//! ssh logs the refusal and then closes the connection. The first of the two is the answer: waiting for both
//! would wake this machine once more.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::Notify;

use crate::config::forwarding::{ForwardSpec, Listen, Target};
use crate::openssh::log_lines::{has_no_listener, open_failure};
use crate::runtime::ssh_directory::SshDirectory;

/// A path at which nothing listens.
const NOWHERE: &str = "/nonexistent/soong";

/// Probe of a link.
#[derive(Debug)]
pub struct Probe {
    socket: PathBuf,
    /// Probes whose refusal ssh has not logged yet.
    unmentioned: AtomicUsize,
    /// Wakes waiting probes when ssh logs a refusal.
    mentioned: Notify,
}

impl Probe {
    /// Returns the probe with its socket in `directory`.
    pub fn new(directory: &SshDirectory) -> Self {
        Self::at(directory.probe())
    }

    fn at(socket: PathBuf) -> Self {
        Self { socket, unmentioned: AtomicUsize::new(0), mentioned: Notify::new() }
    }

    /// Returns the forward that it needs.
    pub fn forward(&self) -> ForwardSpec {
        ForwardSpec::Local(Listen::Socket(self.socket.clone()), Target::Socket(NOWHERE.into()))
    }

    /// Probes once; waits until the far end has answered, and returns false if ssh cannot be reached.
    pub async fn wait_for_reply(&self) -> bool {
        // Subscribed before the probe: the answer can come as soon as the connection is made.
        let mut mentioned = pin!(self.mentioned.notified());
        mentioned.as_mut().enable();
        self.expect_mention();
        let Ok(mut stream) = UnixStream::connect(&self.socket).await else {
            self.take_mention();
            return false;
        };
        let mut nothing = [0];
        tokio::select! {
            closed = stream.read(&mut nothing) => closed.is_ok(),
            () = mentioned => true,
        }
    }

    /// Returns true if `line` of ssh's log is the refusal of a probe.
    pub fn is_echo(&self, line: &str) -> bool {
        let is_echo = is_refusal(line) && self.take_mention();
        if is_echo {
            // For present waiters only: an old refusal does not answer a new probe.
            self.mentioned.notify_waiters();
        }
        is_echo
    }

    /// Expects one more refusal in ssh's log.
    fn expect_mention(&self) {
        self.unmentioned.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns true if a refusal was expected, and expects one less.
    fn take_mention(&self) -> bool {
        let less = |count: usize| count.checked_sub(1);
        self.unmentioned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// Returns true for ssh's report of a channel that the server could not open, except for a port without a listener.
fn is_refusal(line: &str) -> bool {
    open_failure(line).is_some_and(|reason| !has_no_listener(reason))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    const MENTION: &str = "channel 3: open failed: connect failed: open failed";

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_question_has_one_echo() {
        let probe = Probe { unmentioned: AtomicUsize::new(1), ..Probe::at(PathBuf::new()) };
        assert!(!probe.is_echo("channel 3: open failed: connect failed: Connection refused"));
        assert!(probe.is_echo(MENTION));
        assert!(!probe.is_echo(MENTION));
    }

    #[test]
    fn a_question_that_could_not_be_put_has_no_echo() {
        let directory = tempfile::tempdir().unwrap();
        let probe = Probe::at(directory.path().join("probe.sock"));
        assert!(!block_on(probe.wait_for_reply()));
        assert!(!probe.is_echo(MENTION));
    }

    /// An idle tunnel wakes once per probe, not for the log line and the end.
    #[test]
    fn what_ssh_mentions_is_answer_enough() {
        let directory = tempfile::tempdir().unwrap();
        let probe = Probe::at(directory.path().join("probe.sock"));
        block_on(async {
            let listener = tokio::net::UnixListener::bind(&probe.socket).unwrap();
            // Like ssh, except that ssh waits for the peer to close first.
            let ssh = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(probe.is_echo(MENTION));
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            };
            let (alive, ()) = tokio::join!(probe.wait_for_reply(), ssh);
            assert!(alive);
        });
    }

    #[test]
    fn a_mention_does_not_answer_a_later_question() {
        let directory = tempfile::tempdir().unwrap();
        let probe = Probe::at(directory.path().join("probe.sock"));
        block_on(async {
            // Accepts the connection and is silent.
            let _listener = tokio::net::UnixListener::bind(&probe.socket).unwrap();
            probe.unmentioned.fetch_add(1, Ordering::Relaxed);
            assert!(probe.is_echo(MENTION));
            let answer = tokio::time::timeout(Duration::from_millis(20), probe.wait_for_reply());
            assert!(answer.await.is_err());
        });
    }

    #[test]
    fn an_end_is_an_answer_where_ssh_mentions_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let probe = Probe::at(directory.path().join("probe.sock"));
        block_on(async {
            let listener = tokio::net::UnixListener::bind(&probe.socket).unwrap();
            let ssh = async { drop(listener.accept().await.unwrap()) };
            let (alive, ()) = tokio::join!(probe.wait_for_reply(), ssh);
            assert!(alive);
        });
    }
}
