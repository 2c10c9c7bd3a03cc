//! Leftovers of a crash, a reboot or another program: soong recognises them, cleans up and never signals
//! them.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::curl::get;
use crate::support::instance::Instance;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::ssh;
use crate::support::tools::tool;
use crate::support::{process, wait};

const NOT_FOUND: &str = "Tunnel process not found (already stopped?)\n";
const NOT_RUNNING: &str = "Tunnel is not running\n";

/// A live process that has nothing to do with soong, in its own process group.
struct Bystander(Child);

impl Bystander {
    fn start() -> Self {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(tool("sleep"));
        let child = command.arg("600").env_clear().stdin(Stdio::null()).process_group(0).spawn();
        Self(child.unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    #[track_caller]
    fn assert_untouched(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "a process that is not ours was signalled");
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a tunnel, kills its supervisor so that it can't clean up, and waits until its ssh is gone as well.
fn crash(sandbox: &Sandbox, instance: &Instance) -> i32 {
    let pid = sandbox.start(instance);
    process::signal(pid, Signal::SIGKILL);
    wait::until_true("the supervisor to die", || !process::is_alive(pid));
    pid
}

#[test]
fn a_killed_supervisor_takes_its_ssh_along_and_is_cleaned_up_after() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = crash(&sandbox, &instance);
    let told =
        format!("soong-tunnel: the tunnel to dev failed: its supervisor (PID {pid}) was killed or crashed\n");
    sandbox.tunnel(["status"]).code(3).stdout(NOT_RUNNING).stderr_has(told).run();
    wait::until_true("no orphan ssh", || sandbox.processes().is_empty());
    sandbox.tunnel(["stop"]).stdout(NOT_FOUND).run();
    assert!(!sandbox.pid_file().exists());
    sandbox.tunnel(["stop"]).stdout(NOT_RUNNING).run();
    sandbox.start(&instance);
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    assert_eq!(sandbox.processes().len(), 2);
}

#[test]
fn a_killed_supervisor_is_told_by_status_log_and_prompt_until_a_command_cleans_up() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = crash(&sandbox, &instance);
    let reason = format!("its supervisor (PID {pid}) was killed or crashed");
    // The first command that looks publishes it, any of them.
    let list = || sandbox.tunnel(["list"]).stdout_has("dev   failed").run();
    list();
    let prompt = fs::read_to_string(sandbox.path("run/soong/prompt")).unwrap();
    assert!(prompt.contains(" failed dev "), "{prompt}");
    sandbox.soong(["prompt"]).stdout_has("dev failed").run();
    let log = || sandbox.tunnel(["logs", "dev"]).stdout_has(format!("Z failed: {reason}\n")).run().stdout;
    assert!(log().trim_end().ends_with(&reason), "{}", log());
    for _ in 0..2 {
        let status = sandbox.tunnel(["status", "dev"]).code(3).stdout(NOT_RUNNING);
        let status = status.stderr_has(format!("soong-tunnel: the tunnel to dev failed: {reason}\n"));
        status.stderr_has("hint: start it again: soong tunnel start --instance-id dev\n").run();
    }
    let json = sandbox.tunnel(["status", "--json"]).code(3).stdout_has(r#""state":"failed""#).run().stdout;
    assert!(json.contains(&reason), "{json}");
    sandbox.soong(["status"]).stdout_has("failed").stderr_has("").run();
    list();
    assert_eq!(log().matches("was killed").count(), 1, "told once: {}", log());
    sandbox.tunnel(["stop"]).stdout(NOT_FOUND).run();
    sandbox.tunnel(["status"]).code(3).stdout(NOT_RUNNING).run();
    assert_eq!(fs::read_to_string(sandbox.path("run/soong/prompt")).unwrap(), "");
    sandbox.assert_idle();
}

#[test]
fn start_works_right_after_a_crash() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let old = crash(&sandbox, &instance);
    let new = sandbox.start(&instance);
    assert_ne!(old, new);
    assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{new}\n"));
    assert_eq!(get(&sandbox.url(2, "id")), "status");
    wait::until_true("one supervisor and one ssh", || sandbox.processes().len() == 2);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}

#[test]
fn restart_works_right_after_a_crash() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    crash(&sandbox, &instance);
    sandbox.tunnel(["restart"]).stdout_has("SSH tunnel started").run();
    assert_eq!(get(&sandbox.url(1, "id")), "n8n");
    wait::until_true("one supervisor and one ssh", || sandbox.processes().len() == 2);
}

