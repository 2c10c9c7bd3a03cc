//! Many connections, at once and one after another, and few files to open them with.

#[cfg(target_os = "linux")]
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::{self, JoinHandle};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::wait_for;
use crate::support::config::forward;
use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::ports;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;
#[cfg(target_os = "linux")]
use crate::support::wait;
use crate::support::wait::DEADLINE;

/// A service that sends back what it gets, for more connections than there can be threads.
struct Echo {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    fn start() -> Self {
        let port = ports::free();
        let (stop, stopped) = oneshot::channel();
        let (ready, wait) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = serve(listener) => {}
                    _ = stopped => {}
                }
            });
        });
        wait.recv().unwrap();
        Self { port, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        let _ = self.thread.take().unwrap().join();
    }
}

async fn serve(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await
        });
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A connection through which `number` has gone and come back.
async fn exchange(address: SocketAddr, number: u64) -> TcpStream {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&number.to_le_bytes()).await.unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(u64::from_le_bytes(answer), number);
        stream
    };
    timeout(DEADLINE, exchange).await.unwrap_or_else(|_| panic!("no answer to {number}"))
}

/// Lets the test, and what it starts from here on, have as many files open as it needs.
fn allow_many_files() {
    const NEEDED: u64 = 6000;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard >= NEEDED, "this test needs {NEEDED} open files: ulimit -Hn says {hard}");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(NEEDED), hard).unwrap();
}

/// A sandbox in which sglang is `echo`, and where that is here.
fn echoing(instance: &Instance, echo: &Echo) -> (Sandbox, SocketAddr) {
    let mut sandbox = Sandbox::with(instance);
    let local = sandbox.config.local[0];
    sandbox.configure(|config| {
        config.set(["services", "sglang"], forward(echo.port, local));
    });
    (sandbox, SocketAddr::from((Ipv4Addr::LOCALHOST, local)))
}

/// `run` with this limit of open files, as `ulimit` takes it.
fn limited<'a>(run: Run<'a>, limit: &str) -> Run<'a> {
    run.through(&tool("sh"), ["-c", &format!("ulimit {limit} && exec \"$@\""), "sh"])
}

#[test]
fn two_thousand_connections_at_once_are_carried() {
    const COUNT: u64 = 2000;
    allow_many_files();
    let (instance, echo) = (Instance::start(), Echo::start());
    let (sandbox, address) = echoing(&instance, &echo);
    // The usual limit, unless a program asks for more.
    limited(sandbox.tunnel(["start"]), "-Sn 1024").stdout_has("SSH tunnel started").run();
    runtime().block_on(async {
        let all: Vec<_> = (0..COUNT).map(|number| tokio::spawn(exchange(address, number))).collect();
        let mut open = Vec::new();
        for one in all {
            open.push(one.await.unwrap());
        }
        assert_eq!(open.len() as u64, COUNT, "all of them open at the same time");
        assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    });
    wait_for(&sandbox, "up");
    assert_eq!(instance.sshd.logins(), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn connections_one_after_another_leave_nothing_in_the_supervisor() {
    const WARM: u64 = 300;
    const COUNT: u64 = 2000;
    let (instance, echo) = (Instance::start(), Echo::start());
    let (sandbox, address) = echoing(&instance, &echo);
    sandbox.tunnel(["start"]).stdout_has("SSH tunnel started").run();
    let pid = sandbox.supervisors()[0].pid;
    let in_turn = |count| {
        runtime().block_on(async {
            for number in 0..count {
                drop(exchange(address, number).await);
            }
        });
    };
    in_turn(WARM);
    let (files, memory) = (open_files(pid), resident(pid));
    in_turn(COUNT);
    wait::until_true("the files of connections that ended to be closed", || open_files(pid) <= files);
    let growth = resident(pid).saturating_sub(memory);
    assert!(growth < 512, "{growth} KB more after {COUNT} connections");
}

/// How many files `pid` has open.
#[cfg(target_os = "linux")]
fn open_files(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Resident memory of `pid`, in KB.
#[cfg(target_os = "linux")]
fn resident(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Connections that wait for a lost link must not use up what the ssh that replaces it is started with.
#[test]
fn with_few_files_there_is_always_enough_for_a_new_link() {
    let (mut instance, echo) = (Instance::start(), Echo::start());
    let (sandbox, address) = echoing(&instance, &echo);
    limited(sandbox.tunnel(["start"]), "-n 64").stdout_has("SSH tunnel started").run();
    instance.sshd.stop();
    wait_for(&sandbox, "reconnecting");
    runtime().block_on(async {
        let crowd: Vec<_> = (0..80).map(|number| tokio::spawn(exchange(address, number))).collect();
        tokio::task::yield_now().await;
        instance.sshd.resume();
        // In turns, because there is not room for all; every client is served.
        for one in crowd {
            drop(one.await.unwrap());
        }
    });
    wait_for(&sandbox, "up");
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    assert_eq!(instance.sshd.logins(), 2);
}

#[test]
fn commands_show_more_tunnels_than_they_may_have_files() {
    const COUNT: usize = 24;
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let names: Vec<String> = (0..COUNT).map(|number| format!("dev{number}")).collect();
    sandbox.configure(|config| {
        for name in &names {
            config.instance(name, "127.0.0.1", instance.sshd.port);
        }
    });
    for name in &names {
        sandbox.tunnel(["start", name, "--on-demand", "--auto-ports"]).stdout_has("on demand").run();
    }
    for command in ["status", "list"] {
        let shown = limited(sandbox.tunnel([command]), "-Sn 20").stdout_has("dev0").run().stdout;
        for name in &names {
            assert!(
                shown.contains(&format!("{name} ")) || shown.contains(&format!("{name},")),
                "{name}: {shown}"
            );
        }
    }
    limited(sandbox.tunnel(["stop", "--all"]), "-Sn 20").stdout_has("Stopped tunnel").run();
}
