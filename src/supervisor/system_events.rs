//! Detects events after which a link needs a check: the machine slept, or its network changed.
//!
//! Without polling if the system can tell. On Linux, a timer that is cancelled when the clock jumps, as on
//! waking, and a netlink socket; elsewhere, the clocks and the outgoing address are compared at intervals.

use std::fmt;
use std::time::Duration;

/// Time for a link to answer after such an event. After waking, a radio needs seconds to find its network; a
/// link that returns in time keeps its connections.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemEvent {
    /// The machine slept.
    Woke,
    /// An interface, address or route changed.
    NetworkChanged,
}

impl fmt::Display for SystemEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Woke => "the machine woke up",
            Self::NetworkChanged => "the network changed",
        })
    }
}

/// A gap between the clocks that is more than the time between two readings.
const SLEPT: Duration = Duration::from_secs(1);

/// Compares the clock that continues during sleep with the one that stops.
#[derive(Debug)]
struct SleepMeter {
    asleep: Duration,
}

impl SleepMeter {
    fn new() -> Self {
        Self { asleep: time_asleep() }
    }

    /// Returns true if the machine slept since the last call.
    fn slept(&mut self) -> bool {
        self.slept_by(time_asleep())
    }

    fn slept_by(&mut self, asleep: Duration) -> bool {
        let slept = asleep.saturating_sub(self.asleep) >= SLEPT;
        self.asleep = asleep;
        slept
    }
}

/// Returns the time that the machine has slept since boot.
fn time_asleep() -> Duration {
    use nix::time::{ClockId, clock_gettime};

    #[cfg(target_os = "linux")]
    let (going_on, standing_still) = (ClockId::CLOCK_BOOTTIME, ClockId::CLOCK_MONOTONIC);
    // On macOS, MONOTONIC continues and UPTIME_RAW stops.
    #[cfg(not(target_os = "linux"))]
    let (going_on, standing_still) = (ClockId::CLOCK_MONOTONIC, ClockId::from_raw(libc::CLOCK_UPTIME_RAW));

    let read = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    // The stopping clock is read first: a pause in between must not look like sleep that is undone later.
    let still = read(standing_still);
    read(going_on).saturating_sub(still)
}

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Watch;
#[cfg(target_os = "linux")]
pub use linux::{Watch, watched};

