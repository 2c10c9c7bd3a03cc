//! Options that `start`, `restart` and `run` share.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use crate::completion::Values;
use crate::config::forwarding::{ForwardSpec, Kind};
use crate::config::on_demand::OnDemand;
use crate::error::Result;
use crate::instances::inventory::{InstanceArguments, one_name};

/// Heading of the options about ports in help and manual.
const FORWARDS: &str = "Ports and forwards";

/// Options of `start`, `restart` and `run`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Debug, Clone, Args)]
pub struct StartArguments {
    /// The instance.
    #[command(flatten)]
    pub choice: InstanceArguments,
    /// Local port for the SGLang API [default: 8000]
    #[arg(long, value_name = "PORT", value_parser = port, help_heading = FORWARDS)]
    pub sglang_port: Option<u16>,
    /// Local port for n8n [default: 5678]
    #[arg(long, value_name = "PORT", value_parser = port, help_heading = FORWARDS)]
    pub n8n_port: Option<u16>,
    /// Local port for the status daemon [default: 8080]
    #[arg(long, value_name = "PORT", value_parser = port, help_heading = FORWARDS)]
    pub status_port: Option<u16>,
    /// Local port for any configured service
    ///
    /// The services section of config.toml lists them: --port comfyui=8189. May be repeated.
    #[arg(long = "port", value_name = "NAME=LOCAL", value_parser = local_port, add = Values::ServicePorts, help_heading = FORWARDS)]
    pub ports: Vec<LocalPort>,
    /// Forward a local port, like ssh -L
    ///
    /// SPEC is LOCAL:HOST:PORT. HOST is resolved on the instance. Either side can be the path of a Unix socket:
    /// 2375:/var/run/docker.sock. PORT and LOCAL:PORT are ports of the instance itself. May be repeated.
    #[arg(long, value_name = "SPEC", value_parser = |text: &str| Kind::Local.parse(text), add = Values::Forwards, help_heading = FORWARDS)]
    pub forward: Vec<ForwardSpec>,
    /// Forward a remote port to this machine, like ssh -R
    ///
    /// SPEC is PORT:HOST:PORT: PORT of the instance's localhost is forwarded to HOST:PORT as this machine sees it. May be
    /// repeated.
    #[arg(long, value_name = "SPEC", value_parser = |text: &str| Kind::Remote.parse(text), add = Values::RemoteForwards, help_heading = FORWARDS)]
    pub remote: Vec<ForwardSpec>,
    /// Open a SOCKS proxy on this local port, like ssh -D
    #[arg(long, value_name = "PORT", value_parser = |text: &str| Kind::Socks.parse(text), add = Values::SocksPorts, help_heading = FORWARDS)]
    pub socks: Vec<ForwardSpec>,
    /// Use the next free port where a local port is taken
    ///
    /// The port is remembered for the instance and used again next time.
    #[arg(long, help_heading = FORWARDS)]
    pub auto_ports: bool,
    /// Succeed if a tunnel with these ports is already running
    ///
    /// Waits until that tunnel is up.
    #[arg(long, conflicts_with = "dry_run")]
    pub if_needed: bool,
    /// Start ssh with the first connection [default: off; without IDLE: 10m]
    ///
    /// Returns at once: the ports are open and no ssh runs. The first connection starts ssh and waits for it. After
    /// IDLE without a connection, ssh ends. A connection for which ssh would need an answer, such as a passphrase, is
    /// reset, and 'soong tunnel status' says why. 'off' overrides the configuration.
    #[arg(
        long,
        value_name = "IDLE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on",
        value_parser = OnDemand::parse,
        add = Values::IdleTimes
    )]
    pub on_demand: Option<OnDemand>,
    /// With --on-demand, log in once before returning
    ///
    /// Shows now what would fail at the first connection.
    #[arg(long)]
    pub check: bool,
    /// Keep trying if the network or the host is away at first
    ///
    /// For service managers, which start tunnels before the network is there. Gives up only if you must mend something,
    /// such as a refused login.
    #[arg(long, requires = "foreground")]
    pub keep_trying: bool,
    /// Print the ssh command without running it
    #[arg(long)]
    pub dry_run: bool,
    /// Run in the foreground until interrupted
    ///
    /// For service managers and containers. Ctrl-C or SIGTERM stops the tunnel.
    #[arg(long)]
    pub foreground: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print the ssh command and ssh's messages
    #[arg(short, long)]
    pub verbose: bool,
    /// Print the tunnel as JSON when it is up
    #[arg(long, conflicts_with_all = ["quiet", "verbose", "dry_run"])]
    pub json: bool,
}

/// Arguments of `start` and `restart`.
#[derive(Debug, Args)]
pub struct NamedStartArguments {
    /// Instance: its name, id, or the start of its id
    #[arg(value_name = "NAME", add = Values::Instances)]
    name: Option<String>,
    #[command(flatten)]
    start: StartArguments,
}

/// Options of `run`.
#[derive(Debug, Args)]
#[command(
    mut_arg("if_needed", |arg| arg.hide(true)),
    mut_arg("dry_run", |arg| arg.hide(true)),
    mut_arg("foreground", |arg| arg.hide(true)),
    mut_arg("on_demand", |arg| arg.hide(true)),
    mut_arg("check", |arg| arg.hide(true)),
    mut_arg("keep_trying", |arg| arg.hide(true)),
    mut_arg("verbose", |arg| arg.hide(true)),
    mut_arg("json", |arg| arg.hide(true)),
    override_usage = "soong tunnel run [OPTIONS] [NAME] -- COMMAND...
       soong tunnel run [OPTIONS] COMMAND...",
    after_help = "Examples:
  soong tunnel run -- python eval.py          with OPENAI_BASE_URL set
  soong tunnel run dev -- python eval.py      the tunnel to dev
  soong tunnel run -- sh -c 'curl $SOONG_SGLANG_URL/v1/models'"
)]
pub struct RunArguments {
    /// Options of the tunnel, if one has to be started.
    #[command(flatten)]
    pub start: StartArguments,
    /// Command to run, with its arguments
    ///
    /// A word directly before '--' is NAME of the instance, unless no instance but a program is called so.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND",
        value_hint = ValueHint::CommandWithArguments,
        add = Values::Instances
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

impl NamedStartArguments {
    /// Returns the options, with the instance that was named in either way.
    pub fn resolve(&self) -> Result<StartArguments> {
        let mut start = self.start.clone();
        let wanted = one_name(self.name.as_deref(), start.choice.instance_id.as_deref())?;
        start.choice.instance_id = wanted.map(str::to_owned);
        Ok(start)
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

fn port(text: &str) -> std::result::Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

fn local_port(text: &str) -> std::result::Result<LocalPort, String> {
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
