//! The operating system: paths, child processes, signals and time.

pub mod child;
pub(crate) mod deadline_stream;
pub(crate) mod file_limit;
pub(crate) mod heap;
pub(crate) mod hidden_line;
pub(crate) mod lock;
pub(crate) mod menu;
pub(crate) mod name_service;
pub mod paths;
pub mod peer;
#[cfg(target_os = "linux")]
pub(crate) mod pidfd;
pub(crate) mod proc;
pub mod question;
pub(crate) mod recall;
pub mod script;
pub mod signals;
pub mod sock_diag;
pub(crate) mod spinner;
pub(crate) mod tcp_port;
pub(crate) mod threads;
pub mod time;
pub mod trust;
