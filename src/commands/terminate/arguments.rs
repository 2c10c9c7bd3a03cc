//! Command line of `soong terminate`.

use clap::Parser;

use crate::instances::inventory::NamesArguments;

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
    /// The instances; without any, you choose one.
    #[command(flatten)]
    pub which: NamesArguments,
    /// All instances that enabled providers list; asks for each
    #[arg(long, conflicts_with_all = ["names", "instance_id"])]
    pub all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}
