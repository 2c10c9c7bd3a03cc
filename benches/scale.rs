//! Cost of large numbers: tunnels, also at rest, instances that a provider lists, programs on `PATH`.

mod harness;

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::chart::Chart;
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, check_signals, failed};
use harness::sshd::{Sshd, free_port};
use harness::statistics::{Summary, median, rounded};
use harness::{budget, config, idle, program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use soong::error::{Error, Result};

const TUNNELS: [usize; 3] = [1, 10, 100];
/// Tunnels on demand, at rest.
const AT_REST: usize = 1_000;
/// Those whose wake-ups are counted.
const FEW_AT_REST: usize = 10;
/// Goal for the wake-ups of an idle supervisor a minute, its ssh apart.
const WAKE_UPS: f64 = 1.0;
/// How many of those are started at a time.
const WORKERS: usize = 4;
/// Until then as many of those as possible are started.
const RESTING: Duration = Duration::from_secs(45);
const INSTANCES: [usize; 3] = [10, 1_000, 10_000];
const ON_PATH: [usize; 4] = [0, 30, 300, 3_000];
/// How often a command is run for one figure.
const TURNS: usize = 11;
/// Until then as many tunnels as possible are started.
const STARTING: Duration = budget::STARTING;
const IDLE: Duration = Duration::from_secs(60);
/// The services of each tunnel.
const SERVICES: &str = "sglang = 1\nn8n = false\nstatus = false\n";

fn main() -> ExitCode {
    harness::run("scale", measure)
}

fn measure() -> Result<Group> {
    let mut group = Group::new(
        "Scale: many tunnels, many instances, a full PATH",
        "Tunnels to an sshd on this machine, started one after the other. Memory is the supervisor's share\n\
         (PSS) as the kernel counts it, its ssh apart. Wake-ups are voluntary context switches in a minute\n\
         without traffic through the tunnels. Tunnels on demand have their ports open and no ssh.",
    );
    let soong = program::soong()?;
    let sandbox = Sandbox::new()?;
    let sshd = Sshd::start(&sandbox)?;
    let fleet = Fleet::new(&sandbox, &sshd, &soong)?;
    let started = tunnels(&mut group, &fleet)?;
    let sandbox_at_rest = Sandbox::new()?;
    let fleet_at_rest = Fleet::at_rest(&sandbox_at_rest, &sshd, &soong, FEW_AT_REST)?;
    fleet_at_rest.start_at_rest(FEW_AT_REST)?;
    let resting = idle::Rest::begin(&fleet.supervisors()?);
    let at_rest = idle::Rest::begin(&fleet_at_rest.supervisors()?);
    let begun = Instant::now();
    soong::terminal::print_error("scale: a minute of idleness, used for instances and PATH\n");
    instances(&mut group, &soong)?;
    full_path(&mut group, &soong)?;
    while begun.elapsed() < IDLE {
        check_signals()?;
        thread::sleep(Duration::from_millis(200));
    }
    report_idleness(&mut group, started, &resting, &at_rest);
    // Not meanwhile: a busy machine wakes supervisors.
    drop((fleet, fleet_at_rest));
    tunnels_at_rest(&mut group, &sshd, &soong)?;
    Ok(group)
}

/// Tunnels of soong to many instances, all of which are the same server.
struct Fleet<'a> {
    sandbox: &'a Sandbox,
    soong: &'a Path,
    path: OsString,
    first_port: u16,
}

impl<'a> Fleet<'a> {
    fn new(sandbox: &'a Sandbox, sshd: &Sshd, soong: &'a Path) -> Result<Self> {
        config::write(sandbox, sshd, SERVICES)?;
        let (file, user) = (sandbox.path(".config/soong/config.toml"), config::user()?);
        let mut text = std::fs::read_to_string(&file).map_err(|error| Error::io("read", &file, error))?;
        for number in 0..TUNNELS[2] {
            let port = sshd.port;
            text +=
                &format!("[instances.t{number}]\nhost = \"127.0.0.1\"\nuser = \"{user}\"\nport = {port}\n");
        }
        std::fs::write(&file, text).map_err(|error| Error::io("write", &file, error))?;
        let path = program::path_with(Path::new("/usr/bin"));
        Ok(Self { sandbox, soong, path, first_port: free_port()? })
    }

