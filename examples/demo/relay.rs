//! Carries the bytes of one forwarded connection between an SSH channel and a service.
//!
//! The two directions end independently, as they do in TCP: a client that has sent its request and
//! closed its half still gets the whole answer. Opening the channel is `instance`'s business.

use std::io;

use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

/// As much as goes into one packet to OpenSSH.
const CHUNK: usize = 32 * 1024;

/// Relays until both directions have ended, the client has closed the channel or the service has
/// reset the connection; then closes both sides.
pub async fn relay(channel: Channel<Msg>, service: TcpStream) {
    let (mut from_client, to_client) = channel.split();
    let (from_service, to_service) = service.into_split();
    let (uploading, upload_ended) = oneshot::channel();
    tokio::select! {
        () = upload(&mut from_client, to_service, uploading) => return,
        () = async {
            if download(from_service, &to_client).await.is_ok() {
                // An error is the sender being dropped, which is how an upload says that it ended.
                let _ = upload_ended.await;
            }
        } => {}
    }
    // Fails only when the whole session is gone, and the channel with it.
    let _ = to_client.close().await;
}

/// Writes what the client sends until it says that there is no more, or the service takes no more;
/// either drops `uploading`. Returns when the client has closed the channel.
async fn upload(
    from_client: &mut ChannelReadHalf,
    to_service: OwnedWriteHalf,
    uploading: oneshot::Sender<()>,
) {
    let mut open = Some((to_service, uploading));
    loop {
        match from_client.wait().await {
            Some(ChannelMsg::Data { data }) => {
                if let Some((to_service, _)) = &mut open
                    && to_service.write_all(&data).await.is_err()
                {
                    open = None;
                }
            }
            // Dropping the write half shuts it down: the service sees the end of the input.
            Some(ChannelMsg::Eof) => open = None,
            Some(ChannelMsg::Close) | None => return,
            Some(_) => {}
        }
    }
}

/// Sends what the service answers, no faster than the client's window allows, and then the end.
async fn download(mut from_service: OwnedReadHalf, to_client: &ChannelWriteHalf<Msg>) -> io::Result<()> {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        if from_service.read_buf(&mut chunk).await? == 0 {
            return to_client.eof().await.map_err(io::Error::other);
        }
        to_client.data_bytes(chunk).await.map_err(io::Error::other)?;
    }
}
