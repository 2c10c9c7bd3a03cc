//! Checks of this machine: local ports, directories, and the user's shell.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::finding::{Finding, Findings};
use crate::built_in::calls_init;
use crate::config::Config;
use crate::config::instance::{self, Instance};
use crate::runtime::directory::Directory;
use crate::runtime::forward::{Forward, Origin};
use crate::runtime::state::State;
use crate::runtime::{registry, remembered_ports};
use crate::system::paths::{self, Paths};
use crate::system::tcp_port::{bind, holder};
use crate::terminal::bytes;

/// Free space below which files of a tunnel may not fit, in bytes.
const LITTLE_SPACE: u64 = 16 << 20;

/// Checks that the local ports of the services and of the config's forwards are free, unless the tunnel in `state` has
/// them.
pub(super) fn check_ports(
    instance: &Instance,
    config: &Config,
    state: Option<&State>,
    paths: &Paths,
    findings: &mut Findings,
) {
    let remembered = remembered_ports::recall(paths, &instance.id);
    let mut free = Vec::new();
    let services = config.services.iter().map(|service| {
        let last = remembered.get(&service.name).filter(|_| !service.is_local_set);
        Forward::of_service(&service.name, last.copied().unwrap_or(service.local), service.remote)
    });
    let others = config.forwardings(instance).into_iter().map(|spec| Forward::other(spec, Origin::Config));
    for forward in services.chain(others) {
        let Some(port) = forward.spec.local_port() else { continue };
        if state.is_some_and(|state| state.has_port(port)) {
            continue;
        }
        match bind(port) {
            Ok(_) => free.push(port.to_string()),
            Err(error) => {
                findings.add(taken(&forward, port, &error, instance, paths));
            }
        }
    }
    if !free.is_empty() {
        findings.add(Finding::ok("ports", format!("{} on this machine are free", free.join(", "))));
    }
}

fn taken(
    forward: &Forward,
    port: u16,
    error: &std::io::Error,
    instance: &Instance,
    paths: &Paths,
) -> Finding {
    let own = Directory::new(paths, &instance.tunnel_name()).ok();
    let neighbour = own.and_then(|own| registry::neighbour_on(paths, port, &own));
    let by = match (neighbour, holder(port)) {
        _ if error.kind() != std::io::ErrorKind::AddrInUse => error.to_string(),
        (Some(state), _) => format!("used by the tunnel to {}", state.instance.name),
        (None, Some(holder)) => format!("held by {holder}"),
        (None, None) => format!("held by another user's process; find it: sudo lsof -i :{port}"),
    };
    let name = instance::as_argument(&instance.name);
    let flag = forward.flag(port.saturating_add(1));
    let finding = Finding::failed("ports", format!("{port} for {forward} is {by}"));
    if forward.is_service() {
        finding.advice(format!("use others: soong tunnel start {name} --auto-ports, or {flag}"))
    } else {
        finding.advice("free the port, or change the forward in config.toml: soong configure edit")
    }
}

/// Checks the directories that a tunnel writes to.
pub(super) fn check_directories(paths: &Paths, findings: &mut Findings) {
    const CHECK: &str = "files";
    if let Some(fault) = paths.runtime_fault() {
        findings.add(
            Finding::warning(CHECK, format!("XDG_RUNTIME_DIR is not used: {fault}"))
                .advice("unset it, or set it to your own directory"),
        );
    }
    if let Err(error) = paths.check_runtime() {
        findings.add(Finding::error(CHECK, &error));
        return;
    }
    let directories = [paths.runtime(), paths.state()];
    for directory in directories {
        if let Some(free) = free_space(directory).filter(|free| *free < LITTLE_SPACE) {
            let text = format!("only {} left in {}", bytes::human(free), directory.display());
            findings.add(Finding::warning(CHECK, text).advice("remove files that you do not need"));
        }
    }
    let [runtime, state] = directories.map(|directory| paths.abbreviate(directory));
    findings.add(Finding::ok(CHECK, format!("in {runtime} and {state}")));
}

/// Returns the free bytes of the file system that has `directory`, or will have it.
fn free_space(directory: &Path) -> Option<u64> {
    let found = directory.ancestors().find_map(|directory| statvfs(directory).ok())?;
    #[allow(clippy::useless_conversion, reason = "the types differ between systems")]
    let (blocks, size) = (u64::from(found.blocks_available()), u64::from(found.fragment_size()));
    Some(blocks.saturating_mul(size))
}

/// Checks that the user's shell loads soong.
pub(super) fn check_shell(paths: &Paths, findings: &mut Findings) {
    const CHECK: &str = "shell";
    let program = paths::login_shell();
    let name = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let Some(file) =
        paths.startup_file(&name).ok().filter(|_| ["bash", "zsh", "fish"].contains(&name.as_str()))
    else {
        let shell = if name.is_empty() { "unknown".to_owned() } else { name };
        findings
            .add(Finding::ok(CHECK, format!("{shell}; completion and prompt are for bash, zsh and fish")));
        return;
    };
    let shown = paths.abbreviate(&file);
    let text = std::fs::read(&file).unwrap_or_default();
    let is_loaded = text.split(|byte| *byte == b'\n').any(calls_init);
    findings.add(if is_loaded {
        Finding::ok(CHECK, format!("{shown} loads completion and prompt"))
    } else {
        Finding::warning(CHECK, format!("{shown} does not load completion and prompt")).command([
            "soong",
            "init",
            "--install",
        ])
    });
}
