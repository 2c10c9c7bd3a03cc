//! Cost of starting a supervised tunnel, from the command until all ports answer: `soong tunnel start`
//! against `ssh -f -N` and other programs that keep an ssh running. And of the first request to a tunnel on demand.

mod harness;

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::chart::Chart;
use harness::contest::{Contestant, Plan, Times};
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use harness::sshd::Sshd;
use harness::tunnel::{Forwards, Make, PATIENCE, Tunnel, ask};
use harness::{config, program};
use soong::error::Result;

const PLAN: Plan = Plan { rounds: 30, turns: 1, limit: Duration::from_secs(30) };
const FIRST_REQUEST: Plan = Plan { rounds: 14, turns: 1, limit: Duration::from_secs(18) };
/// Time in which a supervisor that was just started comes to rest.
const SETTLE: Duration = Duration::from_millis(100);
/// Goal for the time of a start, as a ratio to that of ssh.
const GOAL: f64 = 1.03;

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
    first_requests(&mut group, &sandbox, &sshd, &forwards)?;
    Ok(group)
}

/// Compares the first request to a tunnel at rest with the start of one by hand and a request.
fn first_requests(group: &mut Group, sandbox: &Sandbox, sshd: &Sshd, forwards: &Forwards) -> Result<()> {
    let mut makes = vec![Make::Ssh, Make::OnDemand];
    if program::find_peer(Make::Socket.program(), &mut group.missing).is_some() {
        makes.push(Make::Socket);
    }
    let mut tunnels = Vec::new();
    for &make in &makes {
        tunnels.push(Tunnel::new(make, sandbox, sshd, forwards)?);
    }
    let mut turns: Vec<_> = tunnels.iter_mut().map(|tunnel| move || first_request(tunnel)).collect();
    let mut turns: Vec<Contestant> = turns.iter_mut().map(|turn| turn as Contestant).collect();
    let times = FIRST_REQUEST.hold("start, first request", &mut turns)?;
    let mut table = Table::new(&["first request on demand, ms", "median", "min", "max"]);
    let mut chart = Chart::new("On demand: until the first request is answered", "ms, less is better");
    for (index, make) in makes.iter().enumerate() {
        let name = if *make == Make::Ssh { "ssh -f -N, then a request" } else { make.name() };
        let figure = times.milliseconds(index);
        table.add_summary(name, figure, 1);
        chart.add(name, figure.median);
    }
    let ratio = times.compare(|round| round[1] / round[0]);
    table.add_summary("soong ÷ ssh -f -N, round by round", ratio, 3);
    group.tables.push(table);
    group.charts.push(chart);
    let goal = "start: first request on demand ÷ ssh -f -N and a request";
    group.goals.push(Goal::at_most(goal, 1.05, ratio.median));
    Ok(())
}

/// Times a request that starts ssh. One that has to be started by hand is started within that time.
fn first_request(tunnel: &mut Tunnel) -> Result<Duration> {
    let mut begun = Instant::now();
    tunnel.start()?;
    if tunnel.make != Make::Ssh {
        sleep(SETTLE);
        begun = Instant::now();
    }
    ask(tunnel.port(), PATIENCE).map_err(|error| failed("make the first request", error))?;
    let taken = begun.elapsed();
    tunnel.stop().map(|()| taken)
}

fn start(tunnel: &mut Tunnel) -> Result<Duration> {
    let taken = tunnel.time_start()?;
    tunnel.stop().map(|()| taken)
}

fn report(group: &mut Group, times: &Times, makes: &[Make]) {
    group.method = format!(
        "{} rounds side by side against an sshd on this machine, order swapped every other round; the\n\
         same three forwards, key, host key check and ciphers. Each port is asked once before time is up.\n\
         On demand, up to {} rounds: the ports are open, no ssh runs, and time begins with the request.",
        times.rounds(),
        FIRST_REQUEST.rounds,
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
    chart.goal = Some((format!("goal for soong: {GOAL} × ssh ="), times.milliseconds(0).median * GOAL));
    group.tables.push(table);
    group.charts.push(chart);
    group.goals.push(Goal::at_most("start: soong tunnel start ÷ ssh -f -N", GOAL, ratio.median));
}
