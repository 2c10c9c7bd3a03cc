//! The prompt file: the state of all tunnels, for shells that start no process.
//!
//! One line per tunnel, fields separated by single spaces:
//!
//! ```text
//! soong2 PID NOT_AFTER TTL STATE NAME LEASE_END PORTS SHOWN
//! ```
//!
//! A field consists of `[A-Za-z0-9._:,@-]` only, so that it has no meaning in a shell; `-` stands for none. NAME
//! identifies the tunnel. SHOWN is the instance's name for prompts, at most 20 characters, with `..` for an omission.
//! Lines that begin with `soong1` lack SHOWN; supervisors from before an update write them.
//!
//! An idle tunnel's supervisor sleeps until something connects, so it renews no promise. On Linux, its line names its
//! process instead, which readers look up in `/proc/PID/stat`:
//!
//! ```text
//! soong3 PID START STATE NAME LEASE_END PORTS SHOWN
//! ```
//!
//! START is the start of the process in clock ticks since boot. Readers believe the line while the process PID is called
//! `soong-supervisor`, has started at START, and is neither stopped nor a zombie: so a reused PID, also after a reboot,
//! shows nothing. STATE is `idle`, or what the user must mend before a connection can succeed: `needs-passphrase`. A
//! supervisor that hangs without being stopped can look idle until a connection tells.
//!
//! A line is a promise that expires: the supervisor claims to be up until NOT_AFTER (seconds since the epoch) and
//! renews the promise while it knows that the link is alive. Readers believe it no longer than that, and only while
//! the process PID lives. TTL is the longest remaining time of a promise: one with more was made before the clock was
//! set back.
//!
//! Writers lock, write a temporary file and rename it. The file is never removed: empty means no tunnel.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Result;
use crate::runtime::directory::Directory;
use crate::runtime::process;
use crate::runtime::state::{Phase, State};
use crate::system::lock::lock;
use crate::system::paths::{self, Paths};
use crate::system::time::now;

/// Prefix of a line; the number is the version of the format.
const MARK: &str = "soong2";
/// Prefix of a line without the field SHOWN.
const MARK_BEFORE: &str = "soong1";
/// Prefix of an idle tunnel's line.
const MARK_IDLE: &str = "soong3";

/// Longest shown name, and how much of a longer one is kept before and after the `..`.
const SHOWN_MAX: usize = 20;
const SHOWN_PARTS: (usize, usize) = (12, 6);

/// Interval at which a live supervisor renews its promise. Each renewal wakes this machine, and asks the far
/// end for an answer unless it has just given one.
pub const RENEWAL: Duration = Duration::from_secs(62);

/// Seconds for which a promise holds: one interval plus the time of a renewal. Limits how long a prompt can
/// be wrong about a supervisor that hangs. Readers do not believe one that is gone or whose link is lost.
pub const TTL: u64 = 75;

/// Time limit for other writers, which need about a millisecond. Connections wait meanwhile, so a suspended
/// writer is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Longest prompt file, in bytes.
const FILE_MAX: u64 = 1 << 18;

/// Line of one tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// PID of its supervisor.
    pub pid: u32,
    /// Condition under which the line is true.
    pub promise: Promise,
    /// State; `None` for one of a later version.
    pub phase: Option<Phase>,
    /// Fault that the user must mend, of an idle tunnel.
    pub blocked: Option<String>,
    /// Name; see [`crate::config::instance::tunnel_name`].
    pub name: String,
    /// End of the lease, in seconds since the epoch.
    pub lease_end: Option<u64>,
    /// Local ports.
    pub ports: Vec<u16>,
    /// The instance's name as prompts show it.
    pub shown: String,
}

/// Condition under which a line is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Until this second since the epoch, and at most `ttl` seconds before it.
    Until {
        /// Last second.
        not_after: u64,
        /// Longest time until then, in seconds.
        ttl: u64,
    },
    /// While the process runs that has started at this many clock ticks after boot.
    Process {
        /// Its start.
        started: u64,
    },
}

impl Promise {
    /// Returns the promise of this process for a tunnel in `phase`.
    fn new(phase: Phase) -> Self {
        let started = if phase == Phase::Idle { process::started(std::process::id()) } else { None };
        let until = Self::Until { not_after: now() + TTL, ttl: TTL };
        started.map_or(until, |started| Self::Process { started })
    }
}

