//! TCP ports of localhost: binding, and finding the process that holds one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::terminal::printable;

/// Number of ports to try in place of a taken one.
const TRIES: usize = 1000;

/// Returns the next port above `port` that can be bound and is not in `kept`.
pub fn bind_above(port: u16, kept: &[u16]) -> Option<(u16, Vec<TcpListener>)> {
    let candidates = (first_above(port)..=u16::MAX).filter(|port| !kept.contains(port));
    candidates.take(TRIES).find_map(|port| Some((port, bind(port).ok()?)))
}

/// Returns true if the port is in use.
pub fn is_taken(error: &io::Error) -> bool {
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

/// Listens on one address. The standard library sets `SO_REUSEADDR`, so a port with lingering old connections
/// can be bound; one with a listener cannot.
fn listen(address: IpAddr, port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::new(address, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn has_no_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT))
}

/// Returns name and PID of the process that listens on `port`, if the system tells.
pub fn holder(port: u16) -> Option<String> {
    let process = listeners::get_process_by_port(port, listeners::Protocol::TCP).ok()?;
    Some(format!("{} (PID {})", printable(full_name(&process.name, &process.path)), process.pid))
}

/// Returns the name of a process with the program at `path`. Linux cuts names at 15 bytes.
fn full_name<'a>(name: &'a str, path: &'a str) -> &'a str {
    const CUT: usize = 15;
    let file = path.strip_suffix(" (deleted)").unwrap_or(path).rsplit('/').next();
    file.filter(|file| name.len() == CUT && file.starts_with(name)).unwrap_or(name)
}

/// Returns the next port above `port`, outside of root's.
pub fn first_above(port: u16) -> u16 {
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
    fn a_name_that_is_cut_is_completed() {
        for (name, path, full) in [
            ("soong-superviso", "/usr/bin/soong-supervisor", "soong-supervisor"),
            ("soong-superviso", "/usr/bin/soong-supervisor (deleted)", "soong-supervisor"),
            ("soong-superviso", "", "soong-superviso"),
            ("python3", "/usr/bin/python3.13", "python3"),
            ("another-name-of", "/usr/bin/x", "another-name-of"),
        ] {
            assert_eq!(full_name(name, path), full, "{path}");
        }
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
