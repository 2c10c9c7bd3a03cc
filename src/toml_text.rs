//! Parses TOML into structures by way of JSON values.
//!
//! Code for reading a structure is compiled once per format, and is large for TOML. Nearly every program
//! reads JSON anyway, so JSON values save it. They lose positions in the text: `config` looks those up in the
//! document.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use crate::terminal::printable;

/// Parses `text` into a structure; the error says what does not fit, without a position.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(document(text)?).map_err(|error| error.to_string())
}

/// Parses `text` into a JSON value; independent of the structure, so compiled once.
pub fn document(text: &str) -> Result<Value, String> {
    let document = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
    object(document.get_ref())
}

/// Returns the key at `segments` as typed in a shell: `alias.x`, `'alias."a.b"'`.
pub fn typed_key(segments: &[&str]) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let quoted = segments.iter().map(|name| {
        if !name.is_empty() && name.chars().all(is_bare) {
            (*name).to_owned()
        } else {
            // A basic TOML string is escaped like a JSON string.
            Value::from(*name).to_string()
        }
    });
    let key = quoted.collect::<Vec<_>>().join(".");
    printable(&shell_words::quote(&key)).into_owned()
}

fn object(table: &DeTable<'_>) -> Result<Value, String> {
    let mut entries = Map::new();
    for (name, entry) in table {
        entries.insert(name.get_ref().to_string(), value(entry.get_ref())?);
    }
    Ok(Value::Object(entries))
}

fn value(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            let integer = i64::from_str_radix(number.as_str(), number.radix());
            Value::from(integer.map_err(|_| format!("{number} is out of range"))?)
        }
        DeValue::Float(number) => {
            Value::from(number.as_str().parse::<f64>().map_err(|error| format!("{number}: {error}"))?)
        }
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(array) => {
            let mut values = Vec::with_capacity(array.len());
            for element in array {
                values.push(self::value(element.get_ref())?);
            }
            Value::Array(values)
        }
        DeValue::Table(table) => object(table)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_typed_as_a_shell_and_toml_read_it() {
        for segments in
            [["alias", "x"], ["alias", "a.b"], ["instances", "my box"], ["instances", "it's \"$x\""]]
        {
            let words = shell_words::split(&typed_key(&segments)).unwrap();
            let key = toml_edit::Key::parse(&words[0]).unwrap();
            let names: Vec<&str> = key.iter().map(toml_edit::Key::get).collect();
            assert_eq!((words.len(), names.as_slice()), (1, segments.as_slice()));
        }
        assert_eq!(typed_key(&["alias", "x-1", "y"]), "alias.x-1.y");
    }

    #[test]
    fn every_kind_of_value_has_its_like() {
        let text = "text = \"é\\u001b\"\nnumber = -1_0\nhex = 0xff\nfloat = 1_0.5e0\nyes = true\n\
                    time = 2026-01-02T03:04:05Z\nlist = [1, [\"a\"]]\n[table.inner]\n\"a b\" = {}\n[[many]]\nx = 9223372036854775807\n";
        let expected = json!({
            "text": "é\u{1b}",
            "number": -10,
            "hex": 255,
            "float": 10.5,
            "yes": true,
            "time": "2026-01-02T03:04:05Z",
            "list": [1, ["a"]],
            "table": { "inner": { "a b": {} } },
            "many": [{ "x": i64::MAX }],
        });
        assert_eq!(parse::<Value>(text), Ok(expected));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert!(parse::<Value>("a = ").is_err());
        assert!(parse::<Value>("a = 1\na = 2").is_err());
        assert!(parse::<Value>("a = 9223372036854775808").unwrap_err().contains("9223372036854775808"));
        assert!(parse::<std::collections::HashMap<String, u16>>("a = 70000").unwrap_err().contains("70000"));
    }
}
