//! `soong configure`: the wizard, and single settings.
//!
//! ```text
//! arguments ─ wizard ── dialog, cloud, api_key        questions and checks
//!           │    └────── setup                        saving the answers
//!           └ get, set, unset, list, edit, import
//!                  place, value, document             KEYs, TOML values, editing
//!                  store                              locked, atomic writes
//! ```

pub mod arguments;

mod alias;
mod api_key;
mod cloud;
mod dialog;
mod document;
mod edit;
mod import;
mod list;
pub(crate) mod place;
mod secret;
mod setting;
mod setup;
mod store;
mod value;
mod warning;
mod wizard;

use std::path::Path;
use std::process::ExitCode;

use self::arguments::{Arguments, Command};
use crate::command_line;
use crate::error::{Error, Result};
use crate::system::paths::Paths;
use crate::terminal;

/// Runs `soong-configure` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-configure", |arguments: &Arguments| run(arguments).map(|()| 0))
}

fn run(arguments: &Arguments) -> Result<()> {
    let paths = Paths::from_env()?;
    match &arguments.command {
        Some(Command::Get { key, reveal }) => setting::get(key, *reveal, &paths),
        Some(Command::Set { key, value }) => setting::set(key, value.as_deref(), &paths),
        Some(Command::Unset { key }) => setting::unset(key, &paths),
        Some(Command::List { json }) => list::list(*json, &paths),
        Some(Command::Path { credentials: false }) => show_path(paths.config_file()),
        Some(Command::Path { credentials: true }) => show_path(&paths.credentials_file()),
        Some(Command::Edit) => edit::edit(&paths),
        Some(Command::Import { file }) => import::import(file.as_deref(), &paths),
        None if !arguments.setup.is_empty() => setup::from_arguments(&arguments.setup, &paths),
        None if terminal::is_interactive() => wizard::run(&paths),
        None => Err(no_terminal()),
    }
}

fn no_terminal() -> Error {
    Error::usage("not a terminal; cannot ask questions")
        .with_hint("pass the answers as options: --key FILE, --user NAME, --instance NAME=HOST, --api-key-stdin, --daemon-token-stdin")
        .with_hint("or change one setting: soong configure set KEY VALUE")
}

/// Prints paths unchanged, for scripts.
fn show_path(path: &Path) -> Result<()> {
    command_line::print(&format!("{}\n", path.display()))
}
