//! Atomic replacement of files: written beside the target, then renamed.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Creates `path` and missing parents, accessible to this user only. Refuses to create a directory inside
/// another user's, as root could: that user could not use it afterwards.
pub fn create_private(path: &Path) -> Result<()> {
    if let Some(Ok(metadata)) = path.ancestors().map(fs::metadata).find(io::Result::is_ok)
        && metadata.uid() != 0
        && metadata.uid() != geteuid().as_raw()
        && !path.is_dir()
    {
        let reason = format!("its parent directory belongs to another user (uid {})", metadata.uid());
        return Err(Error::io("create", path, io::Error::other(reason))
            .with_hint("run soong as that user, or with your own HOME (sudo -H)"));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Error::io("create", path, error))
}

/// Replaces the file `path` by `contents` atomically: readers see the old text or the new one, and an
/// interrupted write leaves the old one. The file is readable by this user only.
pub fn write_atomically(path: &Path, contents: &str) -> Result<()> {
    let write = || beside(path, contents.as_bytes())?.persist(path).map_err(io::Error::from);
    write().map(drop).map_err(|error| Error::io("write", path, error))
}

/// Like [`write_atomically`], for a file of the user: a link stays a link, mode and owner stay. A new file is readable
/// by this user only; a read-only one is not changed.
pub fn rewrite(path: &Path, contents: &[u8]) -> Result<()> {
    let rewrite = || {
        let target = follow(path)?;
        let metadata = match fs::metadata(&target) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if metadata.is_some() {
            nix::unistd::access(&target, nix::unistd::AccessFlags::W_OK)?;
        }
        let mode = metadata.as_ref().map_or(0o600, Metadata::mode);
        exchange(&target, contents, metadata.as_ref(), mode)
    };
    rewrite().map_err(|error| Error::io("write", path, error))
}

/// Replaces `path`, which is not a link, by a file with `contents` and `mode`, owned as in `before` if this
/// user may change owners.
pub fn exchange(path: &Path, contents: &[u8], before: Option<&Metadata>, mode: u32) -> io::Result<()> {
    let new = beside(path, contents)?;
    let file = new.as_file();
    if let Some(before) = before
        && file.metadata().is_ok_and(|new| (new.uid(), new.gid()) != (before.uid(), before.gid()))
    {
        // Root editing a user's file keeps its owner; others cannot and need not.
        let _ = fchown(file, Some(before.uid()), Some(before.gid()));
    }
    file.set_permissions(Permissions::from_mode(mode & 0o7777))?;
    // Synced before the rename, so that a power failure leaves one of the two texts.
    file.sync_all()?;
    new.persist(path)?;
    Ok(())
}

/// Opens `path` for writing, creating it readable by this user only. Does not follow a link.
pub fn open_private(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let opened = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    opened.map_err(|error| Error::io("open", path, error))
}

/// Reads at most `limit` bytes of a file that soong wrote; replaces invalid UTF-8. Refuses links, special
/// files and files of other users.
pub fn read_own(path: &Path, limit: u64) -> io::Result<String> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // One more, so that the first read finds the end.
    let size = metadata.len().min(limit) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Removes the file that `path` is or links to.
pub fn remove(path: &Path) -> Result<()> {
    follow(path).and_then(fs::remove_file).map_err(|error| Error::io("remove", path, error))
}

/// Returns the target of `path`, link by link, even if no file is there.
pub fn follow(path: &Path) -> io::Result<PathBuf> {
    /// Linux follows as many.
    const LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(nix::errno::Errno::ELOOP.into())
}

/// Creates a file with `contents` in the directory of `path`, readable by this user only.
fn beside(path: &Path, contents: &[u8]) -> io::Result<NamedTempFile> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".soong.").tempfile_in(directory)?;
    file.write_all(contents)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state.toml");
        write_atomically(&file, "one").unwrap();
        write_atomically(&file, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_users_file_stays_what_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let [target, link, far] = ["target", "link", "far"].map(|name| directory.path().join(name));
        std::os::unix::fs::symlink("target", &link).unwrap();
        std::os::unix::fs::symlink(&link, &far).unwrap();
        rewrite(&far, b"new").unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&target, Permissions::from_mode(0o644)).unwrap();
        rewrite(&far, b"\xff").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"\xff");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644);
        assert!(link.is_symlink() && far.is_symlink());
        remove(&far).unwrap();
        assert!(!target.exists() && far.is_symlink());
    }
}
