//! `soong configure import`: imports the secrets of soong's predecessor.

use std::path::Path;

use super::place::SecretName;
use super::store::{Change, Store, shell};
use super::{document, setting};
use crate::command_line;
use crate::config::credentials::{self, Credentials};
use crate::error::{Error, Result};
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Imports the secrets in `file`, by default the predecessor's config. Keeps values that are already set.
pub fn import(file: Option<&Path>, paths: &Paths) -> Result<()> {
    let file = file.map_or_else(|| paths.legacy_config(), Path::to_path_buf);
    let old = Credentials::load_legacy(&file)?;
    let shown = printable(&file.to_string_lossy()).into_owned();
    if old.file.is_none() {
        return Err(Error::failed(format!("{shown} does not exist"))
            .with_hint("give the file: soong configure import FILE"));
    }
    let store = Store::open(paths)?;
    let target = paths.credentials_file();
    let mut text = credentials::read(&target)?.unwrap_or_default();
    let present = Credentials::parse(&text, &target)?;
    let (mut taken, mut kept) = (Vec::new(), Vec::new());
    for name in SecretName::ALL {
        match (setting::stored(&old, name), setting::stored(&present, name)) {
            (None, _) => {}
            (Some(_), Some(_)) => kept.push(name.name()),
            (Some(secret), None) => {
                text = document::set(&text, &name.segments(), &secret.expose().into())?;
                taken.push(name.name());
            }
        }
    }
    if taken.is_empty() && kept.is_empty() {
        return Err(Error::failed(format!("{shown} has neither a token nor an API key")));
    }
    if !taken.is_empty() {
        store.write(&Change { config: None, credentials: Some(text) })?;
    }
    let mut report = String::new();
    for name in taken {
        report.push_str(&format!("Imported {name} into {}\n", printable(&target.to_string_lossy())));
    }
    for name in kept {
        report.push_str(&format!("{name} is already set; kept\n"));
    }
    report.push_str(&format!("{shown} is unchanged; if nothing else needs it: rm {}\n", shell(&file)));
    command_line::print(&report)
}
