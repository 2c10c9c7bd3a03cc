//! Warnings, hooks and the end itself, which is repeated until it worked.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::clock::rfc3339;
use crate::config::End;
use crate::error::{Error, Result};
use crate::guard::Guard;
use crate::lease::{Plan, Reason};
use crate::why::{over, span};
use crate::{activity::sessions, log, provider};

/// The longest that one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(120);
/// How long a machine may go on after an attempt that succeeded.
const GRACE: Duration = Duration::from_secs(120);
/// How long to wait for the rest of an answer after the exit of a provider.
const ANSWER_TIME: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Warns of `plan`: in the log, on `terminals`, and by the hook `ending`.
pub fn warn(guard: &Arc<Guard>, plan: Plan, terminals: Vec<String>) {
    let snapshot = guard.snapshot();
    let left = plan.at.since(snapshot.now);
    let at = rfc3339(snapshot.anchor.wall_at(plan.at));
    let reason = match plan.reason {
        Reason::Lease => "its lease is over then",
        Reason::Limit => "its hard limit is reached then",
        Reason::Idle => "nothing uses it",
    };
    let fix = match plan.reason {
        Reason::Lease => "; soong extend 1h, or here sudo soong-statusd extend 1h, adds an hour",
        Reason::Limit => "",
        Reason::Idle => "; soong keep 1h, or here sudo soong-statusd keep 1h, keeps it up for an hour",
    };
    let text = format!("this machine ends in {} ({at}): {reason}{fix}", span(left));
    log::warning(&text);
    let guard = Arc::clone(guard);
    tokio::spawn(async move {
        write_to_terminals(text, terminals).await;
        let event = HookEvent { name: "ending", reason: plan.reason, at: &at, left };
        run_hook(&guard, &guard.config.hooks.ending, &event).await;
    });
}

