//! What soong in the prompt costs, against the least that a prompt which runs a program costs, and
//! against git's prompt.

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use harness::contest::{Plan, Times};
use harness::program;
use harness::report::{Bound, Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use soong::error::{Error, Result};
use soong::time::now;

const PLAN: Plan = Plan { rounds: 15, turns: 1, limit: Duration::from_secs(40) };

/// How often something quick is done for one figure, and something slow.
const OFTEN: u32 = 1000;
const RARELY: u32 = 50;

/// Where packages put git's prompt.
const GIT_PROMPTS: [&str; 4] = [
    "/usr/lib/git-core/git-sh-prompt",
    "/usr/share/git-core/contrib/completion/git-prompt.sh",
    "/usr/share/git/completion/git-prompt.sh",
    "/etc/bash_completion.d/git-prompt",
];

struct Shell {
    name: &'static str,
    options: &'static [&'static str],
    hook: &'static str,
    /// Runs a program that does nothing, and takes what it prints.
    run_true: &'static str,
    /// What the hook may cost of that.
    at_most: f64,
}

const SHELLS: [Shell; 3] = [
    Shell {
        name: "bash",
        options: &["--norc", "--noprofile", "-i"],
        hook: "__soong_hook",
        run_true: "x=$(/bin/true)",
        at_most: 1.0 / 12.0,
    },
    Shell {
        name: "zsh",
        options: &["-f", "-i"],
        hook: "_soong_hook",
        run_true: "x=$(/bin/true)",
        at_most: 1.0 / 12.0,
    },
    Shell {
        name: "fish",
        options: &["--no-config", "-i"],
        hook: "__soong_hook",
        run_true: "set x (/bin/true)",
        at_most: 1.0 / 4.0,
    },
];

fn main() -> ExitCode {
    harness::run("prompt", measure)
}

fn measure() -> Result<Group> {
    let sandbox = Sandbox::new()?;
    let method = format!(
        "Per shell {} rounds, the contestants by turns; a figure is what one of {OFTEN} prompts takes\n\
         ({RARELY} where a program is run).",
        PLAN.rounds
    );
    let mut group = Group::new("Prompt: what soong adds to each prompt", method);
    for shell in &SHELLS {
        if let Some(program) = program::find_peer(shell.name, &mut group.missing) {
            Bench { sandbox: &sandbox, shell, program }.measure(&mut group)?;
        }
    }
    Ok(group)
}

fn at_most(what: String, limit: f64, measured: f64) -> Goal {
    Goal { what, bound: Bound::AtMost, limit, measured }
}

struct Bench<'a> {
    sandbox: &'a Sandbox,
    shell: &'a Shell,
    program: PathBuf,
}

