//! The network between a tunnel and its instance, as a test wants it: a TCP proxy that can fall silent.
//!
//! Silence here is what dropped packets look like to both ends: nothing arrives, and nobody is told. It needs no
//! rights and no tools, which rules of a packet filter do.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use super::ports;

/// A running network; its connections end when this is dropped.
pub struct Network {
    /// Where ssh connects to.
    pub port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
    server: u16,
}

#[derive(Default)]
struct State {
    /// Nothing passes.
    silent: bool,
    /// Connections up to this one carry nothing any more.
    lost: usize,
    streams: Vec<TcpStream>,
}

impl Network {
    /// A network that leads to `server`, a port of 127.0.0.1.
    pub fn to(server: u16) -> Self {
        let port = ports::free();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            server,
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
        Self { port, shared, thread: Some(thread) }
    }

    /// From now on nothing arrives, of old connections and of new ones.
    pub fn fall_silent(&self) {
        self.shared.change(|state| state.silent = true);
    }

    /// What was held up arrives, as it does when lost packets are sent again.
    pub fn speak(&self) {
        self.shared.change(|state| state.silent = false);
    }

    /// Forgets the connections there are, as a router does that was restarted: what is sent on them goes nowhere.
    /// New ones work.
    pub fn forget(&self) {
        self.shared.change(|state| state.lost = state.streams.len());
    }

    /// Breaks the connections there are, and tells both ends.
    pub fn reset(&self) {
        self.shared.change(|state| {
            for stream in &state.streams {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.shared.state.lock().unwrap().streams.len() / 2
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.speak();
        self.reset();
        // `accept` has no other way to be woken.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
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
        self.wait_until_audible();
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server))?;
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        let number = {
            let mut state = self.state.lock().unwrap();
            state.streams.extend([client.try_clone()?, server.try_clone()?]);
            state.streams.len()
        };
        let (back, from, to) = (Arc::clone(&self), server.try_clone()?, client.try_clone()?);
        thread::spawn(move || back.copy(number, from, to));
        self.copy(number, client, server)
    }

    fn copy(&self, number: usize, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let result = from.read(&mut buffer);
            self.wait_until_audible();
            if self.state.lock().unwrap().lost >= number {
                // Taken, and never delivered; not even the end.
                if matches!(result, Ok(0) | Err(_)) {
                    return Ok(());
                }
                continue;
            }
            match result {
                Ok(length @ 1..) => to.write_all(&buffer[..length])?,
                _ => return to.shutdown(Shutdown::Write),
            }
        }
    }

    fn wait_until_audible(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.silent).unwrap());
    }
}
