//! A command on the instance: its words, its input and output, its exit code.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};
use std::thread;

use nix::sys::signal::Signal;

use super::{CONNECTIONS, connected};
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Options;
use crate::support::tools::tool;
use crate::support::{process, wait};

#[test]
fn every_exit_code_comes_through() {
    const AT_ONCE: i32 = 8;
    let instance = Instance::with(Options::default().line("MaxSessions 100"));
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    thread::scope(|scope| {
        for first in 0..AT_ONCE {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for code in (first..256).step_by(usize::try_from(AT_ONCE).unwrap()) {
                    let command = format!("exit {code}");
                    sandbox.soong(["ssh", "--", "sh", "-c", &command]).code(code).run();
                }
            });
        }
    });
    assert_eq!(instance.sshd.logins(), 1, "all went over the tunnel's connection");
}

#[test]
fn a_connection_of_its_own_gives_the_same_codes() {
    let (instance, sandbox) = connected(false);
    for code in [0, 1, 37, 126, 255] {
        sandbox.soong(["ssh", "--", "sh", "-c", &format!("exit {code}")]).code(code).run();
    }
    assert_eq!(instance.sshd.logins(), 5);
    sandbox.soong(["ssh", "--", "/no/such/program"]).code(127).stderr_has("/no/such/program").run();
}

#[test]
fn a_killed_command_ends_like_sshs() {
    for shared in CONNECTIONS {
        let (_instance, sandbox) = connected(shared);
        for signal in ["KILL", "TERM", "SEGV"] {
            let command = format!("kill -{signal} $$");
            let line = sandbox.soong(["ssh", "--print", "--", &command]).stdout_has("").run().stdout;
            let theirs = sandbox_shell(&sandbox, &line).output().unwrap();
            let ours = sandbox.soong(["ssh", "--", &command]).stderr_has("").unchecked();
            assert_eq!(Some(ours.code), theirs.status.code(), "{signal}");
            assert_eq!(ours.stderr, String::from_utf8_lossy(&theirs.stderr));
        }
    }
}

#[test]
fn a_session_whose_server_dies_ends_with_sshs_code_and_words() {
    let (_instance, sandbox) = connected(false);
    // It dies only once it has heard the end of ssh's input. An ssh that still has something to send notices the
    // loss on sending, and says so in other words.
    let die = "cat; kill -KILL $PPID";
    sandbox.soong(["ssh", "--", die]).code(255).stderr_has("closed by remote host").run();
}

