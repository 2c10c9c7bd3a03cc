//! `soong ssh config`: writes the hosts to a file of their own and includes it in the user's `ssh_config`.
//!
//! ```text
//! ~/.ssh/config          Include …/soong/ssh_config
//! …/soong/ssh_config     Match exec: soong ssh config --refresh;  Include …/soong/ssh_hosts
//! …/soong/ssh_hosts      a block per instance
//! ```
//!
//! ssh reads its files in order, so the refresh comes before the hosts are read. Compared with a `ProxyCommand` for
//! all hosts, ssh also learns a new user, port or key, connects by itself, and still has the last hosts when soong is
//! gone.

use std::path::Path;
use std::{fs, io};

use super::arguments::ConfigArguments;
use super::host_file::{self, Blocks, Host};
use super::include::{self, Remains};
use super::lookup;
use crate::command_line;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::instances::inventory::Inventory;
use crate::openssh::Login;
use crate::runtime::directory::Directory;
use crate::system::name_service;
use crate::system::paths::{self, Paths};
use crate::system::signals::Watch;
use crate::terminal::{self, hint_label, print_error, printable};

const HEADER: &str = "# Hosts of soong. Written by 'soong ssh config', which overwrites changes.\n";
const HOSTS_HEADER: &str =
    "# Written by 'soong ssh config' and before each connection; changes are overwritten.\n";
/// Marks the file of a user who declined to include it.
const DECLINED: &str = "# Not included in ~/.ssh/config; to include it: soong ssh config --install\n";

/// State of the Include line in the user's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inclusion {
    /// Present.
    Done,
    /// To be added.
    Wanted,
    /// Declined by the user, who is not asked again.
    Declined,
    /// Unknown, and there is no terminal to ask on.
    Open,
}

/// Carries out `arguments`.
pub fn run(arguments: &ConfigArguments, paths: &Paths) -> Result<()> {
    if arguments.remove {
        return remove(paths);
    }
    let config = Config::load(paths)?;
    let blocks = host_file::render(&hosts(&config, paths, false)?);
    if arguments.print {
        command_line::print(&format!("{HOSTS_HEADER}{}", blocks.text))?;
    } else {
        write(&blocks, arguments.install, paths)?;
    }
    for left_out in &blocks.left_out {
        print_error(&format!("soong-ssh: no host for {left_out}\n"));
    }
    Ok(())
}

/// Returns the instances with their logins. For an unreachable provider, the cached ones: an outdated host is
/// better than a missing one. `quiet` leaves out all messages but the spinner.
pub(super) fn hosts(config: &Config, paths: &Paths, quiet: bool) -> Result<Vec<Host>> {
    let watch = Watch::new()?;
    let inventory = Inventory::fresh(config, paths, &watch, false);
    let failed = inventory.sources.iter().filter_map(|source| source.error.as_ref());
    for error in failed.filter(|_| !quiet) {
        error.report("soong-ssh");
    }
    let mut hosts = Vec::new();
    for machine in inventory.machines.iter().filter(|machine| !machine.status.is_final()) {
        let Some(instance) = machine.instance() else { continue };
        let mut login = Login::resolve(&instance, &config.ssh, paths)?;
        if machine.is_configured() {
            login = lookup::complete(login, &watch);
        }
        if watch.interrupted() {
            return Err(Error::interrupted());
        }
        let directory = Directory::new(paths, &instance.tunnel_name());
        let directory = directory.ok().filter(|_| paths.is_runtime_reserved());
        hosts.push(Host { login, control: directory.map(|directory| directory.ssh_control()) });
    }
    if !paths.is_runtime_reserved() && !quiet {
        // The process at a control socket gets the session, without a host key check.
        hint(&format!(
            "hosts have no ControlPath: other users could create {} after a reboot; set XDG_RUNTIME_DIR",
            shown(paths.runtime())
        ));
    }
    Ok(hosts)
}

/// Returns the text of the file of the hosts.
pub(super) fn file_text(blocks: &Blocks) -> String {
    format!("{HOSTS_HEADER}{}", blocks.text)
}

/// Returns the text of the file that the user's includes. `declined` as the user answered.
fn include_text(declined: &str, paths: &Paths) -> Result<String> {
    let command = refresh_command(paths)?;
    let command = command.replace('%', "%%").replace('\\', "\\\\").replace('"', "\\\"");
    let include = include::line(&paths.ssh_hosts());
    Ok(format!("{HEADER}{declined}Match originalhost soong-* exec \"{command}\"\nMatch all\n{include}\n"))
}

/// Returns the command that updates the hosts, for the user's shell.
fn refresh_command(paths: &Paths) -> Result<String> {
    // Links are kept: they lead to a program of the same name after an upgrade, too.
    let program = match paths::find_program("soong-ssh") {
        Some(program) => program,
        None => paths::sibling("soong-ssh").map_err(|source| Error::cannot("find soong-ssh", source))?,
    };
    // Other programs, such as an editor, may have another environment.
    let config = format!("SOONG_CONFIG={}", paths.config_file().display());
    let words = ["env", &config, &program.to_string_lossy(), "config", "--refresh"];
    Ok(shell_words::join(words))
}

