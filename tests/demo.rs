//! `make demo`, end to end: the tour works, and leaves nothing behind however it ends.

#![expect(clippy::unwrap_used, reason = "a helper that cannot do its part fails the test")]

#[path = "it/support/signals.rs"]
mod signals;
#[path = "it/support/statusd.rs"]
mod statusd;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

/// Two tours at once could choose the same free port.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "timed out waiting for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A running demo, with a temporary directory to itself.
struct Demo {
    temporary: TempDir,
    child: Child,
    /// Output of the tour and its commands so far.
    printed: Arc<Mutex<String>>,
    reader: thread::JoinHandle<()>,
    _turn: MutexGuard<'static, ()>,
}

impl Demo {
    fn start(prepare: impl FnOnce(&mut Command)) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let temporary = tempfile::Builder::new().prefix("sd.").tempdir_in("/tmp").unwrap();
        let (mut output, input) = std::io::pipe().unwrap();
        let mut command = Command::new(example());
        command.env("TMPDIR", temporary.path()).stdin(Stdio::null());
        command.stdout(input.try_clone().unwrap()).stderr(input);
        prepare(&mut command);
        let child = command.spawn().unwrap();
        // The command holds the writing ends of the pipe, which only then comes to an end.
        drop(command);
        let printed = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&printed);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                *sink.lock().unwrap() += &String::from_utf8_lossy(&buffer[..length]);
            }
        });
        Self { temporary, child, printed, reader, _turn: turn }
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    fn wait_for_line(&self, text: &str) {
        wait_for(text, || self.printed().contains(text).then_some(()));
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the end and returns the exit code and the output. Asserts that no file, no process and no
    /// writer of the output is left.
    fn end(mut self) -> (i32, String) {
        let status = wait_for("the end of the demo", || self.child.try_wait().unwrap());
        wait_for("the end of the output", || self.reader.is_finished().then_some(()));
        let printed = self.printed();
        let left: Vec<_> =
            fs::read_dir(self.temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?} is left after:\n{printed}");
        // A process that was asked to end may need a moment for its last steps.
        wait_for("the end of all processes", || {
            processes_that_mention(self.temporary.path()).is_empty().then_some(())
        });
        (status.code().expect("an exit code, not a signal"), printed)
    }
}

/// The example, which `cargo test` builds beside the programs, but not when it is asked for this file
/// alone. A tour that is out of date proves nothing.
fn example() -> PathBuf {
    statusd::program();
    let path = Path::new(env!("CARGO_BIN_EXE_soong-tunnel")).with_file_name("examples").join("demo");
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let built = modified(&path).expect("the demo is not built yet: cargo build --example demo");
    for source in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/demo")).unwrap() {
        let changed = modified(&source.unwrap().path()).unwrap();
        assert!(changed <= built, "the demo is out of date: cargo build --example demo");
    }
    path
}

/// Processes with `directory` in their command line or environment.
fn processes_that_mention(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap();
    let listing = if cfg!(target_os = "linux") {
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let describe = |path: PathBuf| {
            // A process of another user, or one that has just ended, is none of ours.
            let text = [fs::read(path.join("cmdline")).ok()?, fs::read(path.join("environ")).ok()?].concat();
            Some(format!("{}: {}\n", path.display(), String::from_utf8_lossy(&text).replace('\0', " ")))
        };
        processes.filter_map(describe).collect()
    } else {
        let ps = Command::new("ps").args(["axeww"]).output().unwrap();
        String::from_utf8_lossy(&ps.stdout).into_owned()
    };
    listing.lines().filter(|line| line.contains(directory)).map(str::to_owned).collect()
}

/// The index of each of `lines` in `text`, which has to hold them in this order.
fn assert_in_order(text: &str, lines: &[&str]) {
    let mut rest = text;
    for line in lines {
        let found = rest.find(line).unwrap_or_else(|| panic!("no `{line}` where it is expected in:\n{text}"));
        rest = &rest[found + line.len()..];
    }
}

