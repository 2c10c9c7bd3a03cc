//! The request of a tunnel: everything a supervisor needs. `start` resolves it from command line and config.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::openssh::Login;
use crate::runtime::directory::Directory;
use crate::runtime::extra::Extra;
use crate::runtime::state::Forward;
use crate::terminal::printable;

/// A requested tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Name of the tunnel: the instance's, made safe.
    pub name: String,
    /// Login parameters.
    pub login: Login,
    /// Services' forwards; their local ports differ.
    pub forwards: Vec<Forward>,
    /// Other forwards; their listening ends differ.
    pub extras: Vec<Extra>,
    /// Services in `forwards` that use the next free local port if theirs is taken.
    pub movable: Vec<String>,
    /// Time that a new connection waits while the link is lost.
    pub hold: Duration,
    /// True if the starter wants ssh's messages.
    pub verbose: bool,
    /// True if the starter can ask the user ssh's questions.
    pub can_answer: bool,
    /// The user's askpass program, for questions without a starter.
    pub askpass: Option<PathBuf>,
    /// True to refuse connections of other local users; `None` for SOCKS proxies only.
    #[serde(default)]
    pub only_me: Option<bool>,
    /// Value of `--instance-id`, for hints.
    pub wanted: Option<String>,
}

impl Request {
    /// Returns ssh's arguments for this tunnel, with its sockets in `directory`.
    pub fn ssh_arguments(&self, directory: &Directory) -> Vec<String> {
        self.login.tunnel_arguments(&directory.ssh_control())
    }

    /// Returns the option that chose the instance, after a space; empty without one.
    pub fn choice_option(&self) -> String {
        self.wanted.as_ref().map_or_else(String::new, |wanted| {
            format!(" --instance-id {}", printable(&shell_words::quote(wanted)))
        })
    }

    /// Returns the ssh program.
    pub fn program(&self) -> &PathBuf {
        &self.login.program
    }
}

/// Returns the option that gives `service` the local port `port`.
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
