//! The file of a service: written once, and again only if it differs.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::{fs, io};

use super::definition::Definition;
use crate::error::{Error, Result};
use crate::system::paths;

/// Change by an installation, from none to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    None,
    /// The service starts at login now.
    Enabled,
    /// The file of the service is new.
    Created,
    /// The file of the service differs from before.
    Rewritten,
}

/// Writes the file of a service, readable by all. A file that another program wrote is refused.
pub fn write(file: &Path, text: &str) -> Result<Change> {
    /// Mode that service managers expect.
    const MODE: u32 = 0o644;
    let at_fault = |error| Error::io("write", file, error);
    let change = match fs::read_to_string(file) {
        Ok(before) if before == text => return Ok(Change::None),
        Ok(before) if Definition::read(&before).is_none() => {
            return Err(Error::failed(format!("{} is not from 'soong service install'", file.display()))
                .with_hint("move it elsewhere, then repeat this"));
        }
        Ok(_) => Change::Rewritten,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Change::Created,
        Err(error) => return Err(at_fault(error)),
    };
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory).map_err(at_fault)?;
    }
    paths::write_atomically(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(MODE)).map_err(at_fault)?;
    Ok(change)
}
