//! soong: the ports of a rented GPU instance, on your localhost.
//!
//! Library of the `soong` programs; each binary in `src/bin` is one call into it. The modules form layers. A module
//! uses its own folder and lower layers, which `tests/layers/` enforces:
//!
//! ```text
//! bin           one file per program
//! commands      one folder per command, the dispatcher, and completion
//! supervisor    the process that is the tunnel: protocol, link (one ssh), relay (local sockets), askpass
//! daemon        the client of the status daemon
//! openssh       the system's ssh: command line, options, failures      runtime    state of running tunnels
//! instances     choice of an instance, providers, Lambda Cloud         extension  programs of other authors
//! config        config.toml, credentials, forwards, instances of the config     ledger   cost of rented instances
//! command_line  parsing and reporting, the same for every program
//! system        paths, child processes, signals, time
//! terminal      colour, width, keyboard; and the single files: error, completion, suggest, toml_text, built_in
//! ```
//!
//! Commands do not use each other, except that `complete` reads the definitions of all. Of the supervisor they see
//! `protocol` and `askpass` only.
//!
//! Data flows one way through a command: arguments → resolved request → effect → report.

pub mod built_in;
pub mod command_line;
pub mod commands;
pub mod completion;
pub mod config;
pub mod daemon;
pub mod error;
pub mod extension;
pub mod instances;
pub mod ledger;
pub mod openssh;
pub mod runtime;
pub mod suggest;
pub mod supervisor;
pub mod system;
pub mod terminal;
pub mod toml_text;
