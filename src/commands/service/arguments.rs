//! Command line of `soong service`.

use clap::{Args, Parser, Subcommand};

use crate::completion::Values;
use crate::config::on_demand::OnDemand;
use crate::instances::inventory::NamesArguments;

/// The command line of `soong-service`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-service",
    bin_name = "soong service",
    version,
    about = "Start tunnels at login",
    long_about = "Start tunnels at login.\n\n\
        Installs a service of your own for a tunnel: a systemd user unit, or a launchd agent on macOS. The \
        service starts the tunnel when you log in, also before the network is there, and again if its \
        supervisor crashes. It needs no root.",
    disable_help_subcommand = true,
    after_help = "Examples:
  soong service install dev --on-demand     ports at login, ssh only when used
  soong service status
  soong service uninstall dev"
)]
pub struct Arguments {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands of `soong service`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start tunnels at login, and now
    ///
    /// May be repeated: it updates the service, and restarts the tunnel if the service changed. A tunnel that you started
    /// yourself keeps running; the service takes over at the next login.
    ///
    /// On Linux, tunnels start at the first login and stop at the last logout. To start them with the machine:
    /// 'loginctl enable-linger'.
    Install(InstallArguments),
    /// Show the installed services
    ///
    /// Exits with 3 if there is none.
    Status(StatusArguments),
    /// Stop starting tunnels at login
    ///
    /// Stops the tunnels that the services run.
    Uninstall(UninstallArguments),
}

/// Options of `install`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  soong service install
  soong service install dev staging --on-demand=30m")]
pub struct InstallArguments {
    /// The instances; without any, the only active one.
    #[command(flatten)]
    pub which: NamesArguments,
    /// Start ssh with the first connection [without IDLE: 10m]
    ///
    /// Like the option of 'soong tunnel start'. Without it, tunnel.on-demand of config.toml decides.
    #[arg(
        long,
        value_name = "IDLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on",
        value_parser = |text: &str| OnDemand::parse(text).map(|_| text.to_owned()),
        add = Values::IdleTimes
    )]
    pub on_demand: Option<String>,
    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,
}

/// Options of `status`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  soong service status --json | jq -r '.services[].name'")]
pub struct StatusArguments {
    /// Print JSON
    ///
    /// The fields are described in docs/json.md.
    #[arg(long)]
    pub json: bool,
}

/// Options of `uninstall`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  soong service uninstall dev
  soong service uninstall --all")]
pub struct UninstallArguments {
    /// The instances; without any, the only installed one.
    #[command(flatten)]
    pub which: NamesArguments,
    /// Uninstall all services
    #[arg(long, conflicts_with_all = ["names", "instance_id"])]
    pub all: bool,
    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,
}
