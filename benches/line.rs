//! Cost of a long way: the same requests and transfers through soong's tunnel and through `ssh -L`, over a line with
//! latency, and over one that also loses packets.

mod harness;

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use harness::chart::Chart;
use harness::line::{FAR, Shape};
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, check_signals, failed};
use harness::service::{download, request, serve, upload};
use harness::sshd::Sshd;
use harness::statistics::{Summary, percentile};
use harness::tunnel::{Forwards, Make, Tunnel};
use harness::{config, namespaces, program};
use soong::error::{Error, Result};

/// Requests of one turn on a connection that is open, and as many on new ones.
const REQUESTS: usize = 10;
/// Time after which an answer counts as missing.
const PATIENCE: Duration = Duration::from_secs(60);
/// soong, and what it is measured against, which has the same options.
const MAKES: [Make; 2] = [Make::Soong, Make::Ssh];

/// A line, and what is measured over it.
struct Way {
    name: &'static str,
    shape: Shape,
    /// Bytes of a transfer.
    bytes: usize,
    /// Rounds that run side by side, as their contestants mostly wait.
    lanes: u64,
    /// How often they do.
    times: u64,
    /// Goals: largest share of the time of `ssh -L` for a request, and smallest share of its speed.
    at_most: f64,
    at_least: f64,
}

const WAYS: [Way; 2] = [
    Way {
        name: "50 ms",
        shape: Shape { delay: Duration::from_millis(25), loss: 0, rate: 0, queue: 0 },
        bytes: 8 << 20,
        lanes: 2,
        times: 2,
        at_most: 1.05,
        at_least: 0.95,
    },
    Way {
        name: "200 ms, 2 % lost",
        shape: Shape { delay: Duration::from_millis(100), loss: 2, rate: 0, queue: 0 },
        bytes: 128 << 10,
        lanes: 10,
        times: 1,
        at_most: 1.05,
        at_least: 0.8,
    },
];

fn main() -> ExitCode {
    harness::run("line", measure)
}

fn measure() -> Result<Group> {
    let mut group = Group::new(
        "Line: a tunnel against ssh -L over a long way",
        format!(
            "A line between two network namespaces delays packets, and one of the two kinds loses some. TCP is the\n\
             kernel's, with cubic. {REQUESTS} requests of one byte on an open connection, {REQUESTS} on new ones, a\n\
             download and an upload; {} rounds at {}, {} at {}, some side by side. The contestants of a\n\
             round run at the same time, each over a line of its own that loses the same packets, counted from the\n\
             first request.",
            WAYS[0].lanes * WAYS[0].times,
            WAYS[0].name,
            WAYS[1].lanes * WAYS[1].times,
            WAYS[1].name,
        ),
    );
    if let Some(why) = namespaces::obstacle_to_lines() {
        group.missing.push(format!("lines with latency and loss: {why}"));
        return Ok(group);
    }
    program::soong()?;
    let mut chart = Chart::new("A request on a new connection, p50", "ms, less is better");
    for way in &WAYS {
        let rounds = way.measure()?;
        way.report(&mut group, &mut chart, &rounds);
    }
    group.charts.push(chart);
    Ok(group)
}

/// Results of a turn, in seconds.
#[derive(Debug)]
struct Turn {
    /// Requests on an open connection.
    open: Vec<f64>,
    /// New connections with a request.
    new: Vec<f64>,
    download: f64,
    upload: f64,
}

/// Picks a figure of a turn.
type Seconds = fn(&Turn) -> f64;

/// Results of a round, in the order of [`MAKES`].
type Round = [Turn; 2];

impl Way {
    fn measure(&self) -> Result<Vec<Round>> {
        let mut rounds = Vec::new();
        for time in 0..self.times {
            soong::terminal::print_error(&format!("line: {}, {} of {}\n", self.name, time + 1, self.times));
            let seeds = time * self.lanes..(time + 1) * self.lanes;
            let turns: Result<Vec<Turn>> = thread::scope(|scope| {
                let turn = |seed, make| scope.spawn(move || self.measure_one(seed, make));
                let turns: Vec<_> = seeds.flat_map(|seed| MAKES.map(|make| turn(seed, make))).collect();
                let crashed = |_| Err(Error::failed("a turn crashed"));
                turns.into_iter().map(|turn| turn.join().unwrap_or_else(crashed)).collect()
            });
            let mut turns = turns?.into_iter();
            while let (Some(ours), Some(theirs)) = (turns.next(), turns.next()) {
                rounds.push([ours, theirs]);
            }
        }
        Ok(rounds)
    }

