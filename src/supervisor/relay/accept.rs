//! Accepting the connections that a tunnel carries, of whatever kind, one task for each.
//!
//! What becomes of a connection is the business of [`super::serve`] and [`super::socks`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::sleep;

use super::owner::Guard;
use super::uplink::Uplink;
use crate::runtime::check_connection;

/// How long to leave a listener alone that cannot accept, because the process has run out of
/// file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What connections arrive at.
pub trait Listener {
    /// The client's end of a connection.
    type Client;

    /// Returns the next connection, and whether a check made it.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Client, bool)>> + Send;

    /// Returns whether to carry the connection of `client`; see [`Guard::admits`].
    fn admits(client: &Self::Client, guard: &Guard, only_me: bool) -> bool;
}

impl Listener for TcpListener {
    type Client = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, bool)> {
        let (client, address) = self.accept().await?;
        let _ = client.set_nodelay(true);
        Ok((client, check_connection::is_from_check(&address)))
    }

    fn admits(client: &TcpStream, guard: &Guard, only_me: bool) -> bool {
        guard.admits(client, only_me)
    }
}

impl Listener for UnixListener {
    type Client = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, bool)> {
        let (client, _) = self.accept().await?;
        let is_check = check_connection::is_named_by_check(&client);
        Ok((client, is_check))
    }

    /// The mode of its file keeps others away.
    fn admits(_: &UnixStream, _: &Guard, _: bool) -> bool {
        true
    }
}

/// Accepts connections on `listener` for ever and has `carry` carry each over `way`, where it takes
/// the room of `size` ordinary ones; where the user has set nothing, `only_me` says whether other users
/// are refused. Ends when the task is dropped; the connections stay.
pub async fn serve<L, F>(
    listener: L,
    uplink: Uplink,
    size: u32,
    only_me: bool,
    carry: impl Fn(L::Client, Uplink) -> F,
) where
    L: Listener,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        let Ok((client, is_check)) = listener.next().await else {
            sleep(PAUSE).await;
            continue;
        };
        if !L::admits(&client, &uplink.guard, only_me) {
            continue;
        }
        let place = uplink.room.place(size).await;
        let mut uplink = uplink.clone();
        if is_check {
            // Not use: counted, but nobody reads the count.
            uplink.counters = Arc::default();
        }
        let open = uplink.counters.open();
        let carried = carry(client, uplink);
        tokio::spawn(async move {
            // A connection that breaks is the business of the two that it connected.
            let _ = carried.await;
            drop((open, place));
        });
    }
}
