//! The crate's error type: what happened, how to fix it, and the exit code.
//!
//! The first line says what happened; each hint says what to type. [`Error::report`] prints both, so that all
//! programs fail in the same format.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use nix::errno::Errno;

use crate::terminal::{self, printable};

/// Result of fallible functions of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Exit code of a command that failed.
pub const EXIT_FAILED: u8 = 1;
/// Exit code of wrong usage.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of `soong tunnel status` and `wait` if no tunnel is running.
pub const EXIT_NOT_RUNNING: u8 = 3;
/// Exit code if a program exists but cannot be executed, as in `sh`.
pub const EXIT_NOT_EXECUTABLE: u8 = 126;
/// Exit code if a program does not exist, as in `sh`.
pub const EXIT_NOT_FOUND: u8 = 127;

/// All errors. Each kind has its exit code and hints.
#[derive(Debug)]
pub enum Error {
    /// Wrong usage.
    Usage {
        /// Fault in the command line.
        message: String,
        /// Fixes, one per line.
        hints: Vec<String>,
    },
    /// Fault in `config.toml`.
    Config {
        /// Path of the file.
        path: PathBuf,
        /// Line, counted from 1, if known.
        line: Option<usize>,
        /// Description of the fault.
        message: String,
        /// Fix, if known.
        hint: Option<String>,
    },
    /// Refusal by the operating system.
    Io {
        /// Attempted action: `cannot create /x`.
        action: String,
        /// Reason of the refusal.
        source: io::Error,
        /// Fix, if known.
        hint: Option<String>,
    },
    /// Failure of a command.
    Failed {
        /// Description of the failure.
        message: String,
        /// Fixes, one per line.
        hints: Vec<String>,
    },
    /// A tunnel to this instance is already running.
    AlreadyRunning {
        /// The running tunnel, and the command that replaces it.
        hints: Vec<String>,
    },
    /// The tunnel was not up in time.
    TimedOut {
        /// Likely causes and fixes, one per line.
        hints: Vec<String>,
    },
    /// The tunnel could not be started; ssh or the system gave the reason.
    Start {
        /// The reason, in ssh's or the system's words.
        reason: String,
        /// Fixes, one per line.
        hints: Vec<String>,
    },
    /// A required program is not installed.
    ProgramMissing {
        /// Name of the program.
        program: String,
        /// How to install it.
        hint: String,
    },
    /// A required program exists but cannot be executed.
    ProgramRefused {
        /// Path of the program.
        program: PathBuf,
        /// Reason of the refusal.
        source: io::Error,
        /// Fix.
        hint: String,
    },
}

impl Error {
    /// Returns a usage error without hints.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hints: Vec::new() }
    }

    /// Returns a failure without hints.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hints: Vec::new() }
    }

    /// Returns the error for "cannot `verb` `path`".
    pub fn io(verb: &str, path: &Path, source: io::Error) -> Self {
        Self::cannot(format_args!("{verb} {}", printable(&path.to_string_lossy())), source)
    }

    /// Returns the error for "cannot `action`".
    pub fn cannot(action: impl fmt::Display, source: io::Error) -> Self {
        Self::Io { action: format!("cannot {action}"), source, hint: None }
    }

    /// Returns the error for a failed write to standard output.
    pub fn output(source: io::Error) -> Self {
        Self::cannot("write", source)
    }

    /// Returns the error for a command that a signal interrupted.
    pub fn interrupted() -> Self {
        Self::failed("interrupted")
    }

    /// Returns the error with `hint`; kinds with several hints gain one.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Config { hint, .. } | Self::Io { hint, .. } => *hint = Some(text.into()),
            Self::Usage { hints, .. }
            | Self::Failed { hints, .. }
            | Self::TimedOut { hints }
            | Self::AlreadyRunning { hints }
            | Self::Start { hints, .. } => hints.push(text.into()),
            Self::ProgramMissing { hint, .. } | Self::ProgramRefused { hint, .. } => *hint = text.into(),
        }
        self
    }

    /// Returns the exit code of a program that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => EXIT_USAGE,
            Self::ProgramMissing { .. } => EXIT_NOT_FOUND,
            Self::ProgramRefused { .. } => EXIT_NOT_EXECUTABLE,
            _ => EXIT_FAILED,
        }
    }

    /// Returns the hints, one per line.
    pub fn hints(&self) -> Vec<&str> {
        match self {
            Self::Config { hint, .. } | Self::Io { hint, .. } => hint.as_deref().into_iter().collect(),
            Self::Usage { hints, .. }
            | Self::Failed { hints, .. }
            | Self::TimedOut { hints }
            | Self::AlreadyRunning { hints }
            | Self::Start { hints, .. } => hints.iter().map(String::as_str).collect(),
            Self::ProgramMissing { hint, .. } | Self::ProgramRefused { hint, .. } => vec![hint],
        }
    }

    /// Returns true if the first line is printed without the program's name: the seed's lines, which scripts
    /// look for.
    fn stands_alone(&self) -> bool {
        matches!(self, Self::AlreadyRunning { .. } | Self::TimedOut { .. } | Self::Start { .. })
    }

    /// Prints `PROGRAM: message` and one `hint: …` line per hint to stderr.
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
            Self::AlreadyRunning { .. } => f.write_str("Tunnel already running. Stop it first."),
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

/// Returns the system's message for an error, without Rust's `(os error N)`.
pub fn io_reason(error: &io::Error) -> String {
    match errno(error) {
        Some(errno) => errno.desc().to_owned(),
        None => error.to_string(),
    }
}

/// Returns the system's error number. tempfile wraps errors to add a path, and shows the number only in their
/// text.
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
        assert_eq!(
            Error::AlreadyRunning { hints: vec![] }.to_string(),
            "Tunnel already running. Stop it first."
        );
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
