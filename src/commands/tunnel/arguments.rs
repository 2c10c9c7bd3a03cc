//! Command line of `soong tunnel`: syntax only. `start/resolve.rs` gives it a meaning.

mod start;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::start::{LocalPort, NamedStartArguments, RunArguments, StartArguments};
use crate::completion::Values;
use crate::instances::inventory::NameArguments;

/// The command line of `soong-tunnel`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-tunnel",
    bin_name = "soong tunnel",
    version,
    about = "Forward an instance's ports to localhost",
    long_about = "Forward an instance's ports to localhost.\n\n\
        A tunnel is one SSH connection in the background. Its supervisor listens on \
        localhost:8000 (SGLang), :5678 (n8n), :8080 (status daemon) and the ports of your own \
        services, and forwards each connection to the instance. When the link is lost, the ports \
        stay open and the supervisor reconnects.",
    disable_help_subcommand = true,
    after_help = "Examples:
  soong tunnel start                        the active instance, default ports
  soong tunnel start dev --sglang-port 8001
  soong tunnel status && curl localhost:8000/v1/models
  soong tunnel stop"
)]
pub struct Arguments {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands of `soong tunnel`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a tunnel in the background
    ///
    /// Returns when the instance has confirmed every forward, so the next command can use the ports. Prints the
    /// local addresses. The tunnel then runs until 'soong tunnel stop', a reboot, or the end of the instance.
    ///
    /// Without NAME, the only active instance is used; if there are several, you choose one.
    #[command(after_help = "Examples:
  soong tunnel start
  soong tunnel start dev
  soong tunnel start --wait                 while the instance boots
  soong tunnel start --if-needed            in a script that runs often
  soong tunnel start --sglang-port 8001 --port comfyui=8189
  soong tunnel start --forward 5432:db.internal:5432 --socks 1080
  soong tunnel start --on-demand            ssh runs only while it is used
  soong tunnel start --dry-run              show the ssh command")]
    Start(Box<NamedStartArguments>),
    /// Show running tunnels and their ports
    ///
    /// Exits with 0 if a tunnel is running, 3 if none is, and with --check 1 if a service does not answer.
    Status(StatusArguments),
    /// Stop a tunnel
    ///
    /// Closes its ports and connections. The instance keeps running and keeps costing money.
    Stop(StopArguments),
    /// Restart a tunnel on the same ports
    ///
    /// Reads the configuration again. Local ports stay the same unless an option changes them.
    #[command(
        mut_arg("name", |arg| arg.add(Values::Tunnels)),
        mut_arg("if_needed", |arg| arg.hide(true)),
        after_help = "Examples:
  soong tunnel restart
  soong tunnel restart dev --sglang-port 8001"
    )]
    Restart(Box<NamedStartArguments>),
    /// List tunnels, one per line
    List(ListArguments),
    /// Add or remove forwards of a running tunnel
    ///
    /// Open connections are not disturbed. The forwards last as long as the tunnel; to have one every time, add it to
    /// [instances.NAME] in config.toml.
    ///
    /// LOCAL is a port of localhost or the path of a Unix socket. HOST:PORT is resolved on the instance; the path of a
    /// Unix socket there works too: 2375:/var/run/docker.sock. As with kubectl, PORT alone is the same port of the
    /// instance itself, and LOCAL:PORT another one.
    Forward(ForwardArguments),
    /// Show the log of a tunnel
    ///
    /// The log has what the supervisor did, and ssh's own messages. It is kept after the tunnel has ended.
    Logs(LogsArguments),
    /// Print the local URL of a service
    Url(UrlArguments),
    /// Print shell commands that set OPENAI_BASE_URL and more
    ///
    /// Sets OPENAI_BASE_URL for the SGLang service, and SOONG_NAME_URL for every service NAME.
    Env(EnvArguments),
    /// Run a command with a tunnel open
    ///
    /// Starts a tunnel if none is running, sets the variables of 'soong tunnel env', runs COMMAND, and stops the tunnel
    /// again. A tunnel that was up before is used and stays up.
    ///
    /// Exits with the exit code of COMMAND; 127 if it does not exist, 126 if it cannot be run.
    Run(Box<RunArguments>),
    /// Wait until a tunnel is up
    ///
    /// Starts the ssh of an idle tunnel. Exits with 0 when it is up, 1 when the time is over or the tunnel has failed, 3 when no tunnel is running.
    Wait(WaitArguments),
    /// Run the hooks for the events on standard input
    #[command(hide = true)]
    Hooks {
        /// Name of the tunnel
        name: String,
    },
    /// Print the address that the provider has for an instance
    #[command(hide = true)]
    Locate {
        /// Id of the instance
        id: String,
    },
}

/// Options of `status`.
#[derive(Debug, Args)]
#[command(
    mut_arg("name", |arg| arg.add(Values::Tunnels)),
    after_help = "Examples:
  soong tunnel status
  soong tunnel status dev --check       is it the link, or the service?
  soong tunnel status --json | jq '.tunnels[].state'"
)]
pub struct StatusArguments {
    /// The only tunnel to show.
    #[command(flatten)]
    pub which: NameArguments,
    /// Send a request to each service through the tunnel
    ///
    /// Tells a service that is not running from a link that is down. Starts the ssh of an idle tunnel; a check does not
    /// count as use.
    #[arg(long)]
    pub check: bool,
    /// Print JSON
    ///
    /// The fields are described in docs/json.md and do not change within a major version.
    #[arg(long)]
    pub json: bool,
    /// Also show the supervisor's PID and the traffic of each port
    #[arg(short, long, conflicts_with = "json")]
    pub verbose: bool,
}

