//! The runtime directory: the one that this process uses, and those of the user's other sessions.
//!
//! A shell has `XDG_RUNTIME_DIR` or not: after `su -`, `sudo -i` or in a cron job it has none. Without
//! a usable one the runtime directory lies below the state directory, which no other user can create,
//! not even after a reboot, and which outlives the login. Directories outside the state directory are
//! noted in it, so that every session finds every tunnel.

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

/// How many runtime directories are noted; the one that was used last comes last.
const PLACES_MAX: usize = 16;
/// The longest list of them that is read, in bytes.
const PLACES_SIZE: u64 = 1 << 16;

impl Paths {
    /// Where files live that are of use only while tunnels run; see [`Paths::ensure_runtime`].
    pub fn runtime(&self) -> &Path {
        &self.runtime
    }

    /// Why `XDG_RUNTIME_DIR` is set and not used.
    pub fn runtime_fault(&self) -> Option<&str> {
        self.runtime_fault.as_deref()
    }

    /// Makes sure that the runtime directory exists and is private to this user, and that the user's
    /// other sessions find it.
    pub fn ensure_runtime(&self) -> Result<()> {
        create_private(&self.runtime)?;
        self.check_runtime()?;
        create_private(&self.runtime.join("tunnels"))?;
        // In a home that cannot be written, a tunnel is of more use than being found from elsewhere.
        let _ = self.note_runtime();
        Ok(())
    }

    /// Says whether the runtime directory exists; refuses one that others could tamper with.
    pub fn check_runtime(&self) -> Result<bool> {
        let metadata = match fs::symlink_metadata(&self.runtime) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io("read", &self.runtime, error)),
        };
        refuse_unsafe(&self.runtime, &metadata).map(|()| true)
    }

    /// True if `XDG_RUNTIME_DIR` was removed, as it is at the last logout, and the runtime directory with it.
    pub fn is_runtime_gone(&self) -> bool {
        let parent = self.runtime.parent().map(fs::symlink_metadata);
        let is_gone = matches!(parent, Some(Err(error)) if error.kind() == io::ErrorKind::NotFound);
        is_gone && self.runtime != self.home_runtime()
    }

    /// The runtime directories of all of this user's sessions that exist and that nobody else can
    /// change: this process's own first.
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

    /// True unless another user could create the runtime directory once it is gone, say after a
    /// reboot. Files that outlive it, such as an `ssh_config`, may name sockets in it only then.
    pub fn is_runtime_reserved(&self) -> bool {
        let resolve = |path: &Path| {
            path.ancestors().find_map(|above| fs::canonicalize(above).ok()).unwrap_or_else(|| path.into())
        };
        let (home, place) = (resolve(&self.home), resolve(&self.runtime));
        // Whoever can replace the home directory can do anything.
        let own = place.ancestors().take_while(|path| !home.starts_with(path));
        own.filter_map(Path::parent).all(|directory| {
            fs::metadata(directory).is_ok_and(|metadata| {
                let owner = metadata.uid();
                metadata.mode() & 0o022 == 0 && (owner == 0 || owner == geteuid().as_raw())
            })
        })
    }

    /// The runtime directory of sessions without `XDG_RUNTIME_DIR`.
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

    /// Notes the runtime directory for other sessions, and forgets those that are gone.
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

/// Refuses a runtime directory that others could have made, or could put another in place of.
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
