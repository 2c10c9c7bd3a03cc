//! A terminal in tmux, which reports the contents of the screen.

use std::process::Command;

use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;
use crate::support::wait;

/// A screen with a command on it; both end when this is dropped.
pub struct Screen<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Screen<'a> {
    /// Runs `command`, which is for sh, on a screen of so many columns.
    pub fn open(sandbox: &'a Sandbox, columns: u16, command: &str) -> Self {
        let screen = Self { sandbox };
        screen.tmux(["new-session", "-d", "-x", &columns.to_string(), "-y", "12", command]);
        screen
    }

    /// Runs a tmux command and returns its output.
    pub fn tmux<const N: usize>(&self, arguments: [&str; N]) -> String {
        let socket = self.sandbox.path("tmux");
        let mut command = Command::new(tool("tmux"));
        command.arg("-u").arg("-S").arg(socket).args(["-f", "/dev/null"]).args(arguments);
        let output = command.env_clear().envs(self.sandbox.environment()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Presses keys, by tmux's names for them.
    pub fn keys(&self, keys: &str) {
        self.tmux(["send-keys", keys]);
    }

    /// Returns the text on the screen.
    pub fn text(&self) -> String {
        self.tmux(["capture-pane", "-p"]).trim_end().to_owned()
    }

    /// Waits until the screen shows the expected text.
    #[track_caller]
    pub fn wait_until(&self, expected: &str, is_right: impl Fn(&str) -> bool) {
        let mut text = String::new();
        let end = std::time::Instant::now() + wait::DEADLINE;
        while std::time::Instant::now() < end {
            text = self.text();
            if is_right(&text) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the screen is not as it should be:\n{text}\n--- expected: {expected}");
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.tmux(["kill-server"]);
    }
}
