//! The user's askpass program (`SSH_ASKPASS`), which opens a window. Used if no terminal waits.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::helper::MESSAGE_MAX;
use super::prompt::{Question, Sort};
use crate::system::paths;

/// Time that the window stays open.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `program` for a question; `None` without an answer. Dropping this closes its window.
///
/// It gets no host key questions: checking a key takes more than typing, and such a program may give the same
/// answer to everything.
pub async fn ask(program: &Path, question: &Question) -> Option<Zeroizing<String>> {
    if question.sort == Sort::HostKey {
        return None;
    }
    let mut command = Command::new(program);
    // A server's text must not become an option.
    let space = if question.text.starts_with('-') { " " } else { "" };
    command.arg(format!("{space}{}", question.text)).current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    match question.sort {
        Sort::Confirm => command.env(paths::ASKPASS_HINT, "confirm"),
        Sort::Notice => command.env(paths::ASKPASS_HINT, "none"),
        _ => command.env_remove(paths::ASKPASS_HINT),
    };
    let mut window = Window(command.spawn().ok()?);
    timeout(PATIENCE, window.answer()).await.ok().flatten()
}

/// The program and everything it has started; ends with this.
struct Window(Child);

impl Window {
    /// Returns the output up to the end of the line, if the program succeeds.
    async fn answer(&mut self) -> Option<Zeroizing<String>> {
        // With full capacity, so that growing leaves no copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MESSAGE_MAX).ok()?));
        let limit = MESSAGE_MAX / 8;
        self.0.stdout.take()?.take(limit).read_to_end(&mut bytes).await.ok()?;
        let status = self.0.wait().await.ok()?;
        let text = std::str::from_utf8(&bytes).ok().filter(|_| status.success())?;
        Some(Zeroizing::new(text.split(['\r', '\n']).next()?.to_owned()))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Not reaped yet, so the group is still our child's.
        if let Some(pid) = self.0.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
