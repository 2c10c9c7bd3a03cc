//! Signals that ask a supervisor to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::error::{Error, Result};

/// Makes SIGTERM and SIGINT stop the tunnel, and the end of the terminal in the foreground. In the background
/// there is no terminal, and SIGHUP is ignored.
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
