//! Mode of a tunnel: whether it stays up or starts ssh on demand.

use std::time::Duration;

use crate::commands::tunnel::arguments::StartArguments;
use crate::config::Config;
use crate::config::forwarding::Kind;
use crate::config::instance::Instance;
use crate::config::on_demand::OnDemand;
use crate::error::{Error, Result};
use crate::runtime::forward::Forward;
use crate::runtime::state::State;
use crate::supervisor::protocol::request::FirstLink;
use crate::terminal::printable;

/// Returns the time without use after which ssh ends; `None` for a tunnel that stays up. A restart keeps the mode of the
/// tunnel `before`.
pub fn resolve(
    arguments: &StartArguments,
    before: Option<&State>,
    instance: &Instance,
    config: &Config,
    forwards: &[Forward],
) -> Result<Option<Duration>> {
    let written = config.on_demand(instance);
    let idle = match (arguments.on_demand, before) {
        (Some(chosen), _) => chosen.or_time_of(written).idle(),
        (None, Some(before)) => before.on_demand.map(Duration::from_secs),
        (None, None) => written.and_then(OnDemand::idle),
    };
    if idle.is_none() {
        return if arguments.check { Err(without_purpose()) } else { Ok(None) };
    }
    if config.hold.is_zero() {
        return Err(Error::failed(
            "an on-demand tunnel cannot work with tunnel.hold = 0: connections must wait for ssh",
        )
        .with_hint("let them wait: soong configure set tunnel.hold 30")
        .with_hint("or keep the tunnel up: --on-demand=off"));
    }
    match forwards.iter().find(|forward| forward.spec.kind() == Kind::Remote) {
        Some(remote) => Err(needs_link(remote, instance)),
        None => Ok(idle),
    }
}

/// Returns when the tunnel gets its first link.
pub fn first_link(arguments: &StartArguments, on_demand: Option<Duration>) -> FirstLink {
    match (on_demand, arguments.keep_trying) {
        (Some(_), _) if !arguments.check => FirstLink::OnDemand,
        (_, true) => FirstLink::Eventually,
        (_, false) => FirstLink::Now,
    }
}

fn without_purpose() -> Error {
    Error::usage("--check is for --on-demand").with_hint("other tunnels always log in first: remove --check")
}

/// Returns the error for a remote forward: the instance can use it only while there is a link.
fn needs_link(remote: &Forward, instance: &Instance) -> Error {
    let name = printable(&shell_words::quote(&instance.name)).into_owned();
    Error::usage(format!(
        "an on-demand tunnel cannot have remote forwards: {}",
        printable(&remote.to_string())
    ))
    .with_hint("keep the tunnel up: --on-demand=off")
    .with_hint(format!("or set that for this instance: soong configure set instances.{name}.on-demand false"))
}
