//! `soong-prompt`: the tunnels in one line, for programs other than shells, and for shells that show a
//! program's output.
//!
//! A prompt waits for it, so it only reads one file. The hooks in `shell/` need no process at all.

mod format;
mod segment;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde::Serialize;

use self::format::{Format, Style, render};
use self::segment::{Segment, Severity};
use crate::error::{Error, Result};
use crate::runtime::process;
use crate::runtime::prompt::{self, Entry};
use crate::system::paths::Paths;
use crate::system::time::now;
use crate::terminal::{self, Colour, print, printable, set_colour};
use crate::{command_line, suggest};

pub(crate) const HELP: &str = "Print the tunnels for a prompt or status line

Usage: soong prompt [--format FORMAT] [--color WHEN]

Options:
      --format FORMAT  plain, starship, tmux, zsh, bash, json [default: plain]
      --color WHEN     Colour output: auto, always, never [default: auto]
  -h, --help           Print help
  -V, --version        Print version

Prints nothing if no tunnel is running. Exits with 0 in both cases, as a prompt
must not fail. bash, zsh and fish show tunnels without this program; see
'soong help init'.

Examples:
  soong prompt
  set -g status-right '#(soong prompt --format tmux)'   in tmux.conf
  PROMPT='$(soong prompt --format zsh) '$PROMPT         with promptsubst, in zsh
";

/// The parsed command line.
enum Request {
    Show(Format),
    Help,
    Version,
}

/// Prints the segment, help or version.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let words: Vec<String> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut colour = Colour::Auto;
    let request = request(&words, &mut colour);
    set_colour(colour);
    let text = match request {
        Ok(Request::Show(format)) => show(format),
        Ok(Request::Help) => HELP.to_owned(),
        Ok(Request::Version) => format!("soong-prompt {}\n", env!("CARGO_PKG_VERSION")),
        Err(error) => return command_line::fail("soong-prompt", &error),
    };
    // A prompt cannot use an error.
    let _ = print(&text);
    ExitCode::SUCCESS
}

/// Returns an error unless the program accepts these words.
#[cfg(test)]
pub(crate) fn accepts(words: &[&str]) -> Result<()> {
    request(words, &mut Colour::Auto).map(drop)
}

/// Returns the names of all formats.
#[cfg(test)]
pub(crate) fn formats() -> impl Iterator<Item = &'static str> {
    Format::ALL.iter().map(|(name, _)| *name)
}

/// Parses the command line and the colour setting, the latter also if the rest is invalid.
fn request(words: &[&str], colour: &mut Colour) -> Result<Request> {
    let mut request = Request::Show(Format::Plain);
    let mut rest = words.iter().copied();
    while let Some(word) = rest.next() {
        match (word, word.split_once('=')) {
            ("-h" | "--help", _) => return Ok(Request::Help),
            ("-V" | "--version", _) => return Ok(Request::Version),
            ("--format", _) => request = Request::Show(named(rest.next())?),
            ("--color", _) => *colour = command_line::colour(rest.next())?,
            (_, Some(("--color", when))) => *colour = command_line::colour(Some(when))?,
            (_, Some(("--format", name))) => request = Request::Show(named(Some(name))?),
            _ => {
                return Err(Error::usage(format!("unexpected argument '{}'", printable(word)))
                    .with_hint("see 'soong prompt --help'"));
            }
        }
    }
    Ok(request)
}

fn named(name: Option<&str>) -> Result<Format> {
    const NAMES: &str = "choose one: plain, starship, tmux, zsh, bash, json";
    let Some(name) = name else { return Err(Error::usage("--format takes a value").with_hint(NAMES)) };
    Format::named(name).ok_or_else(|| {
        let hint = suggest::did_you_mean(name, Format::ALL.iter().map(|(name, _)| *name));
        Error::usage(format!("unknown format '{}'", printable(name)))
            .with_hint(hint.unwrap_or_else(|| NAMES.to_owned()))
    })
}

/// Output of `--format json`. Times are in seconds since the epoch.
#[derive(Serialize)]
struct Document<'a> {
    /// `SOONG_STATE`: `up`, `idle`, `down`, or empty without a tunnel.
    state: &'static str,
    /// `SOONG_TEXT`.
    text: String,
    tunnels: Vec<Tunnel<'a>>,
}

#[derive(Serialize)]
struct Tunnel<'a> {
    name: &'a str,
    state: String,
    lease_end: Option<u64>,
    ports: &'a [u16],
}

fn show(format: Format) -> String {
    let entries = Paths::from_env().map(|paths| prompt::read(&paths)).unwrap_or_default();
    let now = now();
    let limit = terminal::prompt_setting("SOONG_PROMPT_LEASE").and_then(|minutes| minutes.parse().ok());
    let segment = Segment::of(&entries, now, limit, is_alive);
    if format == Format::Json {
        return json(&entries, segment.as_ref(), now);
    }
    segment.map(|segment| render(&segment, format, &style()) + "\n").unwrap_or_default()
}

fn json(entries: &[Entry], segment: Option<&Segment>, now: u64) -> String {
    let state = match segment {
        None => "",
        Some(Segment { severity: Severity::Up, .. }) => "up",
        Some(Segment { severity: Severity::Idle, .. }) => "idle",
        Some(_) => "down",
    };
    let tunnels = entries.iter().map(|entry| Tunnel {
        name: &entry.name,
        state: Segment::of(std::slice::from_ref(entry), now, None, is_alive)
            .map_or_else(String::new, |one| one.word.into_owned()),
        lease_end: entry.lease_end,
        ports: &entry.ports,
    });
    let text = segment.map(|segment| segment.full_text().replace("..", "…")).unwrap_or_default();
    let document = Document { state, text, tunnels: tunnels.collect() };
    serde_json::to_string(&document).map_or_else(|_| String::new(), |json| json + "\n")
}

/// Returns true if the process lives, and is the supervisor that has `started` then if that is given. Uses the means of a
/// shell; detects zombies where their program is visible.
fn is_alive(pid: u32, started: Option<u64>) -> bool {
    if started.is_some() {
        return process::started(pid) == started;
    }
    if Path::new("/proc/self/exe").exists() {
        return Path::new(&format!("/proc/{pid}/exe")).exists();
    }
    i32::try_from(pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None).is_ok())
}

fn style() -> Style {
    let of = |part: &str| {
        ["IDLE", "UP", "WAIT", "DOWN"]
            .map(|severity| terminal::prompt_setting(&format!("SOONG_PROMPT_{part}_{severity}")))
    };
    let chosen =
        |name: &str| terminal::prompt_setting(name).is_some_and(|value| !value.is_empty() && value != "0");
    Style {
        template: terminal::prompt_setting("SOONG_PROMPT_FORMAT"),
        symbols: of("SYMBOL"),
        colors: of("COLOR"),
        ascii: chosen("SOONG_PROMPT_ASCII") || !terminal::shows_unicode(),
        colored: terminal::colours_prompt(),
    }
}
