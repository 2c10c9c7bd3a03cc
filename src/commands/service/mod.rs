//! `soong service`: starts tunnels at login.
//!
//! ```text
//! arguments ─ install ┬ definition    which tunnel, with which program and variables
//!                     └ manager ┬ systemd ┬ file
//!                               └ launchd ┘
//! ```
//!
//! A service runs `soong tunnel start --foreground --keep-trying`, so its process is the supervisor.

pub mod arguments;

mod definition;
mod file;
mod install;
mod launchd;
mod manager;
mod status;
mod systemd;

use std::process::ExitCode;

use self::arguments::{Arguments, Command, UninstallArguments};
use self::definition::Definition;
use self::manager::Manager;
use crate::command_line;
use crate::error::{Error, Result};
use crate::suggest;
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Runs `soong-service` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-service", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        let manager = Manager::find(&paths)?;
        match &arguments.command {
            Command::Install(arguments) => install::install(arguments, &manager, &paths).map(|()| 0),
            Command::Status(arguments) => status::status(arguments, &manager, &paths),
            Command::Uninstall(arguments) => uninstall(arguments, &manager).map(|()| 0),
        }
    })
}

fn uninstall(arguments: &UninstallArguments, manager: &Manager) -> Result<()> {
    let wanted = arguments.which.wanted()?;
    let installed = manager.installed()?;
    let chosen: Vec<&Definition> = if arguments.all {
        installed.iter().collect()
    } else if wanted.is_empty() {
        vec![only(&installed)?]
    } else {
        let find = |name: &str| {
            let found = installed.iter().find(|definition| definition.is_meant(name));
            found.ok_or_else(|| absent(name, &installed))
        };
        wanted.into_iter().map(find).collect::<Result<_>>()?
    };
    for definition in chosen {
        manager.uninstall(&definition.label())?;
        if !arguments.quiet {
            let name = printable(&definition.name);
            command_line::print(&format!("The tunnel to {name} no longer starts at login\n"))?;
        }
    }
    Ok(())
}

fn only(installed: &[Definition]) -> Result<&Definition> {
    match installed {
        [only] => Ok(only),
        [] => Err(Error::failed("no tunnel starts at login")),
        several => Err(Error::failed("more than one tunnel starts at login")
            .with_hint(format!("choose one with --instance-id: {}", names(several)))
            .with_hint("or all: soong service uninstall --all")),
    }
}

fn absent(name: &str, installed: &[Definition]) -> Error {
    let error = Error::failed(format!("no tunnel to '{}' starts at login", printable(name)));
    if installed.is_empty() { error } else { error.with_hint(format!("installed: {}", names(installed))) }
}

fn names(definitions: &[Definition]) -> String {
    suggest::listing(definitions.iter().map(|known| printable(&known.name).into_owned()))
}