#[test]
fn the_tour_shows_the_real_thing_and_cleans_up() {
    let (code, printed) = Demo::start(|_| {}).end();
    assert_eq!(code, 0, "{printed}");
    assert_in_order(
        &printed,
        &[
            "$ soong tunnel start",
            "Starting SSH tunnel to 127.0.0.1...\nSSH tunnel started (PID: ",
            " -> 127.0.0.1:8000\n",
            " -> 127.0.0.1:5678\n",
            " -> 127.0.0.1:8080\n",
            "$ soong tunnel status\nTunnel is running\n",
            "/v1/completions",
            "fib(n - 1)",
            "<h1>",
            "-H 'Authorization: Bearer ",
            "extended_by_hours",
            "new_shutdown_at",
            "1 SSH login and 3 forwarded connections",
            "$ soong tunnel status\nTunnel is reconnecting\n",
            "/v1/completions",
            "fib(n - 1)",
            "$ soong tunnel status\nTunnel is running\n",
            "$ soong tunnel stop\nStopped tunnel (PID: ",
            "$ soong tunnel status\nTunnel is not running\n",
        ],
    );
    let wide: Vec<_> = printed.lines().filter(|line| line.starts_with('#') && line.len() > 80).collect();
    assert!(wide.is_empty(), "wider than a terminal: {wide:?}");
    assert!(!printed.contains('\x1b'), "colour, though this is no terminal:\n{printed}");
}

#[test]
fn a_port_that_is_taken_is_not_argued_about() {
    let mut taken = None;
    // The port may be taken already, which serves as well.
    let (code, printed) = Demo::start(|_| taken = TcpListener::bind("127.0.0.1:8000").ok()).end();
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("Port 8000 of this computer is in use"), "{printed}");
    assert!(printed.contains("$ soong tunnel start --sglang-port 80"), "{printed}");
}

#[test]
fn a_step_that_fails_is_said_to_have_failed() {
    let (code, printed) = Demo::start(|demo| _ = demo.env("PATH", "/nowhere")).end();
    assert_eq!(code, 1, "{printed}");
    assert_in_order(&printed, &["The demo failed: `soong tunnel start", "ended with exit code 127"]);
}

#[test]
fn an_interruption_while_the_tunnel_comes_up_takes_it_down_again() {
    let gate = Gate::new();
    let demo = Demo::start(|demo| _ = demo.env("PATH", gate.directory.path()));
    demo.wait_for_line("Starting SSH tunnel to");
    demo.signal(Signal::SIGINT);
    demo.wait_for_line("Interrupted.");
    let _open = gate.open();
    let (code, printed) = demo.end();
    assert_eq!(code, 130, "{printed}");
    assert!(printed.contains("$ soong tunnel stop\nStopped tunnel (PID: "), "{printed}");
}

#[test]
fn an_interruption_at_any_other_moment_leaves_nothing_either() {
    for (line, signal, code) in [
        ("# Welcome", Signal::SIGHUP, 129),
        ("SSH tunnel started", Signal::SIGTERM, 143),
        ("Tunnel is running", Signal::SIGINT, 130),
        ("curl", Signal::SIGINT, 130),
        ("Stopped tunnel", Signal::SIGTERM, 143),
    ] {
        let demo = Demo::start(|_| {});
        demo.wait_for_line(line);
        demo.signal(signal);
        let (ended, printed) = demo.end();
        // The rest of the tour takes so little time that it may be over before the signal arrives.
        assert!(ended == code || ended == 0, "exit code {ended} after {signal} at `{line}`:\n{printed}");
    }
}

/// A directory with an `ssh` that waits until the gate is opened, and then is the real one.
struct Gate {
    directory: TempDir,
}

impl Gate {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        mkfifo(&path.join("bell"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let which = Command::new("sh").args(["-c", "command -v ssh"]).output().unwrap();
        let ssh = String::from_utf8(which.stdout).unwrap();
        let here = path.display();
        let script = format!(
            "#!/bin/sh\n[ -e '{here}/open' ] || read -r _ <'{here}/bell'\nexec {} \"$@\"\n",
            ssh.trim()
        );
        fs::write(path.join("ssh"), script).unwrap();
        fs::set_permissions(path.join("ssh"), fs::Permissions::from_mode(0o700)).unwrap();
        Self { directory }
    }

    /// Serves every client that connects from now on, and clients that wait already, while the returned file
    /// is open.
    #[must_use]
    fn open(&self) -> File {
        fs::write(self.directory.path().join("open"), "").unwrap();
        // Opened for both, so that this does not wait for a reader, nor the line get lost without one.
        let mut bell =
            OpenOptions::new().read(true).write(true).open(self.directory.path().join("bell")).unwrap();
        bell.write_all(b"\n").unwrap();
        bell
    }
}
