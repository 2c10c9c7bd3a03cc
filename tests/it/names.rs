//! The instance that a command means: as a word or as an option, by the same rules everywhere.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::errors::instances::assert_nothing_was_executed;
use crate::support::config::user;
use crate::support::instance::Instance;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Options;
use crate::support::terminal::Terminal;

/// Bytes that a terminal sends for the down arrow.
const DOWN: &str = "\x1b[B";

/// Commands that take an instance: the words before its name, and those after it.
const COMMANDS: &[(&str, &str)] = &[
    ("tunnel start --dry-run", ""),
    ("tunnel restart --dry-run", ""),
    ("tunnel status", ""),
    ("tunnel list", ""),
    ("tunnel stop", ""),
    ("tunnel logs", ""),
    ("tunnel env", ""),
    ("tunnel wait --timeout 0", ""),
    ("tunnel url", "sglang"),
    ("tunnel forward", "1:h:1"),
    ("tunnel run", "-- true"),
    ("ssh", "-- true"),
    ("status", ""),
    ("extend", "2h"),
    ("extend 2h", ""),
    ("keep", "2h"),
    ("keep 2h", ""),
    ("daemon status", ""),
    ("daemon logs", ""),
    ("daemon install", ""),
    ("daemon upgrade", ""),
    ("daemon uninstall", ""),
];

/// `soong BEFORE NAME AFTER`, with `options` before NAME.
fn command<'a>(
    sandbox: &'a Sandbox,
    (before, after): (&str, &str),
    options: &[&str],
    name: Option<&OsStr>,
) -> Run<'a> {
    sandbox.soong(before.split_whitespace()).args(options).args(name).args(after.split_whitespace())
}

#[test]
fn an_unknown_name_is_told_everywhere_with_those_that_exist() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    for words in COMMANDS {
        let name = |run: Run<'_>| {
            run.fails(1, ["no instance 'nope'"]).hint("available: dev (a1b2c3d4)").run();
        };
        name(command(&sandbox, *words, &[], Some(OsStr::new("nope"))));
        name(command(&sandbox, *words, &["--instance-id", "nope"], None));
        name(command(&sandbox, *words, &["--instance-id=nope"], None));
    }
    for words in [&["doctor", "nope"][..], &["doctor", "--instance-id", "nope"]] {
        sandbox.soong(words.iter().copied()).code(1).stdout_has("no instance 'nope'").stderr_has("").run();
    }
    sandbox.assert_idle();
}

#[test]
fn two_names_that_differ_are_refused_and_the_same_twice_is_one() {
    // Its server refuses every login: some of the commands would change the machine, which is this one.
    let instance = Instance::with(Options::default().refuse_key());
    let sandbox = Sandbox::with(&instance);
    let more = [("doctor", ""), ("terminate", "")];
    for words in COMMANDS.iter().chain(&more) {
        let dev = Some(OsStr::new("dev"));
        let two = command(&sandbox, *words, &["--instance-id", "other"], dev);
        two.fails(2, ["two instances given: 'dev' and 'other'"]).run();
        let same = command(&sandbox, *words, &["--instance-id", "dev"], dev).unchecked();
        assert!(!same.stderr.contains("two instances"), "{words:?}: {same:?}");
        assert_ne!(same.code, 2, "{words:?}: {same:?}");
    }
    sandbox.assert_idle();
}

