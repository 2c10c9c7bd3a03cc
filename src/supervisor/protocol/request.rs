//! The request: everything a supervisor needs, with nothing left to look up. `start` resolves it from what was
//! typed and configured.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::openssh::Login;
use crate::runtime::directory::Directory;
use crate::runtime::extra::Extra;
use crate::runtime::state::Forward;
use crate::terminal::printable;

/// A tunnel that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The tunnel's name: that of its instance, made safe.
    pub name: String,
    /// How to log in.
    pub login: Login,
    /// What to forward; no two have the same local port.
    pub forwards: Vec<Forward>,
    /// What else to forward; no two listen on the same.
    pub extras: Vec<Extra>,
    /// The services among `forwards` that take the next free local port where theirs is taken.
    pub movable: Vec<String>,
    /// How long a new connection waits for a link that was lost.
    pub hold: Duration,
    /// Whether the starter wants to hear what ssh says.
    pub verbose: bool,
    /// Whether the starter can put ssh's questions to the user.
    pub can_answer: bool,
    /// The user's own program for such questions, where nobody else can.
    pub askpass: Option<PathBuf>,
    /// Whether to refuse connections of other local users; `None` for those to a SOCKS proxy only.
    #[serde(default)]
    pub only_me: Option<bool>,
    /// What `--instance-id` was given, for hints.
    pub wanted: Option<String>,
}

impl Request {
    /// ssh's arguments for this tunnel, with its sockets in `directory`.
    pub fn ssh_arguments(&self, directory: &Directory) -> Vec<String> {
        self.login.tunnel_arguments(&directory.ssh_control())
    }

    /// The option that chose the instance, with a space before it; empty where none had to.
    pub fn choice_option(&self) -> String {
        self.wanted.as_ref().map_or_else(String::new, |wanted| {
            format!(" --instance-id {}", printable(&shell_words::quote(wanted)))
        })
    }

    /// The ssh program.
    pub fn program(&self) -> &PathBuf {
        &self.login.program
    }
}

/// The flag that gives `service` the local port `port`.
pub fn port_flag(service: &str, port: u16) -> String {
    match service {
        "sglang" | "n8n" | "status" => format!("--{service}-port {port}"),
        other => format!("--port {other}={port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_as_they_are_typed() {
        assert_eq!(port_flag("n8n", 5679), "--n8n-port 5679");
        assert_eq!(port_flag("web", 81), "--port web=81");
    }
}
