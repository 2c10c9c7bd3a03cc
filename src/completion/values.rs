//! Kinds of values that arguments take. An argument declares its kind beside its definition:
//!
//! ```text
//! #[arg(long, value_name = "ID", add = Values::Instances)]
//! ```
//!
//! The kind is data: clap carries it, and `soong-complete` alone puts a completer in its place. So no other program
//! contains the code that finds instances or keys for TAB. Files and commands have clap's own `value_hint`.

use clap::builder::ArgExt;

/// What the values of an argument are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Instances, by name and by id.
    Instances,
    /// Running tunnels, by the name of their instance.
    Tunnels,
    /// Tunnels that have a log.
    Logs,
    /// Services of the config.
    Services,
    /// `SERVICE=`, with a port to follow.
    ServicePorts,
    /// Config keys that can be read.
    KeysToGet,
    /// Config keys that can be written.
    KeysToSet,
    /// Config keys that are written, and whole instances.
    KeysToUnset,
    /// Values of the config key in the word before.
    KeyValues,
    /// Forwards to the instance.
    Forwards,
    /// Forwards from the instance.
    RemoteForwards,
    /// Ports of SOCKS proxies.
    SocksPorts,
    /// A running tunnel, then forwards to its instance.
    TunnelThenForwards,
    /// Extensions.
    Extensions,
}

impl ArgExt for Values {}
