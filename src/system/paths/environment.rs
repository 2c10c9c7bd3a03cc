//! Environment variables about paths, ssh's questions and programs.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use crate::error::{Error, Result, io_reason};
use crate::system::trust::{directory_fault, file_fault};

pub(super) fn home() -> Result<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| {
        Error::failed("cannot determine your home directory").with_hint("set HOME to an absolute path")
    })?;
    utf8("HOME", home)
}

pub(super) fn variable(name: &str) -> Result<Option<PathBuf>> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(|value| utf8(name, PathBuf::from(value))).transpose()
}

pub(super) fn absolute(name: &str) -> Result<Option<PathBuf>> {
    Ok(variable(name)?.filter(|path| path.is_absolute()))
}

/// Paths appear in messages, JSON and ssh options, so they must be text.
fn utf8(name: &str, path: PathBuf) -> Result<PathBuf> {
    if path.to_str().is_some() { Ok(path) } else { Err(Error::failed(format!("{name} is not valid UTF-8"))) }
}

/// Returns the runtime directory, in `XDG_RUNTIME_DIR` or else in `state`, and the reason if that variable is
/// ignored.
pub(super) fn runtime_directory(state: &Path) -> Result<(PathBuf, Option<String>)> {
    let wanted = absolute("XDG_RUNTIME_DIR")?;
    Ok(match wanted.map(|directory| (fault(&directory), directory)) {
        Some((None, directory)) => (directory.join("soong"), None),
        Some((Some(why), _)) => (state.join("run"), Some(why)),
        None => (state.join("run"), None),
    })
}

/// Returns the reason why `directory` cannot hold a runtime directory.
fn fault(directory: &Path) -> Option<String> {
    let shown = directory.display();
    match fs::metadata(directory) {
        Err(error) => Some(format!("{shown}: {}", io_reason(&error))),
        Ok(metadata) if !metadata.is_dir() => Some(format!("{shown} is not a directory")),
        Ok(metadata) if metadata.uid() != geteuid().as_raw() => Some(foreign(directory, &metadata)),
        Ok(_) => directory_fault(directory).map(|fault| fault.to_string()),
    }
}

/// Describes a directory of another user.
pub(super) fn foreign(path: &Path, metadata: &Metadata) -> String {
    format!("{} belongs to another user (uid {})", path.display(), metadata.uid())
}

/// Returns `SOONG_LAMBDA_ENDPOINT`, another address for the Lambda Cloud API.
pub fn lambda_url() -> Result<Option<String>> {
    Ok(variable("SOONG_LAMBDA_ENDPOINT")?.map(|url| url.to_string_lossy().into_owned()))
}

/// Variable that gives ssh's askpass helper the supervisor's socket.
pub const ASKPASS_SOCKET: &str = "SOONG_ASKPASS_SOCKET";

/// Variable in which ssh gives the kind of its question.
pub const ASKPASS_HINT: &str = "SSH_ASKPASS_PROMPT";

/// Returns the socket for ssh's questions, if ssh started this process as its askpass program.
pub fn askpass_socket() -> Option<PathBuf> {
    variable(ASKPASS_SOCKET).ok()?
}

/// Returns the kind of ssh's question.
pub fn askpass_hint() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    std::env::var(ASKPASS_HINT).ok()
}

/// Returns the user's askpass program (`SSH_ASKPASS`) if it can open a window and no other user can change
/// it.
pub fn askpass_program() -> Option<PathBuf> {
    let is_set = |name: &str| variable(name).is_ok_and(|value| value.is_some());
    let required = variable("SSH_ASKPASS_REQUIRE").ok().flatten().unwrap_or_default();
    let is_forced = required.as_os_str() == "force";
    if required.as_os_str() == "never" || !is_forced && !is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY") {
        return None;
    }
    let program = absolute("SSH_ASKPASS").ok().flatten()?;
    (is_executable(&program) && file_fault(&program).is_none()).then_some(program)
}