    /// Returns the fleet for `count` tunnels on demand, with a config file for each: reading the others' tables is not
    /// what is measured.
    fn at_rest(sandbox: &'a Sandbox, sshd: &Sshd, soong: &'a Path, count: usize) -> Result<Self> {
        for number in 0..count {
            config::write_named(sandbox, sshd, &format!("{number}.toml"), &format!("t{number}"), SERVICES)?;
        }
        let path = program::path_with(Path::new("/usr/bin"));
        Ok(Self { sandbox, soong, path, first_port: free_port()? })
    }

    fn start(&self, number: usize) -> Result<Duration> {
        let mut command = self.sandbox.command(self.soong, &self.path)?;
        command.args(["tunnel", "start", "--auto-ports", "--instance-id", &format!("t{number}")]);
        let port = usize::from(self.first_port) + number;
        self.sandbox.time(command.args(["--sglang-port", &port.to_string()]))
    }

    /// Starts `count` tunnels on demand, several at a time. Returns how long each start took.
    fn start_at_rest(&self, count: usize) -> Result<Vec<Duration>> {
        let deadline = Instant::now() + RESTING;
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<Duration>> {
            let mut times = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count || Instant::now() >= deadline {
                    return Ok(times);
                }
                check_signals()?;
                let mut command = self.sandbox.command(self.soong, &self.path)?;
                command.env("SOONG_CONFIG", self.sandbox.path(&format!("{number}.toml")));
                command.args(["tunnel", "start", "--quiet", "--on-demand", "--auto-ports"]);
                let port = usize::from(self.first_port) + number;
                times.push(self.sandbox.time(command.args(["--sglang-port", &port.to_string()]))?);
            }
        };
        let times: Result<Vec<Vec<Duration>>> = thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
            let crashed = |_| Err(Error::failed("a start crashed"));
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(crashed)).collect()
        });
        Ok(times?.into_iter().flatten().collect())
    }

    fn status(&self) -> Result<Duration> {
        let mut times = Vec::new();
        for _ in 0..TURNS {
            let mut command = self.sandbox.command(self.soong, &self.path)?;
            times.push(self.sandbox.time(command.args(["tunnel", "status"]))?);
        }
        Ok(median(&times))
    }

    /// The PIDs of the supervisors.
    fn supervisors(&self) -> Result<Vec<u32>> {
        let mut command = self.sandbox.command(self.soong, &self.path)?;
        let output = command.args(["tunnel", "status", "--json"]).stdout(Stdio::piped()).output();
        let output = output.map_err(|error| failed("run soong", error))?;
        let json: serde_json::Value =
            serde_json::from_slice(&output.stdout).map_err(|error| failed("read JSON", error.into()))?;
        let pid = |tunnel: &serde_json::Value| u32::try_from(tunnel.get("pid")?.as_u64()?).ok();
        let tunnels = json.get("tunnels").and_then(serde_json::Value::as_array);
        Ok(tunnels.map(|tunnels| tunnels.iter().filter_map(pid).collect()).unwrap_or_default())
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        // At the same time; 'stop' ends them one after the other.
        for pid in self.supervisors().unwrap_or_default() {
            let Ok(pid) = i32::try_from(pid) else { continue };
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if let Ok(mut command) = self.sandbox.command(self.soong, &self.path) {
            let _ = command.args(["tunnel", "stop", "--all"]).status();
        }
    }
}

