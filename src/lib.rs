//! soong: the ports of a rented GPU instance on your own localhost.
//!
//! The library behind the `soong` programs. A binary under `src/bin` is one call into a feature
//! module; the modules stand in layers and only ever look downwards:
//!
//! ```text
//! bin/*  →  dispatch, tunnel, ssh, extend      features: what a command does
//!        →  runtime, daemon                    running tunnels, and what is behind them
//!        →  config, credentials, instance      what the user wrote, and what it means
//!        →  paths, error, term, time, suggest, command_line   foundations
//! ```
//!
//! Data flows one way through a command: arguments → resolved request → effect → report.

pub mod command_line;
pub mod config;
pub mod credentials;
pub mod daemon;
pub mod dispatch;
pub mod error;
pub mod extend;
pub mod instance;
pub mod paths;
pub mod runtime;
pub mod ssh;
pub mod suggest;
pub mod term;
pub mod time;
pub mod tunnel;
