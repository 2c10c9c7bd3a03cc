//! `soong ext list`: a list for people, and JSON for programs. `docs/extensions.md` documents the JSON;
//! fields are added, never renamed or removed, while `api` stays the same.

use console::truncate_str;
use serde::Serialize;

use crate::command_line;
use crate::config::Config;
use crate::error::Result;
use crate::extension::catalog::{Extension, inspect};
use crate::system::paths::Paths;
use crate::terminal::printable;
use crate::toml_text::typed_key;

/// Version of the JSON.
const API: u32 = 1;
/// Widest line, in columns.
const WIDTH: usize = 80;
/// Indentation of an extension's details.
const INDENT: &str = "    ";

#[derive(Serialize)]
struct Document {
    api: u32,
    extensions: Vec<Entry>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    path: String,
    runs: bool,
    summary: Option<String>,
    summary_from: Option<&'static str>,
    complete: &'static str,
    complete_from: Option<&'static str>,
    man: Option<String>,
    warnings: Vec<String>,
}

/// Lists all extensions.
pub(super) fn list(json: bool) -> Result<u8> {
    // Other commands report an invalid config; here it means no aliases.
    let config = Paths::from_env().and_then(|paths| Config::load(&paths));
    let (aliases, hidden) = config.map(|config| (config.aliases, config.hidden_aliases)).unwrap_or_default();
    let extensions = inspect(&aliases);
    let warnings: Vec<String> = hidden.iter().map(|name| hidden_alias(name)).collect();
    let text = if json { render_json(extensions, warnings)? } else { render(&extensions, &warnings) };
    command_line::print(&text)?;
    Ok(0)
}

fn hidden_alias(name: &str) -> String {
    format!(
        "the alias {name} is not used: soong {name} is a built-in command; remove the alias: soong configure unset {}",
        typed_key(&["alias", name])
    )
}

fn render(extensions: &[Extension], warnings: &[String]) -> String {
    let width = extensions.iter().map(|extension| extension.name.len()).max().unwrap_or_default().min(24);
    let mut text: String = extensions.iter().map(|extension| entry(extension, width)).collect();
    if extensions.is_empty() {
        text.push_str("No extensions\n");
    }
    for warning in warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

fn entry(extension: &Extension, width: usize) -> String {
    let metadata = &extension.metadata;
    let (summary, from) = match &metadata.summary {
        Some((summary, origin)) => (summary.as_str(), format!("summary: {}", origin.word())),
        None => ("(no description)", "no summary".to_owned()),
    };
    let line = format!("{:width$}  {summary}", extension.name);
    let path = extension.path.to_string_lossy();
    let mut text = format!("{}\n{INDENT}{}\n", truncate_str(&line, WIDTH, "…"), printable(&path));
    text.push_str(&format!("{INDENT}{from}, completion: {}\n", metadata.kind().word()));
    for warning in &extension.warnings {
        text.push_str(&format!("{INDENT}warning: {warning}\n"));
    }
    text
}

fn render_json(extensions: Vec<Extension>, warnings: Vec<String>) -> Result<String> {
    let entries = extensions.into_iter().map(Entry::from).collect();
    command_line::json_line(&Document { api: API, extensions: entries, warnings })
}

impl From<Extension> for Entry {
    fn from(extension: Extension) -> Self {
        let metadata = extension.metadata;
        Self {
            name: extension.name,
            path: extension.path.to_string_lossy().into_owned(),
            runs: extension.runs,
            summary_from: metadata.summary.as_ref().map(|(_, origin)| origin.word()),
            complete: metadata.kind().word(),
            complete_from: metadata.completion.map(|(_, origin)| origin.word()),
            summary: metadata.summary.map(|(summary, _)| summary),
            man: metadata.manual,
            warnings: extension.warnings,
        }
    }
}
