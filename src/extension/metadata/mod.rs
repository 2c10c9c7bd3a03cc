//! What an extension says of itself, read without executing it.
//!
//! Three things can be said: `summary`, what it does in a line; `complete`, how it wants its words
//! completed ([`Completion`]); `man`, the name of its manual page. Each is taken from the first
//! place that tells it: a sidecar file, the comments at the top of a script, a note in a binary; a
//! summary at last also from the manual page. What is malformed is told as a fault and otherwise
//! passed over. Every read is bounded.

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

/// How long a summary may be, in characters.
const SUMMARY_MAX: usize = 200;
/// How many faults of one extension are told.
const FAULTS_MAX: usize = 8;

/// Where something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In `PREFIX/share/soong/extensions/NAME.toml`.
    Sidecar,
    /// In the comments at the top of a script.
    Header,
    /// In a note in a binary.
    Note,
    /// In the line NAME of the manual page.
    Manual,
}

impl Origin {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Header => "header",
            Self::Note => "note",
            Self::Manual => "manual",
        }
    }
}

/// How the words after an extension's name are completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Completion {
    /// It is run with `SOONG_COMPLETE=1` and answers in soong's own protocol.
    Soong,
    /// It is run as `clap_complete` wants it.
    Clap,
    /// It is run as cobra wants it.
    Cobra,
    /// It is not run; the shell has a completion of the command `soong-NAME`, or has none.
    #[default]
    Shell,
    /// There is nothing to complete.
    None,
}

impl Completion {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Soong, Self::Clap, Self::Cobra, Self::Shell, Self::None];

    /// The word that stands for it in metadata.
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

/// What an extension says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// What it does, in one line; fit to be shown.
    pub summary: Option<(String, Origin)>,
    /// How its words are completed.
    pub completion: Option<(Completion, Origin)>,
    /// The name of its manual page.
    pub manual: Option<String>,
    /// The sidecar file, where there is one.
    pub sidecar: Option<PathBuf>,
    /// What is wrong with what it says; fit to be shown.
    pub faults: Vec<String>,
}

impl Metadata {
    /// Reads all of it. `program` is where `soong-NAME` was found.
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

    /// How its words are completed, where it does not say.
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

    /// Takes over one entry, unless something before has said it already.
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

/// The prefixes a program may be installed under: seen from where it was found, and, where that is
/// a link, from where it leads.
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
