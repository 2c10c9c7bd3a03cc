//! Reads a file of secrets, which must belong to the user and be unreadable for others.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::unistd::geteuid;

use crate::error::{Error, Result};
use crate::system::trust;
use crate::terminal::printable;

/// Returns the text of `file`, which must be private; `None` if it does not exist.
pub fn read(file: &Path) -> Result<Option<String>> {
    const LIMIT: u32 = 1 << 16;
    let refused = |error| Error::io("read", file, error);
    // Non-blocking, so that a FIFO is reported instead of hanging.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(file);
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
    };
    check_private(file, &opened)?;
    if let Some(fault) = trust::file_fault(file) {
        return Err(fault.refuse(file));
    }
    // With full capacity, so that growing leaves no copy behind.
    let mut bytes = Vec::with_capacity(LIMIT as usize + 1);
    (&mut opened).take(u64::from(LIMIT) + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() > LIMIT as usize {
        return Err(refused(io::Error::other("larger than 64 KiB")));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| refused(io::Error::other("not valid UTF-8")))
}

/// Refuses a file that others could have read or written. Checks the open file, which cannot be exchanged.
fn check_private(file: &Path, opened: &File) -> Result<()> {
    let metadata = opened.metadata().map_err(|error| Error::io("read", file, error))?;
    let shown = || printable(&file.to_string_lossy()).into_owned();
    if !metadata.is_file() {
        return Err(Error::io("read", file, io::Error::other("not a regular file")));
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(Error::failed(format!("{} belongs to another user (uid {})", shown(), metadata.uid()))
            .with_hint(
                "soong reads secrets only from your own files; copy it, or change its owner with chown",
            ));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::failed(format!("{} can be read by other users", shown()))
            .with_hint(format!("fix it: chmod 600 {}", quoted(file))));
    }
    Ok(())
}

/// Returns `file` quoted for a shell.
fn quoted(file: &Path) -> String {
    let text = file.to_string_lossy();
    printable(&shell_words::quote(&text)).into_owned()
}
