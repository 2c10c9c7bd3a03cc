//! A user manager of systemd with the home and runtime directory of a sandbox, in a new cgroup. Needs root.

use std::process::{Child, Command, Stdio};

use super::sandbox::Sandbox;
use super::tools::{is_root, tool};
use super::{process, wait};

/// A running manager; it and its services end when this is dropped.
pub struct UserManager<'a> {
    sandbox: &'a Sandbox,
    child: Child,
    cgroup: String,
}

/// Makes the manager believe that systemd has booted this machine, and gives it a cgroup. No other process sees the
/// mounts. Argument: the name of the cgroup.
const RUN: &str = r#"set -e
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$1" /run/systemd
echo $$ > "/sys/fs/cgroup/$1/cgroup.procs"
mount -t tmpfs none /run/systemd
mkdir /run/systemd/system
exec /usr/lib/systemd/systemd --user --log-target=console --log-level=warning
"#;

/// Ends what is left in the cgroup and removes it. Argument: its name.
const CLEAN: &str = r#"mount -t cgroup2 none /sys/fs/cgroup
[ ! -e "/sys/fs/cgroup/$1" ] && exit
echo 1 > "/sys/fs/cgroup/$1/cgroup.kill"
find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} + 2>/dev/null
[ ! -e "/sys/fs/cgroup/$1" ]
"#;

impl<'a> UserManager<'a> {
    /// Starts the manager of the user of `sandbox`, as a login does; `None` unless this is root.
    pub fn start(sandbox: &'a Sandbox) -> Option<Self> {
        if !is_root() {
            eprintln!("not tested: a user manager of one's own needs root (see CONTRIBUTING)");
            return None;
        }
        let cgroup = format!("soong-test-{}", sandbox.path("").file_name().unwrap().to_str().unwrap());
        let mut command = Command::new(tool("unshare"));
        command.args(["--mount", "sh", "-c", RUN, "sh", &cgroup]).env_clear().envs(sandbox.environment());
        let log = std::fs::File::create(sandbox.path("user-manager.log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let manager = Self { sandbox, child: command.spawn().unwrap(), cgroup };
        wait::until_true("the user manager", || {
            manager.systemctl(&["is-active", "default.target"]).trim() == "active"
        });
        Some(manager)
    }

    /// Returns the output of `systemctl --user`.
    pub fn systemctl(&self, words: &[&str]) -> String {
        let mut command = Command::new(tool("systemctl"));
        command.arg("--user").args(words).env_clear().envs(self.sandbox.environment());
        let output = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

impl Drop for UserManager<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.sandbox.path("user-manager.log")).unwrap_or_default();
            eprintln!("--- user manager\n{log}");
            eprintln!("--- services\n{}", self.systemctl(&["status", "--no-pager", "soong-*"]));
        }
        self.systemctl(&["exit"]);
        let pid = i32::try_from(self.child.id()).unwrap();
        let mut left = 500;
        while self.child.try_wait().unwrap().is_none() {
            left -= 1;
            if left == 0 {
                process::kill_tree(pid);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let cgroup = self.cgroup.clone();
        wait::until_true("the cgroup to be empty", || {
            let mut command = Command::new(tool("unshare"));
            command.args(["--mount", "sh", "-c", CLEAN, "sh", &cgroup]).status().unwrap().success()
        });
    }
}
