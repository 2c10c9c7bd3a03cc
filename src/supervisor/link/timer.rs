//! Long waits without wake-ups.
//!
//! The runtime keeps timers in wheels of growing steps and moves a distant one from wheel to wheel, waking
//! the machine each time. The kernel's timers do not.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The runtime's timers are cheaper to set, and good enough for shorter waits.
const LONG: Duration = Duration::from_secs(10);

/// Waits until `time`.
pub async fn until(time: Instant) {
    let left = time.saturating_duration_since(Instant::now());
    #[cfg(target_os = "linux")]
    if left >= LONG && kernel_waits(left).await.is_ok() {
        return;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (left, LONG);
    sleep_until(time).await;
}

#[cfg(target_os = "linux")]
async fn kernel_waits(time: Duration) -> std::io::Result<()> {
    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
    timer.set(Expiration::OneShot(TimeSpec::from(time)), TimerSetTimeFlags::empty())?;
    crate::supervisor::system_events::watched(timer.into())?.readable().await.map(drop)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_waits_as_long_as_it_is_told_to() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let begun = Instant::now();
        runtime.block_on(kernel_waits(Duration::from_millis(30))).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(30));
    }
}
