//! A machine that systemd has booted: a container of systemd-nspawn with this machine's `/usr`, separate files, a
//! clock since its boot, and an SSH server on a loopback port of this machine. Needs root.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::config::{forward, path};
use super::sandbox::Sandbox;
use super::sshd::generate_key;
use super::tools::{is_root, tool};
use super::{ports, process, wait};

/// The account that logs in, and its password.
pub const USER: &str = "ubuntu";
pub const PASSWORD: &str = "pass word'7";
const USER_ID: u32 = 1000;

/// A machine, on or off.
pub struct Booted {
    directory: TempDir,
    /// The port of its SSH server.
    port: u16,
    /// The port of its status daemon.
    daemon: u16,
    container: Option<Child>,
}

/// How the account may use sudo.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sudo {
    NoPassword,
    AsksPassword,
    Refuses,
}

/// Enters a new cgroup and time namespace and starts the container. No other process sees its mounts.
/// Arguments: the name of the machine, its directory.
const BOOT: &str = r#"set -e
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$1" /run/systemd/nspawn
echo $$ > "/sys/fs/cgroup/$1/cgroup.procs"
mount -t tmpfs none /run/systemd/nspawn
up=$(cut -d . -f 1 /proc/uptime)
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec unshare --time --boottime "-$up" --monotonic "-$up" --fork --kill-child \
    systemd-nspawn --quiet --boot --machine "$1" --directory "$2/root" --bind-ro /usr --bind "$2/local:/usr/local" \
    --register no --keep-unit --console pipe --resolv-conf off --timezone off --link-journal no
"#;

/// Removes the cgroup. Argument: the name of the machine.
const CLEAN: &str = r#"mount -t cgroup2 none /sys/fs/cgroup
find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} + 2>/dev/null
[ ! -e "/sys/fs/cgroup/$1" ]
"#;

const SSH_UNIT: &str = "[Service]
ExecStart=/usr/sbin/sshd -D -e -f /etc/ssh/sshd_config
RuntimeDirectory=sshd
[Install]
WantedBy=multi-user.target
";

impl Booted {
    /// Boots a machine; `None` unless this is root.
    pub fn start(sudo: Sudo) -> Option<Self> {
        if !is_root() {
            eprintln!("not tested: booting a container needs root (see CONTRIBUTING)");
            return None;
        }
        let directory = tempfile::Builder::new().prefix("bo-").tempdir_in("/tmp").unwrap();
        let mut machine = Self { directory, port: ports::free(), daemon: ports::free(), container: None };
        machine.create(sudo);
        machine.boot();
        Some(machine)
    }

    /// Returns a file of the machine.
    pub fn file(&self, name: &str) -> PathBuf {
        match name.strip_prefix("usr/local/") {
            Some(name) => self.directory.path().join("local").join(name),
            None => self.directory.path().join("root").join(name),
        }
    }

    /// Writes a file of the machine.
    pub fn write(&self, name: &str, text: &str, mode: u32) {
        let file = self.file(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    }

    fn create(&self, sudo: Sudo) {
        for name in ["usr", "var", "run", "dev", "proc", "sys", "root", "tmp", "home/ubuntu", "usr/local/bin"]
        {
            fs::create_dir_all(self.file(name)).unwrap();
        }
        for name in ["bin", "sbin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), self.file(name)).unwrap();
        }
        fs::set_permissions(self.file("tmp"), Permissions::from_mode(0o1777)).unwrap();
        chown(self.file("home/ubuntu"), Some(USER_ID), Some(USER_ID)).unwrap();
        let passwd = format!(
            "root:x:0:0::/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/bin/false\n\
             {USER}:x:{USER_ID}:{USER_ID}::/home/ubuntu:/bin/sh\n"
        );
        self.write("etc/passwd", &passwd, 0o644);
        let groups = "root:x:0:\ntty:x:5:\nshadow:x:42:\nutmp:x:43:\nnogroup:x:65534:\nubuntu:x:1000:\n";
        self.write("etc/group", groups, 0o644);
        let hash = Command::new(tool("openssl")).args(["passwd", "-6", PASSWORD]).output().unwrap().stdout;
        let hash = String::from_utf8(hash).unwrap();
        let shadow = format!("root:*:19000::::::\nsshd:*:19000::::::\n{USER}:{}:19000::::::\n", hash.trim());
        self.write("etc/shadow", &shadow, 0o600);
        self.set_sudo(sudo);
        self.write("etc/hosts", "127.0.0.1 localhost machine\n", 0o644);
        self.write("etc/hostname", "machine\n", 0o644);
        self.write("etc/os-release", "ID=test\n", 0o644);
        // Empty, as in an image; systemd fills it at each boot.
        self.write("etc/machine-id", "", 0o644);
        for name in ["pam.d", "security"] {
            let copied =
                Command::new("cp").args(["-r", &format!("/etc/{name}")]).arg(self.file("etc")).status();
            assert!(copied.unwrap().success(), "/etc/{name}");
        }
        self.create_ssh();
    }

    /// Changes how the account may use sudo.
    pub fn set_sudo(&self, sudo: Sudo) {
        let rule = match sudo {
            Sudo::NoPassword => format!("{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n"),
            Sudo::AsksPassword => format!("{USER} ALL=(ALL:ALL) ALL\n"),
            Sudo::Refuses => String::new(),
        };
        self.write("etc/sudoers", &format!("Defaults env_reset, use_pty\n{rule}"), 0o440);
    }

    fn create_ssh(&self) {
        let config = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey /etc/ssh/host_key\nUsePAM yes\nUseDNS no\n\
             AuthorizedKeysFile /etc/ssh/authorized_keys\nPasswordAuthentication no\n",
            self.port
        );
        self.write("etc/ssh/sshd_config", &config, 0o644);
        generate_key(&self.file("etc/ssh/host_key"));
        generate_key(&self.directory.path().join("key"));
        let public = fs::read_to_string(self.directory.path().join("key.pub")).unwrap();
        self.write("etc/ssh/authorized_keys", &public, 0o644);
        self.write("etc/systemd/system/ssh.service", SSH_UNIT, 0o644);
        fs::create_dir_all(self.file("etc/systemd/system/multi-user.target.wants")).unwrap();
        symlink("../ssh.service", self.file("etc/systemd/system/multi-user.target.wants/ssh.service"))
            .unwrap();
    }

