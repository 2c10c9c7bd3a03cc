//! Command line of `soong launch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueHint};

use crate::completion::Values;
use crate::config::is_provider_name;
use crate::instances::provider::arguments::{amount, word};
use crate::system::time::parse_length;

/// The command line of `soong-launch`.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag of the command line")]
#[command(
    name = "soong-launch",
    bin_name = "soong launch",
    version,
    about = "Rent an instance and open a tunnel to it",
    long_about = "Rent an instance and open a tunnel to it.\n\n\
        Shows what it rents, where, and what it costs, and asks. Then it tries the offers in order, \
        waits until the instance is active and its SSH server answers, installs the status daemon if \
        launch.guard is set, and starts the tunnel. Before you agree, it only reads. Defaults are in \
        [launch] of config.toml; see soong-config(5).\n\n\
        An instance costs money until it ends: soong terminate. Ctrl-C ends nothing; soong then says \
        what exists. If the answer to a launch is lost, soong looks for the instance by its name and \
        never launches a second one.",
    after_help = "Examples:
  soong launch --gpu H100,A100 --max-price 3
  soong launch --name dev --hours 8 --region 'us-*' --yes
  soong launch --gpu H100 --wait-capacity=12h --yes
  soong launch --recipe vllm.yaml --dry-run"
)]
pub struct Arguments {
    /// GPUs, the preferred one first: parts of their names
    #[arg(long, value_name = "GPU,…", value_delimiter = ',', value_parser = word)]
    pub gpu: Vec<String>,
    /// Number of GPUs
    #[arg(long, value_name = "N")]
    pub count: Option<u32>,
    /// Type of machine, as the provider calls it
    #[arg(long = "type", value_name = "TYPE")]
    pub type_name: Option<String>,
    /// Regions, the preferred one first; * stands for any text
    #[arg(long, value_name = "REGION,…", value_delimiter = ',', value_parser = word)]
    pub region: Vec<String>,
    /// Highest price per hour
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub max_price: Option<u64>,
    /// Time to rent it for: hours (4, 1.5) or a duration (90m) [default: 4]
    ///
    /// The plan shows the price of this time and compares it with the budget. With launch.guard, it is
    /// the lease of the instance. Without it, the instance runs until you terminate it.
    #[arg(long, value_name = "TIME", value_parser = parse_length)]
    pub hours: Option<Duration>,
    /// Name of the instance [default: dev, dev-2, …]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
    /// Name of your SSH key at the provider
    #[arg(long, value_name = "KEY")]
    pub ssh_key: Option<String>,
    /// File system of the provider to attach; may be repeated
    #[arg(long, value_name = "NAME")]
    pub filesystem: Vec<String>,
    /// Cloud-init file for the instance
    ///
    /// @soong:name@, type, region, gpu, count and hours in it are replaced; see docs/renting.md.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub recipe: Option<PathBuf>,
    /// Provider to rent from
    #[arg(long, value_name = "NAME", value_parser = provider, add = Values::Providers)]
    pub provider: Option<String>,
    /// Wait until there is capacity [default: 6h]
    ///
    /// Asks the provider about every 20 seconds, and less often if the provider wants that. The hook
    /// "capacity" runs when there is some, and "launched" when the wait is over; see docs/hooks.md.
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "6h",
        value_parser = parse_length
    )]
    pub wait_capacity: Option<Duration>,
    /// Do not start the tunnel
    #[arg(long)]
    pub no_tunnel: bool,
    /// Launch although the month's budget will be exceeded
    #[arg(long)]
    pub over_budget: bool,
    /// Show the plan without launching anything
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

fn name(text: &str) -> Result<String, String> {
    if is_provider_name(text) {
        Ok(text.to_owned())
    } else {
        Err("at most 64 letters, digits, '.', '_' and '-', beginning with a letter or digit".to_owned())
    }
}

fn provider(text: &str) -> Result<String, String> {
    if is_provider_name(text) { Ok(text.to_owned()) } else { Err("the name of a provider".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(name("dev-2").is_ok());
        for text in ["", "-x", "a b", "a\n", "$(x)", &"x".repeat(65)] {
            assert!(name(text).is_err(), "{text}");
        }
    }
}
