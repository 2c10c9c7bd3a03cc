//! The state file: replaced atomically, so that a crash at any moment leaves the old or the new
//! state, and locked, so that only one daemon writes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::clock::Anchor;
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::log;

/// Content of the state file. Unknown fields are ignored: a daemon that was rolled back reads the state that a
/// newer one of the same format saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The version of the format.
    api: u32,
    /// The moment of the last save.
    pub anchor: Anchor,
    /// The lease.
    pub lease: Lease,
}

const API: u32 = 1;

/// The directory of the state file, locked for this process.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    _lock: Flock<File>,
}

impl Store {
    /// Creates and locks `directory`.
    pub fn open(directory: &Path) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| Error::io("create", directory, &error))?;
        let file = directory.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&file);
        let lock = lock.map_err(|error| Error::io("open", &file, &error))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
            let error = Error::new(format!("cannot lock {}: {error}", file.display()));
            error.with_hint("another soong-statusd uses this directory; stop it first")
        })?;
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    fn file(&self) -> PathBuf {
        self.directory.join("state.json")
    }

    /// Reads the state that was last saved. A damaged file is moved aside and counts as none.
    pub fn load(&self) -> Result<Option<Saved>> {
        let file = self.file();
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &file, &error)),
        };
        match serde_json::from_slice::<Saved>(&text) {
            Ok(saved) if saved.api == API => Ok(Some(saved)),
            damage => {
                let reason =
                    damage.map_or_else(|error| error.to_string(), |saved| format!("format {}", saved.api));
                let aside = self.directory.join("state.json.damaged");
                log::error(&format!(
                    "{} cannot be read ({reason}); moved to {}, and a new lease begins",
                    file.display(),
                    aside.display()
                ));
                fs::rename(&file, &aside).map_err(|error| Error::io("rename", &file, &error))?;
                Ok(None)
            }
        }
    }

    /// Replaces the state.
    pub fn save(&self, anchor: &Anchor, lease: &Lease) -> io::Result<()> {
        let saved = Saved { api: API, anchor: anchor.clone(), lease: lease.clone() };
        // One fixed name, so that crashes leave at most one temporary file.
        let fresh = self.directory.join("state.json.new");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(&saved)?)?;
        file.sync_all()?;
        fs::rename(&fresh, self.file())?;
        File::open(&self.directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Moment, Reading};
    use crate::lease::Policy;

    fn some() -> (Anchor, Lease) {
        let hour = Duration::from_secs(3600);
        let policy = Policy { lease: hour * 4, limit: hour * 8, idle: None };
        (Anchor::first(&Reading::take()), Lease::new(&policy, Moment(7)))
    }

    #[test]
    fn what_is_saved_is_loaded_and_only_one_daemon_may() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("deep/state");
        let store = Store::open(&place).unwrap();
        assert_eq!(store.load().unwrap(), None);
        let (anchor, lease) = some();
        store.save(&anchor, &lease).unwrap();
        let saved = store.load().unwrap().unwrap();
        assert_eq!((saved.anchor, saved.lease), (anchor, lease));
        assert!(Store::open(&place).unwrap_err().hint().unwrap().contains("another"));
        drop(store);
        Store::open(&place).unwrap();
    }

    #[test]
    fn a_torn_or_damaged_file_is_no_state() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (anchor, lease) = some();
        store.save(&anchor, &lease).unwrap();
        // A crash while the next state is written: the old one counts.
        fs::write(directory.path().join("state.json.new"), b"{\"api\":1,").unwrap();
        assert_eq!(store.load().unwrap().unwrap().lease, lease);
        let whole = fs::read(store.file()).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"", b"{}", b"[1]", b"\xff"] {
            fs::write(store.file(), damaged).unwrap();
            assert_eq!(store.load().unwrap(), None);
            assert!(directory.path().join("state.json.damaged").exists());
        }
        let whole = String::from_utf8(whole).unwrap();
        fs::write(store.file(), whole.replace("\"warned\"", "\"new\":1,\"warned\"")).unwrap();
        assert_eq!(store.load().unwrap().unwrap().lease, lease);
        let other = whole.replace("\"api\":1", "\"api\":2");
        fs::write(store.file(), other).unwrap();
        assert_eq!(store.load().unwrap(), None);
    }
}
