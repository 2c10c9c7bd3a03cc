//! Checks that the server allows the connections that a tunnel's forwards need.
//!
//! ssh sets up a local forward whatever the server allows; only a connection tells. So one is made to an
//! impossible target before the tunnel counts as up. A server without restrictions (`AllowTcpForwarding`,
//! `PermitOpen`, `restrict` …) fails to connect, and no service notices. If the server refuses it, each
//! target is tried; those connections close at once.
//!
//! ssh gives the reason for a refused connection only in its log (`channels.c`,
//! `channel_input_open_failure`), just before its answer on the control socket.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::line_reader::LineReader;
use super::mux::{self, Control, Refusal};
use crate::config::forwarding::Target;
use crate::error::io_reason;
use crate::openssh::log_lines::{is_forbidding, open_failure};

/// Time for the server to answer. A slower one is connecting, so it forbids nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// An address that no system connects to over TCP: the limited broadcast address (RFC 919). It needs no name
/// server, and no packet is sent.
const NOWHERE: &str = "255.255.255.255";

/// Checks of an ssh's server.
#[derive(Debug)]
pub struct Permission {
    control: Control,
    state: Mutex<LogState>,
    /// One check at a time, so that ssh's log lines belong to it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct LogState {
    log: Option<LineReader>,
    /// True during a check.
    asking: bool,
    /// Number of our connections that ssh may still report as failed.
    expected: u32,
    /// Last reason that ssh gave for a failed connection.
    reason: Option<String>,
}

/// A target that the server refuses, with ssh's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// The target.
    pub target: Target,
    /// For example `administratively prohibited: open failed`.
    pub reason: String,
}

impl Permission {
    /// Returns the checks that use `control`.
    pub fn new(control: Control) -> Self {
        Self { control, state: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Sets ssh's log.
    pub fn begin(&self, log: &LineReader) {
        self.state().log = Some(log.clone());
    }

    /// Handles a line of ssh's log; returns true if it belongs to a check.
    pub fn handle_line(&self, line: &str) -> bool {
        let (mut state, reason) = (self.state(), open_failure(line));
        let is_answer = state.expected > 0 && reason.is_some();
        state.expected -= u32::from(is_answer);
        // Another connection can fail at the same time, for a lesser reason.
        if is_answer && state.asking && !state.reason.as_deref().is_some_and(is_forbidding) {
            state.reason = reason.map(str::to_owned);
        }
        is_answer
    }

    /// Returns the forbidden ones of `targets`. For a Unix socket, OpenSSH does not tell forbidden from
    /// missing.
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

    /// Returns ssh's reason if the server cannot connect to `target` now.
    pub async fn why_not(&self, target: &Target) -> Option<String> {
        let _turn = self.turn.lock().await;
        self.open_failure(self.open_channel(target.clone())).await
    }

    /// Returns the reason if the server refuses `target`; `None` if it connects, tries to, or fails.
    async fn refusal(&self, target: &Target) -> Option<String> {
        self.open_failure(self.connect_soon(target)).await.filter(|reason| is_forbidding(reason))
    }

    async fn open_failure(&self, connect: impl Future<Output = Result<(), Refusal>>) -> Option<String> {
        self.state().asking = true;
        let answer = timeout(PATIENCE, connect).await;
        let log = self.state().log.clone();
        // Its lines go to `handle_line`.
        let _ = log.map(|log| log.catch_up());
        let mut state = self.state();
        state.asking = false;
        let reason = state.reason.take();
        match answer {
            Ok(Ok(())) => None,
            Ok(Err(Refusal::Refused(_))) => {
                reason.or_else(|| Some("connect failed: Connection refused".to_owned()))
            }
            Ok(Err(Refusal::Silent(error))) => Some(format!("connect failed: {}", io_reason(&error))),
            Err(_) => Some("connect failed: timed out".to_owned()),
        }
    }

    /// Makes the server connect to `target` and answer without delay.
    ///
    /// After a login the server has just sent something, and sends its answer only after our acknowledgement
    /// (Nagle's algorithm). Our kernel acknowledges with the next data that ssh sends, or 40 ms later. So ssh
    /// gets more to send: connections that fail, so that only a prohibition says something about `target`.
    async fn connect_soon(&self, target: &Target) -> Result<(), Refusal> {
        const MORE_MAX: usize = 4;
        let mut pause = Duration::from_millis(1);
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
        self.state().expected += 1;
        let control = self.control.clone();
        async move { mux::connect(&control, &target).await.map(drop) }
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nowhere() -> Target {
    Target::Port(NOWHERE.to_owned(), 1)
}
