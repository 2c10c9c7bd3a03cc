//! User certificates beside the keys: finds out whether one that ssh offers has expired. The server only
//! refuses the login.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Login;
use crate::system::{name_service, time};
use crate::terminal::printable;

/// Longest certificate file, in bytes.
const SIZE_MAX: u64 = 64 << 10;
/// Types of certificates with the number of fields in their public key.
const KINDS: [(&str, usize); 8] = [
    ("ssh-ed25519-cert-v01@openssh.com", 1),
    ("ssh-rsa-cert-v01@openssh.com", 2),
    ("ecdsa-sha2-nistp256-cert-v01@openssh.com", 2),
    ("ecdsa-sha2-nistp384-cert-v01@openssh.com", 2),
    ("ecdsa-sha2-nistp521-cert-v01@openssh.com", 2),
    ("sk-ssh-ed25519-cert-v01@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 3),
    ("ssh-dss-cert-v01@openssh.com", 4),
];
/// Certificate type "user", as opposed to "host".
const OF_USER: u32 = 1;

/// Returns the fault in the dates of a certificate that ssh offers, with its fix.
pub fn outdated(login: &Login) -> Option<[String; 2]> {
    let now = time::now();
    files(login).iter().find_map(|file| {
        let (from, until) = validity(&read(file)?)?;
        let what = match () {
            () if until <= now => format!("expired on {}", time::date_and_clock(until)),
            () if from > now => format!("is not valid before {}", time::date_and_clock(from)),
            () => return None,
        };
        let name = file.to_string_lossy();
        Some([
            format!("the certificate {} {what}", printable(&name)),
            format!(
                "get a new certificate; to see its dates: ssh-keygen -L -f {}",
                printable(&shell_words::quote(&name))
            ),
        ])
    })
}

/// Returns the certificates that ssh looks for; they may not exist.
fn files(login: &Login) -> Vec<PathBuf> {
    let mut command = Command::new(&login.program);
    let output = command.args(login.lookup_arguments()).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let answer = output.map(|output| output.stdout).unwrap_or_default();
    let lines = String::from_utf8_lossy(&answer).into_owned();
    let named = lines.lines().filter_map(|line| match line.split_once(' ')? {
        ("identityfile", key) => Some(format!("{key}-cert.pub")),
        ("certificatefile", certificate) => Some(certificate.to_owned()),
        _ => None,
    });
    // ssh uses the password database, not HOME.
    let home = name_service::own_home().unwrap_or_default();
    let expanded = named.map(|name| match name.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(name),
    });
    expanded.filter(|file| file.is_absolute()).collect()
}

fn read(file: &Path) -> Option<String> {
    let metadata = std::fs::metadata(file).ok()?;
    (metadata.is_file() && metadata.len() <= SIZE_MAX).then(|| std::fs::read_to_string(file).ok())?
}

/// Returns the validity of the user certificate in `text`, in seconds since the epoch; `None` if it is not
/// one (`PROTOCOL.certkeys`).
fn validity(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_ascii_whitespace();
    let kind = words.next()?;
    let (_, key_fields) = KINDS.iter().find(|(known, _)| *known == kind)?;
    let bytes = STANDARD.decode(words.next()?).ok()?;
    let mut rest = bytes.as_slice();
    // Type, nonce, key.
    for _ in 0..2 + key_fields {
        field(&mut rest)?;
    }
    take::<8>(&mut rest)?; // the serial number
    let is_of_user = u32::from_be_bytes(*take(&mut rest)?) == OF_USER;
    field(&mut rest)?; // the key id
    field(&mut rest)?; // the principals
    let (from, until) = (u64::from_be_bytes(*take(&mut rest)?), u64::from_be_bytes(*take(&mut rest)?));
    is_of_user.then_some((from, until))
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_be_bytes(*take(rest)?)).ok()?;
    let (field, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(field)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (bytes, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_of_a_certificate_are_read() {
        let certificate = |kind: &str, keys: usize, of: u32| {
            let mut bytes = Vec::new();
            let mut push = |field: &[u8]| {
                bytes.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
                bytes.extend(field);
            };
            (0..2 + keys).for_each(|_| push(b"field"));
            bytes.extend(7u64.to_be_bytes());
            bytes.extend(of.to_be_bytes());
            bytes.extend([0, 0, 0, 1, b'i', 0, 0, 0, 0]);
            bytes.extend([1, 2].map(u64::to_be_bytes).concat());
            format!("{kind} {} comment\n", STANDARD.encode(bytes))
        };
        for (kind, keys) in KINDS {
            assert_eq!(validity(&certificate(kind, keys, OF_USER)), Some((1, 2)), "{kind}");
        }
        let whole = certificate(KINDS[0].0, 1, OF_USER);
        let cut = format!("{} {}", KINDS[0].0, &whole.split(' ').nth(1).unwrap()[..40]);
        let others = [cut, certificate(KINDS[0].0, 1, 2), certificate("ssh-ed25519", 1, OF_USER), "x".into()];
        for text in others {
            assert_eq!(validity(&text), None, "{text}");
        }
    }
}
