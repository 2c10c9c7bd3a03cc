//! Checks that only the user and root could have written or replaced a file that may run code: config, hooks,
//! providers, extensions and programs named in the config.
//!
//! Like sshd's `StrictModes`, it checks every directory above the file. The caller decides what to do: soong
//! refuses files that it would run by itself; an extension that the user runs by name runs, as in a shell,
//! with a warning.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, geteuid};

use crate::error::Error;
use crate::system::name_service;
use crate::terminal::printable;

const STICKY: u32 = 0o1000;

/// Reason why another user could have changed a file: owner or mode of it or of a directory above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path at fault, to begin a sentence with.
    subject: String,
    path: PathBuf,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Owner(u32),
    Everybody,
    Group(u32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Owner(uid) => write!(f, "{} belongs to another user (uid {uid})", self.subject),
            Why::Everybody => write!(f, "{} is writable by everyone", self.subject),
            Why::Group(gid) => write!(f, "{} is writable by its group (gid {gid})", self.subject),
        }
    }
}

impl Fault {
    fn of_file(file: PathBuf, why: Why) -> Self {
        Self { subject: "the file".into(), path: file, why }
    }

    fn of_directory(directory: &Path, why: Why) -> Self {
        Self { subject: printable(&directory.to_string_lossy()).into_owned(), path: directory.into(), why }
    }

    fn below(self) -> Self {
        Self { subject: format!("its directory {}", self.subject), ..self }
    }

    /// Returns the error for `file`, which is not used.
    pub fn refuse(&self, file: &Path) -> Error {
        let shown = file.to_string_lossy();
        Error::failed(format!("{} is not used: {self}", printable(&shown))).with_hint(self.hint())
    }

    /// Returns the command that fixes it.
    pub fn hint(&self) -> String {
        let path = self.path.to_string_lossy();
        let path = shell_words::quote(&path);
        match self.why {
            Why::Owner(_) => format!("take ownership: sudo chown {} {}", geteuid(), printable(&path)),
            Why::Everybody | Why::Group(_) => format!("fix it: chmod go-w {}", printable(&path)),
        }
    }
}

/// Returns the reason why another user could have placed or could change `program`: checks its directory, the
/// file and every directory above it, links followed. `None` if there is none.
pub fn fault(program: &Path) -> Option<Fault> {
    Inspector::default().fault(program)
}

/// Checks many programs, and each directory once.
#[derive(Debug, Default)]
pub struct Inspector {
    directories: HashMap<PathBuf, Option<Fault>>,
}

impl Inspector {
    /// Like the function [`fault`].
    pub fn fault(&mut self, program: &Path) -> Option<Fault> {
        let found_in = program.parent()?;
        if let Some(fault) = self.directory_fault(found_in) {
            return Some(fault);
        }
        let mut metadata = fs::symlink_metadata(program).ok()?;
        let mut leads_to = None;
        if metadata.is_symlink() {
            let file = fs::canonicalize(program).ok()?;
            metadata = fs::metadata(&file).ok()?;
            leads_to = Some(file);
        }
        if let Some(why) = writable(&metadata) {
            return Some(Fault::of_file(leads_to.unwrap_or_else(|| program.into()), why));
        }
        self.directory_fault(leads_to.as_deref()?.parent()?)
    }

    fn directory_fault(&mut self, directory: &Path) -> Option<Fault> {
        if let Some(known) = self.directories.get(directory) {
            return known.clone();
        }
        let fault = directory_fault(directory).map(Fault::below);
        self.directories.insert(directory.to_path_buf(), fault.clone());
        fault
    }
}

/// Returns the reason why another user could add to or replace `directory`, links followed. `None` also if it
/// does not exist.
pub fn directory_fault(directory: &Path) -> Option<Fault> {
    let directory = fs::canonicalize(directory).ok()?;
    match writable(&fs::metadata(&directory).ok()?) {
        Some(why) => Some(Fault::of_directory(&directory, why)),
        None => fault_above(&directory),
    }
}

