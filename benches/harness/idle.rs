//! Cost of an idle process according to Linux's `/proc`: memory and wake-ups.

use std::fs;
use std::time::Instant;

use super::statistics::Summary;

/// Returns a process's proportional share of memory (PSS), in MB.
pub fn megabytes(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() * 1024.0 / 1e6
}

/// Returns the load average of the last minute.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Returns the processor time of a process, in seconds.
pub fn processor_seconds(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let of_task = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks.into_iter().flatten().flatten().filter_map(of_task).sum::<f64>() / 1e9
}

/// Returns the children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Returns the voluntary context switches of a process: it was woken before each.
fn waits(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("status")).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<f64>().ok())
    };
    tasks.filter_map(of_task).sum()
}

/// Idle processes under observation.
#[derive(Debug)]
pub struct Rest {
    begun: Instant,
    /// Supervisors, and their context switches at the start.
    supervisors: Vec<(u32, f64)>,
    links: Vec<(u32, f64)>,
}

impl Rest {
    /// Starts to count for `supervisors` and their children.
    pub fn begin(supervisors: &[u32]) -> Self {
        let counted = |pid: u32| (pid, waits(pid));
        let links = supervisors.iter().flat_map(|pid| children(*pid)).map(counted).collect();
        Self { begun: Instant::now(), supervisors: supervisors.iter().copied().map(counted).collect(), links }
    }

    /// Returns the wake-ups per minute of a supervisor and of a child.
    pub fn wakeups_per_minute(&self) -> (Summary, Summary) {
        let minutes = self.begun.elapsed().as_secs_f64() / 60.0;
        let summary = |counted: &[(u32, f64)]| {
            Summary::of(counted.iter().map(|(pid, before)| (waits(*pid) - before) / minutes).collect())
        };
        (summary(&self.supervisors), summary(&self.links))
    }
}
