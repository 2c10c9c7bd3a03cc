//! Forwards besides the services: from the command line, the config and, for a restart, the previous tunnel.

use crate::commands::tunnel::arguments::StartArguments;
use crate::config::Config;
use crate::config::forwarding::display::path_of;
use crate::config::forwarding::{FORWARDINGS_MAX, Forwarding, Listen};
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::runtime::extra::{Extra, Origin};
use crate::runtime::state::{Forward, State};
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Returns the forwards for a tunnel to `instance`. Of the tunnel `before`, it keeps those that commands
/// added; those of the config may have been removed there.
pub fn resolve(
    arguments: &StartArguments,
    before: Option<&State>,
    instance: &Instance,
    config: &Config,
    paths: &Paths,
) -> Result<Vec<Extra>> {
    let typed = arguments.forward.iter().chain(&arguments.remote).chain(&arguments.socks).cloned();
    let kept = before.map(|state| state.extra.as_slice()).unwrap_or_default().iter();
    let kept = kept.filter(|extra| extra.origin == Origin::Command).map(|extra| extra.forwarding.clone());
    let asked = typed.map(|forwarding| (forwarding, Origin::Command));
    let written = config.forwardings(instance).into_iter().map(|forwarding| (forwarding, Origin::Config));
    let kept = kept.map(|forwarding| (forwarding, Origin::Command));
    let mut extras: Vec<Extra> = Vec::new();
    for (forwarding, origin) in asked.chain(written).chain(kept) {
        let forwarding = forwarding.expanded(paths);
        if let Some(fault) = forwarding.fault() {
            return Err(Error::usage(format!("{}: {fault}", printable(&forwarding.to_string()))));
        }
        // Repeating a forward is harmless.
        if !extras.iter().any(|extra| extra.forwarding == forwarding) {
            extras.push(Extra::new(forwarding, origin));
        }
    }
    Ok(extras)
}

/// Checks that no two of `extras` and `services` have the same listening end.
pub fn check(extras: &[Extra], services: &[Forward]) -> Result<()> {
    if extras.len() > FORWARDINGS_MAX {
        return Err(Error::usage(format!("a tunnel can have at most {FORWARDINGS_MAX} forwards")));
    }
    for (index, extra) in extras.iter().enumerate() {
        let forwarding = &extra.forwarding;
        if let Some(service) = services.iter().find(|service| Some(service.local) == forwarding.local_port())
        {
            return Err(collision(&service.service, forwarding));
        }
        let before = extras[..index].iter().map(|other| &other.forwarding);
        if let Some(other) = before.into_iter().find(|other| other.collides_with(forwarding)) {
            return Err(collision(&other.to_string(), forwarding));
        }
    }
    Ok(())
}

fn collision(one: &str, forwarding: &Forwarding) -> Error {
    let listen = forwarding.listen().to_string();
    Error::usage(format!(
        "{} and {} both want {}",
        printable(one),
        printable(&forwarding.to_string()),
        printable(&listen)
    ))
    .with_hint("change the port of one")
}

/// Returns forwards as shell comments, for below an ssh command that does not show them.
pub fn comments(services: &[Forward], extras: &[Extra]) -> String {
    let services =
        services.iter().map(|forward| Forwarding::Local(Listen::Port(forward.local), forward.target()));
    let extras = extras.iter().map(|extra| extra.forwarding.clone());
    services.chain(extras).map(|forwarding| format!("# {}\n", printable(&path_of(&forwarding)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(text: &str) -> Extra {
        Extra::new(text.parse().unwrap(), Origin::Command)
    }

    #[test]
    fn nothing_is_listened_on_twice() {
        let service = [Forward { service: "sglang".into(), local: 8000, remote: 8000 }];
        let fault = |extras: &[&str]| {
            let extras: Vec<Extra> = extras.iter().map(|text| extra(text)).collect();
            check(&extras, &service).err().map(|error| error.to_string())
        };
        assert_eq!(fault(&["local 1:h:1", "remote 1:h:1", "socks 2"]), None);
        assert_eq!(fault(&["socks 8000"]).unwrap(), "sglang and socks 8000 both want 8000");
        assert_eq!(fault(&["local 1:h:1", "socks 1"]).unwrap(), "local 1:h:1 and socks 1 both want 1");
        assert!(fault(&["local /a:h:1", "local /a:h:2"]).is_some());
    }
}
