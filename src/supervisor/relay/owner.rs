//! Refuses connections of other local users: `tunnel.only-me`.
//!
//! Every local user can connect to a port of localhost. The kernel knows the owner of a connection's other
//! end: over netlink, or in `/proc/net` if a sandbox forbids that. Linux only; elsewhere all users are
//! accepted.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use nix::unistd::geteuid;
use tokio::net::TcpStream;

use crate::runtime::log::Log;
use crate::system::sock_diag;

/// Number of refused users to log; each once.
const LOGGED_MAX: usize = 16;

/// Decides whose connections to accept.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    only_me: Option<bool>,
    log: Option<Arc<Log>>,
    logged: Arc<Mutex<BTreeSet<Option<u32>>>>,
}

impl Guard {
    /// `only_me` is the setting, if there is one. Refusals go to `log`.
    pub fn new(only_me: Option<bool>, log: Arc<Log>) -> Self {
        Self { only_me, log: Some(log), logged: Arc::default() }
    }

    /// Returns true to carry the connection of `client`. `only_me` applies without a setting. Accepts root,
    /// who could act as any user; refuses a client whose user is unknown because it has gone already.
    pub fn admits(&self, client: &TcpStream, only_me: bool) -> bool {
        if cfg!(not(target_os = "linux")) || !self.only_me.unwrap_or(only_me) {
            return true;
        }
        let addresses = client.peer_addr().and_then(|peer| Ok((peer, client.local_addr()?)));
        let user = addresses.ok().and_then(|(client, here)| user(client, here));
        let admitted = user.is_some_and(|uid| uid == 0 || uid == geteuid().as_raw());
        if !admitted {
            self.log_refusal(user);
        }
        admitted
    }

    fn log_refusal(&self, user: Option<u32>) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() >= LOGGED_MAX || !logged.insert(user) {
            return;
        }
        if let Some(log) = &self.log {
            let who = user.map_or_else(|| "an unknown user".into(), |uid| format!("uid {uid}"));
            log.write(&format!("refused a connection of {who}: tunnel.only-me"));
        }
    }
}

/// Returns the owner of the socket at `local` that is connected to `remote`; `None` if no process has it
/// open, or the kernel does not say.
fn user(local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    match sock_diag::find(local, remote) {
        // The kernel reports closed sockets as root's.
        Ok(socket) => socket.filter(|socket| socket.inode != 0).map(|socket| socket.uid),
        Err(_) => ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|file| {
            let table = fs::read_to_string(file).ok()?;
            user_in(&table, &written(local, file.ends_with('6')), &written(remote, file.ends_with('6')))
        }),
    }
}

/// Returns the owner of the connected socket with these addresses, from the text of `/proc/net/tcp`
/// (`proc(5)`).
fn user_in(table: &str, local: &str, remote: &str) -> Option<u32> {
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let found = fields.get(1) == Some(&local) && fields.get(2) == Some(&remote);
        let is_open = fields.get(9).is_some_and(|inode| *inode != "0");
        (found && is_open).then(|| fields[7].parse().ok()).flatten()
    })
}

/// Parses an address: words in the machine's byte order, in hexadecimal.
fn written(address: SocketAddr, as_ipv6: bool) -> String {
    let octets = match (address.ip(), as_ipv6) {
        (IpAddr::V4(ip), true) => ip.to_ipv6_mapped().octets().to_vec(),
        (IpAddr::V4(ip), false) => ip.octets().to_vec(),
        (IpAddr::V6(ip), _) => ip.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).filter_map(|word| word.first_chunk::<4>());
    let words: String = words.map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect();
    format!("{words}:{:04X}", address.port())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Both sources agree about an open connection, and have nothing about a closed one.
    #[test]
    fn the_user_of_a_connection_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            let own = Some(geteuid().as_raw());
            assert_eq!(user(local, remote), own);
            let file = if local.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
            let in_table = || {
                let table = fs::read_to_string(file).unwrap();
                user_in(&table, &written(local, local.is_ipv6()), &written(remote, local.is_ipv6()))
            };
            assert_eq!(in_table(), own);
            drop(client);
            assert_eq!((user(local, remote), in_table()), (None, None), "closed");
        }
    }

    #[test]
    fn the_table_of_the_kernel_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5 1 0\n   \
            1: 0100007F:A28C 0100007F:1F40 01 00000000:00000000 00:00000000 00000000  1001        0 7 1 0\n   \
            2: 0100007F:A28D 0100007F:1F40 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0\n";
        let user = |local| user_in(table, local, "0100007F:1F40");
        assert_eq!(user("0100007F:A28C"), Some(1001));
        assert_eq!(user("0100007F:A28D"), None, "closed");
        assert_eq!(user("0100007F:A28E"), None);
        if cfg!(target_endian = "little") {
            assert_eq!(written("127.0.0.1:8000".parse().unwrap(), false), "0100007F:1F40");
            let mapped = "0000000000000000FFFF00000100007F:1F40";
            assert_eq!(written("127.0.0.1:8000".parse().unwrap(), true), mapped);
        }
    }
}
