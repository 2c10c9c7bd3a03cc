//! Looking at processes and ending those that are provably the test's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::tools::tool;

/// One process as the system shows it.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    /// The command line, words separated by a space.
    pub command: String,
    /// Environment, one `NAME=value` after the other; empty for processes of other users.
    environment: String,
}

impl Process {
    /// Whether `text` occurs in its command line or environment.
    pub fn mentions(&self, text: &str) -> bool {
        self.command.contains(text) || self.environment.contains(text)
    }

    /// Name of its program, without the directory.
    pub fn program(&self) -> &str {
        let first = self.command.split(' ').next().unwrap_or_default();
        first.rsplit('/').next().unwrap_or_default()
    }
}

/// Every process that is alive; zombies are not.
pub fn all() -> Vec<Process> {
    if Path::new("/proc/self/environ").exists() {
        let entries = fs::read_dir("/proc").unwrap();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter_map(read).collect()
    } else {
        list()
    }
}

/// Whether `pid` is a live process; a zombie is not.
pub fn is_alive(pid: i32) -> bool {
    all().iter().any(|process| process.pid == pid)
}

/// Sends `signal` to `pid`; a process that has gone meanwhile is no error.
pub fn signal(pid: i32, signal: Signal) {
    assert!(pid > 1, "PID {pid} is nothing a test may signal");
    let _ = kill(Pid::from_raw(pid), signal);
}

/// The live descendants of `pid`, children first.
pub fn descendants(pid: i32) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            parents.push(child.pid);
            found.push(child.clone());
        }
    }
    found
}

/// Reads one process from Linux' /proc.
fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in brackets, which may itself hold spaces and brackets.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    Some(Process {
        pid,
        parent: fields.next()?.parse().ok()?,
        command: words(&format!("/proc/{pid}/cmdline"))?,
        environment: words(&format!("/proc/{pid}/environ")).unwrap_or_default(),
    })
}

/// A file of NUL-terminated words, as text with spaces.
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
            (!stat.starts_with('Z')).then_some(Process { pid, parent, command, environment })
        })
        .collect()
}
