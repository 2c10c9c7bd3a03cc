//! What a supervised tunnel costs at its start: `soong tunnel start` against `ssh -f -N`, from the
//! command to its end, when the ports can be used.
//!
//! ssh gets the command line that soong would run, except that it goes to the background by
//! itself and listens on the ports by itself. So key, host key, cipher, and options are the same.

mod harness;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use harness::contest::{Plan, Times};
use harness::report::{Goal, Group, Table};
use harness::sandbox::{Sandbox, failed};
use harness::sshd::{Sshd, free_port};
use harness::{config, program, wait};
use soong::error::{Error, Result};

const SERVICES: [&str; 3] = ["sglang", "n8n", "status"];
const PLAN: Plan = Plan { rounds: 60, turns: 1, limit: Duration::from_secs(45) };

fn main() -> ExitCode {
    harness::run("start", measure)
}

fn measure() -> Result<Group> {
    let sandbox = Sandbox::new()?;
    let sshd = Sshd::start(&sandbox)?;
    let forwards = Forwards::choose()?;
    let ssh = program::find("ssh")?;
    let path = program::path_with(ssh.parent().unwrap_or(Path::new("/")));
    config::write(&sandbox, &sshd, &services(&forwards))?;
    let ours = Soong { sandbox: &sandbox, path: path.clone(), program: program::soong()? };
    let theirs = Ssh::from_command_line(&ours.command_line()?, &forwards, &sandbox, path)?;
    let times = PLAN.hold(
        "start",
        &mut [
            &mut || {
                let taken = theirs.start()?;
                forwards.answer()?;
                theirs.stop()?;
                forwards.are_free().map(|()| taken)
            },
            &mut || {
                let taken = ours.start()?;
                forwards.answer()?;
                ours.stop()?;
                forwards.are_free().map(|()| taken)
            },
        ],
    )?;
    Ok(report(&times))
}

fn report(times: &Times) -> Group {
    let ratio = times.compare(|round| round[1] / round[0]);
    let mut table = Table::new(&["", "median", "min", "max"]);
    table.add_summary("ssh -f -N, ms", times.milliseconds(0), 1);
    table.add_summary("soong tunnel start, ms", times.milliseconds(1), 1);
    table.add_summary("soong more than ssh, ms", times.compare(|round| (round[1] - round[0]) * 1e3), 1);
    table.add_summary("soong ÷ ssh, pair by pair", ratio, 3);
    Group {
        title: "Start: from the command to ports that can be used".to_owned(),
        method: format!(
            "{} pairs side by side against an sshd on this machine, order swapped every other pair;\n\
             same three forwards, key, host key check and ciphers.",
            times.rounds()
        ),
        tables: vec![table],
        goals: vec![Goal {
            what: "soong tunnel start ÷ ssh -f -N".to_owned(),
            at_most: 1.1,
            measured: ratio.median,
        }],
    }
}

fn services(forwards: &Forwards) -> String {
    let remote = forwards.remote;
    SERVICES
        .iter()
        .zip(forwards.locals)
        .map(|(service, local)| format!("{service} = {{ remote = {remote}, local = {local} }}\n"))
        .collect()
}

/// Three local ports, and the one service that they all lead to.
struct Forwards {
    locals: [u16; 3],
    remote: u16,
}

impl Forwards {
    fn choose() -> Result<Self> {
        let first = loop {
            let first = free_port()?;
            if (first..first + 3).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
                break first;
            }
        };
        Ok(Self { locals: [first, first + 1, first + 2], remote: serve()? })
    }

    /// The options that have ssh listen on the ports.
    fn as_arguments(&self) -> impl Iterator<Item = String> {
        let remote = self.remote;
        self.locals
            .into_iter()
            .flat_map(move |local| ["-L".to_owned(), format!("{local}:localhost:{remote}")])
    }

    /// Makes sure that every port leads to the service.
    fn answer(&self) -> Result<()> {
        for port in self.locals {
            let mut answer = [0];
            let mut ask = || -> std::io::Result<bool> {
                let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                stream.write_all(b"?")?;
                stream.read_exact(&mut answer)?;
                Ok(answer == *b"?")
            };
            if !ask().map_err(|error| failed(&format!("use port {port}"), error))? {
                return Err(Error::failed(format!("port {port} leads to something else")));
            }
        }
        Ok(())
    }

    /// Waits until nobody listens on the ports any more.
    fn are_free(&self) -> Result<()> {
        let free = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err();
        wait::until("the ports to be free again", || self.locals.into_iter().all(free))
    }
}

/// Starts a service that says back what it is told; it ends with this process.
fn serve() -> Result<u16> {
    let at_fault = |error| failed("start a service", error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(at_fault)?;
    let port = listener.local_addr().map_err(at_fault)?.port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut byte = [0];
            // Whoever asked finds out what did not work.
            let _ = stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte));
        }
    });
    Ok(port)
}

/// Tunnels as soong makes them.
struct Soong<'a> {
    sandbox: &'a Sandbox,
    path: OsString,
    program: PathBuf,
}

impl Soong<'_> {
    fn command(&self, verb: &str) -> Result<Command> {
        let mut command = self.sandbox.command(&self.program, &self.path)?;
        command.args(["tunnel", verb]);
        Ok(command)
    }

    fn start(&self) -> Result<Duration> {
        self.sandbox.time(&mut self.command("start")?)
    }

    fn stop(&self) -> Result<()> {
        self.sandbox.time(&mut self.command("stop")?).map(drop)
    }

    /// The ssh command that soong would run, in words.
    fn command_line(&self) -> Result<Vec<String>> {
        let output = self.command("start")?.arg("--dry-run").stdout(std::process::Stdio::piped()).output();
        let output = output.map_err(|error| failed("run soong", error))?;
        let line = String::from_utf8_lossy(&output.stdout);
        shell_words::split(&line).map_err(|_| Error::failed("soong prints no command that a shell takes"))
    }
}

impl Drop for Soong<'_> {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// Tunnels of a bare ssh.
struct Ssh<'a> {
    sandbox: &'a Sandbox,
    path: OsString,
    program: PathBuf,
    arguments: Vec<String>,
    control: PathBuf,
}

impl<'a> Ssh<'a> {
    fn from_command_line(
        words: &[String],
        forwards: &Forwards,
        sandbox: &'a Sandbox,
        path: OsString,
    ) -> Result<Self> {
        let (program, words) = words.split_first().ok_or_else(|| Error::failed("soong runs no ssh"))?;
        let control = sandbox.path("ctl");
        let mut arguments = vec!["-f".to_owned()];
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-S" => {
                    words.next();
                    arguments.extend(["-S".to_owned(), control.display().to_string()]);
                }
                "-L" => drop(words.next()),
                "--" => {
                    arguments.extend(forwards.as_arguments());
                    arguments.push(word.clone());
                }
                _ => arguments.push(word.clone()),
            }
        }
        Ok(Self { sandbox, path, program: program.into(), arguments, control })
    }

    fn start(&self) -> Result<Duration> {
        let mut command = self.sandbox.command(&self.program, &self.path)?;
        self.sandbox.time(command.args(&self.arguments))
    }

    /// Through the control socket, so that no other ssh can be meant.
    fn stop(&self) -> Result<()> {
        let mut command = self.sandbox.command(&self.program, &self.path)?;
        command.arg("-S").arg(&self.control).args(["-O", "exit", "bench"]);
        self.sandbox.time(&mut command).map(drop)
    }
}

impl Drop for Ssh<'_> {
    fn drop(&mut self) {
        if self.control.exists() {
            let _ = self.stop();
        }
    }
}
