//! Tunnels: one supervised ssh per instance, and the commands that start, show and stop it.
//!
//! ```text
//! soong-tunnel                       soong-supervisor
//!
//! arguments ─ request ─ start ──channel──→ program ─ supervisor ─ listener, relay   local ports
//!                         └──────order──────↗          │      └─ link              the ssh process
//!                                                      └─ runtime::{directory, state, control}
//! status, stop ─ runtime::registry
//! ```
//!
//! They are two programs, so that one that people wait for is not as large as both. A supervisor
//! has `soong-tunnel` do what needs the config or a provider: see [`hooks`] and [`whereabouts`].

pub mod arguments;
pub mod program;

mod address;
mod alarm;
mod askpass;
mod audience;
mod capacity;
mod channel;
mod channels;
mod check;
mod claim;
mod disturbance;
mod doors;
mod ear;
mod entrance;
mod extras;
mod foreground;
mod forward;
mod hooks;
mod interview;
mod kernel_counts;
mod knock;
mod lease;
mod line;
mod link;
mod list;
mod listener;
mod log;
mod logs;
mod memory;
mod mux;
mod order;
mod probe;
mod pulse;
mod question;
mod questions;
mod relay;
mod report;
mod request;
mod retry;
mod run;
mod signals;
mod socks;
mod start;
mod status;
mod stop;
mod supervisor;
mod switchboard;
mod traffic;
mod wait;
mod whereabouts;

use std::process::ExitCode;

use self::arguments::{Arguments, Command};
use crate::command_line;
use crate::error::Result;
use crate::paths::Paths;

/// `soong-tunnel`: does what the command line says and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-tunnel", |arguments: &Arguments| obey(&arguments.command))
}

fn obey(command: &Command) -> Result<u8> {
    let paths = Paths::from_env()?;
    match command {
        Command::Start(arguments) => start::start(arguments, &paths)?,
        Command::Restart(arguments) => start::restart(arguments, &paths)?,
        Command::Stop(arguments) => stop::stop(arguments, &paths)?,
        Command::Status(arguments) => return status::status(arguments, &paths),
        Command::List(arguments) => list::list(arguments, &paths)?,
        Command::Forward(arguments) => forward::forward(arguments, &paths)?,
        Command::Logs(arguments) => logs::logs(arguments, &paths)?,
        Command::Url(arguments) => address::url(arguments, &paths)?,
        Command::Env(arguments) => address::env(arguments, &paths)?,
        Command::Run(arguments) => return run::run(arguments, &paths),
        Command::Wait(arguments) => return wait::wait(arguments, &paths),
        Command::Whereabouts { id } => whereabouts::tell(id, &paths)?,
        Command::Hooks { name } => hooks::run(name, &paths),
    }
    Ok(0)
}
