//! Binding local ports, and saying who has one that is taken.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::unix_socket::{self, Door};
use crate::config::forwarding::Listen;
use crate::error::{Error, Result, io_reason};
use crate::runtime::directory::Directory;
use crate::runtime::registry;
use crate::runtime::state::{Forward, State};
use crate::supervisor::protocol::request::{Request, port_flag};
use crate::system::paths::Paths;
use crate::terminal::printable;

/// How many ports are tried in place of one that is taken.
const TRIES: usize = 1000;

/// The listeners of one forward: 127.0.0.1, and ::1 where this machine has it, because that is
/// what `localhost` means to different programs.
#[derive(Debug)]
pub struct Bound {
    /// What is forwarded.
    pub forward: Forward,
    /// The sockets that accept connections for it.
    pub listeners: Vec<TcpListener>,
}

/// Binds the local ports of `request`, all or none. A port that is taken is an error, unless its
/// service may have another one.
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

/// Listens for the forwards of `request` beyond the services, all or none.
pub fn open_extras(request: &Request, paths: &Paths) -> Result<Vec<Option<Door>>> {
    let forwardings = request.extras.iter().map(|extra| &extra.forwarding);
    unix_socket::open_all(forwardings, |forwarding, error| match forwarding.listen() {
        Listen::Port(port) => refused(request, port, |port| forwarding.flag(port), error, paths),
        Listen::Socket(path) => Error::Start {
            reason: format!("bind: {}", io_reason(error)),
            hints: vec![format!("socket {}", printable(&path.to_string_lossy()))],
        },
    })
}

/// The next port above `port` that can be bound and is not among `kept`.
fn bind_above(port: u16, kept: &[u16]) -> Option<(u16, Vec<TcpListener>)> {
    let candidates = (first_above(port)..=u16::MAX).filter(|port| !kept.contains(port));
    candidates.take(TRIES).find_map(|port| Some((port, bind(port).ok()?)))
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// Binds `port` on every address of localhost.
pub fn bind(port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = listen(IpAddr::V4(Ipv4Addr::LOCALHOST), port)?;
    match listen(IpAddr::V6(Ipv6Addr::LOCALHOST), port) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error) if has_no_ipv6(&error) => Ok(vec![v4]),
        Err(error) => Err(error),
    }
}

/// The standard library sets `SO_REUSEADDR`, so that a port whose old connections linger can be
/// bound again; one that is listened on cannot.
fn listen(address: IpAddr, port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::new(address, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn has_no_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT))
}

/// The error for a port that could not be bound, in the words that `ssh -L` has for it. `move_to`
/// gives the option that takes another port.
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

/// The other tunnel of ours that has `port`.
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

/// Name and PID of the process that listens on `port`, where the system tells.
pub fn holder(port: u16) -> Option<String> {
    let process = listeners::get_process_by_port(port, listeners::Protocol::TCP).ok()?;
    Some(format!("{} (PID {})", printable(&process.name), process.pid))
}

/// The next port that could be bound just now, and that nothing else in `request` wants.
fn free_port_after(port: u16, request: &Request) -> u16 {
    let wanted = wanted_ports(request);
    bind_above(port, &wanted).map_or_else(|| first_above(port), |(port, _)| port)
}

fn wanted_ports(request: &Request) -> Vec<u16> {
    let extra = request.extras.iter().filter_map(|extra| extra.forwarding.local_port());
    request.forwards.iter().map(|forward| forward.local).chain(extra).collect()
}

/// Above `port`, and above those that are the system's.
fn first_above(port: u16) -> u16 {
    port.saturating_add(1).max(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken() -> (TcpListener, u16) {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        (taken, port)
    }

    #[test]
    fn a_free_port_is_found_above_one_that_is_taken() {
        let (_holder, port) = taken();
        let (found, listeners) = bind_above(port, &[]).unwrap();
        assert!(found > port && !listeners.is_empty());
        drop(listeners);
        assert!(bind_above(port, &[found]).unwrap().0 > found, "what others will want is left to them");
        assert!(bind_above(u16::MAX, &[u16::MAX]).is_none());
    }

    #[test]
    fn the_holder_of_a_port_is_found() {
        let (_holder, port) = taken();
        assert!(holder(port).unwrap().ends_with(&format!("(PID {})", std::process::id())));
    }
}
