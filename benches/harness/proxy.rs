//! A network between an ssh and its server that fails on request.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use soong::error::Result;

use super::sandbox::failed;

/// Interval between two checks for a connection.
const LOOK: Duration = Duration::from_millis(2);

/// Forwards connections to a server; ends with this process.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    line: Arc<Line>,
}

#[derive(Debug, Default)]
struct Line {
    /// Number of connections so far.
    taken: AtomicU64,
    /// Connections up to this one are silent: nothing arrives.
    silenced: AtomicU64,
    /// No listener: new connections are refused.
    down: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Starts forwarding to the server at `port` of this machine.
    pub fn start(server: u16) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| failed("listen", error))?;
        let port = listener.local_addr().map_err(|error| failed("listen", error))?.port();
        let line = Arc::new(Line::default());
        let shared = Arc::clone(&line);
        listener.set_nonblocking(true).map_err(|error| failed("listen", error))?;
        thread::spawn(move || shared.serve(listener, port, server));
        Ok(Self { port, line })
    }

    /// Ends all connections.
    pub fn cut(&self) {
        for stream in self.line.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Silences the existing connections: nothing that they send arrives. New ones work.
    pub fn silence(&self) {
        self.line.silenced.store(self.line.taken.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Ends all connections and accepts no more until [`Proxy::bring_up`].
    pub fn bring_down(&self) {
        self.line.down.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Accepts connections again.
    pub fn bring_up(&self) {
        self.line.down.store(false, Ordering::SeqCst);
    }
}

impl Line {
    /// Listens at `port` while the line is not down.
    fn serve(self: &Arc<Self>, listener: TcpListener, port: u16, server: u16) {
        let mut listener = Some(listener);
        loop {
            if self.down.load(Ordering::SeqCst) {
                listener = None;
            } else if listener.is_none() {
                listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                    .ok();
            }
            match listener.as_ref().map(TcpListener::accept) {
                Some(Ok((client, _))) => {
                    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server));
                    if let (Ok(()), Ok(server)) = (client.set_nonblocking(false), server) {
                        self.join(client, server);
                    }
                }
                _ => thread::sleep(LOOK),
            }
        }
    }

    fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let number = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
        let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
        let pairs = [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))];
        for (from, to) in pairs {
            let (Ok(from), Ok(to)) = (from, to) else { return };
            if let Ok(kept) = from.try_clone() {
                self.open.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
            }
            let line = Arc::clone(self);
            thread::spawn(move || line.carry(number, from, to));
        }
    }

    fn carry(&self, number: u64, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let arrives = number > self.silenced.load(Ordering::SeqCst);
            if arrives && to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // The other side of a silenced connection does not learn of its end either.
        if number > self.silenced.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Both);
        }
    }
}
