//! Tunnels: one supervised ssh per instance, and the commands that start, show and stop it.
//!
//! ```text
//! arguments ─ request ─ start ──channel──→ supervisor ─ listener, relay   local ports
//!                                             │      └─ link              the ssh process
//!                                             └─ runtime::{directory, state, control}
//! status, stop ─ runtime::registry
//! ```

pub mod arguments;

mod address;
mod alarm;
mod askpass;
mod audience;
mod capacity;
mod channel;
mod check;
mod claim;
mod disturbance;
mod doors;
mod entrance;
mod extras;
mod foreground;
mod forward;
mod hooks;
mod interview;
mod knock;
mod lease;
mod link;
mod list;
mod listener;
mod log;
mod logs;
mod memory;
mod mux;
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

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use self::arguments::{Arguments, Command};
use self::audience::Audience;
use self::channel::Receiver;
use self::request::Request;
use crate::command_line;
use crate::error::{Error, Result};
use crate::paths::Paths;

/// `soong-tunnel`: does what the command line says and returns the exit code.
pub fn main() -> ExitCode {
    if let Some(code) = askpass::main() {
        return code;
    }
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
        Command::Supervise { .. } => supervise(&paths)?,
    }
    Ok(0)
}

/// The supervisor's side of the channel: takes the request from standard input and runs it.
fn supervise(paths: &Paths) -> Result<()> {
    let not_asked = || {
        Error::usage("supervise is started by 'soong tunnel start', not by hand")
            .with_hint("to stay in the foreground: soong tunnel start --foreground")
    };
    let stream =
        std::io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from).map_err(|_| not_asked())?;
    // Descriptor 0 stays in use, so that nothing else is mistaken for standard input.
    let ear = stream.try_clone().map_err(|_| not_asked())?;
    let request: Request = Receiver::new(stream).receive().ok().flatten().ok_or_else(not_asked)?;
    let audience = Audience::starter(ear).map_err(|_| not_asked())?;
    supervisor::run(request, paths, audience)
}
