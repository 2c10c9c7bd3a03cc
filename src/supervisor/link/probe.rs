//! Asking whether a link is alive, end to end, without waiting for ssh's keepalive.
//!
//! Every tunnel carries one forward that leads to a Unix socket which does not exist on the
//! instance. A connection to it makes ssh ask the server, and the server refuse; the refusal has
//! come all the way, so the link is alive. It needs nothing on the instance and reaches no service.
//!
//! ssh mentions the refusal and then closes the connection. What comes first is the answer: waiting
//! for the other, too, would wake this machine once more.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::Notify;

use super::mux::{Forward, Side};
use crate::config::forwarding::{Listen, Target};
use crate::runtime::directory::Directory;

/// A place at which nothing listens.
const NOWHERE: &str = "/nonexistent/soong";

/// The forward that a probe uses.
pub fn forward(directory: &Directory) -> Forward {
    let (listen, target) = (Listen::Socket(directory.probe_socket()), Target::Socket(NOWHERE.into()));
    Forward { side: Side::Local, listen, target }
}

/// Asks the links of one tunnel.
#[derive(Debug)]
pub struct Probe {
    socket: PathBuf,
    /// PromptBroker whose refusal ssh has not mentioned yet.
    unmentioned: AtomicUsize,
    /// Tells who asks now that it has.
    mentioned: Notify,
}

impl Probe {
    /// Asks through the sockets in `directory`.
    pub fn new(directory: &Directory) -> Self {
        Self::at(directory.probe_socket())
    }

    fn at(socket: PathBuf) -> Self {
        Self { socket, unmentioned: AtomicUsize::new(0), mentioned: Notify::new() }
    }

    /// Asks once; resolves when the far end of the link has answered, or with `false` when ssh cannot be asked.
    pub async fn answer(&self) -> bool {
        // From before the question on: the answer may be there as soon as the connection is.
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

    /// Whether `line`, which ssh said, only mentions the refusal that answered a question of ours.
    pub fn is_echo(&self, line: &str) -> bool {
        let is_echo = is_refusal(line) && self.take_mention();
        if is_echo {
            // Only to those who wait now: what was mentioned before a question does not answer it.
            self.mentioned.notify_waiters();
        }
        is_echo
    }

    /// ssh will mention a refusal that somebody has asked for.
    fn expect_mention(&self) {
        self.unmentioned.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a mention was expected; from now on it is not.
    fn take_mention(&self) -> bool {
        let less = |count: usize| count.checked_sub(1);
        self.unmentioned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
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
        assert!(!block_on(probe.answer()));
        assert!(!probe.is_echo(MENTION));
    }

    /// An idle tunnel wakes for one thing after a question, not for its mention and for its end.
    #[test]
    fn what_ssh_mentions_is_answer_enough() {
        let directory = tempfile::tempdir().unwrap();
        let probe = Probe::at(directory.path().join("probe.sock"));
        block_on(async {
            let listener = tokio::net::UnixListener::bind(&probe.socket).unwrap();
            // As ssh does it, but that it waits for the other side to hang up first.
            let ssh = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(probe.is_echo(MENTION));
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            };
            let (alive, ()) = tokio::join!(probe.answer(), ssh);
            assert!(alive);
        });
    }

    #[test]
    fn a_mention_does_not_answer_a_later_question() {
        let directory = tempfile::tempdir().unwrap();
        let probe = Probe::at(directory.path().join("probe.sock"));
        block_on(async {
            // Takes the connection and says nothing.
            let _listener = tokio::net::UnixListener::bind(&probe.socket).unwrap();
            probe.unmentioned.fetch_add(1, Ordering::Relaxed);
            assert!(probe.is_echo(MENTION));
            let answer = tokio::time::timeout(Duration::from_millis(20), probe.answer());
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
            let (alive, ()) = tokio::join!(probe.answer(), ssh);
            assert!(alive);
        });
    }
}
