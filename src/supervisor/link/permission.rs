//! Finding out whether the server allows the connections that a tunnel's forwards need.
//!
//! ssh sets a local forward up whatever the server thinks of it; only a connection tells. One is
//! made to where nothing can be, before the tunnel counts as up. A server without restrictions
//! (`AllowTcpForwarding`, `PermitOpen`, `restrict` …) fails to connect, and no service notices.
//! A server that refuses it is then asked for each target; those connections are closed at once.
//!
//! ssh says why a connection was refused only in its log (`channels.c`,
//! `channel_input_open_failure`), just before it answers on its control socket.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::line_reader::LineReader;
use super::mux::{self, Control, Refusal};
use crate::config::forwarding::Target;
use crate::error::io_reason;

/// How long the server may take to answer. One that takes longer forbids nothing: it connects.
const PATIENCE: Duration = Duration::from_secs(2);

/// An address that no system connects to over TCP: the limited broadcast address (RFC 919). It
/// needs no name server, and no packet is sent.
const NOWHERE: &str = "255.255.255.255";

/// Asks the present ssh's server.
#[derive(Debug)]
pub struct Permission {
    control: Control,
    heard: Mutex<Heard>,
    /// One question at a time, so that what ssh says belongs to it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Heard {
    log: Option<LineReader>,
    /// Whether a question stands.
    asking: bool,
    /// Connections of ours that ssh may still tell to have failed.
    expected: u32,
    /// The last reason that ssh gave meanwhile for a connection that failed.
    reason: Option<String>,
}

/// A target that the server does not connect to, and ssh's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// The target.
    pub target: Target,
    /// For example `administratively prohibited: open failed`.
    pub reason: String,
}

impl Permission {
    /// Asks over `control`.
    pub fn new(control: Control) -> Self {
        Self { control, heard: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Begins with another ssh, to which `stderr` listens.
    pub fn begin(&self, log: &LineReader) {
        *self.heard() = Heard { log: Some(log.clone()), ..Heard::default() };
    }

    /// Takes a line of ssh's; true if it answers a question of ours.
    pub fn handle_line(&self, line: &str) -> bool {
        let (mut heard, reason) = (self.heard(), failure(line));
        let is_answer = heard.expected > 0 && reason.is_some();
        heard.expected -= u32::from(is_answer);
        // Another connection may fail at the same time, for a lesser reason.
        if is_answer && heard.asking && !heard.reason.as_deref().is_some_and(is_forbidding) {
            heard.reason = reason.map(str::to_owned);
        }
        is_answer
    }

    /// Those of `targets` that the server forbids. Of a socket OpenSSH does not say whether it is
    /// forbidden or missing.
    pub async fn forbidden(&self, targets: &[Target]) -> Vec<Forbidden> {
        let _turn = self.turn.lock().await;
        let mut forbidden = Vec::new();
        if self.refusal(&nowhere()).await.is_some() {
            for target in targets.iter().filter(|target| matches!(target, Target::Port(..))) {
                let reason = self.refusal(target).await;
                forbidden.extend(reason.map(|reason| Forbidden { target: target.clone(), reason }));
            }
        }
        forbidden
    }

    /// ssh's words for it if the server does not connect to `target` now.
    pub async fn why_not(&self, target: &Target) -> Option<String> {
        let _turn = self.turn.lock().await;
        self.ask(target).await
    }

    /// Why the server refuses to connect to `target`; `None` if it connects, tries to, or cannot.
    async fn refusal(&self, target: &Target) -> Option<String> {
        self.ask(target).await.filter(|reason| is_forbidding(reason))
    }

    async fn ask(&self, target: &Target) -> Option<String> {
        self.heard().asking = true;
        let answer = timeout(PATIENCE, self.connect(target)).await;
        let log = self.heard().log.clone();
        // Ends in `hear`.
        let _ = log.map(|log| log.catch_up());
        let mut heard = self.heard();
        heard.asking = false;
        let reason = heard.reason.take();
        match answer {
            Ok(Ok(())) => None,
            Ok(Err(Refusal::Refused(_))) => {
                reason.or_else(|| Some("connect failed: Connection refused".to_owned()))
            }
            Ok(Err(Refusal::Silent(error))) => Some(format!("connect failed: {}", io_reason(&error))),
            Err(_) => Some("connect failed: timed out".to_owned()),
        }
    }

    /// Has the server connect to `target`.
    ///
    /// After a login the server has just sent something, and sends its answer only when we have
    /// acknowledged that (Nagle's algorithm). Our kernel does so with the next thing that ssh sends, or
    /// 40 ms later. So ssh is given something more to send.
    async fn connect(&self, target: &Target) -> Result<(), Refusal> {
        const MORE_MAX: usize = 3;
        let mut pause = Duration::from_millis(2);
        let mut more = JoinSet::new();
        let mut asked = pin!(self.open_channel(target.clone()));
        loop {
            tokio::select! {
                answer = &mut asked => return answer,
                () = sleep(pause), if more.len() < MORE_MAX => {
                    more.spawn(self.open_channel(nowhere()));
                    pause *= 2;
                }
            }
        }
    }

    fn open_channel(&self, target: Target) -> impl Future<Output = Result<(), Refusal>> + use<> {
        self.heard().expected += 1;
        let control = self.control.clone();
        async move { mux::connect(&control, &target).await.map(drop) }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nowhere() -> Target {
    Target::Port(NOWHERE.to_owned(), 1)
}

/// Why the server did not open a channel, where `line` tells that.
pub fn failure(line: &str) -> Option<&str> {
    let (number, reason) = line.strip_prefix("channel ")?.split_once(": open failed: ")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(reason)
}

/// True if a server that gives this reason does not want to connect, rather than cannot (RFC 4254, 5.1).
fn is_forbidding(reason: &str) -> bool {
    !reason.starts_with("connect failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prohibition_is_told_from_a_service_that_does_not_run() {
        for (line, expected) in [
            ("channel 2: open failed: administratively prohibited: open failed", Some(true)),
            ("channel 12: open failed: unknown channel type: ", Some(true)),
            ("channel 2: open failed: connect failed: Connection refused", Some(false)),
            ("channel 2: open failed: connect failed: open failed", Some(false)),
            ("channel x: open failed: administratively prohibited: open failed", None),
            ("channel 2: administratively prohibited", None),
            ("Upload a key: channel 2: open failed: x", None),
        ] {
            assert_eq!(failure(line).map(is_forbidding), expected, "{line}");
        }
    }
}
