//! Turns `config.toml` into [`Config`]: fills in defaults, splits and parses texts. [`super::check`] has
//! verified keys and kinds.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Deserialize;

use super::check::money;
use super::settings::{
    Autocorrect, Config, DEFAULT_COMPLETION_TIMEOUT, DEFAULT_SERVICES, HostKeyCheck, InstanceTunnel, Lambda,
    Launch, Runpod, Service, Ssh,
};
use crate::built_in::is_built_in;
use crate::config::forwarding::{ForwardSpec, Kind};
use crate::config::instance::Instance;
use crate::config::on_demand::OnDemand;
use crate::system::paths::Paths;
use crate::terminal::printable;

const DEFAULT_USER: &str = "ubuntu";
const DEFAULT_KEEPALIVE: u32 = 5;
const DEFAULT_CONNECT_TIMEOUT: u32 = 30;
const DEFAULT_HOLD: u32 = 30;
/// The document as serde sees it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Document {
    ssh: SshTable,
    tunnel: TunnelTable,
    services: HashMap<String, ServiceEntry>,
    instances: BTreeMap<String, InstanceTable>,
    providers: BTreeMap<String, bool>,
    lambda: LambdaTable,
    runpod: RunpodTable,
    launch: LaunchTable,
    alias: BTreeMap<String, String>,
    completion: CompletionTable,
    help: HelpTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CompletionTable {
    timeout: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HelpTable {
    autocorrect: Autocorrect,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct LambdaTable {
    base_url: Option<String>,
    api_key_command: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct RunpodTable {
    base_url: Option<String>,
    catalog_url: Option<String>,
    api_key_command: String,
    image: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct LaunchTable {
    provider: Option<String>,
    gpu: Vec<String>,
    regions: Vec<String>,
    max_price: Option<f64>,
    hours: Option<f64>,
    ssh_key: Option<String>,
    filesystems: Vec<String>,
    recipe: Option<String>,
    guard: bool,
    budget: Option<f64>,
}

impl LaunchTable {
    fn into_launch(self, paths: &Paths) -> Launch {
        Launch {
            provider: self.provider,
            gpu: self.gpu,
            regions: self.regions,
            max_price: self.max_price.and_then(money),
            time: self.hours.map(|hours| Duration::from_secs_f64((hours * 3600.0).round())),
            ssh_key: self.ssh_key,
            filesystems: self.filesystems,
            recipe: self.recipe.map(|recipe| paths.expand(&recipe)),
            guard: self.guard,
            budget: self.budget.and_then(money),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct SshTable {
    key: Option<String>,
    user: Option<String>,
    port: Option<u16>,
    host_key_check: HostKeyCheck,
    keepalive: Option<u32>,
    connect_timeout: Option<u32>,
    options: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
struct TunnelTable {
    hold: Option<u32>,
    only_me: Option<bool>,
    on_demand: Option<OnDemand>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ServiceEntry {
    On(bool),
    Remote(u16),
    Both { remote: u16, local: Option<u16> },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct InstanceTable {
    /// Without a host, the table adds to a provider's instance.
    host: Option<String>,
    id: Option<String>,
    #[serde(default)]
    forward: Vec<String>,
    #[serde(default)]
    remote: Vec<String>,
    socks: Option<u16>,
    on_demand: Option<OnDemand>,
    user: Option<String>,
    port: Option<u16>,
    key: Option<String>,
}

impl Document {
    /// Returns the config, or the fault of values that fit their kind but not each other.
    pub(super) fn into_config(self, paths: &Paths) -> Result<Config, String> {
        let services = services(self.services)?;
        let tunnels = tunnels(&self.instances)?;
        let instances = instances(self.instances, &self.ssh, paths)?;
        let (ssh, lambda, runpod) = (self.ssh, self.lambda, self.runpod);
        let (hidden, aliases): (BTreeMap<_, _>, _) =
            self.alias.into_iter().partition(|(name, _)| is_built_in(name));
        let words =
            |place: &str, text: &str| shell_words::split(text).map_err(|error| format!("{place}: {error}"));
        Ok(Config {
            ssh: Ssh {
                user: ssh.user.unwrap_or_else(|| DEFAULT_USER.to_owned()),
                port: ssh.port,
                key: ssh.key.map(|key| paths.expand(&key)),
                host_key_check: ssh.host_key_check,
                keepalive: ssh.keepalive.unwrap_or(DEFAULT_KEEPALIVE),
                connect_timeout: Duration::from_secs(
                    ssh.connect_timeout.unwrap_or(DEFAULT_CONNECT_TIMEOUT).into(),
                ),
                options: words("ssh.options", &ssh.options)?,
            },
            only_me: self.tunnel.only_me,
            on_demand: self.tunnel.on_demand,
            hold: Duration::from_secs(self.tunnel.hold.unwrap_or(DEFAULT_HOLD).into()),
            services,
            instances,
            tunnels,
            providers: self.providers.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect(),
            lambda: Lambda {
                base_url: lambda.base_url,
                api_key_command: words("lambda.api-key-command", &lambda.api_key_command)?,
            },
            runpod: Runpod {
                base_url: runpod.base_url,
                catalog_url: runpod.catalog_url,
                api_key_command: words("runpod.api-key-command", &runpod.api_key_command)?,
                image: runpod.image,
            },
            launch: self.launch.into_launch(paths),
            aliases,
            hidden_aliases: hidden.into_keys().collect(),
            completion_timeout: self
                .completion
                .timeout
                .map_or(DEFAULT_COMPLETION_TIMEOUT, |seconds| Duration::from_secs(seconds.into())),
            autocorrect: self.help.autocorrect,
        })
    }
}

fn tunnels(tables: &BTreeMap<String, InstanceTable>) -> Result<Vec<InstanceTunnel>, String> {
    let parse = |(name, table): (&String, &InstanceTable)| {
        let local = table.forward.iter().map(|text| Kind::Local.parse(text));
        let remote = table.remote.iter().map(|text| Kind::Remote.parse(text));
        let socks = table.socks.map(|port| Ok(ForwardSpec::Socks(port)));
        let forwardings = local.chain(remote).chain(socks).collect::<Result<_, String>>()?;
        let (name, id, on_demand) = (name.clone(), table.id.clone(), table.on_demand);
        Ok(InstanceTunnel { name, id, forwardings, on_demand })
    };
    tables.iter().map(parse).collect()
}

fn services(mut entries: HashMap<String, ServiceEntry>) -> Result<Vec<Service>, String> {
    let mut services = Vec::new();
    for (name, port) in DEFAULT_SERVICES {
        let entry = entries.remove(name).unwrap_or(ServiceEntry::Remote(port));
        services.extend(service(name, &entry, Some(port))?);
    }
    let mut others: Vec<_> = entries.into_iter().collect();
    others.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, entry) in others {
        services.extend(service(&name, &entry, None)?);
    }
    Ok(services)
}

fn service(name: &str, entry: &ServiceEntry, default: Option<u16>) -> Result<Option<Service>, String> {
    let (remote, local) = match (entry, default) {
        (ServiceEntry::On(false), _) => return Ok(None),
        (ServiceEntry::On(true), Some(port)) => (port, port),
        (ServiceEntry::On(true), None) => {
            return Err(format!("services.{name}: expected a port, found true"));
        }
        (ServiceEntry::Remote(port), _) => (*port, *port),
        (ServiceEntry::Both { remote, local }, _) => (*remote, local.unwrap_or(*remote)),
    };
    let is_local_set = matches!(entry, ServiceEntry::Both { local: Some(_), .. });
    Ok(Some(Service { name: name.to_owned(), remote, local, is_local_set }))
}

fn instances(
    tables: BTreeMap<String, InstanceTable>,
    ssh: &SshTable,
    paths: &Paths,
) -> Result<Vec<Instance>, String> {
    let mut instances: Vec<Instance> = Vec::new();
    for (name, table) in tables {
        let Some(host) = table.host else { continue };
        let id = table.id.unwrap_or_else(|| name.clone());
        if let Some(other) = instances.iter().find(|other| other.id == id) {
            let (name, other) = (printable(&name).into_owned(), printable(&other.name).into_owned());
            return Err(format!("instances.{name} has the same id as instances.{other}"));
        }
        instances.push(Instance {
            user_is_default: table.user.is_none() && ssh.user.is_none(),
            user: table.user.or_else(|| ssh.user.clone()).unwrap_or_else(|| DEFAULT_USER.to_owned()),
            port: table.port.or(ssh.port),
            key: table.key.map(|key| paths.expand(&key)),
            host,
            id,
            name,
        });
    }
    Ok(instances)
}
