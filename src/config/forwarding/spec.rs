//! The types of forwards.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::system::paths::Paths;

/// Largest number of forwards in a tunnel, besides the services.
pub const FORWARDS_MAX: usize = 100;

/// A forward that is not a service's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardSpec {
    /// Like `ssh -L`: listens on this machine; the instance connects to the target.
    Local(Listen, Target),
    /// Like `ssh -R`: listens on the instance; this machine connects to the target.
    Remote(Listen, Target),
    /// Like `ssh -D`: a SOCKS proxy on this local port.
    Socks(u16),
}

/// Listening end of a forward; in JSON, a number or a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Listen {
    /// A port of localhost.
    Port(u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// Target of a forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A port of a host.
    Port(String, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// Kinds of forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// [`ForwardSpec::Local`]
    Local,
    /// [`ForwardSpec::Remote`]
    Remote,
    /// [`ForwardSpec::Socks`]
    Socks,
}

impl ForwardSpec {
    /// Returns its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Local(..) => Kind::Local,
            Self::Remote(..) => Kind::Remote,
            Self::Socks(_) => Kind::Socks,
        }
    }

    /// Returns the listening end, on this machine or, for a remote forward, on the instance.
    pub fn listen(&self) -> Listen {
        match self {
            Self::Local(listen, _) | Self::Remote(listen, _) => listen.clone(),
            Self::Socks(port) => Listen::Port(*port),
        }
    }

    /// Returns the target; a proxy has none.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Local(_, target) | Self::Remote(_, target) => Some(target),
            Self::Socks(_) => None,
        }
    }

    /// Returns the local port that it uses.
    pub fn local_port(&self) -> Option<u16> {
        match self {
            Self::Local(Listen::Port(port), _) | Self::Socks(port) => Some(*port),
            _ => None,
        }
    }

    /// Returns true if both listen on the same port or socket.
    pub fn collides_with(&self, other: &Self) -> bool {
        let here = |spec: &Self| spec.kind() != Kind::Remote;
        here(self) == here(other) && self.listen() == other.listen()
    }

    /// Returns the forward with `~/` expanded, for sockets on this machine.
    #[must_use]
    pub fn expanded(self, paths: &Paths) -> Self {
        let expand = |path: &Path| paths.expand(&path.to_string_lossy());
        match self {
            Self::Local(Listen::Socket(path), target) => Self::Local(Listen::Socket(expand(&path)), target),
            Self::Remote(listen, Target::Socket(path)) => Self::Remote(listen, Target::Socket(expand(&path))),
            other => other,
        }
    }

    /// Returns the option of `soong tunnel start` for this forward.
    pub fn option(&self) -> String {
        let (option, spec) = match self {
            Self::Local(listen, target) => ("--forward", format!("{listen}:{target}")),
            Self::Remote(listen, target) => ("--remote", format!("{listen}:{target}")),
            Self::Socks(port) => ("--socks", port.to_string()),
        };
        format!("{option} {}", shell_words::quote(&spec))
    }

    /// Returns the option of `soong tunnel start` for this forward on another `port`.
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
