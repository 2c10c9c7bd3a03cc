//! `soong tunnel status`.

use serde::Serialize;

use super::arguments::StatusArguments;
use super::report::arrow;
use crate::error::{EXIT_NOT_RUNNING, Error, Result};
use crate::paths::Paths;
use crate::runtime::registry::{self, Running, Survey};
use crate::runtime::state::Forward;
use crate::runtime::state::{Phase, State};
use crate::term::{hint_label, print, print_error, printable, printable_json};
use crate::time::{self, now};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    running: bool,
    tunnels: Vec<Tunnel<'a>>,
}

/// One tunnel in it. Times are in seconds since the epoch.
#[derive(Debug, Serialize)]
struct Tunnel<'a> {
    name: &'a str,
    id: &'a str,
    host: &'a str,
    state: Phase,
    pid: Option<u32>,
    since: u64,
    attempt: u32,
    next_retry: Option<u64>,
    last_error: Option<&'a str>,
    hints: &'a [String],
    forwards: &'a [Forward],
}

/// Says which tunnels run. Returns the exit code.
pub fn status(arguments: &StatusArguments, paths: &Paths) -> Result<u8> {
    let mut survey = registry::survey(paths)?;
    if let Some(wanted) = &arguments.name {
        survey.running = survey.take(Some(wanted))?.into_iter().collect();
        survey.failed.retain(|state| &state.instance.name == wanted || &state.instance.id == wanted);
    }
    let running = !survey.running.is_empty();
    let text = if arguments.json { json(&survey)? } else { plain(&survey, arguments.verbose) };
    print(&text).map_err(Error::output)?;
    if !arguments.json {
        explain(&survey);
    }
    Ok(if running { 0 } else { EXIT_NOT_RUNNING })
}

fn plain(survey: &Survey, verbose: bool) -> String {
    let several = survey.running.len() > 1;
    let lines: String = survey.running.iter().map(|running| describe(running, several, verbose)).collect();
    if lines.is_empty() { "Tunnel is not running\n".to_owned() } else { lines }
}

fn describe(running: &Running, several: bool, verbose: bool) -> String {
    let phase = running.state.as_ref().map_or(Phase::Starting, |state| state.phase);
    let doing = doing(phase);
    let pid = running.supervisor.pid();
    let mut text = if several {
        format!("Tunnel is {doing}: {} (PID: {pid})\n", running.shown_name())
    } else {
        format!("Tunnel is {doing}\n")
    };
    if let (Some(state), true) = (&running.state, verbose || phase == Phase::Reconnecting) {
        text.push_str(&details(state, pid, verbose));
    }
    text
}

/// The word for what a tunnel whose supervisor is there does.
pub fn doing(phase: Phase) -> &'static str {
    match phase {
        Phase::Up => "running",
        Phase::Starting => "starting",
        Phase::Reconnecting => "reconnecting",
        Phase::Failed => "stopping",
    }
}

fn details(state: &State, pid: u32, verbose: bool) -> String {
    let mut text = String::new();
    if verbose {
        text.push_str(&format!(
            "  {} (PID: {pid}), for {}\n",
            printable(&state.instance.name),
            age(state.since)
        ));
        text.extend(state.forwards.iter().map(|forward| arrow(forward, &state.instance.host)));
    }
    if let (Phase::Reconnecting, Some(error)) = (state.phase, &state.last_error) {
        let wait = state.next_retry.unwrap_or_default().saturating_sub(now());
        text.push_str(&format!("  attempt {}, next in {wait} s: {}\n", state.attempt, printable(error)));
    }
    text
}

/// Says on stderr why tunnels that are not there any more gave up.
fn explain(survey: &Survey) {
    for state in &survey.failed {
        let name = printable(&state.instance.name);
        let reason = state.last_error.as_deref().unwrap_or("no reason given");
        let mut text = format!(
            "soong-tunnel: the tunnel to {name} failed {} ago: {}\n",
            age(state.since),
            printable(reason)
        );
        for hint in &state.hints {
            text.push_str(&format!("{} {}\n", hint_label(), printable(hint)));
        }
        print_error(&text);
    }
}

fn age(since: u64) -> String {
    time::span(now().saturating_sub(since))
}

/// All that is known of the tunnels, as a line of JSON.
pub fn json(survey: &Survey) -> Result<String> {
    let running = survey.running.iter().filter_map(|running| {
        running.state.as_ref().map(|state| tunnel(state, Some(running.supervisor.pid())))
    });
    let failed = survey.failed.iter().map(|state| tunnel(state, None));
    let answer = Answer { running: !survey.running.is_empty(), tunnels: running.chain(failed).collect() };
    let json = serde_json::to_string(&answer)
        .map_err(|error| Error::failed(format!("cannot write JSON: {error}")))?;
    Ok(printable_json(&json).into_owned() + "\n")
}

fn tunnel(state: &State, pid: Option<u32>) -> Tunnel<'_> {
    Tunnel {
        name: &state.instance.name,
        id: &state.instance.id,
        host: &state.instance.host,
        state: state.phase,
        pid,
        since: state.since,
        attempt: state.attempt,
        next_retry: state.next_retry,
        last_error: state.last_error.as_deref(),
        hints: &state.hints,
        forwards: &state.forwards,
    }
}
