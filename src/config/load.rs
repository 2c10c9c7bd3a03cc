//! Loads `config.toml`: reads, checks and parses it.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::check;
use super::document::Document;
use super::settings::Config;
use crate::error::{Error, Result};
use crate::system::paths::Paths;
use crate::system::trust;
use crate::terminal::printable;
use crate::toml_text;

impl Config {
    /// Reads the config file; a missing one counts as empty. Refuses one that others could have written: its
    /// aliases, providers and ssh options run programs.
    pub fn load(paths: &Paths) -> Result<Self> {
        let file = paths.config_file();
        if let Some(fault) = trust::file_fault(file) {
            return Err(fault.refuse(file));
        }
        Self::parse(&read(file)?, file, paths)
    }

    /// Parses `text`; errors name `file`.
    pub fn parse(text: &str, file: &Path, paths: &Paths) -> Result<Self> {
        check::check(text, file)?;
        let at_fault = |message| Error::Config { path: file.into(), line: None, message, hint: None };
        let document: Document =
            toml_text::parse(text).map_err(|message| at_fault(printable(&message).into_owned()))?;
        document.into_config(paths).map_err(at_fault)
    }
}

/// Reads `file`, at most 1 MiB; a missing one counts as empty.
pub fn read(file: &Path) -> Result<String> {
    const LIMIT: u64 = 1 << 20;
    let bytes = || -> io::Result<Vec<u8>> {
        let kind = fs::metadata(file)?.file_type();
        if kind.is_fifo() || kind.is_socket() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        fs::File::open(file)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LIMIT {
            return Err(io::Error::other("larger than 1 MiB"));
        }
        Ok(bytes)
    };
    let bytes = match bytes() {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(Error::io("read", file, error)),
    };
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::Config {
            path: file.into(),
            line: Some(line),
            message: "not valid UTF-8".into(),
            hint: Some("save the file as UTF-8".into()),
        }
    })
}
