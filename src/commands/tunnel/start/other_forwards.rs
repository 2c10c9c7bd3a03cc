//! Forwards besides the services: from the command line, the config and, for a restart, the previous tunnel.

use crate::commands::tunnel::arguments::StartArguments;
use crate::config::Config;
use crate::config::forwarding::FORWARDS_MAX;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::runtime::forward::{Forward, Origin};
use crate::runtime::state::State;
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
) -> Result<Vec<Forward>> {
    let typed = arguments.forward.iter().chain(&arguments.remote).chain(&arguments.socks).cloned();
    let kept = before.into_iter().flat_map(State::others);
    let kept = kept.filter(|forward| forward.origin == Origin::Command).map(|forward| forward.spec.clone());
    let asked = typed.map(|spec| (spec, Origin::Command));
    let written = config.forwardings(instance).into_iter().map(|spec| (spec, Origin::Config));
    let kept = kept.map(|spec| (spec, Origin::Command));
    let mut forwards: Vec<Forward> = Vec::new();
    for (spec, origin) in asked.chain(written).chain(kept) {
        let spec = spec.expanded(paths);
        if let Some(fault) = spec.fault() {
            return Err(Error::usage(format!("{}: {fault}", printable(&spec.to_string()))));
        }
        // Repeating a forward is harmless.
        if !forwards.iter().any(|forward| forward.spec == spec) {
            forwards.push(Forward::other(spec, origin));
        }
    }
    Ok(forwards)
}

/// Checks the number of `forwards`, the services' apart, and that no two have the same listening end.
pub fn check(forwards: &[Forward]) -> Result<()> {
    if forwards.iter().filter(|forward| !forward.is_service()).count() > FORWARDS_MAX {
        return Err(Error::usage(format!("a tunnel can have at most {FORWARDS_MAX} forwards")));
    }
    for (index, forward) in forwards.iter().enumerate() {
        if let Some(other) = forwards[..index].iter().find(|other| other.spec.collides_with(&forward.spec)) {
            let text = format!("{other} and {forward} both want {}", forward.spec.listen());
            return Err(Error::usage(printable(&text).into_owned()).with_hint("change the port of one"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_listened_on_twice() {
        let fault = |others: &[&str]| {
            let others = others.iter().map(|text| Forward::other(text.parse().unwrap(), Origin::Command));
            let forwards: Vec<Forward> =
                [Forward::of_service("sglang", 8000, 8000)].into_iter().chain(others).collect();
            check(&forwards).err().map(|error| error.to_string())
        };
        assert_eq!(fault(&["local 1:h:1", "remote 1:h:1", "socks 2"]), None);
        assert_eq!(fault(&["socks 8000"]).unwrap(), "sglang and socks 8000 both want 8000");
        assert_eq!(fault(&["local 1:h:1", "socks 1"]).unwrap(), "local 1:h:1 and socks 1 both want 1");
        assert!(fault(&["local /a:h:1", "local /a:h:2"]).is_some());
    }
}
