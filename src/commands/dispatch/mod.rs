//! `soong NAME …`: finds the program and execs it.
//!
//! This is kept short: no config, no parser, no other lookups. The directory of `soong` comes first, then
//! each directory of `PATH`. If no program is found, or for other requests, this program execs `soong-ext`,
//! which has aliases, summaries and suggestions: [`assist`].

mod assistant;
mod commands;
mod explanation;
mod help;
mod output;
mod request;

use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, PathBuf};

pub use self::assistant::assist;
use self::output::{show, unknown};
use crate::command_line;
use crate::error::{EXIT_FAILED, EXIT_USAGE, Error, Result};
use crate::extension::is_name;
use crate::extension::launch::{export_caller, launch};
use crate::system::paths;
use crate::terminal::{export_colour, printable};

/// Returns the overview without extensions.
#[cfg(test)]
pub(crate) fn overview() -> String {
    help::overview(&[], true)
}

/// The command line as C's entry point gets it.
///
/// # Safety
///
/// `arguments` points to `count` strings that live as long as the process, as C guarantees of what it
/// passes to `main`.
pub unsafe fn arguments_of_c(count: c_int, arguments: *const *const c_char) -> Vec<&'static CStr> {
    let count = usize::try_from(count).unwrap_or_default();
    // SAFETY: the caller vouches for `count` pointers to strings that are never freed.
    (0..count).map(|index| unsafe { CStr::from_ptr(*arguments.add(index)) }).collect()
}

/// Carries out the command line; returns only if no other program was executed.
pub fn run(arguments: &[&CStr]) -> u8 {
    let arguments = match apply_color(arguments) {
        Ok(count) => &arguments[count..],
        Err(error) => {
            error.report("soong");
            return error.exit_code();
        }
    };
    let rest = arguments.get(2..).unwrap_or_default();
    let own = paths::own_program().ok();
    let soong = Soong { own: own.as_deref() };
    let Some(first) = arguments.get(1) else {
        return soong.overview();
    };
    match first.to_bytes() {
        b"-h" | b"--help" => soong.overview(),
        b"help" => match rest.split_first() {
            Some((name, subcommands)) => soong.explain(name, subcommands),
            None => soong.overview(),
        },
        b"-V" | b"--version" => show(&format!("soong {}\n", env!("CARGO_PKG_VERSION"))),
        b"--list" => soong.list(),
        b"--exec-path" => soong.exec_path(),
        name if name.starts_with(b"-") => unknown_option(name),
        _ => soong.execute(first, rest),
    }
}

/// Applies a leading `--color WHEN` here and for the next program; returns the number of its words.
fn apply_color(arguments: &[&CStr]) -> Result<usize> {
    let Some(first) = arguments.get(1) else { return Ok(0) };
    let (when, count) = match first.to_bytes() {
        b"--color" => (arguments.get(2).map_or(&b""[..], |word| word.to_bytes()), 2),
        word => match word.strip_prefix(b"--color=") {
            Some(when) => (when, 1),
            None => return Ok(0),
        },
    };
    export_colour(command_line::colour(std::str::from_utf8(when).ok())?);
    Ok(count)
}

/// This program.
struct Soong<'a> {
    /// Its own absolute path.
    own: Option<&'a Path>,
}

impl Soong<'_> {
    fn directory(&self) -> Option<PathBuf> {
        self.own.and_then(Path::parent).map(Path::to_path_buf)
    }

    /// Execs `soong-NAME`, or reports why not.
    fn execute(&self, name: &CStr, rest: &[&CStr]) -> u8 {
        if is_name(name.to_bytes()) {
            export_caller(self.own);
            let directories: Vec<PathBuf> =
                self.directory().into_iter().chain(paths::search_path()).collect();
            if let Some(code) = launch(name.to_bytes(), rest, &directories).report() {
                return code;
            }
        }
        self.assisted(request::UNKNOWN, &[&[name], rest].concat());
        unknown(name.to_bytes(), None)
    }

    fn overview(&self) -> u8 {
        self.assisted(request::OVERVIEW, &[]);
        show(&help::overview(&[], false))
    }

    fn list(&self) -> u8 {
        self.assisted(request::LIST, &[]);
        show(&help::list(&[]))
    }

    fn explain(&self, name: &CStr, subcommands: &[&CStr]) -> u8 {
        self.assisted(request::EXPLAIN, &[&[name], subcommands].concat());
        self.execute(name, &[subcommands, &[c"--help"]].concat())
    }

    /// Execs `soong-ext`; returns only if it is not installed.
    fn assisted(&self, request: &CStr, rest: &[&CStr]) {
        export_caller(self.own);
        let directory: Vec<PathBuf> = self.directory().into_iter().collect();
        launch(b"ext", &[&[request], rest].concat(), &directory);
    }

    fn exec_path(&self) -> u8 {
        if let Some(directory) = self.directory() {
            return show(&format!("{}\n", directory.display()));
        }
        Error::failed("cannot find soong's own directory").report("soong");
        EXIT_FAILED
    }
}

fn unknown_option(option: &[u8]) -> u8 {
    let option = String::from_utf8_lossy(option);
    Error::usage(format!("unknown option '{}'", printable(&option)))
        .with_hint("list the options: soong --help")
        .report("soong");
    EXIT_USAGE
}
