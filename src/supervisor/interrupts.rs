//! Events that interrupt an attempt, a link or a wait: the request to stop, changes of the system, and the
//! provider's news.

use tokio::sync::watch;

use super::protocol::location::Relocation;
use super::provider_watch::ProviderWatch;
use super::system_events::Watch;
use crate::config::instance::Instance;

/// Sources of interruptions.
pub(super) struct Interrupts {
    stop: watch::Receiver<bool>,
    system: Watch,
    provider: ProviderWatch,
}

impl Interrupts {
    /// Returns the sources for the instance `id`; `stop` becomes true when the tunnel must stop.
    pub(super) fn new(stop: watch::Receiver<bool>, id: &str) -> Self {
        Self { stop, system: Watch::new(), provider: ProviderWatch::new(id) }
    }

    /// Returns the three sources, so that one `select!` can wait for all.
    pub(super) fn split(&mut self) -> (Stop<'_>, &mut Watch, &mut ProviderWatch) {
        (Stop(&mut self.stop), &mut self.system, &mut self.provider)
    }

    /// Returns the request to stop alone.
    pub(super) fn stop(&mut self) -> Stop<'_> {
        Stop(&mut self.stop)
    }

    /// Stops watching the system: an idle tunnel has no link that could break, and each event would wake the machine.
    pub(super) fn pause(&mut self) {
        self.system = Watch::none();
    }

    /// Watches the system again.
    pub(super) fn resume(&mut self) {
        self.system = Watch::new();
    }

    /// Asks the provider about the instance after `failures` failed attempts in a row, if that is due.
    pub(super) fn poll_provider_after(&mut self, failures: u32) {
        self.provider.poll_after(failures);
    }

    /// Waits for the next interruption. `known` is the instance as the tunnel knows it.
    pub(super) async fn next(&mut self, known: &Instance) -> Interrupt {
        let (mut stop, system, provider) = self.split();
        tokio::select! {
            () = stop.requested() => Interrupt::Stop,
            relocation = provider.next(known) => Interrupt::Relocated(relocation),
            _ = system.next() => Interrupt::System,
        }
    }
}

/// An interruption.
pub(super) enum Interrupt {
    /// The tunnel must stop.
    Stop,
    /// The provider has news of the instance.
    Relocated(Relocation),
    /// The machine woke up, or the network changed.
    System,
}

/// The request to stop.
pub(super) struct Stop<'a>(&'a mut watch::Receiver<bool>);

impl Stop<'_> {
    /// Waits until the tunnel must stop.
    pub(super) async fn requested(&mut self) {
        if self.0.wait_for(|stop| *stop).await.is_err() {
            // Without a sender, no request can come.
            std::future::pending::<()>().await;
        }
    }
}
