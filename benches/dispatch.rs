//! Cost of `soong NAME` instead of `soong-NAME`, compared with other dispatchers: the smallest possible one,
//! which is `execvp` in C, and commands that users extend with their own programs.

mod harness;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use harness::chart::Chart;
use harness::contest::{Contestant, Plan, Times};
use harness::program;
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, check_signals, failed};
use soong::error::{Error, Result};

const QUICK: Plan = Plan { rounds: 60, turns: 21, limit: Duration::from_secs(30) };
/// For those that take a hundred times as long.
const SLOW: Plan = Plan { rounds: 15, turns: 3, limit: Duration::from_secs(20) };
/// How long instructions are counted at most: a program runs fifty times slower then.
const COUNTING: Duration = Duration::from_secs(8);

/// The program that is meant. It does nothing.
const NOOP: &str = "int main(void) { return 0; }\n";

/// The least that finds a program on PATH and becomes it.
const SMALLEST: &str = r#"#include <unistd.h>

int main(int count, char **arguments)
{
    (void)count;
    execvp("soong-noop", arguments);
    return 127;
}
"#;

fn main() -> ExitCode {
    harness::run("dispatch", measure)
}

fn measure() -> Result<Group> {
    let sandbox = Sandbox::new()?;
    let mut group = Group::new("Dispatch: what soong NAME adds to soong-NAME", "");
    let ways = Ways::build(&sandbox, &mut group.missing)?;
    let quick = ways.hold(QUICK, &QUICK_WAYS)?;
    let slow_ways: Vec<Way> =
        [Way::Direct, Way::Cargo, Way::Kubectl, Way::Gh].into_iter().filter(|&way| ways.has(way)).collect();
    let slow = ways.hold(SLOW, &slow_ways)?;
    group.method = format!(
        "{} rounds side by side, each the middle of {} turns, order turned round every time; {} rounds of {}\n\
         for the slow ones. NAME is a program that does nothing, on the first directory of PATH.",
        quick.rounds(),
        QUICK.turns,
        slow.rounds(),
        SLOW.turns
    );
    report_times(&mut group, (&quick, &QUICK_WAYS), (&slow, &slow_ways));
    if let Some(valgrind) = program::find_peer("valgrind", &mut group.missing) {
        let counted = ways.count_instructions(&valgrind, &slow_ways, &mut group.missing)?;
        group.tables.push(counted);
    }
    Ok(group)
}

const QUICK_WAYS: [Way; 4] = [Way::Direct, Way::Smallest, Way::Soong, Way::Git];

fn report_times(group: &mut Group, quick: (&Times, &[Way]), slow: (&Times, &[Way])) {
    let mut table = Table::new(&["time", "median", "min", "max"]);
    table.add_summary("soong-noop itself, ms", quick.0.milliseconds(0), 3);
    let mut chart = Chart::new("What is added to the program that is meant", "µs, less is better");
    for (times, ways) in [quick, slow] {
        for (index, way) in ways.iter().enumerate().skip(1) {
            let added = times.compare(|round| (round[index] - round[0]) * 1e6);
            table.add_summary(&format!("added by {}, µs", way.name()), added, 0);
            chart.add(way.name(), added.median);
        }
    }
    let ratio = |to: usize| quick.0.compare(move |round| (round[2] - round[0]) / (round[to] - round[0]));
    table.add_summary("soong ÷ C, round by round", ratio(1), 2);
    table.add_summary("soong ÷ git, round by round", ratio(3), 2);
    group.tables.push(table);
    group.charts.push(chart);
    group.goals.push(Goal::at_most("dispatch: added by soong ÷ added by execvp in C", 1.25, ratio(1).median));
    group.goals.push(Goal::at_most("dispatch: added by soong ÷ added by git", 0.4, ratio(3).median));
}

/// A way to have the program run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Direct,
    Smallest,
    Soong,
    Git,
    Cargo,
    Kubectl,
    Gh,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Direct => "nothing between",
            Self::Smallest => "execvp in C",
            Self::Soong => "soong",
            Self::Git => "git",
            Self::Cargo => "cargo",
            Self::Kubectl => "kubectl",
            Self::Gh => "gh",
        }
    }
}

/// The programs that the ways lead through.
struct Ways<'a> {
    sandbox: &'a Sandbox,
    path: OsString,
    programs: Vec<(Way, PathBuf)>,
}

