//! `soong ssh`: a session on an instance.
//!
//! This program execs ssh, so exit codes, signals and terminal handling are ssh's own. Rust's start-up
//! changes two things, both of which ssh resets itself: closed descriptors 0 to 2 are `/dev/null`, and
//! SIGPIPE has its default action. Other signals, the mask, limits and the environment are the caller's.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::arguments::{Arguments, Split};
use super::destination::Destination;
use super::{connection, remote_command};
use crate::config::Config;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::instances::inventory::{self, Selector, one_name};
use crate::openssh::quoting::percent_escaped;
use crate::openssh::{Login, greeting, options};
use crate::system::paths::Paths;
use crate::terminal;

/// Execs ssh with a session on the instance that `arguments` choose; `split` has ssh's part. Returns if the
/// command is only printed or cannot be run.
pub fn run(arguments: &Arguments, split: &Split, paths: &Paths) -> Result<()> {
    let begun = Instant::now();
    let config = Config::load(paths)?;
    let destination = destination(arguments, split, &config, paths)?;
    let (instance, control) = choose(arguments, split, destination.as_ref(), &config, paths)?;
    let login = Login::resolve(&instance, &config.ssh, paths)?;
    let command =
        if split.line.is_empty() { remote_command::for_ssh(&arguments.command) } else { split.line.clone() };
    let words = session_arguments(&login, &split.options, control.as_deref(), command);
    if arguments.print {
        return show(&login.program, &words);
    }
    if control.is_none() {
        if let Some(limit) = arguments.choice.limit() {
            greeting::wait(&login, limit, begun, false)?;
        }
        // ssh will store the host's key there.
        paths.ensure_state()?;
    }
    let refusal = Command::new(&login.program).args(words).exec();
    Err(Error::io("run", &login.program, refusal))
}

/// Returns the instance in ssh's place for the host.
fn destination(
    arguments: &Arguments,
    split: &Split,
    config: &Config,
    paths: &Paths,
) -> Result<Option<Destination>> {
    let Some(word) = &split.destination else { return Ok(None) };
    let found = Destination::find(word, config, paths);
    let name = found.as_ref().map(|found| found.name.as_str());
    one_name(name, arguments.choice.instance_id.as_deref())?;
    Ok(found)
}

/// Returns the instance and user, and the control socket of its tunnel if the session can use it. A tunnel
/// that is up proves that its instance exists, so no provider is queried, which would take longest.
fn choose(
    arguments: &Arguments,
    split: &Split,
    destination: Option<&Destination>,
    config: &Config,
    paths: &Paths,
) -> Result<(Instance, Option<PathBuf>)> {
    let selector = arguments.choice.selector(false);
    let selector = Selector {
        wanted: destination.map(|destination| destination.id.as_str()).or(selector.wanted),
        ..selector
    };
    let user = destination.and_then(|destination| destination.user.as_ref());
    let with_user = |mut instance: Instance| {
        if let Some(user) = user {
            instance.user.clone_from(user);
            instance.user_is_default = false;
        }
        instance
    };
    if let Some(known) = inventory::choose_cached(&selector, config, paths) {
        let shares = shares_connection(&split.options, user, &known, &config.ssh.options)?;
        let control = connect(&known, shares, split, config, paths);
        if control.is_some() {
            return Ok((with_user(known), control.filter(|_| shares)));
        }
    }
    let instance = inventory::choose(&selector, config, paths)?;
    let shares = shares_connection(&split.options, user, &instance, &config.ssh.options)?;
    let control = connection::open(&instance, paths).filter(|_| shares);
    Ok((with_user(instance), control))
}

/// Returns the control socket of the tunnel to `instance`. Waits for it if the session can use it.
fn connect(
    instance: &Instance,
    shares: bool,
    split: &Split,
    config: &Config,
    paths: &Paths,
) -> Option<PathBuf> {
    let asks_only = options::read(&split.options).is_ok_and(|given| options::are_query_only(&given));
    if shares && !asks_only {
        connection::wait(instance, config.hold, paths)
    } else {
        connection::open(instance, paths)
    }
}

