//! Connections: how many there may be, and how long one may take.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::guard::Guard;
use crate::log;

/// Connections at a time. Others wait in the backlog.
const CONNECTIONS_MAX: usize = 256;
/// The longest request head, in bytes.
const HEAD_MAX: usize = 16 << 10;
/// How long the head of a request may take to arrive.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a request may take in all.
const REQUEST_TIME: Duration = Duration::from_secs(15);

/// Answers the connections to `listener`, one request each.
pub async fn serve(listener: TcpListener, guard: Arc<Guard>) {
    let service = TowerToHyperService::new(super::router(guard));
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely; connections that end free some.
                log::error(&format!("cannot accept a connection: {error}"));
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let service = service.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .keep_alive(false)
                .max_buf_size(HEAD_MAX)
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .serve_connection(TokioIo::new(stream), service);
            // A client that breaks off or is too slow needs no answer.
            let _ = timeout(REQUEST_TIME, connection).await;
            drop(permit);
        });
    }
}
