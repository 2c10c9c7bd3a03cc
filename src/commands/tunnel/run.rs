//! `soong tunnel run`: runs a command with a tunnel.
//!
//! An existing tunnel is used and left running; a new one is stopped afterwards, unless another has replaced
//! it meanwhile.

pub(crate) mod foreground_child;

use std::ffi::{OsStr, OsString};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::arguments::{RunArguments, StartArguments};
use super::start::{self, Opened};
use super::{choice, present, stop};
use crate::error::{EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, Error, Result, io_reason};
use crate::instances::inventory::one_name;
use crate::runtime::registry;
use crate::runtime::state::State;
use crate::runtime::urls::variables;
use crate::system::paths::{self, Paths};
use crate::terminal::printable;

const PROGRAM: &str = "soong-tunnel";

/// Runs the command of `arguments` and returns its exit code; ends by the same signal if the command did.
pub fn run(arguments: &RunArguments, paths: &Paths) -> Result<u8> {
    refuse_other_modes(&arguments.start)?;
    let line: Vec<OsString> = std::env::args_os().collect();
    let (wanted, command) = split(&arguments.command, &line, |word| is_instance(word, paths));
    let mut start = arguments.start.clone();
    start.choice.instance_id = one_name(wanted, start.choice.instance_id.as_deref())?.map(str::to_owned);
    let Some((name, rest)) = command.split_first() else {
        return Err(Error::usage("no command to run").with_hint("soong tunnel run -- COMMAND"));
    };
    // Checked before starting a tunnel.
    let program = match find(name) {
        Ok(program) => program,
        Err((reason, code)) => return Ok(refuse(name, &reason, code)),
    };
    let tunnel = Tunnel::get(&start, paths)?;
    let mut command = Command::new(program);
    command.arg0(name).args(rest).envs(variables(&tunnel.state.forwards));
    let status = foreground_child::run(&mut command);
    // The command is done, whatever happens to the tunnel.
    if let Err(error) = tunnel.release() {
        error.report(PROGRAM);
    }
    Ok(match status {
        Ok(status) => exit_code(status),
        Err(error) => {
            let found = error.kind() != std::io::ErrorKind::NotFound;
            let code = if found { EXIT_NOT_EXECUTABLE } else { EXIT_NOT_FOUND };
            refuse(name, &io_reason(&error), code)
        }
    })
}

/// Splits NAME off `command`, the last words of the command line `line`. NAME is a word directly before `--`, if an
/// instance is called so or no program is. A word after `--` is always the command.
fn split<'a>(
    command: &'a [OsString],
    line: &[OsString],
    is_instance: impl Fn(&str) -> bool,
) -> (Option<&'a str>, &'a [OsString]) {
    let before = line.len().checked_sub(command.len() + 1).and_then(|at| line.get(at));
    let is_marked = before.is_some_and(|word| word == "--");
    match command {
        [name, dashes, rest @ ..] if !is_marked && dashes == "--" => match name.to_str() {
            Some(word) if is_instance(word) => (Some(word), rest),
            _ => (None, command),
        },
        _ => (None, command),
    }
}

/// Returns true if `word` is an instance rather than a program.
fn is_instance(word: &str, paths: &Paths) -> bool {
    let is_known =
        || registry::survey(paths).is_ok_and(|survey| choice::name_of(word, &survey, paths).is_some());
    find(OsStr::new(word)).is_err() || is_known()
}

/// Refuses options of `start` that make no sense around a command.
fn refuse_other_modes(start: &StartArguments) -> Result<()> {
    let flags = [
        (start.dry_run, "--dry-run"),
        (start.if_needed, "--if-needed"),
        (start.foreground, "--foreground"),
        (start.verbose, "--verbose"),
        (start.json, "--json"),
        (start.on_demand.is_some(), "--on-demand"),
        (start.check, "--check"),
        (start.keep_trying, "--keep-trying"),
    ];
    match flags.into_iter().find(|(set, _)| *set) {
        Some((_, flag)) => Err(Error::usage(format!("{flag} is for 'soong tunnel start' only"))
            .with_hint("options of COMMAND come after it: soong tunnel run -- COMMAND --option")),
        None => Ok(()),
    }
}

