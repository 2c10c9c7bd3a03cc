//! Command line of `soong keep`.

use std::time::Duration;

use clap::Parser;

use crate::completion::Values;
use crate::system::time::parse_length;

/// The command line of `soong-keep`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-keep",
    bin_name = "soong keep",
    version,
    about = "Keep an unused instance up for a while",
    long_about = "Keep an unused instance up for a while.\n\n\
        Asks the status daemon on the instance for no idle shutdown before the time is over, through \
        the tunnel if it is up and otherwise over a new SSH connection. The end of the lease stays as \
        it is; see soong-extend(1).",
    after_help = "Examples:
  soong keep 2h
  soong keep 90m --instance-id a1b2c3d4"
)]
pub struct Arguments {
    /// Time to keep it: hours (2, 1.5) or a duration (90m, 2h30m)
    #[arg(value_name = "TIME", value_parser = parse_length)]
    pub time: Duration,
    /// Instance: its name, id, or the start of its id
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}
