//! Programs that a benchmark needs: soong's own as they are shipped, and others, with the commands that
//! install missing ones.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use soong::error::{Error, Result};
use soong::system::paths;

use super::sandbox::failed;

/// Returns the directory where cargo puts `soong` and the other programs.
const SOONG: &str = env!("CARGO_BIN_EXE_soong");

/// Directories of administrators' programs, which the `PATH` of a user may leave out.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Programs that may be missing, the command that installs them, and their package.
const PEERS: &str = include_str!("../peers.txt");

/// Returns cargo's target directory.
pub fn target() -> Result<PathBuf> {
    let release = Path::new(SOONG).parent().and_then(Path::parent);
    release.map(Path::to_owned).ok_or_else(|| Error::failed("cargo built soong at a place without a name"))
}

/// `soong`, built as a user gets it. `cargo bench` has just built it too, but together with what
/// only tests need, and that switches on more of the libraries they share.
pub fn soong() -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--bins", "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).stdin(Stdio::null());
    // Cargo's variables about this benchmark's package would look like a change, and cargo would build
    // libraries again.
    for (name, _) in std::env::vars_os() {
        let about = name.to_string_lossy();
        if about.starts_with("CARGO_PKG_") || about.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let built = cargo.status().map_err(|error| failed("run cargo", error))?;
    if built.success() { Ok(PathBuf::from(SOONG)) } else { Err(Error::failed("soong cannot be built")) }
}

/// Returns the absolute path of `name`, or an error with the command that installs it.
pub fn find(name: &str) -> Result<PathBuf> {
    let of_ours = target().map(|target| target.join("bench/peers/bin").join(name)).ok();
    let system = SYSTEM.iter().map(|directory| PathBuf::from(directory).join(name));
    of_ours
        .filter(|file| paths::is_executable(file))
        .or_else(|| paths::find_program(name))
        .or_else(|| system.into_iter().find(|file| paths::is_executable(file)))
        .ok_or_else(|| Error::ProgramMissing { program: name.to_owned(), hint: install(name) })
}

/// Returns the absolute path of an optional program. If it is missing, adds the command that installs it to
/// `missing`.
pub fn find_peer(name: &str, missing: &mut Vec<String>) -> Option<PathBuf> {
    let found = find(name).ok();
    if found.is_none() {
        missing.push(format!("{name}: {}", install(name)));
    }
    found
}

/// Returns the command that installs `name`.
pub fn install(name: &str) -> String {
    let peer = PEERS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    match peer.and_then(|how| how.split_once(' ')) {
        Some(("cargo" | "slow", package)) => {
            format!("install it: cargo install --locked --root target/bench/peers {package}")
        }
        Some((_, package)) => format!("install it, on Debian and Ubuntu: apt-get install {package}"),
        None => format!("install it, on Debian and Ubuntu: apt-get install {name}"),
    }
}

/// Returns a `PATH` of `first` and the system's own directories, without any that a user added.
pub fn path_with(first: &Path) -> OsString {
    let mut path = OsString::from(first);
    path.push(":/usr/local/bin:/usr/bin:/bin");
    path
}
