//! Whether others than the user and root could have put a program where it is.
//!
//! Such a program still runs when its user calls it by name, as it would in a shell, but with a
//! warning; it is never executed because somebody pressed TAB.

use std::collections::HashMap;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User, geteuid};

use crate::system::paths::{self, Paths};
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
        let fault = directory_fault(directory);
        self.directories.insert(directory.to_path_buf(), fault.clone());
        fault
    }
}

/// Why others could put something into `directory`, or something else in its place.
fn directory_fault(directory: &Path) -> Option<String> {
    let directory = fs::canonicalize(directory).ok()?;
    let tell = |directory: &Path, why: &str| {
        Some(format!("its directory {} {why}", printable(&directory.to_string_lossy())))
    };
    if let Some(why) = writable(&fs::metadata(&directory).ok()?) {
        return tell(&directory, &why);
    }
    for above in directory.ancestors().skip(1) {
        let metadata = fs::metadata(above).ok()?;
        // With the sticky bit, others cannot put anything in place of what is ours.
        if let Some(why) = writable(&metadata).filter(|_| metadata.mode() & STICKY == 0) {
            return tell(above, &why);
        }
    }
    None
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

/// Whether nobody was told of `program` before, according to the state directory; notes that
/// somebody is now. Where that cannot be noted, it stays news.
pub fn is_news(program: &Path) -> bool {
    const LIMIT: u64 = 1 << 18;
    let Ok(paths) = Paths::from_env() else { return true };
    let line = program.as_os_str().as_encoded_bytes().escape_ascii().to_string();
    let stamp = paths.state().join("warned-extensions");
    let open = || -> std::io::Result<bool> {
        if let Some(directory) = stamp.parent() {
            paths::create_private(directory).map_err(std::io::Error::other)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(&stamp)?;
        let mut known = String::new();
        Read::by_ref(&mut file).take(LIMIT).read_to_string(&mut known)?;
        if known.lines().any(|known| known == line) {
            return Ok(false);
        }
        file.write_all(format!("{line}\n").as_bytes()).map(|()| true)
    };
    open().unwrap_or(true)
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
        for mode in [0o777, 0o1777, 0o757] {
            fs::set_permissions(&open, Permissions::from_mode(mode)).unwrap();
            let why = fault(&open.join("soong-x")).unwrap();
            assert!(why.contains("open can be written by everybody"), "{why}");
        }
        // A link in a safe place does not make what it leads to safe.
        symlink(open.join("soong-x"), safe.join("soong-link")).unwrap();
        assert!(fault(&safe.join("soong-link")).is_some());
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
