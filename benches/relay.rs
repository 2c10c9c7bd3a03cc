//! Cost of the relay: the same transfers and requests to one server through soong's tunnel, through `ssh -L`,
//! and without a tunnel; and the memory of the supervisor.
//!
//! `ssh -L` runs twice: with the cipher that soong chooses, for a fair comparison, and with ssh's defaults,
//! as a user would type it.

mod harness;

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::chart::Chart;
use harness::contest::{Contestant, Plan, Times};
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use harness::service::{download, request, serve, upload};
use harness::sshd::{Sshd, free_port};
use harness::statistics::Summary;
use harness::{budget, config, idle, namespaces, program, wait};
use soong::error::{Error, Result};

const TRANSFERS: Plan = Plan { rounds: 8, turns: 1, limit: budget::TRANSFERS };
/// Over the link that is shaped.
const SHAPED: Plan = Plan { rounds: 4, turns: 1, limit: Duration::from_secs(25) };
/// The rate of that link, as `tc` takes it.
const RATE: &str = "1gbit";
const LATENCY: Plan = Plan { rounds: 15, turns: 1, limit: Duration::from_secs(30) };

/// Bytes of one transfer, over all its connections.
const BYTES: usize = 256 << 20;
const MEGABYTES: f64 = 268.44;
/// Requests of one turn, each on a connection that is open already.
const REQUESTS: usize = 500;
/// New connections of one turn.
const NEW: usize = 60;
/// Connections that are open when memory is looked at.
const OPEN: usize = 100;
/// Through what the bytes go.
const ROADS: [&str; 4] = ["soong", "ssh -L, same cipher", "ssh -L, defaults", "no tunnel"];
/// Option that soong sets where the CPU has instructions for AES.
const CIPHERS: &str = "Ciphers=^aes128-gcm@openssh.com,aes256-gcm@openssh.com";

fn main() -> ExitCode {
    harness::run("relay", measure)
}

fn measure() -> Result<Group> {
    let soong = program::soong()?;
    let sandbox = Sandbox::new()?;
    let sshd = Sshd::start(&sandbox)?;
    let service = serve()?;
    let [tunnel, fair, plain] = [free_port()?, free_port()?, free_port()?];
    let forward =
        format!("sglang = {{ remote = {service}, local = {tunnel} }}\nn8n = false\nstatus = false\n");
    config::write(&sandbox, &sshd, &forward)?;
    let tunnel = Tunnel::start(&soong, &sandbox, tunnel)?;
    let fair_one = Forward::start(&sandbox, &sshd, fair, service, &["-o", CIPHERS])?;
    let plain_one = Forward::start(&sandbox, &sshd, plain, service, &[])?;
    let ports = [tunnel.port, fair, plain, service];
    let transfers = [
        ("1 connection", transfers("relay, 1 connection", ports, 1, download)?),
        ("4 connections", transfers("relay, 4 connections", ports, 4, download)?),
        ("64 connections", transfers("relay, 64 connections", ports, 64, download)?),
        ("1 connection, upload", transfers("relay, upload", ports, 1, upload)?),
    ];
    let latency = latency(ports)?;
    let connections = connections(ports)?;
    let mut group = report(&transfers, &latency);
    report_connections(&mut group, &connections);
    let links = [tunnel.processes()?, vec![fair_one.0.id()], vec![plain_one.0.id()]];
    report_effort(&mut group, &links, ports)?;
    report_memory(&mut group, memory(&tunnel)?);
    match namespaces::obstacle() {
        None => report_shaped(&mut group, &over_shaped_link(&soong)?),
        Some(why) => eprintln!("relay: leaving out the link of {RATE}: {why}"),
    }
    Ok(group)
}

/// Times downloads and uploads over a link of [`RATE`]: through a tunnel, and through `ssh -L`.
fn over_shaped_link(soong: &Path) -> Result<[Times; 2]> {
    let sandbox = &Sandbox::new()?;
    let serve = || Ok((Sshd::start_at(sandbox, "0.0.0.0")?, serve()?));
    namespaces::across(RATE, serve, |(sshd, service)| {
        let [tunnel, fair] = [free_port()?, free_port()?];
        let forward =
            format!("sglang = {{ remote = {service}, local = {tunnel} }}\nn8n = false\nstatus = false\n");
        config::write_at(sandbox, &sshd, namespaces::SERVER, &forward)?;
        let _tunnel = Tunnel::start(soong, sandbox, tunnel)?;
        let _fair = Forward::start_to(namespaces::SERVER, sandbox, &sshd, fair, service, &["-o", CIPHERS])?;
        let ports = [tunnel, fair];
        Ok([
            hold_transfers(SHAPED, "relay, shaped", ports, 1, download)?,
            hold_transfers(SHAPED, "relay, shaped, upload", ports, 1, upload)?,
        ])
    })
}

