//! A daemon in its own directory, and a client that writes HTTP requests by hand.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub const TOKEN: &str = "t0ken_4711-abcdefghijklmnopqrstuv";
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine: a directory with the daemon's files, in which the end is a script that leaves a mark.
pub struct Machine {
    pub directory: TempDir,
    config: String,
}

/// A running daemon; it is killed when this is dropped.
pub struct Daemon {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

impl Machine {
    /// A machine without GPU and logins, whose configuration ends in `config`.
    pub fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display();
        fs::write(directory.path().join("utmp"), b"").unwrap();
        let base = format!(
            "token = \"{TOKEN}\"\nlisten = \"127.0.0.1:0\"\ngpu = false\nutmp = \"{at}/utmp\"\nstate = \"{at}/state\"\n"
        );
        let machine = Self { config: base + config, directory };
        machine.script("end", "echo ended >> \"$0.log\"");
        machine
    }

    /// A machine that ends by its script `end`.
    pub fn ending(config: &str) -> Self {
        let mut machine = Self::new("");
        machine.config += &format!("end = [\"{}\"]\n{config}", machine.file("end").display());
        machine
    }

    /// The machine with more configuration; `HERE` stands for its directory.
    pub fn with(mut self, config: &str) -> Self {
        self.config += &config.replace("HERE", &self.directory.path().display().to_string());
        self
    }

    /// The machine with its GPUs looked at.
    pub fn with_gpu(mut self) -> Self {
        self.config = self.config.replace("gpu = false\n", "");
        self
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a shell script; it finds itself as `$0`.
    pub fn script(&self, name: &str, text: &str) {
        let file = self.file(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Returns the text that the script `name` wrote to `NAME.log`.
    pub fn log_of(&self, name: &str) -> String {
        fs::read_to_string(self.file(&format!("{name}.log"))).unwrap_or_default()
    }

    pub fn has_ended(&self) -> bool {
        self.log_of("end").contains("ended")
    }

    pub fn command(&self) -> Command {
        self.command_with(&self.config)
    }

    /// A command whose configuration says where the running daemon listens.
    pub fn command_at(&self, address: SocketAddr) -> Command {
        self.command_with(&self.config.replace("127.0.0.1:0", &address.to_string()))
    }

    fn command_with(&self, config: &str) -> Command {
        let file = self.file("statusd.toml");
        fs::write(&file, config).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_soong-statusd"));
        command.arg("--config").arg(file).env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET");
        command.env("PATH", format!("{}:/usr/bin:/bin", self.file("bin").display()));
        command
    }

    /// Starts the daemon and waits until it listens.
    pub fn start(&self) -> Daemon {
        let mut child = self.command().stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, shared) = (child.stderr.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = shared.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut daemon = Daemon { child, address: SocketAddr::from(([127, 0, 0, 1], 1)), log };
        let listening = || {
            let log = daemon.log();
            let (_, rest) = log.split_once("listening on ")?;
            rest.split_once(';')?.0.parse().ok()
        };
        let address = wait_for(&format!("the daemon to listen: {}", daemon.log()), listening);
        daemon.address = address;
        daemon.settled()
    }
}

impl Daemon {
    /// Waits until the daemon has looked at the machine once.
    fn settled(self) -> Self {
        wait_until("a first look", || !self.status()["why"].as_str().unwrap().contains("not looked at"));
        self
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends bytes and returns what comes back until the daemon closes the connection.
    pub fn exchange(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // A daemon that refuses a request need not have read all of it.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn request(&self, method: &str, path: &str, token: Option<&str>, form: &str) -> Answer {
        let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let answer = self.exchange(
            format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                form.len()
            )
            .as_bytes(),
        );
        parse(&answer)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, Some(TOKEN), "")
    }

    pub fn post(&self, path: &str, form: &str) -> Answer {
        self.request("POST", path, Some(TOKEN), form)
    }

    pub fn status(&self) -> Value {
        let answer = self.get("/status");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Sends SIGTERM and waits until the daemon has ended.
    pub fn terminate(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        wait_until("the last line of the log", || self.log().contains("stopped"));
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// The value that `look` finds within a minute.
#[track_caller]
pub fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "no {what} within a minute");
        thread::sleep(Duration::from_millis(10));
    }
}

#[track_caller]
pub fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    wait_for(what, || is_true().then_some(()));
}

/// A model server whose metrics page can be changed.
pub struct ModelServer {
    pub port: u16,
    page: Arc<Mutex<Option<String>>>,
}

impl ModelServer {
    /// A server with `page`; `None` answers 404.
    pub fn start(page: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let page = Arc::new(Mutex::new(page.map(str::to_owned)));
        let shared = Arc::clone(&page);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = respond(&mut stream.unwrap(), shared.lock().unwrap().as_deref());
            }
        });
        Self { port, page }
    }

    pub fn set(&self, page: &str) {
        *self.page.lock().unwrap() = Some(page.to_owned());
    }
}

fn respond(stream: &mut TcpStream, page: Option<&str>) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let length = stream.read(&mut request)?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let (status, body) = match (request.split(' ').nth(1), page) {
        (Some("/metrics"), Some(page)) => ("200 OK", page),
        (Some("/v1/models"), _) => ("200 OK", r#"{"object":"list","data":[{"id":"qwen2.5-coder-32b"}]}"#),
        _ => ("404 Not Found", ""),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A record of utmp for a login of this process on `terminal`.
pub fn utmp_record(terminal: &str) -> Vec<u8> {
    use std::mem::{offset_of, size_of};
    let mut record = vec![0; size_of::<libc::utmpx>()];
    let mut put = |offset: usize, bytes: &[u8]| record[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(offset_of!(libc::utmpx, ut_type), &libc::USER_PROCESS.to_ne_bytes());
    put(offset_of!(libc::utmpx, ut_pid), &std::process::id().to_ne_bytes());
    put(offset_of!(libc::utmpx, ut_line), terminal.as_bytes());
    put(offset_of!(libc::utmpx, ut_user), b"ubuntu");
    record
}

pub fn write(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
}
