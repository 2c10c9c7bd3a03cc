//! The request of a tunnel: everything a supervisor needs. `start` resolves it from command line and config.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::instance;
use crate::openssh::Login;
use crate::runtime::directory::Directory;
use crate::runtime::forward::{Forward, Origin};
use crate::runtime::ssh_directory::Side;

/// A requested tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Name of the tunnel: the instance's, made safe.
    pub name: String,
    /// Login parameters.
    pub login: Login,
    /// Forwards, services first; their listening ends differ.
    pub forwards: Vec<Forward>,
    /// Services in `forwards` that use the next free local port if theirs is taken.
    pub movable: Vec<String>,
    /// Services whose local port was asked for, or kept from the tunnel before.
    #[serde(default)]
    pub chosen: Vec<String>,
    /// Services whose local port is that of last time.
    #[serde(default)]
    pub recalled: Vec<String>,
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
    /// Time without use after which ssh ends; `None` for a tunnel that stays up.
    #[serde(default)]
    pub on_demand: Option<Duration>,
    /// The first link.
    pub first: FirstLink,
    /// Value of `--instance-id`, for hints.
    pub wanted: Option<String>,
    /// Ages of the connections that the starter made to wait for the server, which count as the tunnel's.
    #[serde(default)]
    pub tries: Vec<Duration>,
}

/// When a tunnel gets its first link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstLink {
    /// At once; a failure ends the tunnel.
    Now,
    /// As soon as possible; a failure that can pass does not end the tunnel.
    Eventually,
    /// When something connects.
    OnDemand,
}

impl Request {
    /// Returns ssh's arguments for this tunnel, with its sockets in `directory`.
    pub fn ssh_arguments(&self, directory: &Directory) -> Vec<String> {
        self.login.tunnel_arguments(&directory.ssh_directory(Side::default()).control())
    }

    /// Returns the name that chose the instance, after a space; empty without one.
    pub fn choice(&self) -> String {
        self.wanted.as_ref().map_or_else(String::new, |wanted| format!(" {}", instance::as_argument(wanted)))
    }

    /// Returns the local ports that it uses.
    pub fn local_ports(&self) -> Vec<u16> {
        self.forwards.iter().filter_map(|forward| forward.spec.local_port()).collect()
    }

    /// Returns true if `forward` may use another local port than its own.
    pub fn is_movable(&self, forward: &Forward) -> bool {
        forward.service().is_some_and(|service| self.movable.iter().any(|name| name == service.name))
    }

    /// Returns true if a command line asked for `forward` as it is, now or for the tunnel before.
    pub fn is_chosen(&self, forward: &Forward) -> bool {
        match forward.service() {
            Some(service) => self.chosen.iter().any(|name| name == service.name),
            None => forward.origin == Origin::Command,
        }
    }

    /// Returns true if `forward` has its local port from last time.
    pub fn is_recalled(&self, forward: &Forward) -> bool {
        forward.service().is_some_and(|service| self.recalled.iter().any(|name| name == service.name))
    }

    /// Returns the ssh program.
    pub fn program(&self) -> &PathBuf {
        &self.login.program
    }
}