fn report_shaped(group: &mut Group, times: &[Times; 2]) {
    let mut table = Table::new(&["over a link of 1 Gbit/s: MB/s", "median", "min", "max"]);
    for (direction, times) in ["download", "upload"].iter().zip(times) {
        for (index, road) in ROADS[..2].iter().enumerate() {
            table.add_summary(
                &format!("{road}, {direction}"),
                times.compare(|round| MEGABYTES / round[index]),
                0,
            );
        }
        let ratio = times.compare(|round| round[1] / round[0]).median;
        group.goals.push(Goal::at_least(
            format!("relay: soong ÷ ssh -L at 1 Gbit/s, {direction}"),
            0.99,
            ratio,
        ));
    }
    group.tables.push(table);
}

/// Times one transfer of all bytes over `connections` through each of `ports`.
fn transfers(name: &str, ports: [u16; 4], connections: usize, carry: Carry) -> Result<Times> {
    hold_transfers(TRANSFERS, name, ports, connections, carry)
}

fn hold_transfers<const N: usize>(
    plan: Plan,
    name: &str,
    ports: [u16; N],
    connections: usize,
    carry: Carry,
) -> Result<Times> {
    let mut turns = ports.map(|port| move || transfer(port, connections, carry));
    let mut turns: Vec<Contestant> = turns.iter_mut().map(|turn| turn as Contestant).collect();
    plan.hold(name, &mut turns)
}

/// Carries a number of bytes through a port.
type Carry = fn(u16, usize) -> io::Result<()>;

fn transfer(port: u16, connections: usize, carry: Carry) -> Result<Duration> {
    let each = BYTES / connections;
    let begun = Instant::now();
    let threads: Vec<_> = (0..connections).map(|_| thread::spawn(move || carry(port, each))).collect();
    for thread in threads {
        let done = thread.join().map_err(|_| Error::failed("a transfer panicked"))?;
        done.map_err(|error| failed("transfer", error))?;
    }
    Ok(begun.elapsed())
}

/// The middle and the 99th hundredth of the times of requests of one byte, in microseconds.
struct Latency {
    median: Vec<[f64; 4]>,
    late: Vec<[f64; 4]>,
}

fn latency(ports: [u16; 4]) -> Result<Latency> {
    let mut streams = Vec::new();
    for port in ports {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        streams.push(stream.map_err(|error| failed("connect", error))?);
    }
    let mut latency = Latency { median: Vec::new(), late: Vec::new() };
    for round in 0..LATENCY.rounds {
        harness::sandbox::check_signals()?;
        let mut times: [Vec<f64>; 4] = Default::default();
        for number in 0..REQUESTS {
            for step in 0..4 {
                let index = (step + number + round) % 4;
                let taken = request(&mut streams[index]).map_err(|error| failed("make a request", error))?;
                times[index].push(taken.as_secs_f64() * 1e6);
            }
        }
        for times in &mut times {
            times.sort_by(f64::total_cmp);
        }
        if round > 0 {
            latency.median.push([0, 1, 2, 3].map(|index| times[index][REQUESTS / 2]));
            latency.late.push([0, 1, 2, 3].map(|index| times[index][REQUESTS * 99 / 100]));
        }
    }
    Ok(latency)
}

/// The median times of a new connection that carries one byte, in microseconds, a round each.
fn connections(ports: [u16; 4]) -> Result<Vec<[f64; 4]>> {
    let mut rounds = Vec::new();
    for round in 0..LATENCY.rounds {
        harness::sandbox::check_signals()?;
        let mut times: [Vec<f64>; 4] = Default::default();
        for number in 0..NEW {
            for step in 0..4 {
                let index = (step + number + round) % 4;
                let begun = Instant::now();
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, ports[index]));
                let asked = stream.and_then(|mut stream| request(&mut stream).map(drop));
                asked.map_err(|error| failed("make a connection", error))?;
                times[index].push(begun.elapsed().as_secs_f64() * 1e6);
            }
        }
        for times in &mut times {
            times.sort_by(f64::total_cmp);
        }
        if round > 0 {
            rounds.push([0, 1, 2, 3].map(|index| times[index][NEW / 2]));
        }
    }
    Ok(rounds)
}

