//! What `start`, in the background or the foreground, shows of a tunnel's events.

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::request::Request;
use crate::config::forwarding::display::path_of;
use crate::runtime::extra::Extra;
use crate::runtime::state::{Forward, Target};
use crate::terminal::{self, print, print_error, printable, printable_json};

/// How much to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// Nothing but errors.
    Quiet,
    /// What a user wants to know.
    Normal,
    /// Also the ssh command and what ssh says.
    Verbose,
    /// One JSON object once the tunnel is up.
    Json,
}

/// Shows the events of one tunnel.
#[derive(Debug, Clone)]
pub struct Report {
    style: Style,
    target: Target,
    extras: Vec<Extra>,
    pid: u32,
    command: String,
}

/// The JSON object for a tunnel that has come up.
#[derive(Debug, Serialize)]
struct Started<'a> {
    state: &'static str,
    pid: u32,
    instance: &'a Target,
    forwards: &'a [Forward],
    extra: &'a [Extra],
}

impl Report {
    /// A report of the tunnel that `request` asks for, supervised by the process `pid`; `command`
    /// is the ssh command line.
    pub fn new(request: &Request, style: Style, pid: u32, command: String) -> Self {
        let target = Target::from(&request.login.instance);
        Self { style, target, extras: request.extras.clone(), pid, command }
    }

    /// Shows one event. Errors are not shown here: they end the command, which reports them.
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
            (Event::Up { forwards }, Style::Normal | Style::Verbose) => say(&self.started(forwards)),
            (Event::Up { forwards }, Style::Json) => say(&self.json(forwards)),
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

    /// Whether the user can be asked something: at a terminal, unless the output is for a program.
    pub fn can_ask(&self) -> bool {
        self.style != Style::Json && terminal::is_interactive()
    }

    fn connecting(&self) -> String {
        format!("Starting SSH tunnel to {}...\n", self.target.host)
    }

    fn started(&self, forwards: &[Forward]) -> String {
        let services = forwards.iter().map(|forward| arrow(forward, &self.target.host));
        let lines: String = services.chain(self.extras.iter().map(extra_arrow)).collect();
        format!("SSH tunnel started (PID: {})\n{lines}", self.pid)
    }

    fn json(&self, forwards: &[Forward]) -> String {
        let started =
            Started { state: "up", pid: self.pid, instance: &self.target, forwards, extra: &self.extras };
        serde_json::to_string(&started)
            .map_or_else(|_| String::new(), |json| printable_json(&json).into_owned() + "\n")
    }
}

/// The line that shows where a local port leads.
pub fn arrow(forward: &Forward, host: &str) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("  localhost:{} -> {host}:{}\n", forward.local, forward.remote)
}

/// The line that shows where a forward leads, and what is wrong with it.
pub fn extra_arrow(extra: &Extra) -> String {
    let trouble = extra.error.as_ref().map(|error| format!(" (not now: {error})"));
    let line = format!("{}{}", path_of(&extra.forwarding), trouble.unwrap_or_default());
    format!("  {}\n", printable(&line))
}

/// Nothing can be done about a terminal that does not take the news; the tunnel goes on.
fn say(text: &str) {
    let _ = print(text);
}
