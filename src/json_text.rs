//! JSON of long lists, written field by field. serde's generic code, which is built for size here, takes four times
//! as long for them; use it for everything else.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::terminal::printable_json;

/// JSON that is being written. Each method takes the text before its value, as in `,"port":`, and writes `null` for a
/// missing value. Characters that act on terminals are escaped.
#[derive(Debug, Default)]
pub struct JsonText {
    text: String,
}

impl JsonText {
    /// Returns an empty text with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes) }
    }

    /// Writes JSON as it is.
    pub fn json(&mut self, json: &str) {
        self.text.push_str(json);
    }

    /// Writes a string.
    pub fn string(&mut self, before: &str, value: Option<&str>) {
        self.text.push_str(before);
        match value {
            None => self.text.push_str("null"),
            Some(value) if needs_no_escape(value) => {
                self.text.push('"');
                self.text.push_str(value);
                self.text.push('"');
            }
            Some(value) => self.text.push_str(&printable_json(&Value::from(value).to_string())),
        }
    }

    /// Writes a number.
    pub fn number(&mut self, before: &str, value: Option<impl Into<u64>>) {
        self.text.push_str(before);
        match value {
            None => self.text.push_str("null"),
            Some(value) => {
                let _ = write!(self.text, "{}", value.into());
            }
        }
    }

    /// Writes a truth value.
    pub fn flag(&mut self, before: &str, value: Option<bool>) {
        self.text.push_str(before);
        self.text.push_str(value.map_or("null", |value| if value { "true" } else { "false" }));
    }

    /// Writes any value by serde.
    pub fn value(&mut self, before: &str, value: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string(value)
            .map_err(|error| Error::failed(format!("cannot write JSON: {error}")))?;
        self.text.push_str(before);
        self.text.push_str(&printable_json(&json));
        Ok(())
    }

    /// Writes a list, each value by `write`.
    pub fn list<T>(
        &mut self,
        before: &str,
        values: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Result<()>,
    ) -> Result<()> {
        self.text.push_str(before);
        self.text.push('[');
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.text.push(',');
            }
            write(self, value)?;
        }
        self.text.push(']');
        Ok(())
    }

    /// Returns the text.
    pub fn into_string(self) -> String {
        self.text
    }
}

fn needs_no_escape(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_those_of_serde_and_act_on_no_terminal() {
        for text in
            ["", "plain ~", "a\"b", "a\\b", "line\nend", "größer", "\u{1b}[2J\u{9b}\u{202e}\u{7f}", "\0"]
        {
            let mut json = JsonText::default();
            json.string("", Some(text));
            let json = json.into_string();
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            let serde = serde_json::to_string(text).unwrap();
            assert_eq!(json, printable_json(&serde), "{text:?}");
        }
    }

    #[test]
    fn values_are_written_after_their_names() {
        let mut json = JsonText::with_capacity(9);
        let number = |json: &mut JsonText, number: &u64| {
            json.number("", Some(*number));
            Ok(())
        };
        json.list("{\"a\":", &[1, u64::MAX], number).unwrap();
        json.list(",\"b\":", &[], number).unwrap();
        json.flag(",\"c\":", Some(false));
        json.flag(",\"d\":", None);
        json.number(",\"e\":", None::<u8>);
        json.string(",\"f\":", None);
        json.value(",\"g\":", &["\u{1b}"]).unwrap();
        json.json("}");
        assert_eq!(
            json.into_string(),
            r#"{"a":[1,18446744073709551615],"b":[],"c":false,"d":null,"e":null,"f":null,"g":["\u001b"]}"#
        );
    }
}