#[cfg(target_os = "linux")]
mod linux {
    use std::future::pending;
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use nix::sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
    };
    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::time::sleep;

    use crate::supervisor::system_events::{SleepMeter, SystemEvent};

    /// Changes come in bursts; the last one counts.
    const SETTLE: Duration = Duration::from_millis(300);

    /// Waits for events. If the system refuses one source, the other one remains.
    #[derive(Debug)]
    pub struct Watch {
        counters: SleepMeter,
        clock: Option<AsyncFd<OwnedFd>>,
        network: Option<AsyncFd<OwnedFd>>,
    }

    impl Watch {
        /// Starts watching.
        pub fn new() -> Self {
            Self { counters: SleepMeter::new(), clock: clock().ok(), network: network().ok() }
        }

        /// Watches nothing.
        pub fn none() -> Self {
            Self { counters: SleepMeter::new(), clock: None, network: None }
        }

        /// Returns the next event. Cancel-safe.
        pub async fn next(&mut self) -> SystemEvent {
            loop {
                tokio::select! {
                    () = jumped(self.clock.as_ref()) => {
                        // Set again before the clocks are read, so that no jump is missed.
                        self.clock = clock().ok();
                        if self.counters.slept() {
                            return SystemEvent::Woke;
                        }
                    }
                    () = changed(self.network.as_ref()) => {
                        sleep(SETTLE).await;
                        drain(self.network.as_ref());
                        let slept = self.counters.slept();
                        return if slept { SystemEvent::Woke } else { SystemEvent::NetworkChanged };
                    }
                }
            }
        }
    }

    /// A timer on the wall clock, far in the future, that is cancelled when the clock jumps
    /// (`timerfd_create(2)`, `TFD_TIMER_CANCEL_ON_SET`), as on waking.
    fn clock() -> io::Result<AsyncFd<OwnedFd>> {
        const FAR_AWAY: i64 = 1 << 40;
        let timer =
            TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        timer.set(Expiration::OneShot(TimeSpec::new(FAR_AWAY, 0)), flags)?;
        watched(OwnedFd::from(timer))
    }

    /// Watches a descriptor for readability.
    pub fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
        // SAFETY: an OwnedFd is open, and is the same descriptor until it is dropped, which the
        // AsyncFd that owns it sees to after it has stopped watching.
        Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
    }

    async fn jumped(clock: Option<&AsyncFd<OwnedFd>>) {
        match clock {
            // Readable means cancelled: its time never comes.
            Some(clock) if clock.readable().await.is_ok() => {}
            _ => pending().await,
        }
    }

    /// A socket with the kernel's messages about links, addresses and routes (`rtnetlink(7)`).
    fn network() -> io::Result<AsyncFd<OwnedFd>> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        let groups = libc::RTMGRP_LINK
            | libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV6_ROUTE;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups.unsigned_abs()))?;
        watched(socket)
    }

    async fn changed(network: Option<&AsyncFd<OwnedFd>>) {
        match network {
            Some(network) if network.readable().await.is_ok() => {}
            _ => pending().await,
        }
    }

    /// Reads all messages; their content does not matter.
    fn drain(network: Option<&AsyncFd<OwnedFd>>) {
        let Some(network) = network else { return };
        let mut buffer = [0; 8192];
        loop {
            let taken = network
                .try_io_read(|socket| Ok(recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT)?));
            if taken.is_err() {
                return;
            }
        }
    }

    /// Reads without waiting, so that readiness is cleared when nothing is left.
    trait TryIo {
        fn try_io_read(&self, read: impl FnMut(&OwnedFd) -> io::Result<usize>) -> io::Result<usize>;
    }

    impl TryIo for AsyncFd<OwnedFd> {
        fn try_io_read(&self, mut read: impl FnMut(&OwnedFd) -> io::Result<usize>) -> io::Result<usize> {
            self.try_io(Interest::READABLE, &mut read)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::net::{IpAddr, UdpSocket};
    use std::time::Duration;

    use tokio::time::sleep;

    use crate::supervisor::system_events::{SleepMeter, SystemEvent};

    const INTERVAL: Duration = Duration::from_secs(5);

    /// Waits for events.
    #[derive(Debug)]
    pub struct Watch {
        counters: SleepMeter,
        source: Option<IpAddr>,
    }

    impl Watch {
        /// Starts watching.
        pub fn new() -> Self {
            Self { counters: SleepMeter::new(), source: source() }
        }

        /// Returns a watch that costs nothing until it is asked.
        pub fn none() -> Self {
            Self { counters: SleepMeter::new(), source: None }
        }

        /// Returns the next event. Cancel-safe.
        pub async fn next(&mut self) -> SystemEvent {
            loop {
                sleep(INTERVAL).await;
                if self.counters.slept() {
                    self.source = source();
                    return SystemEvent::Woke;
                }
                let source = source();
                if source != self.source {
                    self.source = source;
                    return SystemEvent::NetworkChanged;
                }
            }
        }
    }

    /// Returns the source address of packets to the internet. Connecting a UDP socket only consults the
    /// routing table; nothing is sent. 192.0.2.1 is reserved for documentation (RFC 5737).
    fn source() -> Option<IpAddr> {
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect("192.0.2.1:9").ok()?;
        Some(socket.local_addr().ok()?.ip())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_awake_has_not_slept() {
        assert!(!SleepMeter::new().slept());
    }

    #[test]
    fn a_sleep_is_told_once() {
        let mut counters = SleepMeter { asleep: Duration::from_secs(100) };
        assert!(!counters.slept_by(Duration::from_millis(100_900)));
        assert!(counters.slept_by(Duration::from_secs(160)));
        assert!(!counters.slept_by(Duration::from_secs(160)));
        assert!(!counters.slept_by(Duration::from_secs(159)), "clocks are not read at one moment");
    }
}
