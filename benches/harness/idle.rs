//! Cost of an idle process according to Linux's `/proc`: memory and wake-ups.

use std::fs;
use std::time::Instant;

use super::statistics::Summary;

/// The share of memory of a process (PSS), in MB.
pub fn megabytes(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() * 1024.0 / 1e6
}

/// The load of the machine in the last minute.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// How many seconds of a processor a process has used.
pub fn processor_seconds(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let of_task = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks.into_iter().flatten().flatten().filter_map(of_task).sum::<f64>() / 1e9
}

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// How often a process has begun to wait: each time, something had woken it before.
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

/// Processes that are left alone.
#[derive(Debug)]
pub struct Rest {
    begun: Instant,
    /// Supervisors, and how often they had waited in the beginning.
    supervisors: Vec<(u32, f64)>,
    links: Vec<(u32, f64)>,
}

impl Rest {
    /// Begins to count for `supervisors` and their children.
    pub fn begin(supervisors: &[u32]) -> Self {
        let counted = |pid: u32| (pid, waits(pid));
        let links = supervisors.iter().flat_map(|pid| children(*pid)).map(counted).collect();
        Self { begun: Instant::now(), supervisors: supervisors.iter().copied().map(counted).collect(), links }
    }

    /// Wake-ups of a supervisor, and of a child, in a minute.
    pub fn wakeups_per_minute(&self) -> (Summary, Summary) {
        let minutes = self.begun.elapsed().as_secs_f64() / 60.0;
        let summary = |counted: &[(u32, f64)]| {
            Summary::of(counted.iter().map(|(pid, before)| (waits(*pid) - before) / minutes).collect())
        };
        (summary(&self.supervisors), summary(&self.links))
    }
}
