//! Current location of an instance that was reached before.

use super::machine::Machine;
use super::readiness::{Readiness, readiness};
use super::record::record;
use super::sources::Inventory;
use crate::config::Config;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::instances::provider;
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::terminal::printable;

/// A provider's answer about an instance.
#[derive(Debug)]
pub enum Location {
    /// Nothing to act on, or no provider lists it.
    Unknown,
    /// Gone for good; the error says why and what to do.
    Gone(Error),
    /// Reachable.
    Found(Box<Instance>),
}

/// Asks the provider that listed the instance `id`, and no other, for its location. Fails if that provider
/// fails.
pub fn locate(id: &str, config: &Config, paths: &Paths, watch: &Watch) -> Result<Location> {
    let known = Inventory::cached(config, paths).machines.into_iter().find(|machine| machine.id == id);
    let Some((machine, name)) =
        known.and_then(|machine| machine.provider.clone().map(|name| (machine, name)))
    else {
        return Ok(Location::Unknown);
    };
    let listed = provider::list(&name, watch)?;
    record(paths, &name, &listed, config);
    let now = listed.into_iter().find(|listed| listed.id == id);
    Ok(judge(&machine, now.map(|listed| machine.renewed(listed, &config.ssh))))
}

/// Returns the location of a known machine whose current data is `now`.
fn judge(before: &Machine, now: Option<Machine>) -> Location {
    let Some(now) = now else {
        // The config says that it exists, the list that it does not.
        if before.is_configured() {
            return Location::Unknown;
        }
        let name = printable(&before.name);
        return Location::Gone(
            Error::failed(format!("the instance {name} is gone"))
                .with_hint("its provider no longer lists it; list yours: soong status"),
        );
    };
    match readiness(&now) {
        Readiness::Ready(instance) => Location::Found(Box::new(instance)),
        Readiness::Never(error) if now.status.is_final() => Location::Gone(error),
        Readiness::Never(_) | Readiness::NotYet => Location::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::inventory::Status;
    use crate::instances::inventory::machine::sample as machine;

    #[test]
    fn only_what_is_final_ends_a_tunnel() {
        let host = Some("192.0.2.7");
        let before = machine(Status::Active, host);
        let judged = |status, host| judge(&before, Some(machine(status, host)));
        for status in [Status::Terminated, Status::Terminating, Status::Preempted] {
            assert!(matches!(judged(status, host), Location::Gone(_)), "{status:?}");
        }
        for status in [Status::Unhealthy, Status::Booting] {
            assert!(matches!(judged(status, host), Location::Unknown), "{status:?}");
        }
        assert!(matches!(judged(Status::Active, None), Location::Unknown));
        assert!(matches!(judged(Status::Active, Some("-oX=y")), Location::Unknown));
        let there = judged(Status::Active, Some("192.0.2.8"));
        assert!(matches!(there, Location::Found(instance) if instance.host == "192.0.2.8"));
        let Location::Gone(error) = judge(&before, None) else { panic!("gone") };
        assert_eq!(error.to_string(), "the instance a1 is gone");
    }
}
