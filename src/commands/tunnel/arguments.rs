//! What can be typed after `soong tunnel`: syntax only. What it means is [`crate::supervisor::protocol::request`]'s.

mod start;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::start::{LocalPort, RestartArguments, RunArguments, StartArguments};
use crate::completion::Values;

/// The command line of `soong-tunnel`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-tunnel",
    bin_name = "soong tunnel",
    version,
    about = "Make the ports of your GPU instance appear on localhost",
    disable_help_subcommand = true,
    after_help = "Examples:
  soong tunnel start                        the active instance, default ports
  soong tunnel start --sglang-port 8001     when 8000 is taken
  soong tunnel status && curl localhost:8000/v1/models
  soong tunnel stop"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `soong tunnel` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a tunnel in the background
    Start(StartArguments),
    /// Say whether a tunnel runs (exit code 0 if one does, 3 if none does)
    Status(StatusArguments),
    /// Stop a tunnel
    Stop(StopArguments),
    /// Stop a tunnel and start it again on the same ports
    Restart(Box<RestartArguments>),
    /// List all tunnels, a line each
    List(ListArguments),
    /// Forward more over the running tunnel, or less
    Forward(ForwardArguments),
    /// Print what a tunnel did and what its ssh said
    Logs(LogsArguments),
    /// Print the address of a service of the running tunnel
    Url(UrlArguments),
    /// Print shell commands that set OPENAI_BASE_URL and other addresses
    Env(EnvArguments),
    /// Run a command with a tunnel, then close what was not open before
    Run(Box<RunArguments>),
    /// Wait until the tunnel is up (exit code 3 if there is none)
    Wait(WaitArguments),
    /// Run the hooks for the events on standard input
    #[command(hide = true)]
    Hooks {
        /// Name of the tunnel
        name: String,
    },
    /// Ask the provider of an instance where it is now
    #[command(hide = true)]
    Whereabouts {
        /// Id of the instance
        id: String,
    },
}

/// Options of `status`.
#[derive(Debug, Args)]
#[command(after_help = "The exit code is 0 if a tunnel runs and 3 if none does; with --check, 1 if a
service does not answer.

Examples:
  soong tunnel status
  soong tunnel status --check           is it the link, or the service?
  soong tunnel status --json | jq '.tunnels[].state'")]
pub struct StatusArguments {
    /// Only the tunnel to the instance of this name or id
    #[arg(add = Values::Tunnels)]
    pub name: Option<String>,
    /// Ask each service through the tunnel whether it answers
    #[arg(long)]
    pub check: bool,
    /// Print all there is to know as JSON
    #[arg(long)]
    pub json: bool,
    /// Also print ports, traffic, and what is waited for
    #[arg(short, long, conflicts_with = "json")]
    pub verbose: bool,
}

/// Options of `list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  soong tunnel list
  soong tunnel list --json | jq -r '.tunnels[].name'")]
pub struct ListArguments {
    /// Print all there is to know as JSON, as status --json
    #[arg(long)]
    pub json: bool,
}

/// Options of `forward`.
#[derive(Debug, Args)]
#[command(
    override_usage = "soong tunnel forward [NAME] [LOCAL:HOST:PORT]... [OPTIONS]",
    after_help = "LOCAL is a port of localhost or the path of a socket. In place of HOST:PORT
there can be the path of a socket on the instance: 2375:/var/run/docker.sock
What is under way is not disturbed. To have a forward every time, write it below
[instances.NAME] in config.toml.

Examples:
  soong tunnel forward 5432:db.internal:5432
  soong tunnel forward dev --socks 1080
  soong tunnel forward --remote 9000:localhost:3000
  soong tunnel forward --remove 5432"
)]
pub struct ForwardArguments {
    /// What to forward; before it a name, if several run
    #[arg(value_name = "LOCAL:HOST:PORT", add = Values::TunnelThenForwards)]
    pub words: Vec<String>,
    /// Lead a port of the instance here: PORT:HOST:PORT
    #[arg(long, value_name = "SPEC", add = Values::RemoteForwards)]
    pub remote: Vec<String>,
    /// Local port of a SOCKS proxy out of the instance
    #[arg(long, value_name = "PORT", add = Values::SocksPorts)]
    pub socks: Vec<String>,
    /// Take these away; what they listen on is enough
    #[arg(long)]
    pub remove: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Options of `stop`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  soong tunnel stop
  soong tunnel stop dev
  soong tunnel stop --all")]
pub struct StopArguments {
    /// Name or id of the instance; not needed when only one tunnel runs
    #[arg(conflicts_with = "all", add = Values::Tunnels)]
    pub name: Option<String>,
    /// Stop all tunnels
    #[arg(long)]
    pub all: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Options of `logs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  soong tunnel logs
  soong tunnel logs dev --follow -n 200")]
pub struct LogsArguments {
    /// Name or id of the instance; by default that of the running tunnel
    #[arg(add = Values::Logs)]
    pub name: Option<String>,
    /// Go on with what is added, until interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// How many lines of what there is
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    pub lines: usize,
}

/// Options of `url`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  curl $(soong tunnel url sglang)/v1/models")]
pub struct UrlArguments {
    /// Name of the service, for example sglang
    #[arg(add = Values::Services)]
    pub service: String,
    /// Instance: its id, the start of its id, or its name
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}

/// Options of `env`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  eval \"$(soong tunnel env)\"
  soong tunnel env --shell fish | source")]
pub struct EnvArguments {
    /// One of bash, zsh, fish, sh
    #[arg(long, value_enum, default_value_t = Shell::Sh, hide_possible_values = true)]
    pub shell: Shell,
    /// Instance: its id, the start of its id, or its name
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}

/// Options of `wait`.
#[derive(Debug, Args)]
#[command(after_help = "The exit code is 0 when it is there, 1 when the time is up or the tunnel has
failed, 3 when no tunnel runs.

Examples:
  soong tunnel wait && curl localhost:8000/v1/models
  soong tunnel wait --service sglang --timeout 900      while a model loads")]
pub struct WaitArguments {
    /// Also wait until this service answers
    #[arg(long, value_name = "NAME", add = Values::Services)]
    pub service: Option<String>,
    /// How long to wait; 0 only looks
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(0..=86400)
    )]
    pub timeout: u64,
    /// Instance: its id, the start of its id, or its name
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}

/// Shells that commands can be printed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// Any POSIX shell
    Sh,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_fits_80_columns() {
        let mut command = Arguments::command();
        for name in
            ["start", "status", "stop", "restart", "list", "forward", "logs", "url", "env", "run", "wait"]
        {
            let help = command.find_subcommand_mut(name).unwrap().render_help().to_string();
            let long: Vec<&str> = help.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(long.is_empty(), "{long:?}");
        }
    }
}
