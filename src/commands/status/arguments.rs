//! Command line of `soong status`.

use std::time::Duration;

use clap::Parser;

use crate::instances::inventory::NameArguments;

/// The command line of `soong-status`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-status",
    bin_name = "soong status",
    version,
    about = "Show instances, their tunnels and leases",
    long_about = "Show instances, their tunnels and leases.\n\n\
        Lists the instances of config.toml and of all enabled providers. When a provider is \
        unreachable, its instances are shown from the last answer, with its age. Lease, model and GPU \
        load come from the status daemon of instances whose tunnel is up. UP and SO FAR count from the \
        launch; a '+' marks an amount that may be higher, because soong did not launch the instance and \
        counts from the first time that it saw it.",
    after_help = "Examples:
  soong status
  soong status dev
  soong status --watch            refresh every 5 seconds
  soong status --json | jq -r '.instances[] | select(.tunnel) | .name'"
)]
pub struct Arguments {
    /// The only instance to show.
    #[command(flatten)]
    pub which: NameArguments,
    /// Use each provider's last answer without a request
    #[arg(long)]
    pub cached: bool,
    /// Print JSON
    ///
    /// The fields are described in docs/json.md and do not change within a major version.
    #[arg(long)]
    pub json: bool,
    /// Refresh every SECONDS [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, num_args = 0..=1, default_missing_value = "5")]
    pub watch: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds) if (1..=3600).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err("a number of seconds from 1 to 3600".to_owned()),
    }
}
