//! Other users of this machine: what they could read, write or connect to.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::ports;
use crate::support::process;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{is_root, tool};
use crate::support::wait;

/// Any user but root.
const OTHER_USER: u32 = 65_534;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Everything below `directory`.
fn all_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().map(Result::unwrap) {
        found.push(entry.path());
        if entry.file_type().unwrap().is_dir() {
            all_below(&entry.path(), found);
        }
    }
}

#[test]
fn files_are_private_whatever_the_umask() {
    let instance = Instance::start();
    for umask in ["000", "077"] {
        let sandbox = Sandbox::with(&instance);
        let under = |args: &[&str]| {
            let script = format!("umask {umask}; exec \"$@\"");
            sandbox.soong(args).through(&tool("sh"), ["-c", &script, "sh"])
        };
        let own = sandbox.home().join(".config/soong");
        let before = fs::read(sandbox.config_file()).unwrap();
        fs::remove_dir_all(&own).unwrap();
        under(&["configure", "set", "ssh.user", "ubuntu"]).stdout_has("").unchecked();
        fs::write(sandbox.config_file(), before).unwrap();
        under(&["tunnel", "start"]).stdout(sandbox.started(&instance)).run();
        under(&["ssh", "config", "--install"]).stdout_has("Wrote").stderr_has("HOME").run();
        let places = [own, sandbox.home().join(".local/state/soong"), sandbox.path("run/soong")];
        let mut found: Vec<PathBuf> = places.to_vec();
        for place in &places {
            all_below(place, &mut found);
        }
        found.extend([sandbox.pid_file(), sandbox.pid_file().parent().unwrap().into()]);
        for name in
            ["ctl", "sup.sock", "askpass.sock", "lock", "prompt", "dev.log", "known_hosts", "ports.toml"]
        {
            assert!(found.iter().any(|path| path.ends_with(name)), "{name}: {found:#?}");
        }
        // A symbolic link has no mode; its target is in the list.
        for path in found.iter().filter(|path| !path.is_symlink()) {
            let is_directory = path.is_dir();
            let expected = if is_directory { 0o700 } else { 0o600 };
            assert_eq!(mode(path), expected, "{} under umask {umask}", path.display());
        }
        under(&["tunnel", "stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    }
}

/// Earlier versions left the mode of a log to the umask.
#[test]
fn a_log_that_others_could_read_is_closed() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let log = sandbox.home().join(".local/state/soong/logs/dev.log");
    sandbox.write(&log, "old\n");
    chmod(&log, 0o644);
    sandbox.start(&instance);
    assert_eq!(mode(&log), 0o600);
}

/// File modes keep other users away from the sockets; this check holds where the modes were changed. Only
/// root can switch to another user.
#[test]
#[cfg(target_os = "linux")]
fn sockets_take_nothing_from_other_users() {
    if !is_root() {
        return;
    }
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    let directory = sandbox.tunnel_directory();
    let above: Vec<&Path> = directory.ancestors().take_while(|path| *path != Path::new("/tmp")).collect();
    let modes: Vec<u32> = above.iter().map(|path| mode(path)).collect();
    for path in &above {
        chmod(path, 0o755);
    }
    for (name, request) in [
        ("sup.sock", "stop\n"),
        ("sup.sock", "traffic\n"),
        ("askpass.sock", "{\"text\":\"Code: \",\"sort\":\"server\"}\n"),
    ] {
        let socket = directory.join(name);
        assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
        chmod(&socket, 0o777);
        let answer = std::thread::spawn(move || {
            // SAFETY: setresuid takes three integers. Called directly, it changes this thread alone.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, -1i64, i64::from(OTHER_USER), -1i64) }, 0);
            let mut stream = UnixStream::connect(&socket).unwrap();
            // It may be closed before this is written.
            let _ = stream.write_all(request.as_bytes());
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            answer
        });
        assert_eq!(answer.join().unwrap(), b"", "{name}: {request}");
        assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    }
    for (path, mode) in above.iter().zip(modes) {
        chmod(path, mode);
    }
    assert!(process::is_alive(pid));
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
}

/// Returns the answer that a client of the user `uid` gets for `request` at the local port `port`, up to
/// `end`. Only root can switch to another user.
#[cfg(target_os = "linux")]
fn exchange_as(uid: u32, port: u16, request: &'static [u8], end: &'static [u8]) -> Vec<u8> {
    std::thread::spawn(move || {
        if is_root() {
            // SAFETY: setresuid takes three integers. Called directly, it changes this thread alone.
            assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, -1i64, i64::from(uid), -1i64) }, 0);
        }
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // It may be closed before this is written.
        let _ = client.write_all(request);
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(end) && client.read(&mut byte).is_ok_and(|length| length == 1) {
            answer.push(byte[0]);
        }
        answer
    })
    .join()
    .unwrap()
}

