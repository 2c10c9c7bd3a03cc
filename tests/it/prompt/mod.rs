//! The tunnel in the prompt: the file that supervisors keep, and what shells make of it.

mod beside;
// Elsewhere one cannot see whether the program of a zombie is gone.
#[cfg(target_os = "linux")]
mod change;
mod file;
mod frameworks;
mod hooks;
mod install;
mod kept;
mod options;
mod pictures;
mod screen;
mod status_line;
mod terminal;
mod theme;
mod truth;
mod versions;
mod width;