/// Returns the reason why another user could have changed or could replace `file`: checks the file and every
/// directory above it, links followed. The file may be in a directory such as `/tmp`, whose sticky bit
/// protects it.
pub fn file_fault(file: &Path) -> Option<Fault> {
    let target = fs::canonicalize(file).ok()?;
    if let Some(why) = writable(&fs::metadata(&target).ok()?) {
        return Some(Fault::of_file(target, why));
    }
    // A link can be replaced in its own directory.
    let link = file.parent().and_then(|parent| fs::canonicalize(parent).ok())?.join(file.file_name()?);
    fault_above(&target).or_else(|| fault_above(&link)).map(Fault::below)
}

fn fault_above(path: &Path) -> Option<Fault> {
    path.ancestors().skip(1).find_map(|above| {
        let metadata = fs::metadata(above).ok()?;
        // The sticky bit protects our own files.
        let why = writable(&metadata).filter(|_| metadata.mode() & STICKY == 0)?;
        Some(Fault::of_directory(above, why))
    })
}

/// Other users with write access.
fn writable(metadata: &Metadata) -> Option<Why> {
    let (mode, owner) = (metadata.mode(), metadata.uid());
    if owner != 0 && owner != geteuid().as_raw() {
        return Some(Why::Owner(owner));
    }
    if mode & 0o002 != 0 {
        return Some(Why::Everybody);
    }
    (mode & 0o020 != 0 && !is_own_group(Gid::from_raw(metadata.gid()))).then(|| Why::Group(metadata.gid()))
}

/// Returns true if `group` has no members besides this user and root: root's group, the group named after the
/// user, or a group whose members are no others.
fn is_own_group(group: Gid) -> bool {
    if group.as_raw() == 0 {
        return true;
    }
    let (Some(user), Some(entry)) = (name_service::own_account(), name_service::group(group)) else {
        return false;
    };
    let alone = entry.members.iter().all(|member| *member == user.name || member == "root");
    // A group's entry does not list users whose main group it is; only its name shows that it is one user's.
    alone
        && if user.group == group {
            entry.name == user.name
        } else {
            !entry.members.is_empty() || geteuid().is_root()
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_others_can_write_is_found() {
        let root = tempfile::tempdir().unwrap();
        let [safe, open] = ["safe", "open"].map(|name| root.path().join(name));
        for directory in [&safe, &open] {
            fs::create_dir(directory).unwrap();
            fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
            let program = directory.join("soong-x");
            fs::write(&program, "").unwrap();
            fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
            assert_eq!(fault(&program), None);
        }
        fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(file_fault(&open.join("soong-x")), None);
        for mode in [0o777, 0o1777, 0o757] {
            fs::set_permissions(&open, Permissions::from_mode(mode)).unwrap();
            let why = fault(&open.join("soong-x")).unwrap().to_string();
            assert!(why.contains("open is writable by everyone"), "{why}");
        }
        fs::set_permissions(&open, Permissions::from_mode(0o757)).unwrap();
        assert!(
            file_fault(&open.join("soong-x")).unwrap().to_string().ends_with("open is writable by everyone")
        );
        // A link in a safe place does not make its target safe.
        symlink(open.join("soong-x"), safe.join("soong-link")).unwrap();
        assert!(fault(&safe.join("soong-link")).is_some() && file_fault(&safe.join("soong-link")).is_some());
        symlink(safe.join("soong-x"), open.join("soong-link")).unwrap();
        assert!(file_fault(&open.join("soong-link")).is_some(), "the link can be replaced");
        // Nor does a safe directory that can itself be replaced.
        let below = open.join("below");
        fs::create_dir(&below).unwrap();
        fs::set_permissions(&below, Permissions::from_mode(0o755)).unwrap();
        fs::write(below.join("soong-y"), "").unwrap();
        assert!(fault(&below.join("soong-y")).is_some());
        fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(fault(&below.join("soong-y")), None);
        fs::set_permissions(safe.join("soong-x"), Permissions::from_mode(0o777)).unwrap();
        assert_eq!(fault(&safe.join("soong-x")).unwrap().to_string(), "the file is writable by everyone");
    }
}
