//! An SSH server that plays a rented GPU instance: it lets one key in and forwards connections to
//! the services "on the instance", and nothing else.
//!
//! It runs inside the program that needs it, so it can do at any moment what a real `sshd` cannot
//! be told to: vanish with all its connections (`stop`), and come back on the same port with the
//! same host key or another one (`start`).

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelOpenFailure, MethodKind, MethodSet};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::relay::relay;

/// How many packets a channel holds for a service that does not read them.
///
/// russh renews a channel's window on receipt and stops reading from *every* channel of a
/// connection once one of them is full. With this many, 256 MiB at the packet size of OpenSSH, one
/// slow service does not stall the others, nor an echo the very connection it answers on.
const PACKETS_HELD: usize = 8192;

/// Parts of an instance.
#[derive(Clone)]
pub struct Setup {
    /// The port to listen on, on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// The key the instance identifies itself by.
    pub host_key: PrivateKey,
    /// The only key that is let in, whatever the user is called.
    pub user_key: PublicKey,
    /// Ports of the instance's own localhost, and where their services really listen.
    pub services: BTreeMap<u16, SocketAddr>,
}

/// A running instance. Dropping it is `stop` without waiting.
pub struct Instance {
    port: u16,
    door: Arc<Door>,
    /// Never written to: its end is the signal.
    power: watch::Sender<()>,
    running: JoinHandle<()>,
}

impl Instance {
    /// Starts listening; connections are accepted when this returns.
    pub async fn start(setup: Setup) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, setup.port)).await?;
        let port = listener.local_addr()?.port();
        let config = Arc::new(config(setup.host_key));
        let (power, off) = watch::channel(());
        let door = Arc::new(Door {
            user_key: setup.user_key,
            services: setup.services,
            logins: AtomicUsize::new(0),
            forwarded: AtomicUsize::new(0),
            off,
        });
        let running = tokio::spawn(serve(listener, config, Arc::clone(&door)));
        Ok(Self { port, door, power, running })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many logins succeeded so far.
    pub fn logins(&self) -> usize {
        self.door.logins.load(Ordering::Relaxed)
    }

    /// How many connections reached a service so far.
    pub fn forwarded(&self) -> usize {
        self.door.forwarded.load(Ordering::Relaxed)
    }

    /// Cuts all connections, without a word to the clients, and closes the port.
    pub async fn stop(self) {
        drop(self.power);
        // An error would be a panic in the task, which has then printed its message.
        let _ = self.running.await;
    }
}

fn config(host_key: PrivateKey) -> server::Config {
    server::Config {
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        keys: vec![host_key],
        // There is nothing to guess here that a delay would protect.
        auth_rejection_time: Duration::ZERO,
        channel_buffer_size: PACKETS_HELD,
        inactivity_timeout: None,
        nodelay: true,
        ..server::Config::default()
    }
}

async fn serve(listener: TcpListener, config: Arc<server::Config>, door: Arc<Door>) {
    let mut sessions = JoinSet::new();
    let mut off = door.off.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    sessions.spawn(session(stream, Arc::clone(&config), Arc::clone(&door)));
                }
                // The client is gone already, or there is no descriptor left: worth another try, not a busy loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = sessions.join_next() => {}
            _ = off.changed() => break,
        }
    }
    drop(listener);
    while sessions.join_next().await.is_some() {}
}

/// Serves one connection until either side ends it. How it ended is the client's to report.
async fn session(
    stream: TcpStream,
    config: Arc<server::Config>,
    door: Arc<Door>,
) -> Result<(), russh::Error> {
    let stream = stream.into_std()?;
    let wire = stream.try_clone()?;
    let stream = TcpStream::from_std(stream)?;
    let mut off = door.off.clone();
    let run = async { server::run_stream(config, stream, Visitor(door)).await?.await };
    tokio::pin!(run);
    tokio::select! {
        result = &mut run => result,
        _ = off.changed() => {
            wire.shutdown(Shutdown::Both)?;
            run.await
        }
    }
}

/// Admitted key and services of the instance, with counters.
struct Door {
    user_key: PublicKey,
    services: BTreeMap<u16, SocketAddr>,
    logins: AtomicUsize,
    forwarded: AtomicUsize,
    /// Closes when the instance stops.
    off: watch::Receiver<()>,
}

impl Door {
    /// Compares the keys alone: a comment is no part of an identity.
    fn admits(&self, key: &PublicKey) -> Auth {
        if key.key_data() == self.user_key.key_data() { Auth::Accept } else { Auth::reject() }
    }

    fn service(&self, host: &str, port: u32) -> Option<SocketAddr> {
        if !matches!(host, "localhost" | "127.0.0.1" | "::1") {
            return None;
        }
        self.services.get(&u16::try_from(port).ok()?).copied()
    }
}

/// One client. Whatever is not implemented here russh refuses: shells, commands, remote forwards.
struct Visitor(Arc<Door>);

impl server::Handler for Visitor {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.0.admits(offer.public_key))
    }

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(self.0.admits(key.public_key))
    }

    async fn auth_succeeded(&mut self, _: &mut Session) -> Result<(), Self::Error> {
        self.0.logins.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(service) = self.0.service(host, port) else {
            // As an sshd that allows every destination and cannot reach this one. soong would test each
            // forward of a server that prohibits some.
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        let door = Arc::clone(&self.0);
        tokio::spawn(async move {
            match TcpStream::connect(service).await {
                Ok(stream) => {
                    door.forwarded.fetch_add(1, Ordering::Relaxed);
                    reply.accept().await;
                    // A relay can be waiting for its service, and would not see the session end.
                    let mut off = door.off.clone();
                    tokio::select! {
                        () = relay(channel, stream) => {}
                        _ = off.changed() => {}
                    }
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }
}
