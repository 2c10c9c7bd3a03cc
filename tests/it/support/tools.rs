//! Programs that the tests run besides ours, with advice for missing ones.

use std::env;
use std::path::{Path, PathBuf};

/// Directories of system programs, also if the PATH of the test run leaves the `sbin` directories out.
const SYSTEM: [&str; 6] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Returns the absolute path of the tool `name`. A missing tool fails the test, with the command that
/// installs it; the test is never skipped.
#[track_caller]
pub fn tool(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .chain(SYSTEM.iter().map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!(
                "`{name}` is needed by this test and is not installed; \
                 run tests/install-requirements.sh (make test does)"
            )
        })
}

/// Returns the absolute path of the shell `name`: the one in `SOONG_TEST_BASH`, `SOONG_TEST_ZSH` or
/// `SOONG_TEST_FISH`, such as the oldest supported version, or else the installed one.
#[track_caller]
pub fn shell(name: &str) -> PathBuf {
    let variable = format!("SOONG_TEST_{}", name.to_ascii_uppercase());
    let Some(path) = env::var_os(&variable).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return tool(name);
    };
    assert!(path.is_absolute() && path.is_file(), "{variable}: no program is at {}", path.display());
    path
}

/// Returns a PATH with the system directories and the one of `ssh`, without any that a developer added.
pub fn system_path() -> std::ffi::OsString {
    let ssh = tool("ssh");
    let mut dirs: Vec<&Path> = vec![ssh.parent().unwrap()];
    dirs.extend(SYSTEM.iter().map(Path::new));
    env::join_paths(dirs).unwrap()
}

/// Returns true if the tests run as root. Some faults are then caused in another way; none is left out.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
