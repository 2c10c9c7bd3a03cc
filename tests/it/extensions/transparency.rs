//! `soong NAME`, an alias of it and `soong ext exec NAME` are the same as `soong-NAME`: what the program is given,
//! and what its caller gets to see.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{path_of, script, soong};
use crate::support::run::{Output, Run};
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::tools::tool;

/// A sandbox whose alias `a` stands for the extension `x`, which is this script.
fn with(body: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["alias", "a"], "x");
    });
    script(&sandbox, "bin/soong-x", body);
    sandbox
}

/// The words that lead to `soong-x`, called directly and through soong.
fn ways(sandbox: &Sandbox) -> [Vec<String>; 4] {
    let direct = sandbox.path("bin/soong-x").display().to_string();
    let soong = env!("CARGO_BIN_EXE_soong");
    [
        vec![direct],
        vec![soong.to_owned(), "x".to_owned()],
        vec![soong.to_owned(), "a".to_owned()],
        vec![soong.to_owned(), "ext".to_owned(), "exec".to_owned(), "x".to_owned()],
    ]
}

/// Runs each of the ways with further arguments, by way of a shell that does `before` first.
fn outcomes(sandbox: &Sandbox, before: &str, arguments: &[OsString]) -> Vec<Output> {
    let run = |way: Vec<String>| {
        Run::new(sandbox, &tool("bash"), ["-c", &format!("{before} exec \"$@\""), "bash"])
            .args(way)
            .args(arguments)
            .env("PATH", path_of(sandbox, &["bin"]))
            .unchecked()
    };
    ways(sandbox).into_iter().map(run).collect()
}

#[track_caller]
fn assert_same(outcomes: &[Output]) {
    let [direct, others @ ..] = outcomes else { panic!("nothing was run") };
    for other in others {
        assert_eq!((direct.code, &direct.stdout, &direct.stderr), (other.code, &other.stdout, &other.stderr));
    }
}

#[test]
fn every_exit_code_is_the_programs_own() {
    let sandbox = with("exit \"$1\"");
    for code in 0..=255 {
        soong(&sandbox, ["x", &code.to_string()]).code(code).run();
    }
    for way in ["a", "ext exec x"] {
        let words: Vec<&str> = way.split(' ').chain(["77"]).collect();
        soong(&sandbox, words).code(77).run();
    }
}

#[test]
fn death_by_each_signal_is_the_programs_own() {
    let sandbox = with("ulimit -c 0; kill -\"$1\" $$; sleep 1; exit 99");
    for signal in nix::sys::signal::Signal::iterator() {
        use nix::sys::signal::Signal::{
            SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
        };
        if matches!(signal, SIGCHLD | SIGCONT | SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU | SIGURG | SIGWINCH) {
            continue;
        }
        let number = signal as i32;
        soong(&sandbox, ["x", &number.to_string()]).code(128 + number).run();
    }
    soong(&sandbox, ["a", "KILL"]).code(137).run();
}

#[test]
fn arguments_of_a_mebibyte_and_of_no_encoding_arrive() {
    let sandbox = with("printf '%s\\0' \"$@\" | cksum; echo $#");
    let mut arguments: Vec<OsString> =
        vec![OsString::from_vec(vec![0xff, 0xfe, b'\n', 0x80]), OsString::new()];
    arguments.extend((0..10_000).map(|index| OsString::from(format!("{index:0>100}"))));
    let outcomes = outcomes(&sandbox, "", &arguments);
    assert!(outcomes[0].stdout.ends_with("\n10002\n"), "{:?}", outcomes[0]);
    assert_same(&outcomes);
}