impl<'a> Ways<'a> {
    fn build(sandbox: &'a Sandbox, missing: &mut Vec<String>) -> Result<Self> {
        let directory = sandbox.path("bin");
        std::fs::create_dir(&directory).map_err(|error| Error::io("create", &directory, error))?;
        let path = program::path_with(&directory);
        let build = |name: &str, source: &str| -> Result<PathBuf> {
            let source = sandbox.write(&format!("{name}.c"), source)?;
            let built = directory.join(name);
            let mut compiler = sandbox.command(&program::find("cc")?, &path)?;
            sandbox.time(compiler.args(["-O2", "-o"]).args([&built, &source]))?;
            Ok(built)
        };
        let noop = build("soong-noop", NOOP)?;
        let mut programs =
            vec![(Way::Smallest, build("smallest", SMALLEST)?), (Way::Soong, program::soong()?)];
        let extension = sandbox.path(".local/share/gh/extensions/gh-noop");
        std::fs::create_dir_all(&extension).map_err(|error| Error::io("create", &extension, error))?;
        for copy in ["git-noop", "cargo-noop", "kubectl-noop"].map(|name| directory.join(name)) {
            std::fs::copy(&noop, &copy).map_err(|error| Error::io("write", &copy, error))?;
        }
        let copy = extension.join("gh-noop");
        std::fs::copy(&noop, &copy).map_err(|error| Error::io("write", &copy, error))?;
        // Not the proxy that picks a toolchain first.
        programs.push((Way::Cargo, PathBuf::from(env!("CARGO"))));
        for (way, name) in [(Way::Git, "git"), (Way::Kubectl, "kubectl"), (Way::Gh, "gh")] {
            programs.extend(program::find_peer(name, missing).map(|program| (way, program)));
        }
        programs.push((Way::Direct, noop));
        Ok(Self { sandbox, path, programs })
    }

    fn has(&self, way: Way) -> bool {
        self.programs.iter().any(|(other, _)| *other == way)
    }

    fn program(&self, way: Way) -> Result<&Path> {
        let program = self.programs.iter().find(|(other, _)| *other == way);
        program.map(|(_, program)| program.as_path()).ok_or_else(|| {
            let name = way.name();
            Error::ProgramMissing { program: name.to_owned(), hint: program::install(name) }
        })
    }

    fn hold(&self, plan: Plan, ways: &[Way]) -> Result<Times> {
        let mut contestants: Vec<_> = ways.iter().map(|&way| move || self.time(way)).collect();
        let mut contestants: Vec<Contestant> =
            contestants.iter_mut().map(|contestant| contestant as Contestant).collect();
        plan.hold("dispatch", &mut contestants)
    }

    fn time(&self, way: Way) -> Result<Duration> {
        let mut command = self.sandbox.command(self.program(way)?, &self.path)?;
        // All get the same number of arguments.
        self.sandbox.time(command.arg("noop"))
    }

    fn count_instructions(&self, valgrind: &Path, slow: &[Way], missing: &mut Vec<String>) -> Result<Table> {
        let mut table = Table::new(&["instructions (callgrind)", "thousands", "÷ C"]);
        let smallest = self.instructions(valgrind, Way::Smallest)?.unwrap_or(1.0);
        for way in QUICK_WAYS.into_iter().chain(slow.iter().copied()).filter(|&way| way != Way::Direct) {
            match self.instructions(valgrind, way)? {
                Some(count) => table.add(
                    &format!("added by {}", way.name()),
                    [format!("{:.0}", count / 1e3), format!("{:.2}", count / smallest)],
                ),
                None => {
                    missing.push(format!("instructions of {}: valgrind does not get through it", way.name()));
                }
            }
        }
        Ok(table)
    }

    /// The instructions up to the point where the program becomes the one that is meant, or has run
    /// it. Callgrind itself goes with the program then, so it has to write down what it has counted
    /// before that.
    fn instructions(&self, valgrind: &Path, way: Way) -> Result<Option<f64>> {
        let name = format!("{way:?}.count");
        let mut command: Command = self.sandbox.command(valgrind, &self.path)?;
        command.args(["--tool=callgrind", "--dump-before=execve"]);
        command.arg(format!("--callgrind-out-file={}", self.sandbox.path(&name).display()));
        command.arg(self.program(way)?).arg("noop").stdout(Stdio::null()).stderr(Stdio::null());
        if !ends_well(&mut command)? {
            return Ok(None);
        }
        let parts = (1..)
            .map_while(|part| std::fs::read_to_string(self.sandbox.path(&format!("{name}.{part}"))).ok());
        let whole = std::fs::read_to_string(self.sandbox.path(&name)).ok();
        let count: f64 = parts
            .chain(whole)
            .filter_map(|part| {
                part.lines().find_map(|line| line.strip_prefix("totals: ")?.parse::<f64>().ok())
            })
            .sum();
        Ok((count > 0.0).then_some(count))
    }
}

/// Runs a command that may take too long; it is ended then, and has not ended well.
fn ends_well(command: &mut Command) -> Result<bool> {
    let mut child = command.spawn().map_err(|error| failed("run valgrind", error))?;
    let deadline = Instant::now() + COUNTING;
    loop {
        let ended = child.try_wait().map_err(|error| failed("wait for valgrind", error))?;
        let ending = check_signals();
        if ended.is_none() && (ending.is_err() || Instant::now() >= deadline) {
            let _ = child.kill();
            let _ = child.wait();
            return ending.map(|()| false);
        }
        if let Some(status) = ended {
            return Ok(status.success());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
