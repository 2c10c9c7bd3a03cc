//! `soong daemon`: installs the status daemon on an instance and looks after it.
//!
//! ```text
//! arguments ─ install ─ binary    the program to install
//!           ├ status, logs, uninstall
//!           └ setting ┬ remote    shell scripts on the instance, by soong ssh
//!                     └ rights    root there: the account, or sudo
//! ```

pub mod arguments;

mod binary;
mod install;
mod remote;
mod rights;
mod setting;

use std::process::ExitCode;

use self::arguments::{Arguments, Command, Logs, Target, Uninstall};
use self::remote::{Remote, quoted};
use self::setting::Setting;
use crate::command_line;
use crate::config::token_store;
use crate::daemon::{self, client};
use crate::error::{EXIT_NOT_RUNNING, Error, Result};
use crate::system::time;
use crate::terminal::printable;

const STATE: &str = include_str!("state.sh");
const UNINSTALL: &str = include_str!("uninstall.sh");
const UNIT: &str = "soong-statusd.service";

/// Runs `soong-daemon` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-daemon", |arguments: &Arguments| match &arguments.command {
        Command::Install(arguments) => {
            install::install(arguments, &Setting::load(&arguments.target)?).map(|()| 0)
        }
        Command::Upgrade(arguments) => {
            install::upgrade(arguments, &Setting::load(&arguments.target)?).map(|()| 0)
        }
        Command::Status(target) => status(target, &Setting::load(target)?),
        Command::Logs(arguments) => logs(arguments, &Setting::load(&arguments.target)?),
        Command::Uninstall(arguments) => uninstall(arguments, &Setting::load(&arguments.target)?).map(|()| 0),
    })
}

fn status(target: &Target, setting: &Setting) -> Result<u8> {
    let name = printable(&setting.instance.name).into_owned();
    let state = Remote::new(&setting.instance).run(STATE, &[&target.root], b"")?;
    if state.get("version").is_empty() {
        return Err(Error::failed(format!("no status daemon is installed on {name}"))
            .with_hint(format!("install it: soong daemon install {}", quoted(&setting.instance.name))));
    }
    let active = state.get("active");
    command_line::print(&format!("{} on {name}: {}\n", printable(state.get("version")), printable(active)))?;
    if active != "active" {
        return Ok(EXIT_NOT_RUNNING);
    }
    let token = client::require_token(&setting.instance, &setting.config, &setting.paths)?;
    let facts = daemon::facts(&setting.send(&daemon::status_request(token.expose()))?)?;
    let mut text = String::new();
    if let Some(end) = facts.lease_end {
        text.push_str(&format!("Ends at {}\n", time::clock_and_distance(end, time::now())));
    }
    if let Some(why) = facts.why {
        text.push_str(&format!("{}\n", printable(&why)));
    }
    command_line::print(&text)?;
    Ok(0)
}

fn logs(arguments: &Logs, setting: &Setting) -> Result<u8> {
    let lines = arguments.lines.to_string();
    let mut words = vec!["journalctl", "--no-pager", "--unit", UNIT, "--lines", &lines];
    if arguments.follow {
        words.push("--follow");
    }
    setting.root(&arguments.target.root)?.show(&words)
}

fn uninstall(arguments: &Uninstall, setting: &Setting) -> Result<()> {
    let purge = if arguments.purge { "yes" } else { "no" };
    let root = &arguments.target.root;
    let answer = setting.root(root)?.run(UNINSTALL, &[root, purge], b"")?;
    if arguments.purge {
        token_store::store_token(&setting.paths, &setting.instance.id, None)?;
    }
    let name = printable(&setting.instance.name);
    command_line::print(&if answer.is("removed") {
        format!("Removed the status daemon from {name}; nothing ends the instance now\n")
    } else {
        format!("No status daemon was installed on {name}\n")
    })
}
