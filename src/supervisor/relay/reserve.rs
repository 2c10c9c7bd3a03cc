//! Reserves the listening ends of forwards, and explains which process has a taken port.

use std::io;

use super::unix_socket::{self, Endpoint};
use crate::config::forwarding::Listen;
use crate::error::{Error, Result, io_reason};
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;
use crate::runtime::registry;
use crate::runtime::state::State;
use crate::supervisor::protocol::request::Request;
use crate::system::paths::Paths;
use crate::system::tcp_port::{bind, bind_above, first_above, holder, is_taken};
use crate::terminal::printable;

/// A forward whose listening end is reserved.
#[derive(Debug)]
pub struct Reserved {
    /// The forward with its final local port.
    pub forward: Forward,
    /// Its listening end; `None` if the server listens.
    pub endpoint: Option<Endpoint>,
}

/// Reserves the listening ends of `request`, all or none. A taken port is an error, unless its service may use
/// another.
pub fn bind_all(request: &Request, paths: &Paths) -> Result<Vec<Reserved>> {
    let mut kept = wanted_ports(request);
    let mut all: Vec<Reserved> = Vec::new();
    for forward in &request.forwards {
        match reserve(forward, request, &mut kept, paths) {
            Ok(reserved) => all.push(reserved),
            Err(error) => {
                all.into_iter().filter_map(|reserved| reserved.endpoint).for_each(Endpoint::close);
                return Err(error);
            }
        }
    }
    Ok(all)
}

/// Returns the forwards of `request` with the local ports that [`bind_all`] would choose now. Keeps none of them.
pub fn preview(request: &Request, paths: &Paths) -> Result<Vec<Forward>> {
    let mut kept = wanted_ports(request);
    let mut choose = |forward: &Forward| {
        if !forward.is_service() {
            return Ok(forward.clone());
        }
        reserve(forward, request, &mut kept, paths).map(|reserved| reserved.forward)
    };
    request.forwards.iter().map(&mut choose).collect()
}

/// Reserves the listening end of `forward`. Another port than its own is not one of `kept`, and is added there.
fn reserve(forward: &Forward, request: &Request, kept: &mut Vec<u16>, paths: &Paths) -> Result<Reserved> {
    let at_fault = |error: &io::Error| refused(forward, request, error, paths);
    match unix_socket::open(&forward.spec) {
        Ok(endpoint) => Ok(Reserved { forward: forward.clone(), endpoint }),
        Err(error) if is_taken(&error) && request.is_movable(forward) => {
            let service = forward.service().ok_or_else(|| at_fault(&error))?;
            let (port, listeners) = bind_above(service.local, kept).ok_or_else(|| at_fault(&error))?;
            kept.push(port);
            let forward = Forward::of_service(service.name, port, service.remote);
            Ok(Reserved { forward, endpoint: Some(Endpoint::Port(listeners)) })
        }
        Err(error) => Err(at_fault(&error)),
    }
}

/// Returns the error for a listening end that could not be reserved.
fn refused(forward: &Forward, request: &Request, error: &io::Error, paths: &Paths) -> Error {
    match forward.spec.listen() {
        Listen::Port(port) => port_refused(forward, port, request, error, paths),
        Listen::Socket(path) => Error::Start {
            reason: format!("bind: {}", io_reason(error)),
            hints: vec![format!("socket {}", printable(&path.to_string_lossy()))],
        },
    }
}

/// Returns the error for a port that could not be bound, in the words of `ssh -L`.
fn port_refused(forward: &Forward, port: u16, request: &Request, error: &io::Error, paths: &Paths) -> Error {
    let flag = printable(&forward.flag(free_port_after(port, request))).into_owned();
    let mut hints = Vec::new();
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            if let Some(neighbour) = neighbour(request, port, paths) {
                hints.extend(neighbour_hints(&neighbour, request, port, &flag));
                return Error::Start { reason: format!("bind: {}", io_reason(error)), hints };
            }
            hints.push(match holder(port) {
                Some(holder) => format!("port {port} is held by {holder}"),
                None if bind(port).is_ok() => format!("port {port} is free again; try again"),
                None => {
                    format!("port {port} is held by another user's process; find it: sudo lsof -i :{port}")
                }
            });
        }
        io::ErrorKind::PermissionDenied => {
            hints.push(format!("port {port} is reserved for root on this machine"));
        }
        _ => {}
    }
    let choice = request.choice_option();
    hints.push(format!("stop it, or use another local port: soong tunnel start{choice} {flag}"));
    Error::Start { reason: format!("bind: {}", io_reason(error)), hints }
}

/// Returns our other tunnel that has `port`.
fn neighbour(request: &Request, port: u16, paths: &Paths) -> Option<State> {
    let own = Directory::new(paths, &request.name).ok()?;
    registry::neighbour_on(paths, port, &own)
}

fn neighbour_hints(neighbour: &State, request: &Request, port: u16, flag: &str) -> [String; 3] {
    let name = printable(&neighbour.instance.name);
    let own = shell_words::quote(&request.login.instance.name);
    let start = format!("soong tunnel start --instance-id {}", printable(&own));
    [
        format!("port {port} belongs to the tunnel to {name} (PID {})", neighbour.pid),
        format!("use the next free ports: {start} --auto-ports"),
        format!("or choose one: {start} {flag}"),
    ]
}

/// Returns the next port that is free now and not used elsewhere in `request`.
fn free_port_after(port: u16, request: &Request) -> u16 {
    let wanted = wanted_ports(request);
    bind_above(port, &wanted).map_or_else(|| first_above(port), |(port, _)| port)
}

fn wanted_ports(request: &Request) -> Vec<u16> {
    request.forwards.iter().filter_map(|forward| forward.spec.local_port()).collect()
}
