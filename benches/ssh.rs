//! Cost of a session over the connection of a running tunnel: `soong ssh -- true` against a fresh `ssh …
//! true`, from the command to its end.
//!
//! The fresh ssh gets the command line that soong would run without a tunnel. A third contestant is the ssh
//! that soong executes, run directly, which shows soong's own share.

mod harness;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use harness::chart::Chart;
use harness::contest::{Plan, Times};
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use harness::sshd::{Sshd, free_port};
use harness::{config, program};
use soong::error::{Error, Result};

const SOONG: &str = env!("CARGO_BIN_EXE_soong");
const PLAN: Plan = Plan { rounds: 40, turns: 1, limit: Duration::from_secs(20) };

fn main() -> ExitCode {
    harness::run("ssh", measure)
}

fn measure() -> Result<Group> {
    let sandbox = Sandbox::new()?;
    let sshd = Sshd::start(&sandbox)?;
    // A tunnel needs one service at least; this one is unused.
    let service =
        format!("sglang = {{ remote = 1, local = {} }}\nn8n = false\nstatus = false\n", free_port()?);
    config::write(&sandbox, &sshd, &service)?;
    let ssh = program::find("ssh")?;
    let soong = Soong { path: program::path_with(ssh.parent().unwrap_or(Path::new("/"))), sandbox: &sandbox };
    let fresh = soong.words()?;
    soong.time(&["tunnel", "start"])?;
    let shared = soong.words()?;
    let times = PLAN.hold(
        "ssh",
        &mut [&mut || soong.time_words(&fresh), &mut || soong.time(&["ssh", "--", "true"]), &mut || {
            soong.time_words(&shared)
        }],
    )?;
    Ok(report(&times))
}

fn report(times: &Times) -> Group {
    let ratio = times.compare(|round| round[1] / round[0]);
    let mut table = Table::new(&["", "median", "min", "max"]);
    table.add_summary("ssh … true, ms", times.milliseconds(0), 1);
    table.add_summary("soong ssh -- true, ms", times.milliseconds(1), 1);
    table.add_summary("ssh -S … true, ms", times.milliseconds(2), 1);
    table.add_summary("soong more than ssh -S, ms", times.compare(|round| (round[1] - round[2]) * 1e3), 1);
    table.add_summary("soong ÷ ssh, pair by pair", ratio, 3);
    let mut chart = Chart::new("A command on the instance while the tunnel is up", "ms, less is better");
    for (index, name) in ["ssh … true", "soong ssh -- true", "ssh -S … true"].into_iter().enumerate() {
        chart.add(name, times.milliseconds(index).median);
    }
    Group {
        title: "Session: a command on the instance while the tunnel is up".to_owned(),
        method: format!(
            "{} rounds side by side against an sshd on this machine, order swapped every other round;\n\
             same key, host key check and ciphers. Nothing is read at the start of the remote shell.",
            times.rounds()
        ),
        tables: vec![table],
        goals: vec![Goal::at_most("session: soong ssh -- true ÷ ssh … true", 0.5, ratio.median)],
        charts: vec![chart],
        ..Group::default()
    }
}

/// soong, in the sandbox; its tunnel is stopped when this is dropped.
struct Soong<'a> {
    sandbox: &'a Sandbox,
    path: OsString,
}

impl Soong<'_> {
    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.sandbox.command(Path::new(SOONG), &self.path)?;
        command.args(arguments);
        Ok(command)
    }

    fn time(&self, arguments: &[&str]) -> Result<Duration> {
        self.sandbox.time(&mut self.command(arguments)?)
    }

    /// The ssh command that soong would run now, in words.
    fn words(&self) -> Result<Vec<String>> {
        let output = self.command(&["ssh", "--print", "--", "true"])?.stdout(Stdio::piped()).output();
        let output = output.map_err(|error| failed("run soong", error))?;
        let line = String::from_utf8_lossy(&output.stdout);
        shell_words::split(&line).map_err(|_| Error::failed("soong prints no command that a shell takes"))
    }

    fn time_words(&self, words: &[String]) -> Result<Duration> {
        let (program, arguments) = words.split_first().ok_or_else(|| Error::failed("soong runs no ssh"))?;
        self.sandbox.time(self.sandbox.command(Path::new(program), &self.path)?.args(arguments))
    }
}

impl Drop for Soong<'_> {
    fn drop(&mut self) {
        let _ = self.time(&["tunnel", "stop"]);
    }
}
