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
//!        →  paths, error, term, keyboard, hidden_line, interrupt, child, script, time, toml_text,
//!           suggest, command_line, built_in, completion  foundations
//! ```
//!
//! Features do not use each other, but for one: what `ssh` knows of command lines and of ssh's
//! failures also serves `tunnel`, `extend` and `daemon`, which run ssh themselves.
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

#[cfg(all(panic = "abort", target_os = "linux", target_env = "gnu"))]
mod unwind;
