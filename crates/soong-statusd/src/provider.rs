//! Executables that end an instance at its provider: `soong-provider-NAME terminate`.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use crate::error::{Error, Result};

/// The longest answer that is read, in bytes.
pub const ANSWER_MAX: usize = 64 << 10;

/// The executable of the provider `name`, on PATH. Others must not be able to replace it.
pub fn find(name: &str) -> Result<PathBuf> {
    let program = format!("soong-provider-{name}");
    #[allow(clippy::disallowed_methods, reason = "the unit says where programs are")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).filter(|directory| directory.is_absolute());
    let file = candidates.map(|directory| directory.join(&program)).find(|file| file.is_file());
    let file = file.ok_or_else(|| Error::new(format!("{program} is not on PATH")))?;
    let metadata = file.metadata().map_err(|error| Error::io("look at", &file, &error))?;
    let own = nix::unistd::geteuid().as_raw();
    if (metadata.uid() != 0 && metadata.uid() != own) || metadata.permissions().mode() & 0o022 != 0 {
        return Err(Error::new(format!("{} is not used: other users can replace it", file.display())));
    }
    Ok(file)
}

/// The error in an answer, `{"error":{"code":…,"message":…}}`, without control characters.
pub fn reason(answer: &[u8]) -> Option<String> {
    const LENGTH_MAX: usize = 300;
    let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
    let part = |name: &str| answer["error"][name].as_str();
    let (code, message) = (part("code")?, part("message").unwrap_or_default());
    let text = format!("{code}: {message}");
    Some(text.chars().filter(|c| !c.is_control()).take(LENGTH_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_provider_is_its_code_and_message() {
        let answer = br#"{"error":{"code":"unauthorized","message":"bad\u001b key","retry_after":null}}"#;
        assert_eq!(reason(answer).as_deref(), Some("unauthorized: bad key"));
        for other in [&b""[..], b"{}", b"{\"error\":7}", b"no JSON"] {
            assert_eq!(reason(other), None);
        }
    }
}
