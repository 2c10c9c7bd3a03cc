//! Kinds of argument values. An argument declares its kind with its definition:
//!
//! ```text
//! #[arg(long, value_name = "ID", add = Values::Instances)]
//! ```
//!
//! The kind is data; only `soong-complete` replaces it by a completer, so no other program contains that code.
//! Files and commands use clap's `value_hint`.

use clap::builder::ArgExt;

/// Kind of an argument's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Instances, by name and id.
    Instances,
    /// Running tunnels, by instance name.
    Tunnels,
    /// Tunnels with a log.
    Logs,
    /// Services in the config.
    Services,
    /// A service, or a running tunnel before one.
    TunnelOrService,
    /// `SERVICE=`, followed by a port.
    ServicePorts,
    /// Config keys to read.
    KeysToGet,
    /// Config keys to set.
    KeysToSet,
    /// Config keys that are set, and whole instances.
    KeysToUnset,
    /// Values for the config key in the previous word.
    KeyValues,
    /// Local forwards.
    Forwards,
    /// Remote forwards.
    RemoteForwards,
    /// Ports for SOCKS proxies.
    SocksPorts,
    /// A running tunnel, then local forwards.
    TunnelThenForwards,
    /// Extensions.
    Extensions,
    /// Enabled providers.
    Providers,
    /// Times without use after which an on-demand tunnel ends its ssh.
    IdleTimes,
}

impl ArgExt for Values {}
