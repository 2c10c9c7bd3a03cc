//! Runtime directories: this process's, and those of the user's other sessions.
//!
//! `XDG_RUNTIME_DIR` is not set in every shell: not after `su -` or `sudo -i`, nor in cron jobs. Without a
//! usable one, the runtime directory is below the state directory, which outlives logins and which no other
//! user can create, not even after a reboot. Runtime directories outside the state directory are recorded in
//! it, so that every session finds every tunnel.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::environment::foreign;
use super::places::Paths;
use super::replacement::{create_private, read_own, write_atomically};
use crate::error::{Error, Result};
use crate::system::trust;

/// Number of recorded runtime directories; the most recent is last.
const PLACES_MAX: usize = 16;
/// Longest list of them, in bytes.
const PLACES_SIZE: u64 = 1 << 16;

impl Paths {
    /// Returns the directory of files that matter only while tunnels run; see [`Paths::ensure_runtime`].
    pub fn runtime(&self) -> &Path {
        &self.runtime
    }

    /// Returns the reason why `XDG_RUNTIME_DIR` is set but ignored.
    pub fn runtime_fault(&self) -> Option<&str> {
        self.runtime_fault.as_deref()
    }

    /// Creates the runtime directory, private to this user, and records it for the user's other sessions.
    pub fn ensure_runtime(&self) -> Result<()> {
        create_private(&self.runtime)?;
        self.check_runtime()?;
        create_private(&self.runtime.join("tunnels"))?;
        // With an unwritable home, the tunnel still works; other sessions do not find it.
        let _ = self.note_runtime();
        Ok(())
    }

    /// Returns true if the runtime directory exists; refuses one that other users can change.
    pub fn check_runtime(&self) -> Result<bool> {
        let metadata = match fs::symlink_metadata(&self.runtime) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io("read", &self.runtime, error)),
        };
        refuse_unsafe(&self.runtime, &metadata).map(|()| true)
    }

    /// Returns true if `XDG_RUNTIME_DIR` and the runtime directory in it were removed, as at the last logout.
    pub fn is_runtime_gone(&self) -> bool {
        let parent = self.runtime.parent().map(fs::symlink_metadata);
        let is_gone = matches!(parent, Some(Err(error)) if error.kind() == io::ErrorKind::NotFound);
        is_gone && self.runtime != self.home_runtime()
    }

    /// Returns the existing runtime directories of all of this user's sessions that no other user can change,
    /// this process's first.
    pub fn places(&self) -> Vec<PathBuf> {
        let mut seen: Vec<(u64, u64)> = Vec::new();
        let all = [self.runtime.clone(), self.home_runtime()].into_iter().chain(self.noted());
        all.filter(|place| {
            let Ok(metadata) = fs::symlink_metadata(place) else { return false };
            let identity = (metadata.dev(), metadata.ino());
            let usable = !seen.contains(&identity) && refuse_unsafe(place, &metadata).is_ok();
            seen.push(identity);
            usable
        })
        .collect()
    }

    /// Returns false if another user could create the runtime directory once it is gone, for example after a
    /// reboot. Files that outlive it, such as an `ssh_config`, must not name sockets in it then.
    pub fn is_runtime_reserved(&self) -> bool {
        let resolve = |path: &Path| {
            path.ancestors().find_map(|above| fs::canonicalize(above).ok()).unwrap_or_else(|| path.into())
        };
        let (home, place) = (resolve(&self.home), resolve(&self.runtime));
        // A user who can replace the home directory can do anything.
        let own = place.ancestors().take_while(|path| !home.starts_with(path));
        own.filter_map(Path::parent).all(|directory| {
            fs::metadata(directory).is_ok_and(|metadata| {
                let owner = metadata.uid();
                metadata.mode() & 0o022 == 0 && (owner == 0 || owner == geteuid().as_raw())
            })
        })
    }

    /// Returns the runtime directory of sessions without `XDG_RUNTIME_DIR`.
    fn home_runtime(&self) -> PathBuf {
        self.state.join("run")
    }

    fn places_file(&self) -> PathBuf {
        self.state.join("runtime-directories")
    }

    fn noted(&self) -> Vec<PathBuf> {
        let text = read_own(&self.places_file(), PLACES_SIZE).unwrap_or_default();
        text.lines().map(PathBuf::from).filter(|place| place.is_absolute()).collect()
    }

    /// Records the runtime directory for other sessions, and drops those that are gone.
    fn note_runtime(&self) -> Result<()> {
        let mut noted = self.noted();
        let is_line = self.runtime.to_str().is_some_and(|path| !path.contains('\n'));
        if self.runtime == self.home_runtime() || noted.contains(&self.runtime) || !is_line {
            return Ok(());
        }
        noted.retain(|place| place.exists());
        noted.push(self.runtime.clone());
        let recent = &noted[noted.len().saturating_sub(PLACES_MAX)..];
        let text: String = recent.iter().map(|place| format!("{}\n", place.display())).collect();
        create_private(&self.state)?;
        write_atomically(&self.places_file(), &text)
    }
}

/// Refuses a runtime directory that another user could have made or could replace.
fn refuse_unsafe(path: &Path, metadata: &Metadata) -> Result<()> {
    let shown = path.display();
    if !metadata.is_dir() {
        return Err(
            Error::failed(format!("{shown} is not a directory")).with_hint(format!("remove it: rm {shown}"))
        );
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(Error::failed(foreign(path, metadata))
            .with_hint("run soong as that user, or set XDG_RUNTIME_DIR to your own directory"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::failed(format!("{shown} is open to other users"))
            .with_hint(format!("fix it: chmod 700 {shown}")));
    }
    match trust::directory_fault(path) {
        None => Ok(()),
        Some(fault) => Err(fault.refuse(path)),
    }
}
