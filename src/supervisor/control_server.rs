//! The supervisor's lock and the server of its socket: what makes a process the supervisor of a tunnel.

use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::config::forwarding::ForwardSpec;
use crate::error::{Error, Result};
use crate::runtime::control;
use crate::runtime::directory::{Directory, Lock};
use crate::supervisor::relay::forward_table::ForwardTable;
use crate::supervisor::relay::metrics::Metrics;
use crate::system::peer;

/// Time for which a start that finds the lock taken checks whether a tunnel has it, or only a command that
/// asks about it.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes the tunnel's lock; `None` if the tunnel runs. Waits for a moment if another process than a supervisor holds
/// it.
pub async fn lock(directory: &Directory) -> Result<Option<Lock>> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        if let Some(lock) = directory.try_lock()? {
            return Ok(Some(lock));
        }
        if control::Supervisor::connect(directory).is_ok() || Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(LOCK_PAUSE).await;
    }
}

/// Serves the supervisor's socket. Requests can stop the tunnel (`stopper`), make a daemon poll due
/// (`daemon_wake`), read `metrics` and change `forward_table`.
pub async fn serve(
    listener: UnixListener,
    stopper: watch::Sender<bool>,
    daemon_wake: Arc<Notify>,
    metrics: Metrics,
    forward_table: Arc<ForwardTable>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if !peer::is_own(&stream) {
            continue;
        }
        let (stopper, daemon_wake) = (stopper.clone(), Arc::clone(&daemon_wake));
        let (metrics, forward_table) = (metrics.clone(), Arc::clone(&forward_table));
        tokio::spawn(async move { attend(stream, &stopper, &daemon_wake, &metrics, &forward_table).await });
    }
}

/// Reads the one request of a connection and carries it out.
async fn attend(
    mut stream: UnixStream,
    stopper: &watch::Sender<bool>,
    daemon_wake: &Notify,
    metrics: &Metrics,
    forward_table: &ForwardTable,
) {
    let mut request = String::new();
    let mut reader = BufReader::new((&mut stream).take(control::REQUEST_MAX));
    if reader.read_line(&mut request).await.is_err() {
        return;
    }
    match request.as_str() {
        control::STOP => {
            stopper.send_replace(true);
            // The client takes the end of this connection for the end of the process, so the kernel must
            // close it: this task ends earlier.
            let _ = stream.into_std().map(IntoRawFd::into_raw_fd);
        }
        control::POLL_DAEMON => daemon_wake.notify_one(),
        // A client that does not read has lost interest.
        control::TRAFFIC => drop(stream.write_all(metrics.line().as_bytes()).await),
        control::OPEN => {
            let outcome = tokio::select! {
                outcome = forward_table.open_link() => outcome,
                // The client has lost interest.
                _ = stream.read_u8() => return,
            };
            if stream.write_all(&response(&outcome)).await.is_ok() && outcome.is_ok() {
                // The link is wanted until the client goes.
                let _ = stream.read_u8().await;
            }
        }
        change => {
            if let Some(outcome) = fulfil(change, forward_table).await {
                let _ = stream.write_all(&response(&outcome)).await;
            }
        }
    }
}

/// Changes the forwards; `None` for an unknown request.
async fn fulfil(request: &str, forward_table: &ForwardTable) -> Option<Result<()>> {
    let request = request.strip_suffix('\n')?;
    let read = |text: &str| text.parse::<ForwardSpec>().map_err(Error::failed);
    if let Some(text) = request.strip_prefix(control::ADD) {
        return Some(match read(text) {
            Ok(spec) => forward_table.add(spec).await,
            Err(error) => Err(error),
        });
    }
    if let Some(text) = request.strip_prefix(control::WHY) {
        return Some(match read(text) {
            Ok(spec) => forward_table.why_not(&spec).await.map_or(Ok(()), |why| Err(Error::failed(why))),
            Err(error) => Err(error),
        });
    }
    let text = request.strip_prefix(control::REMOVE)?;
    Some(match read(text) {
        Ok(spec) => forward_table.remove(&spec).await,
        Err(error) => Err(error),
    })
}

fn response<T>(outcome: &Result<T>) -> Vec<u8> {
    let answer = match outcome {
        Ok(_) => control::Answer::default(),
        Err(error) => control::Answer {
            error: Some(error.to_string()),
            hints: error.hints().into_iter().map(str::to_owned).collect(),
        },
    };
    let mut line = serde_json::to_vec(&answer).unwrap_or_default();
    line.push(b'\n');
    line
}
