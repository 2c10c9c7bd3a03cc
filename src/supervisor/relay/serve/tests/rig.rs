//! A relay on a thread, with its two ends.

use std::net::{SocketAddr, TcpStream as Client};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener as Remote, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{MsgFlags, recv};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::supervisor::link::carrier::{Carrier, Exchange};
use crate::supervisor::relay::connection_limit::ConnectionLimit;
use crate::supervisor::relay::demand::Demand;
use crate::supervisor::relay::metrics::Counters;
use crate::supervisor::relay::owner::Guard;
use crate::supervisor::relay::serve::serve;
use crate::supervisor::relay::uplink::Uplink;

/// A relay in its own thread, with its two ends.
pub struct Rig {
    directory: tempfile::TempDir,
    pub address: SocketAddr,
    link: watch::Sender<Option<Arc<Carrier>>>,
    pub counters: Arc<Counters>,
}

impl Rig {
    pub fn new(up: bool) -> Self {
        Self::holding(up, Duration::from_secs(30))
    }

    pub fn holding(up: bool, hold: Duration) -> Self {
        Self::with_places(up, hold, 1000)
    }

    pub fn with_places(up: bool, hold: Duration, places: usize) -> Self {
        let directory = tempfile::Builder::new().prefix("sr").tempdir_in("/tmp").unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (link, receiver) = watch::channel(None);
        let socket = directory.path().join("s");
        let counters = Arc::new(Counters::default());
        let counting = Arc::clone(&counters);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let limit = ConnectionLimit::new(places);
                let (exchange, counters) = (Exchange::default(), counting);
                let (guard, demand) = (Guard::default(), Arc::new(Demand::default()));
                let uplink = Uplink { link: receiver, hold, demand, limit, guard, exchange, counters };
                serve(TcpListener::from_std(listener).unwrap(), socket, uplink).await;
            });
        });
        let rig = Self { directory, address, link, counters };
        if up {
            rig.up();
        }
        rig
    }

    /// Another ssh comes up. Returns the one before, which goes on.
    pub fn up(&self) -> Option<Arc<Carrier>> {
        self.link.send_replace(Some(Arc::new(Carrier::new(5))))
    }

    /// The link is lost.
    pub fn down(&self) {
        if let Some(carrier) = self.link.send_replace(None) {
            carrier.end();
        }
    }

    /// Returns the present ssh.
    pub fn present(&self) -> Arc<Carrier> {
        self.link.borrow().clone().unwrap()
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// Serves each connection to the socket with `service`.
    pub fn remote(&self, service: impl Fn(UnixStream) + Send + 'static) {
        let listener = Remote::bind(self.socket()).unwrap();
        thread::spawn(move || listener.incoming().flatten().for_each(service));
    }

    /// Accepts one connection and returns it when `length` bytes are in it; stops listening.
    pub fn take_unread(&self, length: usize) -> UnixStream {
        let (stream, _) = Remote::bind(self.socket()).unwrap().accept().unwrap();
        std::fs::remove_file(self.socket()).unwrap();
        let mut waiting = vec![0; length];
        while length > 0 && recv(stream.as_raw_fd(), &mut waiting, MsgFlags::MSG_PEEK).unwrap() < length {
            thread::yield_now();
        }
        stream
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }
}
