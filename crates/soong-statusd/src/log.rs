//! Log lines on standard error. Under systemd each begins with the priority that the journal reads
//! (`sd-daemon(3)`).

use std::io::Write;
use std::sync::OnceLock;

/// How serious a line is, with the number that the journal uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// An attempt to end the machine failed, or state was lost.
    Error = 3,
    /// A warning to users, or a setting that is unsafe.
    Warning = 4,
    /// Everything else.
    Info = 6,
}

/// Writes one line. Line breaks in `text` become spaces.
pub fn write(level: Level, text: &str) {
    static JOURNAL: OnceLock<bool> = OnceLock::new();
    #[allow(clippy::disallowed_methods, reason = "systemd says in the environment where stderr leads")]
    let journal = *JOURNAL.get_or_init(|| std::env::var_os("JOURNAL_STREAM").is_some());
    let text = text.replace(['\n', '\r'], " ");
    let line =
        if journal { format!("<{}>{text}\n", level as u8) } else { format!("soong-statusd: {text}\n") };
    // A closed log is no reason to stop guarding.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Writes a line of level [`Level::Info`].
pub fn info(text: &str) {
    write(Level::Info, text);
}

/// Writes a line of level [`Level::Warning`].
pub fn warning(text: &str) {
    write(Level::Warning, text);
}

/// Writes a line of level [`Level::Error`].
pub fn error(text: &str) {
    write(Level::Error, text);
}
