//! The private key to log in with: choosing one, and saying what keeps ssh from using it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Ssh;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::openssh::quoting::check_path;
use crate::system::paths::Paths;

/// A private key, and how it came to be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The file.
    pub file: PathBuf,
    /// Whether the user named it. Then ssh is to try no other.
    pub named: bool,
}

/// The names that ssh looks for by itself, most usual first (`ssh(1)`, option `-i`).
const USUAL_KEYS: [&str; 5] = ["id_rsa", "id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk"];

/// The key for `instance`: its own, else the one of `[ssh]`, else the first usual one there is.
pub(super) fn choose(instance: &Instance, ssh: &Ssh, paths: &Paths) -> Result<Option<Key>> {
    let (file, named) = match instance.key.as_ref().or(ssh.key.as_ref()) {
        // The supervisor, and so ssh, works in another directory than the user.
        Some(file) => {
            let absolute = std::path::absolute(file);
            (absolute.map_err(|error| Error::io("use the SSH key", file, error))?, true)
        }
        None => {
            match USUAL_KEYS.iter().map(|name| paths.ssh_directory().join(name)).find(|file| file.exists()) {
                Some(file) => (file, false),
                None => return Ok(None),
            }
        }
    };
    check_key(&file)?;
    check_path(&file)?;
    Ok(Some(Key { file, named }))
}

/// ssh ignores a key that it cannot read or that others can read, and then fails for a reason that
/// does not say so; this says so.
fn check_key(file: &Path) -> Result<()> {
    let metadata = std::fs::metadata(file).map_err(|error| {
        Error::io("use the SSH key", file, error)
            .with_hint("run 'soong configure', or set ssh.key in config.toml to the key you log in with")
    })?;
    let shown = file.display();
    if !metadata.is_file() {
        return Err(Error::failed(format!("cannot use the SSH key {shown}: not a file"))
            .with_hint("set ssh.key in config.toml to the private key you log in with"));
    }
    let ours = metadata.uid() == nix::unistd::geteuid().as_raw();
    if ours && metadata.mode() & 0o077 != 0 && file.extension().is_none_or(|extension| extension != "pub") {
        return Err(Error::failed(format!(
            "the SSH key {shown} can be read by other users, so ssh will not use it"
        ))
        .with_hint(format!("close it: chmod 600 {}", shell_words::quote(&file.to_string_lossy()))));
    }
    std::fs::File::open(file).map(drop).map_err(|error| Error::io("use the SSH key", file, error))
}
