//! From TAB to the answer: what the completion scripts of soong, kubectl, gh and cargo run, whole
//! processes. The shell's own share is the same for all of them and left out.

mod harness;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use harness::chart::Chart;
use harness::contest::{Contestant, Plan, Times};
use harness::program;
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use soong::error::{Error, Result};

const PLAN: Plan = Plan { rounds: 15, turns: 5, limit: Duration::from_secs(25) };

/// Questions to complete: a name, the program, its arguments, and a word that a right answer contains.
const QUESTIONS: &[(&str, &str, &[&str], &str)] = &[
    ("soong, a built-in command", "soong-complete", &["words", "soong", "tunnel", "st"], "status"),
    (
        "soong, an instance",
        "soong-complete",
        &["words", "soong", "tunnel", "start", "--instance-id", "t"],
        "t7",
    ),
    ("soong, an extension's own", "soong-complete", &["words", "soong", "sample", "al"], "alpha"),
    ("kubectl, a built-in command", "kubectl", &["__complete", "conf"], "config"),
    ("kubectl, a context", "kubectl", &["__complete", "config", "use-context", "t"], "t7"),
    ("gh, a built-in command", "gh", &["__complete", "iss"], "issue"),
    ("cargo, the commands", "cargo", &["--list"], "build"),
];

/// An extension that answers for itself.
const SAMPLE: &str = "#!/bin/sh
# soong:summary: a sample
# soong:complete: soong
printf 'alpha\\tthe first\\nalbum\\tthe second\\n:4\\n'
";

fn main() -> ExitCode {
    harness::run("completion", measure)
}

fn measure() -> Result<Group> {
    let sandbox = Sandbox::new()?;
    let mut group = Group::new("Completion: from TAB to the answer", "");
    let path = furnish(&sandbox)?;
    let soong = program::soong()?;
    let mut asked = Vec::new();
    for &(name, who, arguments, expected) in QUESTIONS {
        let found = match who {
            "soong-complete" => Some(soong.with_file_name(who)).filter(|file| file.exists()),
            // Not the proxy that picks a toolchain first.
            "cargo" => Some(PathBuf::from(env!("CARGO"))),
            _ => program::find_peer(who, &mut group.missing),
        };
        let Some(found) = found else { continue };
        if answers(&sandbox, &path, &found, arguments, expected)? {
            asked.push((name, found, arguments));
        } else {
            group.missing.push(format!("completion of {name}: it does not answer '{expected}'"));
        }
    }
    let mut turns: Vec<_> = asked
        .iter()
        .map(|(_, file, arguments)| {
            let (sandbox, path) = (&sandbox, &path);
            move || sandbox.time(sandbox.command(file, path)?.args(*arguments))
        })
        .collect();
    let mut turns: Vec<Contestant> = turns.iter_mut().map(|turn| turn as Contestant).collect();
    let times = PLAN.hold("completion", &mut turns)?;
    let names: Vec<&str> = asked.iter().map(|(name, ..)| *name).collect();
    report(&mut group, &times, &names);
    Ok(group)
}

/// Writes instances, contexts and an extension to complete. Returns the `PATH`.
fn furnish(sandbox: &Sandbox) -> Result<OsString> {
    for directory in [".config/soong", ".kube", "bin"].map(|name| sandbox.path(name)) {
        std::fs::create_dir_all(&directory).map_err(|error| Error::io("create", &directory, error))?;
    }
    let instances: String =
        (0..10).map(|number| format!("[instances.t{number}]\nhost = \"192.0.2.{number}\"\n")).collect();
    sandbox.write(".config/soong/config.toml", &instances)?;
    let contexts: String =
        (0..10).map(|number| format!("- name: t{number}\n  context: {{cluster: c, user: u}}\n")).collect();
    sandbox.write(
        ".kube/config",
        &format!("apiVersion: v1\nkind: Config\ncontexts:\n{contexts}clusters: []\nusers: []\n"),
    )?;
    sandbox.write_program("bin/soong-sample", SAMPLE)?;
    Ok(program::path_with(&sandbox.path("bin")))
}

fn answers(
    sandbox: &Sandbox,
    path: &OsString,
    program: &Path,
    arguments: &[&str],
    expected: &str,
) -> Result<bool> {
    let output = sandbox.command(program, path)?.args(arguments).stdout(Stdio::piped()).output();
    let output = output.map_err(|error| failed("ask for a completion", error))?;
    Ok(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(expected))
}

fn report(group: &mut Group, times: &Times, names: &[&str]) {
    group.method = format!(
        "The command that a shell's completion script runs on TAB, whole process; {} rounds side by side,\n\
         each the middle of {} turns. For cargo, `cargo --list`, as its script does.",
        times.rounds(),
        PLAN.turns
    );
    let mut table = Table::new(&["answer, ms", "median", "min", "max"]);
    let mut chart = Chart::new("From TAB to the answer", "ms, less is better");
    for (index, name) in names.iter().enumerate() {
        table.add_summary(name, times.milliseconds(index), 2);
        chart.add(*name, times.milliseconds(index).median);
    }
    let place = |wanted: &str| names.iter().position(|name| name.starts_with(wanted));
    if let (Some(ours), Some(theirs)) = (place("soong, a built-in"), place("kubectl, a built-in")) {
        let ratio = times.compare(|round| round[ours] / round[theirs]);
        table.add_summary("soong ÷ kubectl, round by round", ratio, 3);
        group.goals.push(Goal::at_most("completion: soong ÷ kubectl, a built-in command", 0.2, ratio.median));
    }
    group.tables.push(table);
    group.charts.push(chart);
}
