//! `soong ext new`: creates an extension from the files in `templates/`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::arguments::Language;
use crate::built_in::{is_built_in, is_helper};
use crate::command_line;
use crate::error::{Error, Result};
use crate::terminal::printable;

/// A file to create.
struct File {
    /// Path below the target directory; `NAME` stands for the name.
    path: &'static str,
    text: &'static str,
    /// True for an executable.
    runs: bool,
}

// A test named soong-… would be a command if its directory were on PATH.
const BASH: &[File] = &[
    File { path: "soong-NAME", text: include_str!("templates/bash.sh"), runs: true },
    File { path: "test-soong-NAME", text: include_str!("templates/bash-test.sh"), runs: true },
];
const PYTHON: &[File] = &[
    File { path: "soong-NAME", text: include_str!("templates/python.py"), runs: true },
    File { path: "test-soong-NAME", text: include_str!("templates/python-test.py"), runs: true },
];
const RUST: &[File] = &[
    File { path: "soong-NAME/Cargo.toml", text: include_str!("templates/rust-manifest"), runs: false },
    File { path: "soong-NAME/src/main.rs", text: include_str!("templates/rust-main"), runs: false },
    File { path: "soong-NAME/tests/answers.rs", text: include_str!("templates/rust-test"), runs: false },
];

/// Creates the files of the extension `name` and prints the next steps.
pub(super) fn new(name: &str, language: Language, directory: Option<&Path>) -> Result<u8> {
    if is_built_in(name) || is_helper(name) {
        return Err(Error::usage(format!("'{name}' is reserved by soong")).with_hint("choose another name"));
    }
    let files = match language {
        Language::Bash => BASH,
        Language::Python => PYTHON,
        Language::Rust => RUST,
    };
    let directory = directory.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    let place = |file: &File| directory.join(file.path.replace("NAME", name));
    if let Some(taken) = files.iter().map(place).find(|path| path.symlink_metadata().is_ok()) {
        return Err(Error::failed(format!("{} already exists", printable(&taken.to_string_lossy())))
            .with_hint("remove it, or choose another name or --directory"));
    }
    let mut text = String::new();
    for file in files {
        let path = place(file);
        write(&path, &filled(file.text, name), file.runs)?;
        text.push_str(&format!("wrote {}\n", printable(&path.to_string_lossy())));
    }
    text.push_str(&next(name, language, &directory));
    command_line::print(&text)?;
    Ok(0)
}

/// Returns `template` with the name filled in.
fn filled(template: &str, name: &str) -> String {
    template.replace("@NAME@", name)
}

fn write(path: &Path, text: &str, runs: bool) -> Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mode = if runs { 0o755 } else { 0o644 };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|error| Error::io("write", path, error))
}

fn next(name: &str, language: Language, directory: &Path) -> String {
    let quoted = |path: PathBuf| shell_words::quote(&path.to_string_lossy()).into_owned();
    let file = quoted(directory.join(format!("soong-{name}")));
    let test = quoted(directory.join(format!("test-soong-{name}")));
    let (test, install) = match language {
        Language::Bash | Language::Python => (
            if test.contains('/') { test } else { format!("./{test}") },
            format!("install -m 755 {file} ~/.local/bin/"),
        ),
        Language::Rust => {
            (format!("cargo test --manifest-path {file}/Cargo.toml"), format!("cargo install --path {file}"))
        }
    };
    format!(
        "\nNext:\n  {test}\n  {install}    # any directory of PATH\n  soong {name} --help\n  soong ext list\n"
    )
}
