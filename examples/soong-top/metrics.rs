//! SGLang's metrics: `GET /metrics`, in the text format of Prometheus.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use soong::daemon::http;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Metrics that the view shows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
    pub running: Option<f64>,
    pub queued: Option<f64>,
    /// Tokens per second.
    pub throughput: Option<f64>,
}

/// Asks the SGLang on this port; why not, in a few words.
pub fn read(port: u16) -> Result<Metrics, String> {
    let bytes = exchange(port).map_err(|error| soong::error::io_reason(&error))?;
    let answer = http::parse_response(&bytes).map_err(|error| error.to_string())?;
    if answer.status != 200 {
        return Err("tells nothing; start it with --enable-metrics".to_owned());
    }
    Ok(parse(&String::from_utf8_lossy(&answer.body)))
}

fn exchange(port: u16) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&http::get("/metrics", None))?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    while bytes.len() < http::RESPONSE_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => break,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    Ok(bytes)
}

/// Sums each metric over its labels.
fn parse(text: &str) -> Metrics {
    let sum = |name: &str| {
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let labels_end = if rest.starts_with('{') { rest.rfind('}')? + 1 } else { 0 };
            let value: f64 = rest[labels_end..].strip_prefix(' ')?.split(' ').next()?.parse().ok()?;
            value.is_finite().then_some(value)
        });
        values.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or_default() + value))
    };
    Metrics {
        running: sum("sglang:num_running_reqs"),
        queued: sum("sglang:num_queue_reqs"),
        throughput: sum("sglang:gen_throughput"),
    }
}
