//! A real OpenSSH server on a loopback port, run by the current user, with its own keys.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use super::config::user;
use super::tools::{is_root, tool};
use super::{ports, process, wait};

/// A running server; it and its sessions end when this is dropped.
pub struct Sshd {
    pub port: u16,
    directory: TempDir,
    child: Child,
    mounts: Vec<Mount>,
}

/// A file that the server sees in place of another.
#[derive(Clone)]
pub struct Mount {
    pub file: PathBuf,
    pub place: &'static str,
}

/// Options of a server.
pub struct Options {
    port: Option<u16>,
    accept_key: bool,
    penalties: bool,
    extra: String,
    mounts: Vec<Mount>,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: None, accept_key: true, penalties: false, extra: String::new(), mounts: Vec::new() }
    }
}

impl Options {
    /// Listens on this port, to replace another server.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Accepts no key at all.
    pub fn refuse_key(mut self) -> Self {
        self.accept_key = false;
        self
    }

    /// Refuses clients whose logins fail, as `sshd` does by default if it [can](has_penalties).
    pub fn penalties(mut self) -> Self {
        self.penalties = true;
        self
    }

    /// A further line of `sshd_config`, such as `MaxSessions 0`.
    pub fn line(mut self, line: &str) -> Self {
        self.extra.push_str(line);
        self.extra.push('\n');
        self
    }

    /// Shows the server `file` in place of the file `place`, which needs root.
    pub fn mount(mut self, file: PathBuf, place: &'static str) -> Self {
        self.mounts.push(Mount { file, place });
        self
    }

    /// Starts the server and waits until it speaks.
    pub fn start(self) -> Sshd {
        let directory = tempfile::Builder::new().prefix("sd-").tempdir_in("/tmp").unwrap();
        let port = self.port.unwrap_or_else(ports::free);
        let config = self.write(directory.path(), port);
        let child = launch(&config, &directory.path().join("log"), &self.mounts);
        let mut sshd = Sshd { port, directory, child, mounts: self.mounts };
        sshd.wait_until_ready();
        sshd
    }

    /// Writes keys and `sshd_config` for a server on `port`; returns the path of the latter.
    pub fn write(&self, directory: &Path, port: u16) -> PathBuf {
        generate_key(&directory.join("host_key"));
        generate_key(&directory.join("key"));
        if self.accept_key {
            fs::copy(directory.join("key.pub"), directory.join("authorized_keys")).unwrap();
        }
        let config = directory.join("sshd_config");
        fs::write(&config, self.config(directory, port)).unwrap();
        config
    }

    fn config(&self, directory: &Path, port: u16) -> String {
        let directory = directory.display();
        let extra = &self.extra;
        let penalties = match (has_penalties(), self.penalties) {
            (false, _) => "",
            (true, false) => "PerSourcePenalties no\n",
            (true, true) => "PerSourcePenalties yes\n",
        };
        // With a separate HOME, a session does not run the developer's startup files.
        format!(
            "{extra}{penalties}\
             Port {port}\n\
             ListenAddress 127.0.0.1\n\
             HostKey {directory}/host_key\n\
             AuthorizedKeysFile {directory}/authorized_keys\n\
             PidFile none\n\
             LogLevel VERBOSE\n\
             StrictModes no\n\
             UsePAM no\n\
             UseDNS no\n\
             PermitRootLogin prohibit-password\n\
             PasswordAuthentication no\n\
             KbdInteractiveAuthentication no\n\
             MaxStartups 300\n\
             Subsystem sftp internal-sftp\n\
             SetEnv HOME={directory}\n"
        )
    }
}

impl Sshd {
    /// Starts a server that accepts its own key.
    pub fn start() -> Self {
        Options::default().start()
    }

    /// Returns the path of the private key that it accepts.
    pub fn key(&self) -> PathBuf {
        self.directory.path().join("key")
    }

    /// Returns the PID of the process that accepts connections.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the server's log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Returns the number of authenticated connections so far.
    pub fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// Ends the server and every session, as a machine that shuts down does.
    pub fn stop(&mut self) {
        process::kill_tree(i32::try_from(self.child.id()).unwrap());
        let _ = self.child.wait();
    }

