//! Command line of `soong terminate`.

use clap::Parser;

use crate::completion::Values;

/// The command line of `soong-terminate`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-terminate",
    bin_name = "soong terminate",
    version,
    about = "Terminate rented instances",
    long_about = "Terminate rented instances.\n\n\
        Shows each instance with its cost and asks for its name, stops its tunnel, and waits until the \
        provider says that it is gone. The disk of a terminated instance is lost; file systems of the \
        provider keep their data.",
    after_help = "Examples:
  soong terminate dev
  soong terminate dev staging --yes
  soong terminate --all                asks for each"
)]
pub struct Arguments {
    /// Instances: names, ids, or starts of ids
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all", add = Values::Instances)]
    pub names: Vec<String>,
    /// All instances that enabled providers list; asks for each
    #[arg(long)]
    pub all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}
