//! `soong configure list`: all keys with value and origin.

use std::path::Path;

use serde::Serialize;
use toml_edit::{Document, Item, TableLike};

use super::place::{self, SecretName};
use super::{setting, value};
use crate::command_line;
use crate::config::check::{Depth, covers};
use crate::config::credentials::Credentials;
use crate::config::schema::{KEYS, Key};
use crate::config::{self, Config, DEFAULT_SERVICES};
use crate::error::{Error, Result};
use crate::system::paths::{self, Paths};
use crate::terminal::{printable, printable_json};

/// Shown for a secret.
const MASK: &str = "********";

/// The key that an environment variable overrides.
const BASE_URL: &str = "lambda.base-url";

/// A line of the list. Scripts read these names.
#[derive(Debug, Serialize)]
struct Row {
    key: String,
    /// Value as text; secrets are masked; `None` without value and default.
    value: Option<String>,
    origin: Origin,
    /// File with the value.
    file: Option<String>,
    secret: bool,
    /// Meaning of the key.
    summary: &'static str,
}

/// Origin of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Origin {
    File,
    Environment,
    Default,
    Unset,
}

/// Prints the list.
pub fn list(json: bool, paths: &Paths) -> Result<()> {
    let file = paths.config_file();
    let text = config::read(file)?;
    Config::parse(&text, file, paths)?;
    let mut rows = config_rows(&text, file)?;
    if let (Some(url), Some(row)) = (paths::lambda_url()?, rows.iter_mut().find(|row| row.key == BASE_URL)) {
        row.value = Some(url);
        row.origin = Origin::Environment;
        row.file = None;
    }
    rows.extend(secret_rows(&Credentials::load(paths)?));
    if json {
        let text = serde_json::to_string_pretty(&rows)
            .map_err(|error| Error::failed(format!("cannot write JSON: {error}")))?;
        return command_line::print(&format!("{}\n", printable_json(&text)));
    }
    command_line::print(&table(&rows))
}

/// Returns the rows of `config.toml`, in the order of the schema.
fn config_rows(text: &str, file: &Path) -> Result<Vec<Row>> {
    let document = Document::parse(text).map_err(|_| Error::failed("not valid TOML"))?;
    let mut written: Vec<(Vec<String>, &'static Key, String)> = Vec::new();
    collect(document.as_table(), &mut Vec::new(), &mut written);
    let mut rows = Vec::new();
    for key in KEYS {
        let of_key = written.iter().filter(|(_, of, _)| of.path == key.path);
        rows.extend(of_key.map(|(segments, _, value)| Row {
            key: place::shown(segments),
            value: Some(value.clone()),
            origin: Origin::File,
            file: Some(file.to_string_lossy().into_owned()),
            secret: false,
            summary: key.summary,
        }));
        let names = defaults(key).into_iter().filter(|name| !written.iter().any(|(place, ..)| place == name));
        rows.extend(names.map(|segments| {
            let value = setting::default(key, &segments);
            let origin = if value.is_some() { Origin::Default } else { Origin::Unset };
            Row {
                key: place::shown(&segments),
                value,
                origin,
                file: None,
                secret: false,
                summary: key.summary,
            }
        }));
    }
    Ok(rows)
}

/// Returns the places of `key` that exist without being in the file.
fn defaults(key: &Key) -> Vec<Vec<String>> {
    let split = |path: &str| path.split('.').map(str::to_owned).collect();
    match key.path {
        "services.*" => DEFAULT_SERVICES.iter().map(|(name, _)| split(&format!("services.{name}"))).collect(),
        path if path.contains('*') => Vec::new(),
        path => vec![split(path)],
    }
}

/// Returns all places in `table`, which is at `place`.
fn collect(
    table: &dyn TableLike,
    place: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, &'static Key, String)>,
) {
    for (name, item) in table.iter() {
        place.push(name.to_owned());
        let segments: Vec<&str> = place.iter().map(String::as_str).collect();
        if let Some(key) = KEYS.iter().find(|key| covers(key.path, &segments) == Some(Depth::Whole)) {
            found.push((place.clone(), key, value::plain(item)));
        } else if let Some(inner) = Item::as_table_like(item) {
            collect(inner, place, found);
        }
        place.pop();
    }
}

fn secret_rows(credentials: &Credentials) -> impl Iterator<Item = Row> {
    let file = credentials.file.as_ref().map(|file| file.to_string_lossy().into_owned());
    SecretName::ALL.into_iter().map(move |name| {
        let set = setting::stored(credentials, name).is_some();
        Row {
            key: name.name().to_owned(),
            value: set.then(|| MASK.to_owned()),
            origin: if set { Origin::File } else { Origin::Unset },
            file: file.clone().filter(|_| set),
            secret: true,
            summary: match name {
                SecretName::ApiKey => "API key of Lambda Cloud",
                SecretName::RunpodApiKey => "API key of RunPod",
                SecretName::DaemonToken => "token of the instance's status daemon",
            },
        }
    })
}

/// Formats key, value and origin in columns.
fn table(rows: &[Row]) -> String {
    let lines: Vec<[String; 3]> = rows
        .iter()
        .map(|row| {
            let value =
                row.value.as_deref().map_or("-", |value| if value.is_empty() { "\"\"" } else { value });
            let name = row.file.as_deref().and_then(|file| Path::new(file).file_name());
            let origin = match row.origin {
                Origin::File => name.map_or(String::new(), |name| name.to_string_lossy().into_owned()),
                Origin::Environment => "environment".to_owned(),
                Origin::Default => "default".to_owned(),
                Origin::Unset => "not set".to_owned(),
            };
            [row.key.clone(), printable(value).into_owned(), printable(&origin).into_owned()]
        })
        .collect();
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let (keys, values) = (width(0), width(1).min(40));
    lines.iter().map(|[key, value, origin]| format!("{key:keys$}  {value:values$}  {origin}\n")).collect()
}
