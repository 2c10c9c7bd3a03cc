//! Command line of `soong extend`.

use clap::Parser;

use crate::instances::inventory::TimeArguments;

/// The command line of `soong-extend`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-extend",
    bin_name = "soong extend",
    version,
    about = "Extend the lease of an instance",
    long_about = "Extend the lease of an instance.\n\n\
        Asks the status daemon on the instance, through the tunnel if it is up and otherwise over a \
        new SSH connection. The daemon can grant less than requested; the answer says when the \
        instance will shut down.",
    override_usage = "soong extend [OPTIONS] TIME [NAME]
       soong extend [OPTIONS] NAME TIME",
    after_help = "Examples:
  soong extend 2
  soong extend dev 90m
  soong extend 4 --instance-id a1b2c3d4"
)]
pub struct Arguments {
    /// The time to add, and the instance.
    #[command(flatten)]
    pub words: TimeArguments,
}
