//! Tunnels of several makes, with same ports, key, host key check, ciphers and keepalive.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use soong::error::{Error, Result};

use super::sandbox::{Sandbox, check_signals, failed};
use super::sshd::{Sshd, free_port};
use super::{program, wait};

/// soong's names for the forwards.
const SERVICES: [&str; 3] = ["sglang", "n8n", "status"];
/// ssh's own default for keepalives without an answer.
const COUNT_MAX: &str = "ServerAliveCountMax=3";
/// How long a request may take before it counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Three local ports, and the one service that they all lead to.
#[derive(Debug)]
pub struct Forwards {
    pub locals: [u16; 3],
    pub remote: u16,
}

impl Forwards {
    /// Finds free ports and starts the service, which ends with this process.
    pub fn choose() -> Result<Self> {
        Self::towards(serve()?)
    }

    /// Finds free ports for the service at `remote`.
    pub fn towards(remote: u16) -> Result<Self> {
        let first = loop {
            let first = free_port()?;
            if (first..first + 3).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
                break first;
            }
        };
        Ok(Self { locals: [first, first + 1, first + 2], remote })
    }

    /// The lines that name the forwards in soong's configuration.
    pub fn services(&self) -> String {
        let remote = self.remote;
        let line = |(service, local)| format!("{service} = {{ remote = {remote}, local = {local} }}\n");
        SERVICES.iter().zip(self.locals).map(line).collect()
    }

    /// The options that have ssh listen on the ports.
    fn as_arguments(&self) -> impl Iterator<Item = String> {
        let remote = self.remote;
        self.locals
            .into_iter()
            .flat_map(move |local| ["-L".to_owned(), format!("{local}:localhost:{remote}")])
    }

    /// Makes sure that every port leads to the service.
    pub fn answer(&self) -> Result<()> {
        self.locals.into_iter().try_for_each(|port| {
            ask(port, PATIENCE).map_err(|error| failed(&format!("use port {port}"), error))
        })
    }

    /// Waits until the service answers at all ports.
    pub fn wait(&self) -> Result<()> {
        let answers = || self.locals.into_iter().all(|port| ask(port, PATIENCE).is_ok());
        wait::until("the ports to be usable", answers)
    }

    /// Waits until no process listens on the ports any more.
    pub fn are_free(&self) -> Result<()> {
        let free = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err();
        wait::until("the ports to be free again", || self.locals.into_iter().all(free))
    }
}

/// Makes one request at a local port: a byte there and back. A signal that ends the benchmark ends
/// the wait for the answer, too.
pub fn ask(port: u16, patience: Duration) -> io::Result<()> {
    const LOOK: Duration = Duration::from_millis(250);
    let deadline = Instant::now() + patience;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(LOOK.min(patience)))?;
    stream.write_all(b"?")?;
    let mut answer = [0];
    while let Err(error) = stream.read_exact(&mut answer) {
        let is_late = error.kind() == io::ErrorKind::WouldBlock;
        if !is_late || Instant::now() >= deadline || check_signals().is_err() {
            return Err(error);
        }
    }
    if answer == *b"?" { Ok(()) } else { Err(io::Error::other("something else answers")) }
}

/// Starts an echo service, which ends with this process.
fn serve() -> Result<u16> {
    let at_fault = |error| failed("start a service", error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(at_fault)?;
    let port = listener.local_addr().map_err(at_fault)?.port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut byte = [0];
                // The client sees the failure.
                let _ = stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte));
            });
        }
    });
    Ok(port)
}

/// Program that keeps a tunnel up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    /// `soong tunnel start`.
    Soong,
    /// `soong tunnel start --on-demand`.
    OnDemand,
    /// `ssh -f -N`, which is not restarted.
    Ssh,
    /// `ssh -N` in a loop of the shell.
    Loop,
    /// `ssh -W` for each connection to a socket.
    Socket,
    Autossh,
    RustyAutossh,
    ChannelsHub,
}

impl Make {
    pub fn name(self) -> &'static str {
        match self {
            Self::Soong => "soong",
            Self::OnDemand => "soong, on demand",
            Self::Ssh => "ssh -f -N",
            Self::Loop => "ssh -N in a shell loop",
            Self::Socket => "ssh -W, socket activation",
            Self::Autossh => "autossh",
            Self::RustyAutossh => "rusty-autossh",
            Self::ChannelsHub => "ssh-channels-hub",
        }
    }

    /// The program that has to be there besides ssh.
    pub fn program(self) -> &'static str {
        match self {
            Self::Soong | Self::OnDemand => "soong",
            Self::Ssh | Self::Loop => "ssh",
            Self::Socket => "systemd-socket-activate",
            _ => self.name(),
        }
    }

    fn is_ours(self) -> bool {
        matches!(self, Self::Soong | Self::OnDemand)
    }
}