    /// Starts the machine and waits until it lets its user in.
    pub fn boot(&mut self) {
        let log = File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let mut command = Command::new(tool("unshare"));
        command.args(["--mount", "sh", "-c", BOOT, "sh", &self.name()]).arg(self.directory.path());
        command.env("PATH", super::tools::system_path());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        tool("systemd-nspawn");
        self.container = Some(command.spawn().unwrap());
        wait::until_true("the machine to boot", || {
            let status = self.container.as_mut().unwrap().try_wait().unwrap();
            assert!(status.is_none(), "{status:?}: {}", self.log());
            self.ssh("root").arg("true").stderr(Stdio::null()).status().unwrap().success()
        });
    }

    fn name(&self) -> String {
        format!("soong-test-{}", self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn ssh(&self, user: &str) -> Command {
        let mut command = Command::new(tool("ssh"));
        command.args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "LogLevel=ERROR",
        ]);
        command.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        command.arg("-i").arg(self.directory.path().join("key")).args(["-p", &self.port.to_string()]);
        command.arg(format!("{user}@127.0.0.1")).stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Runs a shell command as root on the machine and returns its output.
    pub fn root(&self, script: &str) -> String {
        let output = self.ssh("root").arg(script).output().unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        stdout + &stderr
    }

    /// Logs the user in with a terminal, until the returned session is dropped.
    pub fn log_in(&self) -> Session {
        let mut command = self.ssh(USER);
        command.args(["-tt", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        Session(command.spawn().unwrap())
    }

    /// Waits until the machine has turned itself off.
    pub fn wait_until_off(&mut self) -> ExitStatus {
        let container = self.container.as_mut().unwrap();
        let status = wait::until("the machine to turn itself off", || container.try_wait().unwrap());
        self.container = None;
        status
    }

    /// Cuts its power.
    pub fn cut_power(&mut self) {
        if let Some(mut container) = self.container.take() {
            process::kill_tree(i32::try_from(container.id()).unwrap());
            container.wait().unwrap();
        }
    }

    /// Returns the answer of its status daemon to `GET /status`; `None` without one.
    pub fn status(&self) -> Option<Value> {
        serde_json::from_str(&self.get("/status")?).ok()
    }

    /// Returns the seconds since its boot, according to its status daemon.
    pub fn uptime(&self) -> Option<u64> {
        let page = self.get("/metrics")?;
        page.lines().find_map(|line| line.strip_prefix("soong_uptime_seconds ")?.parse().ok())
    }

    fn get(&self, path: &str) -> Option<String> {
        let token = fs::read_to_string(self.file("etc/soong/token")).ok()?;
        let mut command = Command::new(tool("curl"));
        command.args(["--silent", "--max-time", "5", "--noproxy", "*", "-H"]);
        command.arg(format!("Authorization: Bearer {}", token.trim()));
        let output = command.arg(format!("http://127.0.0.1:{}{path}", self.daemon)).output().unwrap();
        String::from_utf8(output.stdout).ok()
    }

    /// Returns the port of its SSH server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A sandbox whose instance `dev` is this machine.
    pub fn sandbox(&self) -> Sandbox {
        let mut sandbox = Sandbox::new();
        sandbox.configure(|config| {
            let local = config.local[2];
            config.set(["services", "sglang"], false).set(["services", "n8n"], false);
            config.set(["services", "status"], forward(self.daemon, local));
            config.set(["ssh", "key"], path(&self.directory.path().join("key")));
            config.instance("dev", "127.0.0.1", self.port);
            config.set(["instances", "dev", "user"], USER);
            config.set(["instances", "dev", "id"], "a1b2c3d4");
        });
        // ssh reports that it pins the host key, once.
        sandbox.soong(["ssh", "--", "true"]).stderr_has("").run();
        sandbox
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let journal = if self.container.is_some() {
                self.root("journalctl --no-pager -n 60")
            } else {
                String::new()
            };
            eprintln!("--- log of the machine\n{}{journal}", self.log());
        }
        self.cut_power();
        let name = self.name();
        wait::until_true("the container's cgroup to be empty", || {
            let mut command = Command::new(tool("unshare"));
            command.args(["--mount", "sh", "-c", CLEAN, "sh", &name]).status().unwrap().success()
        });
    }
}

/// A login with a terminal.
pub struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
