//! Servers that are away or out of reach: their return is noticed without an ssh that asks for it.

#[cfg(target_os = "linux")]
use super::link::Pending;
#[cfg(target_os = "linux")]
use super::told;
use super::wait_for;
use crate::support::curl::get;
use crate::support::instance::Instance;
#[cfg(target_os = "linux")]
use crate::support::namespaces;
use crate::support::sandbox::Sandbox;
use crate::support::wait;

/// A firewall that limits new connections, as `ufw limit` does: the sixth within 30 s is turned away, and so is
/// every further one that comes before 30 s have passed with fewer.
mod firewall {
    use std::io;
    use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};
    use std::thread;
    use std::time::{Duration, Instant};

    const LIMIT: usize = 6;
    const WINDOW: Duration = Duration::from_secs(30);

    pub struct Firewall {
        pub port: u16,
        seen: Arc<Mutex<Vec<Instant>>>,
    }

    impl Firewall {
        /// Before the port `server`.
        pub fn before(server: u16) -> Self {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let firewall = Self { port: listener.local_addr().unwrap().port(), seen: Arc::default() };
            let seen = Arc::clone(&firewall.seen);
            thread::spawn(move || {
                for client in listener.incoming().map_while(Result::ok) {
                    let now = Instant::now();
                    seen.lock().unwrap().push(now);
                    if within_window(&seen.lock().unwrap(), now) < LIMIT {
                        let _ = pass(client, server);
                    }
                }
            });
            firewall
        }

        /// How many connections it has seen.
        pub fn seen(&self) -> usize {
            self.seen.lock().unwrap().len()
        }

        /// The most that it has seen within its window.
        pub fn most(&self) -> usize {
            let seen = self.seen.lock().unwrap();
            seen.iter().map(|end| within_window(&seen, *end)).max().unwrap_or_default()
        }
    }

    fn within_window(seen: &[Instant], end: Instant) -> usize {
        seen.iter().filter(|time| **time <= end && end.duration_since(**time) < WINDOW).count()
    }

    fn pass(client: TcpStream, server: u16) -> io::Result<()> {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
        for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                to.shutdown(Shutdown::Write)
            });
        }
        Ok(())
    }
}

/// A server that is restarted: it is reached soon, and no firewall sees too many connections meanwhile.
#[test]
fn a_server_that_refuses_is_asked_sparingly() {
    let mut instance = Instance::start();
    let firewall = firewall::Firewall::before(instance.sshd.port);
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", firewall.port);
    });
    sandbox.start(&instance);
    instance.sshd.stop();
    // The start's, one at once, and two in the first seconds.
    wait::until_true("the third attempt", || firewall.seen() >= 4);
    instance.sshd.resume();
    wait_for(&sandbox, "up");
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert!(firewall.most() <= 5, "{}", firewall.most());
    assert_eq!(instance.sshd.logins(), 2);
}

/// Returns the number of TCP connections that were begun in this network namespace.
#[cfg(target_os = "linux")]
fn begun() -> u64 {
    let counters = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let mut tcp = counters.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let names = tcp.next().unwrap().split(' ');
    let (_, value) =
        names.zip(tcp.next().unwrap().split(' ')).find(|(name, _)| *name == "ActiveOpens").unwrap();
    value.parse().unwrap()
}

/// The user's `ConnectionAttempts` would multiply the connections that the budget counts.
#[test]
#[cfg(target_os = "linux")]
fn ssh_does_not_repeat_by_itself_what_the_supervisor_repeats() {
    const TEST: &str = "faults::knock::ssh_does_not_repeat_by_itself_what_the_supervisor_repeats";
    namespaces::alone(TEST, || {
        let mut instance = Instance::start();
        let mut sandbox = Sandbox::with(&instance);
        sandbox.configure(|config| {
            config.set(["ssh", "options"], "-F none -o ConnectionAttempts=20");
        });
        sandbox.start(&instance);
        instance.sshd.stop();
        let before = begun();
        wait::until_true("the third attempt to fail", || told(&sandbox)["attempt"].as_i64() > Some(3));
        let made = begun() - before;
        // The fourth may have begun.
        assert!(made <= 4, "{made}");
        instance.sshd.resume();
        wait_for(&sandbox, "up");
        assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    });
}

#[cfg(target_os = "linux")]
mod deaf {
    use std::io;
    use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use nix::sys::socket::{Backlog, listen};

    /// A way to a server that can be shut so that packets which ask for a connection are dropped.
    pub struct Gate {
        pub port: u16,
        shared: Arc<Mutex<State>>,
        thread: Option<JoinHandle<()>>,
    }

    struct State {
        listener: TcpListener,
        is_open: bool,
        is_over: bool,
        streams: Vec<TcpStream>,
    }

    impl Gate {
        pub fn to(server: u16) -> Self {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.set_nonblocking(true).unwrap();
            let port = listener.local_addr().unwrap().port();
            let state = State { listener, is_open: true, is_over: false, streams: Vec::new() };
            let shared = Arc::new(Mutex::new(state));
            let of_thread = Arc::clone(&shared);
            let thread = Some(thread::spawn(move || serve(&of_thread, server)));
            Self { port, shared, thread }
        }

        /// Breaks existing connections and drops new ones.
        pub fn shut(&self) {
            let mut state = self.shared.lock().unwrap();
            state.is_open = false;
            // A queue for one, and one in it.
            listen(&state.listener, Backlog::new(0).unwrap()).unwrap();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
                state.streams.push(stream);
            }
            for stream in &state.streams {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }

        pub fn open(&self) {
            let mut state = self.shared.lock().unwrap();
            listen(&state.listener, Backlog::new(16).unwrap()).unwrap();
            state.is_open = true;
        }
    }

    impl Drop for Gate {
        fn drop(&mut self) {
            {
                let mut state = self.shared.lock().unwrap();
                state.is_over = true;
                for stream in &state.streams {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            let _ = self.thread.take().unwrap().join();
        }
    }

    fn serve(shared: &Mutex<State>, server: u16) {
        loop {
            {
                let mut state = shared.lock().unwrap();
                if state.is_over {
                    return;
                }
                if state.is_open
                    && let Ok((client, _)) = state.listener.accept()
                    && let Ok(streams) = join(client, server)
                {
                    state.streams.extend(streams);
                }
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn join(client: TcpStream, server: u16) -> io::Result<[TcpStream; 2]> {
        client.set_nonblocking(false)?;
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
        let kept = [client.try_clone()?, server.try_clone()?];
        for (mut from, mut to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                to.shutdown(Shutdown::Write)
            });
        }
        Ok(kept)
    }
}

/// Its first packet is dropped, and those by which the kernel repeats it, ever more slowly.
#[test]
#[cfg(target_os = "linux")]
fn a_host_that_drops_packets_is_reached_when_it_does_not() {
    let instance = Instance::start();
    let gate = deaf::Gate::to(instance.sshd.port);
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.instance("dev", "127.0.0.1", gate.port);
    });
    sandbox.start(&instance);
    let before = sandbox.clients()[0].pid;
    gate.shut();
    wait::until_true("another ssh", || sandbox.clients().iter().any(|process| process.pid != before));
    let request = Pending::to(&sandbox.url(0, "id"));
    gate.open();
    assert_eq!(request.answer(), "sglang");
    wait_for(&sandbox, "up");
}
