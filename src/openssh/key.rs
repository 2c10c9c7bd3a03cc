//! The private key to log in with: choosing one, and saying what keeps ssh from using it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Ssh;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::openssh::quoting::check_path;
use crate::system::paths::{self, Paths};
use crate::toml_text::typed_key;

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
    check_key(&file, instance)?;
    check_path(&file)?;
    Ok(Some(Key { file, named }))
}

/// ssh ignores a key that it cannot read or that others can read, and then fails for a reason that
/// does not say so; this says so.
fn check_key(file: &Path, instance: &Instance) -> Result<()> {
    let metadata = std::fs::metadata(file).map_err(|error| {
        Error::io("use the SSH key", file, error)
            .with_hint("run 'soong configure', or set ssh.key in config.toml to the key you log in with")
    })?;
    let shown = file.display();
    if !metadata.is_file() {
        return Err(Error::failed(format!("cannot use the SSH key {shown}: not a file"))
            .with_hint("set ssh.key in config.toml to the private key you log in with"));
    }
    if !paths::has_ssh_agent()
        && let Some(hint) = public_half(file, instance)
    {
        return Err(Error::failed(format!("the SSH key {} is the public half of a key", file.display()))
            .with_hint(hint));
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

/// What to do about `file` where it is the public half of a key, which ssh takes for a private one that
/// others can read. Where an agent holds the private half, ssh needs no more than this.
pub(super) fn public_half(file: &Path, instance: &Instance) -> Option<String> {
    let text = std::fs::read(file).ok()?;
    if ![&b"ssh-"[..], b"ecdsa-", b"sk-"].iter().any(|start| text.starts_with(start)) {
        return None;
    }
    let private = file.with_extension("");
    let name = match private.to_str() {
        Some(name) if private != file && private.is_file() => shell_words::quote(name).into_owned(),
        _ => "FILE".to_owned(),
    };
    let key = match &instance.key {
        Some(_) => typed_key(&["instances", &instance.name, "key"]),
        None => "ssh.key".to_owned(),
    };
    Some(format!("name the private half: soong configure set {key} {name}"))
}
