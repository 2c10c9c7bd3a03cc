//! What the provider of an instance knows of it, for a tunnel whose link stays lost: whether the
//! instance is gone for good, and whether it has another address.
//!
//! Asking takes seconds, and signal handlers that a supervisor has for itself; so a process of its
//! own does it, `soong-tunnel whereabouts`, and the supervisor only reads its line.

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

/// How many attempts have to fail before the provider is asked.
const FAILURES: u32 = 2;
/// The shortest time between two questions.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long an answer may take: longer than a provider is given.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// Asks when it is due, one question at a time. A question under way ends when this is dropped.
#[derive(Debug)]
pub struct ProviderWatch {
    id: String,
    due: Option<Instant>,
    question: Option<Question>,
}

#[derive(Debug)]
struct Question(JoinHandle<Option<Relocation>>);

impl Drop for Question {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ProviderWatch {
    /// Asks about the instance `id`.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), due: None, question: None }
    }

    /// Begins a question if `failures` in a row are many enough, and the last question is long ago.
    pub fn poll_after(&mut self, failures: u32) {
        let due = self.due.is_none_or(|due| Instant::now() >= due);
        if failures >= FAILURES && due && self.question.is_none() {
            self.due = Some(Instant::now() + INTERVAL);
            self.question = Some(Question(tokio::spawn(ask(self.id.clone()))));
        }
    }

    /// The answer of the provider, if one is under way and says anything else of the instance than
    /// `known`; else never ready. May be dropped and called again at any time.
    pub async fn next(&mut self, known: &Instance) -> Relocation {
        if let Some(question) = &mut self.question {
            let news = (&mut question.0).await.ok().flatten();
            self.question = None;
            if let Some(news) = news.filter(|news| news.is_new(known)) {
                return news;
            }
        }
        std::future::pending().await
    }
}

/// A process that is asked to end when this is dropped. It has children of its own to see to, so it
/// is not killed.
struct Asked(Option<Pid>);

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // Not yet waited for, so the PID is that of our child.
            let _ = kill(pid, Signal::SIGTERM);
        }
    }
}

async fn ask(id: String) -> Option<Relocation> {
    let mut child = Command::new(paths::sibling("soong-tunnel").ok()?)
        .args(["whereabouts", "--", &id])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let mut asked = Asked(pid);
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take()?).take(ANSWER_MAX);
    let read = timeout(PATIENCE, reader.read_line(&mut line)).await;
    if matches!(read, Ok(Ok(_))) && matches!(timeout(PATIENCE, child.wait()).await, Ok(Ok(_))) {
        asked.0 = None;
    }
    serde_json::from_slice(line.as_bytes()).ok()
}
