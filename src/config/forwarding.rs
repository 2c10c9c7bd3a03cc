//! Forwards beyond the services, and what they mean. How they are written is [`notation`]'s, setting
//! them up `tunnel`'s.
//!
//! ```text
//! local    5432:db.internal:5432   /run/u/db.sock:localhost:5432   2375:/var/run/docker.sock
//! remote   9000:localhost:3000     (the port on the instance first, then the place on this side)
//! socks    1080
//! ```
//!
//! Whatever listens on this machine listens on localhost only.

pub(crate) mod display;
mod notation;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::system::paths::Paths;

/// The most of them that one tunnel carries.
pub const FORWARDINGS_MAX: usize = 100;

/// A forward that is not that of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarding {
    /// Something here that leads to a place as seen from the instance.
    Local(Listen, Target),
    /// Something on the instance that leads to a place as seen from here.
    Remote(Listen, Target),
    /// A SOCKS proxy on this port here, whose connections go out from the instance.
    Socks(u16),
}

/// What a forward listens on: in JSON a number or a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Listen {
    /// A port of localhost.
    Port(u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// Where a forward leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A port of a host.
    Port(String, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// The kinds of forwards, by the words that stand for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// [`Forwarding::Local`]
    Local,
    /// [`Forwarding::Remote`]
    Remote,
    /// [`Forwarding::Socks`]
    Socks,
}

impl Forwarding {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Local(..) => Kind::Local,
            Self::Remote(..) => Kind::Remote,
            Self::Socks(_) => Kind::Socks,
        }
    }

    /// What it listens on, here or, if it is remote, on the instance.
    pub fn listen(&self) -> Listen {
        match self {
            Self::Local(listen, _) | Self::Remote(listen, _) => listen.clone(),
            Self::Socks(port) => Listen::Port(*port),
        }
    }

    /// Where it leads; a proxy leads wherever it is asked to.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Local(_, target) | Self::Remote(_, target) => Some(target),
            Self::Socks(_) => None,
        }
    }

    /// The port of localhost that it takes.
    pub fn local_port(&self) -> Option<u16> {
        match self {
            Self::Local(Listen::Port(port), _) | Self::Socks(port) => Some(*port),
            _ => None,
        }
    }

    /// Whether both cannot be had at once, because they listen on the same.
    pub fn collides_with(&self, other: &Self) -> bool {
        let here = |forwarding: &Self| forwarding.kind() != Kind::Remote;
        here(self) == here(other) && self.listen() == other.listen()
    }

    /// The same with `~/` as the home directory, for sockets on this machine.
    #[must_use]
    pub fn expanded(self, paths: &Paths) -> Self {
        let expand = |path: &Path| paths.expand(&path.to_string_lossy());
        match self {
            Self::Local(Listen::Socket(path), target) => Self::Local(Listen::Socket(expand(&path)), target),
            Self::Remote(listen, Target::Socket(path)) => Self::Remote(listen, Target::Socket(expand(&path))),
            other => other,
        }
    }

    /// The option of `soong tunnel start` that asks for it, had it `port` instead.
    pub fn flag(&self, port: u16) -> String {
        match self {
            Self::Local(_, target) => {
                format!("--forward {}", shell_words::quote(&format!("{port}:{target}")))
            }
            Self::Remote(_, target) => {
                format!("--remote {}", shell_words::quote(&format!("{port}:{target}")))
            }
            Self::Socks(_) => format!("--socks {port}"),
        }
    }
}

#[cfg(test)]
mod tests;
