//! Names of commands, which are parts of file names: `soong-NAME`.

/// Prefix of the file names of all programs and extensions.
pub const PREFIX: &str = "soong-";

/// Returns true if `name` can be a command's name: it becomes part of a file name.
pub fn is_name(name: &[u8]) -> bool {
    let legal = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    name.first().is_some_and(u8::is_ascii_alphanumeric) && name.iter().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_directory() {
        for name in ["tunnel", "x2", "a.b", "a_b-c"] {
            assert!(is_name(name.as_bytes()), "{name}");
        }
        for name in ["", "../x", "/bin/sh", ".x", "-x", "a b", "a/b", "ä", "a\nb"] {
            assert!(!is_name(name.as_bytes()), "{name}");
        }
    }
}
