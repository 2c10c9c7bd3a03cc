//! Error for local ports and sockets that a start could not reserve: who has each, and one command that avoids them.

use std::io;

use crate::config::forwarding::Listen;
use crate::config::instance;
use crate::error::{Error, io_reason};
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;
use crate::runtime::registry;
use crate::runtime::state::State;
use crate::supervisor::protocol::request::Request;
use crate::system::paths::Paths;
use crate::system::tcp_port::{bind, bind_above, first_above, holder};
use crate::terminal::printable;

/// Returns the error for the forwards of `request` that were `refused`, at least one. Its first line has the words of
/// `ssh -L`.
pub(super) fn error(refused: &[(&Forward, io::Error)], request: &Request, paths: &Paths) -> Error {
    let reason = refused.first().map_or_else(String::new, |(_, error)| format!("bind: {}", io_reason(error)));
    let mut hints = Vec::new();
    let mut has_neighbour = false;
    for (forward, error) in refused {
        let neighbour = forward.spec.local_port().and_then(|port| neighbour(request, port, paths));
        has_neighbour |= neighbour.is_some();
        hints.extend(reason_of(forward, error, neighbour.as_ref(), request));
    }
    hints.extend(ways_out(refused, has_neighbour, request));
    Error::Start { reason, hints }
}

/// Returns the reason why `forward` could not be reserved. A port that the system
/// refuses although it is free has only the error's reason.
fn reason_of(
    forward: &Forward,
    error: &io::Error,
    neighbour: Option<&State>,
    request: &Request,
) -> Option<String> {
    let port = match forward.spec.listen() {
        Listen::Port(port) => port,
        Listen::Socket(path) => {
            return Some(format!("socket {}: {}", printable(&path.to_string_lossy()), io_reason(error)));
        }
    };
    let subject = match forward.service().filter(|_| request.is_recalled(forward)) {
        Some(service) => format!("the port of {} ({port}, as last time)", printable(service.name)),
        None => format!("port {port}"),
    };
    let reason = match (error.kind(), neighbour) {
        (io::ErrorKind::AddrInUse, Some(neighbour)) => {
            let name = printable(&neighbour.instance.name);
            format!("belongs to the tunnel to {name} (PID {})", neighbour.pid)
        }
        (io::ErrorKind::AddrInUse, None) => match holder(port) {
            Some(holder) => format!("is held by {holder}"),
            None if bind(port).is_ok() => "is free again; try again".to_owned(),
            None => format!("is held by another user's process; find it: sudo lsof -i :{port}"),
        },
        (io::ErrorKind::PermissionDenied, _) => "is reserved for root on this machine".to_owned(),
        _ => return None,
    };
    Some(format!("{subject} {reason}"))
}

/// Returns our other tunnel that has `port`.
fn neighbour(request: &Request, port: u16, paths: &Paths) -> Option<State> {
    let own = Directory::new(paths, &request.name).ok()?;
    registry::neighbour_on(paths, port, &own)
}

/// Returns the hints with commands that start the tunnel on other ports. They repeat what else was asked for.
fn ways_out(refused: &[(&Forward, io::Error)], has_neighbour: bool, request: &Request) -> Vec<String> {
    let is_refused = |forward: &Forward| refused.iter().any(|(other, _)| *other == forward);
    let mut kept = request.local_ports();
    let mut moved = Vec::new();
    for (forward, _) in refused {
        let Some(port) = forward.spec.local_port() else { continue };
        let free = bind_above(port, &kept).map_or_else(|| first_above(port), |(free, _)| free);
        kept.push(free);
        moved.push(forward.flag(free));
    }
    if moved.is_empty() {
        return Vec::new();
    }
    let repeated = request.forwards.iter().filter(|it| request.is_chosen(it) && !is_refused(it));
    let repeated: Vec<String> = repeated.map(Forward::option).collect();
    // Where another tunnel runs, there is another instance, too.
    let choice = if has_neighbour {
        format!(" {}", instance::as_argument(&request.login.instance.name))
    } else {
        request.choice()
    };
    let start = |flags: &[String]| {
        let words = [vec![format!("soong tunnel start{choice}")], flags.to_vec()].concat();
        printable(&words.join(" ")).into_owned()
    };
    let explicit = start(&[moved, repeated.clone()].concat());
    let can_move = |(forward, _): &(&Forward, io::Error)| forward.is_service() && !request.is_chosen(forward);
    if has_neighbour && refused.iter().all(can_move) {
        let automatic = start(&[vec!["--auto-ports".to_owned()], repeated].concat());
        return vec![format!("use the next free ports: {automatic}"), format!("or choose them: {explicit}")];
    }
    let (it, ports) =
        if refused.len() == 1 { ("it", "another local port") } else { ("them", "other local ports") };
    let can_stop = refused.iter().any(|(_, error)| error.kind() == io::ErrorKind::AddrInUse);
    let stop = if can_stop { format!("stop {it}, or ") } else { String::new() };
    vec![format!("{stop}use {ports}: {explicit}")]
}
