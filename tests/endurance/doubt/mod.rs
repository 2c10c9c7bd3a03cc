//! Counts false alarms: links that are slow, or stand still for a while, and must not be taken for dead ones. An alarm
//! does harm if a request fails, a stream breaks or a link ends. A second ssh that starts and is not needed is a cost.
//! Measures how long a client waits if the link is dead.

#[path = "../../../benches/harness/line.rs"]
#[expect(dead_code, reason = "benchmarks use more of it")]
mod line;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use self::line::{FAR, Line, NEAR, Shape};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Options;
use crate::support::tools::is_root;
use crate::support::{namespaces, process};

/// Runs at a time; most of their time they wait.
const LANES: usize = 6;
/// Time after which an answer counts as missing.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time of a far end that is suspended.
const SUSPENSION: Duration = Duration::from_secs(5);

/// A disturbance that is no reason to give up a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disturbance {
    /// 200 ms for the way there and back, and 2 % of packets lost.
    Loss,
    /// A service that does not answer for 15 s.
    Service,
    /// An upload through the tunnel fills a queue of 3 s.
    Upload,
    /// Something else fills it.
    OtherUpload,
    /// The processes of the server are suspended.
    Server,
    /// Nothing passes, as if the machine were suspended.
    Machine,
    /// Packets of the connection are dropped from now on: the only one that calls for another link.
    Dropped,
}

impl Disturbance {
    const ALL: [Self; 7] = [
        Self::Loss,
        Self::Service,
        Self::Upload,
        Self::OtherUpload,
        Self::Server,
        Self::Machine,
        Self::Dropped,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Loss => "200 ms, 2 % lost",
            Self::Service => "service stopped for 15 s",
            Self::Upload => "uplink filled through the tunnel, queue of 3 s",
            Self::OtherUpload => "uplink filled by something else, queue of 3 s",
            Self::Server => "server suspended for 5 s",
            Self::Machine => "far end silent for 5 s",
            Self::Dropped => "packets dropped",
        }
    }

    fn shape(self) -> Shape {
        const RATE: u32 = 125_000;
        let delay = Duration::from_millis(20);
        match self {
            Self::Loss => Shape { delay: Duration::from_millis(100), loss: 2, ..Shape::default() },
            Self::Upload | Self::OtherUpload => Shape { delay, rate: RATE, queue: 375_000, loss: 0 },
            _ => Shape { delay, ..Shape::default() },
        }
    }
}

/// Results of some runs.
#[derive(Clone, Copy, Default)]
struct Count {
    runs: usize,
    /// Requests that failed and streams that broke.
    failed: usize,
    /// Links that ended.
    lost: usize,
    /// Second ssh's that started, and that took over.
    started: usize,
    took_over: usize,
    /// Least number of bytes that waited in a queue that was filled.
    queued: usize,
    /// Longest time that a client waited for another link.
    waited: Duration,
}

/// Makes `count` runs of each disturbance. Returns true if none did harm.
pub fn run(count: u64, seed: u64) -> bool {
    if !is_root() {
        println!("doubt: needs root");
        return false;
    }
    println!("doubt: --count {count} --seed {seed}");
    let counts = Mutex::new([Count::default(); Disturbance::ALL.len()]);
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let kinds = Disturbance::ALL.len() as u64;
                    if number >= count * kinds {
                        return;
                    }
                    let kind = usize::try_from(number % kinds).unwrap();
                    let result = one(Disturbance::ALL[kind], seed.wrapping_add(number));
                    let mut counts = counts.lock().unwrap();
                    counts[kind].add(result);
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap();
    for (disturbance, count) in Disturbance::ALL.iter().zip(&counts) {
        let Count { runs, failed, lost, started, took_over, queued, waited } = count;
        println!(
            "  {:46} {runs:3} runs: {failed} requests failed, {lost} links lost; second ssh: {started} started, \
             {took_over} took over; {} KB in the queue; waited {waited:.2?}",
            disturbance.name(),
            queued / 1000
        );
    }
    counts.iter().all(|count| count.failed == 0 && count.lost == 0)
}

impl Count {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.failed += other.failed;
        self.lost += other.lost;
        self.started += other.started;
        self.took_over += other.took_over;
        self.waited = self.waited.max(other.waited);
        let queued = [self.queued, other.queued].into_iter().filter(|queued| *queued > 0).min();
        self.queued = queued.unwrap_or_default();
    }
}

/// Makes one run.
fn one(disturbance: Disturbance, seed: u64) -> Count {
    let (tell_end, far_end) = channel();
    let (tell_result, result) = channel();
    let serve = move || {
        tell_end.send(end(FAR, NEAR)).unwrap();
        let instance = Instance::with(Options::default().line(&format!("ListenAddress {FAR}")));
        // Receives the data that fills the uplink.
        let sink = TcpListener::bind((FAR, 0)).unwrap();
        let port = sink.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut stream in sink.incoming().map_while(Result::ok) {
                thread::spawn(move || io::copy(&mut stream, &mut io::sink()));
            }
        });
        (instance, port)
    };
    let work = move |served: &(Instance, u16)| {
        let far = far_end.recv().unwrap();
        let near = end(NEAR, FAR);
        let line = Line::between(&near, &far, disturbance.shape(), seed).unwrap();
        tell_result.send(disturb(disturbance, &served.0, served.1, &line)).unwrap();
    };
    // Not sendable between threads otherwise.
    let work = Mutex::new(Some(work));
    namespaces::across("doubt", serve, |served| {
        let work = work.lock().unwrap().take().unwrap();
        work(served);
    });
    result.recv().unwrap()
}

