//! A SOCKS proxy through the instance: versions 4, 4a and 5, command CONNECT, no authentication (RFC 1928;
//! `SOCKS4.protocol` and `SOCKS4A.protocol`).
//!
//! `ssh -D` cannot listen on a Unix socket, so the supervisor, which holds the port, speaks SOCKS itself and
//! requests each connection over ssh's control socket. That also says whether the connection succeeded, so
//! the answer to the client is true.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::accept;
use super::copy;
use super::disconnect::disconnected;
use super::uplink::Uplink;
use crate::config::address::is_host;
use crate::config::forwarding::Target;
use crate::supervisor::link::mux::{self, Channel, Control, Refusal};

/// Time for a client's request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before asking an ssh again that does not answer although the link counts as up.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Longest user name of a version 4 client; it is ignored.
const USER_MAX: usize = 255;

/// How much of a request that is not understood is thrown away, in bytes.
const REST_MAX: usize = 512;

const CONNECT: u8 = 1;

/// Serves clients on `listener` for ever, with ssh behind `control`. Connections wait for the link.
pub async fn serve(listener: TcpListener, control: Control, uplink: Uplink) {
    // Two directions and the request take one file each. The connection can reach whatever the instance can.
    accept::serve(listener, uplink, 2, true, |client, uplink| attend(client, control.clone(), uplink)).await;
}

async fn attend(mut client: TcpStream, control: Control, mut uplink: Uplink) -> io::Result<()> {
    let request = timeout(PATIENCE, read_request(&mut client)).await??;
    let outcome = match &request.target {
        Ok(target) => tokio::select! {
            outcome = connect(&control, target, &mut uplink) => outcome,
            gone = disconnected(&client) => return gone,
        },
        Err(outcome) => Err(*outcome),
    };
    match outcome {
        Ok(channel) => {
            client.write_all(&request.version.reply(Outcome::Connected)).await?;
            copy::join(&client, &channel.up, &channel.down, &uplink).await
        }
        Err(outcome) => {
            client.write_all(&request.version.reply(outcome)).await?;
            // With something unread, the end would be a reset, which may overtake the answer.
            let _ = client.try_read(&mut [0; REST_MAX]);
            Ok(())
        }
    }
}

/// Returns a connection to `target`, as soon as there is a link.
async fn connect(control: &Control, target: &Target, uplink: &mut Uplink) -> Result<Channel, Outcome> {
    let deadline = uplink.deadline();
    loop {
        uplink.until_up(deadline).await.map_err(|_| Outcome::NoNetwork)?;
        let attempt = tokio::select! {
            attempt = mux::connect(control, target) => attempt,
            () = uplink.until_down() => continue,
            // Nothing of the client's has been sent yet.
            () = uplink.until_replaced() => continue,
        };
        if !matches!(attempt, Err(Refusal::Silent(_))) {
            uplink.exchange.received();
        }
        match attempt {
            Ok(channel) => return Ok(channel),
            Err(Refusal::Refused(_)) => return Err(Outcome::Refused),
            Err(Refusal::Silent(_)) if tokio::time::Instant::now() >= deadline => {
                return Err(Outcome::Failed);
            }
            Err(Refusal::Silent(_)) => sleep(RETRY_PAUSE).await,
        }
    }
}

/// A client's request, with its protocol version.
struct ConnectRequest {
    version: Version,
    target: Result<Target, Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Four,
    Five,
}

/// Answer to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Connected,
    Failed,
    NoNetwork,
    Refused,
    UnknownCommand,
    UnknownAddress,
}

impl Version {
    fn reply(self, outcome: Outcome) -> Vec<u8> {
        let code = match (self, outcome) {
            (Self::Four, Outcome::Connected) => 90,
            (Self::Four, _) => 91,
            (Self::Five, Outcome::Connected) => 0,
            (Self::Five, Outcome::Failed) => 1,
            (Self::Five, Outcome::NoNetwork) => 3,
            (Self::Five, Outcome::Refused) => 5,
            (Self::Five, Outcome::UnknownCommand) => 7,
            (Self::Five, Outcome::UnknownAddress) => 8,
        };
        // The address on the instance is unknown; zeros stand for that.
        match self {
            Self::Four => vec![0, code, 0, 0, 0, 0, 0, 0],
            Self::Five => vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0],
        }
    }
}

/// Reads the client's request. An error means that the client does not speak SOCKS.
async fn read_request(client: &mut TcpStream) -> io::Result<ConnectRequest> {
    match client.read_u8().await? {
        4 => read_request_four(client).await,
        5 => read_request_five(client).await,
        _ => Err(nonsense()),
    }
}

async fn read_request_four(client: &mut TcpStream) -> io::Result<ConnectRequest> {
    let version = Version::Four;
    let command = client.read_u8().await?;
    let port = client.read_u16().await?;
    let address = client.read_u32().await?;
    text(client).await?;
    // An address 0.0.0.x means that a name follows: version 4a.
    let host =
        if (1..=255).contains(&address) { text(client).await? } else { Ipv4Addr::from(address).to_string() };
    Ok(ConnectRequest { version, target: target(command, host, port) })
}

async fn read_request_five(client: &mut TcpStream) -> io::Result<ConnectRequest> {
    const NO_AUTHENTICATION: u8 = 0;
    const NONE_ACCEPTABLE: u8 = 255;
    let version = Version::Five;
    let count = client.read_u8().await?;
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods).await?;
    if !methods.contains(&NO_AUTHENTICATION) {
        client.write_all(&[5, NONE_ACCEPTABLE]).await?;
        return Err(nonsense());
    }
    client.write_all(&[5, NO_AUTHENTICATION]).await?;
    let (five, command, _reserved) =
        (client.read_u8().await?, client.read_u8().await?, client.read_u8().await?);
    if five != 5 {
        return Err(nonsense());
    }
    let host = match client.read_u8().await? {
        1 => Ipv4Addr::from(client.read_u32().await?).to_string(),
        3 => {
            let mut name = vec![0; client.read_u8().await?.into()];
            client.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(|_| nonsense())?
        }
        4 => Ipv6Addr::from(client.read_u128().await?).to_string(),
        _ => return Ok(ConnectRequest { version, target: Err(Outcome::UnknownAddress) }),
    };
    let port = client.read_u16().await?;
    Ok(ConnectRequest { version, target: target(command, host, port) })
}

/// Reads text up to a zero byte.
async fn text(client: &mut TcpStream) -> io::Result<String> {
    let mut text = Vec::new();
    loop {
        match client.read_u8().await? {
            0 => return String::from_utf8(text).map_err(|_| nonsense()),
            _ if text.len() == USER_MAX => return Err(nonsense()),
            byte => text.push(byte),
        }
    }
}

fn target(command: u8, host: String, port: u16) -> Result<Target, Outcome> {
    if command != CONNECT {
        return Err(Outcome::UnknownCommand);
    }
    // A name may end with the root's dot.
    if port == 0 || !is_host(&host) { Err(Outcome::Failed) } else { Ok(Target::Port(host, port)) }
}

fn nonsense() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