    /// Measures one contestant over a line of its own.
    fn measure_one(&self, seed: u64, make: Make) -> Result<Turn> {
        let sandbox = &Sandbox::new()?;
        let serve = || Ok((Sshd::start_at(sandbox, "0.0.0.0")?, serve()?));
        namespaces::over_line(self.shape, serve, |(sshd, service), line| {
            let forwards = Forwards::towards(service)?;
            config::write_at(sandbox, &sshd, FAR, &forwards.services())?;
            let mut tunnel = Tunnel::new(make, sandbox, &sshd, &forwards)?;
            tunnel.start()?;
            line.reseed(seed);
            let turn = self.take_turn(tunnel.port());
            turn.map_err(|error| failed(&format!("use {} over a line", make.name()), error))
        })
    }

    fn take_turn(&self, port: u16) -> io::Result<Turn> {
        let mut stream = connect(port)?;
        request(&mut stream)?;
        sleep(3 * self.shape.delay);
        let mut turn = Turn { open: Vec::new(), new: Vec::new(), download: 0.0, upload: 0.0 };
        for _ in 0..REQUESTS {
            check_signals().map_err(io::Error::other)?;
            turn.open.push(request(&mut stream)?.as_secs_f64());
        }
        for _ in 0..REQUESTS {
            check_signals().map_err(io::Error::other)?;
            // The end of the one before is over then; ssh would wait for its acknowledgement.
            sleep(3 * self.shape.delay);
            let begun = Instant::now();
            request(&mut connect(port)?)?;
            turn.new.push(begun.elapsed().as_secs_f64());
        }
        let begun = Instant::now();
        download(port, self.bytes)?;
        turn.download = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        upload(port, self.bytes)?;
        turn.upload = begun.elapsed().as_secs_f64();
        Ok(turn)
    }

    fn report(&self, group: &mut Group, chart: &mut Chart, rounds: &[Round]) {
        let heading = format!("over a line of {}", self.name);
        let mut table = Table::new(&[heading.as_str(), MAKES[0].name(), MAKES[1].name(), "soong ÷ ssh -L"]);
        self.report_requests(group, &mut table, "request", rounds, |turn| &turn.open);
        let name = "request on a new connection";
        let middles = self.report_requests(group, &mut table, name, rounds, |turn| &turn.new);
        for (make, middle) in MAKES.iter().zip(middles) {
            chart.add(format!("{}, {}", make.name(), self.name), middle);
        }
        self.report_speeds(group, &mut table, rounds);
        group.tables.push(table);
    }

    /// Reports the times of the requests of all rounds together. Returns the middle ones, in milliseconds.
    fn report_requests(
        &self,
        group: &mut Group,
        table: &mut Table,
        name: &str,
        rounds: &[Round],
        times: fn(&Turn) -> &[f64],
    ) -> [f64; 2] {
        let [middles, latest] = [0.5, 0.99].map(|share| {
            [0, 1].map(|index| {
                let times = rounds.iter().flat_map(|round| times(&round[index]));
                percentile(&mut times.map(|seconds| seconds * 1e3).collect::<Vec<f64>>(), share)
            })
        });
        for (place, [ours, theirs]) in [("p50", middles), ("p99", latest)] {
            let cells = [format!("{ours:.1}"), format!("{theirs:.1}"), format!("{:.3}", ours / theirs)];
            table.add(&format!("{name}, {place}, ms"), cells);
        }
        let goal = format!("line of {}: soong ÷ ssh -L, {name}, p50", self.name);
        group.goals.push(Goal::at_most(goal, self.at_most, middles[0] / middles[1]));
        middles
    }

    fn report_speeds(&self, group: &mut Group, table: &mut Table, rounds: &[Round]) {
        let transfers: [(&str, Seconds); 2] =
            [("download", |turn| turn.download), ("upload", |turn| turn.upload)];
        for (name, seconds) in transfers {
            #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
            let megabytes = self.bytes as f64 / 1e6;
            let speeds = [0, 1].map(|index| {
                Summary::of(rounds.iter().map(|round| megabytes / seconds(&round[index])).collect()).median
            });
            let ratio =
                Summary::of(rounds.iter().map(|round| seconds(&round[1]) / seconds(&round[0])).collect());
            let cells =
                [format!("{:.2}", speeds[0]), format!("{:.2}", speeds[1]), format!("{:.3}", ratio.median)];
            table.add(&format!("{name}, MB/s"), cells);
            let goal = format!("line of {}: soong ÷ ssh -L, {name}", self.name);
            group.goals.push(Goal::at_least(goal, self.at_least, ratio.median));
        }
    }
}

/// Opens a connection that does not wait for ever.
fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}
