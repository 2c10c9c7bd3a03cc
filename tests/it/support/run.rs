//! One command and what it must do: status, stdout and stderr are compared together, so that a failure shows all
//! three at once.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use predicates::Predicate as _;

use super::sandbox::Sandbox;
use super::spawned::Spawned;

/// Limit after which a command counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command to run in a sandbox. By default it must succeed and print nothing.
#[must_use = "nothing is run before `.run()`"]
pub struct Run<'a> {
    sandbox: &'a Sandbox,
    program: PathBuf,
    args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
    patience: Duration,
    code: i32,
    stdout: Expected,
    stderr: Expected,
}

/// Expected output.
enum Expected {
    /// This text, to the letter.
    Exactly(String),
    /// Each of these somewhere.
    Holding(Vec<String>),
    /// A first line with each of these in it, and after it hints alone, with each of those somewhere.
    Error { first: Vec<String>, hints: Vec<String> },
    /// Nothing, or the one line with which an attempt begins.
    Attempt,
}

/// Result of a command.
#[derive(Debug)]
pub struct Output {
    /// Exit code; 128 + N after signal N.
    pub code: i32,
    pub stdout: String,
    /// Without the lines that say what a slow command waits for.
    pub stderr: String,
}

impl<'a> Run<'a> {
    pub fn new<S: AsRef<OsStr>>(
        sandbox: &'a Sandbox,
        program: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            sandbox,
            program: program.to_owned(),
            args: Vec::new(),
            environment: sandbox.environment(),
            directory: sandbox.path("tmp"),
            patience: PATIENCE,
            code: 0,
            stdout: Expected::Exactly(String::new()),
            stderr: Expected::Exactly(String::new()),
        }
        .args(args)
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds one argument.
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self = self.env_remove(name);
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Removes a variable.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Runs in this directory instead of an empty one.
    pub fn current_dir(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// Lets the command run for this long, because it waits for something that takes its time.
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Returns the time after which the command counts as hanging.
    pub fn limit(&self) -> Duration {
        self.patience
    }

    /// Runs the command through `wrapper`, such as `strace -o FILE`.
    pub fn through<S: AsRef<OsStr>>(mut self, wrapper: &Path, args: impl IntoIterator<Item = S>) -> Self {
        let mut all: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        all.push(std::mem::replace(&mut self.program, wrapper.to_owned()).into());
        all.append(&mut self.args);
        self.args = all;
        self
    }

    /// Expects this exit code.
    pub fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// Expects exactly this output.
    pub fn stdout(mut self, text: impl Into<String>) -> Self {
        self.stdout = Expected::Exactly(text.into());
        self
    }

    /// Expects this text in the output; an empty text allows anything.
    pub fn stdout_has(mut self, text: impl Into<String>) -> Self {
        self.stdout.add(text.into());
        self
    }

    /// Expects exactly this on stderr.
    pub fn stderr(mut self, text: impl Into<String>) -> Self {
        self.stderr = Expected::Exactly(text.into());
        self
    }

    /// Expects this text on stderr; an empty text allows anything.
    pub fn stderr_has(mut self, text: impl Into<String>) -> Self {
        self.stderr.add(text.into());
        self
    }

    /// Expects a failure with `code` and one message, whose first line holds all of `first`; only hints may
    /// follow.
    pub fn fails<const N: usize>(mut self, code: i32, first: [&str; N]) -> Self {
        let first = first.map(str::to_owned).into();
        self.stdout = Expected::Attempt;
        self.stderr = Expected::Error { first, hints: Vec::new() };
        self.code(code)
    }

    /// Expects `text` in one of the hints after the message.
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        if let Expected::Error { hints, .. } = &mut self.stderr {
            hints.push(text.into());
        }
        self
    }

    /// Runs the command and compares the result with the expectations.
    #[track_caller]
    pub fn run(self) -> Output {
        let output = self.execute();
        self.compare(&output);
        output
    }

    /// Runs the command without checking the result.
    pub fn unchecked(self) -> Output {
        self.execute()
    }