impl Bench<'_> {
    fn measure(&self, group: &mut Group) -> Result<()> {
        let (name, hook) = (self.shell.name, self.shell.hook);
        let load = format!(". '{}/shell/soong.{name}'", env!("CARGO_MANIFEST_DIR"));
        let mut with = || self.time(&load, hook, OFTEN, true);
        let mut without = || self.time(&load, hook, OFTEN, false);
        let mut run_true = || self.time("", self.shell.run_true, RARELY, false);
        let git = self.git_prompt(&mut group.missing)?;
        let mut run_git = || match &git {
            Some(git) => self.time(git, "__git_ps1 >/dev/null", RARELY, false),
            None => Ok(Duration::ZERO),
        };
        let times = PLAN.hold(name, &mut [&mut with, &mut without, &mut run_true, &mut run_git])?;
        let forks = self.forks(&load, hook, &mut group.missing)?;
        group.tables.push(self.table(&times, git.is_some(), forks));
        let ratio = times.compare(|round| round[0] / round[2]).median;
        group.goals.push(at_most(
            format!("{name}: a prompt with a tunnel ÷ one $(/bin/true)"),
            self.shell.at_most,
            ratio,
        ));
        if git.is_some() {
            let ratio = times.compare(|round| round[0] / round[3]).median;
            group.goals.push(at_most(
                format!("{name}: a prompt with a tunnel ÷ git's prompt"),
                1.0 / 40.0,
                ratio,
            ));
        }
        if let Some(forks) = forks {
            group.goals.push(at_most(format!("{name}: processes per prompt"), 0.0, forks));
        }
        Ok(())
    }

    fn table(&self, times: &Times, git: bool, forks: Option<f64>) -> Table {
        let mut table = Table::new(&[self.shell.name, "median", "min", "max"]);
        let microseconds = |contestant: usize| times.compare(|round| round[contestant] * 1e6);
        table.add_summary("one tunnel, µs", microseconds(0), 1);
        table.add_summary("no tunnel, µs", microseconds(1), 1);
        table.add_summary("$(/bin/true), µs", microseconds(2), 1);
        if git {
            table.add_summary("git's prompt, µs", microseconds(3), 1);
        }
        table.add_summary("one tunnel ÷ $(/bin/true)", times.compare(|round| round[0] / round[2]), 3);
        if let Some(forks) = forks {
            table.add("processes per prompt", [format!("{forks:.2}")]);
        }
        table
    }

    /// What reads git's prompt, in a repository, where there is one for this shell.
    fn git_prompt(&self, missing: &mut Vec<String>) -> Result<Option<String>> {
        if self.shell.name != "bash" {
            return Ok(None);
        }
        let prompt = GIT_PROMPTS.iter().find(|file| Path::new(file).is_file());
        let (Some(prompt), Some(git)) = (prompt, program::find_peer("git", missing)) else {
            return Ok(None);
        };
        let repository = self.sandbox.path("repository");
        let path = program::path_with(&self.sandbox.path("bin"));
        self.sandbox.time(self.sandbox.command(&git, &path)?.args(["init", "-q"]).arg(&repository))?;
        Ok(Some(format!(". {prompt}; cd '{}'", repository.display())))
    }

    /// How long `work` takes, done `times` times after `load`.
    fn time(&self, load: &str, work: &str, times: u32, tunnel: bool) -> Result<Duration> {
        let script = match self.shell.name {
            "fish" => format!(
                "{load}\nset begun (date +%s%N)\nfor i in (seq {times})\n{work}\nend\necho $begun (date +%s%N)\n"
            ),
            _ => format!(
                "{load}\nbegun=$(date +%s%N)\nfor ((i = 0; i < {times}; i++)); do {work}; done\n\
                 echo $begun $(date +%s%N)\n"
            ),
        };
        let output = self.command(&script, tunnel)?.output().map_err(|error| failed("run a shell", error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let stamps: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [begun, ended] = stamps[..] else {
            return Err(Error::failed(format!("{} said: {text}", self.shell.name)));
        };
        Ok(Duration::from_nanos(ended.saturating_sub(begun)) / times)
    }

    /// How many processes the hook starts.
    fn forks(&self, load: &str, hook: &str, missing: &mut Vec<String>) -> Result<Option<f64>> {
        const PROMPTS: u32 = 50;
        let Some(strace) = program::find_peer("strace", missing) else { return Ok(None) };
        let log = self.sandbox.path("strace");
        let mut started = [0, 0];
        for (count, times) in started.iter_mut().zip([1, PROMPTS + 1]) {
            let script: String =
                std::iter::once(format!("{load}\n")).chain((0..times).map(|_| format!("{hook}\n"))).collect();
            let inner = self.command(&script, true)?;
            let mut command = Command::new(&strace);
            command.args(["-f", "-qq", "-e", "trace=fork,vfork,clone,clone3,execve", "-o"]).arg(&log);
            command.arg(inner.get_program()).args(inner.get_args()).env_clear();
            command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
            command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
            command.status().map_err(|error| failed("run strace", error))?;
            let calls = fs::read_to_string(&log).map_err(|error| Error::io("read", &log, error))?;
            *count =
                calls.lines().filter(|line| !line.contains("CLONE_THREAD") && line.contains('(')).count();
        }
        let more = u32::try_from(started[1].saturating_sub(started[0])).unwrap_or(u32::MAX);
        Ok(Some(f64::from(more) / f64::from(PROMPTS)))
    }

    /// The shell, about to run `script`, where a tunnel seems to be up or there is none.
    fn command(&self, script: &str, tunnel: bool) -> Result<Command> {
        let script = self.sandbox.write("script", script)?;
        let path = program::path_with(&self.sandbox.path("bin"));
        let mut command = self.sandbox.command(&self.program, &path)?;
        command.args(self.shell.options).arg(script).env("TERM", "xterm").stdout(Stdio::piped());
        let runtime = self.sandbox.path("soong");
        soong::paths::create_private(&runtime)?;
        let line = format!("soong1 {} {} 75 up dev - 8000,5678,8080\n", std::process::id(), now() + 70);
        self.sandbox.write("soong/prompt", if tunnel { &line } else { "" })?;
        Ok(command)
    }
}
