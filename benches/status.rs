//! Cost of a status query: `soong tunnel status` against `ssh -O check` at the control socket of the same
//! tunnel, whole processes.

mod harness;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use harness::chart::Chart;
use harness::contest::Plan;
use harness::report::{Goal, Group, Table};
use harness::sandbox::Sandbox;
use harness::sshd::Sshd;
use harness::tunnel::{Forwards, Make, Tunnel};
use harness::{config, program};
use soong::error::{Error, Result};

const PLAN: Plan = Plan { rounds: 60, turns: 11, limit: Duration::from_secs(30) };

fn main() -> ExitCode {
    harness::run("status", measure)
}

fn measure() -> Result<Group> {
    let sandbox = Sandbox::new()?;
    let sshd = Sshd::start(&sandbox)?;
    let forwards = Forwards::choose()?;
    config::write(&sandbox, &sshd, &forwards.services())?;
    let mut tunnel = Tunnel::new(Make::Soong, &sandbox, &sshd, &forwards)?;
    tunnel.time_start()?;
    let control = control_socket(&sandbox)?;
    let soong = program::soong()?;
    let direct = soong.with_file_name("soong-tunnel");
    let ssh = program::find("ssh")?;
    let path = program::path_with(Path::new("/usr/bin"));
    let check = || {
        let mut command = sandbox.command(&ssh, &path)?;
        sandbox.time(command.arg("-S").arg(&control).args(["-O", "check", "bench"]))
    };
    let ours = |program: &Path, arguments: &[&str]| {
        let mut command = sandbox.command(program, &path)?;
        sandbox.time(command.args(arguments))
    };
    let times = PLAN.hold(
        "status",
        &mut [&mut || check(), &mut || ours(&soong, &["tunnel", "status"]), &mut || {
            ours(&direct, &["status"])
        }],
    )?;
    let mut group = Group::new(
        "Status: does a tunnel run?",
        format!("{} rounds side by side, each the middle of {} turns.", times.rounds(), PLAN.turns),
    );
    let mut table = Table::new(&["status, ms", "median", "min", "max"]);
    let mut chart = Chart::new("Asking whether a tunnel runs, whole process", "ms, less is better");
    for (index, name) in
        ["ssh -O check", "soong tunnel status", "soong-tunnel status"].into_iter().enumerate()
    {
        table.add_summary(name, times.milliseconds(index), 2);
        chart.add(name, times.milliseconds(index).median);
    }
    table.add_summary("soong ÷ ssh -O check, round by round", times.compare(|round| round[1] / round[0]), 2);
    chart.goal = Some(("goal for soong:".to_owned(), 3.0));
    group.tables.push(table);
    group.charts.push(chart);
    let measured = times.milliseconds(1).median;
    group.goals.push(Goal::at_most("status: soong tunnel status, whole process, ms", 3.0, measured));
    Ok(group)
}

/// Where the ssh of the only tunnel in `sandbox` listens to commands.
fn control_socket(sandbox: &Sandbox) -> Result<PathBuf> {
    let tunnels = sandbox.runtime("soong/tunnels");
    let listed = std::fs::read_dir(&tunnels).map_err(|error| Error::io("read", &tunnels, error))?;
    let sockets = listed.flatten().map(|entry| entry.path().join("ctl"));
    sockets
        .into_iter()
        .find(|socket| socket.exists())
        .ok_or_else(|| Error::failed("there is no control socket"))
}