#[test]
fn a_pid_that_is_now_another_programs_is_left_alone() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let mut bystander = Bystander::start();
    let old = crash(&sandbox, &instance);
    reuse_pid(&sandbox, old, bystander.pid());
    sandbox.tunnel(["status"]).code(3).stdout(NOT_RUNNING).stderr_has("was killed or crashed").run();
    bystander.assert_untouched();
    sandbox.tunnel(["stop"]).stdout(NOT_FOUND).run();
    bystander.assert_untouched();
    assert!(!sandbox.pid_file().exists());
}

#[test]
fn start_and_restart_leave_a_reused_pid_alone() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let mut bystander = Bystander::start();
    let old = crash(&sandbox, &instance);
    reuse_pid(&sandbox, old, bystander.pid());
    let new = sandbox.start(&instance);
    bystander.assert_untouched();
    assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{new}\n"));
    process::signal(new, Signal::SIGKILL);
    wait::until_true("the supervisor to die", || !process::is_alive(new));
    reuse_pid(&sandbox, new, bystander.pid());
    sandbox.tunnel(["restart"]).stdout_has("SSH tunnel started").run();
    bystander.assert_untouched();
}

/// Makes every file of the tunnel that names the PID `old` name `new`, as if the system had given it out again.
fn reuse_pid(sandbox: &Sandbox, old: i32, new: i32) {
    let (old, new) = (old.to_string(), new.to_string());
    let mut changed = Vec::new();
    for file in sandbox.files() {
        // Sockets can't be read, logs are not text for certain.
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        if text.contains(&old) {
            fs::write(&file, text.replace(&old, &new)).unwrap();
            changed.push(file);
        }
    }
    assert!(changed.contains(&sandbox.pid_file()), "{changed:?}");
    assert!(changed.contains(&sandbox.tunnel_directory().join("state.toml")), "{changed:?}");
}

#[test]
fn a_reboot_leaves_a_pid_file_and_no_runtime_directory() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let mut bystander = Bystander::start();
    let old = crash(&sandbox, &instance);
    reuse_pid(&sandbox, old, bystander.pid());
    wait::until_true("no orphan ssh", || sandbox.processes().is_empty());
    fs::remove_dir_all(sandbox.path("run/soong")).unwrap();
    sandbox.tunnel(["status"]).code(3).stdout(NOT_RUNNING).run();
    let pid = sandbox.start(&instance);
    assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{pid}\n"));
    assert_eq!(get(&sandbox.url(0, "id")), "sglang");
    bystander.assert_untouched();
}

#[test]
fn stop_after_a_reboot_cleans_the_pid_file_up() {
    let sandbox = Sandbox::new();
    let mut bystander = Bystander::start();
    sandbox.write(&sandbox.pid_file(), format!("{}\n", bystander.pid()));
    sandbox.tunnel(["stop"]).stdout(NOT_FOUND).run();
    bystander.assert_untouched();
    sandbox.tunnel(["stop"]).stdout(NOT_RUNNING).run();
    sandbox.assert_idle();
}

