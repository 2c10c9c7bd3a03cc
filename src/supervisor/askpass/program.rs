//! The user's own program for questions, `SSH_ASKPASS`, which opens a window: asked where no terminal waits.

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

/// How long the window stays.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Has `program` ask; `None` when there is no answer. Its window goes when this is dropped.
///
/// It is not asked about host keys: to look at one takes more than a passphrase, and such a program may
/// answer whatever it is asked with the same word.
pub async fn ask(program: &Path, question: &Question) -> Option<Zeroizing<String>> {
    if question.sort == Sort::HostKey {
        return None;
    }
    let mut command = Command::new(program);
    // What a server asks does not become an option.
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

/// The program, and what it has started; all of it ends with this.
struct Window(Child);

impl Window {
    /// What it prints before it ends well, up to the end of the line.
    async fn answer(&mut self) -> Option<Zeroizing<String>> {
        // With room for all, so that no copy is left behind when it grows.
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
        // Not yet waited for, so the group is still that of our child.
        if let Some(pid) = self.0.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