#[test]
fn words_arrive_unchanged() {
    let words: [&[u8]; 14] = [
        b"a  b",
        b"it's",
        b"\"quoted\"",
        b"two\nlines\n",
        b"tab\there",
        b"$HOME",
        b"`id`",
        b"\\",
        b"*",
        b"",
        b"-n",
        b"=x",
        b"a;b&c|d>e#f~g!h{i,j}(k)[l]",
        b"\xff\xfe \xc3\xa4",
    ];
    let expected: Vec<u8> = words.iter().flat_map(|word| [word, &b"\0"[..]].concat()).collect();
    for shared in CONNECTIONS {
        let (_instance, sandbox) = connected(shared);
        let run = sandbox.soong(["ssh", "--", "printf", "%s\\0"]);
        let output = run.args(words.map(std::ffi::OsStr::from_bytes)).command().output().unwrap();
        assert_eq!(output.stdout, expected, "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_single_word_is_a_line_for_the_shell() {
    let (_instance, sandbox) = connected(true);
    sandbox.soong(["ssh", "--", "x=5; echo $((x + 1)) | cat"]).stdout("6\n").run();
}

#[test]
fn input_and_output_are_bytes() {
    let (_instance, sandbox) = connected(true);
    let (source, sink) = (sandbox.path("tmp/source"), sandbox.path("tmp/sink"));
    let bytes: Vec<u8> =
        (0..3_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    sandbox.write(&source, &bytes);
    // -C opens a separate connection.
    for options in [&[][..], &["-C"]] {
        let mut command = sandbox.soong(["ssh"]).args(options).args(["--", "cat"]).command();
        command.stdin(fs::File::open(&source).unwrap()).stdout(fs::File::create(&sink).unwrap());
        assert!(command.status().unwrap().success());
        assert!(fs::read(&sink).unwrap() == bytes, "{options:?}");
    }
}

#[test]
fn output_and_errors_are_kept_apart() {
    let (_instance, sandbox) = connected(true);
    sandbox.soong(["ssh", "--", "echo out; echo err >&2"]).stdout("out\n").stderr("err\n").run();
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    for shared in CONNECTIONS {
        let (_instance, sandbox) = connected(shared);
        let mut child = sandbox
            .soong(["ssh", "--", "yes"])
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        wait::until("ssh to end", || child.try_wait().unwrap());
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
        assert_eq!(said, "");
    }
}

#[test]
fn it_is_ssh_that_gets_the_signals() {
    for shared in CONNECTIONS {
        let (_instance, sandbox) = connected(shared);
        let mut session =
            sandbox.soong(["ssh", "--", "echo up; while echo .; do sleep 0.1; done"]).code(255).spawn();
        session.wait_for_stdout("up");
        let this = process::all().into_iter().find(|process| process.pid == session.pid()).unwrap();
        assert!(this.program().starts_with("ssh"), "{}", this.command);
        // Over a shared connection the other ssh prints for this one, which may not be that far yet.
        wait::until_true("ssh to handle the signal", || handles(session.pid(), Signal::SIGTERM));
        session.signal(Signal::SIGTERM);
        assert_eq!(session.unchecked().code, 255);
    }
}

/// Returns true if the process has a handler for `signal`.
#[cfg(target_os = "linux")]
fn handles(pid: i32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (signal as i32 - 1)) != 0
}

/// Where this cannot be asked, it has to be believed.
#[cfg(not(target_os = "linux"))]
fn handles(_pid: i32, _signal: Signal) -> bool {
    true
}

#[cfg(target_os = "linux")]
#[test]
fn ssh_starts_as_if_it_had_been_started_directly() {
    let (_instance, sandbox) = connected(false);
    let ssh = sandbox.path("bin/ssh");
    sandbox.write(
        &ssh,
        "#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status\nulimit -a\nls /proc/self/fd\npwd; umask\n",
    );
    fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::join_paths([sandbox.path("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
    let through = |program: &str, arguments: &str| {
        let script = format!("trap '' INT QUIT; ulimit -n 100; umask 027; exec {program} {arguments}");
        let mut command = Command::new(tool("sh"));
        command.env_clear().envs(sandbox.environment()).env("PATH", &path).args(["-c", &script]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let ours = through(env!("CARGO_BIN_EXE_soong"), "ssh");
    assert!(ours.contains("SigIgn"), "{ours}");
    assert_eq!(ours, through(super::path(&ssh), ""));
}

#[test]
fn over_a_tunnel_there_is_no_second_login() {
    let (instance, sandbox) = connected(true);
    sandbox.soong(["ssh", "--", "true"]).run();
    sandbox.soong(["ssh", "-q", "-T", "-o", "LogLevel=ERROR", "--", "true"]).run();
    sandbox.soong(["ssh", "--instance-id", "a1b2", "--", "true"]).run();
    assert_eq!(instance.sshd.logins(), 1);
    sandbox.tunnel(["stop"]).stdout_has("Stopped").run();
    sandbox.soong(["ssh", "--", "true"]).run();
    assert_eq!(instance.sshd.logins(), 2);
}

#[test]
fn what_a_tunnel_does_not_carry_gets_a_connection_of_its_own() {
    let instance = Instance::with(Options::default().line("AcceptEnv SOONG_*"));
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let socket = sandbox.path("run/agent");
    let mut agent = Command::new(tool("ssh-agent"));
    let mut agent = agent.args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    wait::until_true("the agent", || socket.exists());
    let has_agent = "test -S \"$SSH_AUTH_SOCK\"";
    sandbox.soong(["ssh", "--", has_agent]).env("SSH_AUTH_SOCK", &socket).code(1).run();
    sandbox.soong(["ssh", "-A", "--", has_agent]).env("SSH_AUTH_SOCK", &socket).run();
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!(instance.sshd.logins(), 2);
    sandbox.soong(["ssh", "-o", "SetEnv=SOONG_X=y", "--", "echo $SOONG_X"]).stdout("y\n").run();
    // A master would listen on after the session.
    let port = crate::support::ports::free();
    let forward = format!("{port}:127.0.0.1:{}", instance.sshd.port);
    sandbox.soong(["ssh", "-L", &forward, "--", "true"]).run();
    assert!(crate::support::ports::is_free(port));
    assert_eq!(instance.sshd.logins(), 4);
}

#[test]
fn where_the_server_allows_no_more_sessions_there_is_another_connection() {
    let instance = Instance::with(Options::default().line("MaxSessions 1"));
    let sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let mut first = sandbox.soong(["ssh", "--", "echo first; while echo .; do sleep 0.1; done"]).spawn();
    first.wait_for_stdout("first");
    assert_eq!(instance.sshd.logins(), 1);
    sandbox.soong(["ssh", "--", "echo second"]).stdout("second\n").stderr_has("refused").run();
    assert_eq!(instance.sshd.logins(), 2);
    first.signal(Signal::SIGTERM);
    first.unchecked();
}

#[test]
fn a_name_that_was_given_to_another_machine_does_not_lead_to_the_old_one() {
    let (instance, mut sandbox) = connected(true);
    let other = Instance::start();
    sandbox.configure(|config| {
        config.set(["instances", "dev", "id"], "ffff0000");
        config.set(["instances", "dev", "port"], i64::from(other.sshd.port));
        config.set(["ssh", "key"], super::path(&other.sshd.key()));
    });
    sandbox.soong(["ssh", "--", "true"]).stderr_has("soong.ffff0000").run();
    assert_eq!((instance.sshd.logins(), other.sshd.logins()), (1, 1));
}

#[test]
fn a_tunnel_that_is_up_is_proof_enough_of_its_instance() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let (port, user) = (instance.sshd.port, crate::support::config::user());
    let asked = sandbox.path("tmp/asked");
    let list = format!(
        "echo >>{}; echo '{{\"api\":1,\"instances\":[{{\"id\":\"p1\",\"name\":\"rented\",\"status\":\"active\",\
         \"host\":\"127.0.0.1\",\"user\":\"{user}\",\"port\":{port}}}]}}'",
        asked.display()
    );
    super::provider(&mut sandbox, &list);
    sandbox.configure(|config| {
        config.remove("instances", "dev");
    });
    let times = || fs::read(&asked).map_or(0, |asked| asked.len());
    let session = || super::soong(&sandbox, &["ssh", "--", "true"]).stderr_has("").run();
    session();
    assert_eq!((times(), instance.sshd.logins()), (1, 1));
    super::soong(&sandbox, &["tunnel", "start"]).stdout_has("").run();
    let before = times();
    session();
    super::soong(&sandbox, &["ssh", "--instance-id", "rented", "--", "true"]).run();
    assert_eq!((times(), instance.sshd.logins()), (before, 2));
}

/// As connections to the ports of the tunnel wait for it.
#[test]
fn a_tunnel_that_is_reconnecting_is_waited_for() {
    let mut instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.start(&instance);
    let told = |state: &str| sandbox.tunnel(["status", "--json"]).unchecked().stdout.contains(state);
    instance.sshd.stop();
    wait::until_true("the loss", || told("reconnecting"));
    let session = sandbox.soong(["ssh", "--", "echo up"]).stdout("up\n").spawn();
    // One that goes its own way does not wait, and neither does a question.
    sandbox.soong(["ssh", "-A", "--", "true"]).code(255).stderr_has("refused").run();
    sandbox.soong(["ssh", "-TG", "dev"]).stdout_has("hostname").run();
    let waiting = sandbox.soong(["ssh", "--", "true"]).code(130).spawn();
    waiting.interrupt();
    waiting.finish();
    let logins = instance.sshd.logins();
    instance.sshd.resume();
    session.finish();
    wait::until_true("the tunnel", || told(r#""up""#));
    assert_eq!(instance.sshd.logins(), logins + 1, "the session went over the tunnel's connection");
    // Where nothing is held, nothing is waited for.
    instance.sshd.stop();
    wait::until_true("the loss", || told("reconnecting"));
    sandbox.configure(|config| {
        config.set(["tunnel", "hold"], 0);
    });
    sandbox.soong(["ssh", "--", "true"]).code(255).stderr_has("refused").run();
    instance.sshd.resume();
}

#[test]
fn print_shows_the_command_and_runs_nothing() {
    let (instance, sandbox) = connected(true);
    let before = sandbox.files();
    let line =
        sandbox.soong(["ssh", "--print", "-T", "--", "printf", "%s,", "a b", "it's"]).stdout_has("").run();
    assert_eq!(sandbox.files(), before);
    let output = sandbox_shell(&sandbox, &line.stdout).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a b,it's,");
    assert_eq!(instance.sshd.logins(), 1);
    let empty = Sandbox::with(&instance);
    let before = empty.files();
    empty.soong(["ssh", "--print"]).stdout_has(" -- ").run();
    assert_eq!(empty.files(), before);
}

#[test]
fn mistakes_are_told_before_anything_is_run() {
    let (instance, mut sandbox) = connected(false);
    sandbox.soong(["ssh", "nvidia-smi"]).fails(2, ["'--' is missing"]).hint("soong ssh -- nvidia-smi").run();
    sandbox.soong(["ssh", "-Z"]).fails(2, ["unknown ssh option -Z"]).run();
    sandbox.soong(["ssh", "--prnt"]).fails(2, ["--prnt"]).hint("--print").run();
    sandbox.soong(["ssh", "-p"]).fails(2, ["-p needs a value"]).run();
    sandbox.soong(["ssh", "--instance-id", "deb"]).fails(1, ["no instance 'deb'"]).hint("dev").run();
    sandbox.soong(["ssh"]).env("PATH", "/nonexistent").fails(127, ["ssh is not installed"]).run();
    sandbox.configure(|config| {
        config.instance("staging", "127.0.0.1", 1);
    });
    sandbox.soong(["ssh"]).fails(1, ["more than one instance"]).hint("dev").run();
    sandbox.soong(["ssh", "--instance-id", "dev", "--", "true"]).run();
    assert_eq!(instance.sshd.logins(), 1);
}

/// A shell of the sandbox that runs `line`.
fn sandbox_shell(sandbox: &Sandbox, line: &str) -> Command {
    let mut command = Command::new(tool("sh"));
    command.env_clear().envs(sandbox.environment()).arg("-c").arg(line.trim_end()).stdin(Stdio::null());
    command
}
