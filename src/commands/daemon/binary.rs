//! The program to install: found, read, and compared with the instance's processor.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::system::paths;
use crate::terminal::printable;

/// A program for Linux.
pub(super) struct Binary {
    pub bytes: Vec<u8>,
    /// Processor, as `uname -m` calls it.
    machine: &'static str,
    path: PathBuf,
}

const PROGRAM: &str = "soong-statusd";

impl Binary {
    /// Reads `file`, or soong-statusd beside soong.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        let path = match file {
            Some(file) => file.to_owned(),
            None => beside_soong()?,
        };
        let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        let machine = machine(&bytes).ok_or_else(|| {
            Error::failed(format!("{} is not a Linux program for x86-64 or ARM64", shown(&path)))
                .with_hint("build it on Linux: cargo build --release --package soong-statusd")
        })?;
        Ok(Self { bytes, machine, path })
    }

    /// Refuses an instance on which the program cannot run.
    pub fn check(&self, system: &str, machine: &str) -> Result<()> {
        if system != "Linux" {
            return Err(Error::failed(format!("the instance runs {}, not Linux", printable(system))));
        }
        let machine = if machine == "arm64" { "aarch64" } else { machine };
        if machine != self.machine {
            let error = Error::failed(format!(
                "{} is for {}, the instance has {}",
                shown(&self.path),
                self.machine,
                printable(machine)
            ));
            return Err(error.with_hint("pass a program for its processor: --binary FILE"));
        }
        Ok(())
    }
}

fn beside_soong() -> Result<PathBuf> {
    let file = paths::own_directory().map(|directory| directory.join(PROGRAM));
    file.filter(|file| file.is_file()).ok_or_else(|| {
        Error::failed("no soong-statusd beside soong")
            .with_hint("build it: cargo build --release --package soong-statusd")
            .with_hint("then pass it: --binary target/release/soong-statusd")
    })
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// Returns the processor of a 64-bit little-endian ELF program.
fn machine(bytes: &[u8]) -> Option<&'static str> {
    let header = bytes.first_chunk::<20>()?;
    let (magic, class) = (&header[..4], &header[4..6]);
    if magic != b"\x7fELF" || class != [2, 1] {
        return None;
    }
    match u16::from_le_bytes([header[18], header[19]]) {
        62 => Some("x86_64"),
        183 => Some("aarch64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u8) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[18] = machine;
        bytes
    }

    #[test]
    fn the_processor_is_read_from_the_program() {
        assert_eq!(machine(&elf(62)), Some("x86_64"));
        assert_eq!(machine(&elf(183)), Some("aarch64"));
        for bytes in [elf(3), b"#!/bin/sh\n".to_vec(), Vec::new(), b"\x7fELF\x01\x01".repeat(9)] {
            assert_eq!(machine(&bytes), None);
        }
    }

    #[test]
    fn another_system_or_processor_is_refused() {
        let binary = Binary { bytes: Vec::new(), machine: "aarch64", path: "x".into() };
        binary.check("Linux", "aarch64").unwrap();
        binary.check("Linux", "arm64").unwrap();
        let error = binary.check("Linux", "x86_64").unwrap_err();
        assert_eq!(error.to_string(), "x is for aarch64, the instance has x86_64");
        assert!(binary.check("FreeBSD", "aarch64").is_err());
    }
}