fn report_connections(group: &mut Group, rounds: &[[f64; 4]]) {
    let mut table = Table::new(&["new connection with a request, µs", "median", "min", "max"]);
    for (index, road) in ROADS.iter().enumerate() {
        table.add_summary(road, summary(rounds, |round| round[index]), 0);
    }
    let added = summary(rounds, |round| round[0] - round[1]);
    table.add_summary("added by soong", added, 0);
    group.tables.push(table);
    group.goals.push(Goal::at_most("relay: µs added to a new connection", 50.0, added.median));
}

/// Resident memory of the supervisor with open connections that have all carried something, in KB.
fn memory(tunnel: &Tunnel) -> Result<[f64; 2]> {
    let before = tunnel.resident()?;
    let mut open = Vec::new();
    for _ in 0..OPEN {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, tunnel.port));
        let mut stream = stream.map_err(|error| failed("connect", error))?;
        request(&mut stream).map_err(|error| failed("make a request", error))?;
        open.push(stream);
    }
    Ok([before, tunnel.resident()?])
}

fn report(transfers: &[(&str, Times)], latency: &Latency) -> Group {
    let mut group = Group::new(
        "Relay: a tunnel against ssh -L",
        format!(
            "{} rounds of {} MB for each contestant, side by side over loopback, order swapped every other\n\
             round; {} rounds of {REQUESTS} requests of one byte each on open connections, in turns. The server is\n\
             on the same machine and takes its share of the processor.",
            transfers[0].1.rounds(),
            BYTES >> 20,
            latency.median.len(),
        ),
    );
    for (name, times) in transfers {
        report_speeds(&mut group, name, times);
    }
    report_delays(&mut group, latency);
    group
}

fn report_speeds(group: &mut Group, name: &str, times: &Times) {
    let heading = format!("{name}: MB/s");
    let mut speeds = Table::new(&[heading.as_str(), "median", "min", "max"]);
    let mut chart = Chart::new(format!("Throughput, {name}"), "MB/s, more is better");
    for (index, road) in ROADS.iter().enumerate() {
        let speed = times.compare(|round| MEGABYTES / round[index]);
        speeds.add_summary(road, speed, 0);
        chart.add(*road, speed.median);
    }
    for (rival, least, what) in [(1, 0.75, "same cipher"), (2, 1.1, "defaults")] {
        let ratio = times.compare(|round| round[rival] / round[0]);
        speeds.add_summary(&format!("soong ÷ ssh -L, {what}"), ratio, 2);
        group.goals.push(Goal::at_least(
            format!("relay: soong ÷ ssh -L with {what}, {name}"),
            least,
            ratio.median,
        ));
    }
    group.tables.push(speeds);
    group.charts.push(chart);
}

/// Reports the processor time per GiB of the processes at this end of a link, without the server's. The roads
/// take turns, because the processor's other load adds to it.
fn report_effort(group: &mut Group, links: &[Vec<u32>; 3], ports: [u16; 4]) -> Result<()> {
    const ROUNDS: usize = 8;
    const TRANSFERS_PER_GIB: f64 = 1073.74 / MEGABYTES;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        harness::sandbox::check_signals()?;
        let mut efforts = [0.0; 3];
        for step in 0..3 {
            let index = (step + round) % 3;
            let used = || links[index].iter().copied().map(idle::processor_seconds).sum::<f64>();
            let before = used();
            transfer(ports[index], 1, download)?;
            efforts[index] = (used() - before) * TRANSFERS_PER_GIB;
        }
        rounds.push(efforts);
    }
    let heading = "seconds of processor for a GiB, this end";
    let mut table = Table::new(&[heading, "median", "min", "max"]);
    let mut chart = Chart::new("Processor time at this end", "seconds for a GiB, less is better");
    for (index, road) in ROADS[..3].iter().enumerate() {
        let effort = summary(&rounds, |round| round[index]);
        table.add_summary(road, effort, 2);
        chart.add(*road, effort.median);
    }
    let added = summary(&rounds, |round| round[0] - round[1]);
    table.add_summary("added by soong", added, 2);
    let goal = "relay: seconds of processor for a GiB beyond ssh -L with same cipher";
    group.goals.push(Goal::at_most(goal, 0.35, added.median));
    group.tables.push(table);
    group.charts.push(chart);
    Ok(())
}

