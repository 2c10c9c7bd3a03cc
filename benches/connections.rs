//! Cost of many connections at a time: opening them, and a new one beside them, through soong's tunnel and through
//! `ssh -L`.

mod harness;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use harness::chart::Chart;
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, check_signals, failed};
use harness::service::{request, serve};
use harness::sshd::Sshd;
use harness::statistics::Summary;
use harness::tunnel::{Forwards, Make, Tunnel};
use harness::{budget, config, program, wait};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use soong::error::Result;

/// Connections that are open at a time.
const CONNECTIONS: usize = 2_000;
/// Clients that open them at the same time, each its share, one after the other.
const CLIENTS: usize = 50;
/// New connections beside these.
const NEW: usize = 20;
const ROUNDS: usize = 7;
const LIMIT: Duration = Duration::from_secs(25);
/// Files that a process needs at most: this one has both ends of each connection, and so has a supervisor.
const FILES: u64 = 2 * CONNECTIONS as u64 + 200;
/// soong, and what it is measured against, which has the same options.
const MAKES: [Make; 2] = [Make::Soong, Make::Ssh];

fn main() -> ExitCode {
    harness::run("connections", measure)
}

fn measure() -> Result<Group> {
    let mut group = Group::new("Connections: two thousand at a time", "");
    if let Some(why) = obstacle() {
        group.missing.push(format!("{CONNECTIONS} connections at a time: {why}"));
        return Ok(group);
    }
    program::soong()?;
    let sandbox = Sandbox::new()?;
    let sshd = Sshd::start(&sandbox)?;
    let service = serve()?;
    let forwards = [Forwards::towards(service)?, Forwards::towards(service)?];
    config::write(&sandbox, &sshd, &forwards[0].services())?;
    let mut tunnels = Vec::new();
    for (make, forwards) in MAKES.into_iter().zip(&forwards) {
        let mut tunnel = Tunnel::new(make, &sandbox, &sshd, forwards)?;
        tunnel.start()?;
        tunnels.push(tunnel);
    }
    let ports = [forwards[0].locals[0], forwards[1].locals[0]];
    take_turns(ports, 0)?;
    let deadline = budget::deadline(LIMIT);
    let mut rounds = Vec::new();
    while rounds.is_empty() || rounds.len() < ROUNDS && Instant::now() < deadline {
        soong::terminal::print_error(&format!("connections: round {} of {ROUNDS}\n", rounds.len() + 1));
        rounds.push(take_turns(ports, rounds.len())?);
    }
    report(&mut group, &rounds);
    Ok(group)
}

/// Raises the limit of open files, which children inherit. Returns the reason if it stays too low.
fn obstacle() -> Option<String> {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < FILES { setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard) } else { Ok(soft) }
    });
    match raised {
        Ok(files) if files >= FILES => None,
        Ok(files) => Some(format!("a process may have {files} files open; allow it {FILES}: ulimit -n")),
        Err(errno) => Some(format!("the limit of open files cannot be raised: {errno}")),
    }
}

/// Results of a turn, in seconds.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// Time to open all connections.
    opened: f64,
    /// Middle time of a new connection beside them.
    new: f64,
}

/// Picks a figure of a turn.
type Figure = fn(&Turn) -> f64;

/// Results of a round, in the order of [`MAKES`].
type Round = [Turn; 2];

fn take_turns(ports: [u16; 2], round: usize) -> Result<Round> {
    let turn = |index: usize| {
        check_signals()?;
        take_turn(ports[index])
    };
    if round.is_multiple_of(2) {
        let ours = turn(0)?;
        Ok([ours, turn(1)?])
    } else {
        let theirs = turn(1)?;
        Ok([turn(0)?, theirs])
    }
}

fn take_turn(port: u16) -> Result<Turn> {
    let before = open_files()?;
    let begun = Instant::now();
    let open = open_all(port)?;
    let opened = begun.elapsed().as_secs_f64();
    let mut times = Vec::with_capacity(NEW);
    for _ in 0..NEW {
        let begun = Instant::now();
        connect(port).map_err(|error| failed("open one more connection", error))?;
        times.push(begun.elapsed().as_secs_f64());
    }
    drop(open);
    wait::until("the connections to end", || open_files().is_ok_and(|files| files <= before))?;
    Ok(Turn { opened, new: Summary::of(times).median })
}

/// Opens all connections.
fn open_all(port: u16) -> Result<Vec<TcpStream>> {
    let share =
        || -> io::Result<Vec<TcpStream>> { (0..CONNECTIONS / CLIENTS).map(|_| connect(port)).collect() };
    let shares: Vec<io::Result<Vec<TcpStream>>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(share)).collect();
        let crashed = |_| Err(io::Error::other("a client crashed"));
        clients.into_iter().map(|client| client.join().unwrap_or_else(crashed)).collect()
    });
    let shares: io::Result<Vec<Vec<TcpStream>>> = shares.into_iter().collect();
    Ok(shares.map_err(|error| failed("open a connection", error))?.into_iter().flatten().collect())
}

/// Opens a connection and makes a request, so that it reaches the service.
fn connect(port: u16) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    request(&mut stream)?;
    Ok(stream)
}

/// Returns the number of files that this process has open, the ends of connections at the service among them.
fn open_files() -> Result<usize> {
    let files = fs::read_dir("/proc/self/fd").or_else(|_| fs::read_dir("/dev/fd"));
    Ok(files.map_err(|error| failed("count open files", error))?.count())
}

fn report(group: &mut Group, rounds: &[Round]) {
    group.method = format!(
        "{} rounds in turns against an sshd on this machine: {CONNECTIONS} connections by {CLIENTS} clients, each\n\
         with a request of one byte, and {NEW} more, one after the other, while those stay open. Same cipher and\n\
         options.",
        rounds.len()
    );
    let figures: [(&str, &str, Figure); 2] = [
        ("to open all of them, ms", "opening", |turn| turn.opened * 1e3),
        ("a new one beside them, µs", "a new one beside", |turn| turn.new * 1e6),
    ];
    for (heading, what, figure) in figures {
        let heading = format!("{CONNECTIONS} connections: {heading}");
        let mut table = Table::new(&[heading.as_str(), "median", "min", "max"]);
        let (title, unit) = heading.rsplit_once(", ").unwrap_or((&heading, ""));
        let mut chart = Chart::new(title, &format!("{unit}, less is better"));
        for (index, make) in MAKES.iter().enumerate() {
            let summary = Summary::of(rounds.iter().map(|round| figure(&round[index])).collect());
            table.add_summary(make.name(), summary, 0);
            chart.add(make.name(), summary.median);
        }
        let ratio = Summary::of(rounds.iter().map(|round| figure(&round[0]) / figure(&round[1])).collect());
        table.add_summary("soong ÷ ssh -L, round by round", ratio, 3);
        group.tables.push(table);
        group.charts.push(chart);
        let goal = format!("connections: {what} {CONNECTIONS}, soong ÷ ssh -L");
        group.goals.push(Goal::at_most(goal, 1.0, ratio.median));
    }
}
