//! Cost of a prompt in bash, zsh and fish: with soong's hook while a tunnel is up and while there is none,
//! with git's prompt, with starship, and with the cheapest start of a process, `$(/bin/true)`.
//!
//! The shell repeats its work before each prompt, the hooks and the expansion of its prompt, many times;
//! every figure includes the time of an empty loop. Figures are processor time of the shell and its children,
//! not elapsed time, because other processes hardly change that. A ratio compares figures of one round, in
//! which every contestant had a turn.

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::chart::Chart;
use harness::contest::{Contestant, Plan, Times};
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use harness::{budget, program};
use soong::error::{Error, Result};

const PLAN: Plan = Plan { rounds: 9, turns: 1, limit: budget::PROMPT };
/// How many prompts, where they start a process and where they do not. Together more than 20,000
/// prompts are timed of those that do not.
const PROMPTS: (u32, u32) = (60, 2_500);
/// How many prompts are watched for the processes that they start.
const WATCHED: u32 = 20;

const SHELLS: [(&str, f64); 3] = [("bash", 1.0 / 12.0), ("zsh", 1.0 / 12.0), ("fish", 1.0 / 4.0)];

/// Goal: soong's share of the cost of git's prompt, in bash and zsh.
const OF_GIT: f64 = 1.0 / 40.0;

/// A hook of the user's, in bash, zsh and fish.
const ANOTHER_HOOK: [&str; 3] = [
    "PROMPT_COMMAND=:\n",
    "other() { :; }; precmd_functions=(other)\n",
    "function other --on-event fish_prompt; end\n",
];

/// A hook that changes a setting before each prompt, for which soong looks at the tunnels again, in bash, zsh and fish.
const CHANGE: [&str; 3] = [
    "SOONG_PROMPT_LEASE=30 PROMPT_COMMAND='SOONG_PROMPT_LEASE=$((61 - SOONG_PROMPT_LEASE))'\n",
    "SOONG_PROMPT_LEASE=30\nchange() { SOONG_PROMPT_LEASE=$((61 - SOONG_PROMPT_LEASE)) }; precmd_functions=(change)\n",
    "set -g SOONG_PROMPT_LEASE 30\n\
     function change --on-event fish_prompt; set SOONG_PROMPT_LEASE (math 61 - $SOONG_PROMPT_LEASE); end\n",
];

/// Tunnels of the prompt file for [`Segment::Many`].
const MANY: usize = 100;

/// A command before each prompt in fish, for which the segment leaves the prompt and comes back. The handler that does
/// nothing takes the cost of the event itself out of the comparison.
const COMMAND: &str = "function command_runs --on-event fish_prompt; emit fish_preexec true; end\n\
    function idle --on-event fish_preexec; end\n";

/// Goal: the cost that soong adds beside another hook, relative to its cost alone.
const OF_ALONE: f64 = 1.5;

/// Goal: the same in fish after a command, before which soong puts the user's own function back.
const OF_ALONE_AFTER_COMMAND: f64 = 3.0;

/// Segment of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    None,
    Idle,
    Soong,
    Hook,
    HookSoong,
    Command,
    CommandSoong,
    Change,
    Many,
    True,
    Git,
    Starship,
}

impl Segment {
    const ALL: [Self; 12] = [
        Self::None,
        Self::Idle,
        Self::Soong,
        Self::Hook,
        Self::HookSoong,
        Self::Command,
        Self::CommandSoong,
        Self::Change,
        Self::Many,
        Self::True,
        Self::Git,
        Self::Starship,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::None => "empty prompt",
            Self::Idle => "soong, no tunnel",
            Self::Soong => "soong",
            Self::Hook => "another hook",
            Self::HookSoong => "another hook, soong",
            Self::Command => "a command before",
            Self::CommandSoong => "a command before, soong",
            Self::Change => "soong after a change",
            Self::Many => "soong after a change, 100 tunnels",
            Self::True => "$(/bin/true)",
            Self::Git => "git's prompt",
            Self::Starship => "starship",
        }
    }

    fn prompts(self) -> u32 {
        let is_slow = matches!(self, Self::Change | Self::Many | Self::True | Self::Git | Self::Starship);
        if is_slow { PROMPTS.0 } else { PROMPTS.1 }
    }
}

