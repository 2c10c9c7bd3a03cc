//! Cost of starting a supervised tunnel, from the command until all ports answer: `soong tunnel start`
//! against `ssh -f -N` and other programs that keep an ssh running.

mod harness;

use std::process::ExitCode;
use std::time::Duration;

use harness::chart::Chart;
use harness::contest::{Contestant, Plan, Times};
use harness::report::{Goal, Group, Table};
use harness::sandbox::Sandbox;
use harness::sshd::Sshd;
use harness::tunnel::{Forwards, Make, Tunnel};
use harness::{config, program};
use soong::error::Result;

const PLAN: Plan = Plan { rounds: 30, turns: 1, limit: Duration::from_secs(35) };

fn main() -> ExitCode {
    harness::run("start", measure)
}

fn measure() -> Result<Group> {
    let sandbox = Sandbox::new()?;
    let sshd = Sshd::start(&sandbox)?;
    let forwards = Forwards::choose()?;
    config::write(&sandbox, &sshd, &forwards.services())?;
    let mut group = Group::new("Start: from the command to ports that answer", "");
    let mut makes = vec![Make::Ssh, Make::Soong];
    let others = [Make::Autossh, Make::RustyAutossh, Make::ChannelsHub];
    makes.extend(
        others.into_iter().filter(|make| program::find_peer(make.program(), &mut group.missing).is_some()),
    );
    let mut tunnels = Vec::new();
    for &make in &makes {
        tunnels.push(Tunnel::new(make, &sandbox, &sshd, &forwards)?);
    }
    let mut turns: Vec<_> = tunnels.iter_mut().map(|tunnel| move || start(tunnel)).collect();
    let mut turns: Vec<Contestant> = turns.iter_mut().map(|turn| turn as Contestant).collect();
    let times = PLAN.hold("start", &mut turns)?;
    report(&mut group, &times, &makes);
    Ok(group)
}

fn start(tunnel: &mut Tunnel) -> Result<Duration> {
    let taken = tunnel.time_start()?;
    tunnel.stop().map(|()| taken)
}

fn report(group: &mut Group, times: &Times, makes: &[Make]) {
    group.method = format!(
        "{} rounds side by side against an sshd on this machine, order swapped every other round; the\n\
         same three forwards, key, host key check and ciphers. Each port is asked once before time is up.",
        times.rounds()
    );
    let mut table = Table::new(&["start, ms", "median", "min", "max"]);
    let mut chart = Chart::new("From the command until all ports answer", "ms, less is better");
    for (index, make) in makes.iter().enumerate() {
        let figure = times.milliseconds(index);
        table.add_summary(make.name(), figure, 1);
        chart.add(make.name(), figure.median);
    }
    let ratio = times.compare(|round| round[1] / round[0]);
    table.add_summary("soong ÷ ssh -f -N, round by round", ratio, 3);
    chart.goal = Some(("goal for soong: 1.05 × ssh =".to_owned(), times.milliseconds(0).median * 1.05));
    group.tables.push(table);
    group.charts.push(chart);
    group.goals.push(Goal::at_most("start: soong tunnel start ÷ ssh -f -N", 1.05, ratio.median));
}
