//! The options with which a command that reaches an instance is told which one. Other commands say
//! otherwise what becomes of one that boots.

use std::time::Duration;

use clap::Args;

use crate::completion::Values;

/// The longest that can be waited, in seconds.
pub const WAIT_MAX: u64 = 86_400;

/// Which instance is wanted.
#[derive(Debug, Clone, Default, Args)]
pub struct Choice {
    /// Instance: its name, id, or the start of its id
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
    /// Wait for the instance to boot [default: 900]
    ///
    /// Waits until the provider says active and the SSH server answers, for at most SECONDS.
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "900",
        value_parser = clap::value_parser!(u64).range(1..=WAIT_MAX)
    )]
    pub wait: Option<u64>,
}

impl Choice {
    /// How long to wait for it to boot and for its SSH server to answer, if at all.
    pub fn limit(&self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }

    /// The wish for it.
    pub fn wish(&self, quiet: bool) -> Wish<'_> {
        Wish { wanted: self.instance_id.as_deref(), wait: self.limit(), quiet }
    }
}

/// Which instance is wanted, and what may be done to have it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// Its id, its name, or the start of its id; else the only active one.
    pub wanted: Option<&'a str>,
    /// How long to wait for one that is booting; else it is an error.
    pub wait: Option<Duration>,
    /// Whether to say nothing while waiting.
    pub quiet: bool,
}
