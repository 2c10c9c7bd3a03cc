//! Command line of `soong keep`.

use clap::Parser;

use crate::instances::inventory::TimeArguments;

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
    override_usage = "soong keep [OPTIONS] TIME [NAME]
       soong keep [OPTIONS] NAME TIME",
    after_help = "Examples:
  soong keep 2h
  soong keep dev 90m"
)]
pub struct Arguments {
    /// The time to keep it, and the instance.
    #[command(flatten)]
    pub words: TimeArguments,
}
