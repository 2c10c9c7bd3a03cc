//! Command line of `soong extend`.

use std::time::Duration;

use clap::Parser;

use crate::completion::Values;
use crate::system::time::parse_length;

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
    after_help = "Examples:
  soong extend 2
  soong extend 90m
  soong extend 4 --instance-id a1b2c3d4"
)]
pub struct Arguments {
    /// Time to add: hours (2, 1.5) or a duration (90m, 2h30m)
    #[arg(value_name = "TIME", value_parser = parse_length)]
    pub time: Duration,
    /// Instance: its name, id, or the start of its id
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}
