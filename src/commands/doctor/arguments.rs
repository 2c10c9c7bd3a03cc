//! Command line of `soong doctor`.

use clap::Parser;

use crate::instances::inventory::NameArguments;

/// The command line of `soong-doctor`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-doctor",
    bin_name = "soong doctor",
    version,
    about = "Find out why a tunnel does not work",
    long_about = "Find out why a tunnel does not work.\n\n\
        Checks everything that a tunnel needs, in the order in which one would look: programs, config, key, \
        provider, instance, the way to its SSH server, login, local ports, the tunnel and its services, and the \
        shell. Each check is a line; below a failed one stands how to fix it. Where a failure makes later checks \
        meaningless, they are left out. Nothing is changed without --fix.\n\n\
        It connects to the SSH server twice, and logs in once without a question.",
    after_help = "Examples:
  soong doctor
  soong doctor dev --fix
  soong doctor dev --report | less"
)]
pub struct Arguments {
    /// The instance; not needed if there is only one.
    #[command(flatten)]
    pub which: NameArguments,
    /// Run the commands that fix what was found; asks before each
    #[arg(long)]
    pub fix: bool,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["fix", "report"])]
    pub json: bool,
    /// Print a text for a bug report, without names, addresses and secrets
    #[arg(long, conflicts_with = "fix")]
    pub report: bool,
}
