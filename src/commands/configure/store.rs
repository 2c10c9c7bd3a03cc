//! Locked, atomic changes of the user's two files.
//!
//! The lock is in the state directory: the config directory may be a repository, where a lock file would be
//! litter, or read-only, where reading must work. Readers need no lock, as files are replaced atomically. A
//! file that is a link stays one: its target is replaced.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};

use super::document;
use super::place::SecretName;
use crate::config::credentials::{self, Credentials};
use crate::config::{self, Config};
use crate::error::{Error, Result, errno};
pub(super) use crate::openssh::quoting::for_shell as shell;
use crate::system::lock::{self, Lock, WRITER_PATIENCE};
use crate::system::paths::{self, Paths};
use crate::terminal::printable;

/// Lock for changing the files, until dropped.
#[derive(Debug)]
pub struct Store<'a> {
    paths: &'a Paths,
    _lock: Lock,
}

/// New contents. Without `Debug`, as secrets are in the texts.
#[derive(Default)]
pub struct Change {
    /// New text of `config.toml`; `None` keeps it.
    pub config: Option<String>,
    /// New text of `credentials.toml`; `None` keeps it.
    pub credentials: Option<String>,
}

impl<'a> Store<'a> {
    /// Waits for other writers.
    pub fn open(paths: &'a Paths) -> Result<Self> {
        paths.ensure_state()?;
        let file = paths.configure_lock();
        let lock = lock::try_lock(&file, WRITER_PATIENCE)?.ok_or_else(|| {
            let shown = printable(&file.to_string_lossy()).into_owned();
            Error::failed("another 'soong configure' is still running")
                .with_hint(format!("find it: fuser -v {shown}"))
        })?;
        Ok(Self { paths, _lock: lock })
    }

    /// Returns the text of `config.toml`.
    pub fn config(&self) -> Result<String> {
        config::read(self.paths.config_file())
    }

    /// Returns the text of `credentials.toml`. If it does not exist, the text begins with the secrets of
    /// soong's predecessor, whose file is ignored afterwards.
    pub fn credentials(&self) -> Result<String> {
        if let Some(text) = credentials::read(&self.paths.credentials_file())? {
            return Ok(text);
        }
        let legacy = Credentials::load(self.paths)?;
        let mut text = String::new();
        for (name, secret) in
            [(SecretName::ApiKey, legacy.api_key), (SecretName::DaemonToken, legacy.daemon_token)]
        {
            if let Some(secret) = secret {
                text = document::set(&text, &name.segments(), &secret.expose().into())?;
            }
        }
        Ok(text)
    }

    /// Checks the new texts and saves them; returns the changed files. Checks both before changing one, and
    /// delays signals until both are saved.
    pub fn write(&self, change: &Change) -> Result<Vec<PathBuf>> {
        let config = self.paths.config_file();
        let secrets = self.paths.credentials_file();
        if let Some(text) = &change.config {
            self.check_config(text)?;
        }
        if let Some(text) = &change.credentials {
            Credentials::parse(text, &secrets)?;
        }
        let mut written = Vec::new();
        let held = HeldSignals::new();
        if let Some(text) = &change.credentials {
            replace(&secrets, text, Privacy::Always)?;
            written.push(secrets);
        }
        if let Some(text) = &change.config {
            replace(config, text, Privacy::WhenNew)?;
            written.push(config.to_path_buf());
        }
        drop(held);
        Ok(written)
    }

    /// Refuses a text that soong cannot read. Reports old faults as such, new ones as the reason to refuse
    /// the change.
    fn check_config(&self, text: &str) -> Result<()> {
        let file = self.paths.config_file();
        let Err(error) = Config::parse(text, file, self.paths) else { return Ok(()) };
        Config::parse(&self.config()?, file, self.paths)?;
        let hints: Vec<String> = error.hints().into_iter().map(str::to_owned).collect();
        let Error::Config { message, .. } = error else { return Err(error) };
        Err(Error::Failed { message: format!("this would break the config: {message}"), hints })
    }
}

/// Permissions of a saved file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Privacy {
    /// The user only.
    Always,
    /// The user only, unless the file already has another mode.
    WhenNew,
}

/// Replaces the target of `file` by `text`.
fn replace(file: &Path, text: &str, privacy: Privacy) -> Result<()> {
    let target = paths::follow(file).map_err(|error| Error::io("write", file, error))?;
    let before = match fs::metadata(&target) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io("write", &target, error)),
    };
    if let Some(before) = &before {
        refuse_read_only(&target, before)?;
    }
    let directory = target.parent().unwrap_or(Path::new("/"));
    if !directory.is_dir() {
        paths::create_private(directory)?;
    }
    let mode = before.as_ref().filter(|_| privacy == Privacy::WhenNew).map_or(0o600, Metadata::mode);
    paths::exchange(&target, text.as_bytes(), before.as_ref(), mode & 0o777)
        .map_err(|error| refusal(&target, directory, error))
}

/// Refuses to replace a file that its owner marked read-only, although a rename could.
fn refuse_read_only(target: &Path, metadata: &Metadata) -> Result<()> {
    let shown = shell(target);
    if !metadata.is_file() {
        return Err(Error::io("write", target, io::Error::other("not a regular file")));
    }
    if metadata.mode() & 0o200 == 0 {
        return Err(Error::failed(format!("cannot write {}: it is read-only", plain(target)))
            .with_hint(format!("allow it: chmod u+w {shown}")));
    }
    match nix::unistd::access(target, nix::unistd::AccessFlags::W_OK) {
        Ok(()) => Ok(()),
        Err(errno) => Err(refusal(target, target.parent().unwrap_or(Path::new("/")), errno.into())),
    }
}

/// Returns the reason why `target` could not be written, with a hint. The old text is still there.
fn refusal(target: &Path, directory: &Path, error: io::Error) -> Error {
    let hint = match errno(&error) {
        Some(Errno::ENOSPC | Errno::EDQUOT) => "free some space; the file is unchanged".to_owned(),
        Some(Errno::EROFS) => "its file system is read-only; set SOONG_CONFIG to another file".to_owned(),
        Some(Errno::EACCES | Errno::EPERM) => {
            format!(
                "check the owner and mode of the file and its directory: ls -ld {} {}",
                shell(directory),
                shell(target)
            )
        }
        _ => "the file is unchanged".to_owned(),
    };
    Error::io("write", target, error).with_hint(hint)
}

fn plain(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

/// Delays signals that would end this process. Writing takes little time.
struct HeldSignals(SigSet);

impl HeldSignals {
    fn new() -> Self {
        let ending = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
        // Fails only for an invalid signal; writing stays atomic in that case.
        Self(ending.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK).unwrap_or(SigSet::empty()))
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        let _ = self.0.thread_set_mask();
    }
}

#[cfg(test)]
mod tests;
