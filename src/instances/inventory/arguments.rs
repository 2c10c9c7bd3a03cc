//! Options that choose an instance, for commands that reach one.

use std::time::Duration;

use clap::Args;

use crate::completion::Values;

/// Longest `--wait`, in seconds.
pub const WAIT_MAX: u64 = 86_400;

/// InstanceArguments of an instance.
#[derive(Debug, Clone, Default, Args)]
pub struct InstanceArguments {
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

impl InstanceArguments {
    /// Returns the time limit for booting and for the SSH server's answer, if waiting was requested.
    pub fn limit(&self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }

    /// Returns the choice as a request to the inventory.
    pub fn selector(&self, quiet: bool) -> Selector<'_> {
        Selector { wanted: self.instance_id.as_deref(), wait: self.limit(), quiet }
    }
}

/// Request for one instance.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selector<'a> {
    /// Its id, name, or the start of its id; `None` for the only active one.
    pub wanted: Option<&'a str>,
    /// Time limit for an instance that is booting; `None` makes booting an error.
    pub wait: Option<Duration>,
    /// True to wait without output.
    pub quiet: bool,
}