/// Ends the machine: tells users, runs the hook `ended`, then repeats the end action until it
/// worked.
pub async fn end(guard: Arc<Guard>, reason: Reason, terminals: Vec<String>) {
    let text = format!("this machine ends now: {}", over(reason));
    log::warning(&text);
    write_to_terminals(text, terminals).await;
    let at = rfc3339(guard.snapshot().reading.wall);
    let event = HookEvent { name: "ended", reason, at: &at, left: Duration::ZERO };
    run_hook(&guard, &guard.config.hooks.ended, &event).await;
    if guard.config.dry_run {
        log::warning(&format!("dry run: the machine goes on; otherwise: {}", described(&guard.config.end)));
        return;
    }
    let mut pause = FIRST_PAUSE;
    for attempt in 1u32.. {
        log::info(&format!("attempt {attempt} to end the machine: {}", described(&guard.config.end)));
        match timeout(ATTEMPT_MAX, try_to_end(&guard, attempt)).await {
            Ok(Ok(())) => {
                guard.attempted(None);
                log::info(&format!("attempt {attempt} succeeded"));
                sleep(GRACE).await;
                log::error(&format!("the machine still runs {} s after attempt {attempt}", GRACE.as_secs()));
                continue;
            }
            Ok(Err(error)) => report_failure(&guard, attempt, &error.to_string(), pause),
            Err(_) => {
                report_failure(&guard, attempt, &format!("no end in {} s", ATTEMPT_MAX.as_secs()), pause);
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn report_failure(guard: &Guard, attempt: u32, error: &str, pause: Duration) {
    log::error(&format!(
        "attempt {attempt} to end the machine failed: {error}; next in {} s",
        pause.as_secs()
    ));
    guard.attempted(Some(error.to_owned()));
}

fn described(end: &End) -> String {
    match end {
        End::PowerOff => "poweroff".into(),
        End::Command(words) => words.join(" "),
        End::Terminate(provider) => format!("terminate by provider {provider}"),
    }
}

async fn try_to_end(guard: &Guard, attempt: u32) -> Result<()> {
    match &guard.config.end {
        End::PowerOff => run_command(&power_off(attempt), None, guard).await,
        End::Command(words) => run_command(words, None, guard).await,
        End::Terminate(name) => {
            let program = provider::find(name)?;
            let request = serde_json::json!({ "api": 1, "id": guard.config.instance_id });
            let words = [program.display().to_string(), "terminate".to_owned()];
            run_command(&words, Some(request.to_string()), guard).await
        }
    }
}

/// The command that shuts the machine down. The third attempt no longer asks services to stop.
fn power_off(attempt: u32) -> Vec<String> {
    const PATIENT_ATTEMPTS: u32 = 2;
    let is_systemd = Path::new("/run/systemd/system").is_dir();
    let words: &[&str] = match (is_systemd, attempt > PATIENT_ATTEMPTS) {
        (true, false) => &["systemctl", "--no-ask-password", "--no-wall", "poweroff"],
        (true, true) => &["systemctl", "--force", "poweroff"],
        (false, false) => &["poweroff"],
        (false, true) => &["poweroff", "-f"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs `words` to success, with `input` on standard input. A provider finds its configuration and
/// its key beside the daemon's.
async fn run_command(words: &[String], input: Option<String>, guard: &Guard) -> Result<()> {
    let mut command = command(words)?;
    command.env("SOONG_CONFIG", guard.directory().join("config.toml"));
    // The only place that the unit lets it write to.
    command.env("HOME", &guard.config.state);
    if input.is_some() {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
    }
    let cannot = |error: io::Error| Error::new(format!("cannot run {}: {error}", words[0]));
    let mut child = command.spawn().map_err(cannot)?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // A program that does not read its input is judged by its exit code.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    let (mut pipe, mut answer) = (child.stdout.take(), Vec::new());
    let status = tokio::select! {
        status = wait(&mut child) => status.map_err(cannot)?,
        never = async { collect(&mut pipe, &mut answer).await; std::future::pending().await } => never,
    };
    if status.success() {
        return Ok(());
    }
    // A child of the program may hold the pipe open.
    let _ = timeout(ANSWER_TIME, collect(&mut pipe, &mut answer)).await;
    let reason = provider::reason(&answer).unwrap_or_else(|| status.to_string());
    Err(Error::new(format!("{} failed: {reason}", words[0])))
}

/// Appends what comes through `pipe` to `answer`, up to its end, an error, or the longest answer.
async fn collect(pipe: &mut Option<ChildStdout>, answer: &mut Vec<u8>) {
    while let Some(open) = pipe {
        match open.read_buf(answer).await {
            Ok(1..) if answer.len() <= provider::ANSWER_MAX => {}
            _ => *pipe = None,
        }
    }
}

fn command(words: &[String]) -> Result<Command> {
    let (program, arguments) = words.split_first().ok_or_else(|| Error::new("no command"))?;
    let mut command = Command::new(program);
    // The journal gets standard error only.
    command.args(arguments).stdin(Stdio::null()).stdout(io::stderr()).process_group(0).kill_on_drop(true);
    Ok(command)
}

/// Waits for `child` to end. Its process group is killed if the wait is given up.
async fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let status = child.wait().await;
    group.0 = None;
    status
}

/// The process group of a child that was not waited for, so that its number is still its own.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            // It may have ended a moment ago.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Environment of a hook.
struct HookEvent<'a> {
    name: &'static str,
    reason: Reason,
    at: &'a str,
    left: Duration,
}

/// Runs a hook within its time limit. The end does not depend on what comes of it.
async fn run_hook(guard: &Guard, words: &[String], event: &HookEvent<'_>) {
    if words.is_empty() {
        return;
    }
    let limit = guard.config.hooks.timeout;
    let run = async {
        let mut command = command(words)?;
        command
            .env("SOONG_EVENT", event.name)
            .env("SOONG_REASON", event.reason.word())
            .env("SOONG_END_AT", event.at)
            .env("SOONG_MINUTES_LEFT", (event.left.as_secs() / 60).to_string())
            .env("SOONG_INSTANCE_ID", &guard.config.instance_id);
        let cannot = |error: io::Error| Error::new(format!("cannot run {}: {error}", words[0]));
        let mut child = command.spawn().map_err(cannot)?;
        let status = wait(&mut child).await.map_err(cannot)?;
        if status.success() { Ok(()) } else { Err(Error::new(status.to_string())) }
    };
    match timeout(limit, run).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::error(&format!("hook {}: {error}", event.name)),
        Err(_) => log::error(&format!("hook {}: killed after {} s", event.name, limit.as_secs())),
    }
}

/// Writes `text` to terminals, as wall(1) does. A terminal that takes nothing is passed over.
async fn write_to_terminals(text: String, terminals: Vec<String>) {
    if terminals.is_empty() {
        return;
    }
    let write = move || {
        for name in terminals.iter().filter(|name| sessions::is_terminal(name)) {
            let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
            let opened =
                OpenOptions::new().write(true).custom_flags(flags).open(Path::new("/dev").join(name));
            if let Ok(mut terminal) = opened {
                let _ = terminal.write_all(format!("\r\n\x07soong-statusd: {text}\r\n").as_bytes());
            }
        }
    };
    let _ = tokio::task::spawn_blocking(write).await;
}
