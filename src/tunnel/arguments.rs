//! What can be typed after `soong tunnel`: syntax only. What it means is [`super::request`]'s.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::forwarding::{Forwarding, Kind};

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
    /// Run a tunnel that another soong-tunnel asks for on standard input
    #[command(hide = true)]
    Supervise {
        /// Name of the tunnel, so that a process listing says which one it is
        name: String,
    },
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

/// Options of `start` and `restart`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Debug, Clone, Args)]
#[command(after_help = "Configuration: ~/.config/soong/config.toml ($SOONG_CONFIG)

Examples:
  soong tunnel start
  soong tunnel start --instance-id a1b2c3d4
  soong tunnel start --wait                 the instance is still booting
  soong tunnel start --sglang-port 8001 --port comfyui=8189
  soong tunnel start --forward 5432:db.internal:5432 --socks 1080
  soong tunnel start --dry-run              only show the ssh command")]
pub struct StartArguments {
    /// Instance: its id, the start of its id, or its name
    #[arg(long, value_name = "ID")]
    pub instance_id: Option<String>,
    /// Wait for an instance that boots [default: 900]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "900",
        value_parser = clap::value_parser!(u64).range(1..=86400)
    )]
    pub wait: Option<u64>,
    /// Local port for the SGLang API [default: 8000]
    #[arg(long, value_name = "PORT", value_parser = port)]
    pub sglang_port: Option<u16>,
    /// Local port for n8n [default: 5678]
    #[arg(long, value_name = "PORT", value_parser = port)]
    pub n8n_port: Option<u16>,
    /// Local port for the status daemon [default: 8080]
    #[arg(long, value_name = "PORT", value_parser = port)]
    pub status_port: Option<u16>,
    /// Local port for any service of the config
    #[arg(long = "port", value_name = "NAME=LOCAL", value_parser = local_port)]
    pub ports: Vec<LocalPort>,
    /// Also forward this: LOCAL:HOST:PORT
    #[arg(long, value_name = "SPEC", value_parser = |text: &str| Kind::Local.parse(text))]
    pub forward: Vec<Forwarding>,
    /// Lead a port of the instance here: PORT:HOST:PORT
    #[arg(long, value_name = "SPEC", value_parser = |text: &str| Kind::Remote.parse(text))]
    pub remote: Vec<Forwarding>,
    /// Local port of a SOCKS proxy out of the instance
    #[arg(long, value_name = "PORT", value_parser = |text: &str| Kind::Socks.parse(text))]
    pub socks: Vec<Forwarding>,
    /// Take the next free port where one is taken
    #[arg(long)]
    pub auto_ports: bool,
    /// Print the ssh command instead of running it
    #[arg(long)]
    pub dry_run: bool,
    /// Stay in the foreground until interrupted
    #[arg(long)]
    pub foreground: bool,
    /// Print nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print the ssh command and everything ssh says
    #[arg(short, long)]
    pub verbose: bool,
    /// Print the tunnel as JSON once it is up
    #[arg(long, conflicts_with_all = ["quiet", "verbose", "dry_run"])]
    pub json: bool,
}

/// Options of `restart`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  soong tunnel restart
  soong tunnel restart dev --sglang-port 8001")]
pub struct RestartArguments {
    /// Name or id of the instance; not needed when only one tunnel runs
    #[arg(conflicts_with = "instance_id")]
    pub name: Option<String>,
    /// How to start it.
    #[command(flatten)]
    pub start: StartArguments,
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
    #[arg(value_name = "LOCAL:HOST:PORT")]
    pub words: Vec<String>,
    /// Lead a port of the instance here: PORT:HOST:PORT
    #[arg(long, value_name = "SPEC")]
    pub remote: Vec<String>,
    /// Local port of a SOCKS proxy out of the instance
    #[arg(long, value_name = "PORT")]
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
    #[arg(conflicts_with = "all")]
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
    pub service: String,
    /// Instance: its id, the start of its id, or its name
    #[arg(long, value_name = "ID")]
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
    #[arg(long, value_name = "ID")]
    pub instance_id: Option<String>,
}

/// Options of `run`.
#[derive(Debug, Args)]
#[command(
    mut_arg("dry_run", |arg| arg.hide(true)),
    mut_arg("foreground", |arg| arg.hide(true)),
    mut_arg("verbose", |arg| arg.hide(true)),
    mut_arg("json", |arg| arg.hide(true)),
    after_help = "A tunnel that is up already is used, and left as it is. The exit code is that
of COMMAND; 127 if there is no such command, 126 if it cannot be run.

Examples:
  soong tunnel run -- python eval.py          with OPENAI_BASE_URL set
  soong tunnel run -- sh -c 'curl $SOONG_SGLANG_URL/v1/models'"
)]
pub struct RunArguments {
    /// How to open the tunnel, if it has to be.
    #[command(flatten)]
    pub start: StartArguments,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
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
    #[arg(long, value_name = "NAME")]
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
    #[arg(long, value_name = "ID")]
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

/// A service and the local port it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPort {
    /// The name of the service.
    pub service: String,
    /// The port on this machine.
    pub port: u16,
}

impl RestartArguments {
    /// The instance whose tunnel is meant.
    pub fn wanted(&self) -> Option<&String> {
        self.name.as_ref().or(self.start.instance_id.as_ref())
    }
}

impl StartArguments {
    /// The local ports that were asked for, in the order of the options.
    pub fn local_ports(&self) -> Vec<LocalPort> {
        let own = [("sglang", self.sglang_port), ("n8n", self.n8n_port), ("status", self.status_port)];
        let own = own
            .into_iter()
            .filter_map(|(service, port)| Some(LocalPort { service: service.to_owned(), port: port? }));
        own.chain(self.ports.iter().cloned()).collect()
    }
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

fn local_port(text: &str) -> Result<LocalPort, String> {
    let (service, number) = text.split_once('=').ok_or("write it as NAME=LOCAL, for example comfyui=8189")?;
    Ok(LocalPort { service: service.to_owned(), port: port(number)? })
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
    fn ports_are_ports() {
        assert_eq!(port("8001"), Ok(8001));
        for text in ["0", "70000", "abc", "", "-1", "8001 ", "+"] {
            assert!(port(text).is_err(), "{text}");
        }
        assert_eq!(local_port("web=81"), Ok(LocalPort { service: "web".into(), port: 81 }));
        assert!(local_port("81").is_err());
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
