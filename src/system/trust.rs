//! Checks that nobody but the user and root could have written a file that may run code, or could
//! replace it: config, hooks, providers, extensions and the programs that the config names.
//!
//! As sshd's `StrictModes` does, it looks at every directory above the file. What is done about a
//! fault depends on who asks: what soong runs by itself is refused; an extension that its user calls
//! by name runs, as it would in a shell, with a warning.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, geteuid};

use crate::terminal::printable;

const STICKY: u32 = 0o1000;

/// Why others could have put `program` there or could change it: the directory it is found in, the
/// file itself and every directory above it are looked at, links followed. `None` if all is well.
pub fn fault(program: &Path) -> Option<String> {
    Inspector::default().fault(program)
}

/// Looks at many programs, and at each of their directories once.
#[derive(Debug, Default)]
pub struct Inspector {
    directories: HashMap<PathBuf, Option<String>>,
}

impl Inspector {
    /// As [`fault`].
    pub fn fault(&mut self, program: &Path) -> Option<String> {
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
            return Some(format!("the file {why}"));
        }
        self.directory_fault(leads_to.as_deref()?.parent()?)
    }

    fn directory_fault(&mut self, directory: &Path) -> Option<String> {
        if let Some(known) = self.directories.get(directory) {
            return known.clone();
        }
        let fault = directory_fault(directory).map(|why| format!("its directory {why}"));
        self.directories.insert(directory.to_path_buf(), fault.clone());
        fault
    }
}

/// Why others could put something into `directory`, or something else in its place. Begins with the
/// name of the directory at fault; links are followed. `None` also for what does not exist.
pub fn directory_fault(directory: &Path) -> Option<String> {
    let directory = fs::canonicalize(directory).ok()?;
    match writable(&fs::metadata(&directory).ok()?) {
        Some(why) => Some(named(&directory, &why)),
        None => fault_above(&directory),
    }
}

/// Why others could have changed `file`, or could put another in its place: the file itself and every
/// directory above it are looked at, links followed. It may lie in a directory such as `/tmp`, whose
/// sticky bit protects it.
pub fn file_fault(file: &Path) -> Option<String> {
    // The directories that hold a link count too: it can be replaced there.
    let link = file.parent().and_then(|parent| fs::canonicalize(parent).ok())?;
    let file = fs::canonicalize(file).ok()?;
    match writable(&fs::metadata(&file).ok()?) {
        Some(why) => Some(format!("it {why}")),
        None => fault_above(&file).or_else(|| fault_above(&link.join("file"))),
    }
}

fn fault_above(path: &Path) -> Option<String> {
    path.ancestors().skip(1).find_map(|above| {
        let metadata = fs::metadata(above).ok()?;
        // With the sticky bit, others cannot put anything in place of what is ours.
        let why = writable(&metadata).filter(|_| metadata.mode() & STICKY == 0)?;
        Some(named(above, &why))
    })
}

fn named(directory: &Path, why: &str) -> String {
    format!("{} {why}", printable(&directory.to_string_lossy()))
}

/// Who else can write, to complete "the file …".
fn writable(metadata: &Metadata) -> Option<String> {
    let (mode, owner) = (metadata.mode(), metadata.uid());
    if owner != 0 && owner != geteuid().as_raw() {
        return Some(format!("belongs to another user (uid {owner})"));
    }
    if mode & 0o002 != 0 {
        return Some("can be written by everybody".to_owned());
    }
    if mode & 0o020 != 0 && !is_own_group(Gid::from_raw(metadata.gid())) {
        return Some(format!("can be written by its group (gid {})", metadata.gid()));
    }
    None
}

/// Whether nobody but this user and root is in `group`: root's, the group of the user's own name
/// that many systems make, or one whose members are no others.
fn is_own_group(group: Gid) -> bool {
    if group.as_raw() == 0 {
        return true;
    }
    let (Ok(Some(user)), Ok(Some(entry))) = (User::from_uid(geteuid()), Group::from_gid(group)) else {
        return false;
    };
    let alone = entry.mem.iter().all(|member| *member == user.name || member == "root");
    // Whose main group it is, its entry does not say; only the name tells that it is one user's.
    alone
        && if user.gid == group {
            entry.name == user.name
        } else {
            !entry.mem.is_empty() || user.uid == Uid::from_raw(0)
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
            let why = fault(&open.join("soong-x")).unwrap();
            assert!(why.contains("open can be written by everybody"), "{why}");
        }
        fs::set_permissions(&open, Permissions::from_mode(0o757)).unwrap();
        assert!(file_fault(&open.join("soong-x")).unwrap().ends_with("open can be written by everybody"));
        // A link in a safe place does not make what it leads to safe.
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
        assert_eq!(fault(&safe.join("soong-x")).unwrap(), "the file can be written by everybody");
    }
}
