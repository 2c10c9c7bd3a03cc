//! `soong ssh`: becomes the system's ssh, or writes `ssh_config` entries for every other program.
//!
//! ```text
//! arguments ─ session ─ remote_command             a session: exec ssh
//!           └ hosts ─ lookup, host_file, include   soong ssh config
//! ```

pub mod arguments;

mod host_file;
mod hosts;
mod include;
mod lookup;
mod remote_command;
mod session;

use std::process::ExitCode;

use self::arguments::{Arguments, Command};
use crate::command_line;
use crate::system::paths::Paths;

/// `soong-ssh`: becomes ssh, or does what else the command line says and returns the exit code.
pub fn main() -> ExitCode {
    const PROGRAM: &str = "soong-ssh";
    let words: Vec<_> = std::env::args_os().collect();
    match arguments::split(&words) {
        Ok(split) => command_line::main_from(PROGRAM, split.own, |arguments: &Arguments| {
            let paths = Paths::from_env()?;
            match &arguments.subcommand {
                None => session::run(arguments, &split.options, &paths)?,
                Some(Command::Config(arguments)) => hosts::run(arguments, &paths)?,
            }
            Ok(0)
        }),
        Err(error) => {
            command_line::obey_color(&words);
            command_line::fail(PROGRAM, &error)
        }
    }
}
