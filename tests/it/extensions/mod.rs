//! Extensions and aliases: programs of others that are listed, run and asked as if they were soong's own.

mod aliases;
mod authors;
mod compiled;
mod completion;
mod examples;
mod guesses;
mod list;
mod transparency;
mod trust;

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{system_path, tool};

/// Writes an executable file, and makes the directories above it as safe as they are in a home.
fn program(sandbox: &Sandbox, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let file = sandbox.path(path);
    sandbox.write(&file, text);
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    let directory = file.parent().unwrap();
    if directory != sandbox.path("bin") {
        fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    }
    file
}

/// Writes an executable `sh` script.
fn script(sandbox: &Sandbox, path: &str, body: &str) -> PathBuf {
    program(sandbox, path, format!("#!/bin/sh\n{body}\n"))
}

/// The directories of the sandbox with these names, and the system's, as a PATH.
fn path_of(sandbox: &Sandbox, directories: &[&str]) -> OsString {
    let mut path = OsString::new();
    for directory in directories {
        path.push(sandbox.path(directory));
        path.push(":");
    }
    path.push(system_path());
    path
}

/// `soong ARGS` with the sandbox's `bin` first in PATH.
fn soong<S: AsRef<OsStr>>(sandbox: &Sandbox, args: impl IntoIterator<Item = S>) -> Run<'_> {
    sandbox.soong_with_bin(args)
}

/// `soong-complete words WORDS`, as the scripts of the shells call it.
fn complete<'a>(sandbox: &'a Sandbox, words: &[&str]) -> Run<'a> {
    let program = Path::new(env!("CARGO_BIN_EXE_soong")).with_file_name("soong-complete");
    Run::new(sandbox, &program, ["words"]).args(words).env("PATH", path_of(sandbox, &["bin"]))
}

/// Runs `run`, and returns what it printed and the names of all programs that were executed.
#[cfg(target_os = "linux")]
fn executed(sandbox: &Sandbox, run: Run<'_>) -> (String, Vec<String>) {
    let trace = sandbox.path("trace");
    let options = ["-f", "-qq", "-e", "trace=execve,execveat", "-s", "4096", "-o"].map(OsString::from);
    let options = options.into_iter().chain([trace.clone().into_os_string()]);
    let output = run.through(&tool("strace"), options).unchecked();
    let trace = fs::read_to_string(&trace).unwrap();
    let programs = trace.lines().filter(|line| line.contains("exec") && line.contains(" = 0"));
    let programs: Vec<String> =
        programs.filter_map(|line| Some(line.split('"').nth(1)?.rsplit('/').next()?.to_owned())).collect();
    assert!(!programs.is_empty(), "strace saw nothing: {trace}");
    (output.stdout, programs)
}
