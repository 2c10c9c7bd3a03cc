//! Inspects processes, and ends those that are provably the test's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::tools::tool;
use super::wait;

/// One process as the system shows it.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    is_stopped: bool,
    /// The command line, words separated by a space.
    pub command: String,
    /// Environment, one `NAME=value` after the other; empty for processes of other users.
    environment: String,
}

impl Process {
    /// Returns true if `text` occurs in the command line or environment.
    pub fn mentions(&self, text: &str) -> bool {
        self.command.contains(text) || self.environment.contains(text)
    }

    /// Returns the name of its program, without the directory.
    pub fn program(&self) -> &str {
        let first = self.command.split(' ').next().unwrap_or_default();
        first.rsplit('/').next().unwrap_or_default()
    }
}

/// Returns every live process: no zombies, and none that is exiting and has lost its command line.
pub fn all() -> Vec<Process> {
    if Path::new("/proc/self/environ").exists() {
        let entries = fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter_map(read).collect()
    } else {
        list()
    }
}

/// Returns true if `pid` is a live process in the sense of [`all`].
pub fn is_alive(pid: i32) -> bool {
    all().iter().any(|process| process.pid == pid)
}

/// Sends `signal` to `pid`. A process that has ended meanwhile is no error.
pub fn signal(pid: i32, signal: Signal) {
    assert!(pid > 1, "PID {pid} is nothing a test may signal");
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Sends `signal` to `pid` and its descendants.
pub fn signal_tree(pid: i32, signal: Signal) {
    self::signal(pid, signal);
    for child in all().iter().filter(|process| process.parent == pid) {
        signal_tree(child.pid, signal);
    }
}

/// Kills `pid` and all its descendants. Each process is stopped before its children are listed, so that none
/// can be forked in between.
pub fn kill_tree(pid: i32) {
    signal(pid, Signal::SIGSTOP);
    wait::until_true(&format!("process {pid} to stop"), || {
        all().iter().all(|process| process.pid != pid || process.is_stopped)
    });
    for child in all().iter().filter(|process| process.parent == pid) {
        kill_tree(child.pid);
    }
    signal(pid, Signal::SIGKILL);
}

/// Reads one process from Linux' /proc.
fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in brackets, which may itself hold spaces and brackets.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    Some(Process {
        pid,
        parent: fields.next()?.parse().ok()?,
        is_stopped: state.eq_ignore_ascii_case("t"),
        command: words(&format!("/proc/{pid}/cmdline")).filter(|command| !command.is_empty())?,
        environment: words(&format!("/proc/{pid}/environ")).unwrap_or_default(),
    })
}

/// Reads a file of NUL-terminated words, as text with spaces.
fn words(path: &str) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    Some(text.trim_end().to_owned())
}

/// Asks `ps`, where there is no /proc; `-E` appends the environment to the command line.
fn list() -> Vec<Process> {
    let output = Command::new(tool("ps"))
        .args(["-A", "-ww", "-E", "-o", "pid=,ppid=,stat=,command="])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let pid = fields.next()?.parse().ok()?;
            let parent = fields.next()?.parse().ok()?;
            let stat = fields.next()?;
            let command = fields.collect::<Vec<_>>().join(" ");
            let environment = String::new();
            let is_stopped = stat.starts_with('T');
            (!stat.starts_with('Z')).then_some(Process { pid, parent, is_stopped, command, environment })
        })
        .collect()
}
