//! Command line of `soong daemon`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::instances::inventory::NameArguments;

/// The command line of `soong-daemon`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-daemon",
    bin_name = "soong daemon",
    version,
    about = "Install the status daemon on an instance",
    long_about = "Install the status daemon on an instance.\n\n\
        The status daemon (soong-statusd) ends an instance when its lease is over or when nothing \
        uses it, so that a forgotten machine stops costing money. These commands work over the SSH \
        connection and need root there, or sudo. If sudo asks for a password, you type it here.",
    disable_help_subcommand = true,
    after_help = "Examples:
  soong daemon install dev
  soong daemon status dev
  soong daemon logs dev --follow"
)]
pub struct Arguments {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install and start the daemon
    ///
    /// Copies the daemon to the instance, checks that it runs there, and starts it as a systemd service
    /// with a token of its own. Repeating it changes nothing. An existing configuration stays as it is.
    #[command(after_help = "Examples:
  soong daemon install
  soong daemon install dev --lease 8h --limit 24h --idle 1h")]
    Install(Install),
    /// Replace an installed daemon by another version
    ///
    /// If the new version does not answer, the old one is started again.
    #[command(after_help = "Examples:
  soong daemon upgrade dev
  soong daemon upgrade dev --binary target/release/soong-statusd")]
    Upgrade(Upgrade),
    /// Show whether the daemon runs and what it plans
    #[command(after_help = "Example:
  soong daemon status dev")]
    Status(Target),
    /// Show the daemon's log
    #[command(after_help = "Example:
  soong daemon logs dev --follow")]
    Logs(Logs),
    /// Stop and remove the daemon
    ///
    /// Configuration, token and lease stay on the instance unless --purge is given.
    #[command(after_help = "Example:
  soong daemon uninstall dev --purge")]
    Uninstall(Uninstall),
}

/// The instance.
#[derive(Debug, Args)]
pub struct Target {
    /// Its name.
    #[command(flatten)]
    pub which: NameArguments,
    /// Directory on the instance in place of /, for tests and images
    #[arg(long, value_name = "DIR", default_value = "", hide = true)]
    pub root: String,
}

/// Arguments of `soong daemon install`.
#[derive(Debug, Args)]
pub struct Install {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
    /// Program to install [default: the one installed with soong]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub binary: Option<PathBuf>,
    /// Length of the lease [default: 4h]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub lease: Option<Duration>,
    /// Longest life of the instance [default: 8h]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub limit: Option<Duration>,
    /// Time without use after which the instance ends; 0s never [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub idle: Option<Duration>,
    /// The instance has no GPU
    #[arg(long)]
    pub no_gpu: bool,
    /// Warn, but never end the instance
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `soong daemon upgrade`.
#[derive(Debug, Args)]
pub struct Upgrade {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
    /// Program to install [default: the one installed with soong]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub binary: Option<PathBuf>,
}

/// Arguments of `soong daemon logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
    /// Follow the log
    #[arg(long, short)]
    pub follow: bool,
    /// Number of lines
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    pub lines: u32,
}

/// Arguments of `soong daemon uninstall`.
#[derive(Debug, Args)]
pub struct Uninstall {
    /// The instance.
    #[command(flatten)]
    pub target: Target,
    /// Remove its configuration, token and lease as well
    #[arg(long)]
    pub purge: bool,
}
