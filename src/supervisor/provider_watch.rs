//! Asks the provider about an instance whose link stays lost: whether it is gone for good or has another
//! address.
//!
//! A query takes seconds and needs signal handlers that conflict with a supervisor's. So another process
//! makes it, `soong-tunnel locate`, and the supervisor reads its line.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::protocol::location::Relocation;
use crate::config::instance::Instance;
use crate::system::paths;

/// Number of failed attempts before a query.
const FAILURES: u32 = 2;
/// Shortest time between two queries.
const INTERVAL: Duration = Duration::from_secs(60);
/// Time for an answer: longer than a provider's limit.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// Queries when due, one at a time. Dropping it ends a query.
#[derive(Debug)]
pub struct ProviderWatch {
    id: String,
    due: Option<Instant>,
    query: Option<Query>,
}

#[derive(Debug)]
struct Query(JoinHandle<Option<Relocation>>);

impl Drop for Query {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ProviderWatch {
    /// Returns the watch of the instance `id`.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), due: None, query: None }
    }

    /// Starts a query after enough `failures` in a row, if the last one is old.
    pub fn poll_after(&mut self, failures: u32) {
        let due = self.due.is_none_or(|due| Instant::now() >= due);
        if failures >= FAILURES && due && self.query.is_none() {
            self.due = Some(Instant::now() + INTERVAL);
            self.query = Some(Query(tokio::spawn(query(self.id.clone()))));
        }
    }

    /// Returns the provider's news if a query is running and its answer differs from `known`; otherwise waits
    /// for ever. Cancel-safe.
    pub async fn next(&mut self, known: &Instance) -> Relocation {
        if let Some(query) = &mut self.query {
            let relocation = (&mut query.0).await.ok().flatten();
            self.query = None;
            if let Some(relocation) = relocation.filter(|relocation| relocation.is_new(known)) {
                return relocation;
            }
        }
        std::future::pending().await
    }
}

/// A process that gets SIGTERM when this is dropped. It is not killed, as it must end its own children.
struct QueryProcess(Option<Pid>);

impl Drop for QueryProcess {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // Not reaped yet, so the PID is our child's.
            let _ = kill(pid, Signal::SIGTERM);
        }
    }
}

async fn query(id: String) -> Option<Relocation> {
    let mut child = Command::new(paths::sibling("soong-tunnel").ok()?)
        .args(["locate", "--", &id])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let mut process = QueryProcess(pid);
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take()?).take(ANSWER_MAX);
    let read = timeout(PATIENCE, reader.read_line(&mut line)).await;
    if matches!(read, Ok(Ok(_))) && matches!(timeout(PATIENCE, child.wait()).await, Ok(Ok(_))) {
        process.0 = None;
    }
    serde_json::from_slice(line.as_bytes()).ok()
}
