//! Forwards besides the services: types, notation and display.
//!
//! ```text
//! local    5432:db.internal:5432   /run/u/db.sock:localhost:5432   2375:/var/run/docker.sock
//! remote   9000:localhost:3000     (the instance's port first, then the target on this side)
//! socks    1080
//! ```
//!
//! Everything that listens on this machine listens on localhost only.

pub(crate) mod display;
mod notation;
mod spec;

pub use self::spec::{FORWARDS_MAX, ForwardSpec, Kind, Listen, Target};

#[cfg(test)]
mod tests;
