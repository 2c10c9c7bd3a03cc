//! What `soong` leaves to `soong-ext`, which may be big and slow: aliases, lists with summaries, and
//! guesses at what was meant.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::errno::Errno;

use super::{explanation, help, legal, request, show, unknown};
use crate::built_in::BUILT_IN;
use crate::config::{Autocorrect, Config};
use crate::error::{EXIT_NOT_EXECUTABLE, EXIT_USAGE, Error, Result};
use crate::extension::alias::{self, Expansion};
use crate::extension::discovery::{self, is_command};
use crate::extension::{catalog, own_directory};
use crate::suggest;
use crate::system::paths::Paths;
use crate::terminal::{self, printable};
use crate::toml_text::typed_key;

/// Does what `soong` asks for in `arguments`, those of `soong-ext`, and returns the exit code;
/// `None` if it is not `soong` that asks.
pub fn assist(arguments: &[&CStr]) -> Option<u8> {
    let (request, rest) = arguments.get(1..)?.split_first()?;
    if *request == request::OVERVIEW {
        return Some(show(&help::overview(&catalog::callable(), is_new())));
    }
    if *request == request::LIST {
        return Some(show(&help::list(&catalog::callable())));
    }
    if *request == request::UNKNOWN {
        return Some(unknown_command(rest));
    }
    (*request == request::EXPLAIN).then(|| match rest.split_first() {
        Some((name, subcommands)) => explanation::explain(name, subcommands),
        None => explanation::explain(c"", &[]),
    })
}

/// Returns true if there is no config file yet.
fn is_new() -> bool {
    Paths::from_env().is_ok_and(|paths| !paths.config_file().exists())
}

/// What the config says that matters here. Without a config that can be read there are no aliases,
/// and the error says why.
pub(super) struct Wishes {
    pub(super) aliases: BTreeMap<String, String>,
    autocorrect: Autocorrect,
    pub(super) error: Option<Error>,
}

impl Wishes {
    pub(super) fn read() -> Self {
        match Paths::from_env().and_then(|paths| Config::load(&paths)) {
            Ok(config) => Self { aliases: config.aliases, autocorrect: config.autocorrect, error: None },
            Err(error) => {
                Self { aliases: BTreeMap::new(), autocorrect: Autocorrect::default(), error: Some(error) }
            }
        }
    }
}

/// The first of `words` is no program: it may be an alias, or a slip of the finger.
fn unknown_command(words: &[&CStr]) -> u8 {
    let Some((name, rest)) = words.split_first() else { return EXIT_USAGE };
    let wishes = Wishes::read();
    if let Some(name) = legal(name) {
        match alias::expand(&wishes.aliases, name, is_command) {
            Ok(None) => {}
            Ok(Some(expansion)) => return run(name, &expansion, rest),
            Err(error) => return fail(&error),
        }
    }
    let shown = name.to_string_lossy();
    let nearest = nearest(&shown, &wishes);
    match (&wishes.error, wishes.autocorrect, nearest.first()) {
        (Some(error), ..) => {
            let guess = suggest::join(&nearest);
            let hint =
                guess.into_iter().chain([format!("it may be an alias, but {error}")]).collect::<Vec<_>>();
            unknown(name.to_bytes(), Some(hint.join("; ")))
        }
        (None, Autocorrect::Prompt, Some(best)) if terminal::is_interactive() => offer(name, best, rest),
        (None, Autocorrect::Never, _) => unknown(name.to_bytes(), None),
        _ => unknown(name.to_bytes(), suggest::join(&nearest)),
    }
}

/// The names most like `wanted` among all commands.
pub(super) fn nearest(wanted: &str, wishes: &Wishes) -> Vec<String> {
    let mut names: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.push("help".to_owned());
    names.extend(wishes.aliases.keys().cloned());
    let found = discovery::scan(&discovery::directories());
    names.extend(found.into_iter().filter_map(|(name, found)| {
        found.iter().any(|found| found.state == discovery::State::Program).then_some(name)
    }));
    suggest::nearest(wanted, names.iter().map(String::as_str)).into_iter().map(str::to_owned).collect()
}

/// Asks whether `best` was meant, and runs it.
fn offer(name: &CStr, best: &str, rest: &[&CStr]) -> u8 {
    let shown = name.to_string_lossy();
    terminal::print_error(&format!("soong: no command is called '{}'\n", printable(&shown)));
    match terminal::ask(&format!("run 'soong {best}' instead?"), false) {
        Ok(Some(true)) => become_soong(&[best.to_owned()], rest),
        _ => EXIT_USAGE,
    }
}

fn run(name: &str, expansion: &Expansion, rest: &[&CStr]) -> u8 {
    let Some(command) = &expansion.shell else {
        let first = &expansion.words[0];
        if first.starts_with('-') || is_command(first) {
            return become_soong(&expansion.words, rest);
        }
        return fail(
            &Error::usage(format!(
                "the alias '{name}' stands for '{0}', and no command is called '{0}'",
                printable(first)
            ))
            .with_hint(format!("change it: soong configure set {} COMMAND", typed_key(&["alias", name]))),
        );
    };
    let mut words = vec!["sh".to_owned(), "-c".to_owned(), alias::script(command), format!("soong-{name}")];
    words.extend(expansion.words.iter().cloned());
    execute(&PathBuf::from("/bin/sh"), &words, rest)
}

/// Becomes `soong` with these words.
fn become_soong(words: &[String], rest: &[&CStr]) -> u8 {
    let Some(directory) = own_directory() else {
        return fail(&Error::failed("cannot tell where soong is installed"));
    };
    let words: Vec<String> = std::iter::once("soong".to_owned()).chain(words.iter().cloned()).collect();
    execute(&directory.join("soong"), &words, rest)
}

/// Becomes `program`, which is called by the first of `words`.
pub(super) fn execute(program: &std::path::Path, words: &[String], rest: &[&CStr]) -> u8 {
    let attempt = || -> Result<Errno> {
        let text = |bytes: &[u8]| {
            CString::new(bytes)
                .map_err(|_| Error::usage("an argument has a character that no argument can have"))
        };
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

pub(super) fn fail(error: &Error) -> u8 {
    error.report("soong");
    error.exit_code()
}
