//! `soong tunnel status`.

use serde::Serialize;

use super::arguments::StatusArguments;
use super::check::{self, Condition, Finding};
use super::choice;
use super::phase_text::{doing, next_attempt, on_demand};
use crate::command_line;
use crate::config::forwarding::Kind;
use crate::error::{EXIT_FAILED, EXIT_NOT_RUNNING, Error, Result};
use crate::runtime::control::{Flow, Question, Supervisor};
use crate::runtime::forward::Forward;
use crate::runtime::liveness::TunnelStatus;
use crate::runtime::registry::{self, Running, Survey};
use crate::runtime::state::{Phase, State};
use crate::supervisor::protocol::progress::arrow;
use crate::system::paths::Paths;
use crate::system::threads;
use crate::system::time::{self, now};
use crate::terminal::{bytes, hint_label, print, print_error, printable};

/// Output of `--json`.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    running: bool,
    tunnels: Vec<Tunnel<'a>>,
}

/// One tunnel. Times are in seconds since the epoch.
#[derive(Debug, Serialize)]
struct Tunnel<'a> {
    name: &'a str,
    id: &'a str,
    host: &'a str,
    state: TunnelStatus,
    pid: Option<u32>,
    since: u64,
    attempt: u32,
    next_retry: Option<u64>,
    last_error: Option<&'a str>,
    on_demand: Option<u64>,
    hints: &'a [String],
    forwards: Vec<&'a Forward>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<&'a [Finding]>,
    traffic: Option<&'a [Flow]>,
    extra: Vec<&'a Forward>,
}

/// Shows the running tunnels. Returns the exit code.
pub fn status(arguments: &StatusArguments, paths: &Paths) -> Result<u8> {
    let wanted = arguments.which.wanted()?;
    let question = if arguments.json || arguments.verbose { Question::Traffic } else { Question::Presence };
    let mut survey = registry::inquire(paths, question)?;
    let others = match wanted {
        Some(wanted) => choice::narrow(&mut survey, wanted, paths)?,
        None => None,
    };
    let looks = look(std::mem::take(&mut survey.running), arguments.check, question)?;
    let text =
        if arguments.json { describe_all(&looks, &survey.failed)? } else { plain(&looks, arguments.verbose) };
    print(&text).map_err(Error::output)?;
    if !arguments.json {
        explain(&survey);
        if let Some(others) = others {
            print_error(&format!("{} {others}\n", hint_label()));
        }
        looks.iter().filter(|look| !look.doing.responds()).for_each(advise);
        looks.iter().for_each(advise_blocked);
        point_to_instance(&looks);
        for look in &looks {
            name_session(&look.running, paths);
        }
    }
    Ok(match (looks.is_empty(), looks.iter().all(Look::is_well)) {
        (true, _) => EXIT_NOT_RUNNING,
        (false, true) => 0,
        (false, false) => EXIT_FAILED,
    })
}

/// A running tunnel with the results of checks.
#[derive(Debug)]
pub struct Look {
    /// The tunnel.
    pub running: Running,
    /// Its condition.
    pub doing: TunnelStatus,
    /// Result of each forward's check, if they were checked.
    findings: Option<Vec<Finding>>,
    /// Traffic of its forwards, if requested and known.
    pub traffic: Option<Vec<Flow>>,
    /// Keeps the link of an on-demand tunnel up for checks.
    _link: Option<Supervisor>,
}

impl Look {
    /// Returns true if no check failed. A tunnel that is just starting has no results.
    fn is_well(&self) -> bool {
        let findings = self.findings.as_ref();
        self.doing.responds()
            && findings
                .is_none_or(|findings| self.running.state.is_some() && findings.iter().all(Finding::is_well))
    }
}

/// Examines all tunnels in parallel: whether their supervisors respond and, on request, services and traffic.
pub fn look(mut running: Vec<Running>, check: bool, question: Question) -> Result<Vec<Look>> {
    let mut links = if check { open_links(&mut running) } else { Vec::new() }.into_iter();
    let answers = match question {
        Question::Traffic => TunnelStatus::with_traffic(&mut running),
        Question::Presence => {
            TunnelStatus::of_all(&mut running).into_iter().map(|doing| (doing, None)).collect()
        }
    };
    let look = |(running, (doing, traffic))| {
        let link = links.next().flatten();
        Look { running, doing, findings: None, traffic, _link: link }
    };
    let mut looks: Vec<Look> = running.into_iter().zip(answers).map(look).collect();
    if check {
        examine(&mut looks)?;
    }
    Ok(looks)
}

/// Wakes the links of on-demand tunnels for a check, all at the same time. Returns what keeps them up.
fn open_links(running: &mut [Running]) -> Vec<Option<Supervisor>> {
    let open = |running: &mut Running| {
        let (state, link) = check::open_link(&running.directory, running.state.take()?);
        running.state = Some(state);
        link
    };
    threads::map(running.iter_mut().collect(), open)
}

/// Checks the services of all tunnels in parallel.
fn examine(looks: &mut [Look]) -> Result<()> {
    let examine = |running: &Running| match &running.state {
        Some(state) => check::examine(&running.directory, state),
        None => Ok(Vec::new()),
    };
    let findings = threads::map(looks.iter().collect(), |look: &Look| examine(&look.running));
    for (look, findings) in looks.iter_mut().zip(findings) {
        look.findings = Some(findings?);
    }
    Ok(())
}

fn plain(looks: &[Look], verbose: bool) -> String {
    let several = looks.len() > 1;
    let lines: String = looks.iter().map(|look| describe(look, several, verbose)).collect();
    if lines.is_empty() { "Tunnel is not running\n".to_owned() } else { lines }
}