/// A tunnel that can be had and ended as often as wanted; it ends when this is dropped.
pub struct Tunnel<'a> {
    pub make: Make,
    pub forwards: &'a Forwards,
    sandbox: &'a Sandbox,
    path: OsString,
    program: PathBuf,
    arguments: Vec<String>,
    control: PathBuf,
    kept: Option<Child>,
}

impl<'a> Tunnel<'a> {
    /// Prepares a tunnel of `make` through `sshd` that matches soong's. The instance must be in the
    /// configuration of `sandbox`.
    pub fn new(make: Make, sandbox: &'a Sandbox, sshd: &Sshd, forwards: &'a Forwards) -> Result<Self> {
        Self::by_way_of(sshd.port, make, sandbox, sshd, forwards)
    }

    /// The same, with a port that leads to `sshd`.
    pub fn by_way_of(
        port: u16,
        make: Make,
        sandbox: &'a Sandbox,
        sshd: &Sshd,
        forwards: &'a Forwards,
    ) -> Result<Self> {
        let ssh = program::find("ssh")?;
        let path = program::path_with(ssh.parent().unwrap_or(Path::new("/")));
        let program = if make.is_ours() { program::soong()? } else { program::find(make.program())? };
        let mut tunnel = Self {
            make,
            forwards,
            sandbox,
            path,
            program,
            arguments: Vec::new(),
            control: sandbox.path("ctl"),
            kept: None,
        };
        match make {
            Make::Soong | Make::OnDemand => {}
            Make::ChannelsHub => tunnel.write_channels(sshd, port)?,
            _ => tunnel.arguments = tunnel.arguments_of_ssh()?,
        }
        Ok(tunnel)
    }

    /// Starts it. For a program that goes to the background, this returns when that says that the
    /// tunnel is up; for the others at once.
    pub fn start(&mut self) -> Result<()> {
        match self.make {
            Make::Soong => self.sandbox.time(self.command()?.args(["tunnel", "start"])).map(drop),
            Make::OnDemand => {
                self.sandbox.time(self.command()?.args(["tunnel", "start", "--on-demand"])).map(drop)
            }
            Make::Ssh => {
                let mut command = self.command()?;
                command.args(["-f", "-M", "-S"]).arg(&self.control).args(&self.arguments);
                self.sandbox.time(&mut command).map(drop)
            }
            _ => self.keep(),
        }
    }

    /// How long it takes from the command until all ports answer.
    pub fn time_start(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.start()?;
        self.forwards.wait()?;
        Ok(begun.elapsed())
    }

    /// Returns the first of its local ports.
    pub fn port(&self) -> u16 {
        self.forwards.locals[0]
    }

    /// Ends it, and waits until the ports are free.
    pub fn stop(&mut self) -> Result<()> {
        match self.make {
            Make::Soong | Make::OnDemand => {
                self.sandbox.time(self.command()?.args(["tunnel", "stop"])).map(drop)?;
            }
            // Through the control socket, so that no other ssh can be meant.
            Make::Ssh => {
                let mut command = self.command()?;
                command.arg("-S").arg(&self.control).args(["-O", "exit", "bench"]);
                self.sandbox.time(&mut command).map(drop)?;
            }
            _ => self.end_kept(),
        }
        self.forwards.are_free()
    }

    fn command(&self) -> Result<Command> {
        let mut command = self.sandbox.command(&self.program, &self.path)?;
        // Output is discarded: a growing log is not part of the measurement.
        command.env("AUTOSSH_GATETIME", "0").current_dir(self.sandbox.path(""));
        Ok(command)
    }

