//! `soong tunnel start` and `restart`.

mod mode;
mod other_forwards;
mod resolve;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use self::resolve::resolve;
use super::arguments::StartArguments;
use super::{present, stop};
use crate::config::Config;
use crate::config::forwarding::display::path_of;
use crate::error::{Error, Result};
use crate::openssh::failure::{self, Kind};
use crate::openssh::{self, greeting};
use crate::runtime::directory::Directory;
use crate::runtime::forward::Forward;
use crate::runtime::registry;
use crate::runtime::state::State;
use crate::supervisor::askpass::helper::Reply;
use crate::supervisor::askpass::program;
use crate::supervisor::askpass::prompt::Asked;
use crate::supervisor::askpass::terminal::{self, Outcome};
use crate::supervisor::protocol::event::{self, Event, Receiver};
use crate::supervisor::protocol::exec::ForegroundLaunch;
use crate::supervisor::protocol::progress::{Report, Style};
use crate::supervisor::protocol::request::{FirstLink, Request};
use crate::supervisor::protocol::spawn::spawn;
use crate::supervisor::relay::reserve;
use crate::system::paths::Paths;
use crate::system::spinner::Spinner;
use crate::terminal::{chosen_colour, hint_label, print, print_error, printable};

/// Time beyond the connect timeout for the supervisor's report.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a tunnel; returns once it is up. In the foreground, this process becomes its supervisor.
pub fn start(arguments: &StartArguments, paths: &Paths) -> Result<()> {
    let begun = Instant::now();
    if let Some(state) = unneeded(arguments, paths)? {
        return present::show(&state, style(arguments));
    }
    let config = Config::load(paths)?;
    let mut request = if arguments.keep_trying {
        keep_resolving(arguments, &config, paths)?
    } else {
        resolve(arguments, None, &config, paths)?
    };
    wait_for_server(arguments, &mut request, begun)?;
    match launch(arguments, request, paths) {
        // Another start came first.
        Err(error @ Error::AlreadyRunning { .. }) => match unneeded(arguments, paths)? {
            Some(state) => present::show(&state, style(arguments)),
            None => Err(error),
        },
        outcome => outcome,
    }
}

/// With `--if-needed`, returns the state of a running tunnel that does.
fn unneeded(arguments: &StartArguments, paths: &Paths) -> Result<Option<State>> {
    if arguments.if_needed { present::find(arguments, true, paths) } else { Ok(None) }
}

/// Resolves a request, again and again if a provider must say where the instance is and does not.
fn keep_resolving(arguments: &StartArguments, config: &Config, paths: &Paths) -> Result<Request> {
    const FIRST: Duration = Duration::from_secs(5);
    const LONGEST: Duration = Duration::from_secs(300);
    let mut pause = FIRST;
    loop {
        match resolve(arguments, None, config, paths) {
            Err(error @ Error::Failed { .. }) if !config.providers.is_empty() => error.report("soong-tunnel"),
            outcome => return outcome,
        }
        sleep(pause);
        pause = (2 * pause).min(LONGEST);
    }
}

/// Stops a running tunnel and starts it again, on its former ports unless options choose others.
pub fn restart(mut arguments: StartArguments, paths: &Paths) -> Result<()> {
    if arguments.if_needed {
        return Err(Error::usage("--if-needed is for 'soong tunnel start' only"));
    }
    let begun = Instant::now();
    let config = Config::load(paths)?;
    let running = registry::survey(paths)?.take(arguments.choice.instance_id.as_deref())?;
    let before = running.as_ref().and_then(|running| running.state.clone());
    if let Some(state) = &before {
        arguments.choice.instance_id = Some(state.instance.id.clone());
    }
    // Faults of the request are found before the old tunnel stops.
    let mut request = resolve(&arguments, before.as_ref(), &config, paths)?;
    wait_for_server(&arguments, &mut request, begun)?;
    if let (Some(running), false) = (running, arguments.dry_run) {
        let stopped = stop::stop_running(running)?;
        if matches!(style(&arguments), Style::Normal | Style::Verbose) {
            stop::report(stopped)?;
        }
    }
    launch(&arguments, request, paths)
}

/// With `--wait`, waits until the SSH server answers; the limit counts from `begun`.
fn wait_for_server(arguments: &StartArguments, request: &mut Request, begun: Instant) -> Result<()> {
    if let Some(limit) = arguments.choice.limit().filter(|_| !arguments.dry_run) {
        let tries = greeting::wait(&request.login, limit, begun, arguments.quiet)?;
        request.tries = tries.iter().map(Instant::elapsed).collect();
    }
    Ok(())
}

fn launch(arguments: &StartArguments, request: Request, paths: &Paths) -> Result<()> {
    let directory = Directory::new(paths, &request.name)?;
    openssh::check_path(&directory.ssh_control())?;
    if arguments.dry_run {
        return show_plan(arguments, &request, &directory, paths);
    }
    let style = style(arguments);
    // Building it runs ssh, so only if it is shown.
    let is_shown = style == Style::Verbose;
    let command = if is_shown { command_line(&request, &directory) } else { String::new() };
    paths.ensure_runtime()?;
    paths.ensure_state()?;
    if style != Style::Quiet
        && let Some(fault) = paths.runtime_fault()
    {
        print_error(&format!(
            "soong-tunnel: warning: XDG_RUNTIME_DIR is not used: {}\n{} unset it, or set it to your own directory; this tunnel uses {}\n",
            printable(fault),
            hint_label(),
            printable(&paths.runtime().to_string_lossy()),
        ));
    }
    if arguments.foreground {
        return ForegroundLaunch { request, style, command, colour: chosen_colour() }.exec(paths);
    }
    in_background(&request, style, command, style == Style::Normal, paths).map(drop)
}

