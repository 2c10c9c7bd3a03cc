//! What it costs to say `soong NAME` instead of `soong-NAME`, against what the smallest program
//! costs that can stand between a caller and the program it means: `execvp` in C.

mod harness;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use harness::contest::{Plan, Times};
use harness::program;
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use soong::error::{Error, Result};

const PLAN: Plan = Plan { rounds: 100, turns: 21, limit: Duration::from_secs(45) };

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
    let ways = Ways::build(&sandbox)?;
    let times = PLAN.hold(
        "dispatch",
        &mut [&mut || ways.time(Way::Direct), &mut || ways.time(Way::Smallest), &mut || {
            ways.time(Way::Soong)
        }],
    )?;
    let added = |way: usize| move |round: &[f64]| round[way] - round[0];
    let ratio = times.compare(|round| added(2)(round) / added(1)(round));
    let mut group = Group {
        title: "Dispatch: what soong NAME adds to soong-NAME".to_owned(),
        method: format!(
            "{} rounds side by side, each the middle of {} turns, order turned round every time;\n\
             soong-noop is a program that does nothing, on the first directory of PATH.",
            times.rounds(),
            PLAN.turns
        ),
        tables: vec![table(&times)],
        goals: vec![Goal {
            what: "added by soong ÷ added by the C program".to_owned(),
            at_most: 1.5,
            measured: ratio.median,
        }],
    };
    match program::find("valgrind") {
        Ok(valgrind) => group.tables.push(ways.count_instructions(&valgrind)?),
        Err(_) => soong::term::print_error(&format!(
            "dispatch: instructions are not counted, for want of valgrind; {}\n",
            program::install("valgrind")
        )),
    }
    Ok(group)
}

fn table(times: &Times) -> Table {
    let added = |way: usize| times.compare(|round| (round[way] - round[0]) * 1e6);
    let ratio = times.compare(|round| (round[2] - round[0]) / (round[1] - round[0]));
    let mut table = Table::new(&["time", "median", "min", "max"]);
    table.add_summary("soong-noop, ms", times.milliseconds(0), 3);
    table.add_summary("execvp in C, ms", times.milliseconds(1), 3);
    table.add_summary("soong noop, ms", times.milliseconds(2), 3);
    table.add_summary("added by execvp in C, µs", added(1), 0);
    table.add_summary("added by soong, µs", added(2), 0);
    table.add_summary("soong ÷ C, round by round", ratio, 2);
    table
}

/// A way to have soong-noop run.
#[derive(Debug, Clone, Copy)]
enum Way {
    Direct,
    Smallest,
    Soong,
}

/// The programs that the ways lead through.
struct Ways<'a> {
    sandbox: &'a Sandbox,
    path: OsString,
    noop: PathBuf,
    smallest: PathBuf,
    soong: PathBuf,
}

impl<'a> Ways<'a> {
    fn build(sandbox: &'a Sandbox) -> Result<Self> {
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
        let (noop, smallest) = (build("soong-noop", NOOP)?, build("smallest", SMALLEST)?);
        Ok(Self { sandbox, path, noop, smallest, soong: program::soong()? })
    }

    fn program(&self, way: Way) -> &Path {
        match way {
            Way::Direct => &self.noop,
            Way::Smallest => &self.smallest,
            Way::Soong => &self.soong,
        }
    }

    fn time(&self, way: Way) -> Result<Duration> {
        let mut command = self.sandbox.command(self.program(way), &self.path)?;
        // All get the same number of arguments.
        self.sandbox.time(command.arg("noop"))
    }

    fn count_instructions(&self, valgrind: &Path) -> Result<Table> {
        let mut table = Table::new(&["instructions (callgrind)", "count"]);
        let (c, soong) =
            (self.instructions(valgrind, Way::Smallest)?, self.instructions(valgrind, Way::Soong)?);
        table.rows.push(vec!["added by execvp in C".to_owned(), c.to_string()]);
        table.rows.push(vec!["added by soong".to_owned(), soong.to_string()]);
        #[expect(clippy::cast_precision_loss, reason = "nobody executes 2^52 instructions here")]
        let ratio = soong as f64 / c as f64;
        table.rows.push(vec!["soong ÷ C".to_owned(), format!("{ratio:.2}")]);
        Ok(table)
    }

    /// The instructions up to the point where the program becomes soong-noop. Callgrind itself goes
    /// with the program then, so it has to write down what it has counted before that.
    fn instructions(&self, valgrind: &Path, way: Way) -> Result<u64> {
        let name = format!("{way:?}.count");
        let mut command: Command = self.sandbox.command(valgrind, &self.path)?;
        command.args(["--tool=callgrind", "--dump-before=execve"]);
        command.arg(format!("--callgrind-out-file={}", self.sandbox.path(&name).display()));
        self.sandbox.time(command.arg(self.program(way)).arg("noop"))?;
        let count: u64 = (1..)
            .map_while(|part| std::fs::read_to_string(self.sandbox.path(&format!("{name}.{part}"))).ok())
            .filter_map(|part| {
                part.lines().find_map(|line| line.strip_prefix("totals: ")?.parse::<u64>().ok())
            })
            .sum();
        if count == 0 {
            return Err(failed("count instructions", std::io::Error::other("callgrind wrote nothing")));
        }
        Ok(count)
    }
}
