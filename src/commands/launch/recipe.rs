//! Recipes: cloud-init files with placeholders.
//!
//! `@soong:name@` and the other placeholders are replaced; any other `@soong:…@` is an error, so that a typing
//! error does not reach the instance. A recipe runs as root there, so one that other users can write is refused.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::system::trust;
use crate::terminal::printable;

/// Largest recipe, in bytes: the limit of Lambda Cloud.
const SIZE_MAX: usize = 1 << 20;
const BEGIN: &str = "@soong:";
const END: char = '@';

/// A checked recipe.
#[derive(Debug)]
pub(super) struct Recipe {
    text: String,
    /// Its file, for people.
    pub shown: String,
}

/// Values of the placeholders.
#[derive(Debug)]
pub(super) struct Values<'a> {
    pub name: &'a str,
    pub type_name: &'a str,
    pub region: &'a str,
    pub gpu: &'a str,
    pub count: u32,
    pub hours: f64,
}

impl Recipe {
    /// Reads and checks a recipe.
    pub fn read(file: &Path) -> Result<Self> {
        if let Some(fault) = trust::file_fault(file) {
            return Err(fault.refuse(file));
        }
        let bytes = fs::read(file).map_err(|error| Error::io("read", file, error))?;
        let shown = printable(&file.to_string_lossy()).into_owned();
        let at_fault = |reason: String| Error::failed(format!("cannot use {shown}: {reason}"));
        if bytes.len() > SIZE_MAX {
            return Err(at_fault(format!("larger than {} MiB", SIZE_MAX >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|_| at_fault("not valid UTF-8".into()))?;
        if !["#", "Content-Type:", "MIME-Version:", "From "].iter().any(|start| text.starts_with(start)) {
            return Err(at_fault("not a cloud-init file".into())
                .with_hint("its first line must be #cloud-config, or #! and a program"));
        }
        let recipe = Self { text, shown };
        let any = Values { name: "x", type_name: "x", region: "x", gpu: "x", count: 1, hours: 1.0 };
        recipe.fill(&any)?;
        Ok(recipe)
    }

    /// Returns the text with all placeholders replaced.
    pub fn fill(&self, values: &Values<'_>) -> Result<String> {
        let at_fault = |reason: String| Error::failed(format!("cannot use {}: {reason}", self.shown));
        let (mut filled, mut rest) = (String::with_capacity(self.text.len()), self.text.as_str());
        while let Some(at) = rest.find(BEGIN) {
            let line = self.text[..self.text.len() - rest.len() + at].matches('\n').count() + 1;
            filled.push_str(&rest[..at]);
            rest = &rest[at + BEGIN.len()..];
            let word: String =
                rest.chars().take_while(|c| *c != END && !c.is_whitespace()).take(40).collect();
            let value =
                values.of(&word).filter(|_| rest[word.len()..].starts_with(END)).ok_or_else(|| {
                    at_fault(format!("line {line}: unknown placeholder {BEGIN}{}@", printable(&word)))
                        .with_hint("available: name, type, region, gpu, count, hours")
                })?;
            // A provider's words must not become YAML or shell.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' ');
            if !value.chars().all(is_plain) {
                let value = printable(&value).into_owned();
                return Err(at_fault(format!("line {line}: the value of {word} is not plain text: {value}")));
            }
            filled.push_str(&value);
            rest = &rest[word.len() + END.len_utf8()..];
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

impl Values<'_> {
    fn of(&self, word: &str) -> Option<String> {
        Some(match word {
            "name" => self.name.to_owned(),
            "type" => self.type_name.to_owned(),
            "region" => self.region.to_owned(),
            "gpu" => self.gpu.to_owned(),
            "count" => self.count.to_string(),
            "hours" => self.hours.to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, region: &str) -> std::result::Result<String, String> {
        let recipe = Recipe { text: text.into(), shown: "r.yaml".into() };
        let values = Values { name: "dev", type_name: "gpu_1x", region, gpu: "H100", count: 8, hours: 1.5 };
        recipe.fill(&values).map_err(|error| error.to_string())
    }

    #[test]
    fn placeholders_are_replaced() {
        assert_eq!(
            fill("#!\n@soong:name@ @soong:type@ @soong:count@x@soong:gpu@ @soong:hours@", "r").unwrap(),
            "#!\ndev gpu_1x 8xH100 1.5"
        );
        assert_eq!(fill("a@b.c @NAME@ @soong", "r").unwrap(), "a@b.c @NAME@ @soong");
        for (text, told) in [
            ("\n@soong:nope@", "cannot use r.yaml: line 2: unknown placeholder @soong:nope@"),
            ("@soong:name", "cannot use r.yaml: line 1: unknown placeholder @soong:name@"),
            ("@soong:@", "cannot use r.yaml: line 1: unknown placeholder @soong:@"),
        ] {
            assert_eq!(fill(text, "r").unwrap_err(), told);
        }
        let hostile = "r\nruncmd: [x]";
        assert!(fill("@soong:region@", hostile).unwrap_err().contains("is not plain text: r\\n"), "quoted");
    }

    #[test]
    fn only_cloud_init_files_are_recipes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("r.yaml");
        let read = |bytes: &[u8]| {
            fs::write(&file, bytes).unwrap();
            Recipe::read(&file).map(drop).map_err(|error| error.to_string())
        };
        read(b"#cloud-config\nhostname: @soong:name@\n").unwrap();
        assert!(read(b"hello").unwrap_err().ends_with("not a cloud-init file"));
        assert!(read(b"#\xff").unwrap_err().ends_with("not valid UTF-8"));
        assert!(read(&vec![b'#'; SIZE_MAX + 1]).unwrap_err().ends_with("larger than 1 MiB"));
        assert!(Recipe::read(&directory.path().join("none")).is_err());
    }
}