    /// Starts the command in its own process group, as an interactive shell does.
    pub fn spawn(self) -> Spawned<'a> {
        Spawned::new(self)
    }

    /// Returns the command as a [`std::process::Command`].
    pub fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.environment.iter().cloned());
        command.current_dir(&self.directory);
        command
    }

    fn execute(&self) -> Output {
        let mut command = assert_cmd::Command::from_std(self.command());
        let (done, waiting) = mpsc::channel::<()>();
        thread::scope(|scope| {
            // Not assert_cmd's own timeout: it ends the command, and then waits without limit for other
            // processes that keep its output open.
            let watchdog = scope.spawn(move || {
                let hangs = waiting.recv_timeout(self.patience) == Err(mpsc::RecvTimeoutError::Timeout);
                hangs.then(|| self.sandbox.kill_all())
            });
            let output = command.output().unwrap();
            drop(done);
            let killed = watchdog.join().unwrap();
            let limit = self.patience;
            assert!(killed.is_none(), "{self}: it or its output was open after {limit:?}: {killed:#?}");
            Output::from(&output)
        })
    }

    /// Compares `output` with all expectations, and fails with all differences.
    #[track_caller]
    pub fn compare(&self, output: &Output) {
        let mut failures = String::new();
        if output.code != self.code {
            writeln!(failures, "exit code: expected {}, got {}", self.code, output.code).unwrap();
        }
        for (name, expected, text) in
            [("stdout", &self.stdout, &output.stdout), ("stderr", &self.stderr, &output.stderr)]
        {
            let text = self.sandbox.normalise(text);
            if let Some(difference) = expected.difference(&text) {
                writeln!(failures, "{name}: {difference}").unwrap();
            }
        }
        assert!(
            failures.is_empty(),
            "{self}\n{failures}--- stdout\n{}--- stderr\n{}---",
            output.stdout,
            output.stderr
        );
    }
}

impl std::fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.program.file_name().unwrap_or_default().to_string_lossy())?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", arg.as_encoded_bytes().escape_ascii()))
    }
}

impl Expected {
    fn add(&mut self, text: String) {
        if let Self::Holding(texts) = self {
            texts.push(text);
        } else {
            *self = Self::Holding(vec![text]);
        }
    }

    /// Returns the difference between `text` and the expectation.
    fn difference(&self, text: &str) -> Option<String> {
        match self {
            Self::Exactly(expected) => {
                let same = predicates::str::diff(expected.clone());
                let case = same.find_case(false, text)?;
                let difference = case.products().next()?.value().to_string();
                let lines = difference.trim().split_once("\n@@").map_or("", |(_, lines)| lines);
                Some(format!("- expected, + got\n@@{lines}"))
            }
            Self::Holding(parts) => missing("", parts, text),
            Self::Attempt => {
                let attempt =
                    text.strip_prefix("Starting SSH tunnel to ").and_then(|rest| rest.strip_suffix("...\n"));
                let good = text.is_empty() || attempt.is_some_and(|host| !host.contains('\n'));
                (!good).then(|| "more than the line of an attempt".to_owned())
            }
            Self::Error { first, hints } => {
                let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
                let stray = rest.lines().find(|line| !line.starts_with("hint: "));
                missing(" in its first line", first, line)
                    .or_else(|| missing(" in its hints", hints, rest))
                    .or_else(|| stray.map(|line| format!("neither the first line nor a hint: {line:?}")))
                    .or_else(|| (!text.ends_with('\n')).then(|| "does not end with a newline".to_owned()))
            }
        }
    }
}

/// Drops the lines that say what a command waits for: they appear after a second, so on a busy machine only.
fn without_signs_of_life(text: &str) -> String {
    const SIGNS: [&str; 6] = [
        "Asking ",
        "Logging in to ",
        "Terminating ",
        "Waiting for dev...",
        "Waiting for sglang...",
        "Waiting for the tunnel",
    ];
    let is_sign = |line: &str| line.ends_with("...\n") && SIGNS.iter().any(|sign| line.starts_with(sign));
    text.split_inclusive('\n').filter(|line| !is_sign(line)).collect()
}

fn missing(place: &str, parts: &[String], text: &str) -> Option<String> {
    let part = parts.iter().find(|part| !text.contains(part.as_str()))?;
    Some(format!("{part:?} is missing{place}"))
}

impl From<&std::process::Output> for Output {
    fn from(output: &std::process::Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let status = output.status;
        Self {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: without_signs_of_life(&String::from_utf8_lossy(&output.stderr)),
        }
    }
}
