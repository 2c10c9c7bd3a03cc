//! Output of `start` about a tunnel's events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::request::Request;
use crate::config::forwarding::display::path_of;
use crate::runtime::forward::Forward;
use crate::runtime::state::{State, Target};
use crate::system::time::span;
use crate::terminal::{self, print, print_error, printable, printable_json};

/// Amount of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// Errors only.
    Quiet,
    /// The usual lines.
    Normal,
    /// Also the ssh command and ssh's messages.
    Verbose,
    /// One JSON object when the tunnel is up.
    Json,
}

/// Output about one tunnel.
#[derive(Debug, Clone)]
pub struct Report {
    style: Style,
    target: Target,
    pid: u32,
    command: String,
    /// Time without use after which ssh ends, of an on-demand tunnel.
    on_demand: Option<Duration>,
}

/// JSON object for a tunnel that is up or idle.
#[derive(Debug, Serialize)]
struct Started<'a> {
    state: &'static str,
    pid: u32,
    instance: &'a Target,
    forwards: Vec<&'a Forward>,
    extra: Vec<&'a Forward>,
}

impl Report {
    /// Returns the output for `request`, whose supervisor is the process `pid`; `command` is the ssh command
    /// line.
    pub fn new(request: &Request, style: Style, pid: u32, command: String) -> Self {
        let target = Target::from(&request.login.instance);
        Self { style, target, pid, command, on_demand: request.on_demand }
    }

    /// Returns the output for a tunnel that runs already.
    pub fn of(state: &State, style: Style) -> Self {
        let on_demand = state.on_demand.map(Duration::from_secs);
        Self { style, target: state.instance.clone(), pid: state.pid, command: String::new(), on_demand }
    }

    /// Shows one event, except errors, which the command reports at its end.
    pub fn show(&self, event: &Event) {
        match (event, self.style) {
            (Event::Connecting, Style::Normal) => say(&self.connecting()),
            (Event::Connecting, Style::Verbose) => {
                say(&self.connecting());
                print_error(&format!("{}\n", self.command));
            }
            (Event::Said { line }, Style::Verbose) => print_error(&format!("ssh: {}\n", printable(line))),
            (Event::Warning { text }, _) => {
                print_error(&format!("soong-tunnel: warning: {}\n", printable(text)));
            }
            (Event::Up { forwards } | Event::Idle { forwards }, Style::Normal | Style::Verbose) => {
                say(&self.started(forwards));
            }
            (Event::Up { forwards }, Style::Json) => say(&self.json("up", forwards)),
            (Event::Idle { forwards }, Style::Json) => say(&self.json("idle", forwards)),
            (Event::Opened, Style::Normal | Style::Verbose) => print_error("soong-tunnel: link up\n"),
            (Event::Closed, Style::Normal | Style::Verbose) => {
                print_error("soong-tunnel: idle until the next connection\n");
            }
            (Event::Lost { reason, retry_in }, Style::Normal | Style::Verbose) => {
                let wait = if *retry_in == 0 { "now".to_owned() } else { format!("in {retry_in} ms") };
                print_error(&format!(
                    "soong-tunnel: link lost: {}; reconnecting {wait}\n",
                    printable(reason)
                ));
            }
            _ => {}
        }
    }

    /// Returns true if the user can answer questions: on a terminal, unless the output is for a program.
    pub fn can_ask(&self) -> bool {
        self.style != Style::Json && terminal::is_interactive()
    }

    fn connecting(&self) -> String {
        format!("Starting SSH tunnel to {}...\n", self.target.host)
    }

    fn started(&self, forwards: &[Forward]) -> String {
        let lines: String = forwards.iter().map(|forward| arrow(forward, &self.target.host)).collect();
        let idle = self.on_demand.map(|idle| {
            let idle = span(idle.as_secs());
            format!("  on demand: ssh starts with the first connection and ends {idle} after the last\n")
        });
        format!("SSH tunnel started (PID: {})\n{lines}{}", self.pid, idle.unwrap_or_default())
    }

    fn json(&self, state: &'static str, forwards: &[Forward]) -> String {
        let (forwards, extra) = forwards.iter().partition(|forward| forward.is_service());
        let started = Started { state, pid: self.pid, instance: &self.target, forwards, extra };
        serde_json::to_string(&started)
            .map_or_else(|_| String::new(), |json| printable_json(&json).into_owned() + "\n")
    }
}

/// Returns the line about a forward of the instance at `host`, with its fault.
pub fn arrow(forward: &Forward, host: &str) -> String {
    let line = match forward.service() {
        Some(service) if host.contains(':') => {
            format!("localhost:{} -> [{host}]:{}", service.local, service.remote)
        }
        Some(service) => format!("localhost:{} -> {host}:{}", service.local, service.remote),
        None => path_of(&forward.spec),
    };
    let fault = forward.error.as_ref().map(|error| format!(" (not now: {error})"));
    format!("  {}\n", printable(&(line + &fault.unwrap_or_default())))
}

/// Ignores a terminal that does not accept output; the tunnel goes on.
fn say(text: &str) {
    let _ = print(text);
}
