//! How a tunnel is to be opened: the options that `start`, `restart` and `run` share.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use crate::completion::Values;
use crate::config::forwarding::{Forwarding, Kind};
use crate::instances::inventory::Choice;

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
    /// Which instance to reach.
    #[command(flatten)]
    pub choice: Choice,
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
    #[arg(long = "port", value_name = "NAME=LOCAL", value_parser = local_port, add = Values::ServicePorts)]
    pub ports: Vec<LocalPort>,
    /// Also forward this: LOCAL:HOST:PORT
    #[arg(long, value_name = "SPEC", value_parser = |text: &str| Kind::Local.parse(text), add = Values::Forwards)]
    pub forward: Vec<Forwarding>,
    /// Lead a port of the instance here: PORT:HOST:PORT
    #[arg(long, value_name = "SPEC", value_parser = |text: &str| Kind::Remote.parse(text), add = Values::RemoteForwards)]
    pub remote: Vec<Forwarding>,
    /// Local port of a SOCKS proxy out of the instance
    #[arg(long, value_name = "PORT", value_parser = |text: &str| Kind::Socks.parse(text), add = Values::SocksPorts)]
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
    #[arg(conflicts_with = "instance_id", add = Values::Tunnels)]
    pub name: Option<String>,
    /// How to start it.
    #[command(flatten)]
    pub start: StartArguments,
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
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND",
        value_hint = ValueHint::CommandWithArguments
    )]
    pub command: Vec<OsString>,
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
        self.name.as_ref().or(self.start.choice.instance_id.as_ref())
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

    #[test]
    fn ports_are_ports() {
        assert_eq!(port("8001"), Ok(8001));
        for text in ["0", "70000", "abc", "", "-1", "8001 ", "+"] {
            assert!(port(text).is_err(), "{text}");
        }
        assert_eq!(local_port("web=81"), Ok(LocalPort { service: "web".into(), port: 81 }));
        assert!(local_port("81").is_err());
    }
}
