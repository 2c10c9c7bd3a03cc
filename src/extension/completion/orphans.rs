//! Ends processes that a program left in other process groups. On Linux, they become children of this
//! process, which identifies them. Elsewhere only the group is ended.
//!
//! For programs without other children that do nothing else meanwhile.

#[cfg(not(target_os = "linux"))]
pub(super) fn adopt() {}

#[cfg(not(target_os = "linux"))]
pub(super) fn terminate() {}

#[cfg(target_os = "linux")]
pub(super) use self::linux::{adopt, terminate};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use nix::sys::prctl::set_child_subreaper;
    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::{WaitPidFlag, waitpid};
    use nix::unistd::Pid;

    /// Time for killed processes to end.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// Makes orphaned processes children of this one from now on.
    pub(crate) fn adopt() {
        // Without support by the system, the process group must suffice.
        let _ = set_child_subreaper(true);
    }

    /// Kills all children and their children until there are none.
    pub(crate) fn terminate() {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let children = children();
            if children.is_empty() || Instant::now() >= deadline {
                return;
            }
            for child in children {
                // Not reaped yet, so its PID is still its own.
                let _ = kill(child, Signal::SIGKILL);
                if !matches!(waitpid(child, Some(WaitPidFlag::WNOHANG)), Ok(status) if status.pid().is_some())
                {
                    sleep(Duration::from_millis(1));
                }
            }
        }
    }

    /// Returns the children of all threads of this process, according to the kernel.
    fn children() -> Vec<Pid> {
        let Ok(threads) = fs::read_dir("/proc/self/task") else { return Vec::new() };
        let lists =
            threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        lists
            .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
            .map(Pid::from_raw)
            .collect()
    }
}
