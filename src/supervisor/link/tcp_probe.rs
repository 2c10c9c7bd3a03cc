//! Probes the server's port while there is no link: a connection that closes at once.
//!
//! When the network was away, the kernel repeats ssh's first packet after 1, 2, 4 and 8 seconds, so a waiting
//! ssh can wait long after the network is back; a packet of our own every second tells. Later, or if the host
//! answered before, a firewall may be dropping packets: then probes are few, and no ssh starts before one is
//! answered.
//!
//! A port that refuses is not probed: an attempt of ssh costs the same one connection.
//!
//! The server sees one probe: the one that it answers. There are none if ssh's target is unknown, as with
//! jump hosts and proxies.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::openssh::Login;
use crate::openssh::route::{self, Endpoint};
use crate::supervisor::backoff::Backoff;
use crate::system::name_service;

/// Time for an answer, and the pause between two probes of a silent host.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bounds of the time that ssh gives each address of a name whose first address is silent, in seconds.
const SHARE: (u64, u64) = (1, 5);
/// Time to find the target of the probes.
const LOOKUP: Duration = Duration::from_secs(2);

/// Port of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    addresses: Vec<SocketAddr>,
}

/// Result of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Response {
    Open,
    Refused,
    Silence,
}

impl Port {
    /// Returns the port that an ssh for `login` connects to, if that is known.
    pub async fn find(login: &Login) -> Option<Self> {
        timeout(LOOKUP, look_up(login)).await.ok().flatten()
    }

    /// Waits until the host answers a probe, positively or not; probes as `backoff` allows.
    pub async fn wait_until_answered(&self, backoff: &mut Backoff) {
        for number in 0.. {
            let port_probe = backoff.port_probe(number, Instant::now());
            sleep(port_probe.pause.mul_f64(1.0 + 0.2 * fastrand::f64())).await;
            backoff.spend_on(port_probe, Instant::now());
            if self.port_probe(port_probe.patience).await != Response::Silence {
                return;
            }
        }
    }

    /// Waits until the host answers, positively or not, while `is_waiting` says that an ssh has no answer
    /// yet; waits for ever once it has, or if that is unknown.
    pub async fn answered(&self, pause: Duration, is_waiting: impl Fn() -> Option<bool>) {
        let mut was_silent = false;
        // Without knowledge of ssh, a host that answers at once answers ssh as well.
        let waits = |was_silent| is_waiting().unwrap_or(was_silent);
        while waits(true) {
            let begun = Instant::now();
            match self.port_probe(PATIENCE).await {
                Response::Silence => was_silent = true,
                _ if waits(was_silent) => return,
                _ => break,
            }
            sleep_until(begun + pause).await;
        }
        pending::<()>().await;
    }

    /// Returns the option that makes ssh skip a silent first address for one that answers, within `limit`;
    /// `None` if the first answers or none does.
    pub async fn detour(&self, limit: Duration) -> Option<String> {
        let [first, others @ ..] = self.addresses.as_slice() else { return None };
        if others.is_empty() {
            return None;
        }
        let responses = self.probe_all(PATIENCE).await;
        let answering: Vec<&SocketAddr> = self
            .addresses
            .iter()
            .zip(&responses)
            .filter(|(_, response)| **response != Response::Silence)
            .map(|(address, _)| address)
            .collect();
        if responses.first() != Some(&Response::Silence) || answering.is_empty() {
            return None;
        }
        if answering.iter().all(|address| address.is_ipv4() != first.is_ipv4()) {
            let family = if first.is_ipv4() { "inet6" } else { "inet" };
            return Some(format!("AddressFamily={family}"));
        }
        let share = limit.as_secs() / (self.addresses.len() as u64);
        Some(format!("ConnectTimeout={}", share.clamp(SHARE.0, SHARE.1)))
    }

    async fn port_probe(&self, patience: Duration) -> Response {
        let responses = self.probe_all(patience).await;
        let decisive = [Response::Open, Response::Refused];
        decisive.into_iter().find(|response| responses.contains(response)).unwrap_or(Response::Silence)
    }

    /// Probes the addresses in parallel and returns their answers in order.
    async fn probe_all(&self, patience: Duration) -> Vec<Response> {
        let probes: Vec<_> =
            self.addresses.iter().map(|address| tokio::spawn(port_probe(*address, patience))).collect();
        let mut responses = Vec::with_capacity(probes.len());
        for probe in probes {
            responses.push(probe.await.unwrap_or(Response::Silence));
        }
        responses
    }
}