/// Makes an end of the line in the namespace of this thread.
fn end(ours: &str, theirs: &str) -> File {
    let end = line::end().unwrap();
    // It fills a queue; others avoid that.
    for arguments in line::settings(ours, theirs, "reno") {
        namespaces::ip(&arguments);
    }
    end
}

/// Starts a tunnel, disturbs it and counts.
fn disturb(disturbance: Disturbance, instance: &Instance, sink: u16, line: &Line) -> Count {
    let mut sandbox = Sandbox::with(instance);
    sandbox.configure(|config| {
        config.instance("dev", FAR, instance.sshd.port);
    });
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    let ports = sandbox.config.local;
    let mut waited = Duration::ZERO;
    let (tell, outcomes): (Sender<bool>, Receiver<bool>) = channel();
    thread::scope(|scope| {
        let client = |work: Box<dyn FnOnce() -> io::Result<()> + Send>| {
            let tell = tell.clone();
            scope.spawn(move || tell.send(work().is_ok()).unwrap());
        };
        match disturbance {
            Disturbance::Loss => {
                client(Box::new(move || download(ports[0], 400_000)));
                for _ in 0..10 {
                    tell.send(request(ports[1], "id").is_ok()).unwrap();
                    sleep(Duration::from_millis(500));
                }
            }
            Disturbance::Service => {
                client(Box::new(move || request(ports[0], "meet/2")));
                sleep(Duration::from_secs(15));
                client(Box::new(move || request(ports[0], "meet/2")));
            }
            Disturbance::Upload => {
                client(Box::new(move || upload(ports[0], 1_500_000)));
                few(&client, ports);
            }
            Disturbance::OtherUpload => {
                scope.spawn(move || fill(sink, 1_500_000));
                few(&client, ports);
            }
            Disturbance::Server | Disturbance::Machine => {
                client(Box::new(move || download_slowly(ports[0])));
                sleep(Duration::from_millis(500));
                suspend(disturbance, instance, line, || {
                    client(Box::new(move || request(ports[1], "id")));
                    sleep(SUSPENSION / 2);
                    client(Box::new(move || request(ports[2], "id")));
                    sleep(SUSPENSION / 2);
                });
                client(Box::new(move || request(ports[1], "id")));
            }
            Disturbance::Dropped => {
                // The check of a network that has just come up is over then.
                sleep(Duration::from_secs(3));
                line.forget();
                let begun = Instant::now();
                tell.send(request(ports[1], "id").is_ok()).unwrap();
                waited = begun.elapsed();
            }
        }
    });
    drop(tell);
    let failed = outcomes.iter().filter(|good| !good).count();
    let logs = sandbox.tunnel(["logs"]).stdout_has("up: ").run().stdout;
    let said = |text: &str| logs.lines().filter(|line| line.contains(text)).count();
    let count = Count {
        runs: 1,
        failed,
        lost: said("link lost"),
        started: said("starting a second ssh"),
        took_over: said("takes over"),
        queued: line.most(),
        waited,
    };
    if count.failed + count.lost > 0 {
        println!("{}:\n{logs}", disturbance.name());
    }
    count
}

/// Makes requests, one a second and a half, for the time that an upload takes.
fn few(client: &impl Fn(Box<dyn FnOnce() -> io::Result<()> + Send>), ports: [u16; 3]) {
    for _ in 0..8 {
        sleep(Duration::from_millis(1500));
        client(Box::new(move || request(ports[1], "id")));
    }
}

/// Does `work` while the far end is suspended.
fn suspend(disturbance: Disturbance, instance: &Instance, line: &Line, work: impl FnOnce()) {
    let signal = |signal: Signal| {
        let listener = i32::try_from(instance.sshd.pid()).unwrap();
        for process in process::all().into_iter().filter(|process| is_below(process.pid, listener)) {
            process::signal(process.pid, signal);
        }
    };
    if disturbance == Disturbance::Machine {
        line.be_silent(true);
        work();
        line.be_silent(false);
    } else {
        signal(Signal::SIGSTOP);
        work();
        signal(Signal::SIGCONT);
    }
}

/// Returns true if `pid` is `ancestor` or descends from it.
fn is_below(pid: i32, ancestor: i32) -> bool {
    let parent = |pid: i32| -> Option<i32> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
    };
    let mut pid = Some(pid);
    while let Some(now) = pid.filter(|pid| *pid > 1) {
        if now == ancestor {
            return true;
        }
        pid = parent(now);
    }
    false
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Makes a request and reads the beginning of its answer.
fn request(port: u16, target: &str) -> io::Result<()> {
    let mut stream = connect(port)?;
    stream.write_all(format!("GET /{target} HTTP/1.1\r\n\r\n").as_bytes())?;
    stream.read_exact(&mut [0; 12])
}

fn download(port: u16, length: usize) -> io::Result<()> {
    let mut stream = connect(port)?;
    stream.write_all(format!("GET /bytes/{length} HTTP/1.1\r\n\r\n").as_bytes())?;
    stream.read_exact(&mut vec![0; length])
}

/// Reads 20 MB within some 8 s.
fn download_slowly(port: u16) -> io::Result<()> {
    const PIECE: usize = 250_000;
    let mut stream = connect(port)?;
    stream.write_all(format!("GET /bytes/{} HTTP/1.1\r\n\r\n", 80 * PIECE).as_bytes())?;
    for _ in 0..80 {
        stream.read_exact(&mut vec![0; PIECE])?;
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn upload(port: u16, length: usize) -> io::Result<()> {
    let mut stream = connect(port)?;
    let head = format!("POST /digest HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&vec![7; length])?;
    stream.read_exact(&mut [0; 12])
}

/// Sends `length` bytes past the tunnel.
fn fill(port: u16, length: usize) -> io::Result<()> {
    TcpStream::connect((FAR, port))?.write_all(&vec![7; length])
}