#[test]
fn garbage_in_the_pid_file_is_neither_believed_nor_kept() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let mut bystander = Bystander::start();
    let pid = bystander.pid();
    let contents: [&[u8]; 10] = [
        b"",
        b"\n",
        b"hello\n",
        b"\xff\xfe\0\n",
        b"99999999999999999999\n",
        // Zero means the sender's own process group, and a negative number the group of that leader.
        b"0\n",
        &format!("-{pid}\n").into_bytes(),
        &format!("{pid} {pid}\n").into_bytes(),
        &format!("{pid}\n{pid}\nhello").into_bytes(),
        &vec![b'1'; 1 << 20],
    ];
    for content in contents {
        sandbox.write(&sandbox.pid_file(), content);
        // Spawned in its own process group, so that a signal to that group does not end the test run.
        sandbox.tunnel(["status"]).code(3).stdout(NOT_RUNNING).spawn().finish();
        let stopped = sandbox.tunnel(["stop"]).spawn().unchecked();
        assert_eq!((stopped.code, stopped.stderr.as_str()), (0, ""), "{}", content.escape_ascii());
        assert!([NOT_FOUND, NOT_RUNNING].contains(&stopped.stdout.as_str()), "{stopped:?}");
        bystander.assert_untouched();
        sandbox.assert_idle();
    }
    sandbox.write(&sandbox.pid_file(), contents[8]);
    let new = sandbox.start(&instance);
    assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{new}\n"));
    bystander.assert_untouched();
}

#[test]
fn garbage_in_the_state_of_a_tunnel_does_not_stop_a_start() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    crash(&sandbox, &instance);
    sandbox.write(&sandbox.tunnel_directory().join("state.toml"), b"\xff not toml");
    sandbox.tunnel(["status"]).code(3).stdout(NOT_RUNNING).run();
    sandbox.start(&instance);
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}

#[test]
fn the_pid_file_is_one_line_while_the_tunnel_runs() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    assert_eq!(fs::read_to_string(sandbox.pid_file()).unwrap(), format!("{pid}\n"));
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert!(!sandbox.pid_file().exists());
}

#[test]
fn a_tunnel_that_runs_survives_the_loss_of_its_pid_file() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let pid = sandbox.start(&instance);
    fs::remove_file(sandbox.pid_file()).unwrap();
    sandbox.tunnel(["status"]).stdout_has("Tunnel is running\n").run();
    sandbox.tunnel(["start"]).code(1).stderr_has("Tunnel already running. Stop it first.\n").run();
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    assert!(!process::is_alive(pid));
    sandbox.assert_idle();
}

/// Where the kernel does not end ssh with its supervisor, the next command does: through its control socket.
#[test]
fn an_ssh_that_outlived_its_supervisor_is_ended() {
    let instance = Instance::start();
    for runtime in ["run", "run/100%h"] {
        let sandbox = Sandbox::with(&instance);
        let soong = |command| sandbox.tunnel([command]).env("XDG_RUNTIME_DIR", sandbox.path(runtime));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(sandbox.path(runtime)).unwrap();
        soong("start").stdout(sandbox.started(&instance)).run();
        soong("stop").stdout("Stopped tunnel (PID: [PID])\n").run();
        let control = sandbox.path(runtime).join("soong/tunnels/dev/ctl");
        let mut orphan = ssh(&instance.sshd)
            .args(["-M", "-S", &control.to_str().unwrap().replace('%', "%%")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait::until_true("the control socket", || UnixStream::connect(&control).is_ok());
        soong("status").code(3).stdout(NOT_RUNNING).run();
        wait::until("the orphan to end", || orphan.try_wait().unwrap());
        soong("start").stdout(sandbox.started(&instance)).run();
        soong("stop").stdout("Stopped tunnel (PID: [PID])\n").run();
        sandbox.assert_idle();
    }
}

/// Otherwise no command could find the tunnel any more, and an unknown process would hold its ports.
#[test]
fn a_tunnel_whose_directory_is_deleted_ends_when_it_is_used() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    sandbox.configure(|config| {
        config.set(["ssh", "keepalive"], 1).set(["tunnel", "hold"], 1);
    });
    sandbox.start(&instance);
    fs::remove_dir_all(sandbox.path("run/soong")).unwrap();
    let _ = crate::support::curl::curl().arg(sandbox.url(0, "id")).output().unwrap();
    wait::until_true("the tunnel to end", || sandbox.processes().is_empty());
    sandbox.assert_idle();
    sandbox.start(&instance);
    sandbox.tunnel(["logs"]).stdout_has("was deleted").run();
}
