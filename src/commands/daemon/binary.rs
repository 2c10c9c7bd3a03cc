//! The program to install: found, read, and compared with the instance's processor.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::system::paths;
use crate::terminal::printable;

/// A program for the instance.
pub(super) struct Binary {
    pub bytes: Vec<u8>,
}

/// Programs that can be installed, by processor.
#[derive(Debug)]
pub(super) struct Candidates(Vec<Candidate>);

#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    /// Processor, as `uname -m` calls it.
    machine: &'static str,
}

const PROGRAM: &str = "soong-statusd";

/// Processors of instances: the name in `uname -m`, and in the header of an ELF program.
const MACHINES: [(&str, u16); 2] = [("x86_64", 62), ("aarch64", 183)];

impl Candidates {
    /// Returns `file`, or the programs that are installed with soong.
    pub fn find(file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else { return Self::installed() };
        let machine = machine_of(file).map_err(|error| Error::io("read", file, error))?;
        let machine = machine.ok_or_else(|| {
            Error::failed(format!("{} is not a Linux program for x86-64 or ARM64", shown(file)))
                .with_hint("build it on Linux: cargo build --release --package soong-statusd")
        })?;
        Ok(Self(vec![Candidate { path: file.to_owned(), machine }]))
    }

    /// Returns the programs beside soong, where cargo builds them, and in `lib/soong`, where packages put them.
    fn installed() -> Result<Self> {
        let own = paths::own_directory();
        let directories = own.iter().flat_map(|own| [own.clone(), own.with_file_name("lib").join("soong")]);
        let names = MACHINES.map(|(machine, _)| format!("{PROGRAM}-{machine}"));
        let files = directories.flat_map(|directory| {
            std::iter::once(PROGRAM)
                .chain(names.iter().map(String::as_str))
                .map(move |name| directory.join(name))
        });
        // A program for this machine, such as the one of a macOS build, is no candidate.
        let candidates: Vec<_> =
            files.filter_map(|path| Some(Candidate { machine: machine_of(&path).ok()??, path })).collect();
        if candidates.is_empty() {
            return Err(Error::failed("soong-statusd is not installed with soong")
                .with_hint("build it on Linux: cargo build --release --package soong-statusd")
                .with_hint("then pass it: --binary target/release/soong-statusd"));
        }
        Ok(Self(candidates))
    }

    /// Reads the program for an instance with this `system` and processor `machine`, in words of uname(1).
    pub fn choose(&self, system: &str, machine: &str) -> Result<Binary> {
        let candidate = self.matching(system, machine)?;
        let bytes = fs::read(&candidate.path).map_err(|error| Error::io("read", &candidate.path, error))?;
        Ok(Binary { bytes })
    }

    fn matching(&self, system: &str, machine: &str) -> Result<&Candidate> {
        if system != "Linux" {
            return Err(Error::failed(format!("the instance runs {}, not Linux", printable(system))));
        }
        let machine = if machine == "arm64" { "aarch64" } else { machine };
        if let Some(candidate) = self.0.iter().find(|candidate| candidate.machine == machine) {
            return Ok(candidate);
        }
        let present =
            self.0.iter().map(|candidate| format!("{} is for {}", shown(&candidate.path), candidate.machine));
        let present = present.collect::<Vec<_>>().join(", ");
        let error = Error::failed(format!("{present}, the instance has {}", printable(machine)));
        Err(match MACHINES.iter().find(|(known, _)| *known == machine) {
            Some((known, _)) => {
                let target = format!("{known}-unknown-linux-gnu");
                error
                    .with_hint(format!(
                        "build one for it: cargo build --release --package soong-statusd --target {target}"
                    ))
                    .with_hint(format!("then pass it: --binary target/{target}/release/soong-statusd"))
            }
            None => error.with_hint("soong-statusd runs on x86-64 and ARM64 only"),
        })
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// Returns the processor of the program `file`; `None` if it is no program for [`MACHINES`].
fn machine_of(file: &Path) -> std::io::Result<Option<&'static str>> {
    let mut header = Vec::new();
    File::open(file)?.take(HEADER as u64).read_to_end(&mut header)?;
    Ok(machine(&header))
}

/// The part of an ELF header that names the processor, in bytes.
const HEADER: usize = 20;

/// Returns the processor of a 64-bit little-endian ELF program.
fn machine(bytes: &[u8]) -> Option<&'static str> {
    let header = bytes.first_chunk::<HEADER>()?;
    let (magic, class) = (&header[..4], &header[4..6]);
    if magic != b"\x7fELF" || class != [2, 1] {
        return None;
    }
    let number = u16::from_le_bytes([header[18], header[19]]);
    MACHINES.iter().find(|(_, known)| *known == number).map(|(name, _)| *name)
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
    fn the_program_for_the_instance_is_chosen_and_another_system_or_processor_refused() {
        let candidate = |path: &str, machine| Candidate { path: path.into(), machine };
        let arm = Candidates(vec![candidate("a", "aarch64")]);
        assert!(arm.matching("Linux", "aarch64").is_ok() && arm.matching("Linux", "arm64").is_ok());
        let error = arm.matching("Linux", "x86_64").unwrap_err();
        assert_eq!(error.to_string(), "a is for aarch64, the instance has x86_64");
        assert!(error.hints()[0].ends_with("--target x86_64-unknown-linux-gnu"), "{:?}", error.hints());
        let error = arm.matching("Linux", "riscv64").unwrap_err();
        assert!(error.hints()[0].contains("x86-64 and ARM64 only"), "{:?}", error.hints());
        assert!(arm.matching("FreeBSD", "aarch64").is_err());
        let both =
            Candidates(vec![candidate("a", "aarch64"), candidate("x", "x86_64"), candidate("y", "x86_64")]);
        assert_eq!(both.matching("Linux", "x86_64").unwrap().path, Path::new("x"));
    }
}
