//! Choice of the private keys, and checks that ssh can use them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Ssh;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::openssh::key_file::foreign_format;
use crate::openssh::quoting::check_path;
use crate::system::paths::{self, Paths};
use crate::terminal::printable;
use crate::toml_text::typed_key;

/// Private keys for the login, and how they were chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Keys {
    /// Files in the order of ssh's tries; empty leaves the choice to ssh.
    pub files: Vec<PathBuf>,
    /// True if the user chose the key. Then ssh tries no other and none of the agent's.
    pub named: bool,
}

/// ssh's default key names, most common first (`ssh(1)`, option `-i`).
const USUAL_KEYS: [&str; 5] = ["id_rsa", "id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk"];

/// Returns the keys for `instance`: its own, else the one of `[ssh]`, else the default ones that exist.
pub(super) fn choose(instance: &Instance, ssh: &Ssh, paths: &Paths) -> Result<Keys> {
    let Some(file) = instance.key.as_ref().or(ssh.key.as_ref()) else { return usual(instance, paths) };
    // The supervisor, and so ssh, has another working directory than the user.
    let file = std::path::absolute(file).map_err(|error| Error::io("use the SSH key", file, error))?;
    check_key(&file, instance)?;
    check_path(&file)?;
    Ok(Keys { files: vec![file], named: true })
}

/// Returns the default keys that ssh can use; fails if there are some but none is usable.
fn usual(instance: &Instance, paths: &Paths) -> Result<Keys> {
    let names = USUAL_KEYS.iter().map(|name| paths.ssh_directory().join(name));
    let (mut files, mut unusable) = (Vec::new(), None);
    for file in names.filter(|file| file.exists()) {
        match check_key(&file, instance).and_then(|()| check_path(&file)) {
            Ok(()) => files.push(file),
            Err(error) => unusable = unusable.or(Some(error)),
        }
    }
    match unusable {
        Some(error) if files.is_empty() => Err(error),
        _ => Ok(Keys { files, named: false }),
    }
}

/// Checks a key that ssh would silently ignore because it cannot read it or others can.
fn check_key(file: &Path, instance: &Instance) -> Result<()> {
    let metadata = std::fs::metadata(file).map_err(|error| {
        Error::io("use the SSH key", file, error)
            .with_hint("run 'soong configure', or set ssh.key in config.toml to your private key")
    })?;
    let shown = file.display();
    if !metadata.is_file() {
        return Err(Error::failed(format!("cannot use the SSH key {shown}: not a file"))
            .with_hint("set ssh.key in config.toml to your private key"));
    }
    if !paths::has_ssh_agent()
        && let Some(hint) = public_half(file, instance)
    {
        return Err(Error::failed(format!("the SSH key {} is a public key", file.display())).with_hint(hint));
    }
    let ours = metadata.uid() == nix::unistd::geteuid().as_raw();
    if ours && metadata.mode() & 0o077 != 0 && file.extension().is_none_or(|extension| extension != "pub") {
        return Err(Error::failed(format!(
            "the SSH key {shown} can be read by other users, so ssh rejects it"
        ))
        .with_hint(format!("fix it: chmod 600 {}", shell_words::quote(&file.to_string_lossy()))));
    }
    let text = beginning(file).map_err(|error| Error::io("use the SSH key", file, error))?;
    if let Some((fault, hint)) = foreign_format(file, &text) {
        let shown = printable(&shown.to_string()).into_owned();
        return Err(Error::failed(format!("the SSH key {shown} {fault}")).with_hint(hint));
    }
    Ok(())
}

/// Returns the first bytes of `file`.
fn beginning(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the hint if `file` is a public key, which ssh takes for a private one with bad permissions. If an
/// agent has the private key, the public key is enough for ssh.
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
    Some(format!("use the private key: soong configure set {key} {name}"))
}
