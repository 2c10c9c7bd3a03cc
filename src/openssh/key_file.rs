//! Finds private keys in `~/.ssh`, and reports faults of a key before ssh does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::quoting::for_shell as shell;
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};
use crate::terminal::printable;

/// Requirement of a good key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// None.
    Open,
    /// A passphrase, which an agent can keep.
    Passphrase,
}

/// First lines of private keys in the formats that ssh reads.
const HEADER: &str = "-----BEGIN ";

/// Returns the private keys in `~/.ssh`, sorted by name.
pub fn find(paths: &Paths) -> Vec<PathBuf> {
    let entries = fs::read_dir(paths.ssh_directory()).into_iter().flatten().flatten();
    let mut keys: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|file| is_private_key(file)).collect();
    keys.sort();
    keys
}

fn is_private_key(file: &Path) -> bool {
    beginning(file).is_ok_and(|text| text.starts_with(HEADER) && text.contains("PRIVATE KEY-----"))
}

/// Returns the beginning of `file`. Opens regular files only: a FIFO would block.
fn beginning(file: &Path) -> io::Result<String> {
    const LENGTH: u64 = 16 << 10;
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(LENGTH).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Checks that `file` is a private key that ssh will use, and that a public key beside it belongs to it.
pub fn check(file: &Path) -> Result<Lock> {
    let text = beginning(file).map_err(|error| Error::io("read", file, error))?;
    if let Some(error) = other_kind(file, &text) {
        return Err(error);
    }
    // Without ssh-keygen there are no further checks; ssh reports faults itself.
    let Some(program) = paths::find_program("ssh-keygen") else { return Ok(Lock::Open) };
    let output = Command::new(program)
        .args(["-y", "-P", "", "-f"])
        .arg(file)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::cannot("run ssh-keygen", source))?;
    let (lock, public) = verdict(file, &text, &output)?;
    if let Some(public) = public {
        check_pair(file, &public)?;
    }
    Ok(lock)
}

/// Returns the reason why ssh cannot read a private key that begins with `text` and was made by a program on Windows,
/// and the command that converts it.
pub(super) fn foreign_format(file: &Path, text: &[u8]) -> Option<(&'static str, String)> {
    let quoted = shell(file);
    if text.starts_with(b"PuTTY-User-Key-File") {
        let hint = format!("convert it: puttygen {quoted} -O private-openssh -o {quoted}.openssh");
        Some(("is in PuTTY's format, which ssh cannot read", hint))
    } else if text.starts_with(b"-----BEGIN OPENSSH PRIVATE KEY-----\r\n") {
        let hint = format!("remove them: sed -i.bak 's/\\r$//' {quoted}");
        Some(("has Windows line endings, which ssh cannot read", hint))
    } else {
        None
    }
}

/// Returns the hint for files that are often mistaken for a private key.
fn other_kind(file: &Path, text: &str) -> Option<Error> {
    let shown = printable(&file.to_string_lossy()).into_owned();
    if let Some((fault, hint)) = foreign_format(file, text.as_bytes()) {
        return Some(Error::failed(format!("{shown} {fault}")).with_hint(hint));
    }
    if text.starts_with(HEADER) && text.contains("PRIVATE KEY-----") {
        return None;
    }
    let error = Error::failed(format!("{shown} is not a private key"));
    Some(if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
        let private = file.with_extension("");
        error.with_hint(format!("this is the public key; the private key is usually {}", shell(&private)))
    } else {
        error.with_hint("create one: ssh-keygen -t ed25519")
    })
}

/// Returns ssh-keygen's findings: whether the key has a passphrase, and its public key if known.
fn verdict(file: &Path, text: &str, output: &Output) -> Result<(Lock, Option<Vec<u8>>)> {
    if output.status.success() {
        return Ok((Lock::Open, blob(&String::from_utf8_lossy(&output.stdout))));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("incorrect passphrase") {
        return Ok((Lock::Passphrase, public_part(text)));
    }
    let shown = printable(&file.to_string_lossy()).into_owned();
    if said.contains("UNPROTECTED") || said.contains("bad permissions") {
        return Err(Error::failed(format!("{shown} can be read by other users, so ssh rejects it"))
            .with_hint(format!("fix it: chmod 600 {}", shell(file))));
    }
    let reason = said.trim().lines().last().unwrap_or_default();
    let reason = reason.strip_prefix(&format!("Load key \"{}\": ", file.display())).unwrap_or(reason);
    Err(Error::failed(format!("{shown} cannot be used: {}", printable(reason))))
}

/// Compares the public key beside `file` with the right one. ssh offers the one in the `.pub` file and then
/// fails with the other.
fn check_pair(file: &Path, public: &[u8]) -> Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".pub");
    let beside = PathBuf::from(beside);
    match beginning(&beside).ok().map(|text| blob(&text)) {
        None => Ok(()),
        Some(Some(theirs)) if theirs == public => Ok(()),
        Some(_) => {
            let shown = printable(&beside.to_string_lossy()).into_owned();
            Err(Error::failed(format!("{shown} belongs to another key")).with_hint(format!(
                "recreate it: ssh-keygen -y -f {} > {}",
                shell(file),
                shell(&beside)
            )))
        }
    }
}

