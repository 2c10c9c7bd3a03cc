//! Running tunnels as other processes see them: directories, locks, state files, and requests to supervisors.
//!
//! Supervisors write these files, commands read them. No code here starts a tunnel.

pub mod check_connection;
pub mod control;
pub mod crash;
pub mod directory;
pub mod forward;
pub mod hook;
pub mod liveness;
pub(crate) mod log;
pub mod orphan;
pub mod pidfile;
pub mod prompt;
pub mod registry;
pub(crate) mod remembered_ports;
pub mod ssh_directory;
pub mod state;
pub mod urls;

pub(crate) mod process;
