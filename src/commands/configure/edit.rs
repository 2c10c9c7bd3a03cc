//! `soong configure edit`: runs the user's editor on a copy of the config, which replaces the config once it
//! is valid.
//!
//! With a copy, a running tunnel or prompt never reads a half-edited file, and a failed edit loses nothing:
//! the rejected text is kept and named.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::store::{Change, Store, shell};
use super::{alias, dialog};
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};
use crate::system::trust;
use crate::terminal::{self, print_error, printable};

/// Initial content of an empty config.
const TEMPLATE: &str = "# Configuration of soong. 'soong configure list' shows all keys and their values.\n";

/// Hint if the editor is not installed.
const NO_EDITOR: &str = "set EDITOR to an installed editor";

/// Editors to try where the user names none.
const USUAL: [&str; 4] = ["sensible-editor", "editor", "nano", "vi"];

/// Edits the config.
pub fn edit(paths: &Paths) -> Result<()> {
    let editor = editor()?;
    let before = config::read(paths.config_file())?;
    let draft = draft(if before.is_empty() { TEMPLATE } else { &before }, paths)?;
    let after = match settle(&editor, &draft, &before, paths) {
        Ok(after) => after,
        Err(error) => return Err(keep(error, &draft)),
    };
    if after == before || (before.is_empty() && after == TEMPLATE) {
        print_error("no changes\n");
    } else {
        take_over(&before, after, paths).map_err(|error| keep(error, &draft))?;
    }
    // A remaining draft holds no secrets, and the next one has another name.
    let _ = std::fs::remove_file(&draft);
    Ok(())
}

/// Returns the editor and its arguments.
fn editor() -> Result<Vec<String>> {
    let Some(named) = terminal::editor() else {
        let usual = USUAL.into_iter().find_map(paths::find_program);
        return match usual {
            Some(program) => Ok(vec![program.to_string_lossy().into_owned()]),
            None => {
                Err(Error::failed("no editor is set")
                    .with_hint("set EDITOR, for example: export EDITOR=nano"))
            }
        };
    };
    match shell_words::split(&named) {
        Ok(words) if !words.is_empty() => Ok(words),
        _ => Err(Error::failed(format!("cannot parse EDITOR: {}", printable(&named)))
            .with_hint("check its quotes; it is split into words as in a shell")),
    }
}

/// Creates a temporary file with `text`.
fn draft(text: &str, paths: &Paths) -> Result<PathBuf> {
    paths.ensure_state()?;
    let directory = paths.state();
    let write = || -> std::io::Result<PathBuf> {
        let mut file = tempfile::Builder::new().prefix("config-").suffix(".toml").tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        Ok(file.keep()?.1)
    };
    write().map_err(|error| Error::io("write in", directory, error))
}

/// Runs the editor until its text can replace `before`, or the user gives up.
fn settle(editor: &[String], draft: &Path, before: &str, paths: &Paths) -> Result<String> {
    loop {
        run(editor, draft)?;
        let text = config::read(draft)?;
        let config = Config::parse(&text, paths.config_file(), paths);
        let checked = config.and_then(|config| alias::refuse_new(before, &config, paths));
        let Err(error) = checked else { return Ok(text) };
        if !terminal::is_interactive() {
            return Err(error);
        }
        error.report("soong-configure");
        if !dialog::confirm("Edit it again?", true)?.unwrap_or(false) {
            return Err(Error::failed("the config is unchanged"));
        }
    }
}

fn run(editor: &[String], draft: &Path) -> Result<()> {
    let Some((program, arguments)) = editor.split_first() else {
        return Err(Error::failed("no editor is set"));
    };
    let shown = printable(program).into_owned();
    // As a shell finds it, but not in the current directory.
    let file =
        if program.contains('/') { Some(PathBuf::from(program)) } else { paths::find_program(program) };
    let Some(file) = file else {
        return Err(Error::ProgramMissing { program: shown, hint: NO_EDITOR.into() });
    };
    if let Some(fault) = trust::fault(&file) {
        print_error(&format!("soong-configure: {shown} cannot be trusted: {fault}\n"));
    }
    match Command::new(file).arg0(program).args(arguments).arg(draft).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::failed(format!("{shown} failed ({status}); the config is unchanged"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::ProgramMissing { program: shown, hint: NO_EDITOR.into() })
        }
        Err(source) => Err(Error::cannot(format_args!("run {shown}"), source)),
    }
}

/// Saves the new text, unless another process changed the config meanwhile.
fn take_over(before: &str, after: String, paths: &Paths) -> Result<()> {
    let store = Store::open(paths)?;
    if store.config()? != before {
        return Err(Error::failed(
            "another command changed the config meanwhile; your version was not saved",
        ));
    }
    store.write(&Change { config: Some(after), credentials: None }).map(drop)
}

/// Returns the error with the path of the user's text.
fn keep(error: Error, draft: &Path) -> Error {
    let kept = format!("your version is kept in {}", shell(draft));
    match error {
        Error::Config { path, line, message, hint } => {
            let hint = hint.map_or(kept.clone(), |hint| format!("{hint}; {kept}"));
            Error::Config { path, line, message, hint: Some(hint) }
        }
        Error::Io { action, source, hint } => {
            let hint = hint.map_or(kept.clone(), |hint| format!("{hint}; {kept}"));
            Error::Io { action, source, hint: Some(hint) }
        }
        error => error.with_hint(kept),
    }
}
