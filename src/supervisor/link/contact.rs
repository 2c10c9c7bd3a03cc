//! Contact to one ssh: its sockets, and the checks over them.

use super::mux::Control;
use super::permission::Permission;
use super::probe::Probe;
use crate::config::forwarding::{ForwardSpec, Listen};
use crate::runtime::directory::Directory;
use crate::runtime::ssh_directory::{Side, SshDirectory};

/// Contact to one ssh.
#[derive(Debug)]
pub struct Contact {
    /// Where its sockets are.
    pub side: Side,
    /// The directory there.
    pub directory: SshDirectory,
    /// Its control socket.
    pub control: Control,
    /// Checks that its server allows what the forwards need.
    pub permission: Permission,
    /// The probe of its link.
    pub probe: Probe,
}

impl Contact {
    /// Returns the contact to an ssh that does not run yet, with its sockets on `side` of the tunnel's directory.
    pub fn new(tunnel: &Directory, side: Side) -> Self {
        let directory = tunnel.ssh_directory(side);
        let control = Control::new(directory.control());
        let permission = Permission::new(control.clone());
        let probe = Probe::new(&directory);
        Self { side, directory, control, permission, probe }
    }

    /// Returns the forward to request from ssh for `spec`: a local one from a socket in its directory, and none for a
    /// proxy, which requests connections one by one.
    pub fn request(&self, spec: &ForwardSpec) -> Option<ForwardSpec> {
        match spec {
            ForwardSpec::Local(listen, target) => {
                let socket = Listen::Socket(self.directory.forward(listen));
                Some(ForwardSpec::Local(socket, target.clone()))
            }
            ForwardSpec::Remote(..) => Some(spec.clone()),
            ForwardSpec::Socks(_) => None,
        }
    }
}
