//! Ending what a program left running after it has left its process group: on Linux, such processes
//! become children of this one, and so are known to be the program's. Elsewhere the group has to do.
//!
//! For programs that have no other children and do nothing else meanwhile.

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

    /// How long killed processes may take to go.
    const PATIENCE: Duration = Duration::from_millis(500);

    /// From now on, processes whose parents have ended become children of this one.
    pub(crate) fn adopt() {
        // Where the system cannot do that, the process group has to do.
        let _ = set_child_subreaper(true);
    }

    /// Kills all children, and theirs, until there are none.
    pub(crate) fn terminate() {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let children = children();
            if children.is_empty() || Instant::now() >= deadline {
                return;
            }
            for child in children {
                // It was not waited for yet, so its number is still its own.
                let _ = kill(child, Signal::SIGKILL);
                if !matches!(waitpid(child, Some(WaitPidFlag::WNOHANG)), Ok(status) if status.pid().is_some())
                {
                    sleep(Duration::from_millis(1));
                }
            }
        }
    }

    /// The children of all threads of this process, according to the kernel.
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