/// Shows the ssh command and the forwards of `request`, with `--auto-ports` on the ports that are free now.
fn show_plan(
    arguments: &StartArguments,
    request: &Request,
    directory: &Directory,
    paths: &Paths,
) -> Result<()> {
    let forwards =
        if arguments.auto_ports { reserve::preview(request, paths)? } else { request.forwards.clone() };
    show(&format!("{}\n{}", command_line(request, directory), comments(&forwards)))
}

/// Returns forwards as shell comments, for below an ssh command that does not show them.
fn comments(forwards: &[Forward]) -> String {
    forwards.iter().map(|forward| format!("# {}\n", printable(&path_of(&forward.spec)))).collect()
}

/// Spawns a supervisor that brings the tunnel up; returns its PID. `spins` shows a spinner meanwhile.
fn in_background(
    request: &Request,
    style: Style,
    command: String,
    spins: bool,
    paths: &Paths,
) -> Result<u32> {
    let (mut child, stream) = spawn(request, paths)?;
    let report = Report::new(request, style, child.id(), command);
    follow(request, &report, spins, stream, &mut child, paths)?;
    Ok(child.id())
}

/// A tunnel that was started for another command.
#[derive(Debug)]
pub struct Opened {
    /// Its directory.
    pub directory: Directory,
    /// PID of its supervisor.
    pub pid: u32,
}

/// Starts a tunnel in the background without output; returns once it is up.
pub fn open(arguments: &StartArguments, paths: &Paths) -> Result<Opened> {
    let begun = Instant::now();
    let config = Config::load(paths)?;
    // It lasts as long as the command.
    let mut request =
        Request { on_demand: None, first: FirstLink::Now, ..resolve(arguments, None, &config, paths)? };
    wait_for_server(arguments, &mut request, begun)?;
    let directory = Directory::new(paths, &request.name)?;
    openssh::check_path(&directory.ssh_control())?;
    paths.ensure_runtime()?;
    paths.ensure_state()?;
    let pid = in_background(&request, Style::Quiet, String::new(), !arguments.quiet, paths)?;
    Ok(Opened { directory, pid })
}

fn style(arguments: &StartArguments) -> Style {
    match arguments {
        StartArguments { quiet: true, .. } => Style::Quiet,
        StartArguments { verbose: true, .. } => Style::Verbose,
        StartArguments { json: true, .. } => Style::Json,
        _ => Style::Normal,
    }
}

/// Returns the ssh command, quoted for a shell.
fn command_line(request: &Request, directory: &Directory) -> String {
    let program = request.program().to_string_lossy().into_owned();
    shell_words::join(std::iter::once(program).chain(request.ssh_arguments(directory)))
}

fn show(text: &str) -> Result<()> {
    print(text).map_err(Error::output)
}

/// Answers a question of ssh, or reports that there is no answer.
fn answer(asked: &Asked, report: &Report, supervisor: &mut UnixStream) -> Result<()> {
    let outcome =
        if report.can_ask() { terminal::ask(asked, supervisor.as_fd()) } else { Outcome::Unanswered };
    let text = match outcome {
        Outcome::Answered(text) => Some(text),
        Outcome::Unanswered => None,
        Outcome::Withdrawn => return Ok(()),
        // The signal ends this process when the watch is dropped, and the supervisor notices.
        Outcome::Interrupted(_watch) => return Err(Error::interrupted()),
    };
    let reply = Reply { text: text.as_deref().cloned() };
    // The reader of its events notices a supervisor that is gone.
    let _ = event::send(supervisor, &reply);
    drop(reply.text.map(Zeroizing::new));
    Ok(())
}

/// Shows the supervisor's events until the tunnel is up or has failed.
fn follow(
    request: &Request,
    report: &Report,
    spins: bool,
    stream: UnixStream,
    child: &mut Child,
    paths: &Paths,
) -> Result<()> {
    let patience = Duration::from_secs(request.login.connect_timeout)
        + PATIENCE
        + request.askpass.as_ref().map(|_| program::PATIENCE).unwrap_or_default();
    let limited = stream.set_read_timeout(Some(patience));
    let at_fault = |source| Error::cannot("wait for the tunnel", source);
    limited.map_err(at_fault)?;
    let mut ours = stream.try_clone().map_err(at_fault)?;
    let mut receiver = Receiver::new(stream);
    let message = format!("Waiting for {}", printable(&request.login.instance.name));
    let start_spinner = || if spins { Spinner::watching_on_terminal(&message) } else { Spinner::hidden() };
    let mut spinner = start_spinner();
    loop {
        match receiver.receive::<Event>() {
            Ok(Some(Event::Question { asked })) => {
                // It would run into the question, and it delays signals.
                drop(spinner);
                answer(&asked, report, &mut ours)?;
                spinner = start_spinner();
            }
            Ok(Some(event)) => {
                spinner.suspend(|| report.show(&event));
                if let Some(outcome) = event.outcome() {
                    if outcome.is_err() {
                        // No process is left when the failure is reported.
                        let _ = child.wait();
                    }
                    return outcome;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // Our own child, not reaped yet. Its ssh ends with it.
                let _ = child.kill().and_then(|()| child.wait());
                let mut hints = failure::timeout_hints(&request.login);
                hints.extend(failure::doctor_hint(Kind::TimedOut, &request.login));
                return Err(Error::TimedOut { hints });
            }
            Ok(None) | Err(_) => {
                let log = paths.log(&request.name);
                return Err(Error::failed("the supervisor ended before the tunnel was up")
                    .with_hint(format!("see its log: {}", log.display())));
            }
        }
    }
}
