//! Long runs against a real `sshd`: what a test suite has no time for. Without arguments, as in `cargo test`, a
//! short one.
//!
//! ```text
//! cargo test --test endurance -- truth --minutes 10 [--seed N] [--keepalive SECONDS]
//! cargo test --test endurance -- outage --seconds 60
//! cargo test --test endurance -- storm --seconds 60
//! cargo test --test endurance -- sequence --count 10000
//! cargo test --test endurance -- rest --minutes 5
//! cargo test --test endurance -- doubt --count 50 [--seed N]
//! ```
//!
//! `truth` does random things to a tunnel that has a random `ssh_config` and a server with a random banner, and
//! compares what `soong tunnel status` and the prompt file say with what
//! a request finds. `rest` counts how often supervisors wake that nothing uses. `outage` takes the server away for a while, `storm` runs many commands at once, and `sequence`
//! makes one connection after another.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a run that cannot go on has failed, and it sets up the environment it looks at"
)]

#[cfg(target_os = "linux")]
mod doubt;
mod outage;
mod rest;
mod sequence;
mod storm;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "these runs need less of it than the tests do")]
mod support;
mod truth;

use std::process::ExitCode;
use std::time::Duration;

/// The time that `cargo test` has for this.
const SHORT: Duration = Duration::from_secs(15);

const USAGE: &str = "usage: cargo test --test endurance -- truth|outage|storm|sequence|rest|doubt \
                     [--minutes N | --seconds N] [--seed N] [--keepalive SECONDS] [--count N]";

/// Tests to run, and for how long.
struct Arguments {
    run: String,
    time: Duration,
    seed: u64,
    keepalive: u32,
    count: u64,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(first) = words.first() else {
        return outcome(truth::run(SHORT, fastrand::u64(..), 1));
    };
    if !["truth", "outage", "storm", "sequence", "rest", "doubt"].contains(&first.as_str()) {
        return beside_tests(&words);
    }
    let Some(arguments) = Arguments::read(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    outcome(match arguments.run.as_str() {
        "truth" => truth::run(arguments.time, arguments.seed, arguments.keepalive),
        "outage" => outage::run(arguments.time),
        "storm" => storm::run(arguments.time),
        "rest" => rest::run(arguments.time),
        #[cfg(target_os = "linux")]
        "doubt" => doubt::run(arguments.count, arguments.seed),
        _ => sequence::run(arguments.count),
    })
}

/// Handles the arguments that cargo passes to every test program: a filter, which matches no test here, or
/// options of the usual harness.
fn beside_tests(words: &[String]) -> ExitCode {
    let filters =
        words.iter().any(|word| !word.starts_with('-')) || words.iter().any(|word| word == "--list");
    if filters {
        return ExitCode::SUCCESS;
    }
    outcome(truth::run(SHORT, fastrand::u64(..), 1))
}

fn outcome(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Arguments {
    /// `None` for what makes no sense.
    fn read(words: &[String]) -> Option<Self> {
        let (run, options) = words.split_first()?;
        let mut arguments = Self {
            run: run.clone(),
            time: Duration::from_secs(60),
            seed: fastrand::u64(..),
            keepalive: 1,
            count: 10_000,
        };
        for pair in options.chunks(2) {
            let [option, value] = pair else { return None };
            match option.as_str() {
                "--minutes" => arguments.time = Duration::from_secs(60 * value.parse::<u64>().ok()?),
                "--seconds" => arguments.time = Duration::from_secs(value.parse().ok()?),
                "--seed" => arguments.seed = value.parse().ok()?,
                "--keepalive" => arguments.keepalive = value.parse().ok()?,
                "--count" => arguments.count = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(arguments)
    }
}
