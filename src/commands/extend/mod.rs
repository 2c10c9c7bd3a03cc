//! `soong extend TIME`: asks an instance's status daemon to extend the lease.
//!
//! The request goes through the running tunnel, or over an ssh of its own. If the daemon grants less than
//! requested, the output says so.

pub mod arguments;

use std::process::ExitCode;
use std::time::Duration;

use self::arguments::Arguments;
use crate::command_line;
use crate::config::Config;
use crate::daemon::{self, Extension, client};
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Selector};
use crate::runtime::registry;
use crate::system::paths::Paths;
use crate::system::time;

/// Runs `soong-extend` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-extend", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        extend(arguments, &paths).map(|()| 0)
    })
}

fn extend(arguments: &Arguments, paths: &Paths) -> Result<()> {
    let (asked, name) = arguments.words.resolve()?;
    let config = Config::load(paths)?;
    let instance = inventory::choose(&Selector::of(name), &config, paths)?;
    let token = client::require_token(&instance, &config, paths)?;
    let request = daemon::extend_request(token.expose(), asked);
    let answer = client::send(&instance, &config, paths, &request)?;
    let extension = daemon::extension(&answer)?;
    // Lets 'soong status' and the prompt show the new end at once.
    registry::refresh(paths, &instance);
    let text = report(asked, &extension)?;
    command_line::print(&text)
}

/// Returns the text about an extension of which `asked` was requested.
fn report(asked: Duration, extension: &Extension) -> Result<String> {
    /// Daemons round to fractions of hours.
    const TOLERANCE: Duration = Duration::from_secs(1);
    let end = extension.lease_end.map(|end| time::clock_and_distance(end, time::now()));
    let until = end.as_ref().map_or_else(String::new, |end| format!(", until {end}"));
    match extension.granted {
        Some(Duration::ZERO) => {
            let error = Error::failed("the status daemon granted no time: the lease is at its maximum");
            Err(match end {
                Some(end) => error.with_hint(format!("the lease ends {end}")),
                None => error,
            })
        }
        Some(granted) if granted + TOLERANCE < asked => Ok(format!(
            "Lease extended by {} instead of {}{until}\nThat is the maximum of the status daemon.\n",
            length(granted),
            length(asked)
        )),
        Some(granted) => Ok(format!("Lease extended by {}{until}\n", length(granted))),
        None => Ok(format!("Lease extended{until}\n")),
    }
}

fn length(duration: Duration) -> String {
    match duration.as_secs() {
        3600 => "1 hour".to_owned(),
        seconds if seconds.is_multiple_of(3600) => format!("{} hours", seconds / 3600),
        seconds => time::span(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(asked: u64, granted: Option<u64>) -> String {
        let granted = granted.map(Duration::from_secs);
        match report(Duration::from_secs(asked), &Extension { granted, lease_end: None }) {
            Ok(text) => text,
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn what_was_granted_is_what_is_told() {
        const HOUR: u64 = 3600;
        assert_eq!(told(2 * HOUR, Some(2 * HOUR)), "Lease extended by 2 hours\n");
        assert_eq!(told(HOUR, Some(HOUR)), "Lease extended by 1 hour\n");
        assert_eq!(told(5400, Some(5400)), "Lease extended by 1 h 30 min\n");
        assert_eq!(told(6000, Some(5999)), "Lease extended by 1 h 39 min\n", "rounded");
        assert!(told(4 * HOUR, Some(HOUR)).starts_with("Lease extended by 1 hour instead of 4 hours\n"));
        assert!(told(4 * HOUR, Some(0)).starts_with("error: the status daemon granted no time"));
        assert_eq!(told(4 * HOUR, None), "Lease extended\n");
    }
}
