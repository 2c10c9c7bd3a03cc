//! Readiness: whether a machine can be reached now, later or never.

use super::machine::Machine;
use crate::config::instance::Instance;
use crate::error::Error;
use crate::instances::provider::answer::Status;
use crate::terminal::printable;

/// Readiness of an instance.
#[derive(Debug)]
pub(super) enum Readiness {
    /// Reachable.
    Ready(Instance),
    /// Not reachable yet.
    NotYet,
    /// Not reachable, and waiting does not help.
    Never(Error),
}

/// Returns the readiness of `machine`.
pub(super) fn readiness(machine: &Machine) -> Readiness {
    const START_ANOTHER: &str = "start another one at your provider; list yours: soong status";
    let name = printable(&machine.name);
    let never = |what: &str, hint: &str| {
        Readiness::Never(Error::failed(format!("the instance {name} {what}")).with_hint(hint))
    };
    match machine.status {
        Status::Terminated => return never("is terminated", START_ANOTHER),
        Status::Terminating => return never("is being terminated", START_ANOTHER),
        Status::Preempted => return never("was preempted by its provider", START_ANOTHER),
        Status::Unhealthy => {
            return never("is unhealthy according to its provider", "restart it in your provider's console");
        }
        Status::Booting => return Readiness::NotYet,
        Status::Active | Status::Unknown => {}
    }
    match (machine.instance(), machine.fault) {
        (Some(instance), _) => Readiness::Ready(instance),
        (None, Some(fault)) => {
            let login = format!("{}@{}", machine.user, machine.host.as_deref().unwrap_or_default());
            let hint = format!(
                "its provider lists \"{}\"; add its address to [instances] in config.toml",
                printable(&login)
            );
            never(&format!("cannot be reached: {fault}"), &hint)
        }
        (None, None) => Readiness::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::inventory::machine::sample as machine;

    #[test]
    fn only_what_runs_and_has_an_address_can_be_reached() {
        let host = Some("192.0.2.7");
        assert!(matches!(readiness(&machine(Status::Active, host)), Readiness::Ready(_)));
        assert!(matches!(readiness(&machine(Status::Unknown, host)), Readiness::Ready(_)));
        assert!(matches!(readiness(&machine(Status::Booting, host)), Readiness::NotYet));
        assert!(matches!(readiness(&machine(Status::Active, None)), Readiness::NotYet));
        for (status, words) in [
            (Status::Terminated, "the instance a1 is terminated"),
            (Status::Terminating, "the instance a1 is being terminated"),
            (Status::Preempted, "the instance a1 was preempted by its provider"),
            (Status::Unhealthy, "the instance a1 is unhealthy according to its provider"),
        ] {
            let Readiness::Never(error) = readiness(&machine(status, host)) else { panic!("{status:?}") };
            assert_eq!(error.to_string(), words);
            assert_eq!(error.hints().len(), 1);
        }
    }

    #[test]
    fn an_address_that_ssh_could_misread_is_refused_and_shown_safely() {
        let odd = machine(Status::Active, Some("-oProxyCommand=touch\u{1b}[2J"));
        let Readiness::Never(error) = readiness(&odd) else { panic!("refused") };
        assert_eq!(error.to_string(), "the instance a1 cannot be reached: ssh does not accept its address");
        assert!(error.hints()[0].contains("touch\\u{1b}[2J"), "{:?}", error.hints());
    }
}
