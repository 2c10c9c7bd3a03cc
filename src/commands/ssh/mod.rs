//! `soong ssh`: execs the system's ssh, or writes `ssh_config` entries for other programs.
//!
//! ```text
//! arguments ─ session ─ connection, remote_command   a session: exec ssh
//!           ├ destination                            an instance in ssh's place for the host
//!           ├ hosts ─ lookup, host_file, include     soong ssh config
//!           └ refresh ─ hosts                        soong ssh config --refresh, run by ssh
//! ```

pub mod arguments;

mod connection;
mod destination;
mod host_file;
mod hosts;
mod include;
mod lookup;
mod refresh;
mod remote_command;
mod session;

use std::cell::Cell;
use std::ffi::OsStr;
use std::process::ExitCode;

use self::arguments::{Arguments, Command};
use self::destination::Destination;
use crate::command_line;
use crate::config::Config;
use crate::error::Error;
use crate::instances::inventory::{Inventory, listing};
use crate::system::paths::Paths;

/// Runs `soong-ssh`, which execs ssh or returns an exit code.
pub fn main() -> ExitCode {
    const PROGRAM: &str = "soong-ssh";
    let words: Vec<_> = std::env::args_os().collect();
    let unknown = Cell::new(false);
    let is_instance = |word: &OsStr| {
        unknown.set(destination(word).is_none());
        !unknown.get()
    };
    match arguments::split(&words, is_instance) {
        Ok(split) => command_line::main_from(PROGRAM, split.own.clone(), |arguments: &Arguments| {
            let paths = Paths::from_env()?;
            match &arguments.subcommand {
                None => session::run(arguments, &split, &paths)?,
                Some(Command::Config(arguments)) if arguments.refresh => refresh::run(&paths)?,
                Some(Command::Config(arguments)) => hosts::run(arguments, &paths)?,
            }
            Ok(0)
        }),
        Err(error) => {
            command_line::apply_color(&words);
            let hint = unknown.get().then(|| available().unwrap_or_else(|| arguments::LIST.to_owned()));
            command_line::fail(PROGRAM, &hint.into_iter().fold(error, Error::with_hint))
        }
    }
}

/// Returns the instance that a word names. An invalid config names none; loading it reports the fault.
fn destination(word: &OsStr) -> Option<Destination> {
    let paths = Paths::from_env().ok()?;
    let config = Config::load(&paths).ok()?;
    Destination::find(word, &config, &paths).or_else(|| Destination::ask(word, &config, &paths))
}

/// Returns the hint that lists the instances, if there are any.
fn available() -> Option<String> {
    let paths = Paths::from_env().ok()?;
    let machines = Inventory::cached(&Config::load(&paths).ok()?, &paths).machines;
    (!machines.is_empty()).then(|| format!("available: {}", listing(&machines)))
}