/// Which descriptors are open, which signals are ignored or held back, the process group, the working directory and
/// the environment.
#[test]
#[cfg(target_os = "linux")]
fn the_process_is_as_its_caller_made_it() {
    // The shell itself looks: while it starts a program it holds signals back.
    let body = "out=$OUT/$$; open=; for fd in 0 1 2; do [ ! -e /proc/$$/fd/$fd ] || open=\"$open $fd\"; done
        while read -r key value; do case $key in SigBlk: | SigIgn:) echo \"$key $value\" ;; esac; done \
            </proc/$$/status >\"$out\"
        echo \"open:$open\" >>\"$out\"; umask >>\"$out\"; pwd >>\"$out\"
        [ \"$(cut -d' ' -f5 /proc/$$/stat)\" = $$ ]; echo \"leads: $?\" >>\"$out\"
        tr '\\0' '\\n' </proc/$$/environ | grep -v -e '^SOONG' -e ^_= | sort >>\"$out\"";
    let sandbox = with(body);
    let out = sandbox.path("out");
    for before in [
        "",
        "exec <&-;",
        "exec >&-;",
        "exec 2>&-;",
        "exec <&- >&- 2>&-;",
        "trap '' PIPE INT TERM;",
        "umask 0;",
    ] {
        fs::create_dir(&out).unwrap();
        for output in outcomes(&sandbox, &format!("export OUT={}; cd /; {before}", out.display()), &[]) {
            assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{before}");
        }
        let files = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
        let seen: Vec<String> = files.map(|file| fs::read_to_string(file).unwrap()).collect();
        assert!(seen.len() == 4 && seen[0].contains("SigIgn"), "{seen:#?}");
        assert!(seen.iter().all(|one| *one == seen[0]), "{before}: {seen:#?}");
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_program_is_called_by_its_name() {
    let mut sandbox = with("");
    sandbox.configure(|config| {
        config.set(["alias", "named"], "cat");
    });
    symlink(tool("cat"), sandbox.path("bin/soong-cat")).unwrap();
    for words in [&["cat"][..], &["named"], &["ext", "exec", "cat"]] {
        let output = soong(&sandbox, words).args(["/proc/self/cmdline"]).stdout_has("").run();
        assert_eq!(output.stdout, "soong-cat\0/proc/self/cmdline\0");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_as_it_ends_the_program() {
    let sandbox = with("while :; do echo y; done");
    let pipe = |way: &[String]| {
        let script = "\"$@\" | head -n 1; echo \"${PIPESTATUS[0]}\"";
        let run = Run::new(&sandbox, &tool("bash"), ["-c", script, "bash"]).args(way);
        run.env("PATH", path_of(&sandbox, &["bin"])).unchecked()
    };
    let outcomes: Vec<Output> = ways(&sandbox).iter().map(|way| pipe(way)).collect();
    assert!(outcomes[0].stdout.ends_with("141\n"), "{:?}", outcomes[0]);
    assert!(outcomes.iter().all(|output| output.stdout == outcomes[0].stdout), "{outcomes:?}");
}

/// A shell that a user sits at, with soong on its PATH.
fn shell(sandbox: &Sandbox) -> Terminal {
    let mut path = Path::new(env!("CARGO_BIN_EXE_soong")).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(path_of(sandbox, &["bin"]));
    let run =
        Run::new(sandbox, &tool("bash"), ["--norc", "--noprofile", "-i"]).env("PATH", path).env("PS1", "> ");
    let terminal = Terminal::run(&run, 24, 80);
    terminal.wait_for("> ");
    terminal
}

#[test]
fn it_can_be_interrupted_stopped_and_continued_from_the_keyboard() {
    // It waits without starting a program: if sh is stopped while it starts one by vfork, only its child
    // stops, and the process that waits for sh sees no stop.
    let sandbox = with(
        "trap 'echo go on' CONT; [ -p never ] || mkfifo never; exec 3<>never; \
         echo \"ready $((1 + 1))\"; while :; do read -r line <&3 || :; done",
    );
    for name in ["x", "a"] {
        let mut terminal = shell(&sandbox);
        terminal.type_text(&format!("soong {name}\r"));
        terminal.wait_for("ready 2");
        terminal.type_text("\x1a");
        terminal.wait_for("Stopped");
        terminal.type_text("fg\r");
        terminal.wait_for("go on");
        terminal.type_text("\x03");
        terminal.type_text("echo code=$?.\r");
        terminal.wait_for("code=130.");
        terminal.type_text("exit\r");
        terminal.finish();
    }
}
