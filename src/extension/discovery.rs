//! Finding programs by file name: every `soong-*` in the search directories, in order. Executes nothing and
//! opens no file.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::unistd::{AccessFlags, access};

use super::name::{PREFIX, is_name};
use crate::built_in::{is_built_in, is_helper};
use crate::system::paths;

/// A file with the name of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path of the file.
    pub path: PathBuf,
    /// State of the file.
    pub state: State,
}

/// State of a command's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Executable.
    Program,
    /// Not executable for this user.
    NotExecutable,
    /// A link to a missing file.
    Dangling,
    /// A directory, pipe or other special file.
    NoFile,
}

/// Returns the search directories: soong's own, then those of `PATH`. A directory under several names, as
/// `/bin` often is, counts once.
pub fn directories() -> Vec<PathBuf> {
    let mut seen: Vec<(u64, u64)> = Vec::new();
    let all = paths::own_directory().into_iter().chain(paths::search_path());
    all.filter(|directory| {
        let place = fs::metadata(directory).map(|metadata| (metadata.dev(), metadata.ino()));
        let is_new = place.as_ref().is_ok_and(|place| !seen.contains(place));
        seen.extend(place);
        is_new
    })
    .collect()
}

/// Returns the search directories for the extension `name`. For a built-in name, leaves out directories that
/// hold only soong's own program.
pub fn directories_of(name: &str) -> Vec<PathBuf> {
    let mut directories = directories();
    if is_built_in(name) {
        let file_name = format!("{PREFIX}{name}");
        directories.retain(|directory| !is_own(&directory.join(&file_name)));
    }
    directories
}

/// Returns true if `file` is in the directory of soong's own programs, links resolved.
pub fn is_own(file: &Path) -> bool {
    let resolved = |path: &Path| fs::canonicalize(path).ok();
    let own = paths::own_directory().as_deref().and_then(resolved);
    own.is_some() && resolved(file).as_deref().and_then(Path::parent) == own.as_deref()
}

/// Returns every command file in `directories`, in search order. Skips unreadable directories and soong's
/// helpers.
pub fn scan(directories: &[PathBuf]) -> BTreeMap<String, Vec<Found>> {
    let mut found: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for directory in directories {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            let file_name = entry.file_name();
            let name = file_name.to_str().and_then(|name| name.strip_prefix(PREFIX));
            let Some(name) = name.filter(|name| is_name(name.as_bytes()) && !is_helper(name)) else {
                continue;
            };
            let path = entry.path();
            let state = state(&path);
            found.entry(name.to_owned()).or_default().push(Found { path, state });
        }
    }
    found
}

/// Returns true if `soong NAME` runs a program.
pub fn is_command(name: &str) -> bool {
    is_built_in(name) || find(name).is_some()
}

/// Returns the program that `soong NAME` runs, from a lookup in each directory.
pub fn find(name: &str) -> Option<PathBuf> {
    find_in(directories(), name)
}

/// Returns the program that `soong ext exec NAME` runs.
pub fn find_extension(name: &str) -> Option<PathBuf> {
    find_in(directories_of(name), name)
}

fn find_in(directories: Vec<PathBuf>, name: &str) -> Option<PathBuf> {
    if !is_name(name.as_bytes()) {
        return None;
    }
    let file_name = format!("{PREFIX}{name}");
    directories
        .into_iter()
        .map(|directory| directory.join(&file_name))
        .find(|file| paths::is_executable(file))
}

fn state(path: &Path) -> State {
    match fs::metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => State::Dangling,
        Ok(metadata) if !metadata.is_file() => State::NoFile,
        Ok(_) if access(path, AccessFlags::X_OK).is_ok() => State::Program,
        Err(_) | Ok(_) => State::NotExecutable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn whatever_has_the_name_of_a_command_is_found_with_its_state() {
        let root = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| root.path().join(name));
        for directory in [&one, &two] {
            fs::create_dir(directory).unwrap();
            for name in ["soong-x", "soong-provider-x", "soong-", "soong--x", "soong", "other"] {
                fs::write(directory.join(name), "").unwrap();
                fs::set_permissions(directory.join(name), Permissions::from_mode(0o755)).unwrap();
            }
        }
        fs::write(one.join("soong-text"), "").unwrap();
        fs::create_dir(one.join("soong-dir")).unwrap();
        symlink("nowhere", one.join("soong-gone")).unwrap();
        symlink("soong-loop", one.join("soong-loop")).unwrap();
        let found = scan(&[one.clone(), root.path().join("missing"), two.clone()]);
        let states: Vec<(&str, Vec<State>)> = found
            .iter()
            .map(|(name, all)| (name.as_str(), all.iter().map(|found| found.state).collect()))
            .collect();
        assert_eq!(
            states,
            [
                ("dir", vec![State::NoFile]),
                ("gone", vec![State::Dangling]),
                ("loop", vec![State::NotExecutable]),
                ("text", vec![State::NotExecutable]),
                ("x", vec![State::Program, State::Program]),
            ]
        );
        assert_eq!(found["x"][0].path, one.join("soong-x"));
    }
}
