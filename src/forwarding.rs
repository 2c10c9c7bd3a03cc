//! Forwards beyond the services: how they are written, and what they mean. Setting them up is
//! `tunnel`'s.
//!
//! ```text
//! local    5432:db.internal:5432   /run/u/db.sock:localhost:5432   2375:/var/run/docker.sock
//! remote   9000:localhost:3000     (the port on the instance first, then the place on this side)
//! socks    1080
//! ```
//!
//! Whatever listens on this machine listens on localhost only.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::instance::is_host;
use crate::paths::{Paths, SOCKET_PATH_MAX};

/// The most of them that one tunnel carries.
pub const FORWARDINGS_MAX: usize = 100;

/// A forward that is not that of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
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

/// A forward as it stands in files and in JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    kind: Kind,
    listen: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

impl Kind {
    /// How a forward of this kind is written.
    pub fn form(self) -> &'static str {
        match self {
            Self::Local => "LOCAL:HOST:PORT or LOCAL:/SOCKET, with a port or a socket's path for LOCAL",
            Self::Remote => "PORT:HOST:PORT, with the instance's port first",
            Self::Socks => "a port from 1 to 65535",
        }
    }

    /// Reads a forward of this kind; an error says what is wrong, without the text itself.
    pub fn parse(self, text: &str) -> Result<Forwarding, String> {
        if self == Self::Socks {
            return port(text).map(Forwarding::Socks);
        }
        let (listen, target) = split(text).ok_or_else(|| format!("write it as {}", self.form()))?;
        let (listen, target) = (self.listen(listen)?, target.parse()?);
        Ok(if self == Self::Local {
            Forwarding::Local(listen, target)
        } else {
            Forwarding::Remote(listen, target)
        })
    }

    /// Reads what a forward of this kind listens on.
    pub fn listen(self, text: &str) -> Result<Listen, String> {
        if text.starts_with(['/', '~']) {
            return socket(text).map(Listen::Socket);
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("it listens on localhost only: write it as {}", self.form()));
        }
        port(text).map(Listen::Port)
    }
}

/// What listens and where it leads, apart at the first colon.
fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once(':').filter(|(listen, target)| !listen.is_empty() && !target.is_empty())
}

fn port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

/// A path that ssh takes as it is and that fits into a socket's address.
fn socket(text: &str) -> Result<PathBuf, String> {
    let absolute =
        text.len() > 1 && (text.starts_with('/') || text.starts_with("~/")) && !text.ends_with('/');
    if !absolute {
        return Err("the path of a socket begins with / or ~/".to_owned());
    }
    if text.len() > SOCKET_PATH_MAX {
        return Err(format!("the path of a socket has at most {SOCKET_PATH_MAX} bytes"));
    }
    if text.chars().any(char::is_control) || text.contains("${") {
        return Err("the path has characters that ssh cannot be given".to_owned());
    }
    Ok(PathBuf::from(text))
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with(['/', '~']) {
            return socket(text).map(Self::Socket);
        }
        let bracketed = text.strip_prefix('[').map(|rest| rest.split_once("]:"));
        let (host, number) = match bracketed {
            Some(found) => found
                .filter(|(host, _)| host.contains(':'))
                .ok_or("write an IPv6 address as [ADDRESS]:PORT")?,
            None => text.rsplit_once(':').ok_or("the target has no port: write it as HOST:PORT")?,
        };
        if bracketed.is_none() && host.contains(':') {
            return Err("too many colons: write an IPv6 address as [ADDRESS]:PORT".to_owned());
        }
        if !is_host(host) {
            return Err("the target is no host name or address".to_owned());
        }
        Ok(Self::Port(host.to_owned(), port(number)?))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Port(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
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

    /// What of it is wrong once `~/` is expanded: a path on the instance that does not begin with
    /// `/`, or one here that has become too long.
    pub fn fault(&self) -> Option<String> {
        let parts = match self {
            Self::Local(listen, target) | Self::Remote(listen, target) => {
                [listen.to_string(), target.to_string()]
            }
            Self::Socks(_) => return None,
        };
        let paths = || parts.iter().filter(|part| part.starts_with(['/', '~']));
        if paths().any(|path| path.starts_with('~')) {
            return Some("the path of a socket on the instance begins with /".to_owned());
        }
        paths().find_map(|path| socket(path).err())
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

/// As on the line of a request: the word for its kind, and how it is written.
impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(listen, target) => write!(f, "local {listen}:{target}"),
            Self::Remote(listen, target) => write!(f, "remote {listen}:{target}"),
            Self::Socks(port) => write!(f, "socks {port}"),
        }
    }
}

impl FromStr for Forwarding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(' ').ok_or("a forward has a kind")?;
        kind.parse::<Kind>()?.parse(rest)
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "local" => Ok(Self::Local),
            "remote" => Ok(Self::Remote),
            "socks" => Ok(Self::Socks),
            _ => Err("there is no such kind of forward".to_owned()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Socks => "socks",
        })
    }
}

impl From<Forwarding> for Written {
    fn from(forwarding: Forwarding) -> Self {
        Self {
            kind: forwarding.kind(),
            listen: forwarding.listen().to_string(),
            target: forwarding.target().map(Target::to_string),
        }
    }
}

impl TryFrom<Written> for Forwarding {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written.target {
            Some(target) => written.kind.parse(&format!("{}:{target}", written.listen)),
            None => written.kind.parse(&written.listen),
        }
    }
}

#[cfg(test)]
mod tests;
