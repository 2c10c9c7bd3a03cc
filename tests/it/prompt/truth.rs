//! Answers for every kind of prompt file: the same in each shell and from `soong-prompt`, and never "up" for
//! a tunnel that is not.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use nix::sys::signal::Signal;

use super::hooks::{SHELLS, Shell, now};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{is_root, tool};
use crate::support::{process, wait};

/// A runtime directory and the expected answer for it.
struct Case {
    label: String,
    directory: PathBuf,
    expected: String,
}

struct Cases<'a> {
    sandbox: &'a Sandbox,
    all: Vec<Case>,
}

impl Cases<'_> {
    /// A file that holds these bytes.
    fn add(&mut self, label: &str, contents: impl AsRef<[u8]>, expected: &str) -> PathBuf {
        let directory = self.sandbox.path(&format!("case-{}", self.all.len()));
        let soong = directory.join("soong");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&soong).unwrap();
        let file = soong.join("prompt");
        fs::write(&file, contents).unwrap();
        self.all.push(Case { label: label.to_owned(), directory, expected: expected.to_owned() });
        file
    }

    /// Adds a path that no reader may take for the prompt file.
    fn add_odd(&mut self, label: &str, make: impl FnOnce(&Path)) {
        let file = self.add(label, "", "");
        fs::remove_file(&file).unwrap();
        make(&file);
    }
}

/// A child that has ended and has not been waited for.
fn zombie() -> Child {
    let child = Command::new("true").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    wait::until_true("a child to end", || !process::is_alive(pid));
    child
}

/// A process with the name of a supervisor, until dropped; it can be stopped.
struct Idler(Child);