impl Entry {
    /// Returns the line for the tunnel `name` in `state`; if it is up, its link is alive.
    pub fn new(name: &str, state: &State) -> Self {
        let lease_end = state.daemon.as_ref().and_then(|facts| facts.lease_end);
        // An idle tunnel does not hear of an extension.
        let lease_end = lease_end.filter(|end| is_moment(*end) && state.phase != Phase::Idle);
        Self {
            pid: state.pid,
            promise: Promise::new(state.phase),
            phase: Some(state.phase),
            blocked: state.blocked.as_deref().filter(|_| state.phase == Phase::Idle).map(field),
            name: field(name),
            lease_end,
            ports: state.services().map(|service| service.local).collect(),
            shown: shown(&state.instance.name).unwrap_or_else(|| field(name)),
        }
    }

    /// Parses `line`; `None` if it does not match the format exactly.
    pub fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(' ').collect();
        let until =
            |not_after, ttl| Some(Promise::Until { not_after: number(not_after, 12)?, ttl: number(ttl, 3)? });
        let (promise, rest) = match fields[..] {
            [MARK, _, not_after, ttl, ref rest @ ..] if rest.len() == 5 => (until(not_after, ttl)?, rest),
            [MARK_BEFORE, _, not_after, ttl, ref rest @ ..] if rest.len() == 4 => {
                (until(not_after, ttl)?, rest)
            }
            [MARK_IDLE, _, started, ref rest @ ..] if rest.len() == 5 => {
                (Promise::Process { started: number(started, 12)? }, rest)
            }
            _ => return None,
        };
        let [state, name, lease_end, ports] = *rest.first_chunk()?;
        let (pid, shown) = (fields[1], *rest.get(4).unwrap_or(&name));
        let is_sound = |field: &&&str| !field.is_empty() && field.chars().all(is_plain);
        if fields.iter().filter(is_sound).count() != fields.len() {
            return None;
        }
        let ports = if ports == "-" { "" } else { ports };
        let is_idle = matches!(promise, Promise::Process { .. });
        Some(Self {
            pid: number(pid, 7).filter(|pid| *pid > 1)?.try_into().ok()?,
            promise,
            phase: if is_idle { Some(Phase::Idle) } else { word_phase(state) },
            blocked: (is_idle && state != phase_word(Some(Phase::Idle))).then(|| state.to_owned()),
            name: name.to_owned(),
            lease_end: if lease_end == "-" { None } else { Some(number(lease_end, 12)?) },
            ports: ports
                .split(',')
                .filter(|port| !port.is_empty())
                .map(str::parse)
                .collect::<std::result::Result<_, _>>()
                .ok()?,
            shown: shown.to_owned(),
        })
    }
}

/// Returns true for a lease end that readers accept: [`number`] and the shell hooks read 12 digits without a
/// leading 0.
fn is_moment(end: u64) -> bool {
    (1..1_000_000_000_000).contains(&end)
}

/// Parses a decimal number of at most `digits` digits without a leading 0, which all shells read alike.
fn number(text: &str, digits: usize) -> Option<u64> {
    let plain =
        text.len() <= digits && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | ',' | '@' | '-')
}

/// Returns `text` as a field: replaces invalid characters by `_`.
fn field(text: &str) -> String {
    if text.is_empty() {
        "_".into()
    } else {
        text.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
    }
}

/// Returns `name` transliterated to ASCII and shortened in the middle; replaces invalid characters by `_`.
/// `None` if nothing readable is left.
fn shown(name: &str) -> Option<String> {
    let mut text = String::new();
    for c in any_ascii::any_ascii(name).chars() {
        if is_plain(c) {
            text.push(c);
        } else if !text.ends_with('_') {
            text.push('_');
        }
    }
    let text = text.trim_matches('_');
    if !text.contains(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let (head, tail) = SHOWN_PARTS;
    let long = text.len() > SHOWN_MAX;
    Some(if long { format!("{}..{}", &text[..head], &text[text.len() - tail..]) } else { text.to_owned() })
}

/// Returns the word for a phase.
pub fn phase_word(phase: Option<Phase>) -> &'static str {
    match phase {
        Some(Phase::Idle) => "idle",
        Some(Phase::Starting) => "starting",
        Some(Phase::Up) => "up",
        Some(Phase::Reconnecting) => "reconnecting",
        Some(Phase::Failed) => "failed",
        None => "unknown",
    }
}

