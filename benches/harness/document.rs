//! `target/bench/report.md`: one page with the results of all benchmarks and a picture of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use soong::error::{Error, Result};

use super::budget::GROUPS;
use super::report::{Group, Table};
use super::{program, sandbox};

/// Stores the results of the benchmark `name` and writes the page anew. Returns its path.
pub fn write(name: &str, group: &Group) -> Result<PathBuf> {
    let directory = program::target()?.join("bench");
    fs::create_dir_all(&directory).map_err(|error| Error::io("create", &directory, error))?;
    let json =
        serde_json::to_string(group).map_err(|error| sandbox::failed("write figures", error.into()))?;
    keep(&directory.join(format!("{name}.json")), &json)?;
    for (number, chart) in group.charts.iter().enumerate() {
        keep(&directory.join(picture(name, number)), &chart.svg())?;
    }
    let found: Vec<(&str, Group)> =
        GROUPS.iter().filter_map(|&(name, _)| Some((name, read(&directory, name)?))).collect();
    let page = directory.join("report.md");
    keep(&page, &render(&found))?;
    Ok(page)
}

fn keep(file: &Path, contents: &str) -> Result<()> {
    fs::write(file, contents).map_err(|error| Error::io("write", file, error))
}

fn read(directory: &Path, name: &str) -> Option<Group> {
    serde_json::from_str(&fs::read_to_string(directory.join(format!("{name}.json"))).ok()?).ok()
}

fn picture(name: &str, number: usize) -> String {
    format!("{name}-{}.svg", number + 1)
}

fn render(found: &[(&str, Group)]) -> String {
    let mut page = format!("# soong, measured\n\n{}\n", machine());
    page += "Every figure is the middle of several. What is compared took turns on the same machine;\n\
             ratios are taken turn by turn. Compare ratios, not milliseconds, with another machine's.\n\n";
    page += "| goal | wanted | measured | |\n|---|---|---:|---|\n";
    for goal in found.iter().flat_map(|(_, group)| &group.goals) {
        let (measured, verdict) = goal.verdict();
        let verdict = if goal.is_met() { verdict.to_owned() } else { format!("**{verdict}**") };
        page += &format!("| {} | {} | {measured} | {verdict} |\n", cell(&goal.what), goal.wanted());
    }
    page += &durations(found);
    let missing: Vec<&String> = found.iter().flat_map(|(_, group)| &group.missing).collect();
    if !missing.is_empty() {
        page += "\nNot measured:\n\n";
        let mut said: Vec<&String> = Vec::new();
        for missing in missing {
            if !said.contains(&missing) {
                page += &format!("- {missing}\n");
                said.push(missing);
            }
        }
    }
    for (name, group) in found {
        page += &format!("\n## {}\n\n{}\n\n", group.title, group.method);
        page += &format!("Again: `make bench GROUPS={name}`\n\n");
        for (number, chart) in group.charts.iter().enumerate() {
            page += &format!("![{}]({})\n\n", chart.title.replace(['[', ']'], ""), picture(name, number));
        }
        for table in &group.tables {
            page += &markdown(table);
        }
    }
    page
}

/// Lists the duration of each benchmark and the load of the machine.
fn durations(found: &[(&str, Group)]) -> String {
    let mut text = "\n| benchmark | took, s | load at its end |\n|---|---:|---:|\n".to_owned();
    for (name, group) in found {
        let load = group.load.map_or("unknown".to_owned(), |load| format!("{load:.1}"));
        text += &format!("| {name} | {:.0} | {load} |\n", group.seconds);
    }
    let whole: f64 = found.iter().map(|(_, group)| group.seconds).sum();
    text + &format!("| all of them | {whole:.0} | |\n")
}

fn markdown(table: &Table) -> String {
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = format!("|---{}|\n", "|---:".repeat(table.columns.len().saturating_sub(1)));
    let rows: String = table.rows.iter().map(|cells| row(cells)).collect();
    format!("{}{rule}{rows}\n", row(&table.columns))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Describes the machine in a few lines.
fn machine() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unknown processor", |(_, name)| name)
        .to_owned();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        String::from_utf8_lossy(&text).lines().next().map(str::to_owned)
    };
    let versions: Vec<String> =
        [said("uname", "-sr"), said("ssh", "-V"), said(env!("CARGO"), "--version"), said("git", "--version")]
            .into_iter()
            .flatten()
            .collect();
    format!("{processor}, {cores} cores; {}.\n", versions.join("; "))
}
