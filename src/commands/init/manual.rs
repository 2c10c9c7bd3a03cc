//! Manual pages for installations without them, such as that of `cargo install`.

use std::path::{Path, PathBuf};

use super::pages::PAGES;
use crate::command_line;
use crate::error::{Error, Result};
use crate::system::paths;
use crate::terminal::printable;

/// Writes all pages below `PREFIX/share/man` of this program's `PREFIX/bin`, where `man` and `soong help` look.
pub(super) fn install() -> Result<u8> {
    let directory = directory().ok_or_else(|| Error::failed("cannot find soong's own directory"))?;
    for (name, text) in PAGES {
        let section = name.rsplit('.').next().unwrap_or_default();
        write(&directory.join(format!("man{section}")), name, text)?;
    }
    let shown = directory.to_string_lossy();
    command_line::print(&format!(
        "Installed {} manual pages in {}. Try: man soong\n",
        PAGES.len(),
        printable(&shown)
    ))?;
    Ok(0)
}

fn directory() -> Option<PathBuf> {
    Some(paths::own_directory()?.parent()?.join("share/man"))
}

fn write(directory: &Path, name: &str, text: &str) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, error))?;
    let file = directory.join(name);
    std::fs::write(&file, text).map_err(|error| Error::io("write", &file, error))
}
