//! `soong ext check`: faults of an extension, and advice. Reads the program and executes nothing.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use crate::built_in::{is_built_in, is_helper};
use crate::command_line;
use crate::error::{EXIT_FAILED, Error, Result};
use crate::extension::metadata::{Completion, Metadata};
use crate::extension::{PREFIX, is_name};
use crate::system::paths;
use crate::system::script;
use crate::system::trust;
use crate::terminal::printable;

/// Findings.
#[derive(Debug, Default)]
struct Findings {
    /// Faults that keep it from working.
    faults: Vec<String>,
    /// Advice.
    advice: Vec<String>,
    /// Parts that are right.
    well: Vec<String>,
}

/// Checks `file`; returns the exit code.
pub(super) fn check(file: &Path) -> Result<u8> {
    let file = std::path::absolute(file).map_err(|error| Error::io("find", file, error))?;
    let metadata = fs::metadata(&file).map_err(|error| Error::io("read", &file, error))?;
    if !metadata.is_file() {
        let kind = if metadata.file_type().is_fifo() { "a pipe" } else { "not a regular file" };
        return Err(Error::failed(format!("{} is {kind}", printable(&file.to_string_lossy())))
            .with_hint("pass the extension's program, for example ./soong-hello"));
    }
    let mut findings = Findings::default();
    let name = findings.check_name(&file);
    findings.check_file(&file, metadata.permissions().mode());
    findings.check_metadata(&file, &name);
    let text = findings.text();
    command_line::print(&text)?;
    Ok(if findings.faults.is_empty() { 0 } else { EXIT_FAILED })
}

impl Findings {
    fn check_name(&mut self, file: &Path) -> String {
        let file_name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(name) = file_name.strip_prefix(PREFIX).filter(|name| is_name(name.as_bytes())) else {
            let stem: String = file_name
                .split('.')
                .next()
                .unwrap_or_default()
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect();
            let stem = if stem.is_empty() { "hello" } else { &stem };
            self.faults.push(format!("not named soong-NAME; rename it to soong-{stem}"));
            return file_name;
        };
        if is_built_in(name) {
            self.faults.push(format!(
                "'soong {name}' is a built-in command; only 'soong ext exec {name}' would run this; choose another name"
            ));
        } else if is_helper(name) {
            self.faults.push(format!(
                "soong-{name} is the name of one of soong's helper programs; choose another name"
            ));
        } else {
            self.well.push(format!("called as 'soong {name}'"));
        }
        if name.contains('.') {
            self.advice.push("its name has a file extension, which users would have to type".to_owned());
        }
        name.to_owned()
    }

    fn check_file(&mut self, file: &Path, mode: u32) {
        if mode & 0o111 == 0 || !paths::is_executable(file) {
            self.faults.push("not executable; fix it: chmod +x".to_owned());
        }
        let mut head = Vec::new();
        let read = fs::File::open(file).and_then(|file| file.take(4096).read_to_end(&mut head));
        if read.is_err() {
            return;
        }
        if let Some(line) = head.strip_prefix(b"#!") {
            let line = String::from_utf8_lossy(line.split(|byte| *byte == b'\n').next().unwrap_or_default())
                .into_owned();
            self.check_interpreter(line.trim_start());
        } else if !head.contains(&0) {
            self.advice.push(format!(
                "no interpreter in the first line, so {} runs it; for bash: #!/usr/bin/env bash",
                script::SHELL
            ));
        }
    }

    fn check_interpreter(&mut self, line: &str) {
        if script::names_carriage_return(line) {
            self.faults
                .push("its first line ends in a carriage return, so its interpreter is not found".to_owned());
            return;
        }
        let mut words = line.split_whitespace();
        let interpreter = words.next().unwrap_or_default();
        if !interpreter.starts_with('/') {
            self.faults
                .push(format!("its interpreter is not an absolute path: \"{}\"", printable(interpreter)));
        } else if !Path::new(interpreter).exists() {
            self.faults.push(format!("its interpreter {} is not installed", printable(interpreter)));
        } else if interpreter.ends_with("/env")
            && let Some(program) = words.find(|word| !word.starts_with('-') && !word.contains('='))
            && paths::find_program(program).is_none()
        {
            self.faults.push(format!("its interpreter {} is not on your PATH", printable(program)));
        }
    }

    fn check_metadata(&mut self, file: &Path, name: &str) {
        let metadata = Metadata::read(name, file);
        self.faults.extend(metadata.faults.iter().cloned());
        match &metadata.summary {
            Some((summary, origin)) => {
                self.well.push(format!("summary: {summary} (from its {})", origin.word()));
            }
            None => self
                .advice
                .push("no summary; add one near the top: # soong:summary: Greet the user".to_owned()),
        }
        match metadata.completion {
            Some((kind, origin)) => {
                self.well.push(format!("completion: {} (from its {})", kind.word(), origin.word()));
            }
            None => self
                .advice
                .push(format!("no completion; to have it: # soong:complete: {}", Completion::Soong.word())),
        }
        if let Some(fault) = trust::fault(file) {
            self.advice.push(format!("{fault}; soong would warn and not complete it"));
        }
        let found =
            paths::search_path().into_iter().map(|directory| directory.join(format!("{PREFIX}{name}")));
        match found.into_iter().find(|found| paths::is_executable(found)) {
            None => self.advice.push("not on your PATH yet".to_owned()),
            Some(found) if found.canonicalize().ok() != file.canonicalize().ok() => self.advice.push(
                format!("another one comes earlier on your PATH: {}", printable(&found.to_string_lossy())),
            ),
            Some(_) => {}
        }
    }

    fn text(&self) -> String {
        let lines = |label: &str, texts: &[String]| {
            texts.iter().map(|text| format!("{label}{text}\n")).collect::<String>()
        };
        let mut text =
            lines("ok: ", &self.well) + &lines("fault: ", &self.faults) + &lines("advice: ", &self.advice);
        if self.faults.is_empty() && self.advice.is_empty() {
            text.push_str("no problems found\n");
        }
        text
    }
}