/// Writes the files and includes it if the user agrees. Reports the changes.
fn write(blocks: &Blocks, install: bool, paths: &Paths) -> Result<()> {
    let (file, user_file) = (paths.ssh_include(), paths.ssh_config());
    let before = read(&file)?;
    let user_text = read(&user_file)?;
    let inclusion = inclusion(before.as_deref(), user_text.as_deref(), install, paths)?;
    let declined = if inclusion == Inclusion::Declined { DECLINED } else { "" };
    let text = include_text(declined, paths)?;
    update(&paths.ssh_hosts(), &file_text(blocks))?;
    update(&file, &text)?;
    // ssh will store the hosts' keys there.
    paths.ensure_state()?;
    command_line::print(&blocks.aliases.iter().map(|alias| format!("  ssh {alias}\n")).collect::<String>())?;
    let line = include::line(&file);
    match inclusion {
        Inclusion::Done => Ok(()),
        Inclusion::Wanted => {
            put_in(&user_file, user_text.as_deref(), &file)?;
            command_line::print(&format!("Added to {}: {}\n", shown(&user_file), printable(&line)))?;
            warn_of_another_home(&user_file);
            Ok(())
        }
        Inclusion::Declined | Inclusion::Open => {
            let user_file = shown(&user_file);
            let line = printable(&line);
            hint(&format!("to let ssh find them, begin {user_file} with: {line}"));
            hint("or run: soong ssh config --install");
            Ok(())
        }
    }
}

/// Writes `text` to `file` unless it is there already. Reports either.
fn update(file: &Path, text: &str) -> Result<()> {
    let shown = shown(file);
    if read(file)?.as_deref() == Some(text.as_bytes()) {
        return command_line::print(&format!("{shown} is up to date\n"));
    }
    file.parent().map_or(Ok(()), paths::create_private)?;
    paths::write_atomically(file, text)?;
    command_line::print(&format!("Wrote {shown}\n"))
}

/// Returns the state of the Include line. Asks a user once.
fn inclusion(
    before: Option<&[u8]>,
    user_text: Option<&[u8]>,
    install: bool,
    paths: &Paths,
) -> Result<Inclusion> {
    let file = paths.ssh_include();
    let expand = |name: &str| paths.ssh_directory().join(paths.expand(name));
    if include::is_in(user_text.unwrap_or_default(), &file, expand) {
        return Ok(Inclusion::Done);
    }
    if install {
        return Ok(Inclusion::Wanted);
    }
    let declined = format!("{HEADER}{DECLINED}");
    if before.is_some_and(|before| before.starts_with(declined.as_bytes())) {
        return Ok(Inclusion::Declined);
    }
    let question = format!(
        "To let ssh, scp, rsync and editors find the hosts, this line must be at the top of {}:
  {}
Add it?",
        shown(&paths.ssh_config()),
        printable(&include::line(&file))
    );
    let answer = terminal::confirm(&question).map_err(|source| Error::cannot("read the answer", source))?;
    Ok(match answer {
        Some(true) => Inclusion::Wanted,
        Some(false) => Inclusion::Declined,
        None => Inclusion::Open,
    })
}

/// Adds the line to the user's file, whose text is `text`.
fn put_in(user_file: &Path, text: Option<&[u8]>, file: &Path) -> Result<()> {
    user_file.parent().map_or(Ok(()), paths::create_private)?;
    paths::rewrite(user_file, &include::insert(text, file))
        .map_err(|error| error.with_hint(format!("add this at its top: {}", printable(&include::line(file)))))
}

/// Undoes everything and reports it.
fn remove(paths: &Paths) -> Result<()> {
    let (file, user_file) = (paths.ssh_include(), paths.ssh_config());
    let mut told = String::new();
    let text = read(&user_file)?.unwrap_or_default();
    let line = include::line(&file);
    let result = match include::remove(&text, &file) {
        Remains::Unchanged => Ok(()),
        Remains::Text(text) => {
            told.push_str(&format!("Removed from {}: {}\n", shown(&user_file), printable(&line)));
            paths::rewrite(&user_file, &text)
        }
        Remains::Nothing => {
            told.push_str(&format!("Removed {}\n", shown(&user_file)));
            paths::remove(&user_file)
        }
    };
    result.map_err(|error| error.with_hint(format!("remove this from it: {}", printable(&line))))?;
    for file in [file, paths.ssh_hosts()] {
        if read(&file)?.is_some() {
            paths::remove(&file)?;
            told.push_str(&format!("Removed {}\n", shown(&file)));
        }
    }
    command_line::print(if told.is_empty() { "Nothing to remove\n" } else { &told })
}

/// Returns the contents of a file; `None` if it does not exist.
fn read(file: &Path) -> Result<Option<Vec<u8>>> {
    let contents = || match fs::metadata(file)? {
        // A FIFO would never end.
        metadata if metadata.is_file() => fs::read(file),
        _ => Err(io::Error::other("not a regular file")),
    };
    match contents() {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", file, error)),
    }
}

/// ssh looks for its configuration in the home directory of the password database, not in HOME.
fn warn_of_another_home(user_file: &Path) {
    if name_service::own_home().is_some_and(|home| home.join(".ssh/config") != user_file) {
        let file = user_file.to_string_lossy();
        let file = shell_words::quote(&file);
        hint(&format!(
            "HOME is not your home directory, so ssh does not find the file; use: ssh -F {} HOST",
            printable(&file)
        ));
    }
}

fn shown(file: &Path) -> String {
    printable(&file.to_string_lossy()).into_owned()
}

fn hint(text: &str) {
    print_error(&format!("{} {text}\n", hint_label()));
}