    /// Restarts the server with the same settings and waits until it speaks.
    pub fn resume(&mut self) {
        let file = |name| self.directory.path().join(name);
        self.child = launch(&file("sshd_config"), &file("log"), &self.mounts);
        self.wait_until_ready();
    }

    /// Refuses all new logins; existing sessions go on. Returns the keys that were accepted.
    pub fn revoke_key(&self) -> String {
        let file = self.directory.path().join("authorized_keys");
        let keys = fs::read_to_string(&file).unwrap();
        fs::write(file, "").unwrap();
        keys
    }

    /// Accepts these keys from now on.
    pub fn restore_keys(&self, keys: &str) {
        fs::write(self.directory.path().join("authorized_keys"), keys).unwrap();
    }

    /// Gives the server another host key, which applies from its next start.
    pub fn replace_host_key(&self) {
        let key = self.directory.path().join("host_key");
        fs::remove_file(&key).unwrap();
        generate_key(&key);
    }

    /// Lets other users of this machine log in with the key.
    pub fn open_keys(&self) {
        let files = [
            (self.directory.path().to_owned(), 0o711),
            (self.key().with_file_name("authorized_keys"), 0o644),
        ];
        for (file, mode) in files {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    fn wait_until_ready(&mut self) {
        wait::until_true("sshd to speak", || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("sshd ended with {status}:\n{}", self.log());
            }
            self.speaks()
        });
    }

    fn speaks(&self) -> bool {
        let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
            return false;
        };
        let patience = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut banner = String::new();
        patience.is_ok()
            && BufReader::new(stream).read_line(&mut banner).is_ok()
            && banner.starts_with("SSH-2.0")
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.stop();
        }
        if std::thread::panicking() {
            eprintln!("--- log of sshd on port {}\n{}", self.port, self.log());
        }
    }
}

/// Creates the directory into which root's sshd locks its unprivileged half. A package's init script creates it, which
/// does not run here.
pub fn prepare() {
    if is_root() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create("/run/sshd");
        made.expect("cannot make /run/sshd, which sshd needs when root runs it");
    }
}

/// Returns true if this `sshd` has `PerSourcePenalties`: since 9.8, it refuses clients whose logins fail again and again.
/// Most tests fail to log in as often as they like, without it.
pub fn has_penalties() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let output = Command::new(tool("sshd")).arg("-V").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let version = text.split("OpenSSH_").nth(1).unwrap_or_default();
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
        let version: (u32, u32) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        version >= (9, 8)
    })
}

/// Runs `sshd` in the foreground, logging to `log`.
fn launch(config: &Path, log: &Path, mounts: &[Mount]) -> Child {
    prepare();
    let mut command = Command::new(tool("sshd"));
    if !mounts.is_empty() {
        command = Command::new(tool("unshare"));
        let script = "while [ \"$1\" != -- ]; do mount --bind \"$1\" \"$2\" || exit; shift 2; done; shift; exec \"$@\"";
        command.args(["-m", "sh", "-c", script, "sh"]);
        for Mount { file, place } in mounts {
            command.arg(file).arg(place);
        }
        command.arg("--").arg(tool("sshd"));
    }
    command
        .args(["-D", "-e", "-f"])
        .arg(config)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::options().create(true).append(true).open(log).unwrap())
        .spawn()
        .unwrap()
}

/// Creates a key pair without passphrase at `path`.
pub fn generate_key(path: &Path) {
    let output = Command::new(tool("ssh-keygen"))
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ssh-keygen: {error}");
}

/// Returns a plain `ssh` to `sshd` that asks no questions and reads no configuration.
pub fn ssh(sshd: &Sshd) -> Command {
    let mut command = Command::new(tool("ssh"));
    command.args(["-F", "none", "-N", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"]);
    command.args([
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "IdentitiesOnly=yes",
    ]);
    command.arg("-i").arg(sshd.key()).args(["-p", &sshd.port.to_string()]);
    command.arg(format!("{}@127.0.0.1", user())).stdin(Stdio::null()).env_remove("SSH_AUTH_SOCK");
    command
}