fn report_memory(group: &mut Group, memory: [f64; 2]) {
    let mut sizes = Table::new(&["supervisor, KB resident", ""]);
    for (name, size) in [("no connection", memory[0]), ("100 open connections", memory[1])] {
        sizes.add(name, [format!("{size:.0}")]);
    }
    group.tables.push(sizes);
    group.goals.push(Goal::at_most(
        format!("relay: KB resident with {OPEN} open connections"),
        4096.0,
        memory[1],
    ));
}

fn report_delays(group: &mut Group, latency: &Latency) {
    let mut delays = Table::new(&["request, µs", "median", "min", "max"]);
    for (name, figures, limit) in [("p50", &latency.median, 60.0), ("p99", &latency.late, 100.0)] {
        let mut chart = Chart::new(format!("A request of one byte, {name}"), "µs, less is better");
        for (index, road) in ROADS.iter().enumerate() {
            let delay = summary(figures, |round| round[index]);
            delays.add_summary(&format!("{road}, {name}"), delay, 0);
            chart.add(*road, delay.median);
        }
        group.charts.push(chart);
        let added = summary(figures, |round| round[0] - round[1]);
        delays.add_summary(&format!("added by soong, {name}"), added, 0);
        group.goals.push(Goal::at_most(format!("relay: µs added to a request, {name}"), limit, added.median));
    }
    group.tables.push(delays);
}

fn summary<const N: usize>(rounds: &[[f64; N]], figure: impl Fn(&[f64; N]) -> f64) -> Summary {
    Summary::of(rounds.iter().map(figure).collect())
}

/// soong's tunnel; it is stopped when this is dropped.
struct Tunnel<'a> {
    soong: &'a Path,
    sandbox: &'a Sandbox,
    port: u16,
}

impl<'a> Tunnel<'a> {
    fn start(soong: &'a Path, sandbox: &'a Sandbox, port: u16) -> Result<Self> {
        let tunnel = Self { soong, sandbox, port };
        sandbox.time(tunnel.command("start")?.arg("--quiet"))?;
        Ok(tunnel)
    }

    fn command(&self, word: &str) -> Result<Command> {
        let ssh = program::find("ssh")?;
        let path = program::path_with(ssh.parent().unwrap_or(Path::new("/")));
        let mut command = self.sandbox.command(self.soong, &path)?;
        command.args(["tunnel", word]);
        Ok(command)
    }

    /// The supervisor and its ssh.
    fn processes(&self) -> Result<Vec<u32>> {
        let file = self.sandbox.path(".config/gpu-dashboard/tunnel.pid");
        let pid = std::fs::read_to_string(&file).map_err(|error| Error::io("read", &file, error))?;
        let pid: u32 = pid.trim().parse().map_err(|_| Error::failed("the PID file holds no PID"))?;
        Ok(std::iter::once(pid).chain(idle::children(pid)).collect())
    }

    /// Resident memory of the supervisor, in KB.
    fn resident(&self) -> Result<f64> {
        let pid = self.processes()?[0].to_string();
        let output = Command::new(program::find("ps")?).args(["-o", "rss=", "-p", &pid]).output();
        let output = output.map_err(|error| failed("run ps", error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().map_err(|_| Error::failed("ps does not tell the size of the supervisor"))
    }
}

impl Drop for Tunnel<'_> {
    fn drop(&mut self) {
        if let Ok(mut command) = self.command("stop") {
            let _ = self.sandbox.time(&mut command);
        }
    }
}

/// An `ssh -L`; it ends when this is dropped.
struct Forward(Child);

impl Forward {
    fn start(sandbox: &Sandbox, sshd: &Sshd, local: u16, remote: u16, options: &[&str]) -> Result<Self> {
        Self::start_to("127.0.0.1", sandbox, sshd, local, remote, options)
    }

    fn start_to(
        host: &str,
        sandbox: &Sandbox,
        sshd: &Sshd,
        local: u16,
        remote: u16,
        options: &[&str],
    ) -> Result<Self> {
        let mut command = Command::new(program::find("ssh")?);
        command.args(["-F", "none", "-N", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
        command.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes"]).args(options);
        command.arg("-i").arg(&sshd.key).args(["-p", &sshd.port.to_string()]);
        command.args(["-L", &format!("127.0.0.1:{local}:localhost:{remote}"), host]);
        command.env("HOME", sandbox.path("")).env_remove("SSH_AUTH_SOCK");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let forward = Self(command.spawn().map_err(|error| failed("run ssh", error))?);
        wait::until("ssh -L to listen", || TcpStream::connect((Ipv4Addr::LOCALHOST, local)).is_ok())?;
        Ok(forward)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