/// Returns the file for `name` as a shell would find it, or the error that a shell would report.
fn find(name: &OsStr) -> std::result::Result<PathBuf, (String, u8)> {
    let missing = |reason: &str| Err((reason.to_owned(), EXIT_NOT_FOUND));
    let Some(text) = name.to_str().filter(|text| !text.contains('/')) else {
        let path = Path::new(name);
        return match path.try_exists() {
            Ok(true) if path.is_dir() => Err(("Is a directory".to_owned(), EXIT_NOT_EXECUTABLE)),
            Ok(true) if paths::is_executable(path) => Ok(path.to_owned()),
            Ok(false) => missing("No such file or directory"),
            _ => Err(("Permission denied".to_owned(), EXIT_NOT_EXECUTABLE)),
        };
    };
    let found = paths::find_program(text).filter(|_| !text.is_empty());
    found.map_or_else(|| missing("command not found"), Ok)
}

fn refuse(name: &OsStr, reason: &str, code: u8) -> u8 {
    Error::failed(format!("cannot run {}: {reason}", printable(&name.to_string_lossy()))).report(PROGRAM);
    code
}

/// Returns the exit code for `status`; does not return if that is a signal.
fn exit_code(status: ExitStatus) -> u8 {
    let signal = status.signal().unwrap_or_default();
    if signal != 0 {
        foreground_child::die_of(signal);
    }
    let code = status.code().unwrap_or(128 + signal);
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}

/// A tunnel that is up.
struct Tunnel {
    state: State,
    /// True if it was started for the command.
    opened: Option<Opened>,
}

impl Tunnel {
    /// Returns the running tunnel, or starts one.
    fn get(arguments: &StartArguments, paths: &Paths) -> Result<Self> {
        let present = || -> Result<Option<Self>> {
            Ok(present::find(arguments, false, paths)?.map(|state| Self { state, opened: None }))
        };
        if let Some(tunnel) = present()? {
            return Ok(tunnel);
        }
        match start::open(arguments, paths) {
            Ok(opened) => Self::opened(opened),
            // Another start came first.
            Err(error @ Error::AlreadyRunning { .. }) => present()?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    fn opened(opened: Opened) -> Result<Self> {
        let state = State::read(&opened.directory).filter(|state| state.pid == opened.pid);
        let state = state.ok_or_else(|| Error::failed("the tunnel ended right after it came up"))?;
        Ok(Self { state, opened: Some(opened) })
    }

    /// Stops the tunnel if it was started here.
    fn release(self) -> Result<()> {
        let Some(opened) = self.opened else { return Ok(()) };
        match registry::running(&opened.directory)? {
            Some(running) if running.supervisor.pid() == opened.pid => stop::stop_running(running).map(drop),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_directly_before_the_dashes() {
        let words = |text: &str| -> Vec<OsString> { text.split(' ').map(OsString::from).collect() };
        for (line, command, name, rest) in [
            ("soong-tunnel run dev -- ls -l", "dev -- ls -l", Some("dev"), "ls -l"),
            ("soong-tunnel run -q dev -- ls --", "dev -- ls --", Some("dev"), "ls --"),
            ("soong-tunnel run -- dev -- ls", "dev -- ls", None, "dev -- ls"),
            ("soong-tunnel run -- ls -l", "ls -l", None, "ls -l"),
            ("soong-tunnel run ls -l", "ls -l", None, "ls -l"),
            ("soong-tunnel run dev ls --", "dev ls --", None, "dev ls --"),
            ("soong-tunnel run grep -- -x f", "grep -- -x f", None, "grep -- -x f"),
        ] {
            let (command, line_words) = (words(command), words(line));
            let split = split(&command, &line_words, |word| word == "dev");
            assert_eq!(split, (name, words(rest).as_slice()), "{line}");
        }
    }
}
