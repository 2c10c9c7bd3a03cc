//! `soong-init`: prints a shell's set-up script, and adds the line that loads it to the shell's startup file.
//!
//! The scripts are in `shell/` and `completions/`. They and the manual pages are compiled in, so that no other file is
//! needed.

pub mod arguments;

mod manual;
mod pages;
mod script;
mod startup;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::ValueEnum;

use self::arguments::{Arguments, Shell};
use self::startup::Change;
use crate::command_line;
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};
use crate::terminal::{self, printable};

/// Longest copy of a startup file, in bytes.
const COPY_MAX: u64 = 1 << 20;

/// Runs `soong-init` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-init", run)
}

fn run(arguments: &Arguments) -> Result<u8> {
    if arguments.man_pages {
        return manual::install();
    }
    let shell = arguments.shell.map_or_else(current_shell, Ok)?;
    let soong = dispatcher()?;
    if arguments.install || arguments.uninstall {
        let file = Paths::from_env()?.startup_file(startup::name(shell))?;
        return if arguments.install {
            install(shell, arguments, &soong, &file)
        } else {
            uninstall(&file, arguments)
        };
    }
    command_line::print(&script::script(shell, arguments, &soong))?;
    Ok(0)
}

/// Returns the user's login shell.
fn current_shell() -> Result<Shell> {
    let program = paths::login_shell();
    let name = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    name.and_then(|name| Shell::from_str(&name, false).ok()).ok_or_else(|| {
        Error::usage("cannot determine your shell").with_hint("choose one: soong init bash, zsh or fish")
    })
}

/// Returns the dispatcher's path that survives package updates: as found on PATH if that is the one beside
/// this program, links unresolved.
fn dispatcher() -> Result<PathBuf> {
    let own = paths::own_program().map_err(|source| Error::cannot("find soong's own directory", source))?;
    let beside = own.with_file_name("soong");
    let same = |file: &PathBuf| fs::canonicalize(file).ok() == fs::canonicalize(&beside).ok();
    Ok(paths::find_program("soong").filter(same).unwrap_or(beside))
}

fn install(shell: Shell, arguments: &Arguments, soong: &Path, file: &Path) -> Result<u8> {
    let shown = printable(&file.to_string_lossy()).into_owned();
    let text = read(file)?;
    let is_first = text.as_deref().is_none_or(startup::is_made_by_us);
    let line = startup::line(shell, arguments, soong, is_first);
    let Change::To(changed) = startup::add(&text.unwrap_or_default(), &line) else {
        command_line::print(&format!("{shown} already sets up soong\n"))?;
        return Ok(0);
    };
    command_line::print(&format!("This line sets up soong in {}:\n\n  {line}\n\n", startup::name(shell)))?;
    if !agreed(arguments, &format!("Add it to {shown}?"))? {
        return Ok(1);
    }
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, error))?;
    }
    write(file, &changed)?;
    command_line::print(&format!(
        "Added to {shown}. Open a new shell to use it. To undo: soong init --uninstall\n"
    ))?;
    Ok(0)
}

fn uninstall(file: &Path, arguments: &Arguments) -> Result<u8> {
    let mut files = vec![file.to_owned()];
    files.extend(copies(file));
    let mut found = false;
    for file in &files {
        let text = read(file)?.unwrap_or_default();
        let changed = startup::remove(&text);
        if changed == text {
            continue;
        }
        found = true;
        if !remove_line(file, &text, &changed, arguments)? {
            return Ok(1);
        }
    }
    if !found {
        let shown = printable(&file.to_string_lossy()).into_owned();
        command_line::print(&format!("{shown} has no line that soong added\n"))?;
    }
    Ok(0)
}

/// Writes `changed`, the `text` of `file` without our line; returns false if the user does not agree.
fn remove_line(file: &Path, text: &[u8], changed: &[u8], arguments: &Arguments) -> Result<bool> {
    let shown = printable(&file.to_string_lossy()).into_owned();
    if !agreed(arguments, &format!("Remove soong's line from {shown}?"))? {
        return Ok(false);
    }
    // A link's target can belong to another package.
    if startup::is_ours_alone(text) && !file.is_symlink() {
        fs::remove_file(file).map_err(|error| Error::io("remove", file, error))?;
        command_line::print(&format!(
            "Removed {shown}, which had nothing else. In running shells: soong_unload\n"
        ))?;
    } else {
        write(file, changed)?;
        command_line::print(&format!("Removed from {shown}. In running shells: soong_unload\n"))?;
    }
    Ok(true)
}

/// Returns the copies of a startup file beside it, such as `.zshrc.pre-oh-my-zsh`: frameworks put them back when they
/// are uninstalled. Other programs' data, such as an editor's swap file, has zero bytes and is left out.
fn copies(file: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else { return Vec::new() };
    let start = format!("{}.", name.to_string_lossy());
    let is_copy = |entry: &fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| kind.is_file())
            && entry.file_name().to_string_lossy().starts_with(&start)
            && entry.metadata().is_ok_and(|metadata| metadata.len() <= COPY_MAX)
            && fs::read(entry.path()).is_ok_and(|text| !text.contains(&0))
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut copies: Vec<PathBuf> = entries.filter(is_copy).map(|entry| entry.path()).collect();
    copies.sort();
    copies
}

fn agreed(arguments: &Arguments, question: &str) -> Result<bool> {
    if arguments.yes {
        return Ok(true);
    }
    match terminal::confirm(question).map_err(|source| Error::cannot("ask", source))? {
        Some(answer) => Ok(answer),
        None => Err(Error::failed("not a terminal").with_hint("pass --yes")),
    }
}

/// Returns the content of `file`, if it exists.
fn read(file: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", file, error)),
    }
}

fn write(file: &Path, text: &[u8]) -> Result<()> {
    paths::rewrite(file, text).map_err(|error| error.with_hint("the file is unchanged"))
}