fn word_phase(word: &str) -> Option<Phase> {
    [Phase::Idle, Phase::Starting, Phase::Up, Phase::Reconnecting, Phase::Failed]
        .into_iter()
        .find(|phase| phase_word(Some(*phase)) == word)
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, name, shown, .. } = self;
        let phase = self.blocked.as_deref().unwrap_or_else(|| phase_word(self.phase));
        let lease_end = self.lease_end.map_or_else(|| "-".to_owned(), |end| end.to_string());
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let ports = if ports.is_empty() { "-".to_owned() } else { ports.join(",") };
        match self.promise {
            Promise::Until { not_after, ttl } => write!(f, "{MARK} {pid} {not_after} {ttl}")?,
            Promise::Process { started } => write!(f, "{MARK_IDLE} {pid} {started}")?,
        }
        write!(f, " {phase} {name} {lease_end} {ports} {shown}")
    }
}

/// Writes `entry` and drops tunnels that are gone. Also updates the files of the user's other sessions, which
/// other shells read.
pub fn publish(paths: &Paths, entry: &Entry) -> Result<()> {
    everywhere(paths, |before| {
        let mut entries = remaining(paths, before, Some(&entry.name));
        entries.push(entry.clone());
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    })
}

/// Removes the tunnel `name` and tunnels that are gone.
pub fn withdraw(paths: &Paths, name: &str) -> Result<()> {
    everywhere(paths, |before| remaining(paths, before, Some(&field(name))))
}

/// Removes tunnels that are gone. Failed tunnels stay listed until their error has been shown.
pub fn tidy(paths: &Paths) -> Result<()> {
    paths.places().iter().try_for_each(|place| {
        let text = paths::read_own(&file_in(place), FILE_MAX).unwrap_or_default();
        let entries: Vec<Entry> = text.lines().filter_map(Entry::parse).collect();
        if text.lines().count() == entries.len() && remaining(paths, &entries, None).len() == entries.len() {
            return Ok(());
        }
        change(place, |before| remaining(paths, before, None))
    })
}

/// Returns the entries except that of `except` and those of tunnels that are gone.
fn remaining(paths: &Paths, entries: &[Entry], except: Option<&str>) -> Vec<Entry> {
    let places = paths.places();
    let stays = |entry: &&Entry| except != Some(&entry.name) && is_current(&places, entry);
    entries.iter().filter(stays).cloned().collect()
}

/// Returns true if the tunnel runs in one of the runtime directories `places`, or has failed with a reason that is still
/// readable.
fn is_current(places: &[PathBuf], entry: &Entry) -> bool {
    let mut all = Directory::in_places(places, &entry.name);
    if entry.phase == Some(Phase::Failed) {
        let failed = |state: State| state.phase == Phase::Failed;
        return all.any(|directory| State::read(&directory).is_some_and(failed));
    }
    // If that is unknown, readers check the process themselves.
    all.any(|directory| directory.is_locked().unwrap_or(true))
}

/// Returns the content of the file without errors: empty if it is missing, not a regular file, or not this
/// user's.
pub fn read(paths: &Paths) -> Vec<Entry> {
    if !paths.check_runtime().unwrap_or(false) {
        return Vec::new();
    }
    let text = paths::read_own(&file_in(paths.runtime()), FILE_MAX).unwrap_or_default();
    text.lines().filter_map(Entry::parse).collect()
}

/// Returns the prompt file of a runtime directory.
fn file_in(runtime: &Path) -> PathBuf {
    runtime.join("prompt")
}

/// Changes the files of all sessions; failures in other sessions are ignored.
fn everywhere(paths: &Paths, make: impl Fn(&[Entry]) -> Vec<Entry>) -> Result<()> {
    for place in paths.places().iter().filter(|place| *place != paths.runtime()) {
        let _ = change(place, &make);
    }
    paths.check_runtime()?;
    change(paths.runtime(), make)
}

fn change(runtime: &Path, change: impl FnOnce(&[Entry]) -> Vec<Entry>) -> Result<()> {
    let _lock = lock(&runtime.join("prompt.lock"), PATIENCE)?;
    let file = file_in(runtime);
    let before = paths::read_own(&file, FILE_MAX).ok();
    let entries: Vec<Entry> =
        before.as_deref().unwrap_or_default().lines().filter_map(Entry::parse).collect();
    let text: String = change(&entries).iter().map(|entry| format!("{entry}\n")).collect();
    if before.as_ref() == Some(&text) {
        return Ok(());
    }
    paths::write_atomically(&file, &text)
}

#[cfg(test)]
mod tests;
