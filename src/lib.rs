//! soong: the ports of a rented GPU instance on your own localhost.
//!
//! The library behind the `soong` programs; a binary under `src/bin` is one call into it. The modules stand on
//! floors. A module uses its own folder and lower floors, which `tests/layers.rs` enforces:
//!
//! ```text
//! bin           a file per program
//! commands      what people type: a folder per command, the dispatcher, and what answers TAB
//! supervisor    the process that is the tunnel: protocol, link (one ssh), relay (local sockets), askpass
//! daemon        the client of the status daemon
//! openssh       the system's ssh: command line, options, failures      runtime    running tunnels, as all see them
//! instances     which instance is meant, providers, Lambda Cloud       extension  other people's programs
//! config        config.toml, credentials, forwards, instances of the config
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
pub mod openssh;
pub mod runtime;
pub mod suggest;
pub mod supervisor;
pub mod system;
pub mod terminal;
pub mod toml_text;
