//! The prompt file: what a shell can read of all tunnels without starting a process.
//!
//! A line per tunnel, its fields separated by single spaces:
//!
//! ```text
//! soong2 PID NOT_AFTER TTL STATE NAME LEASE_END PORTS SHOWN
//! ```
//!
//! A field is made of `[A-Za-z0-9._:,@-]` only, so that nothing in it means anything to a shell;
//! `-` stands for none. NAME identifies the tunnel; SHOWN is the instance's name as prompts show it, at
//! most 20 characters, with `..` where something was left out. Lines that begin with `soong1` lack SHOWN;
//! supervisors that run since before an update write them. A line is a promise that expires: it says "up" until NOT_AFTER (seconds since
//! the epoch), and its supervisor renews it while it knows that the link is alive. Readers believe
//! it no longer than that, and no longer than the process PID lives. TTL is the longest that a
//! promise can have left: one that has more was made before the clock was set back.
//!
//! Writers take turns, write beside the file and rename. The file is never removed: empty, it says
//! that there is no tunnel.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Result;
use crate::runtime::directory::Directory;
use crate::runtime::state::{Phase, State};
use crate::system::lock::lock;
use crate::system::paths::{self, Paths};
use crate::system::time::now;

/// What a line begins with; another number stands for another format.
const MARK: &str = "soong2";
/// Begins a line without the field SHOWN.
const MARK_BEFORE: &str = "soong1";

/// The longest shown name, and how much of a longer name is kept before and after the `..`.
const SHOWN_MAX: usize = 20;
const SHOWN_PARTS: (usize, usize) = (12, 6);

/// How long a supervisor that is alive and well waits before it renews its promise. Each renewal
/// wakes this machine up, and asks the far end for an answer.
pub const RENEWAL: Duration = Duration::from_secs(62);

/// How many seconds a promise holds: until the next renewal, and as long as that may take. It
/// bounds how long a prompt can be wrong about a supervisor that hangs. One that is gone, or that
/// knows its link to be lost, is not believed at all.
pub const TTL: u64 = 75;

/// How long to wait for another writer, which needs about a millisecond. Somebody's connections
/// are waiting meanwhile, so one that was stopped in the middle is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// The longest prompt file that is read, in bytes.
const FILE_MAX: u64 = 1 << 18;

/// What the file says of one tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The process that supervises it.
    pub pid: u32,
    /// The last second in which the line is to be believed, since the epoch.
    pub not_after: u64,
    /// The longest that can be left until then, in seconds.
    pub ttl: u64,
    /// What it is doing; `None` for what a later soong may write here.
    pub phase: Option<Phase>,
    /// Its name; see [`crate::config::instance::tunnel_name`].
    pub name: String,
    /// When the lease of its instance ends, in seconds since the epoch.
    pub lease_end: Option<u64>,
    /// Its local ports.
    pub ports: Vec<u16>,
    /// The name of its instance as prompts show it.
    pub shown: String,
}

impl Entry {
    /// What to say of the tunnel `name` that is in `state`, and whose link is alive if it is up.
    pub fn new(name: &str, state: &State) -> Self {
        Self {
            pid: state.pid,
            not_after: now() + TTL,
            ttl: TTL,
            phase: Some(state.phase),
            name: field(name),
            lease_end: state.daemon.as_ref().and_then(|facts| facts.lease_end).filter(|end| is_moment(*end)),
            ports: state.forwards.iter().map(|forward| forward.local).collect(),
            shown: shown(&state.instance.name).unwrap_or_else(|| field(name)),
        }
    }

