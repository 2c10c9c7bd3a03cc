//! Signals that ask a supervisor to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// Has SIGTERM and SIGINT stop the tunnel. The end of the terminal stops it in the foreground; in
/// the background it has no terminal, and SIGHUP means nothing.
pub fn stop_on(stopper: &watch::Sender<bool>, foreground: bool) -> Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        tokio::spawn(forward(install(kind)?, stopper.clone()));
    }
    let hangup = install(SignalKind::hangup())?;
    if foreground {
        tokio::spawn(forward(hangup, stopper.clone()));
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
