//! The rented machine with its switch: it can be turned off, with all its connections, and on again, with the same port
//! and host key.

use std::io;

use crate::instance::{Instance, Setup};

/// A machine, on or off.
pub struct Machine {
    setup: Setup,
    /// `None` while it is off.
    instance: Option<Instance>,
}

impl Machine {
    /// Turns a new machine on.
    pub async fn start(mut setup: Setup) -> io::Result<Self> {
        let instance = Instance::start(setup.clone()).await?;
        setup.port = instance.port();
        Ok(Self { setup, instance: Some(instance) })
    }

    /// The port of its SSH server.
    pub fn port(&self) -> u16 {
        self.setup.port
    }

    /// How many logins succeeded since it was turned on.
    pub fn logins(&self) -> usize {
        self.instance.as_ref().map_or(0, Instance::logins)
    }

    /// How many connections reached a service since it was turned on.
    pub fn forwarded(&self) -> usize {
        self.instance.as_ref().map_or(0, Instance::forwarded)
    }

    /// Cuts all connections and closes the port.
    pub async fn turn_off(&mut self) {
        if let Some(instance) = self.instance.take() {
            instance.stop().await;
        }
    }

    /// Listens on the same port again, if it was off.
    pub async fn turn_on(&mut self) -> io::Result<()> {
        if self.instance.is_none() {
            self.instance = Some(Instance::start(self.setup.clone()).await?);
        }
        Ok(())
    }
}
