//! Signals that ask a supervisor to stop.

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::system::signals::is_ignored;

/// Makes SIGTERM stop the tunnel. In the foreground, SIGINT and the end of the terminal do, too, unless the caller
/// ignores them, as nohup and scripts do for background jobs. In the background there is no terminal: SIGINT is meant
/// for this process, and SIGHUP is ignored.
pub fn stop_on(stopper: &watch::Sender<bool>, foreground: bool) -> Result<()> {
    tokio::spawn(forward(install(SignalKind::terminate())?, stopper.clone()));
    if !(foreground && is_ignored(Number::SIGINT)) {
        tokio::spawn(forward(install(SignalKind::interrupt())?, stopper.clone()));
    }
    if !(foreground && is_ignored(Number::SIGHUP)) {
        let hangup = install(SignalKind::hangup())?;
        if foreground {
            tokio::spawn(forward(hangup, stopper.clone()));
        }
    }
    Ok(())
}

fn install(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|source| Error::cannot("handle signals", source))
}

async fn forward(mut signals: Signal, stopper: watch::Sender<bool>) {
    if signals.recv().await.is_some() {
        stopper.send_replace(true);
    }
}
