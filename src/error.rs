//! The one error type of the crate: what went wrong, what the user can do, and the exit code.
//!
//! An error's first line says what happened; its hints say how to get past it. How the two reach
//! the terminal is [`Error::report`]'s job, so that every program fails in the same words.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use nix::errno::Errno;

use crate::terminal::{self, printable};

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Exit code of a command that failed.
pub const EXIT_FAILED: u8 = 1;
/// Exit code of a command that was called the wrong way.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of `soong tunnel status` when no tunnel runs.
pub const EXIT_NOT_RUNNING: u8 = 3;
/// Exit code when a program that has to be run exists but cannot be executed (as in `sh`).
pub const EXIT_NOT_EXECUTABLE: u8 = 126;
/// Exit code when a program that has to be run does not exist (as in `sh`).
pub const EXIT_NOT_FOUND: u8 = 127;

/// Everything that can go wrong. Each kind knows its exit code and its hints.
#[derive(Debug)]
pub enum Error {
    /// The command line makes no sense.
    Usage {
        /// What is wrong with it.
        message: String,
        /// How to write it instead, a line each.
        hints: Vec<String>,
    },
    /// Something in `config.toml` is wrong.
    Config {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where one can be named.
        line: Option<usize>,
        /// What is wrong there.
        message: String,
        /// The fix, where one is known.
        hint: Option<String>,
    },
    /// The operating system refused something.
    Io {
        /// What was attempted: `cannot create /x`.
        action: String,
        /// Why it was refused.
        source: io::Error,
        /// The fix, where one is known.
        hint: Option<String>,
    },
    /// A command could not do what was asked.
    Failed {
        /// What happened.
        message: String,
        /// How to get past it, a line each.
        hints: Vec<String>,
    },
    /// A tunnel to this instance already runs.
    AlreadyRunning,
    /// The tunnel did not come up in time.
    TimedOut {
        /// Likely causes and what to do about them, a line each.
        hints: Vec<String>,
    },
    /// The tunnel could not be started, for a reason that ssh or the system gave.
    Start {
        /// The reason, in the words of whoever gave it.
        reason: String,
        /// How to get past it, a line each.
        hints: Vec<String>,
    },
    /// A program that soong has to run is not installed.
    ProgramMissing {
        /// Its name.
        program: String,
        /// How to install it.
        hint: String,
    },
    /// A program that soong has to run is there and cannot be executed.
    ProgramRefused {
        /// Where it is.
        program: PathBuf,
        /// Why it was refused.
        source: io::Error,
        /// What to do about it.
        hint: String,
    },
}

