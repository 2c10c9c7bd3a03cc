//! Notation of forwards: on command lines, in the config, in requests.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::spec::{ForwardSpec, Kind, Listen, Target};
use crate::config::address::is_host;
use crate::system::paths::SOCKET_PATH_MAX;

impl Kind {
    /// Returns the syntax of this kind, for hints.
    pub fn form(self) -> &'static str {
        match self {
            Self::Local => {
                "PORT, LOCAL:PORT, LOCAL:HOST:PORT or LOCAL:/SOCKET, with a port or a socket's path for LOCAL"
            }
            Self::Remote => "PORT:HOST:PORT, with the instance's port first",
            Self::Socks => "a port from 1 to 65535",
        }
    }

    /// Parses a forward of this kind; the error describes the fault without quoting the text.
    pub fn parse(self, text: &str) -> Result<ForwardSpec, String> {
        if self == Self::Socks {
            return port(text).map(ForwardSpec::Socks);
        }
        if self == Self::Local && is_number(text) {
            return port(text).map(|port| ForwardSpec::Local(Listen::Port(port), Target::on_instance(port)));
        }
        let (listen, target) = split(text).ok_or_else(|| format!("write it as {}", self.form()))?;
        let listen = self.listen(listen)?;
        let target = match target {
            target if self == Self::Local && is_number(target) => Target::on_instance(port(target)?),
            target => target.parse()?,
        };
        Ok(if self == Self::Local {
            ForwardSpec::Local(listen, target)
        } else {
            ForwardSpec::Remote(listen, target)
        })
    }

    /// Parses the listening end of a forward of this kind.
    pub fn listen(self, text: &str) -> Result<Listen, String> {
        if text.starts_with(['/', '~']) {
            return socket(text).map(Listen::Socket);
        }
        if !is_number(text) {
            return Err(format!("forwards listen on localhost only: write {}", self.form()));
        }
        port(text).map(Listen::Port)
    }
}

/// Splits listening end and target at the first colon.
fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once(':').filter(|(listen, target)| !listen.is_empty() && !target.is_empty())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 && is_number(text) => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

/// Checks a path that ssh accepts unchanged and that fits into a socket's address.
fn socket(text: &str) -> Result<PathBuf, String> {
    let absolute =
        text.len() > 1 && (text.starts_with('/') || text.starts_with("~/")) && !text.ends_with('/');
    if !absolute {
        return Err("the path of a socket must begin with / or ~/".to_owned());
    }
    if text.len() > SOCKET_PATH_MAX {
        return Err(format!("the path of a socket has at most {SOCKET_PATH_MAX} bytes"));
    }
    if text.chars().any(char::is_control) || text.contains("${") {
        return Err("the path has characters that ssh does not accept".to_owned());
    }
    Ok(PathBuf::from(text))
}

impl Target {
    /// Returns the target of `port` as kubectl means it: on the instance itself.
    fn on_instance(port: u16) -> Self {
        Self::Port("localhost".to_owned(), port)
    }
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
            return Err("the target is not a host name or address".to_owned());
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

/// Formats as in a request: the kind and the notation.
impl fmt::Display for ForwardSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(listen, target) => write!(f, "local {listen}:{target}"),
            Self::Remote(listen, target) => write!(f, "remote {listen}:{target}"),
            Self::Socks(port) => write!(f, "socks {port}"),
        }
    }
}

impl FromStr for ForwardSpec {
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
            _ => Err("unknown kind of forward".to_owned()),
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

impl ForwardSpec {
    /// Returns its fault once `~/` is expanded: a path on the instance that does not begin with `/`, or one on this
    /// machine that has become too long.
    pub fn fault(&self) -> Option<String> {
        let parts = match self {
            Self::Local(listen, target) | Self::Remote(listen, target) => {
                [listen.to_string(), target.to_string()]
            }
            Self::Socks(_) => return None,
        };
        let paths = || parts.iter().filter(|part| part.starts_with(['/', '~']));
        if paths().any(|path| path.starts_with('~')) {
            return Some("the path of a socket on the instance must begin with /".to_owned());
        }
        paths().find_map(|path| socket(path).err())
    }
}

impl Serialize for ForwardSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ForwardSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A forward in files and JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    kind: Kind,
    listen: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

impl From<&ForwardSpec> for Written {
    fn from(spec: &ForwardSpec) -> Self {
        Self {
            kind: spec.kind(),
            listen: spec.listen().to_string(),
            target: spec.target().map(Target::to_string),
        }
    }
}

impl Written {
    fn parse(&self) -> Result<ForwardSpec, String> {
        match &self.target {
            Some(target) => self.kind.parse(&format!("{}:{target}", self.listen)),
            None => self.kind.parse(&self.listen),
        }
    }
}
