//! The line in a shell's startup file. The file is the user's: one line is added at its end, the same
//! line is taken out again, and every other byte stays.

use std::path::Path;

use super::arguments::{Arguments, Shell};
use super::script::quote;

/// How our own line ends.
const MARK: &str = "# soong init --install";
/// How it ends in a file that there was not before: whether a file was there and empty cannot be told later.
const MARK_OF_NEW: &str = "# soong init --install; created this file";

/// The line that has `shell` do what `arguments` ask for; `is_first` where it makes the file.
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
    // A soong that was removed is no reason for a shell to complain.
    let soong = quote(shell, soong);
    let mark = if is_first { MARK_OF_NEW } else { MARK };
    match shell {
        Shell::Bash | Shell::Zsh => format!("[ ! -x {soong} ] || eval \"$({command})\" {mark}"),
        Shell::Fish => format!("test -x {soong}; and {command} | source {mark}"),
    }
}

/// The shell's name.
pub fn name(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    }
}

/// What adding `line` to a startup file comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It stands there already, or the user has written one like it.
    None,
    /// The file as it is to be.
    To(Vec<u8>),
}

/// Adds `line` to `text`, in the place of an earlier one.
pub fn add(text: &[u8], line: &str) -> Change {
    if lines(text).any(|present| is_ours(present) && trim(present) == line.as_bytes()) {
        return Change::None;
    }
    if lines(text).any(|present| !is_ours(present) && calls_init(present)) {
        return Change::None;
    }
    let mut changed = remove(text);
    // A file that does not end its last line keeps not ending it, and can be had back as it was.
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

/// Whether it was us who made the file that `text` is in.
pub fn is_made_by_us(text: &[u8]) -> bool {
    lines(text).any(is_of_new)
}

/// Whether nothing is in `text` but what we put there when we made the file, so that it can go too.
pub fn is_ours_alone(text: &[u8]) -> bool {
    is_made_by_us(text) && remove(text).is_empty()
}

/// `text` without any line of ours.
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

/// The lines with what ends them.
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

/// Whether the line has soong's hook read, as the documentation says how.
fn calls_init(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_start();
    !line.starts_with('#') && line.contains("soong init ")
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