/// Returns the variables that decide what soong reads and finds, for a service that does not start from a shell: those of
/// [`Paths`](super::Paths), and `PATH` for providers and proxies.
pub fn service_environment() -> Vec<(String, String)> {
    let config = variable("SOONG_CONFIG").ok().flatten().and_then(|file| std::path::absolute(file).ok());
    let of = |name| absolute(name).ok().flatten();
    let paths = [
        ("SOONG_CONFIG", config),
        ("XDG_CONFIG_HOME", of("XDG_CONFIG_HOME")),
        ("XDG_STATE_HOME", of("XDG_STATE_HOME")),
    ];
    let mut found: Vec<(String, String)> = paths
        .into_iter()
        .filter_map(|(name, path)| Some((name.to_owned(), path?.to_string_lossy().into_owned())))
        .collect();
    let search: Vec<String> =
        search_path().into_iter().filter_map(|path| path.into_os_string().into_string().ok()).collect();
    if !search.is_empty() {
        found.push(("PATH".to_owned(), search.join(":")));
    }
    found
}

/// Returns true if `XDG_RUNTIME_DIR` is set.
pub fn has_runtime_variable() -> bool {
    variable("XDG_RUNTIME_DIR").is_ok_and(|value| value.is_some())
}

/// Returns true if the environment names an ssh agent.
pub fn has_ssh_agent() -> bool {
    variable("SSH_AUTH_SOCK").is_ok_and(|socket| socket.is_some())
}

/// Returns the absolute directories of `PATH`, in order. Skips empty and relative entries: they mean the
/// current directory, where anyone may have left a program.
pub fn search_path() -> Vec<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|directory| directory.is_absolute()).collect()
}

/// Variable that tells `soong ssh config --refresh`, which ssh runs for hosts of soong, that soong runs this ssh to read
/// the user's `ssh_config`.
const QUERY_OF_SSH_CONFIG: &str = "SOONG_READS_SSH_CONFIG";

/// Marks `command`, an ssh that only prints its configuration, so that it does not lead back to soong.
pub fn mark_query_of_ssh_config(command: &mut Command) {
    command.env(QUERY_OF_SSH_CONFIG, "1");
}

/// Returns true in a process below such an ssh.
pub fn is_query_of_ssh_config() -> bool {
    variable(QUERY_OF_SSH_CONFIG).is_ok_and(|value| value.is_some())
}

/// Returns the user's login shell.
pub fn login_shell() -> Option<PathBuf> {
    variable("SHELL").ok().flatten()
}

/// Returns the absolute path of the running program, links resolved. After an upgrade this is the path of the new
/// program.
pub fn own_program() -> io::Result<PathBuf> {
    std::env::current_exe().map(undeleted)
}

/// Removes the mark that Linux appends to the path of a program whose file was replaced.
fn undeleted(program: PathBuf) -> PathBuf {
    match program.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(path) if !program.exists() => OsStr::from_bytes(path).into(),
        _ => program,
    }
}

/// Returns the directory of the running program, where the others of soong are.
pub fn own_directory() -> Option<PathBuf> {
    own_program().ok().as_deref().and_then(Path::parent).map(Path::to_path_buf)
}

/// Returns the path of soong's program `name`, beside the running one, links resolved.
pub fn sibling(name: &str) -> io::Result<PathBuf> {
    Ok(own_program()?.with_file_name(name))
}

/// Returns the first executable file `name` on [`search_path`].
pub fn find_program(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|directory| directory.join(name)).find(|file| is_executable(file))
}

/// Returns true if `file` is a regular file that this user may execute.
pub fn is_executable(file: &Path) -> bool {
    file.is_file() && nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_replaced_program_is_that_of_the_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("soong");
        let marked = directory.path().join("soong (deleted)");
        assert_eq!(undeleted(program.clone()), program);
        assert_eq!(undeleted(marked.clone()), program);
        fs::write(&marked, "").unwrap();
        assert_eq!(undeleted(marked.clone()), marked, "it is the name of a file");
    }
}