/// Services are open to local users unless the config says otherwise, a SOCKS proxy is not. Where the suite does
/// not run as root, it sees only that its own connections go through.
#[test]
#[cfg(target_os = "linux")]
fn only_me_refuses_connections_of_other_users() {
    const REQUEST: &[u8] = b"GET /id HTTP/1.0\r\nHost: x\r\n\r\n";
    const GREETING: &[u8] = &[5, 1, 0];
    let me = nix::unistd::geteuid().as_raw();
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let socks = ports::free();
    for (only_me, service_is_open, socks_is_open) in
        [(None, true, false), (Some(true), false, false), (Some(false), true, true)]
    {
        if let Some(only_me) = only_me {
            sandbox.configure(|config| {
                config.set(["tunnel", "only-me"], only_me);
            });
        }
        let port = sandbox.config.local[0];
        sandbox.tunnel(["start", "--quiet", "--socks", &socks.to_string()]).run();
        let service = |uid| String::from_utf8(exchange_as(uid, port, REQUEST, b"sglang")).unwrap();
        let proxy = |uid| exchange_as(uid, socks, GREETING, &[5, 0]);
        assert!(service(me).ends_with("sglang"), "{only_me:?}: {}", service(me));
        assert_eq!(proxy(me), [5, 0], "{only_me:?}");
        if is_root() {
            assert_eq!(service(OTHER_USER).ends_with("sglang"), service_is_open, "{only_me:?}");
            assert_eq!(proxy(OTHER_USER) == [5, 0], socks_is_open, "{only_me:?}");
            let told = sandbox.tunnel(["logs"]).stdout_has("").run().stdout;
            let refused = told.contains("refused a connection of uid 65534: tunnel.only-me");
            // The log goes on from one tunnel to the next.
            assert!(refused, "{told}");
        }
        sandbox.tunnel(["stop", "--quiet"]).run();
    }
}

/// A user who can put a directory there gets nothing from the tunnel that was in it.
#[test]
fn a_tunnel_whose_directory_is_taken_by_another_ends_when_it_is_used() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], 1).set(["tunnel", "hold"], 1);
    });
    let directory = sandbox.tunnel_directory();
    sandbox.start(&instance);
    fs::rename(&directory, sandbox.path("moved")).unwrap();
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("lock"), "").unwrap();
    let _ = crate::support::curl::curl().arg(sandbox.url(0, "id")).output().unwrap();
    wait::until_true("the tunnel to end", || sandbox.processes().is_empty());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is written or removed there");
}

/// Another user's link would lead to a file of the user's.
#[test]
fn links_in_the_runtime_directory_are_not_followed() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let precious = sandbox.path("precious");
    fs::write(&precious, "precious").unwrap();
    let lock = sandbox.tunnel_directory().join("lock");
    // The directory is there.
    sandbox.start(&instance);
    sandbox.tunnel(["stop", "--quiet"]).run();
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    for target in [&precious, &sandbox.path("missing")] {
        let _ = fs::remove_file(&lock);
        symlink(target, &lock).unwrap();
        sandbox.tunnel(["start"]).fails(1, ["cannot open ", "/lock: "]).run();
        assert!(!sandbox.path("missing").exists());
    }
    fs::remove_file(&lock).unwrap();
    let prompt = sandbox.path("run/soong/prompt");
    fs::remove_file(&prompt).unwrap();
    symlink(&precious, &prompt).unwrap();
    sandbox.soong(["prompt"]).stdout("").run();
    sandbox.start(&instance);
    sandbox.soong(["prompt"]).stdout("= dev\n").run();
    assert!(!prompt.is_symlink());
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

