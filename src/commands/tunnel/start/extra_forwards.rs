//! Forwards besides the services: from the command line, the config and, for a restart, the previous tunnel.

use crate::commands::tunnel::arguments::StartArguments;
use crate::config::Config;
use crate::config::forwarding::display::path_of;
use crate::config::forwarding::{FORWARDS_MAX, ForwardSpec, Listen};
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
    let kept = kept.filter(|extra| extra.origin == Origin::Command).map(|extra| extra.spec.clone());
    let asked = typed.map(|spec| (spec, Origin::Command));
    let written = config.forwardings(instance).into_iter().map(|spec| (spec, Origin::Config));
    let kept = kept.map(|spec| (spec, Origin::Command));
    let mut extras: Vec<Extra> = Vec::new();
    for (spec, origin) in asked.chain(written).chain(kept) {
        let spec = spec.expanded(paths);
        if let Some(fault) = spec.fault() {
            return Err(Error::usage(format!("{}: {fault}", printable(&spec.to_string()))));
        }
        // Repeating a forward is harmless.
        if !extras.iter().any(|extra| extra.spec == spec) {
            extras.push(Extra::new(spec, origin));
        }
    }
    Ok(extras)
}

/// Checks that no two of `extras` and `services` have the same listening end.
pub fn check(extras: &[Extra], services: &[Forward]) -> Result<()> {
    if extras.len() > FORWARDS_MAX {
        return Err(Error::usage(format!("a tunnel can have at most {FORWARDS_MAX} forwards")));
    }
    for (index, extra) in extras.iter().enumerate() {
        let spec = &extra.spec;
        if let Some(service) = services.iter().find(|service| Some(service.local) == spec.local_port()) {
            return Err(collision(&service.service, spec));
        }
        let before = extras[..index].iter().map(|other| &other.spec);
        if let Some(other) = before.into_iter().find(|other| other.collides_with(spec)) {
            return Err(collision(&other.to_string(), spec));
        }
    }
    Ok(())
}

fn collision(one: &str, spec: &ForwardSpec) -> Error {
    let listen = spec.listen().to_string();
    Error::usage(format!(
        "{} and {} both want {}",
        printable(one),
        printable(&spec.to_string()),
        printable(&listen)
    ))
    .with_hint("change the port of one")
}

/// Returns forwards as shell comments, for below an ssh command that does not show them.
pub fn comments(services: &[Forward], extras: &[Extra]) -> String {
    let services =
        services.iter().map(|forward| ForwardSpec::Local(Listen::Port(forward.local), forward.target()));
    let extras = extras.iter().map(|extra| extra.spec.clone());
    services.chain(extras).map(|spec| format!("# {}\n", printable(&path_of(&spec)))).collect()
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