fn main() -> ExitCode {
    harness::run("prompt", measure)
}

fn measure() -> Result<Group> {
    let stage = Stage::new()?;
    let mut group = Group::new(
        "Prompt: what a segment costs at each prompt",
        format!(
            "Interactive shells that run their prompt hooks and expand their prompt in a loop: {} prompts at a time\n\
             without processes, {} with, up to {} rounds. One tunnel is up; git and starship stand in a small\n\
             repository. After a change, as when a supervisor has renewed its line, soong looks at the tunnels\n\
             again. The time is the processor's, user and system, of the shell and its children.",
            PROMPTS.1, PROMPTS.0, PLAN.rounds
        ),
    );
    let strace = program::find_peer("strace", &mut group.missing);
    for (shell, limit) in SHELLS {
        let Some(file) = program::find_peer(shell, &mut group.missing) else { continue };
        let segments = stage.segments(shell, &mut group.missing)?;
        let mut turns: Vec<_> = segments
            .iter()
            .map(|(segment, setup)| {
                let (stage, file) = (&stage, &file);
                move || stage.time(shell, file, setup, segment.prompts())
            })
            .collect();
        let mut turns: Vec<Contestant> = turns.iter_mut().map(|turn| turn as Contestant).collect();
        let times = PLAN.hold(&format!("prompt of {shell}"), &mut turns)?;
        let forks = match &strace {
            Some(strace) => stage.forks(shell, &file, strace, &segments)?,
            None => Vec::new(),
        };
        let segments: Vec<Segment> = segments.iter().map(|(segment, _)| *segment).collect();
        report(&mut group, (shell, limit), &segments, &times, &forks);
    }
    Ok(group)
}

fn report(
    group: &mut Group,
    (shell, limit): (&str, f64),
    segments: &[Segment],
    times: &Times,
    forks: &[f64],
) {
    let micros = |round: &[f64], index: usize| round[index] / f64::from(segments[index].prompts()) * 1e6;
    let heading = format!("{shell}, µs a prompt");
    let mut table = Table::new(&[heading.as_str(), "median", "min", "max", "processes"]);
    let mut chart = Chart::new(format!("{shell}: a prompt with"), "µs, less is better");
    for (index, segment) in segments.iter().enumerate() {
        let summary = times.compare(|round| micros(round, index));
        let figures = [summary.median, summary.min, summary.max].map(|figure| format!("{figure:.0}"));
        let processes = forks.get(index).map_or_else(String::new, |forks| format!("{forks:.1}"));
        table.add(segment.name(), figures.into_iter().chain([processes]));
        chart.add(segment.name(), summary.median);
    }
    let place = |wanted: Segment| segments.iter().position(|segment| *segment == wanted);
    let Some(soong) = place(Segment::Soong) else { return };
    let heading = format!("{shell}, what soong adds, in % of");
    let of_git = (shell != "fish").then_some(OF_GIT);
    let mut shares = Table::new(&[heading.as_str(), "median", "min", "max"]);
    for (whole, limit) in [(Segment::True, Some(limit)), (Segment::Git, of_git)] {
        let Some(index) = place(whole) else { continue };
        // An empty prompt is the first.
        let added = |round: &[f64], index: usize| micros(round, index) - micros(round, 0);
        let share = times.compare(|round| added(round, soong) / added(round, index));
        let percent = times.compare(|round| added(round, soong) / added(round, index) * 100.0);
        shares.add_summary(whole.name(), percent, 2);
        let what = format!("prompt, {shell}: soong ÷ {}", whole.name());
        group.goals.extend(limit.map(|limit| Goal::at_most(what, limit, share.median)));
    }
    for (other, both, what, limit) in [
        (Segment::Hook, Segment::HookSoong, "beside another hook", OF_ALONE),
        (Segment::Command, Segment::CommandSoong, "after a command", OF_ALONE_AFTER_COMMAND),
    ] {
        let (Some(other), Some(both)) = (place(other), place(both)) else { continue };
        let ratio = |round: &[f64]| {
            (micros(round, both) - micros(round, other)) / (micros(round, soong) - micros(round, 0))
        };
        let percent = times.compare(|round| ratio(round) * 100.0);
        shares.add_summary(&format!("soong alone, {what}"), percent, 0);
        let what = format!("prompt, {shell}: soong {what} ÷ alone");
        group.goals.push(Goal::at_most(what, limit, times.compare(ratio).median));
    }
    if let Some(forks) = forks.get(soong) {
        group.goals.push(Goal::at_most(format!("prompt, {shell}: processes started"), 0.0, *forks));
    }
    group.tables.extend([table, shares]);
    group.charts.push(chart);
}