/// Starts many tunnels on demand and says what they cost at rest.
fn tunnels_at_rest(group: &mut Group, sshd: &Sshd, soong: &Path) -> Result<()> {
    let sandbox = Sandbox::new()?;
    let fleet = Fleet::at_rest(&sandbox, sshd, soong, AT_REST)?;
    let starts = fleet.start_at_rest(AT_REST)?;
    let started = starts.len();
    soong::terminal::print_error(&format!("scale: {started} tunnels at rest\n"));
    let status = fleet.status()?;
    let supervisors = fleet.supervisors()?;
    let memory = Summary::of(supervisors.iter().map(|pid| idle::megabytes(*pid)).collect());
    let columns = ["tunnels on demand, at rest", "start of one, ms", "status, ms", "supervisor, MB"];
    let mut table = Table::new(&columns);
    let millis = |time: Duration| rounded(time.as_secs_f64() * 1e3);
    table.add(
        &started.to_string(),
        [millis(median(&starts)), millis(status), format!("{:.2}", memory.median)],
    );
    group.tables.push(table);
    if started < AT_REST {
        group.missing.push(format!(
            "{AT_REST} tunnels at rest: only {started} started within {} s",
            RESTING.as_secs()
        ));
        return Ok(());
    }
    let goal = format!("scale: soong tunnel status of {AT_REST} tunnels, ms");
    group.goals.push(Goal::at_most(goal, 100.0, status.as_secs_f64() * 1e3));
    Ok(())
}

/// Starts tunnels and says what each number of them costs. Returns how many there are.
fn tunnels(group: &mut Group, fleet: &Fleet) -> Result<usize> {
    let columns = ["tunnels", "start of one, ms", "status, ms", "supervisor, MB", "its ssh, MB"];
    let mut table = Table::new(&columns);
    let mut chart = Chart::new("Memory of a supervisor (PSS)", "MB, less is better");
    let deadline = Instant::now() + STARTING;
    let mut starts: Vec<Duration> = Vec::new();
    for stage in TUNNELS {
        let before = starts.len();
        while starts.len() < stage && Instant::now() < deadline {
            check_signals()?;
            starts.push(fleet.start(starts.len())?);
        }
        if starts.len() == before {
            break;
        }
        soong::terminal::print_error(&format!("scale: {} tunnels\n", starts.len()));
        let supervisors = fleet.supervisors()?;
        let memory = Summary::of(supervisors.iter().map(|pid| idle::megabytes(*pid)).collect());
        let links = supervisors.iter().flat_map(|pid| idle::children(*pid));
        let of_ssh = Summary::of(links.map(idle::megabytes).collect());
        let millis = |time: Duration| rounded(time.as_secs_f64() * 1e3);
        table.add(
            &starts.len().to_string(),
            [
                millis(median(&starts[before..])),
                millis(fleet.status()?),
                format!("{:.2}", memory.median),
                format!("{:.2}", of_ssh.median),
            ],
        );
        chart.add(format!("soong, {} tunnels", starts.len()), memory.median);
        if stage == TUNNELS[2] {
            let goal = format!("scale: memory of a supervisor among {stage} (PSS), MB");
            group.goals.push(Goal::at_most(goal, 0.5, memory.median));
        }
        if before == 0 {
            group.goals.push(Goal::at_most("scale: memory of a supervisor (PSS), MB", 3.0, memory.median));
        }
    }
    chart.goal = Some(("goal:".to_owned(), 3.0));
    group.tables.push(table);
    group.charts.push(chart);
    Ok(starts.len())
}

/// Reports the wake-ups of `tunnels` tunnels that were up, and of those on demand.
fn report_idleness(group: &mut Group, tunnels: usize, resting: &idle::Rest, at_rest: &idle::Rest) {
    let (supervisors, links) = resting.wakeups_per_minute();
    let (on_demand, _) = at_rest.wakeups_per_minute();
    let heading = format!("wake-ups a minute, each of {tunnels} tunnels");
    let mut table = Table::new(&[heading.as_str(), "median", "min", "max"]);
    table.add_summary("supervisor", supervisors, 1);
    table.add_summary("its ssh, which keeps the link alive", links, 1);
    table.add_summary("supervisor of a tunnel on demand, without ssh", on_demand, 1);
    group.tables.push(table);
    let mut chart = Chart::new("Wake-ups of an idle tunnel", "per minute, less is better");
    chart.add("soong's supervisor", supervisors.median);
    chart.add("its ssh", links.median);
    chart.goal = Some(("goal for the supervisor:".to_owned(), WAKE_UPS));
    group.charts.push(chart);
    let goals = [
        ("scale: wake-ups of an idle supervisor a minute", WAKE_UPS, supervisors),
        ("scale: wake-ups of a tunnel on demand at rest a minute", 0.0, on_demand),
    ];
    group.goals.extend(goals.map(|(goal, limit, summary)| Goal::at_most(goal, limit, summary.median)));
}

