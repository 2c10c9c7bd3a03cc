//! `soong ext`: lists, checks and creates extensions.

pub mod arguments;

mod check;
mod exec;
mod list;
mod new;

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use nix::sys::signal::{SigHandler, Signal, signal};

use self::arguments::{Arguments, PROGRAM, Verb};
use crate::command_line;

/// Runs `soong-ext` and returns the exit code. `arguments` begin with the program's name. Executed programs
/// get the process as the caller set it up.
pub fn main(arguments: &[&CStr]) -> u8 {
    // Words after the name are the extension's own, including `--help`.
    if let [_, verb, name, rest @ ..] = arguments
        && verb.to_bytes() == b"exec"
        && !name.to_bytes().starts_with(b"-")
    {
        return exec::exec(name, rest);
    }
    // As in any other program, a reader that has gone away is an error to look at.
    // SAFETY: to ignore a signal runs no code of ours.
    let pipe = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    let words: Vec<OsString> =
        arguments.iter().map(|word| OsStr::from_bytes(word.to_bytes()).to_owned()).collect();
    command_line::code_of(PROGRAM, words, |arguments: &Arguments| match &arguments.verb {
        Verb::List { json } => list::list(*json),
        // After an option of ours: `soong ext --color never exec NAME`.
        Verb::Exec { name, arguments } => {
            // SAFETY: to put back what was there before runs no code of ours.
            let _ = pipe.map(|before| unsafe { signal(Signal::SIGPIPE, before) });
            let word = |word: &OsString| CString::new(word.as_bytes()).unwrap_or_default();
            let rest: Vec<CString> = arguments.iter().map(word).collect();
            Ok(exec::exec(&word(name), &rest.iter().map(CString::as_c_str).collect::<Vec<_>>()))
        }
        Verb::New { name, lang, directory } => new::new(name, *lang, directory.as_deref()),
        Verb::Check { file } => check::check(file),
    })
}
