//! A rented instance in small: an `sshd` with three HTTP services behind it.

use super::service::Service;
use super::sshd::{Options, Sshd};

/// A running instance; everything of it ends when this is dropped.
pub struct Instance {
    pub sshd: Sshd,
    /// The services in the order in which `start` lists them: sglang, n8n, status.
    pub services: [Service; 3],
}

impl Instance {
    /// An instance that lets its key in.
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    /// An instance whose `sshd` is started with `options`.
    pub fn with(options: Options) -> Self {
        Self { sshd: options.start(), services: ["sglang", "n8n", "status"].map(Service::start) }
    }
}
