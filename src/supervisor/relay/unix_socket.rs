//! What is listened on here for forwards beyond the services: a port of localhost, or a Unix socket
//! that only its owner may use.

use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::sys::stat::{Mode, umask};

use super::tcp_port;
use crate::config::forwarding::{Forwarding, Listen};
use crate::error::{Error, Result, io_reason};
use crate::terminal::printable;

/// Something that is listened on.
#[derive(Debug)]
pub enum Door {
    /// A port, on every address of localhost.
    Port(Vec<TcpListener>),
    /// A Unix socket, and its file.
    Socket(UnixListener, SocketFile),
}

/// The file of a Unix socket, known again by more than its name.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    /// Removes it, unless another stands in its place by now.
    pub fn remove(&self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens for `forwarding`; `None` where that is not done here.
pub fn open(forwarding: &Forwarding) -> io::Result<Option<Door>> {
    match forwarding {
        Forwarding::Remote(..) => Ok(None),
        Forwarding::Local(Listen::Socket(path), _) => {
            let listener = bind(path)?;
            listener.set_nonblocking(true)?;
            let file = SocketFile { identity: identity(path)?, path: path.clone() };
            Ok(Some(Door::Socket(listener, file)))
        }
        Forwarding::Local(Listen::Port(port), _) | Forwarding::Socks(port) => {
            tcp_port::bind(*port).map(|listeners| Some(Door::Port(listeners)))
        }
    }
}

/// Listens for all of `forwardings`, or for none.
pub fn open_all<'a>(
    forwardings: impl Iterator<Item = &'a Forwarding>,
    refused: impl Fn(&Forwarding, &io::Error) -> Error,
) -> Result<Vec<Option<Door>>> {
    let mut doors = Vec::new();
    for forwarding in forwardings {
        match open(forwarding) {
            Ok(door) => doors.push(door),
            Err(error) => {
                for door in doors.into_iter().flatten() {
                    if let Door::Socket(_, file) = door {
                        file.remove();
                    }
                }
                return Err(refused(forwarding, &error));
            }
        }
    }
    Ok(doors)
}

/// The error for a forward that a running tunnel cannot listen for.
pub fn refused(forwarding: &Forwarding, error: &io::Error) -> Error {
    let listen = forwarding.listen();
    let message = format!("cannot listen on {}: {}", printable(&listen.to_string()), io_reason(error));
    match listen {
        Listen::Port(port) if error.kind() == io::ErrorKind::AddrInUse => {
            let error = Error::failed(message);
            match tcp_port::holder(port) {
                Some(holder) => error.with_hint(format!("port {port} is held by {holder}")),
                None => error,
            }
        }
        _ => Error::failed(message),
    }
}

/// Binds the socket at `path`. One that nobody listens on any more gives way; nothing else does.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match bind_private(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_dead(path) => {
            fs::remove_file(path)?;
            bind_private(path)
        }
        bound => bound,
    }
}

/// Binds the socket at `path` with a mode that lets in nobody else from the first moment on.
pub fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

fn is_dead(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_dead_socket_gives_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let forwarding: Forwarding = format!("local {}:h:1", path.display()).parse().unwrap();
        let Some(Door::Socket(listener, file)) = open(&forwarding).unwrap() else { panic!("a socket") };
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(open(&forwarding).is_err(), "somebody listens");
        drop(listener);
        let Some(Door::Socket(_listener, newer)) = open(&forwarding).unwrap() else { panic!("a socket") };
        file.remove();
        newer.remove();
        assert!(!path.exists());
        fs::write(&path, "precious").unwrap();
        assert!(open(&forwarding).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
