//! The system's manager of services: systemd or launchd.
//!
//! `service-manager` would do the same for more systems, but joins arguments without quoting, writes variables without
//! escapes, and fails without a running user manager; see CONTRIBUTING.

use std::path::PathBuf;
use std::{fs, io};

use super::definition::{Definition, Launch};
use super::file::Change;
use super::launchd::Launchd;
use super::systemd::{self, Systemd};
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};

/// Largest file of a service to read, in bytes.
const FILE_MAX: u64 = 1 << 16;

/// The manager of this system.
pub enum Manager {
    /// systemd's user manager.
    Systemd(Systemd),
    /// launchd.
    Launchd(Launchd),
}

impl Manager {
    /// Returns the manager, or an error on a system with another one.
    pub fn find(paths: &Paths) -> Result<Self> {
        if cfg!(target_os = "macos") {
            return Ok(Self::Launchd(Launchd::new(paths)));
        }
        if systemd::is_there() {
            return Ok(Self::Systemd(Systemd::new(paths)));
        }
        Err(Error::failed("neither systemd nor launchd is on this system")
            .with_hint("have your login run: soong tunnel start --on-demand"))
    }

    /// Installs a service.
    pub fn install(&self, definition: &Definition, launch: &Launch) -> Result<Change> {
        match self {
            Self::Systemd(manager) => manager.install(definition, launch),
            Self::Launchd(manager) => manager.install(definition, launch),
        }
    }

    /// Starts a service after `change`; returns false if its manager does not run now.
    pub fn start(&self, label: &str, change: Change) -> Result<bool> {
        match self {
            Self::Systemd(_) => Systemd::start(label, change),
            Self::Launchd(manager) => manager.start(label, change),
        }
    }

    /// Stops a service and removes it.
    pub fn uninstall(&self, label: &str) -> Result<()> {
        match self {
            Self::Systemd(manager) => manager.uninstall(label),
            Self::Launchd(manager) => manager.uninstall(label),
        }
    }

    /// Returns the file of a service.
    pub fn file(&self, label: &str) -> PathBuf {
        match self {
            Self::Systemd(manager) => manager.file(label),
            Self::Launchd(manager) => manager.file(label),
        }
    }

    /// Returns true if a service starts at login.
    pub fn is_enabled(&self, label: &str) -> bool {
        match self {
            Self::Systemd(manager) => manager.is_enabled(label),
            Self::Launchd(manager) => manager.is_enabled(label),
        }
    }

    /// Returns the manager's word for the state of a service; `None` if it does not run.
    pub fn state(&self, label: &str) -> Option<String> {
        match self {
            Self::Systemd(_) => Systemd::state(label),
            Self::Launchd(_) => Launchd::state(label),
        }
    }

    /// Returns the installed services, by name.
    pub fn installed(&self) -> Result<Vec<Definition>> {
        let directory = match self {
            Self::Systemd(manager) => manager.directory(),
            Self::Launchd(manager) => manager.directory(),
        };
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| Error::io("read", directory, error))?,
        };
        let files = entries.flatten().map(|entry| entry.path());
        let is_ours = |file: &PathBuf| {
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("soong-"))
        };
        let read = |file: PathBuf| {
            let definition = Definition::read(&paths::read_own(&file, FILE_MAX).ok()?)?;
            (self.file(&definition.label()) == file).then_some(definition)
        };
        let mut found: Vec<Definition> = files.filter(is_ours).filter_map(read).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}
