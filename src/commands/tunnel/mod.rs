//! `soong tunnel`: commands that start, show, change and stop tunnels.
//!
//! ```text
//! arguments ─ start/resolve → Request ─ start ─ supervisor::protocol → soong-supervisor, another program
//! status, stop, forward, … ─ runtime::registry → running tunnels
//! ```
//!
//! Two subcommands serve supervisors, which have no config and no providers: `hooks` ([`hook_runner`]) and
//! `locate` ([`locate`]).

pub mod arguments;
pub(crate) mod url;

mod check;
mod choice;
mod forward;
mod hook_runner;
mod list;
mod locate;
mod logs;
mod phase_text;
mod present;
mod run;
pub(crate) mod start;
mod status;
mod stop;
mod wait;

use std::process::ExitCode;

use self::arguments::{Arguments, Command};
use crate::command_line;
use crate::error::Result;
use crate::system::paths::Paths;

/// Runs `soong-tunnel` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-tunnel", |arguments: &Arguments| execute(&arguments.command))
}

fn execute(command: &Command) -> Result<u8> {
    let paths = Paths::from_env()?;
    match command {
        Command::Start(arguments) => start::start(&arguments.resolve()?, &paths)?,
        Command::Restart(arguments) => start::restart(arguments.resolve()?, &paths)?,
        Command::Stop(arguments) => stop::stop(arguments, &paths)?,
        Command::Status(arguments) => return status::status(arguments, &paths),
        Command::List(arguments) => list::list(arguments, &paths)?,
        Command::Forward(arguments) => forward::forward(arguments, &paths)?,
        Command::Logs(arguments) => logs::logs(arguments, &paths)?,
        Command::Url(arguments) => url::url(arguments, &paths)?,
        Command::Env(arguments) => url::env(arguments, &paths)?,
        Command::Run(arguments) => return run::run(arguments, &paths),
        Command::Wait(arguments) => return wait::wait(arguments, &paths),
        Command::Locate { id } => locate::print_location(id, &paths)?,
        Command::Hooks { name } => hook_runner::run(name, &paths),
    }
    Ok(0)
}
