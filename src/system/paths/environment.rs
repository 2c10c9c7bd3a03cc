//! What the environment says: of places, to whoever starts these programs, and where programs are.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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

/// Paths end up in messages, JSON and ssh options, all of which are text.
fn utf8(name: &str, path: PathBuf) -> Result<PathBuf> {
    if path.to_str().is_some() { Ok(path) } else { Err(Error::failed(format!("{name} is not valid UTF-8"))) }
}

/// Returns the runtime directory, in `XDG_RUNTIME_DIR` or else in `state`, and why that variable is not used.
pub(super) fn runtime_directory(state: &Path) -> Result<(PathBuf, Option<String>)> {
    let wanted = absolute("XDG_RUNTIME_DIR")?;
    Ok(match wanted.map(|directory| (fault(&directory), directory)) {
        Some((None, directory)) => (directory.join("soong"), None),
        Some((Some(why), _)) => (state.join("run"), Some(why)),
        None => (state.join("run"), None),
    })
}

/// Why `directory` cannot hold a runtime directory.
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

/// Another address for the API of Lambda Cloud, from `SOONG_LAMBDA_ENDPOINT`.
pub fn lambda_url() -> Result<Option<String>> {
    Ok(variable("SOONG_LAMBDA_ENDPOINT")?.map(|url| url.to_string_lossy().into_owned()))
}

/// The variable that tells a helper of ssh where to ask.
pub const ASKPASS_SOCKET: &str = "SOONG_ASKPASS_SOCKET";

/// The variable in which ssh says what sort of question it has.
pub const ASKPASS_HINT: &str = "SSH_ASKPASS_PROMPT";

/// The socket at which this process is to ask what ssh wants to know, if ssh started it for that.
pub fn askpass_socket() -> Option<PathBuf> {
    variable(ASKPASS_SOCKET).ok()?
}

/// What sort of question it is, as ssh has it.
pub fn askpass_hint() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    std::env::var(ASKPASS_HINT).ok()
}

/// The program that the user has ssh ask with where there is no terminal (`SSH_ASKPASS`), if it can open a
/// window. Not one that others could have put there or could change.
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

/// True where the environment names an agent that may hold keys for ssh.
pub fn has_ssh_agent() -> bool {
    variable("SSH_AUTH_SOCK").is_ok_and(|socket| socket.is_some())
}

/// The absolute directories of `PATH`, in order. Empty and relative entries mean the current
/// directory, where anyone may have left a program; they are passed over.
pub fn search_path() -> Vec<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "this is the module that may")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|directory| directory.is_absolute()).collect()
}

/// The shell that the user logs in to.
pub fn login_shell() -> Option<PathBuf> {
    variable("SHELL").ok().flatten()
}

/// Returns the absolute path of the running program, links resolved.
pub fn own_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Returns the directory of the running program, where the others of soong are.
pub fn own_directory() -> Option<PathBuf> {
    own_program().as_deref().and_then(Path::parent).map(Path::to_path_buf)
}

/// The program of soong's own called `name`: beside the one that is running, links resolved.
pub fn sibling(name: &str) -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// The first executable file called `name` on [`search_path`].
pub fn find_program(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|directory| directory.join(name)).find(|file| is_executable(file))
}

/// Whether `file` is a regular file that this user may execute.
pub fn is_executable(file: &Path) -> bool {
    file.is_file() && nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok()
}