/// Options of `list`.
#[derive(Debug, Args)]
#[command(
    mut_arg("name", |arg| arg.add(Values::Tunnels)),
    after_help = "Examples:
  soong tunnel list
  soong tunnel list --json | jq -r '.tunnels[].name'"
)]
pub struct ListArguments {
    /// The only tunnel to list.
    #[command(flatten)]
    pub which: NameArguments,
    /// Print JSON, the same as status --json
    #[arg(long)]
    pub json: bool,
}

/// Options of `forward`.
#[derive(Debug, Args)]
#[command(
    override_usage = "soong tunnel forward [OPTIONS] [NAME] [LOCAL:HOST:PORT]...",
    after_help = "Examples:
  soong tunnel forward 8888                         the same port of the instance
  soong tunnel forward 8888:9999                    localhost:8888 to its port 9999
  soong tunnel forward 5432:db.internal:5432
  soong tunnel forward dev --socks 1080
  soong tunnel forward --remote 9000:localhost:3000
  soong tunnel forward --remove 5432"
)]
pub struct ForwardArguments {
    /// The forwards; NAME of the tunnel first if several run
    ///
    /// A word is a forward if it has a colon, is a port, or begins with / or ~. Any other first word is NAME.
    #[arg(value_name = "LOCAL:HOST:PORT", add = Values::TunnelThenForwards)]
    pub words: Vec<String>,
    /// The same as NAME
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
    /// Forward a remote port to this machine, like ssh -R
    ///
    /// SPEC is PORT:HOST:PORT: PORT of the instance's localhost is forwarded to HOST:PORT as this machine sees it.
    #[arg(long, value_name = "SPEC", add = Values::RemoteForwards)]
    pub remote: Vec<String>,
    /// Open a SOCKS proxy on this local port, like ssh -D
    #[arg(long, value_name = "PORT", add = Values::SocksPorts)]
    pub socks: Vec<String>,
    /// Remove the given forwards
    ///
    /// The listening side is enough: --remove 5432.
    #[arg(long)]
    pub remove: bool,
    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,
}

/// Options of `stop`.
#[derive(Debug, Args)]
#[command(
    mut_arg("name", |arg| arg.add(Values::Tunnels)),
    after_help = "Examples:
  soong tunnel stop
  soong tunnel stop dev
  soong tunnel stop --all"
)]
pub struct StopArguments {
    /// The tunnel.
    #[command(flatten)]
    pub which: NameArguments,
    /// Stop all tunnels
    #[arg(long, conflicts_with_all = ["name", "instance_id"])]
    pub all: bool,
    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,
}

/// Options of `logs`.
#[derive(Debug, Args)]
#[command(
    mut_arg("name", |arg| arg.add(Values::Logs)),
    after_help = "Examples:
  soong tunnel logs
  soong tunnel logs dev --follow -n 200"
)]
pub struct LogsArguments {
    /// The tunnel.
    #[command(flatten)]
    pub which: NameArguments,
    /// Keep printing new lines until interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// Number of lines to show
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    pub lines: usize,
}

/// Options of `url`.
#[derive(Debug, Args)]
#[command(
    allow_missing_positional = true,
    after_help = "Examples:
  curl $(soong tunnel url sglang)/v1/models
  soong tunnel url dev sglang               the tunnel to dev"
)]
pub struct UrlArguments {
    /// Instance: its name, id, or the start of its id; a single word is the service
    #[arg(value_name = "NAME", add = Values::TunnelOrService)]
    pub name: Option<String>,
    /// Service, for example sglang
    #[arg(add = Values::Services)]
    pub service: String,
    /// The same as NAME
    #[arg(long, value_name = "ID", add = Values::Instances)]
    pub instance_id: Option<String>,
}

/// Options of `env`.
#[derive(Debug, Args)]
#[command(
    mut_arg("name", |arg| arg.add(Values::Tunnels)),
    after_help = "Examples:
  eval \"$(soong tunnel env)\"
  soong tunnel env dev --shell fish | source"
)]
pub struct EnvArguments {
    /// Syntax: bash, zsh, fish or sh
    #[arg(long, value_enum, default_value_t = Shell::Sh, hide_possible_values = true)]
    pub shell: Shell,
    /// The tunnel.
    #[command(flatten)]
    pub which: NameArguments,
}

/// Options of `wait`.
#[derive(Debug, Args)]
#[command(
    mut_arg("name", |arg| arg.add(Values::Tunnels)),
    after_help = "Examples:
  soong tunnel wait && curl localhost:8000/v1/models
  soong tunnel wait dev --service sglang --timeout 900      while a model loads"
)]
pub struct WaitArguments {
    /// Also wait until this service answers
    ///
    /// A model server listens long before its model is loaded; this waits for an HTTP answer.
    #[arg(long, value_name = "NAME", add = Values::Services)]
    pub service: Option<String>,
    /// Give up after this long; 0 checks once
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(0..=86400)
    )]
    pub timeout: u64,
    /// The tunnel.
    #[command(flatten)]
    pub which: NameArguments,
}

/// Shell syntaxes of `env`.
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
