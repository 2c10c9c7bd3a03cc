//! Conversion of typed values to TOML, and of TOML values to text.

use toml::de::DeValue;
use toml_edit::{Item, Value};

use crate::config::check;
use crate::config::schema::Key;
use crate::error::{Error, Result};

/// Turns text `typed` for `key` at `segments` into TOML. Strings are taken as they are; other kinds are
/// parsed as TOML: `2222`, `false`, `{ remote = 8000, local = 18000 }`, `"quoted"`.
pub fn parse(key: &Key, segments: &[String], typed: &str) -> Result<Value> {
    let place: Vec<&str> = segments.iter().map(String::as_str).collect();
    let text = DeValue::String(typed.into());
    if check::value_fault(key, &place, &text).is_none() {
        return Ok(Value::from(typed));
    }
    let literal = DeValue::parse(typed.trim()).ok();
    let read = literal.as_ref().map_or(&text, |literal| literal.get_ref());
    if let Some(message) = check::value_fault(key, &place, read) {
        return Err(Error::usage(message));
    }
    typed
        .trim()
        .parse()
        .map_err(|_| Error::usage(format!("not valid TOML: {}", crate::terminal::printable(typed))))
}

/// Returns a value for printing: strings without quotes, others as TOML.
pub fn plain(item: &Item) -> String {
    match item.as_str() {
        Some(text) => text.to_owned(),
        None => literal(item),
    }
}

/// Returns a value as written in the file, on one line, without comments.
pub fn literal(item: &Item) -> String {
    let value = item.clone().into_value().map(|mut value| {
        value.decor_mut().clear();
        value.to_string()
    });
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::configure::place::{self, Place};

    fn written(key: &str, typed: &str) -> std::result::Result<String, String> {
        let Ok(Place::Key(segments, key)) = place::parse(key) else { panic!("a key") };
        parse(key, &segments, typed).map(|value| value.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn text_is_text_and_the_rest_is_toml() {
        let table = [
            ("ssh.port", "2222", "2222"),
            ("ssh.port", " 2222 ", "2222"),
            ("ssh.port", "0x16", "0x16"),
            ("ssh.user", "ubuntu", "\"ubuntu\""),
            ("ssh.user", "1000", "\"1000\""),
            ("ssh.key", "~/.ssh/my key", "\"~/.ssh/my key\""),
            ("ssh.host-key-check", "off", "\"off\""),
            ("ssh.options", "-o 'ProxyJump=a b'", "\"-o 'ProxyJump=a b'\""),
            ("services.comfyui", "8188", "8188"),
            ("services.n8n", "false", "false"),
            ("services.sglang", "{ remote = 8000, local = 18000 }", "{ remote = 8000, local = 18000 }"),
            ("instances.dev.id", "true", "\"true\""),
        ];
        for (key, typed, expected) in table {
            assert_eq!(written(key, typed).as_deref(), Ok(expected), "{key} {typed}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_as_in_the_file() {
        let table = [
            ("ssh.port", "abc", "ssh.port: expected a port (1 to 65535), found \"abc\""),
            ("ssh.port", "0", "ssh.port: expected a port (1 to 65535), found 0"),
            ("ssh.port", "", "ssh.port: expected a port (1 to 65535), found \"\""),
            ("ssh.keepalive", "1.5", "ssh.keepalive: expected a number of seconds (0 to 3600), found 1.5"),
            ("ssh.user", "$(id)", "ssh.user: expected a user name in quotes, found \"$(id)\""),
            (
                "services.web",
                "true",
                "services.web: expected a port (1 to 65535), { remote = PORT, local = PORT } or false, found true",
            ),
            (
                "ssh.port",
                "22\nuser = \"x\"",
                "ssh.port: expected a port (1 to 65535), found \"22\\nuser = \\\"x\\\"\"",
            ),
        ];
        for (key, typed, expected) in table {
            let told = written(key, typed).unwrap_err();
            assert!(told.starts_with(expected.split("\\n").next().unwrap()), "{told}");
        }
    }
}
