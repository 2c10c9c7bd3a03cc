//! Listening ends of forwards: a port of localhost, or a Unix socket for its owner only.

use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::sys::stat::{Mode, umask};

use crate::config::forwarding::{ForwardSpec, Listen};
use crate::error::{Error, io_reason};
use crate::system::tcp_port;
use crate::terminal::printable;

/// A listening end.
#[derive(Debug)]
pub enum Endpoint {
    /// A port, on every address of localhost.
    Port(Vec<TcpListener>),
    /// A Unix socket with its file.
    Socket(UnixListener, SocketFile),
}

/// File of a Unix socket, identified by more than its name.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Endpoint {
    /// Frees the port, or removes the socket.
    pub fn close(self) {
        if let Self::Socket(_, file) = self {
            file.remove();
        }
    }
}

impl SocketFile {
    /// Removes the file, unless another one has replaced it.
    pub fn remove(&self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens the listening end of `spec`; `None` for a remote one.
pub fn open(spec: &ForwardSpec) -> io::Result<Option<Endpoint>> {
    match spec {
        ForwardSpec::Remote(..) => Ok(None),
        ForwardSpec::Local(Listen::Socket(path), _) => {
            let listener = bind(path)?;
            listener.set_nonblocking(true)?;
            let file = SocketFile { identity: identity(path)?, path: path.clone() };
            Ok(Some(Endpoint::Socket(listener, file)))
        }
        ForwardSpec::Local(Listen::Port(port), _) | ForwardSpec::Socks(port) => {
            tcp_port::bind(*port).map(|listeners| Some(Endpoint::Port(listeners)))
        }
    }
}

/// Returns the error for a forward that a running tunnel cannot listen for.
pub fn refused(spec: &ForwardSpec, error: &io::Error) -> Error {
    let listen = spec.listen();
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

/// Binds the socket at `path`. Replaces a socket without a listener, and nothing else.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match bind_private(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_dead(path) => {
            fs::remove_file(path)?;
            bind_private(path)
        }
        bound => bound,
    }
}

/// Binds the socket at `path` with a mode that excludes other users from the first moment on.
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
        let spec: ForwardSpec = format!("local {}:h:1", path.display()).parse().unwrap();
        let Some(Endpoint::Socket(listener, file)) = open(&spec).unwrap() else { panic!("a socket") };
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(open(&spec).is_err(), "the socket has a listener");
        drop(listener);
        let Some(Endpoint::Socket(_listener, newer)) = open(&spec).unwrap() else { panic!("a socket") };
        file.remove();
        newer.remove();
        assert!(!path.exists());
        fs::write(&path, "precious").unwrap();
        assert!(open(&spec).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
