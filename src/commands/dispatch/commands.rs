//! Commands that `soong-ext` knows: programs, extensions, and aliases of the config.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use super::output::fail;
use crate::built_in::BUILT_IN;
use crate::config::{Autocorrect, Config};
use crate::error::{EXIT_NOT_EXECUTABLE, Error, Result};
use crate::extension::{discovery, is_name};
use crate::suggest;
use crate::system::paths::Paths;

/// The relevant settings. Without a readable config there are no aliases, and the error says why.
pub(super) struct Settings {
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) autocorrect: Autocorrect,
    pub(super) error: Option<Error>,
}

impl Settings {
    pub(super) fn read() -> Self {
        match Paths::from_env().and_then(|paths| Config::load(&paths)) {
            Ok(config) => Self { aliases: config.aliases, autocorrect: config.autocorrect, error: None },
            Err(error) => {
                Self { aliases: BTreeMap::new(), autocorrect: Autocorrect::default(), error: Some(error) }
            }
        }
    }
}

/// Commands that people know from other tools, and soong's for the same thing. The harmless one comes first.
const FOREIGN: &[(&str, &[&str])] =
    &[("start", &["tunnel start", "launch"]), ("stop", &["tunnel stop", "terminate"])];

/// Returns the commands that `wanted` probably stands for, best first.
pub(super) fn nearest(wanted: &str, settings: &Settings) -> Vec<String> {
    if let Some((_, commands)) = FOREIGN.iter().find(|(name, _)| *name == wanted) {
        return commands.iter().map(|command| (*command).to_owned()).collect();
    }
    let mut names: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.push("help".to_owned());
    names.extend(settings.aliases.keys().cloned());
    let found = discovery::scan(&discovery::directories());
    names.extend(found.into_iter().filter_map(|(name, found)| {
        found.iter().any(|found| found.state == discovery::State::Program).then_some(name)
    }));
    suggest::nearest(wanted, names.iter().map(String::as_str)).into_iter().map(str::to_owned).collect()
}

/// Returns `name` as text if it can be a command's name.
pub(super) fn legal(name: &CStr) -> Option<&str> {
    let bytes = name.to_bytes();
    is_name(bytes).then(|| OsStr::from_bytes(bytes).to_str()).flatten()
}

/// Execs `program` with `words`, whose first is its name.
pub(super) fn execute(program: &Path, words: &[String], rest: &[&CStr]) -> u8 {
    let attempt = || -> Result<Errno> {
        let text =
            |bytes: &[u8]| CString::new(bytes).map_err(|_| Error::usage("an argument contains a NUL byte"));
        let path = text(program.as_os_str().as_bytes())?;
        let words = words.iter().map(|word| text(OsStr::new(word).as_bytes())).collect::<Result<Vec<_>>>()?;
        let all: Vec<&CStr> = words.iter().map(CString::as_c_str).chain(rest.iter().copied()).collect();
        match nix::unistd::execv(&path, &all) {
            Ok(never) => match never {},
            Err(errno) => Ok(errno),
        }
    };
    match attempt() {
        Ok(errno) => {
            fail(&Error::io("execute", program, errno.into()));
            EXIT_NOT_EXECUTABLE
        }
        Err(error) => fail(&error),
    }
}
