//! How large the programs are, as they are shipped, and how long they take to do nothing.

mod harness;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::chart::Chart;
use harness::contest::{Contestant, Plan};
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use harness::{program, statistics::Summary};
use soong::error::{Error, Result};

const PLAN: Plan = Plan { rounds: 20, turns: 5, limit: Duration::from_secs(20) };
/// The programs a prompt or a dispatched command waits for, and what they may weigh in KB.
const SMALL: (&[&str], f64) = (&["soong", "soong-prompt"], 400.0);
/// The program that answers TAB, and its limit. It contains the definitions of all commands.
const COMPLETION: (&str, f64) = ("soong-complete", 1000.0);
/// Limit for each of the other programs, except those with TLS.
const OTHERS: f64 = 1200.0;
const WITH_TLS: [&str; 2] = ["soong-provider-lambda", "soong-provider-runpod"];

fn main() -> ExitCode {
    harness::run("size", measure)
}

fn measure() -> Result<Group> {
    let sandbox = Sandbox::new()?;
    let programs = programs()?;
    let path = program::path_with(Path::new("/usr/bin"));
    let mut turns: Vec<_> = programs
        .iter()
        .map(|(file, _)| {
            let (sandbox, path) = (&sandbox, &path);
            move || {
                let begun = Instant::now();
                // Those that only others call know no --version, and say so as quickly.
                let ended = sandbox.command(file, path)?.arg("--version").status();
                ended.map_err(|error| failed("run a program", error)).map(|_| begun.elapsed())
            }
        })
        .collect();
    let mut turns: Vec<Contestant> = turns.iter_mut().map(|turn| turn as Contestant).collect();
    let times = PLAN.hold("size", &mut turns)?;
    let mut group = Group::new(
        "Size: every program as it is shipped",
        format!(
            "Stripped release builds. Start-up is `PROGRAM --version`, the middle of {} × {} runs.",
            times.rounds(),
            PLAN.turns
        ),
    );
    let startup: Vec<Summary> = (0..programs.len()).map(|index| times.milliseconds(index)).collect();
    report(&mut group, &programs, &startup);
    Ok(group)
}

/// The programs beside `soong`, with their sizes in KB.
fn programs() -> Result<Vec<(PathBuf, f64)>> {
    let soong = program::soong()?;
    let directory = soong.parent().unwrap_or(Path::new("/"));
    let listed = std::fs::read_dir(directory).map_err(|error| Error::io("read", directory, error))?;
    let mut programs: Vec<(PathBuf, f64)> = Vec::new();
    for file in listed.flatten().map(|entry| entry.path()) {
        let of_ours = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("soong"));
        if of_ours && file.extension().is_none() && soong::system::paths::is_executable(&file) {
            let size = std::fs::metadata(&file).map_err(|error| Error::io("read", &file, error))?.len();
            #[expect(clippy::cast_precision_loss, reason = "no program has 2^52 bytes")]
            programs.push((file, size as f64 / 1e3));
        }
    }
    programs.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(programs)
}

fn report(group: &mut Group, programs: &[(PathBuf, f64)], startup: &[Summary]) {
    let mut table = Table::new(&["program", "KB", "start-up, ms"]);
    let mut chart = Chart::new("Programs as they are shipped", "KB, less is better");
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut small, mut completion, mut others, mut total) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0);
    for ((file, size), startup) in programs.iter().zip(startup) {
        let name = name(file);
        table.add(&name, [format!("{size:.0}"), format!("{:.2}", startup.median)]);
        chart.add(&name, *size);
        total += size;
        if SMALL.0.contains(&name.as_str()) {
            small = small.max(*size);
        } else if name == COMPLETION.0 {
            completion = *size;
        } else if !WITH_TLS.contains(&name.as_str()) {
            others = others.max(*size);
        }
    }
    table.add("all together", [format!("{total:.0}"), String::new()]);
    chart.goal = Some(("goal, but for those with TLS:".to_owned(), OTHERS));
    group.tables.push(table);
    group.charts.push(chart);
    group.goals.push(Goal::at_most("size: soong and soong-prompt, the larger, KB", SMALL.1, small));
    group.goals.push(Goal::at_most("size: soong-complete, KB", COMPLETION.1, completion));
    group.goals.push(Goal::at_most("size: largest of the others without TLS, KB", OTHERS, others));
}
