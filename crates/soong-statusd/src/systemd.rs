//! Messages to systemd (`sd_notify(3)`): the daemon is ready, and still alive.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The connection to systemd; does nothing where systemd did not start the daemon.
#[derive(Debug)]
pub struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// Reads from the environment where to send messages.
    pub fn from_env() -> Self {
        #[allow(clippy::disallowed_methods, reason = "systemd names its socket in the environment")]
        let name = std::env::var("NOTIFY_SOCKET").ok();
        let address = name.and_then(|name| match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(name).ok(),
        });
        Self(address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address))))
    }

    /// Says that requests are answered now.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// Says that the guard is alive.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.0 {
            // systemd restarts a daemon that it does not hear.
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}