/// A link may be safe where it lies, and lead to where everybody writes.
#[test]
fn a_config_that_others_could_have_written_is_refused() {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["alias", "pwn"], "!touch pwned");
    });
    let file = sandbox.config_file();
    let refused = |run: Run<'_>, hint: &str| {
        let output = run.unchecked();
        assert_ne!(output.code, 0, "{output:?}");
        assert!(output.stderr.contains("is writable by everyone"), "{}", output.stderr);
        assert!(output.stderr.contains(hint), "{}", output.stderr);
        assert!(!sandbox.path("pwned").exists());
    };
    let commands: [&[&str]; 3] = [&["pwn"], &["tunnel", "start"], &["status"]];
    let in_root = |args: &[&str]| sandbox.soong(args).current_dir(&sandbox.path("."));
    chmod(&file, 0o666);
    for args in commands {
        refused(in_root(args), if args[0] == "pwn" { "" } else { "chmod go-w" });
    }
    chmod(&file, 0o644);
    let open = sandbox.path("open");
    fs::create_dir(&open).unwrap();
    fs::rename(&file, open.join("config.toml")).unwrap();
    symlink(open.join("config.toml"), &file).unwrap();
    chmod(&open, 0o777);
    for args in commands {
        refused(in_root(args), if args[0] == "pwn" { "" } else { "open" });
    }
    chmod(&open, 0o755);
    in_root(&["pwn"]).run();
    assert!(sandbox.path("pwned").exists(), "it runs where all is well");
}

#[test]
fn credentials_and_providers_where_everybody_writes_are_refused() {
    let mut sandbox = Sandbox::new();
    sandbox.provide("static", "touch \"$HOME/ran\"; echo '{\"api\":1,\"instances\":[]}'");
    let ran = sandbox.home().join("ran");
    chmod(&sandbox.path("bin"), 0o777);
    let status = sandbox.soong_with_bin(["status"]).code(1).stdout_has("");
    status.stderr_has("soong-provider-static is not used: its directory [ROOT]/bin is writable").run();
    assert!(!ran.exists());
    chmod(&sandbox.path("bin"), 0o755);
    sandbox.soong_with_bin(["status"]).stdout_has("").unchecked();
    assert!(ran.exists(), "it runs where all is well");

    sandbox.store_secrets("[daemon]\ntoken = \"x\"\n");
    let directory = sandbox.config_file().parent().unwrap().to_path_buf();
    chmod(&directory, 0o777);
    let extend = sandbox.soong(["extend", "1"]).code(1);
    extend.stderr_has("is writable by everyone").stderr_has("chmod go-w").run();
    chmod(&directory, 0o755);
}

/// Such variables are meant for a child of ssh, and are inherited through a `ProxyCommand` that uses soong.
#[test]
fn variables_of_a_surrounding_tunnel_do_not_stop_a_start() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let start = |args: &[&str]| {
        let start = sandbox.tunnel(["start"]).args(args).stdout(sandbox.started(&instance));
        let start = start.env("SOONG_ASKPASS_SOCKET", "/nonexistent").env("SSH_ASKPASS_PROMPT", "none");
        start
            .env("SOONG", "/nonexistent")
            .env("SOONG_API", "0")
            .env("SOONG_COMPLETE", "1")
            .env("COMPLETE", "zsh")
    };
    start(&[]).run();
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    let foreground = start(&["--foreground"]).spawn();
    wait::until_true("the tunnel", || sandbox.tunnel(["status"]).unchecked().code == 0);
    foreground.signal(nix::sys::signal::Signal::SIGTERM);
    foreground.unchecked();
}

#[test]
fn complaints_show_words_and_do_not_obey_them() {
    let sandbox = Sandbox::new();
    for program in ["tunnel", "ssh", "status", "extend", "configure", "init", "prompt", "ext"] {
        for word in [
            "--x\u{1b}]0;x\u{7}",
            "--y\nhint: run this",
            "--z\u{202e}\u{e0041}",
            "w\u{9b}31m\nhint: run this",
        ] {
            let output = sandbox.soong([program, word]).unchecked();
            let said = output.stdout + &output.stderr;
            let shown = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{202e}' | '\u{e0041}'));
            assert!(said.chars().all(shown), "{program} {word:?}: {said:?}");
            assert!(!said.contains("\nhint: run this"), "{program} {word:?}: {said}");
        }
    }
}