#[test]
fn a_name_is_a_word_wherever_an_option_chose_before() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    sandbox.tunnel(["start", "dev"]).stdout(sandbox.started(&instance)).run();
    let url = format!("http://localhost:{}\n", sandbox.config.local[0]);
    for words in
        [&["url", "sglang"][..], &["url", "dev", "sglang"], &["url", "sglang", "--instance-id", "dev"]]
    {
        sandbox.tunnel(words).stdout(&url).run();
    }
    sandbox.tunnel(["url", "dev"]).fails(1, ["no service 'dev' in this tunnel"]).hint("sglang").run();
    sandbox.tunnel(["env", "a1b2"]).stdout_has("OPENAI_BASE_URL").run();
    sandbox.tunnel(["wait", "dev"]).run();
    sandbox.tunnel(["list", "dev"]).stdout_has("dev   running").run();
    sandbox.soong(["status", "dev"]).stdout_has("dev").run();
    for words in ["dev -- echo a", "--instance-id dev -- echo a", "-- echo a", "echo a", "-q dev -- echo a"] {
        sandbox.tunnel(["run"]).args(words.split(' ')).stdout("a\n").run();
    }
    // A word after the dashes is the command, and a program that no instance is called like is one, too.
    sandbox.tunnel(["run", "--", "dev", "--", "x"]).code(127).stderr_has("cannot run dev").run();
    sandbox.tunnel(["run", "printf", "--", "%s", "x"]).stdout("x").run();
    sandbox.tunnel(["run", "dev", "--"]).fails(2, ["no command to run"]).run();
    sandbox.tunnel(["restart", "dev"]).stdout_has("SSH tunnel started").run();
    sandbox.tunnel(["stop", "dev"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.tunnel(["status", "dev"]).code(3).stdout("Tunnel is not running\n").run();
    sandbox.tunnel(["wait", "dev"]).code(3).stderr_has("no tunnel to 'dev' is running").run();
    sandbox.assert_idle();
}

/// One that a provider has listed since it was last asked.
#[test]
fn a_name_that_is_new_is_known_to_ssh_as_to_a_start() {
    let instance = Instance::start();
    let mut sandbox = Sandbox::with(&instance);
    let entry = format!(
        r#"{{"id":"new-1","name":"new","status":"active","host":"127.0.0.1","port":{},"user":"{}"}}"#,
        instance.sshd.port,
        user()
    );
    sandbox.provide("x", &format!("echo '{{\"api\":1,\"instances\":[{entry}]}}'"));
    for words in ["ssh new -- echo a", "ssh new echo a", "tunnel run new -- echo a"] {
        let _ = std::fs::remove_file(sandbox.path("home/.local/state/soong/instances.json"));
        sandbox.soong_with_bin(words.split(' ')).stdout("a\n").stderr_has("").run();
    }
    sandbox
        .soong_with_bin(["ssh", "nope", "--", "true"])
        .fails(1, ["no instance 'nope'"])
        .hint("new-1")
        .run();
    sandbox
        .soong_with_bin(["ssh", "ls"])
        .fails(2, ["'--' is missing before ls"])
        .hint("available: dev")
        .run();
    sandbox.assert_idle();
}

#[test]
fn where_several_tunnels_run_one_is_picked_at_a_terminal() {
    let (one, other) = (Instance::start(), Instance::start());
    let mut sandbox = Sandbox::with(&one);
    sandbox.configure(|config| {
        config.another("my box", &other);
    });
    sandbox.tunnel(["start", "dev"]).stdout_has("started").run();
    sandbox.tunnel(["start", "my box", "--auto-ports"]).stdout_has("started").run();
    let pick = |words: &[&str], keys: &str| {
        let mut terminal = Terminal::run(&sandbox.tunnel(words), 24, 80);
        terminal.wait_for("Which tunnel?");
        terminal.wait_for("my box");
        terminal.type_text(keys);
        let code = terminal.finish();
        (code, terminal.screen())
    };
    let (code, screen) = pick(&["url", "sglang"], "\r");
    assert!(
        code == 0 && screen.contains(&format!("http://localhost:{}", sandbox.config.local[0])),
        "{screen}"
    );
    let (code, screen) = pick(&["stop"], "\x03");
    assert_eq!(code, 130, "{screen}");
    let (code, screen) = pick(&["stop"], "\x1b");
    assert!(code == 1 && screen.contains("no tunnel chosen"), "{screen}");
    assert_eq!(sandbox.supervisors().len(), 2, "none is stopped by accident");
    let (code, screen) = pick(&["stop"], &format!("{DOWN}\r"));
    assert!(code == 0 && screen.contains("Stopped tunnel (PID: "), "{screen}");
    sandbox.tunnel(["list"]).stdout_has("dev   running").run();
    sandbox.tunnel(["stop"]).stdout("Stopped tunnel (PID: [PID])\n").run();
    sandbox.assert_idle();
}

#[test]
fn hostile_names_reach_neither_ssh_nor_the_terminal() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    let long = "x".repeat(100_000);
    let names: [&[u8]; 8] = [
        b"two\nlines",
        b"-x",
        b"-oProxyCommand=touch pwned",
        b"--help-me",
        b"$(touch pwned)",
        b"\x1b[31mred\x1b]0;title\x07",
        b"\xff\xfe",
        long.as_bytes(),
    ];
    for (name, words) in pairs(&names) {
        let (name, mut option) = (OsStr::from_bytes(name), OsStr::new("--instance-id=").to_owned());
        option.push(name);
        let mut runs =
            vec![command(&sandbox, (words.0, ""), &[], None).arg(&option).args(words.1.split_whitespace())];
        // ssh's own options are the user's to give.
        if !(words.0 == "ssh" && name.as_bytes().starts_with(b"-")) {
            runs.push(command(&sandbox, words, &[], Some(name)));
        }
        for run in runs {
            let shown = run.to_string();
            let output = run.unchecked();
            let shown = &shown[..shown.len().min(200)];
            // There, what is no text can only be a command.
            let is_command = words.0 == "tunnel run" && output.code == 127;
            assert!([1, 2].contains(&output.code) || is_command, "{shown}: {output:?}");
            assert!(!output.stderr.contains(['\x1b', '\x07']), "{shown}: {:?}", output.stderr);
            assert!(output.stderr.len() < 2000, "{shown}: {}", output.stderr.len());
        }
    }
    assert_nothing_was_executed(&sandbox);
    sandbox.tunnel(["start", "--", "-x"]).fails(1, ["no instance '-x'"]).run();
    assert_eq!(instance.sshd.logins(), 0);
    sandbox.assert_idle();
}

/// Every name with the commands that read their words by rules of their own, and every other command with one name.
fn pairs<'a>(names: &[&'a [u8]]) -> Vec<(&'a [u8], (&'static str, &'static str))> {
    let special = ["tunnel start --dry-run", "tunnel url", "tunnel logs", "tunnel run", "ssh", "extend"];
    let (special, usual): (Vec<_>, Vec<_>) =
        COMMANDS.iter().partition(|(before, _)| special.contains(before));
    let all = names.iter().flat_map(|name| special.iter().map(|words| (*name, *words)));
    all.chain(names.iter().cycle().copied().zip(usual)).collect()
}
