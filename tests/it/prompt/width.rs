//! Colour takes no room: a line that wraps, is recalled and edited looks as it should, as tmux has it.

use std::process::Command;

use super::hooks::{BASH, SHELLS, Shell};
use super::options::with_tunnel;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;
use crate::support::wait;

/// A screen of 40 columns.
struct Screen<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Screen<'a> {
    fn open(sandbox: &'a Sandbox, shell: &Shell) -> Self {
        let screen = Self { sandbox };
        let run = shell.run(sandbox, &[]);
        let command = run.command();
        let mut words: Vec<String> = vec![command.get_program().to_string_lossy().into_owned()];
        words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
        screen.tmux(["new-session", "-d", "-x", "40", "-y", "12", &words.join(" ")]);
        screen
    }

    fn tmux<const N: usize>(&self, arguments: [&str; N]) -> String {
        let socket = self.sandbox.path("tmux");
        let mut command = Command::new(tool("tmux"));
        command.arg("-S").arg(socket).args(["-f", "/dev/null"]).args(arguments);
        let output = command.env_clear().envs(self.sandbox.environment()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &str) {
        self.tmux(["send-keys", keys]);
    }

    fn text(&self) -> String {
        self.tmux(["capture-pane", "-p"]).trim_end().to_owned()
    }

    #[track_caller]
    fn wait_for(&self, expected: &str) {
        let mut text = String::new();
        let end = std::time::Instant::now() + wait::DEADLINE;
        while std::time::Instant::now() < end {
            text = self.text();
            if text.ends_with(expected) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the screen is not as it should be:\n{text}\n--- but should end with:\n{expected}");
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.tmux(["kill-server"]);
    }
}

/// Types a line that wraps, has it back, and inserts before the wrap and at the end.
fn edit(screen: &Screen) {
    let long = "0123456789abcdefghijABCDEFGHIJklmnopqrst";
    screen.keys(&format!(": {long}"));
    screen.keys("Enter");
    screen.keys("C-l");
    screen.keys("Up");
    for _ in 0..25 {
        screen.keys("Left");
    }
    screen.keys("XY");
    screen.keys("C-e");
    screen.keys("Z");
}

const EDITED: &str = ": 0123456789abcdeXYfghijABCDEFGHIJklmnopqrstZ";

/// `text` as 40 columns show it.
fn wrapped(text: &str) -> String {
    format!("{}\n{}", &text[..40], &text[40..])
}

#[test]
fn an_edited_line_looks_right_in_bash_and_zsh() {
    for shell in &SHELLS[..2] {
        let sandbox = with_tunnel();
        let screen = Screen::open(&sandbox, shell);
        screen.keys("PS1='$ '; SOONG_PROMPT_SIDE=left");
        screen.keys("Enter");
        screen.keys(shell.load().trim_end());
        screen.keys("Enter");
        screen.wait_for("= dev $");
        edit(&screen);
        screen.wait_for(&wrapped(&format!("= dev $ {EDITED}")));
    }
}

#[test]
fn without_the_markers_it_would_look_wrong() {
    let sandbox = with_tunnel();
    let screen = Screen::open(&sandbox, &BASH);
    screen.keys("PS1=$'\\e[32m= dev\\e[0m $ '");
    screen.keys("Enter");
    screen.wait_for("= dev $");
    edit(&screen);
    wait::until_true("the last key to be shown", || screen.text().contains('Z'));
    assert_ne!(screen.text(), wrapped(&format!("= dev $ {EDITED}")));
}
