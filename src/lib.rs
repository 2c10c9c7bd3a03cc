//! soong: the ports of a rented GPU instance on your own localhost.
//!
//! The library behind the `soong` programs. A binary under `src/bin` is one call into a feature
//! module; the modules stand in layers and only ever look downwards:
//!
//! ```text
//! bin/*  →  complete                           what can be typed next, from all definitions
//!        →  dispatch, tunnel, ssh, status, extend, configure, init, prompt, lambda, ext
//!                                              features: what a command does
//!        →  extension                          programs of others, and what they say of themselves
//!        →  inventory, provider                instances there are, and choosing one
//!        →  runtime, daemon                    running tunnels, and what is behind them
//!        →  config, credentials, instance, forwarding  what the user wrote, and what it means
//!        →  paths, error, term, keyboard, hidden_line, interrupt, child, time, toml_text, suggest,
//!           command_line, built_in, completion  foundations
//! ```
//!
//! Features do not use each other, but for one: what `ssh` knows of command lines and of ssh's
//! failures also serves `tunnel`, `extend` and `daemon`, which run ssh themselves.
//!
//! Data flows one way through a command: arguments → resolved request → effect → report.

pub mod built_in;
pub mod child;
pub mod command_line;
pub mod complete;
pub mod completion;
pub mod config;
pub mod configure;
pub mod credentials;
pub mod daemon;
pub mod dispatch;
pub mod error;
pub mod ext;
pub mod extend;
pub mod extension;
pub mod forwarding;
pub mod hidden_line;
pub mod init;
pub mod instance;
pub mod interrupt;
pub mod inventory;
pub mod keyboard;
pub mod lambda;
pub mod paths;
pub mod prompt;
pub mod provider;
pub mod runtime;
pub mod ssh;
pub mod status;
pub mod suggest;
pub mod term;
pub mod time;
pub mod toml_text;
pub mod tunnel;

#[cfg(all(panic = "abort", target_os = "linux", target_env = "gnu"))]
mod unwind;
