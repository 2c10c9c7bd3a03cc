//! The operating system: paths, child processes, signals and time.

pub mod child;
pub mod paths;
pub mod script;
pub mod signals;
pub mod time;
