//! Asking whether a link is alive, end to end, without waiting for ssh's keepalive.
//!
//! Every tunnel carries one forward that leads to a Unix socket which does not exist on the
//! instance. A connection to it makes ssh ask the server, and the server refuse; the refusal has
//! come all the way, so the link is alive. It needs nothing on the instance and reaches no service.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::runtime::directory::Directory;
use crate::ssh::{Destination, SocketForward};

/// How long the answer may take. After waking, a radio needs seconds to find its network again; a
/// link that comes back within them keeps its connections.
const PATIENCE: Duration = Duration::from_secs(5);

/// A place at which nothing listens.
const NOWHERE: &str = "/nonexistent/soong";

/// The forward that a probe uses.
pub fn forward(directory: &Directory) -> SocketForward {
    SocketForward { socket: socket(directory), destination: Destination::Socket(NOWHERE.into()) }
}

/// Whether the far end of the link answers.
pub async fn is_alive(directory: &Directory) -> bool {
    let refusal = async {
        let mut stream = UnixStream::connect(socket(directory)).await?;
        stream.read(&mut [0]).await
    };
    matches!(timeout(PATIENCE, refusal).await, Ok(Ok(_)))
}

fn socket(directory: &Directory) -> PathBuf {
    directory.socket("probe")
}
