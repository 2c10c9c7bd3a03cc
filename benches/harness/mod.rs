//! Shared code of the benchmarks. One benchmark is one group of measurements, run by `cargo bench --bench
//! GROUP`: it sets up a [`sandbox`], runs its contestants in turns ([`contest`]), reports the results
//! ([`report`]) and writes them down ([`document`]).
#![allow(dead_code, reason = "a benchmark uses the parts it needs, and each compiles all of them")]

pub mod budget;
pub mod chart;
pub mod config;
pub mod contest;
pub mod document;
pub mod idle;
pub mod line;
pub mod namespaces;
pub mod program;
pub mod proxy;
pub mod report;
pub mod sandbox;
pub mod service;
pub mod sshd;
pub mod statistics;
pub mod tunnel;
pub mod wait;

use std::process::ExitCode;
use std::time::Instant;

use soong::error::Result;

use self::report::Group;

/// Runs a benchmark and prints what it measured. A goal that is missed is a result like any other;
/// only a benchmark that could not be run fails.
pub fn run(name: &str, measure: impl FnOnce() -> Result<Group>) -> ExitCode {
    // `cargo test --all-targets` also runs benchmarks, without this argument, to check that they build. No
    // figures are needed then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    budget::begin(name);
    let measured = sandbox::end_on_signals().and_then(|()| measure()).and_then(|mut group| {
        group.seconds = begun.elapsed().as_secs_f64();
        group.load = idle::load();
        let page = document::write(name, &group)?;
        let text = format!("{group}{name}: written to {}\n", page.display());
        soong::terminal::print(&text).map_err(|error| sandbox::failed("write", error))
    });
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report(&format!("bench {name}"));
            ExitCode::from(error.exit_code())
        }
    }
}
