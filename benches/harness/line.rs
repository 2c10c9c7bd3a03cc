//! A long way between two machines: packets take their time, wait in a queue, and get lost.
//!
//! A TUN device at either end, and threads between them. Unlike a proxy, it leaves TCP to the kernels of both ends.
//! Unlike netem, it needs no module of the kernel. The endurance tests include this file.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Address of the user's end.
pub const NEAR: &str = "198.51.100.1";
/// Address of the instance's end.
pub const FAR: &str = "198.51.100.2";
/// Name of the device at either end.
const DEVICE: &str = "line";
/// Longest packet.
const MTU: usize = 1500;
/// Packets that wait for a line.
const QUEUE: usize = 10_000;

/// Properties of a line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    /// Time of a packet in one direction.
    pub delay: Duration,
    /// Share of packets that get lost, in percent.
    pub loss: u8,
    /// Rate from the user to the instance, in bytes a second; 0 for any.
    pub rate: u32,
    /// Bytes that wait for that; more is lost.
    pub queue: usize,
}

/// A line in use; it ends when this is dropped.
pub struct Line {
    silent: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    /// Largest number of bytes that waited at a time, on their way to the instance.
    most: Arc<AtomicUsize>,
    ports: Arc<Mutex<Ports>>,
    /// Chooses the packets that get lost, in either direction.
    random: [Arc<Mutex<Rng>>; 2],
}

/// Ports of the user's end.
#[derive(Default)]
struct Ports {
    /// Those in use so far.
    seen: HashSet<u16>,
    /// Those whose packets get lost.
    lost: HashSet<u16>,
}

impl Line {
    /// Connects the ends. `seed` chooses the packets that get lost.
    pub fn between(near: &File, far: &File, shape: Shape, seed: u64) -> io::Result<Self> {
        let line = Self {
            silent: Arc::default(),
            over: Arc::default(),
            most: Arc::default(),
            ports: Arc::default(),
            random: [seed, !seed].map(|seed| Arc::new(Mutex::new(Rng::with_seed(seed)))),
        };
        let back = Shape { rate: 0, ..shape };
        let [there_random, back_random] = &line.random;
        for (from, to, shape, random, port_at) in
            [(near, far, shape, there_random, 0), (far, near, back, back_random, 2)]
        {
            let way = Way {
                shape,
                random: Arc::clone(random),
                silent: Arc::clone(&line.silent),
                over: Arc::clone(&line.over),
                ports: Arc::clone(&line.ports),
                port_at,
                queued: Arc::default(),
                most: if shape.rate > 0 { Arc::clone(&line.most) } else { Arc::default() },
            };
            let (from, to) = (from.try_clone()?, to.try_clone()?);
            let (sender, packets) = channel();
            let queued = Arc::clone(&way.queued);
            thread::spawn(move || deliver(&packets, &queued, to));
            thread::spawn(move || way.carry(from, &sender));
        }
        Ok(line)
    }

    /// Starts to lose packets as a line of `seed` does from its beginning.
    pub fn reseed(&self, seed: u64) {
        for (random, seed) in self.random.iter().zip([seed, !seed]) {
            lock(random).seed(seed);
        }
    }

    /// Forgets the existing connections, as a restarted router does: their packets get lost.
    pub fn forget(&self) {
        let mut ports = lock(&self.ports);
        let Ports { seen, lost } = &mut *ports;
        lost.clone_from(seen);
    }

    /// Returns the largest number of bytes that waited at a time, on their way to the instance.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// Loses everything, or stops to.
    pub fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Makes an end in the namespace of this thread. It works after [`settings`].
pub fn end() -> io::Result<File> {
    /// `TUNSETIFF` of `linux/if_tun.h`.
    const SET_DEVICE: libc::c_ulong = 0x4004_54ca;
    /// `IFF_TUN` and `IFF_NO_PI`.
    const FLAGS: i16 = 0x1001;
    let file =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    // `struct ifreq`: name, flags, padding.
    let mut request = [0_u8; 40];
    request[..DEVICE.len()].copy_from_slice(DEVICE.as_bytes());
    request[16..18].copy_from_slice(&FLAGS.to_ne_bytes());
    // SAFETY: TUNSETIFF reads and writes an `ifreq` of at most 40 bytes at the address; the descriptor is open.
    match unsafe { libc::ioctl(file.as_raw_fd(), SET_DEVICE, request.as_mut_ptr()) } {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns the arguments of `ip` that put an end into use: `ours` is its address, the other end has `theirs`, and TCP
/// uses the congestion control `congestion`.
pub fn settings(ours: &str, theirs: &str, congestion: &str) -> [String; 3] {
    [
        format!("address add {ours} peer {theirs} dev {DEVICE}"),
        // Long enough that only the line itself loses packets.
        format!("link set {DEVICE} up mtu {MTU} txqueuelen {QUEUE}"),
        format!("route replace {theirs} dev {DEVICE} congctl {congestion}"),
    ]
}

/// Locks what no panic leaves half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One direction.
struct Way {
    shape: Shape,
    random: Arc<Mutex<Rng>>,
    silent: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    ports: Arc<Mutex<Ports>>,
    /// Place of the user's port in the TCP header.
    port_at: usize,
    /// Bytes on the way.
    queued: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Way {
    /// Reads packets and decides when each arrives, until the line is over.
    fn carry(self, mut from: File, send: &Sender<(Instant, Vec<u8>)>) {
        let mut packet = vec![0; 2 * MTU];
        let mut free = Instant::now();
        while !self.over.load(Ordering::Relaxed) {
            let Ok(length) = from.read(&mut packet) else {
                let mut ready = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut ready, PollTimeout::from(100_u8));
                continue;
            };
            let is_full = self.shape.rate > 0 && self.queued.load(Ordering::Relaxed) > self.shape.queue;
            if is_full
                || self.is_forgotten(&packet[..length])
                || self.silent.load(Ordering::Relaxed)
                || lock(&self.random).u8(..100) < self.shape.loss
            {
                continue;
            }
            free = free.max(Instant::now());
            if self.shape.rate > 0 {
                let bytes = u32::try_from(length).unwrap_or(u32::MAX);
                free += Duration::from_secs(1) * bytes / self.shape.rate;
            }
            let queued = self.queued.fetch_add(length, Ordering::Relaxed) + length;
            self.most.fetch_max(queued, Ordering::Relaxed);
            if send.send((free + self.shape.delay, packet[..length].to_vec())).is_err() {
                return;
            }
        }
    }
}

impl Way {
    /// Returns true if a packet belongs to a forgotten connection.
    fn is_forgotten(&self, packet: &[u8]) -> bool {
        let start = usize::from(packet[0] & 15) * 4 + self.port_at;
        let Some(port) = packet.get(start..start + 2) else { return false };
        let port = u16::from_be_bytes([port[0], port[1]]);
        let mut ports = lock(&self.ports);
        ports.seen.insert(port);
        ports.lost.contains(&port)
    }
}

fn deliver(packets: &Receiver<(Instant, Vec<u8>)>, queued: &AtomicUsize, mut to: File) {
    for (due, packet) in packets {
        sleep(due.saturating_duration_since(Instant::now()));
        queued.fetch_sub(packet.len(), Ordering::Relaxed);
        // A full device loses packets.
        let _ = to.write(&packet);
    }
}