    /// Runs it in the foreground, in its own process group, so that one signal ends all of it.
    fn keep(&mut self) -> Result<()> {
        let mut command = match self.make {
            Make::Loop => {
                let shell = program::find("sh")?;
                let mut command = self.sandbox.command(&shell, &self.path)?;
                command.args(["-c", "while :; do \"$0\" \"$@\"; sleep 1; done"]).arg(&self.program);
                command.args(&self.arguments);
                command
            }
            Make::ChannelsHub => {
                let mut command = self.command()?;
                command.arg("--config").arg(self.sandbox.path("channels.toml")).arg("start");
                command
            }
            Make::Socket => {
                let mut command = self.command()?;
                let listen = format!("127.0.0.1:{}", self.forwards.locals[0]);
                command.args(["--accept", "--inetd", "--listen", &listen]).arg(program::find("ssh")?);
                command.args(["-W", &format!("localhost:{}", self.forwards.remote)]).args(&self.arguments);
                command
            }
            _ => {
                let mut command = self.command()?;
                command.args(["-M", "0"]).args(&self.arguments);
                command
            }
        };
        let child = command.process_group(0).stderr(Stdio::null()).spawn();
        self.kept = Some(child.map_err(|error| failed(&format!("run {}", self.make.name()), error))?);
        check_signals()
    }

    fn end_kept(&mut self) {
        let Some(mut child) = self.kept.take() else { return };
        let Ok(group) = i32::try_from(child.id()) else { return };
        // The group is ours until its leader has been waited for. The leader gets the signal first: some
        // programs put their ssh into another group that only they know.
        let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
        let ended = wait::until("the end of a tunnel", || matches!(has_ended(group), Ok(true) | Err(_)));
        if ended.is_err() || matches!(self.make, Make::Loop) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = child.wait();
    }

    /// Returns the arguments of the ssh that soong would run, changed so that its forwards are on the command
    /// line, its connection is not shared and it logs to standard error.
    fn arguments_of_ssh(&self) -> Result<Vec<String>> {
        let soong = program::soong()?;
        let mut command = self.sandbox.command(&soong, &self.path)?;
        let output = command.args(["tunnel", "start", "--dry-run"]).stdout(Stdio::piped()).output();
        let output = output.map_err(|error| failed("run soong", error))?;
        let line = String::from_utf8_lossy(&output.stdout);
        // Below the command stand the forwards, as comments.
        let words = shell_words::split(line.lines().next().unwrap_or_default())
            .map_err(|_| Error::failed("soong prints no command that a shell takes"))?;
        let mut arguments = Vec::new();
        let mut words = words.into_iter().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-S" | "-E" => drop(words.next()),
                "-M" => {}
                "-o" => {
                    let option = words.next().unwrap_or_default();
                    match option.split_once('=') {
                        Some(("ClearAllForwardings", _)) => {}
                        // Settings that users choose; soong waits longer and relies on its own checks.
                        Some(("ServerAliveCountMax", _)) => arguments.extend([word, COUNT_MAX.to_owned()]),
                        _ => arguments.extend([word, option]),
                    }
                }
                "--" => {
                    arguments.extend(self.forwards.as_arguments());
                    arguments.push(word);
                }
                _ => arguments.push(word),
            }
        }
        Ok(arguments)
    }

    /// Writes the files that ssh-channels-hub reads: its forwards, and the host in ssh's own format.
    fn write_channels(&self, sshd: &Sshd, port: u16) -> Result<()> {
        let directory = self.sandbox.path(".ssh");
        std::fs::create_dir_all(&directory).map_err(|error| Error::io("create", &directory, error))?;
        let key = sshd.key.display();
        let user = super::config::user()?;
        self.sandbox.write(
            ".ssh/config",
            &format!("Host bench\n HostName 127.0.0.1\n Port {port}\n User {user}\n IdentityFile {key}\n"),
        )?;
        let host_key = std::fs::read_to_string(sshd.key.with_file_name("host_key.pub")).unwrap_or_default();
        self.sandbox.write(".ssh/known_hosts", &format!("[127.0.0.1]:{port} {host_key}"))?;
        let channel = |(index, local): (usize, &u16)| {
            let remote = self.forwards.remote;
            format!(
                "[[channels]]\nname = \"c{index}\"\nhostname = \"bench\"\ndirection = \"local->remote\"\n\
                 local = \"{local}\"\nremote = \"{remote}\"\n"
            )
        };
        let channels: String = self.forwards.locals.iter().enumerate().map(channel).collect();
        self.sandbox.write("channels.toml", &format!("{channels}[web]\nenabled = false\n")).map(drop)
    }
}

/// Returns true if a child has ended, without reaping it.
fn has_ended(pid: i32) -> nix::Result<bool> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(Pid::from_raw(pid)), flags).map(|status| status != WaitStatus::StillAlive)
}

impl Drop for Tunnel<'_> {
    fn drop(&mut self) {
        match self.make {
            Make::Ssh if !self.control.exists() => {}
            Make::Soong | Make::OnDemand | Make::Ssh => drop(self.stop()),
            _ => self.end_kept(),
        }
    }
}
