//! The network between a tunnel and its instance: a TCP proxy that can fall silent or be slow.
//!
//! Silence looks to both ends like dropped packets: nothing arrives, and neither end gets an error. Unlike
//! the rules of a packet filter, it needs no rights and no tools.
//!
//! A slow direction delivers at its rate and acknowledges no more than its queue holds, as a modem does.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBuf;

use super::ports;

/// Bytes that a slow direction delivers at once.
const PIECE: usize = 2048;

/// Bytes that the kernel may keep for a slow direction: two segments of the loopback device; smaller windows
/// stall.
const RECEIVED: usize = 128 << 10;

/// Pause between two reads of a connection that was forgotten. Acknowledgements are under way as long as over a real
/// line.
const LATE: Duration = Duration::from_millis(100);

/// Capacity of one direction of a link.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Bytes a second.
    pub rate: u32,
    /// Bytes that wait for delivery; what does not fit waits with the sender.
    pub queue: usize,
}

/// The shapes of both directions; `None` delivers at once.
#[derive(Clone, Copy, Default)]
pub struct Shapes {
    /// From the tunnel to the instance.
    pub up: Option<Shape>,
    /// From the instance to the tunnel.
    pub down: Option<Shape>,
}

/// A running network; its connections end when this is dropped.
pub struct Network {
    /// Where ssh connects to.
    pub port: u16,
    address: Ipv4Addr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
    server: u16,
    shapes: Shapes,
}

#[derive(Default)]
struct State {
    /// Nothing passes.
    silent: bool,
    /// Connections up to this one carry nothing for now.
    held: usize,
    /// Connections up to this one carry nothing any more.
    lost: usize,
    /// New connections are closed at once.
    closed: bool,
    streams: Vec<TcpStream>,
    /// Time at which each connection was made.
    times: Vec<Instant>,
}

impl Network {
    /// Starts a network that leads to `server`, a port of 127.0.0.1.
    pub fn to(server: u16) -> Self {
        Self::shaped(server, Shapes::default())
    }

    /// Starts a network whose directions have these shapes.
    pub fn shaped(server: u16, shapes: Shapes) -> Self {
        Self::between((Ipv4Addr::LOCALHOST, ports::free()), server, shapes)
    }

    /// Starts a network to which ssh connects at `address`.
    pub fn at(address: (Ipv4Addr, u16), server: u16) -> Self {
        Self::between(address, server, Shapes::default())
    }

    fn between((address, port): (Ipv4Addr, u16), server: u16, shapes: Shapes) -> Self {
        let listener = TcpListener::bind((address, port)).unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            server,
            shapes,
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.stop.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A connection that breaks is what the test is about.
                thread::spawn(move || shared.connect(client));
            }
        });
        Self { port, address, shared, thread: Some(thread) }
    }

    /// Silences the network: nothing arrives any more, on old connections or new ones.
    pub fn fall_silent(&self) {
        self.shared.change(|state| state.silent = true);
    }

    /// Ends the silence. Held data arrives, as it does when lost packets are sent again.
    pub fn speak(&self) {
        self.shared.change(|state| state.silent = false);
    }

    /// Silences the existing connections. New ones work.
    pub fn hold(&self) {
        self.shared.change(|state| state.held = state.streams.len());
    }

    /// Ends the silence of [`hold`](Self::hold).
    pub fn release(&self) {
        self.shared.change(|state| state.held = 0);
    }

    /// Closes new connections at once. The existing ones go on.
    pub fn close(&self) {
        self.shared.change(|state| state.closed = true);
    }

    /// Accepts new connections again.
    pub fn open(&self) {
        self.shared.change(|state| state.closed = false);
    }

    /// Forgets the existing connections, as a restarted router does: data sent on them is lost. New ones
    /// work.
    pub fn forget(&self) {
        self.shared.change(|state| state.lost = state.streams.len());
    }

    /// Breaks the existing connections; both ends get an error.
    pub fn reset(&self) {
        self.shared.change(|state| {
            for stream in &state.streams {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }

    /// Returns the times at which connections were made so far.
    pub fn times(&self) -> Vec<Instant> {
        self.shared.state.lock().unwrap().times.clone()
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.shared.state.lock().unwrap().streams.len() / 2
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.change(|state| (state.silent, state.held) = (false, 0));
        self.reset();
        // `accept` has no other way to be woken.
        let _ = TcpStream::connect((self.address, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    /// Carries one connection in both directions.
    fn connect(self: Arc<Self>, client: TcpStream) -> io::Result<()> {
        self.wait_until_audible(usize::MAX);
        if self.state.lock().unwrap().closed {
            return Ok(());
        }
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server))?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        let number = {
            let mut state = self.state.lock().unwrap();
            state.streams.extend([client.try_clone()?, server.try_clone()?]);
            state.times.push(Instant::now());
            state.streams.len()
        };
        let (back, from, to) = (Arc::clone(&self), server.try_clone()?, client.try_clone()?);
        let Shapes { up, down } = self.shapes;
        thread::spawn(move || match down {
            Some(shape) => back.copy_slowly(number, from, &to, shape),
            None => back.copy(number, from, to),
        });
        match up {
            Some(shape) => self.copy_slowly(number, client, &server, shape),
            None => self.copy(number, client, server),
        }
    }

    /// Copies through a queue that another thread empties at the rate of `shape`.
    fn copy_slowly(
        self: &Arc<Self>,
        number: usize,
        mut from: TcpStream,
        to: &TcpStream,
        shape: Shape,
    ) -> io::Result<()> {
        // Data that the kernel keeps for a reader is acknowledged but has not arrived.
        setsockopt(&from, RcvBuf, &RECEIVED)?;
        let (queue, waiting) = sync_channel::<Vec<u8>>(shape.queue / PIECE);
        let (network, to) = (Arc::clone(self), to.try_clone()?);
        thread::spawn(move || {
            let mut free = Instant::now();
            for piece in waiting {
                let length = u32::try_from(piece.len()).unwrap();
                let time = Duration::from_secs(1) * length / shape.rate;
                free = free.max(Instant::now()) + time;
                thread::sleep(free.saturating_duration_since(Instant::now()));
                network.wait_until_audible(number);
                if !network.is_lost(number) && (&to).write_all(&piece).is_err() {
                    return;
                }
            }
            if !network.is_lost(number) {
                // The other end may have closed it already.
                let _ = to.shutdown(Shutdown::Write);
            }
        });
        fill(&mut from, &queue)
    }

    fn is_lost(&self, number: usize) -> bool {
        self.state.lock().unwrap().lost >= number
    }

    fn copy(&self, number: usize, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let result = from.read(&mut buffer);
            self.wait_until_audible(number);
            if self.is_lost(number) {
                // Taken, and never delivered; not even the end.
                if matches!(result, Ok(0) | Err(_)) {
                    return Ok(());
                }
                // The kernel acknowledges later what waits to be read.
                thread::sleep(LATE);
                continue;
            }
            match result {
                Ok(length @ 1..) => to.write_all(&buffer[..length])?,
                _ => return to.shutdown(Shutdown::Write),
            }
        }
    }

    fn wait_until_audible(&self, number: usize) {
        let state = self.state.lock().unwrap();
        let is_silent = |state: &mut State| state.silent || number <= state.held;
        drop(self.changed.wait_while(state, is_silent).unwrap());
    }
}

/// Puts all data from `from` into `queue`, and waits while it is full.
fn fill(from: &mut TcpStream, queue: &SyncSender<Vec<u8>>) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 || queue.send(buffer[..length].to_vec()).is_err() {
            return Ok(());
        }
    }
}