impl Idler {
    fn start(sandbox: &Sandbox) -> Self {
        let program = sandbox.path("bin/soong-supervisor");
        if !program.exists() {
            fs::copy(tool("sleep"), &program).unwrap();
        }
        Self(Command::new(program).arg("600").spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Returns its start in clock ticks after boot, once it has its name.
    fn started(&self) -> u64 {
        wait::until("its name", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
            let (head, tail) = stat.rsplit_once(") ").unwrap();
            head.ends_with("(soong-superviso").then(|| tail.split(' ').nth(19).unwrap().parse().unwrap())
        })
    }

    fn stop(self) -> Self {
        process::signal(i32::try_from(self.pid()).unwrap(), Signal::SIGSTOP);
        wait::until_true("it to stop", || {
            fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap().contains(") T ")
        });
        self
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// PID of a process that has just ended.
fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// Many names, long names, and lines with and without a name to show.
fn add_names(cases: &mut Cases, mine: &impl Fn(&str, &str) -> String, me: u32, then: u64) {
    let many = |last: &str| -> String {
        let names = (10..21).map(|number| mine("up", &format!("training-run-{number}")));
        names.chain([mine(last, "training-run-21")]).collect()
    };
    cases.add("twelve", many("up"), "training-run-10+11");
    cases.add("one of twelve", many("failed"), "11/12 training-run-21 failed");
    // Names to show.
    let shown = |mark: &str, rest: &str| format!("{mark} {me} {then} 75 up x@353a2671b67 - 8000{rest}\n");
    cases.add("a real name", shown("soong2", " llama-70b-fi..ment-3"), "llama-70b-fi..ment-3");
    cases.add("a supervisor of before", shown("soong1", ""), "x@353a2671b67");
    cases.add("a supervisor of before that says more", shown("soong1", " x"), "");
    cases.add("no name to show", shown("soong2", ""), "");
    cases.add("no name to show, but a space", shown("soong2", " "), "");
    cases.add("more than a name", shown("soong2", " x y"), "");
}

/// Lines of idle tunnels, which name their process; the processes live as long as the result.
fn add_idle(cases: &mut Cases, mine: &impl Fn(&str, &str) -> String, zombie: u32) -> Vec<Idler> {
    cases.add("idle, with an expiry", mine("idle", "dev"), "dev idle");
    cases.add("idle beside one that is up", mine("idle", "a") + &mine("up", "b"), "b");
    cases.add("idle beside one that failed", mine("idle", "a") + &mine("failed", "b"), "b failed");
    cases.add("two idle", mine("idle", "a") + &mine("idle", "b"), "a,b idle");
    if cfg!(not(target_os = "linux")) {
        return Vec::new();
    }
    let idlers = vec![Idler::start(cases.sandbox), Idler::start(cases.sandbox).stop()];
    let (pid, started) = (idlers[0].pid(), idlers[0].started());
    let line =
        |pid: u32, started: u64, state: &str| format!("soong3 {pid} {started} {state} dev - 8000 dev\n");
    cases.add("idle", line(pid, started, "idle"), "dev idle");
    cases.add("idle, a reused PID", line(pid, started + 1, "idle"), "dev down");
    cases.add("idle, a PID of another program", line(std::process::id(), started, "idle"), "dev down");
    cases.add("idle, a stopped supervisor", line(idlers[1].pid(), idlers[1].started(), "idle"), "dev down");
    cases.add("idle, a zombie", line(zombie, started, "idle"), "dev down");
    cases.add("idle, a dead PID", line(dead_pid(), started, "idle"), "dev down");
    cases.add("blocked", line(pid, started, "needs-passphrase"), "dev needs passphrase");
    let other = line(pid, started, "login-refused");
    cases.add("blocked in one way", other.clone() + &other, "0/2 dev,dev login refused");
    cases.add("blocked in two ways", other + &line(pid, started, "needs-answer"), "0/2 dev,dev down");
    cases.add("idle, one field more", line(pid, started, "75 idle"), "");
    cases.add("idle, no start", line(pid, 0, "idle"), "");
    let hostile = format!("a[$(touch${{IFS}}{})]", cases.sandbox.path("pwned").display());
    cases.add("idle, hostile state", line(pid, started, &hostile), "");
    let bad = format!(
        "soong3 {hostile} {started} idle dev - 8000 dev\nsoong3 {pid} {hostile} idle dev - 8000 dev\n"
    );
    cases.add("idle, hostile numbers", bad, "");
    idlers
}

fn cases(sandbox: &Sandbox, zombie: u32) -> (Vec<Case>, Vec<Idler>) {
    let mut cases = Cases { sandbox, all: Vec::new() };
    let (me, dead, then) = (std::process::id(), dead_pid(), now() + 60);
    let line = |pid: &str, until: u64, state: &str, name: &str| {
        format!("soong2 {pid} {until} 75 {state} {name} - 8000 {name}\n")
    };
    let mine = |state: &str, name: &str| line(&me.to_string(), then, state, name);
    let up = mine("up", "dev");
    // Promises: of whom, until when.
    cases.add("alive", &up, "dev");
    cases.add("dead", line(&dead.to_string(), then, "up", "dev"), "dev down");
    cases.add(
        "expired, so hung, stopped, a zombie or reused",
        line(&me.to_string(), now() - 2, "up", "dev"),
        "dev down",
    );
    cases.add(
        "promised before the clock was set back",
        line(&me.to_string(), then + 3600, "up", "dev"),
        "dev down",
    );
    if cfg!(target_os = "linux") {
        cases.add("a zombie", line(&zombie.to_string(), then, "up", "dev"), "dev down");
    }
    for pid in ["0", "1", "-1", "00", "x", "12345678", "99999999999999999999"] {
        cases.add(&format!("PID {pid}"), line(pid, then, "up", "dev"), "");
    }
    for state in ["starting", "reconnecting", "failed"] {
        cases.add(state, mine(state, "dev"), &format!("dev {state}"));
    }
    cases.add("failed, and its supervisor gone", line(&dead.to_string(), 1, "failed", "dev"), "dev failed");
    cases.add("a state of later", mine("dreaming", "dev"), "dev down");
    cases.add("expired while connecting", line(&me.to_string(), now() - 2, "starting", "dev"), "dev down");
    // Several.
    let two = up.clone() + &mine("up", "staging");
    cases.add("two", &two, "dev,staging");
    cases.add("two of three", two.clone() + &mine("reconnecting", "x"), "2/3 x reconnecting");
    cases.add("one of three", up.clone() + &mine("failed", "x") + &mine("starting", "y"), "1/3 x failed");
    cases.add("one gave up, one died", mine("failed", "x") + &mine("dreaming", "y"), "0/2 x,y down");
    cases.add("none of two", mine("starting", "a") + &mine("failed", "b"), "0/2 b failed");
    cases.add("five", ["a", "b", "c", "d", "e"].map(|name| mine("up", name)).concat(), "a,b,c+2");
    add_names(&mut cases, &mine, me, then);
    let idlers = add_idle(&mut cases, &mine, zombie);
    // Leases.
    let lease = |end: u64| format!("soong2 {me} {then} 75 up dev {end} 8000 dev\n");
    cases.add("a short lease", lease(now() + 610), "dev 10m left");
    cases.add("a long lease", lease(now() + 7200), "dev");
    cases.add("an ended lease", lease(now() - 7200), "dev 0m left");
    // Files that say nothing.
    cases.add("empty", "", "");
    cases.add("garbage", b"\x00\xff\x1b[31m\n\n   \nsoong2\n\x80", "");
    cases.add("truncated", &up[..30], "");
    cases.add("another format", up.replace("soong2", "soong3"), "");
    cases.add("garbage around a line", format!("\u{1b}]0;x\u{7}\n{up}soong2 1\n"), "dev");
    // Files that want to be executed.
    let pwned = sandbox.path("pwned");
    let command = format!("$(touch${{IFS}}{})", pwned.display());
    for hostile in [
        command.as_str(),
        &format!("a[{command}]"),
        "`id`",
        "%F{red}",
        "\u{1b}]0;x\u{7}",
        "#[fg=red]",
        "é",
        "\\[",
        "*",
    ] {
        for was in [
            me.to_string(),
            then.to_string(),
            "75".into(),
            " up ".into(),
            "dev".into(),
            " - ".into(),
            "8000".into(),
            " dev\n".into(),
        ] {
            let is = was.replace(was.trim(), hostile);
            cases.add(&format!("{is} for {was}"), up.replacen(&was, &is, 1), "");
        }
    }
    // Paths that are not files.
    cases.add_odd("missing", |_| {});
    cases.add_odd("a directory", |file| fs::create_dir(file).unwrap());
    cases.add_odd("a FIFO", |file| nix::unistd::mkfifo(file, nix::sys::stat::Mode::S_IRWXU).unwrap());
    cases.add_odd("a dangling link", |file| std::os::unix::fs::symlink("/nonexistent", file).unwrap());
    if is_root() {
        let file = cases.add("a file of another user", &up, "");
        chown(&file, Some(12345), None).unwrap();
        let file = cases.add("a directory of another user", &up, "");
        chown(file.parent().unwrap(), Some(12345), None).unwrap();
    } else {
        cases.add_odd("a file of another user", |file| {
            std::os::unix::fs::symlink("/etc/passwd", file).unwrap();
        });
    }
    (cases.all, idlers)
}

/// The lines with which `shell` looks at every case, a text per line.
fn script(shell: &Shell, cases: &[Case]) -> String {
    let mut script = shell.load();
    for case in cases {
        script += &shell.set("XDG_RUNTIME_DIR", case.directory.to_str().unwrap());
        script += &format!("{}\necho \"[$SOONG_TEXT|$SOONG_STATE]\"\n", shell.hook);
    }
    script
}

fn state(text: &str) -> &str {
    let not_up = ["down", "starting", "reconnecting", "failed", "needs", "/"];
    match text {
        "" => "",
        text if text.ends_with(" idle") => "idle",
        text if not_up.iter().any(|word| text.contains(word)) => "down",
        _ => "up",
    }
}

#[test]
fn every_shell_says_the_same_of_every_file() {
    let sandbox = Sandbox::new();
    let mut zombie = zombie();
    let (cases, _idlers) = cases(&sandbox, zombie.id());
    for shell in &SHELLS {
        let file = sandbox.path("script");
        sandbox.write(&file, script(shell, &cases));
        let output = shell.run(&sandbox, &[file.to_str().unwrap()]).unchecked();
        let said: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with('[')).collect();
        assert_eq!(said.len(), cases.len(), "{}: {output:#?}", shell.name);
        for (case, said) in cases.iter().zip(said) {
            let expected = format!("[{}|{}]", case.expected, state(&case.expected));
            assert_eq!(said, expected, "{} of: {}", shell.name, case.label);
        }
        assert!(!sandbox.path("pwned").exists(), "{} has executed what it read", shell.name);
    }
    zombie.wait().unwrap();
}

#[test]
fn soong_prompt_says_what_shells_say() {
    let sandbox = Sandbox::new();
    let mut zombie = zombie();
    let (cases, _idlers) = cases(&sandbox, zombie.id());
    for case in &cases {
        let program = tool("env");
        let run = Run::new(&sandbox, &program, [env!("CARGO_BIN_EXE_soong-prompt")]);
        let run = run.env("XDG_RUNTIME_DIR", &case.directory).env("SOONG_PROMPT_FORMAT", "{text} {lease}");
        let output = run.unchecked();
        assert_eq!((output.stdout.trim_end(), output.code), (case.expected.as_str(), 0), "{}", case.label);
        assert_eq!(output.stderr, "", "{}", case.label);
    }
    zombie.wait().unwrap();
}
