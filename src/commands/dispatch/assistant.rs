//! Work that `soong` leaves to `soong-ext`, which may be larger and slower: aliases, lists with summaries,
//! suggestions.

use std::ffi::CStr;
use std::path::Path;

use super::commands::{Settings, execute, legal, nearest};
use super::output::{fail, show, unknown};
use super::{explanation, help, request};
use crate::config::Autocorrect;
use crate::error::{EXIT_USAGE, Error};
use crate::extension::alias::{self, Expansion};
use crate::extension::catalog;
use crate::extension::discovery::is_command;
use crate::suggest;
use crate::system::paths::{self, Paths};
use crate::terminal::{self, printable};
use crate::toml_text::typed_key;

/// Carries out a request of `soong` in `arguments`, those of `soong-ext`, and returns the exit code; `None`
/// if it is not a request of `soong`.
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

/// Handles an unknown command: an alias or a mistyped name.
fn unknown_command(words: &[&CStr]) -> u8 {
    let Some((name, rest)) = words.split_first() else { return EXIT_USAGE };
    let settings = Settings::read();
    if let Some(name) = legal(name) {
        match alias::expand(&settings.aliases, name, is_command) {
            Ok(None) => {}
            Ok(Some(expansion)) => return run(name, &expansion, rest),
            Err(error) => return fail(&error),
        }
    }
    let shown = name.to_string_lossy();
    let nearest = nearest(&shown, &settings);
    match (&settings.error, settings.autocorrect, nearest.first()) {
        (Some(error), ..) => {
            let guess = suggest::join(&nearest);
            let hint =
                guess.into_iter().chain([format!("aliases are unavailable: {error}")]).collect::<Vec<_>>();
            unknown(name.to_bytes(), Some(hint.join("; ")))
        }
        (None, Autocorrect::Prompt, Some(best)) if terminal::is_interactive() => offer(name, best, rest),
        (None, Autocorrect::Never, _) => unknown(name.to_bytes(), None),
        _ => unknown(name.to_bytes(), suggest::join(&nearest)),
    }
}

/// Offers to run `best` instead.
fn offer(name: &CStr, best: &str, rest: &[&CStr]) -> u8 {
    let shown = name.to_string_lossy();
    terminal::print_error(&format!("soong: no command '{}'\n", printable(&shown)));
    match terminal::confirm_with(&format!("Run 'soong {best}' instead?"), false) {
        Ok(Some(true)) => {
            let words: Vec<String> = best.split(' ').map(str::to_owned).collect();
            become_soong(&words, rest)
        }
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
            &Error::usage(format!("the alias '{name}' runs '{0}', which is not a command", printable(first)))
                .with_hint(format!("change it: soong configure set {} COMMAND", typed_key(&["alias", name]))),
        );
    };
    let mut words = vec!["sh".to_owned(), "-c".to_owned(), alias::script(command), format!("soong-{name}")];
    words.extend(expansion.words.iter().cloned());
    execute(Path::new("/bin/sh"), &words, rest)
}

/// Execs `soong` with these words.
fn become_soong(words: &[String], rest: &[&CStr]) -> u8 {
    let Some(directory) = paths::own_directory() else {
        return fail(&Error::failed("cannot find soong's own directory"));
    };
    let words: Vec<String> = std::iter::once("soong".to_owned()).chain(words.iter().cloned()).collect();
    execute(&directory.join("soong"), &words, rest)
}
