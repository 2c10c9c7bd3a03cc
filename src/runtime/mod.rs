//! Running tunnels as everyone but their supervisors sees them: their directories and locks, what
//! they say of themselves, and what can be asked of them.
//!
//! A supervisor writes what stands here, every command reads it. Nothing here starts a tunnel.

pub mod control;
pub mod directory;
pub mod extra;
pub mod liveness;
pub(crate) mod log;
pub mod orphan;
pub mod pidfile;
pub mod prompt;
pub mod registry;
pub(crate) mod remembered_ports;
pub mod state;
pub mod urls;

mod process;