/// Returns the key in a line of a `.pub` file: `TYPE BASE64 COMMENT`.
fn blob(line: &str) -> Option<Vec<u8>> {
    STANDARD.decode(line.split_whitespace().nth(1)?).ok()
}

/// Returns the public key in an OpenSSH private key, which is not encrypted (`PROTOCOL.key` of OpenSSH:
/// magic, three strings, a number, the public key).
fn public_part(text: &str) -> Option<Vec<u8>> {
    let body = text.strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let body: String = body.lines().take_while(|line| !line.starts_with("-----")).collect();
    let bytes = STANDARD.decode(body).ok()?;
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    for _cipher_kdf_options in 0..3 {
        (_, rest) = string(rest)?;
    }
    let (public, _) = string(rest.get(4..)?)?;
    Some(public.to_vec())
}

/// Splits off a string with its length before it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn generate(directory: &Path, name: &str, passphrase: &str) -> PathBuf {
        let file = directory.join(name);
        let status = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
            .arg(&file)
            .status();
        assert!(status.expect("ssh-keygen is needed by this test").success());
        file
    }

    fn refused(file: &Path) -> String {
        let error = check(file).unwrap_err();
        format!("{error} | {}", error.hints().join(" | "))
    }

    #[test]
    fn keys_are_told_from_what_looks_like_one() {
        let directory = tempfile::tempdir().unwrap();
        let key = generate(directory.path(), "id", "");
        assert_eq!(check(&key).unwrap(), Lock::Open);
        let told = refused(&directory.path().join("id.pub"));
        assert!(
            told.contains("is not a private key | this is the public key") && told.ends_with("/id"),
            "{told}"
        );
        assert!(refused(&directory.path().join("none")).contains("No such file or directory"));
        assert!(refused(directory.path()).contains("not a regular file"));
        let other = directory.path().join("notes");
        fs::write(&other, "hello").unwrap();
        assert!(refused(&other).contains("is not a private key"));
        let text = fs::read_to_string(&key).unwrap();
        for (content, expected) in [
            (
                text.replace('\n', "\r\n"),
                "has Windows line endings, which ssh cannot read | remove them: sed ",
            ),
            (
                "PuTTY-User-Key-File-2: ssh-rsa\r\n".to_owned(),
                "PuTTY's format, which ssh cannot read | convert it: ",
            ),
        ] {
            fs::write(&other, content).unwrap();
            assert!(refused(&other).contains(expected), "{}", refused(&other));
        }
        let broken = directory.path().join("broken");
        let text = text.replacen("AAAA", "ABCD", 1);
        fs::write(&broken, text).unwrap();
        fs::set_permissions(&broken, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(refused(&broken).contains("cannot be used: "), "{}", refused(&broken));
    }

    #[test]
    fn a_key_with_a_passphrase_is_good_and_still_has_to_pair() {
        let directory = tempfile::tempdir().unwrap();
        let key = generate(directory.path(), "locked", "secret words");
        assert_eq!(check(&key).unwrap(), Lock::Passphrase);
        let other = generate(directory.path(), "other", "");
        fs::copy(other.with_extension("pub"), key.with_extension("pub")).unwrap();
        assert!(refused(&key).contains("locked.pub belongs to another key | recreate it: ssh-keygen -y"));
    }

    #[test]
    fn a_key_has_to_pair_with_the_public_key_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (generate(directory.path(), "one", ""), generate(directory.path(), "other", ""));
        fs::copy(other.with_extension("pub"), one.with_extension("pub")).unwrap();
        assert!(refused(&one).contains("one.pub belongs to another key"));
        fs::remove_file(one.with_extension("pub")).unwrap();
        assert_eq!(check(&one).unwrap(), Lock::Open);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_as_ssh_would() {
        let directory = tempfile::tempdir().unwrap();
        let key = generate(directory.path(), "id", "");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refused(&key).contains("ssh rejects it | fix it: chmod 600 "), "{}", refused(&key));
    }
}