    /// What `line` says; `None` where it is not a line of this format, to the letter.
    pub fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(' ').collect();
        let (pid, not_after, ttl, phase, name, lease_end, ports, shown) = match fields[..] {
            [MARK, pid, not_after, ttl, phase, name, lease_end, ports, shown] => {
                (pid, not_after, ttl, phase, name, lease_end, ports, shown)
            }
            [MARK_BEFORE, pid, not_after, ttl, phase, name, lease_end, ports] => {
                (pid, not_after, ttl, phase, name, lease_end, ports, name)
            }
            _ => return None,
        };
        let is_sound = |field: &&&str| !field.is_empty() && field.chars().all(is_plain);
        if fields.iter().filter(is_sound).count() != fields.len() {
            return None;
        }
        let ports = if ports == "-" { "" } else { ports };
        Some(Self {
            pid: number(pid, 7).filter(|pid| *pid > 1)?.try_into().ok()?,
            not_after: number(not_after, 12)?,
            ttl: number(ttl, 3)?,
            phase: word_phase(phase),
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

/// True for a lease end that readers take: [`number`] and the hooks of the shells read 12 digits, the
/// first of which is not 0.
fn is_moment(end: u64) -> bool {
    (1..1_000_000_000_000).contains(&end)
}

/// A decimal number of at most `digits` digits that does not begin with 0: what every shell takes
/// for the same number.
fn number(text: &str, digits: usize) -> Option<u64> {
    let plain =
        text.len() <= digits && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | ',' | '@' | '-')
}

/// `text` as a field: what does not belong there is shown as `_`.
fn field(text: &str) -> String {
    if text.is_empty() {
        "_".into()
    } else {
        text.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
    }
}

/// `name` in ASCII as far as it can be written so, shortened in the middle; what does not belong into a field is
/// shown as `_`. `None` where nothing readable is left.
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

fn phase_word(phase: Option<Phase>) -> &'static str {
    match phase {
        Some(Phase::Starting) => "starting",
        Some(Phase::Up) => "up",
        Some(Phase::Reconnecting) => "reconnecting",
        Some(Phase::Failed) => "failed",
        None => "unknown",
    }
}

fn word_phase(word: &str) -> Option<Phase> {
    [Phase::Starting, Phase::Up, Phase::Reconnecting, Phase::Failed]
        .into_iter()
        .find(|phase| phase_word(Some(*phase)) == word)
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, not_after, ttl, name, shown, .. } = self;
        let phase = phase_word(self.phase);
        let lease_end = self.lease_end.map_or_else(|| "-".to_owned(), |end| end.to_string());
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let ports = if ports.is_empty() { "-".to_owned() } else { ports.join(",") };
        write!(f, "{MARK} {pid} {not_after} {ttl} {phase} {name} {lease_end} {ports} {shown}")
    }
}

/// Says `entry` of its tunnel from now on, and no more of tunnels that are gone. The user's other
/// sessions, whose shells read other files, are told as well.
pub fn publish(paths: &Paths, entry: &Entry) -> Result<()> {
    everywhere(paths, |before| {
        let mut entries = remaining(paths, before, Some(&entry.name));
        entries.push(entry.clone());
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    })
}

/// Says no more of the tunnel `name`, nor of tunnels that are gone.
pub fn withdraw(paths: &Paths, name: &str) -> Result<()> {
    everywhere(paths, |before| remaining(paths, before, Some(&field(name))))
}

/// Says no more of tunnels that are gone. Failed tunnels stay listed until their error has been shown.
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

/// The entries but for that of `except`, and those whose tunnels are gone.
fn remaining(paths: &Paths, entries: &[Entry], except: Option<&str>) -> Vec<Entry> {
    let stays = |entry: &&Entry| except != Some(&entry.name) && is_current(paths, entry);
    entries.iter().filter(stays).cloned().collect()
}

/// Whether the tunnel runs, or failed and its reason can still be read.
fn is_current(paths: &Paths, entry: &Entry) -> bool {
    let Ok(own) = Directory::new(paths, &entry.name) else { return false };
    let mut all = std::iter::once(own).chain(Directory::elsewhere(paths, &entry.name));
    if entry.phase == Some(Phase::Failed) {
        let failed = |state: State| state.phase == Phase::Failed;
        return all.any(|directory| State::read(&directory).is_some_and(failed));
    }
    // Who cannot tell had better leave it to the reader, who looks at the process.
    all.any(|directory| directory.is_locked().unwrap_or(true))
}

/// What the file says, for those who may not complain: nothing when it is not there, not a file, or
/// not this user's.
pub fn read(paths: &Paths) -> Vec<Entry> {
    if !paths.check_runtime().unwrap_or(false) {
        return Vec::new();
    }
    let text = paths::read_own(&file_in(paths.runtime()), FILE_MAX).unwrap_or_default();
    text.lines().filter_map(Entry::parse).collect()
}

/// The prompt file of a runtime directory.
fn file_in(runtime: &Path) -> PathBuf {
    runtime.join("prompt")
}

/// Changes the file of this session, and those of the others as far as they can be.
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