/// Returns true if the session would be the same over the tunnel's connection.
fn shares_connection(
    own: &[OsString],
    user: Option<&String>,
    instance: &Instance,
    configured: &[String],
) -> Result<bool> {
    // Both were parsed before.
    let read = |mistake: options::Mistake| Error::usage(mistake.to_string());
    let mut own = options::read(own).map_err(read)?;
    let configured = options::read(configured).map_err(read)?;
    let is_its_own = |user: &str| !instance.leaves_user_to_ssh() && user == instance.user;
    // Programs that run ssh repeat the instance's user and port.
    own.retain(|given| match (given.letter, given.value.and_then(OsStr::to_str)) {
        ('l', Some(user)) => !is_its_own(user),
        ('p', Some(port)) => instance.port.is_none_or(|own| port.parse() != Ok(own)),
        _ => true,
    });
    Ok(user.is_none_or(|user| is_its_own(user))
        && options::go_over_any_connection(&own)
        && !options::want_more_than_a_tunnel(&configured))
}

/// Returns ssh's arguments for a session over the connection behind `control`, or over its own.
///
/// ssh keeps the first value of an option, so typed options come before configured ones, and those before the
/// defaults. A session with its own connection says nothing about sharing: a `ControlMaster` in the user's
/// `ssh_config` works as for any host. A session over the tunnel's connection never becomes a master; if the
/// tunnel's ssh refuses, because of the server's session limit or because it has just ended, ssh opens a
/// connection with the same options.
fn session_arguments(
    login: &Login,
    options: &[OsString],
    control: Option<&Path>,
    command: Vec<OsString>,
) -> Vec<OsString> {
    let mut own: Vec<String> = Vec::new();
    if let Some(control) = control {
        own.extend([
            "-S".to_owned(),
            percent_escaped(control),
            "-o".to_owned(),
            "ControlMaster=no".to_owned(),
            // The user's own forwards would stay in the tunnel's ssh after the session.
            "-o".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
        ]);
    }
    if !command.is_empty() {
        // ssh refuses a command besides one in the user's ssh_config.
        own.extend(["-o".to_owned(), "RemoteCommand=none".to_owned()]);
    }
    own.extend(login.options.iter().cloned());
    login.push_defaults(&mut own);
    login.push_destination(&mut own);
    let own = own.into_iter().map(OsString::from);
    options.iter().cloned().chain(own).chain(command).collect()
}

/// Prints the command, quoted for a shell.
fn show(program: &Path, words: &[OsString]) -> Result<()> {
    let words: Vec<OsString> = std::iter::once(program.as_os_str())
        .chain(words.iter().map(OsString::as_os_str))
        .map(remote_command::quoted)
        .collect();
    let mut line = words.join(OsStr::new(" ")).into_vec();
    line.push(b'\n');
    terminal::print_bytes(&line).map_err(Error::output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openssh::login::tests::login;

    fn command(options: &str, control: Option<&Path>, login: &Login) -> String {
        let options: Vec<OsString> =
            shell_words::split(options).unwrap().into_iter().map(OsString::from).collect();
        let words = session_arguments(login, &options, control, vec!["ls".into()]);
        words.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn a_session_logs_in_like_a_tunnel_but_may_ask() {
        let command = command("-t", None, &login());
        assert!(
            command.starts_with("-t -o RemoteCommand=none -o StrictHostKeyChecking=accept-new "),
            "{command}"
        );
        assert!(command.ends_with(" -- ubuntu@192.0.2.7 ls"), "{command}");
        for absent in ["BatchMode", "Control", " -N", " -T", "Forward"] {
            assert!(!command.contains(absent), "{absent}: {command}");
        }
    }

    #[test]
    fn over_a_tunnel_it_keeps_the_options_for_a_connection_of_its_own() {
        let shared = command("", Some(Path::new("/r/%/ctl")), &login());
        let alone = command("", None, &login());
        assert_eq!(shared, format!("-S /r/%%/ctl -o ControlMaster=no -o ClearAllForwardings=yes {alone}"));
    }

    #[test]
    fn what_was_typed_comes_before_what_is_configured() {
        let mut login = login();
        login.options = vec!["-p".into(), "2".into()];
        assert!(command("-p 1", None, &login).starts_with("-p 1 -o RemoteCommand=none -p 2 "));
    }

    #[test]
    fn an_agent_that_the_config_wants_takes_a_connection_of_its_own() {
        let shares = |own: &str, configured: &str| {
            let own: Vec<OsString> =
                shell_words::split(own).unwrap().into_iter().map(OsString::from).collect();
            let configured = shell_words::split(configured).unwrap();
            shares_connection(&own, None, &login().instance, &configured).unwrap()
        };
        assert!(shares("-t", "") && !shares("-A", "") && shares("", "-C") && !shares("", "-A"));
        assert!(shares("-l ubuntu", "") && !shares("-l root", "") && !shares("-p 22", ""));
    }
}
