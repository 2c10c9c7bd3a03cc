//! The parts of the completion scripts that name the programs.

use std::fs;

use super::{check, path, programs};

const BEGIN: &str = "# begin generated\n";
const END: &str = "# end generated\n";

/// The script `name` with `lines`, indented like the mark before them, between its marks.
fn with_part(name: &str, part: &str) -> String {
    let text = fs::read_to_string(path(name)).unwrap();
    let begin = text.find(BEGIN).unwrap() + BEGIN.len();
    let end = text.find(END).unwrap();
    let indent = |at: usize| &text[text[..at].rfind('\n').map_or(0, |newline| newline + 1)..at];
    let before = indent(begin - BEGIN.len());
    format!("{}{before}{part}\n{}{}", &text[..begin], indent(end), &text[end..])
}

#[test]
fn bash() {
    let part = format!("set -- {}", programs().join(" "));
    check("completions/soong.bash", &with_part("completions/soong.bash", &part));
}

#[test]
fn zsh() {
    let programs = programs().join(" ");
    let text = with_part("completions/_soong", &format!("set -- {programs}"));
    let (_, rest) = text.split_once('\n').unwrap();
    check("completions/_soong", &format!("#compdef {programs}\n{rest}"));
}

#[test]
fn fish() {
    let part = format!("set -g __soong_programs {}", programs().join(" "));
    check("completions/soong.fish", &with_part("completions/soong.fish", &part));
}
