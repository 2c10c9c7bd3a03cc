//! `soong doctor [NAME]`: checks everything that a tunnel needs, in the order in which one would look.

pub mod arguments;

mod finding;
mod instance;
mod local;
mod login;
mod network;
mod programs;
mod redaction;
mod ssh_config;
mod tunnel;

use std::process::{Command, ExitCode};

use self::arguments::Arguments;
use self::finding::{Finding, Findings};
use crate::command_line;
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::config::instance::Instance;
use crate::error::{EXIT_FAILED, Error, Result};
use crate::system::paths::Paths;
use crate::system::signals::Watch;
use crate::terminal::{self, print, printable};

/// Runs `soong-doctor` and returns the exit code.
pub fn main() -> ExitCode {
    command_line::main("soong-doctor", run)
}

fn run(arguments: &Arguments) -> Result<u8> {
    let paths = Paths::from_env()?;
    if arguments.fix && !terminal::is_interactive() {
        return Err(Error::failed("not a terminal, so --fix cannot ask")
            .with_hint("run it without --fix, and type the commands that it prints"));
    }
    let wanted = arguments.which.wanted()?;
    let mut findings = Findings::new(!arguments.json && !arguments.report);
    let instance = examine(wanted, &paths, &mut findings)?;
    if arguments.json {
        command_line::print(&findings.json()?)?;
    }
    if arguments.report {
        command_line::print(&redaction::redacted(&findings.text(), instance.as_ref(), &paths))?;
    }
    if arguments.fix && fix(&findings)? {
        print("\nChecking again\n").map_err(Error::output)?;
        findings = Findings::new(true);
        examine(wanted, &paths, &mut findings)?;
    }
    Ok(if findings.pass() { 0 } else { EXIT_FAILED })
}

/// Runs all checks that make sense. Returns the instance, if one was found.
fn examine(wanted: Option<&str>, paths: &Paths, findings: &mut Findings) -> Result<Option<Instance>> {
    // Signals are held back, so that programs that the checks run end with this one.
    let watch = Watch::new()?;
    programs::check(findings, &watch);
    let config = settings(paths, findings);
    let instance =
        config.as_ref().and_then(|config| instance::check(wanted, config, paths, findings, &watch));
    if let (Some(config), Some(instance)) = (&config, &instance) {
        let login = login::check_key(instance, config, paths, findings, &watch);
        if let Some(login) = &login {
            ssh_config::check(login, findings, &watch);
        }
        let is_reached = login.is_some_and(|login| {
            network::check(&login, findings, &watch) && login::check_login(&login, findings, &watch)
        });
        let state = tunnel::check(instance, paths, findings)?;
        local::check_ports(instance, config, state.as_ref(), paths, findings);
        if is_reached {
            tunnel::check_daemon(instance, config, paths, findings);
        }
    }
    local::check_directories(paths, findings);
    local::check_shell(paths, findings);
    if watch.interrupted() { Err(Error::interrupted()) } else { Ok(instance) }
}

/// Checks `config.toml` and `credentials.toml`.
fn settings(paths: &Paths, findings: &mut Findings) -> Option<Config> {
    let file = paths.config_file();
    let shown = paths.abbreviate(file);
    if !file.exists() && !paths.legacy_config().exists() {
        findings.add(
            Finding::failed("config", format!("{shown} does not exist")).command(["soong", "configure"]),
        );
        return None;
    }
    let config = match Config::load(paths) {
        Ok(config) => config,
        Err(error) => {
            findings.add(Finding::error("config", &error));
            return None;
        }
    };
    let named: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
    findings.add(Finding::ok("config", format!("{shown}, services {}", named.join(", "))));
    if let Err(error) = Credentials::load(paths) {
        findings.add(Finding::error("credentials", &error));
    }
    Some(config)
}

/// Runs the commands that fix what was found, if the user agrees. Returns true if one ran.
fn fix(findings: &Findings) -> Result<bool> {
    let mut has_run = false;
    for words in findings.commands() {
        let shown = shell_words::join(&words);
        let agreed = terminal::confirm(&format!("Run '{}'?", printable(&shown)));
        if agreed.map_err(|error| Error::cannot("ask", error))? != Some(true) {
            continue;
        }
        let Some((program, rest)) = words.split_first() else { continue };
        has_run = true;
        match Command::new(program).args(rest).status() {
            Ok(_) => {}
            Err(error) => {
                let program = printable(program);
                terminal::print_error(&format!("soong-doctor: cannot run {program}: {error}\n"));
            }
        }
    }
    Ok(has_run)
}
