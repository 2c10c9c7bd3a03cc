//! An SSH server that asks for a password and a one-time code, which a real `sshd` does for no ordinary user: it
//! would need PAM. It forwards to any port of this machine.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Config, Msg, Response, Session};
use russh::{Channel, ChannelOpenFailure, MethodKind, MethodSet};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::ports;

/// Password that the server accepts.
pub const PASSWORD: &str = "pass_w0rd-of-the-server";
pub const CODE: &str = "271828";

/// A running server; it and its connections end when this is dropped.
pub struct Challenge {
    pub port: u16,
    attempts: Arc<AtomicUsize>,
    /// Its end is that of the server.
    _power: oneshot::Sender<()>,
}

impl Challenge {
    /// Starts a server on a free port.
    pub fn start() -> Self {
        let port = ports::free();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let attempts = Arc::new(AtomicUsize::new(0));
        let visitor = Visitor(Arc::clone(&attempts));
        let (power, off) = oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(TcpListener::from_std(listener).unwrap(), visitor) => {}
                    _ = off => {}
                }
            });
        });
        Self { port, attempts, _power: power }
    }

    /// How often it got an answer, right or wrong.
    pub fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, visitor: Visitor) {
    let config = Arc::new(Config {
        methods: MethodSet::from([MethodKind::KeyboardInteractive].as_slice()),
        keys: vec![PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()],
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        ..Config::default()
    });
    while let Ok((stream, _)) = listener.accept().await {
        let (config, visitor) = (Arc::clone(&config), visitor.clone());
        tokio::spawn(async move {
            // How a connection ends is the client's to tell.
            if let Ok(session) = server::run_stream(config, stream, visitor).await {
                let _ = session.await;
            }
        });
    }
}

/// One client.
#[derive(Clone)]
struct Visitor(Arc<AtomicUsize>);

impl server::Handler for Visitor {
    type Error = russh::Error;

    async fn auth_keyboard_interactive(
        &mut self,
        _: &str,
        _: &str,
        response: Option<Response<'_>>,
    ) -> Result<Auth, Self::Error> {
        let Some(response) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "Have your token \u{1b}[31mready".into(),
                prompts: vec![("Password: ".into(), false), ("One-time code: ".into(), true)].into(),
            });
        };
        self.0.fetch_add(1, Ordering::Relaxed);
        let answers: Vec<Vec<u8>> = response.map(|answer| answer.to_vec()).collect();
        let right = answers == [PASSWORD.as_bytes(), CODE.as_bytes()];
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        tokio::spawn(async move {
            match TcpStream::connect((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap())).await {
                Ok(mut service) => {
                    reply.accept().await;
                    let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut service).await;
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }
}
