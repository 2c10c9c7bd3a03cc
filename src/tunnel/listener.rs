//! Binding local ports, and saying who has one that is taken.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::request::port_flag;
use crate::error::{Error, Result, io_reason};
use crate::runtime::state::Forward;
use crate::term::printable;

/// The listeners of one forward: 127.0.0.1, and ::1 where this machine has it, because that is
/// what `localhost` means to different programs.
#[derive(Debug)]
pub struct Bound {
    /// What is forwarded.
    pub forward: Forward,
    /// The sockets that accept connections for it.
    pub listeners: Vec<TcpListener>,
}

/// Binds the local ports of `forwards`, all or none.
pub fn bind_all(forwards: &[Forward]) -> Result<Vec<Bound>> {
    forwards
        .iter()
        .map(|forward| match bind(forward.local) {
            Ok(listeners) => Ok(Bound { forward: forward.clone(), listeners }),
            Err(error) => Err(refused(forward, &error)),
        })
        .collect()
}

fn bind(port: u16) -> io::Result<Vec<TcpListener>> {
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

/// The error for a port that could not be bound, in the words that `ssh -L` has for it.
fn refused(forward: &Forward, error: &io::Error) -> Error {
    let port = forward.local;
    let mut hints = Vec::new();
    match error.kind() {
        io::ErrorKind::AddrInUse => hints.push(match holder(port) {
            Some(holder) => format!("port {port} is held by {holder}"),
            None if bind(port).is_ok() => format!("port {port} is free again by now: try once more"),
            None => {
                format!("port {port} is held by a process that cannot be seen; see: sudo lsof -i :{port}")
            }
        }),
        io::ErrorKind::PermissionDenied => {
            hints.push(format!("port {port} is reserved for the system on this machine"));
        }
        _ => {}
    }
    let free = free_port_after(port);
    hints.push(format!(
        "stop it, or use another local port: soong tunnel start {}",
        port_flag(&forward.service, free)
    ));
    Error::Start { reason: format!("bind: {}", io_reason(error)), hints }
}

/// Name and PID of the process that listens on `port`, where the system tells.
fn holder(port: u16) -> Option<String> {
    let process = listeners::get_process_by_port(port, listeners::Protocol::TCP).ok()?;
    Some(format!("{} (PID {})", printable(&process.name), process.pid))
}

/// The next port that could be bound just now.
fn free_port_after(port: u16) -> u16 {
    let first = port.saturating_add(1).max(1024);
    (first..=u16::MAX).take(100).find(|port| bind(*port).is_ok()).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(local: u16) -> Forward {
        Forward { service: "sglang".into(), local, remote: 8000 }
    }

    #[test]
    fn a_taken_port_names_its_holder_and_the_way_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bind_all(&[forward(port)]).unwrap_err();
        assert_eq!(error.to_string(), "Error starting tunnel: bind: Address already in use");
        let hints = error.hints().join("\n");
        assert!(hints.contains(&format!("(PID {})", std::process::id())), "{hints}");
        assert!(hints.contains("--sglang-port "), "{hints}");
    }

    #[test]
    fn when_one_port_is_taken_none_is_kept() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        assert!(bind_all(&[forward(free), forward(taken.local_addr().unwrap().port())]).is_err());
        assert!(bind(free).is_ok());
    }
}
