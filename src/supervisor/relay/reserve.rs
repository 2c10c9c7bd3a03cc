//! Reserves local ports, and explains which process has a taken one.

use std::io;
use std::net::TcpListener;

use super::tcp_port::{bind, bind_above, first_above, holder, is_taken};
use super::unix_socket::{self, Endpoint};
use crate::config::forwarding::Listen;
use crate::error::{Error, Result, io_reason};
use crate::runtime::directory::Directory;
use crate::runtime::registry;
use crate::runtime::state::{Forward, State};
use crate::supervisor::protocol::request::{Request, port_flag};
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Listeners of one forward: 127.0.0.1, and ::1 if this machine has it, as programs differ in what
/// `localhost` means.
#[derive(Debug)]
pub struct Bound {
    /// The forward with its final local port.
    pub forward: Forward,
    /// Its listening sockets.
    pub listeners: Vec<TcpListener>,
}

/// Binds the local ports of `request`, all or none. A taken port is an error, unless its service may use
/// another.
pub fn bind_all(request: &Request, paths: &Paths) -> Result<Vec<Bound>> {
    let mut kept = wanted_ports(request);
    let mut all = Vec::new();
    for forward in &request.forwards {
        let mut forward = forward.clone();
        let at_fault = |error: io::Error| {
            let move_to = |port| port_flag(&forward.service, port);
            refused(request, forward.local, move_to, &error, paths)
        };
        let listeners = match bind(forward.local) {
            Err(error) if is_taken(&error) && request.movable.contains(&forward.service) => {
                let (port, listeners) = bind_above(forward.local, &kept).ok_or_else(|| at_fault(error))?;
                kept.push(port);
                forward.local = port;
                listeners
            }
            bound => bound.map_err(at_fault)?,
        };
        all.push(Bound { forward, listeners });
    }
    Ok(all)
}

/// Opens the listening ends of the other forwards of `request`, all or none.
pub fn open_extras(request: &Request, paths: &Paths) -> Result<Vec<Option<Endpoint>>> {
    let specs = request.extras.iter().map(|extra| &extra.spec);
    unix_socket::open_all(specs, |spec, error| match spec.listen() {
        Listen::Port(port) => refused(request, port, |port| spec.flag(port), error, paths),
        Listen::Socket(path) => Error::Start {
            reason: format!("bind: {}", io_reason(error)),
            hints: vec![format!("socket {}", printable(&path.to_string_lossy()))],
        },
    })
}

/// Returns the error for a port that could not be bound, in the words of `ssh -L`. `move_to` returns the
/// option for another port.
fn refused(
    request: &Request,
    port: u16,
    move_to: impl Fn(u16) -> String,
    error: &io::Error,
    paths: &Paths,
) -> Error {
    let flag = printable(&move_to(free_port_after(port, request))).into_owned();
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
    let extra = request.extras.iter().filter_map(|extra| extra.spec.local_port());
    request.forwards.iter().map(|forward| forward.local).chain(extra).collect()
}