async fn port_probe(address: SocketAddr, patience: Duration) -> Response {
    match timeout(patience, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Response::Open,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Response::Refused,
        _ => Response::Silence,
    }
}

async fn look_up(login: &Login) -> Option<Port> {
    let asked = Command::new(&login.program)
        .args(login.lookup_arguments())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let Endpoint { host, port, families } =
        route::direct(&String::from_utf8_lossy(&asked.await.ok()?.stdout))?;
    let found = spawn_blocking(move || name_service::addresses(&host, port)).await.ok()?.ok()?;
    let used = |address: &SocketAddr| if address.is_ipv4() { families.0 } else { families.1 };
    let addresses: Vec<SocketAddr> = found.into_iter().filter(used).collect();
    (!addresses.is_empty()).then_some(Port { addresses })
}

/// Returns whether the process `pid` has an unanswered TCP connection; `None` if that is unknown.
#[cfg(target_os = "linux")]
pub fn is_connecting(pid: u32) -> Option<bool> {
    use std::fs;

    use crate::system::proc;

    /// `SYN_SENT` in `proc_net_tcp`: the first packet is unanswered.
    const UNANSWERED: &str = "02";
    let sockets = proc::sockets(pid).ok()?;
    let is_ours = |line: &str| {
        let mut fields = line.split_whitespace().skip(3);
        fields.next() == Some(UNANSWERED)
            && fields.nth(5).is_some_and(|inode| sockets.iter().any(|socket| Ok(socket.1) == inode.parse()))
    };
    let table = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}"));
    let four = table("tcp").ok()?;
    Some(four.lines().chain(table("tcp6").unwrap_or_default().lines()).any(is_ours))
}

#[cfg(not(target_os = "linux"))]
pub fn is_connecting(_pid: u32) -> Option<bool> {
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn port(address: SocketAddr) -> Port {
        Port { addresses: vec![address] }
    }

    /// An address of this machine at which nothing listens.
    fn unused_address() -> SocketAddr {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
    }

    #[test]
    fn a_yes_is_told_from_a_no() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        run(async {
            assert_eq!(port(unused_address()).port_probe(PATIENCE).await, Response::Refused);
            assert_eq!(port(listener.local_addr().unwrap()).port_probe(PATIENCE).await, Response::Open);
        });
    }

    #[test]
    fn any_answer_counts_while_ssh_has_none() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        for address in [unused_address(), listener.local_addr().unwrap()] {
            run(port(address).answered(PATIENCE, || Some(true)));
        }
    }

    #[test]
    fn none_counts_once_it_has_one_or_where_nobody_can_tell() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = port(listener.local_addr().unwrap());
        let asked = Cell::new(0);
        for answer in [Some(false), None] {
            let is_waiting = || {
                asked.set(asked.get() + 1);
                answer
            };
            let waited =
                run(async { timeout(Duration::from_millis(150), port.answered(PATIENCE, is_waiting)).await });
            assert!(waited.is_err() && asked.get() > 0, "{answer:?}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_has_no_answer_is_known_and_gone_round() {
        use nix::sys::socket::{
            AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, connect, getsockname, listen,
            socket,
        };
        use std::os::fd::AsRawFd;

        // Shared by the tests of this process, so that none meets another's port.
        let here = std::process::id();
        let tcp = |flags| socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
        let listener = tcp(SockFlag::empty());
        bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address: SockaddrIn = getsockname(listener.as_raw_fd()).unwrap();
        // A full queue: further connections are dropped.
        let sockets: Vec<_> = (0..4).map(|_| tcp(SockFlag::SOCK_NONBLOCK)).collect();
        for socket in &sockets {
            let _ = connect(socket.as_raw_fd(), &address);
        }
        assert_eq!(is_connecting(here), Some(true));
        assert_eq!(is_connecting(u32::MAX), None);
        let silent = SocketAddr::from((address.ip(), address.port()));
        let answers = unused_address();
        let detour = |addresses: &[SocketAddr]| {
            let port = Port { addresses: addresses.to_vec() };
            run(port.detour(Duration::from_secs(30)))
        };
        assert_eq!(detour(&[silent, answers]).as_deref(), Some("ConnectTimeout=5"));
        let other_family = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, answers.port()));
        if run(port_probe(other_family, PATIENCE)) == Response::Refused {
            assert_eq!(detour(&[silent, other_family]).as_deref(), Some("AddressFamily=inet6"));
        }
        assert_eq!(detour(&[answers, silent]), None);
        assert_eq!(detour(&[silent, silent]), None);
        assert_eq!(detour(&[silent]), None);
    }
}
