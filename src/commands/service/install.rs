//! `soong service install`.

use super::arguments::InstallArguments;
use super::definition::{Definition, Launch};
use super::file::Change;
use super::manager::Manager;
use crate::command_line;
use crate::config::Config;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Selector};
use crate::runtime::directory::Directory;
use crate::system::paths::Paths;
use crate::terminal::printable;

/// Installs services and starts them.
pub fn install(arguments: &InstallArguments, manager: &Manager, paths: &Paths) -> Result<()> {
    let config = Config::load(paths)?;
    let wanted: Vec<Option<&str>> = match arguments.which.wanted()? {
        none if none.is_empty() => vec![None],
        names => names.into_iter().map(Some).collect(),
    };
    let choose = |wanted| {
        inventory::choose(&Selector { wanted, quiet: arguments.quiet, ..Selector::default() }, &config, paths)
    };
    // All or none.
    let instances: Vec<Instance> = wanted.into_iter().map(choose).collect::<Result<_>>()?;
    for instance in &instances {
        install_one(instance, arguments, manager, paths)?;
    }
    Ok(())
}

fn install_one(
    instance: &Instance,
    arguments: &InstallArguments,
    manager: &Manager,
    paths: &Paths,
) -> Result<()> {
    let definition = Definition::new(instance, arguments.on_demand.as_ref());
    let launch = Launch::of_user(&definition, paths)
        .ok_or_else(|| Error::failed("cannot find the program soong").with_hint("reinstall soong"))?;
    let label = definition.label();
    let same =
        manager.installed()?.into_iter().find(|other| other.label() == label && other.id != definition.id);
    if let Some(other) = same {
        return Err(Error::failed(format!("{label} is the service of '{}'", printable(&other.id)))
            .with_hint(format!(
                "uninstall that first: soong service uninstall {}",
                shell_words::quote(&other.id)
            )));
    }
    paths.ensure_state()?;
    let change = manager.install(&definition, &launch)?;
    let runs_apart = manager.state(&label).as_deref() != Some("active") && is_running(instance, paths)?;
    let text = match change {
        Change::None => "No changes",
        Change::Enabled | Change::Created | Change::Rewritten => "Starts at login",
    };
    let rest = if runs_apart {
        "its tunnel is running already".to_owned()
    } else if manager.start(&label, change)? {
        format!("see it: soong tunnel status {}", printable(&shell_words::quote(&instance.name)))
    } else {
        "no service manager is running for you now".to_owned()
    };
    if arguments.quiet {
        return Ok(());
    }
    let file = manager.file(&label);
    command_line::print(&format!(
        "{text}: {}\n  {}; {rest}\n",
        printable(&instance.name),
        paths.abbreviate(&file)
    ))
}

/// Returns true if a tunnel to `instance` is running.
fn is_running(instance: &Instance, paths: &Paths) -> Result<bool> {
    paths.check_runtime()?;
    Directory::find(paths, &instance.tunnel_name())?.is_locked()
}
