//! What the benchmarks share. One benchmark is one group of measurements, run by
//! `cargo bench --bench GROUP`: it sets up a [`sandbox`], has its contestants take turns
//! ([`contest`]), and says how they did ([`report`]).
#![allow(dead_code, reason = "a benchmark uses the parts it needs, and each compiles all of them")]

pub mod config;
pub mod contest;
pub mod program;
pub mod report;
pub mod sandbox;
pub mod sshd;
pub mod statistics;
pub mod wait;

use std::process::ExitCode;

use soong::error::{Error, Result};

use self::report::Group;

/// Runs a benchmark and prints what it measured. A goal that is missed is a result like any other;
/// only a benchmark that could not be run fails.
pub fn run(name: &str, measure: impl FnOnce() -> Result<Group>) -> ExitCode {
    // `cargo test --all-targets` also runs benchmarks, without this argument: that checks that
    // they build, and nobody waits for figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let measured = sandbox::end_on_signals().and_then(|()| measure()).and_then(|group| {
        let written = soong::term::print(&group.to_string());
        written.map_err(|source| Error::Io { action: "cannot write".into(), source, hint: None })
    });
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report(&format!("bench {name}"));
            ExitCode::from(error.exit_code())
        }
    }
}
