//! Effect of a lost link on a user of a forwarded port: time until a request succeeds again, and requests
//! that fail until then. Compares soong with other programs that keep an ssh running.

mod harness;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use harness::chart::Chart;
use harness::proxy::Proxy;
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, check_signals};
use harness::sshd::Sshd;
use harness::statistics::Summary;
use harness::tunnel::{Forwards, Make, Tunnel, ask};
use harness::{budget, config, program};
use soong::error::{Error, Result};

/// How long a client waits for its answer: longer than it takes to notice that a link is dead.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(50);
/// Limit for a recovery; contestants that need longer are not waited for.
const LIMIT: Duration = Duration::from_secs(32);
/// Between two rounds of a long wait that run side by side, so that links are not made at one time.
const STAGGER: Duration = Duration::from_secs(4);
/// How long the server is away when it is restarted.
const RESTART: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    harness::run("recovery", measure)
}

/// Fault of the link.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Cut,
    Restart,
    Silence,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Cut => "link cut",
            Self::Restart => "server away for 2 s",
            Self::Silence => "packets dropped",
        }
    }

    /// Largest share of the best of the others that soong may take.
    fn goal(self) -> f64 {
        match self {
            Self::Cut | Self::Restart => 1.0,
            Self::Silence => 0.25,
        }
    }

    /// How often it is tried with every contestant.
    fn rounds(self) -> usize {
        match self {
            Self::Cut => 5,
            Self::Restart => 3,
            Self::Silence => 2,
        }
    }

    fn strike(self, proxy: &Proxy) {
        match self {
            Self::Cut => proxy.cut(),
            Self::Restart => proxy.bring_down(),
            Self::Silence => proxy.silence(),
        }
    }
}

/// View of a client: seconds until a request succeeded, and the requests that failed.
#[derive(Debug, Clone, Copy)]
struct Seen {
    seconds: f64,
    failed: usize,
}

fn measure() -> Result<Group> {
    let directory = Sandbox::new()?;
    let sshd = Sshd::start(&directory)?;
    program::soong()?;
    let mut group = Group::new(
        "Recovery: from the fault to a request that succeeds",
        "A client asks once every 50 ms and waits 30 s for its answer; requests are counted from the fault on.\n\
         All keep their link alive with ssh's question every 5 s and give up after three silences. A dead\n\
         link that says nothing takes others 15 to 20 s to notice; with soong, the client that waits puts it\n\
         in doubt. The middle of up to 5, 3 and 2 rounds; who\n\
         is not back after 32 s is given up.",
    );
    let mut makes = vec![Make::Soong, Make::Loop];
    let others = [Make::Autossh, Make::RustyAutossh, Make::ChannelsHub];
    makes.extend(
        others.into_iter().filter(|make| program::find_peer(make.program(), &mut group.missing).is_some()),
    );
    for fault in [Fault::Cut, Fault::Restart, Fault::Silence] {
        let mut seen: Vec<Vec<Seen>> = vec![Vec::new(); makes.len()];
        for round in rounds(fault, &makes, &sshd)? {
            for (seen, now) in seen.iter_mut().zip(round) {
                seen.push(now);
            }
        }
        report(&mut group, fault, &makes, &seen);
    }
    Ok(group)
}

/// Returns the results of each round. Rounds with a long wait run side by side.
fn rounds(fault: Fault, makes: &[Make], sshd: &Sshd) -> Result<Vec<Vec<Seen>>> {
    let tell = |round: usize| {
        soong::terminal::print_error(&format!("recovery: {}, round {}\n", fault.name(), round + 1));
    };
    let limit = match fault {
        Fault::Cut => budget::CUTS,
        Fault::Restart => budget::RESTARTS,
        Fault::Silence => {
            return all((0..fault.rounds()).map(|round| {
                move || {
                    thread::sleep(STAGGER * u32::try_from(round).unwrap_or_default());
                    tell(round);
                    strike_all(fault, makes, sshd)
                }
            }));
        }
    };
    let deadline = budget::deadline(limit);
    let mut rounds = Vec::new();
    while rounds.is_empty() || rounds.len() < fault.rounds() && Instant::now() < deadline {
        tell(rounds.len());
        rounds.push(strike_all(fault, makes, sshd)?);
    }
    Ok(rounds)
}

