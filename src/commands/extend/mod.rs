//! `soong extend HOURS`: asks an instance's status daemon to extend the lease.
//!
//! The request goes through the running tunnel, or over an ssh of its own. If the daemon grants less than
//! requested, the output says so.

pub mod arguments;

use std::process::ExitCode;

use self::arguments::Arguments;
use crate::command_line;
use crate::config::credentials::Credentials;
use crate::config::instance::Instance;
use crate::config::{Config, Service};
use crate::daemon::{self, Extension, exchange};
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Selector};
use crate::openssh::Login;
use crate::runtime::registry;
use crate::system::paths::Paths;
use crate::system::spinner::Spinner;
use crate::system::time;
use crate::terminal::printable;

/// Runs `soong-extend` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-extend", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        extend(arguments, &paths).map(|()| 0)
    })
}

fn extend(arguments: &Arguments, paths: &Paths) -> Result<()> {
    let config = Config::load(paths)?;
    let token = Credentials::load(paths)?.daemon_token.ok_or_else(|| {
        Error::failed("no token for the status daemon is configured")
            .with_hint("store the token of the daemon: soong configure set daemon.token")
    })?;
    let selector = Selector { wanted: arguments.instance_id.as_deref(), ..Selector::default() };
    let instance = inventory::choose(&selector, &config, paths)?;
    let request = daemon::extend_request(token.expose(), arguments.hours);
    let answer = send(&instance, &config, paths, &request)?;
    let extension = daemon::extension(&answer)?;
    // Lets 'soong status' and the prompt show the new end at once.
    registry::refresh(paths, &instance);
    let text = report(arguments.hours, &extension)?;
    command_line::print(&text)
}

/// Sends `request` to the daemon on `instance` and returns its answer.
fn send(instance: &Instance, config: &Config, paths: &Paths, request: &[u8]) -> Result<Vec<u8>> {
    let _spinner = Spinner::watching(&format!("Asking the status daemon of {}", printable(&instance.name)));
    if let Some(socket) = registry::forward_to(paths, instance, daemon::SERVICE)? {
        return exchange::through_tunnel(&socket, instance, request);
    }
    let port = daemon_port(&config.services)?;
    paths.ensure_state()?;
    exchange::through_ssh(&Login::resolve(instance, &config.ssh, paths)?, port, request)
}

fn daemon_port(services: &[Service]) -> Result<u16> {
    let service = services.iter().find(|service| service.name == daemon::SERVICE);
    service.map(|service| service.remote).ok_or_else(|| {
        Error::failed("the service 'status' is disabled in config.toml")
            .with_hint("remove 'status = false' from [services]")
    })
}

/// Returns the text about an extension of which `asked` hours were requested.
fn report(asked: u32, extension: &Extension) -> Result<String> {
    let end = extension.lease_end.map(|end| time::clock_and_distance(end, time::now()));
    let until = end.as_ref().map_or_else(String::new, |end| format!(", until {end}"));
    match extension.hours {
        Some(0) => {
            let error = Error::failed("the status daemon granted no time: the lease is at its maximum");
            Err(match end {
                Some(end) => error.with_hint(format!("the lease ends {end}")),
                None => error,
            })
        }
        Some(hours) if hours < u64::from(asked) => Ok(format!(
            "Lease extended by {} instead of {}{until}\nThat is the maximum of the status daemon.\n",
            plural(hours),
            plural(u64::from(asked))
        )),
        Some(hours) => Ok(format!("Lease extended by {}{until}\n", plural(hours))),
        None => Ok(format!("Lease extended{until}\n")),
    }
}

fn plural(hours: u64) -> String {
    if hours == 1 { "1 hour".to_owned() } else { format!("{hours} hours") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(asked: u32, hours: Option<u64>) -> String {
        match report(asked, &Extension { hours, lease_end: None }) {
            Ok(text) => text,
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn what_was_granted_is_what_is_told() {
        assert_eq!(told(2, Some(2)), "Lease extended by 2 hours\n");
        assert_eq!(told(1, Some(1)), "Lease extended by 1 hour\n");
        assert!(told(4, Some(1)).starts_with("Lease extended by 1 hour instead of 4 hours\n"));
        assert!(told(4, Some(0)).starts_with("error: the status daemon granted no time"));
        assert_eq!(told(4, None), "Lease extended\n");
    }
}
