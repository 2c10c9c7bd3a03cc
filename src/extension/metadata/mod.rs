//! Metadata of extensions, read without executing them.
//!
//! There are three keys: `summary`, one line; `complete`, the kind of completion ([`Completion`]); `man`, the
//! name of the manual page. Each is taken from the first place that has it: a sidecar file, comments at the
//! top of a script, a note in a binary; a summary finally also from the manual page. Malformed entries are
//! reported as faults and otherwise ignored. All reads are bounded.

mod file;
mod header;
mod manual;
mod note;
mod sidecar;

use std::fs;
use std::path::{Path, PathBuf};

use self::file::{open, read_at};
pub use self::header::HEADER_SIZE;
use crate::extension::name::is_name;
use crate::terminal::printable;

/// Longest summary, in characters.
const SUMMARY_MAX: usize = 200;
/// Largest number of reported faults.
const FAULTS_MAX: usize = 8;

/// Place of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `PREFIX/share/soong/extensions/NAME.toml`.
    Sidecar,
    /// The comments at the top of a script.
    Header,
    /// A note in a binary.
    Note,
    /// The line under NAME of the manual page.
    Manual,
}

impl Origin {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Header => "header",
            Self::Note => "note",
            Self::Manual => "manual",
        }
    }
}

/// Kind of completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Completion {
    /// Runs the program with `SOONG_COMPLETE=1`; soong's own protocol.
    Soong,
    /// Runs the program in the manner of `clap_complete`.
    Clap,
    /// Runs the program in the manner of cobra.
    Cobra,
    /// Does not run the program; the shell completes `soong-NAME` if it can.
    #[default]
    Shell,
    /// Offers nothing.
    None,
}

impl Completion {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Soong, Self::Clap, Self::Cobra, Self::Shell, Self::None];

    /// Returns its word in metadata.
    pub fn word(self) -> &'static str {
        match self {
            Self::Soong => "soong",
            Self::Clap => "clap",
            Self::Cobra => "cobra",
            Self::Shell => "shell",
            Self::None => "none",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Metadata of an extension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// One-line summary, printable.
    pub summary: Option<(String, Origin)>,
    /// Kind of completion.
    pub completion: Option<(Completion, Origin)>,
    /// Name of its manual page.
    pub manual: Option<String>,
    /// Path of the sidecar file, if there is one.
    pub sidecar: Option<PathBuf>,
    /// Faults, printable.
    pub faults: Vec<String>,
}

impl Metadata {
    /// Reads all metadata. `program` is the path of `soong-NAME`.
    pub fn read(name: &str, program: &Path) -> Self {
        let mut metadata = Self::default();
        let prefixes = prefixes(program);
        metadata.read_sidecar(name, &prefixes);
        metadata.read_program(program);
        if metadata.summary.is_none() {
            let page = metadata.manual.clone().unwrap_or_else(|| format!("soong-{name}"));
            let summary = prefixes.iter().find_map(|prefix| manual::summary(prefix, &page));
            if let Some(summary) = summary {
                metadata.take("summary", &summary, Origin::Manual);
            }
        }
        metadata
    }

    /// Returns the kind of completion if none is given.
    pub fn kind(&self) -> Completion {
        self.completion.map(|(kind, _)| kind).unwrap_or_default()
    }

    fn read_sidecar(&mut self, name: &str, prefixes: &[PathBuf]) {
        for prefix in prefixes {
            let file = prefix.join("share/soong/extensions").join(format!("{name}.toml"));
            match sidecar::read(&file) {
                Ok(None) => {}
                Ok(Some(entries)) => {
                    self.take_all(&entries, Origin::Sidecar);
                    self.sidecar = Some(file);
                    return;
                }
                Err(fault) => {
                    self.fault(format!("{}: {fault}", file.display()));
                    return;
                }
            }
        }
    }

    fn read_program(&mut self, program: &Path) {
        let file = match open(program) {
            Ok(file) => file,
            Err(error) => {
                return self.fault(format!("cannot read it: {}", crate::error::io_reason(&error)));
            }
        };
        let head = read_at(&file, 0, HEADER_SIZE);
        if let Some(text) = note::find(&file, &head) {
            self.take_text(&text, Origin::Note);
        } else if !note::is_binary(&head) {
            self.take_text_header(&head);
        }
    }

    fn take_text(&mut self, text: &[u8], origin: Origin) {
        self.take_all(&header::entries_of_lines(text), origin);
    }

    fn take_text_header(&mut self, head: &[u8]) {
        self.take_all(&header::entries(head), Origin::Header);
    }

    fn take_all(&mut self, entries: &[(String, String)], origin: Origin) {
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in entries {
            if seen.contains(&key.as_str()) {
                self.fault(format!("{key} appears twice in its {}", origin.word()));
                continue;
            }
            seen.push(key);
            self.take(key, value, origin);
        }
    }

    /// Adds an entry, unless an earlier one has the key.
    fn take(&mut self, key: &str, value: &str, origin: Origin) {
        let value = value.trim();
        match key {
            "summary" if value.is_empty() => {
                self.fault(format!("its {} has an empty summary", origin.word()));
            }
            "summary" => {
                let clipped: String = value.chars().take(SUMMARY_MAX).collect();
                let dots = if clipped.len() < value.len() { "…" } else { "" };
                let summary = format!("{}{dots}", printable(&clipped));
                self.summary.get_or_insert((summary, origin));
            }
            "complete" => match Completion::from_word(value) {
                Some(kind) => {
                    self.completion.get_or_insert((kind, origin));
                }
                None => self.fault(format!(
                    "complete in its {} is \"{value}\", not one of {}",
                    origin.word(),
                    Completion::ALL.map(Completion::word).join(", ")
                )),
            },
            "man" if is_name(value.as_bytes()) => {
                self.manual.get_or_insert_with(|| value.to_owned());
            }
            "man" => self.fault(format!("man in its {} is \"{value}\", not a page name", origin.word())),
            other => self.fault(format!("its {} has the unknown key \"{other}\"", origin.word())),
        }
    }

    fn fault(&mut self, fault: impl AsRef<str>) {
        const SHOWN: usize = 300;
        if self.faults.len() < FAULTS_MAX {
            let clipped: String = fault.as_ref().chars().take(SHOWN).collect();
            self.faults.push(printable(&clipped).into_owned());
        }
    }
}

/// Returns the prefixes under which a program may be installed: by its path and, for a link, by its target.
pub fn prefixes(program: &Path) -> Vec<PathBuf> {
    let prefix = |file: &Path| file.parent().and_then(Path::parent).map(Path::to_path_buf);
    let mut prefixes: Vec<PathBuf> = prefix(program).into_iter().collect();
    if program.is_symlink()
        && let Ok(file) = fs::canonicalize(program)
        && let Some(other) = prefix(&file).filter(|other| !prefixes.contains(other))
    {
        prefixes.push(other);
    }
    prefixes
}

#[cfg(test)]
mod tests;
