//! `soong code`: execs an editor on the ssh host of an instance.
//!
//! The host is one of `soong ssh config`. A directory is resolved there first, over the same host, so that a
//! misspelt one is reported here and not in an empty window.

pub mod arguments;

mod editor;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use self::arguments::Arguments;
use crate::command_line;
use crate::config::Config;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Selector, one_name};
use crate::openssh::host_alias;
use crate::system::paths::{self, Paths};
use crate::system::spinner::Spinner;
use crate::terminal::printable;

/// Runs `soong-code`, which execs the editor or returns an exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-code", |arguments: &Arguments| {
        let paths = Paths::from_env()?;
        open(arguments, &paths).map(|()| 0)
    })
}

fn open(arguments: &Arguments, paths: &Paths) -> Result<()> {
    let (editor, program) = editor::find(arguments.editor)?;
    let config = Config::load(paths)?;
    let wanted = one_name(arguments.name.as_deref(), arguments.instance_id.as_deref())?;
    let instance = inventory::choose(&Selector::of(wanted), &config, paths)?;
    let host = host_alias::alias(&instance);
    let ssh = paths::find_program("ssh").ok_or_else(|| {
        Error::failed("ssh is not installed").with_hint("install it: apt install openssh-client")
    })?;
    require_host(&ssh, &host)?;
    let directory = arguments.directory.as_deref();
    let directory = directory.map(|directory| resolve(&ssh, &host, directory, &instance)).transpose()?;
    let words = editor.arguments(&host, directory.as_deref());
    if arguments.print {
        let line = [program.to_string_lossy().into_owned()].into_iter().chain(words);
        return command_line::print(&format!("{}\n", shell_words::join(line)));
    }
    let refusal = Command::new(&program).args(words).exec();
    Err(Error::io("run", &program, refusal))
}

/// Fails if ssh does not know `host`.
fn require_host(ssh: &Path, host: &str) -> Result<()> {
    let answer = Command::new(ssh).args(["-G", "--", host]).stdin(Stdio::null()).output();
    let answer = answer.map_err(|source| Error::io("run", ssh, source))?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let name = text.lines().find_map(|line| line.strip_prefix("hostname "));
    match name {
        Some(name) if name != host => Ok(()),
        Some(_) => Err(Error::failed(format!("ssh does not know the host {host}"))
            .with_hint("add the instances to ssh's hosts: soong ssh config --install")),
        None => {
            let reason = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
            Err(Error::failed(format!("ssh cannot read its configuration: {}", printable(&reason))))
        }
    }
}

/// Returns the absolute path of `directory` on `host`, relative to the home directory there.
fn resolve(ssh: &Path, host: &str, directory: &str, instance: &Instance) -> Result<String> {
    let name = printable(&instance.name);
    let script = format!("cd -- {} && pwd -P", word(directory));
    let command = format!("exec sh -c {}", shell_words::quote(&script));
    let spinner = Spinner::watching(&format!("Waiting for {name}"));
    let answer = Command::new(ssh)
        .args(["-T", "-o", "RemoteCommand=none", "-o", "LogLevel=ERROR", "--", host])
        .arg(OsString::from(command))
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output();
    drop(spinner);
    let answer = answer.map_err(|source| Error::io("run", ssh, source))?;
    let text = String::from_utf8_lossy(&answer.stdout);
    // The startup file of the remote shell may print lines before it.
    let path = text.lines().next_back().filter(|path| path.starts_with('/'));
    match path.filter(|_| answer.status.success()) {
        Some(path) if path.contains(char::is_control) => {
            Err(Error::failed(format!("the path {} has a control character", printable(path))))
        }
        Some(path) => Ok(path.to_owned()),
        None => Err(Error::failed(format!("cannot open {} on {name}", printable(directory)))
            .with_hint(format!("look at what is there: ssh {host} ls"))),
    }
}

/// Quotes a directory for `sh`; a leading `~` keeps its meaning.
fn word(directory: &str) -> String {
    match directory.strip_prefix('~') {
        Some("") => "~".to_owned(),
        Some(rest) if rest.starts_with('/') => format!("~/{}", shell_words::quote(&rest[1..])),
        _ => shell_words::quote(directory).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_word_for_the_shell() {
        for (directory, expected) in [
            ("work", "work"),
            ("a b", "'a b'"),
            ("~", "~"),
            ("~/a b", "~/'a b'"),
            ("~/", "~/''"),
            ("~root/x", "'~root/x'"),
            ("$(x)", "'$(x)'"),
            ("-P", "-P"),
        ] {
            assert_eq!(word(directory), expected);
        }
    }
}