/// Causes the fault for all contestants: in turn if the time is short, all at once if the wait is long.
fn strike_all(fault: Fault, makes: &[Make], sshd: &Sshd) -> Result<Vec<Seen>> {
    if matches!(fault, Fault::Cut) {
        return makes.iter().map(|&make| strike(fault, make, sshd)).collect();
    }
    all(makes.iter().map(|&make| move || strike(fault, make, sshd)))
}

/// Runs all `trials` at the same time and returns their results.
fn all<T: Send, F: FnOnce() -> Result<T> + Send>(trials: impl Iterator<Item = F>) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let trials: Vec<_> = trials.map(|trial| scope.spawn(trial)).collect();
        let crashed = |_| Err(Error::failed("a trial crashed"));
        trials.into_iter().map(|trial| trial.join().unwrap_or_else(crashed)).collect()
    })
}

fn strike(fault: Fault, make: Make, sshd: &Sshd) -> Result<Seen> {
    let sandbox = Sandbox::new()?;
    let proxy = Proxy::start(sshd.port)?;
    let forwards = Forwards::choose()?;
    config::write_for(&sandbox, sshd, proxy.port, &forwards.services())?;
    let mut tunnel = Tunnel::by_way_of(proxy.port, make, &sandbox, sshd, &forwards)?;
    tunnel.time_start()?;
    // Some take a link that was lost within moments of its start for one that never worked.
    thread::sleep(Duration::from_secs(1));
    let begun = Instant::now();
    fault.strike(&proxy);
    thread::scope(|scope| {
        if matches!(fault, Fault::Restart) {
            scope.spawn(|| {
                thread::sleep(RESTART);
                proxy.bring_up();
            });
        }
        watch(forwards.locals[0], begun)
    })
}

fn watch(port: u16, begun: Instant) -> Result<Seen> {
    let mut failed = 0;
    loop {
        check_signals()?;
        let left = LIMIT.saturating_sub(begun.elapsed());
        if left.is_zero() || ask(port, PATIENCE.min(left)).is_ok() {
            return Ok(Seen { seconds: begun.elapsed().as_secs_f64(), failed });
        }
        failed += 1;
        thread::sleep(PAUSE);
    }
}

fn report(group: &mut Group, fault: Fault, makes: &[Make], seen: &[Vec<Seen>]) {
    let name = fault.name();
    let heading = format!("{name}: seconds");
    let mut table = Table::new(&[heading.as_str(), "median", "min", "max", "requests failed"]);
    let mut chart = Chart::new(format!("{name}: until a request succeeds"), "seconds, less is better");
    let mut middles = Vec::new();
    for (make, seen) in makes.iter().zip(seen) {
        let seconds = Summary::of(seen.iter().map(|seen| seen.seconds).collect());
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 requests")]
        let failed = Summary::of(seen.iter().map(|seen| seen.failed as f64).collect());
        let figures = [seconds.median, seconds.min, seconds.max].map(|figure| format!("{figure:.2}"));
        table.add(make.name(), figures.into_iter().chain([format!("{:.0}", failed.median)]));
        chart.add(make.name(), seconds.median);
        middles.push((seconds.median, failed.median));
    }
    group.tables.push(table);
    group.charts.push(chart);
    let (ours, failed) = middles.first().copied().unwrap_or_default();
    let best = middles.iter().skip(1).map(|(seconds, _)| *seconds).fold(f64::INFINITY, f64::min);
    group.goals.push(Goal::at_most(
        format!("recovery, {name}: soong ÷ the best of the others"),
        fault.goal(),
        ours / best,
    ));
    if matches!(fault, Fault::Silence) {
        group.goals.push(Goal::at_most(format!("recovery, {name}: seconds with soong"), 3.5, ours));
    }
    group.goals.push(Goal::at_most(format!("recovery, {name}: requests that fail with soong"), 0.0, failed));
}
