//! The witnesses: what is said of the tunnel, and what a request finds, many times a second.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::support::sandbox::Sandbox;

/// Between the beginnings of two samples.
const PACE: Duration = Duration::from_millis(250);
/// A request that has no answer by then has failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reports about the tunnel before and after a request, and the result of the request.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When the request was made, after the beginning.
    pub at: Duration,
    /// When it was answered or given up.
    pub until: Duration,
    /// `soong tunnel status` said that it is up.
    pub status: bool,
    /// So did the prompt file.
    pub prompt: bool,
    pub answered: bool,
}

/// Takes samples in the background.
pub struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Witness {
    pub fn start(sandbox: Arc<Sandbox>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let begun = Instant::now();
            let samples = Arc::new(Mutex::new(Vec::new()));
            let mut running: Vec<JoinHandle<()>> = Vec::new();
            while !stopping.load(Ordering::Relaxed) {
                let (sandbox, samples) = (Arc::clone(&sandbox), Arc::clone(&samples));
                running.push(thread::spawn(move || {
                    let sample = sample(&sandbox, begun);
                    samples.lock().unwrap().push(sample);
                }));
                running.retain(|thread| !thread.is_finished());
                sleep(PACE);
            }
            for thread in running {
                thread.join().unwrap();
            }
            let mut samples = samples.lock().unwrap().clone();
            samples.sort_by_key(|sample| sample.at);
            samples
        });
        Self { stop, thread }
    }

    /// All samples, in the order in which they were taken.
    pub fn end(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn sample(sandbox: &Sandbox, begun: Instant) -> Sample {
    let before = (status(sandbox), prompt(sandbox));
    let at = begun.elapsed();
    let answered = request(sandbox.config.local[0], PATIENCE);
    let until = begun.elapsed();
    let after = (status(sandbox), prompt(sandbox));
    Sample { at, until, status: before.0 && after.0, prompt: before.1 && after.1, answered }
}

/// Returns true if the service behind the local port `port` answers within `patience`.
pub fn request(port: u16, patience: Duration) -> bool {
    let answer = || -> std::io::Result<usize> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(b"GET /id HTTP/1.1\r\n\r\n")?;
        stream.read(&mut [0; 512])
    };
    answer().is_ok_and(|length| length > 0)
}

fn status(sandbox: &Sandbox) -> bool {
    sandbox.tunnel(["status"]).unchecked().stdout.starts_with("Tunnel is running\n")
}

/// Reads the prompt file as a shell's hook does (`soong2 PID NOT_AFTER TTL STATE …`).
fn prompt(sandbox: &Sandbox) -> bool {
    says_up(&sandbox.runtime().join("soong/prompt"))
}

fn says_up(file: &Path) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().any(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let ["soong2", pid, not_after, ttl, "up", ..] = fields[..] else { return false };
        let left = not_after.parse::<u64>().unwrap().checked_sub(now);
        left.is_some_and(|left| left <= ttl.parse().unwrap())
            && kill(Pid::from_raw(pid.parse().unwrap()), None).is_ok()
    })
}
