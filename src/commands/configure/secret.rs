//! Input of a secret: from standard input, from a prompt without echo, or generated.

use std::io::{self, Read};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::dialog;
use super::place::SecretName;
use crate::config::credentials::Secret;
use crate::error::{Error, Result};
use crate::terminal;

/// Longest standard input, in bytes.
const LIMIT: u64 = 1 << 16;

/// Reads the secret `name` from standard input.
pub fn from_stdin(name: SecretName) -> Result<Secret> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(LIMIT).read_to_end(&mut bytes);
    read.map_err(|source| Error::cannot("read standard input", source))?;
    let text = String::from_utf8(bytes).ok();
    text.as_deref()
        .and_then(Secret::new)
        .ok_or_else(|| Error::usage(format!("standard input has no {}", name.name())).with_hint(SHAPE))
}

/// Asks for the secret `name`.
pub fn from_prompt(name: SecretName) -> Result<Secret> {
    if !terminal::is_interactive() {
        return Err(Error::usage(format!("not a terminal; cannot ask for {}", name.name()))
            .with_hint(format!("pass it on standard input: soong configure set {} -", name.name())));
    }
    let text = dialog::secret(&format!("{} (not shown)", name.name()), |text| {
        Secret::new(text).map(drop).ok_or_else(|| SHAPE.to_owned())
    })?;
    Secret::new(&text).ok_or_else(|| Error::usage(SHAPE))
}

/// Checks a secret that may be left out.
pub fn optional(typed: &str) -> std::result::Result<(), String> {
    if typed.is_empty() || Secret::new(typed).is_some() { Ok(()) } else { Err(SHAPE.to_owned()) }
}

/// Form of a secret, for hints.
pub const SHAPE: &str = "a secret is one line of ASCII characters without spaces";

/// Returns a new token: 32 random bytes from the system, as URL-safe base64 without padding.
pub fn generate() -> Result<Secret> {
    let mut bytes = [0; 32];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| Error::failed(format!("no random numbers from the system: {error}")))?;
    Secret::new(&URL_SAFE_NO_PAD.encode(bytes)).ok_or_else(|| Error::failed("cannot create a token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_32_bytes_in_43_characters() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 43);
        assert_eq!(URL_SAFE_NO_PAD.decode(one.expose()).unwrap().len(), 32);
        assert!(one.expose().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    }
}
