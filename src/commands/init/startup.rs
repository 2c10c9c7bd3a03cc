//! The line in a shell's startup file. It is added at the end and removed again; every other byte stays.

use std::path::Path;

use super::arguments::{Arguments, Shell};
use super::script::quote;
use crate::built_in::calls_init;

/// End of our line.
const MARK: &str = "# soong init --install";
/// End of our line in a file that we created: an empty file before could not be told from none later.
const MARK_OF_NEW: &str = "# soong init --install; created this file";

/// Returns the line that sets `shell` up with `arguments`; `is_first` if it creates the file.
pub fn line(shell: Shell, arguments: &Arguments, soong: &Path, is_first: bool) -> String {
    let mut command = format!("{} init {}", quote(shell, soong), name(shell));
    for (flag, is_set) in
        [("--no-prompt", arguments.no_prompt), ("--no-completions", arguments.no_completions)]
    {
        if is_set {
            command.push_str(&format!(" {flag}"));
        }
    }
    if let Some(alias) = &arguments.cmd {
        command.push_str(&format!(" --cmd {alias}"));
    }
    // Without soong, the line does nothing.
    let soong = quote(shell, soong);
    let mark = if is_first { MARK_OF_NEW } else { MARK };
    match shell {
        Shell::Bash | Shell::Zsh => format!("[ ! -x {soong} ] || eval \"$({command})\" {mark}"),
        Shell::Fish => format!("test -x {soong}; and {command} | source {mark}"),
    }
}

/// Returns the shell's name.
pub fn name(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    }
}

/// Result of adding `line` to a startup file.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there already, or the user has written one like it.
    None,
    /// New content of the file.
    To(Vec<u8>),
}

/// Adds `line` to `text`, replacing an earlier one.
pub fn add(text: &[u8], line: &str) -> Change {
    if lines(text).any(|present| is_ours(present) && trim(present) == line.as_bytes()) {
        return Change::None;
    }
    if lines(text).any(|present| !is_ours(present) && calls_init(present)) {
        return Change::None;
    }
    let mut changed = remove(text);
    // A missing newline at the end stays missing, so that removal restores the file.
    let complete = changed.is_empty() || changed.ends_with(b"\n");
    if !complete {
        changed.push(b'\n');
    }
    changed.extend_from_slice(line.as_bytes());
    if complete {
        changed.push(b'\n');
    }
    Change::To(changed)
}

/// Returns true if we created the file with `text`.
pub fn is_made_by_us(text: &[u8]) -> bool {
    lines(text).any(is_of_new)
}

/// Returns true if `text` has only what we wrote when we created the file, so that it can be removed.
pub fn is_ours_alone(text: &[u8]) -> bool {
    is_made_by_us(text) && remove(text).is_empty()
}

/// Returns `text` without our lines.
pub fn remove(text: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::new();
    for line in lines(text) {
        if !is_ours(line) {
            kept.extend_from_slice(line);
        } else if !line.ends_with(b"\n") && kept.ends_with(b"\n") {
            kept.pop();
        }
    }
    kept
}

/// Splits lines, keeping their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

fn is_ours(line: &[u8]) -> bool {
    trim(line).ends_with(MARK.as_bytes()) || is_of_new(line)
}

fn is_of_new(line: &[u8]) -> bool {
    trim(line).ends_with(MARK_OF_NEW.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "eval \"$(/x/soong init bash)\" # soong init --install";

    #[test]
    fn what_is_added_can_be_taken_away_to_the_last_byte() {
        for text in [&b""[..], b"a\n", b"a", b"a\n\n", b"\xff\xfe\n", b"a\r\n", b"# soong init bash\n"] {
            let Change::To(added) = add(text, LINE) else { panic!("{text:?}") };
            assert_eq!(add(&added, LINE), Change::None, "twice is once");
            assert_eq!(remove(&added), text);
            assert!(!is_ours_alone(&added), "it was there: {text:?}");
        }
    }

    #[test]
    fn an_earlier_line_is_replaced_and_the_users_own_is_left() {
        let Change::To(added) = add(b"a\n", LINE) else { panic!() };
        let other = LINE.replace("/x/", "/y/");
        assert_eq!(add(&added, &other), Change::To(format!("a\n{other}\n").into_bytes()));
        assert_eq!(add(b"  eval \"$(soong init bash)\"\n", LINE), Change::None);
    }

    #[test]
    fn a_file_that_was_made_for_the_line_is_known_until_something_else_is_in_it() {
        let line = LINE.replace(MARK, MARK_OF_NEW);
        let Change::To(made) = add(b"", &line) else { panic!() };
        assert!(is_ours_alone(&made));
        for users in [&b"alias x=y\n"[..], b"\n", b" "] {
            let both = [&made, users].concat();
            assert!(is_made_by_us(&both) && !is_ours_alone(&both), "{users:?}");
            assert_eq!(remove(&both), users);
        }
    }
}