fn describe(look: &Look, several: bool, verbose: bool) -> String {
    let running = &look.running;
    let doing = match look.doing {
        TunnelStatus::Phase(phase) => format!("is {}", doing(phase)),
        TunnelStatus::Unresponsive => "is not responding".to_owned(),
    };
    let pid = running.supervisor.pid();
    let mut text = if several {
        format!("Tunnel {doing}: {} (PID: {pid})\n", running.shown_name())
    } else {
        format!("Tunnel {doing}\n")
    };
    if let (Some(state), true) = (&running.state, look.doing.responds()) {
        let pid = if verbose { format!(" (PID: {pid})") } else { String::new() };
        text.push_str(&format!("  {}{pid}, for {}\n", running.shown_name(), age(state.since)));
        text.push_str(&next_attempt(state));
        text.push_str(&on_demand(state));
        // A check has a line for each port, too.
        if verbose || look.findings.is_none() {
            text.push_str(&ports(state, look.traffic.as_deref().filter(|_| verbose)));
        }
    }
    text.extend(look.findings.iter().flatten().map(finding));
    text
}

fn flow_line(flow: &Flow) -> String {
    let (sent, received) = (bytes::human(flow.sent), bytes::human(flow.received));
    format!("    {} open, {sent} up, {received} down\n", flow.open)
}

fn finding(finding: &Finding) -> String {
    format!("  {}: {}\n", finding.shown, finding.text())
}

/// Returns a line for each forward, with its traffic if that is known.
fn ports(state: &State, traffic: Option<&[Flow]>) -> String {
    let mut text = String::new();
    for forward in &state.forwards {
        text.push_str(&arrow(forward, &state.instance.host));
        // Only ssh knows the traffic of a remote one.
        if forward.spec.kind() != Kind::Remote {
            let listen = forward.spec.listen();
            let flow = traffic.unwrap_or_default().iter().find(|flow| flow.local == listen);
            text.extend(flow.map(flow_line));
        }
    }
    text
}

/// Returns the error for a supervisor that does not respond.
pub fn unresponsive(running: &Running) -> Error {
    let pid = running.supervisor.pid();
    Error::failed(format!("the supervisor (PID {pid}) is not responding"))
        .with_hint(format!("if it was suspended, resume it: kill -CONT {pid}"))
        .with_hint(format!("or end it: soong tunnel stop {}", running.argument()))
}

/// Prints what to do about a supervisor that hangs.
fn advise(look: &Look) {
    let error = unresponsive(&look.running);
    let mut text = format!("soong-tunnel: {error}\n");
    for hint in error.hints() {
        text.push_str(&format!("{} {hint}\n", hint_label()));
    }
    print_error(&text);
}

/// Prints what to mend before an idle tunnel can connect.
fn advise_blocked(look: &Look) {
    let state = look.running.state.iter().filter(|state| state.phase == Phase::Idle);
    for hint in state.flat_map(|state| &state.hints) {
        print_error(&format!("{} {}\n", hint_label(), printable(hint)));
    }
}

/// Prints why tunnels failed that are no longer running.
fn explain(survey: &Survey) {
    for state in &survey.failed {
        let name = printable(&state.instance.name);
        let reason = state.last_error.as_deref().unwrap_or("no reason given");
        let when = if state.crashed { String::new() } else { format!(" {} ago", age(state.since)) };
        let mut text = format!("soong-tunnel: the tunnel to {name} failed{when}: {}\n", printable(reason));
        for hint in &state.hints {
            text.push_str(&format!("{} {}\n", hint_label(), printable(hint)));
        }
        print_error(&text);
    }
}

/// Prints where to look if the link is up and a service is silent.
fn point_to_instance(looks: &[Look]) {
    let is_silent = |finding: &Finding| finding.condition == Condition::NotAnswering;
    for look in looks.iter().filter(|look| look.findings.iter().flatten().any(is_silent)) {
        let name = look.running.argument();
        print_error(&format!("{} check the service on the instance: soong ssh {name}\n", hint_label()));
    }
}

/// Prints that a tunnel belongs to another session, with another runtime directory.
fn name_session(running: &Running, paths: &Paths) {
    if running.directory.is_elsewhere(paths) {
        let (name, directory) = (running.shown_name(), &running.directory);
        print_error(&format!("{} {name} is running in another session: {directory}\n", hint_label()));
    }
}

fn age(since: u64) -> String {
    time::span(now().saturating_sub(since))
}

/// Returns everything about the tunnels as a line of JSON.
pub fn json(survey: Survey) -> Result<String> {
    describe_all(&look(survey.running, false, Question::Traffic)?, &survey.failed)
}

fn describe_all(looks: &[Look], failed: &[State]) -> Result<String> {
    let running = looks.iter().filter_map(|look| {
        let state = look.running.state.as_ref()?;
        let pid = Some(look.running.supervisor.pid());
        let told = tunnel(state);
        Some(Tunnel {
            pid,
            state: look.doing,
            checks: look.findings.as_deref(),
            traffic: look.traffic.as_deref(),
            ..told
        })
    });
    let answer =
        Answer { running: !looks.is_empty(), tunnels: running.chain(failed.iter().map(tunnel)).collect() };
    command_line::json_line(&answer)
}

fn tunnel(state: &State) -> Tunnel<'_> {
    Tunnel {
        name: &state.instance.name,
        id: &state.instance.id,
        host: &state.instance.host,
        state: TunnelStatus::Phase(state.phase),
        pid: None,
        since: state.since,
        attempt: state.attempt,
        next_retry: state.next_retry,
        last_error: state.last_error.as_deref(),
        on_demand: state.on_demand,
        hints: &state.hints,
        forwards: state.forwards.iter().filter(|forward| forward.is_service()).collect(),
        checks: None,
        traffic: None,
        extra: state.others().collect(),
    }
}
