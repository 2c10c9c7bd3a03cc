//! `soong ssh`: a session on an instance.
//!
//! This program becomes ssh, so exit codes, signals and what happens to the terminal are ssh's
//! own. What Rust's start-up and `exec` change on the way makes no difference to ssh: descriptors
//! 0 to 2 that were closed lead to `/dev/null` and SIGPIPE has its default action, both of which
//! ssh sets to its liking before it does anything else. All other signals, the mask, limits and
//! the environment are as the caller left them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::arguments::Arguments;
use super::remote_command;
use crate::config::Config;
use crate::config::instance::Instance;
use crate::error::{Error, Result};
use crate::instances::inventory;
use crate::openssh::quoting::percent_escaped;
use crate::openssh::{Login, options};
use crate::runtime::directory::Directory;
use crate::runtime::state::State;
use crate::system::paths::Paths;
use crate::terminal;

/// Becomes an ssh with a session on the instance that `arguments` mean; `options` are ssh's.
/// Returns when the command was only to be printed, or could not be run.
pub fn run(arguments: &Arguments, options: &[OsString], paths: &Paths) -> Result<()> {
    let config = Config::load(paths)?;
    let (instance, control) = choose(arguments, &config, paths)?;
    let login = Login::resolve(&instance, &config.ssh, paths)?;
    let control = if shares_connection(options, &login)? { control } else { None };
    let command = remote_command::for_ssh(&arguments.command);
    let words = session_arguments(&login, options, control.as_deref(), command);
    if arguments.print {
        return show(&login.program, &words);
    }
    if control.is_none() {
        // ssh is about to remember the host's key there.
        paths.ensure_state()?;
    }
    let refusal = Command::new(&login.program).args(words).exec();
    Err(Error::io("run", &login.program, refusal))
}

/// The instance that is meant, and the control socket of the tunnel to it if that is up. A tunnel
/// proves that its instance is there: then no provider is asked, which would take longer than all
/// the rest.
fn choose(arguments: &Arguments, config: &Config, paths: &Paths) -> Result<(Instance, Option<PathBuf>)> {
    let wish = arguments.choice.wish(false);
    if let Some(known) = inventory::known(&wish, config, paths)
        && let Some(control) = open_connection(&known, paths)
    {
        return Ok((known, Some(control)));
    }
    let instance = inventory::choose(&wish, config, paths)?;
    let control = open_connection(&instance, paths);
    Ok((instance, control))
}

/// Whether the session would be the same over the connection of a tunnel.
fn shares_connection(options: &[OsString], login: &Login) -> Result<bool> {
    // Both were read before, and found to be options.
    let read = |mistake: options::Mistake| Error::usage(mistake.to_string());
    let own = options::read(options).map_err(read)?;
    let configured = options::read(&login.options).map_err(read)?;
    Ok(options::go_over_any_connection(&own) && !options::want_more_than_a_tunnel(&configured))
}

/// The control socket of the tunnel to `instance`, if it is up.
fn open_connection(instance: &Instance, paths: &Paths) -> Option<PathBuf> {
    // Nothing is asked of a directory that somebody else could have filled: then there is no tunnel.
    paths.check_runtime().ok()?;
    let directory = Directory::find(paths, &instance.tunnel_name()).ok()?;
    let control = directory.ssh_control();
    // ssh says so on stderr when it finds the socket dead, and would be right.
    UnixStream::connect(&control).ok()?;
    // The name may have been given to another machine since the tunnel was started.
    let state = State::read(&directory)?;
    (state.instance.id == instance.id && state.instance.host == instance.host).then_some(control)
}

/// ssh's arguments for a session that goes over the connection behind `control`, or over one of
/// its own.
///
/// ssh keeps the first value it is given for an option, so what was typed comes before what is
/// configured, and that before the defaults. Where the session has a connection of its own nothing
/// is said about sharing it: a `ControlMaster` in the user's `ssh_config` works as for any host.
/// Where it goes over the tunnel's it never becomes a master, and if the tunnel's refuses, because
/// the server allows no more sessions or because it has just ended, ssh opens a connection with
/// the same options.
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
            // Those of the user's ssh_config would stay in the tunnel when the session ends.
            "-o".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
        ]);
    }
    if !command.is_empty() {
        // ssh refuses to run a command besides one of the user's ssh_config.
        own.extend(["-o".to_owned(), "RemoteCommand=none".to_owned()]);
    }
    own.extend(login.options.iter().cloned());
    login.push_defaults(&mut own);
    login.push_destination(&mut own);
    let own = own.into_iter().map(OsString::from);
    options.iter().cloned().chain(own).chain(command).collect()
}

/// Prints the command as it could be typed.
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
        let mut login = login();
        assert!(shares_connection(&["-t".into()], &login).unwrap());
        assert!(!shares_connection(&["-A".into()], &login).unwrap());
        login.options = vec!["-C".into()];
        assert!(shares_connection(&[], &login).unwrap());
        login.options = vec!["-A".into()];
        assert!(!shares_connection(&[], &login).unwrap());
    }
}