/// A provider that lists many instances.
fn instances(group: &mut Group, soong: &Path) -> Result<()> {
    let mut table =
        Table::new(&["instances of a provider", "soong status, ms", "tunnel start --dry-run, ms"]);
    for count in INSTANCES {
        check_signals()?;
        let sandbox = Sandbox::new()?;
        let directory = sandbox.path("bin");
        let settings = sandbox.path(".config/soong");
        for directory in [&directory, &settings] {
            std::fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, error))?;
        }
        let list: Vec<String> = (0..count).map(instance).collect();
        let list =
            sandbox.write("list.json", &format!("{{\"api\":1,\"instances\":[{}]}}", list.join(",")))?;
        let script = format!("#!/bin/sh\nexec cat {}\n", list.display());
        sandbox.write_program("bin/soong-provider-many", &script)?;
        sandbox.write(".config/soong/config.toml", "[providers]\nmany = true\n")?;
        sandbox.write("key", "")?;
        let path = program::path_with(&directory);
        let wanted = format!("i{:08}", count - 1);
        let status = time(&sandbox, soong, &path, &["status", "--json"])?;
        let start =
            time(&sandbox, soong, &path, &["tunnel", "start", "--dry-run", "--instance-id", &wanted])?;
        if count == INSTANCES[2] {
            let goal = format!("scale: soong status of {count} instances, ms");
            group.goals.push(Goal::at_most(goal, 30.0, status.as_secs_f64() * 1e3));
        }
        table.add(&count.to_string(), [status, start].map(millis));
    }
    group.tables.push(table);
    Ok(())
}

fn instance(number: usize) -> String {
    format!(
        "{{\"id\":\"i{number:08}\",\"name\":\"machine-{number}\",\"status\":\"active\",\"host\":\"192.0.2.{}\",\
         \"user\":\"ubuntu\",\"port\":22,\"type\":\"gpu_1x\",\"region\":\"here\",\"price_cents_per_hour\":100}}",
        number % 250 + 1
    )
}

/// Directories of `PATH` with many programs in them, a tenth of them soong's extensions.
fn full_path(group: &mut Group, soong: &Path) -> Result<()> {
    const DIRECTORIES: usize = 10;
    let mut table = Table::new(&["programs on PATH", "soong x, ms", "soong help, ms", "soong ext list, ms"]);
    for count in ON_PATH {
        let sandbox = Sandbox::new()?;
        let mut path = OsString::new();
        for number in 0..DIRECTORIES {
            let name = format!("bin{number}");
            let directory = sandbox.path(&name);
            std::fs::create_dir(&directory).map_err(|error| Error::io("create", &directory, error))?;
            for program in 0..count / DIRECTORIES {
                let prefix = if program % 10 == 0 { "soong-e" } else { "program" };
                let file = format!("{name}/{prefix}{number}-{program}");
                sandbox.write_program(&file, "#!/bin/sh\n# soong:summary: says nothing\n")?;
            }
            path.push(&directory);
            path.push(":");
        }
        let directory = sandbox.path("last");
        std::fs::create_dir(&directory).map_err(|error| Error::io("create", &directory, error))?;
        let true_program = program::find("true")?;
        std::fs::copy(&true_program, directory.join("soong-x"))
            .map_err(|error| Error::io("copy", &true_program, error))?;
        path.push(&directory);
        let commands: [&[&str]; 3] = [&["x"], &["help"], &["ext", "list"]];
        let times: Vec<Duration> = commands
            .into_iter()
            .map(|arguments| time(&sandbox, soong, &path, arguments))
            .collect::<Result<_>>()?;
        table.add(&count.to_string(), times.into_iter().map(millis));
    }
    group.tables.push(table);
    Ok(())
}

fn time(sandbox: &Sandbox, program: &Path, path: &OsString, arguments: &[&str]) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..TURNS {
        check_signals()?;
        times.push(sandbox.time(sandbox.command(program, path)?.args(arguments))?);
    }
    Ok(median(&times))
}

fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
