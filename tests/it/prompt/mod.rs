//! The tunnel in the prompt: the file that supervisors keep, and what shells make of it.

mod file;
mod hooks;
mod install;
mod options;
mod terminal;
mod theme;
mod truth;
mod versions;
mod width;