fn place_of(shell: &str) -> usize {
    SHELLS.iter().position(|(name, _)| *name == shell).unwrap_or(0)
}

/// A home with a tunnel that is up and a repository.
struct Stage {
    sandbox: Sandbox,
    repository: PathBuf,
}

impl Stage {
    fn new() -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let (runtime, idle, many, repository) = (
            sandbox.runtime("soong"),
            sandbox.path("idle/soong"),
            sandbox.path("many/soong"),
            sandbox.path("repository"),
        );
        for directory in [&runtime, &idle, &many, &repository] {
            fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, error))?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let line =
            |name: &str| format!("soong2 {} {} 900 up {name} - 8000 {name}\n", std::process::id(), now + 800);
        let prompt = runtime.join("prompt");
        fs::write(&prompt, line("dev")).map_err(|error| Error::io("write", &prompt, error))?;
        sandbox.write("idle/soong/prompt", "")?;
        let many: String = (0..MANY).map(|number| line(&format!("dev-{number}"))).collect();
        sandbox.write("many/soong/prompt", &many)?;
        let path = program::path_with(Path::new("/usr/bin"));
        if let Ok(git) = program::find("git") {
            let mut command = sandbox.command(&git, &path)?;
            sandbox.time(command.args(["init", "-q"]).arg(&repository))?;
        }
        Ok(Self { sandbox, repository })
    }

    /// Returns the segments for `shell`, each with the script that installs it.
    fn segments(&self, shell: &str, missing: &mut Vec<String>) -> Result<Vec<(Segment, String)>> {
        let mut found = Vec::new();
        for segment in Segment::ALL {
            if let Some(setup) = self.setup(segment, shell, missing)? {
                found.push((segment, setup));
            }
        }
        Ok(found)
    }

    fn setup(&self, segment: Segment, shell: &str, missing: &mut Vec<String>) -> Result<Option<String>> {
        let fish = shell == "fish";
        Ok(match segment {
            Segment::None => Some(String::new()),
            Segment::Idle | Segment::Soong | Segment::Change | Segment::Many => {
                let hook = Path::new(env!("CARGO_MANIFEST_DIR")).join("shell").join(format!("soong.{shell}"));
                let (word, sign) = if fish { ("set -gx", ' ') } else { ("export", '=') };
                let home = match segment {
                    Segment::Idle => self.sandbox.path("idle"),
                    Segment::Many => self.sandbox.path("many"),
                    _ => self.sandbox.runtime(""),
                };
                let runtime = format!("{word} XDG_RUNTIME_DIR{sign}'{}'", home.display());
                let is_changed = matches!(segment, Segment::Change | Segment::Many);
                let change = if is_changed { CHANGE[place_of(shell)] } else { "" };
                Some(format!("{change}{runtime}\nsource '{}'\n", hook.display()))
            }
            Segment::Hook => Some(ANOTHER_HOOK[place_of(shell)].to_owned()),
            Segment::Command => fish.then(|| COMMAND.to_owned()),
            Segment::HookSoong | Segment::CommandSoong => {
                let other = if segment == Segment::HookSoong { Segment::Hook } else { Segment::Command };
                let (other, soong) =
                    (self.setup(other, shell, missing)?, self.setup(Segment::Soong, shell, missing)?);
                other.zip(soong).map(|(other, soong)| other + &soong)
            }
            Segment::True if fish => Some("function fish_prompt; echo (/bin/true); end\n".to_owned()),
            Segment::True => Some("PS1='$(/bin/true)'\n".to_owned()),
            Segment::Git if fish => Some("function fish_prompt; fish_git_prompt; end\n".to_owned()),
            Segment::Git => {
                let places = ["/usr/lib/git-core/git-sh-prompt", "/etc/bash_completion.d/git-prompt"];
                let found = places.into_iter().find(|place| Path::new(place).exists());
                if found.is_none() {
                    missing.push(format!("git's prompt: {}", program::install("git")));
                }
                found.map(|file| format!("source {file}\nPS1='$(__git_ps1)'\n"))
            }
            Segment::Starship => {
                let Some(starship) = program::find_peer("starship", missing) else { return Ok(None) };
                let path = program::path_with(Path::new("/usr/bin"));
                let mut command = self.sandbox.command(&starship, &path)?;
                command.args(["init", shell, "--print-full-init"]).stdout(Stdio::piped());
                let output = command.output();
                let output = output.map_err(|error| failed("run starship", error))?;
                Some(String::from_utf8_lossy(&output.stdout).into_owned())
            }
        })
    }

    fn command(&self, shell: &str, file: &Path, setup: &str, prompts: u32) -> Result<Command> {
        let (script, arguments): (String, &[&str]) = match shell {
            "bash" => (
                format!(
                    "PS1=; {setup}\nfor ((soong_i = 0; soong_i < {prompts}; soong_i++)); do\n\
                     for soong_c in \"${{PROMPT_COMMAND[@]}}\"; do eval \"$soong_c\"; done\n\
                     soong_p=${{PS1@P}}\ndone\n"
                ),
                &["--norc", "--noprofile", "-i"],
            ),
            "zsh" => (
                format!(
                    "setopt promptsubst; PS1=; {setup}\nfor ((soong_i = 0; soong_i < {prompts}; soong_i++)); do\n\
                     for soong_c in $precmd_functions; do $soong_c; done\nsoong_p=${{(%%)PS1}}${{(%%)RPROMPT}}\ndone\n"
                ),
                &["-f", "-i"],
            ),
            _ => (
                format!(
                    "function fish_prompt; end\n{setup}\nset -l soong_i 0\nwhile test $soong_i -lt {prompts}\n\
                     emit fish_prompt\nfish_prompt >/dev/null\n\
                     functions -q fish_right_prompt; and fish_right_prompt >/dev/null\n\
                     set soong_i (math $soong_i + 1)\nend\n"
                ),
                &["--no-config", "-i"],
            ),
        };
        let script = self.sandbox.write(&format!("loop.{shell}"), &script)?;
        let path = program::path_with(Path::new("/usr/bin"));
        let mut command = self.sandbox.command(file, &path)?;
        command.env("TERM", "xterm").env("LANG", "C.UTF-8").current_dir(&self.repository);
        command.args(arguments).arg("-c").arg(format!("source '{}'", script.display()));
        Ok(command)
    }

    /// The processor's time for the prompts, without that of the shell's start and end.
    fn time(&self, shell: &str, file: &Path, setup: &str, prompts: u32) -> Result<Duration> {
        let start = self.sandbox.processor_time(&mut self.command(shell, file, setup, 0)?)?;
        let all = self.sandbox.processor_time(&mut self.command(shell, file, setup, prompts)?)?;
        Ok(all.saturating_sub(start))
    }

    /// How many processes each prompt starts.
    fn forks(
        &self,
        shell: &str,
        file: &Path,
        strace: &Path,
        segments: &[(Segment, String)],
    ) -> Result<Vec<f64>> {
        let count = |setup: &str, prompts: u32| -> Result<f64> {
            let log = self.sandbox.path("strace");
            // The same command, below strace.
            let plain = self.command(shell, file, setup, prompts)?;
            let path = program::path_with(Path::new("/usr/bin"));
            let mut watched = self.sandbox.command(strace, &path)?;
            watched.env("TERM", "xterm").env("LANG", "C.UTF-8").current_dir(&self.repository);
            watched.args(["-f", "-qq", "-e", "trace=clone,clone3,fork,vfork", "-o"]).arg(&log).arg(file);
            watched.args(plain.get_args());
            self.sandbox.time(&mut watched)?;
            let text = fs::read_to_string(&log).map_err(|error| Error::io("read", &log, error))?;
            let begun =
                text.lines().filter(|line| line.contains('(') && !line.contains("CLONE_THREAD")).count();
            #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 processes")]
            Ok(begun as f64)
        };
        segments
            .iter()
            .map(|(_, setup)| Ok((count(setup, WATCHED)? - count(setup, 0)?) / f64::from(WATCHED)))
            .collect()
    }
}