impl Error {
    /// A usage error without hints.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hints: Vec::new() }
    }

    /// A failure without hints.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hints: Vec::new() }
    }

    /// An operation on `path` that the system refused; `verb` as in "cannot `verb` PATH".
    pub fn io(verb: &str, path: &Path, source: io::Error) -> Self {
        Self::cannot(format_args!("{verb} {}", printable(&path.to_string_lossy())), source)
    }

    /// An operation that the system refused: `action` as in "cannot ACTION".
    pub fn cannot(action: impl fmt::Display, source: io::Error) -> Self {
        Self::Io { action: format!("cannot {action}"), source, hint: None }
    }

    /// Standard output could not be written to.
    pub fn output(source: io::Error) -> Self {
        Self::cannot("write", source)
    }

    /// A signal ended the command.
    pub fn interrupted() -> Self {
        Self::failed("interrupted")
    }

    /// The same error with a fix named; kinds that carry several hints gain one more.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Config { hint, .. } | Self::Io { hint, .. } => *hint = Some(text.into()),
            Self::Usage { hints, .. }
            | Self::Failed { hints, .. }
            | Self::TimedOut { hints }
            | Self::Start { hints, .. } => hints.push(text.into()),
            Self::ProgramMissing { hint, .. } | Self::ProgramRefused { hint, .. } => *hint = text.into(),
            Self::AlreadyRunning => {}
        }
        self
    }

    /// The exit code a program ends with when this error ends it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => EXIT_USAGE,
            Self::ProgramMissing { .. } => EXIT_NOT_FOUND,
            Self::ProgramRefused { .. } => EXIT_NOT_EXECUTABLE,
            _ => EXIT_FAILED,
        }
    }

    /// The ways out, a line each; empty where none is known.
    pub fn hints(&self) -> Vec<&str> {
        match self {
            Self::Config { hint, .. } | Self::Io { hint, .. } => hint.as_deref().into_iter().collect(),
            Self::Usage { hints, .. }
            | Self::Failed { hints, .. }
            | Self::TimedOut { hints }
            | Self::Start { hints, .. } => hints.iter().map(String::as_str).collect(),
            Self::ProgramMissing { hint, .. } | Self::ProgramRefused { hint, .. } => vec![hint],
            Self::AlreadyRunning => Vec::new(),
        }
    }

    /// Whether the first line stands by itself, without the program's name before it: the lines
    /// that scripts of earlier users already look for.
    fn stands_alone(&self) -> bool {
        matches!(self, Self::AlreadyRunning | Self::TimedOut { .. } | Self::Start { .. })
    }

    /// Writes the error to stderr as `PROGRAM: message`, then a `hint: …` line per hint.
    pub fn report(&self, program: &str) {
        let mut text = if self.stands_alone() { format!("{self}\n") } else { format!("{program}: {self}\n") };
        for hint in self.hints() {
            text.push_str(&format!("{} {hint}\n", terminal::hint_label()));
        }
        terminal::print_error(&text);
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { message, .. } | Self::Failed { message, .. } => f.write_str(message),
            Self::Config { path, line, message, .. } => {
                write!(f, "cannot read {}: ", printable(&path.to_string_lossy()))?;
                if let Some(line) = line {
                    write!(f, "line {line}: ")?;
                }
                f.write_str(message)
            }
            Self::Io { action, source, .. } => write!(f, "{action}: {}", io_reason(source)),
            Self::AlreadyRunning => f.write_str("Tunnel already running. Stop it first."),
            Self::TimedOut { .. } => f.write_str("SSH tunnel command timed out"),
            Self::Start { reason, .. } => write!(f, "Error starting tunnel: {reason}"),
            Self::ProgramMissing { program, .. } => write!(f, "{program} is not installed"),
            Self::ProgramRefused { program, source, .. } => {
                write!(f, "cannot execute {}: {}", printable(&program.to_string_lossy()), io_reason(source))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::ProgramRefused { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The system's own words for an error, without Rust's `(os error N)`.
pub fn io_reason(error: &io::Error) -> String {
    match errno(error) {
        Some(errno) => errno.desc().to_owned(),
        None => error.to_string(),
    }
}

/// The system's number for an error. tempfile wraps errors to add a path of its own, and then gives
/// the number away only as the standard library prints it.
pub fn errno(error: &io::Error) -> Option<Errno> {
    let printed = || error.to_string().split_once("(os error ")?.1.split_once(')')?.0.parse().ok();
    error.raw_os_error().or_else(printed).map(Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_lines_are_kept_to_the_letter() {
        let bind = Error::Start { reason: "bind: Address already in use".into(), hints: vec![] };
        assert_eq!(bind.to_string(), "Error starting tunnel: bind: Address already in use");
        assert_eq!(Error::AlreadyRunning.to_string(), "Tunnel already running. Stop it first.");
        assert_eq!(Error::TimedOut { hints: vec![] }.to_string(), "SSH tunnel command timed out");
    }

    #[test]
    fn system_errors_are_told_in_the_systems_words() {
        let error = Error::io("create", Path::new("/x"), io::Error::from_raw_os_error(libc::EROFS));
        assert_eq!(error.to_string(), "cannot create /x: Read-only file system");
        // tempfile wraps its errors.
        let wrapped = tempfile::NamedTempFile::new_in("/nonexistent").unwrap_err();
        assert_eq!(io_reason(&wrapped), "No such file or directory");
    }

    #[test]
    fn kinds_map_to_exit_codes() {
        assert_eq!(Error::usage("x").exit_code(), 2);
        assert_eq!(Error::failed("x").exit_code(), 1);
        let missing = Error::ProgramMissing { program: "ssh".into(), hint: String::new() };
        assert_eq!(missing.exit_code(), 127);
    }
}
