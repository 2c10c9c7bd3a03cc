//! Colour takes no room: a line that wraps, is recalled and edited looks as it should, as tmux has it.

use super::hooks::{BASH, SHELLS, Shell};
use super::options::with_tunnel;
use super::screen::Screen;
use crate::support::sandbox::Sandbox;
use crate::support::wait;

/// A shell on a screen of 40 columns.
fn open<'a>(sandbox: &'a Sandbox, shell: &Shell) -> Screen<'a> {
    let command = shell.run(sandbox, &[]).command();
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect();
    Screen::open(sandbox, 40, &words.join(" "))
}

#[track_caller]
fn wait_for(screen: &Screen, expected: &str) {
    screen.wait_until(expected, |text| text.ends_with(expected));
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
        let screen = open(&sandbox, shell);
        screen.keys("PS1='$ '; SOONG_PROMPT_SIDE=left");
        screen.keys("Enter");
        screen.keys(shell.load().trim_end());
        screen.keys("Enter");
        wait_for(&screen, "= dev $");
        edit(&screen);
        wait_for(&screen, &wrapped(&format!("= dev $ {EDITED}")));
    }
}

#[test]
fn without_the_markers_it_would_look_wrong() {
    let sandbox = with_tunnel();
    let screen = open(&sandbox, &BASH);
    screen.keys("PS1=$'\\e[32m= dev\\e[0m $ '");
    screen.keys("Enter");
    wait_for(&screen, "= dev $");
    edit(&screen);
    wait::until_true("the last key to be shown", || screen.text().contains('Z'));
    assert_ne!(screen.text(), wrapped(&format!("= dev $ {EDITED}")));
}
