//! Accepts connections of any kind, one task for each. [`super::serve`] and [`super::socks`] handle them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::sleep;

use super::owner::Guard;
use super::uplink::Uplink;
use crate::runtime::check_connection;

/// Pause after a failed accept, as when the process has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket.
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

    /// The file's mode keeps other users away.
    fn admits(_: &UnixStream, _: &Guard, _: bool) -> bool {
        true
    }
}

/// Accepts connections on `listener` for ever and passes each to `carry`. A connection takes `size` places of
/// the uplink's limit; without a setting of the user, `only_me` says whether to refuse other users. Ends when
/// the task is dropped; the connections stay.
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
        // A check is not use.
        let used = (!is_check).then(|| uplink.demand.open());
        let place = uplink.limit.place(size).await;
        let mut uplink = uplink.clone();
        if is_check {
            // Its counters are thrown away.
            uplink.counters = Arc::default();
        }
        let open = uplink.counters.open();
        let carried = carry(client, uplink);
        tokio::spawn(async move {
            // A broken connection concerns only its two ends.
            let _ = carried.await;
            drop((open, place, used));
        });
    }
}
