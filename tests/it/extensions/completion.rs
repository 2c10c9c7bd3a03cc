//! TAB behind extensions: what opted in is asked, within bounds, and nothing else is run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::{compiled, complete, path_of, program, script};
use crate::completion::shell::{Kind, Shell};
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::tools::tool;

/// Answers in soong's own protocol.
const BASH: &str = "#!/usr/bin/env bash
# soong:summary: From bash
# soong:complete: soong
[[ ${SOONG_COMPLETE:-} == 1 ]] || exit 9
printf '%s\\t%s\\n' bash-one 'The first' bash-two \"Of ${#} words\"
echo ':4'
";
const PYTHON: &str = "#!/usr/bin/env python3
# soong:summary: From Python
# soong:complete: soong
import os
if os.environ.get('SOONG_COMPLETE') == '1':
    print('python-one\\tThe first\\npython-two\\tThe second\\n:4')
";
/// Answers as programs with cobra do, by `completions.go` of github.com/spf13/cobra: the hidden command
/// `__complete` gets the words, the last one partial; a line per candidate, its description behind a
/// tab, behind `--flag=` the value alone; for people who read along, lines that begin with
/// `_activeHelp_`; a last line with a colon and the sum of the `ShellCompDirective`s: 1 error,
/// 2 no space, 4 no files, 8 endings of files, 16 directories, 32 keep the order. What it says on
/// stderr is ignored.
const COBRA: &str = "#!/bin/sh
# soong:complete: cobra
[ \"$1\" = __complete ] || exit 9
shift
for last; do :; done
case $last in
--output=*) printf 'json\\tFor programs\\nyaml\\tFor people\\n:36\\n' ;;
*) printf 'cobra-one\\tThe first\\ncobra-two\\tThe second\\n_activeHelp_ Name one\\n:4\\n' ;;
esac
echo 'Completion ended with directive: ShellCompDirectiveNoFileComp' >&2
";

/// A sandbox with an extension of each kind.
fn with_all() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["alias", "short"], "bash and");
    });
    sandbox.wait_for_candidates();
    for (name, text) in [("bash", BASH), ("python", PYTHON), ("cobra", COBRA)] {
        program(&sandbox, &format!("bin/soong-{name}"), text);
    }
    // One that clap itself completes.
    fs::copy(compiled::sample("soong-open"), sandbox.path("bin/soong-open")).unwrap();
    sandbox
}

#[test]
fn each_kind_answers_with_descriptions() {
    let sandbox = with_all();
    let of = |name: &str| format!("{name}-one\tThe first\n{name}-two\tThe second\n:4\n");
    let [sglang, n8n, status] = sandbox.config.local;
    let services = format!("sglang\tPort {sglang}\nn8n\tPort {n8n}\nstatus\tPort {status}\n:4\n");
    for (name, expected) in [("python", of("python")), ("cobra", of("cobra")), ("open", services)] {
        complete(&sandbox, &["soong", name, "--print", ""]).stdout(expected.as_str()).run();
        complete(&sandbox, &[&format!("soong-{name}"), ""]).stdout(expected.as_str()).run();
    }
    complete(&sandbox, &["soong", "open", "--p"]).stdout("--print\tOnly print the address\n:4\n").run();
    complete(&sandbox, &["soong", "cobra", "--output="])
        .stdout("--output=json\tFor programs\n--output=yaml\tFor people\n:4\n")
        .run();
    complete(&sandbox, &["soong", "bash", "a", "b", ""]).stdout_has("bash-two\tOf 3 words\n").run();
    // An alias is what it stands for.
    complete(&sandbox, &["soong", "short", ""]).stdout_has("bash-two\tOf 2 words\n").run();
}

/// An extension that is hidden is reached by `soong ext exec`, and completed behind it.
#[test]
fn what_a_command_of_soongs_own_hides_is_completed_behind_ext_exec() {
    let sandbox = Sandbox::new();
    program(&sandbox, "bin/soong-status", BASH);
    script(&sandbox, "bin/soong-extend", "touch ran");
    for before in [["soong", "ext", "exec"].as_slice(), &["soong-ext", "exec"]] {
        let ask = |rest: &[&str]| complete(&sandbox, &[before, rest].concat());
        ask(&["status", "a", ""]).stdout_has("bash-two\tOf 2 words\n").run();
        ask(&[""]).stdout_has("status\tFrom bash\n").stdout_has("extend\n").run();
        ask(&["extend", ""]).stdout(":0\n").run();
    }
    // Without the words ahead, that is soong's own.
    let output = complete(&sandbox, &["soong", "status", ""]).stdout_has("").run();
    assert!(!output.stdout.contains("bash-"), "{}", output.stdout);
}

#[test]
fn candidates_of_every_kind_reach_every_shell() {
    for kind in Kind::ALL {
        let sandbox = with_all();
        let mut shell = Shell::start(kind, &sandbox, "");
        for name in ["bash", "python", "cobra"] {
            assert_eq!(
                shell.words(&format!("soong {name} {name}-o\t")),
                ["soong", name, &format!("{name}-one")]
            );
            shell.shows(&format!("soong {name} {name}-\t\t"), &[&format!("{name}-two"), "The first"]);
        }
        assert_eq!(shell.words("soong open sgl\t"), ["soong", "open", "sglang"]);
        shell.shows("soong open --\t\t", &["--instance-id", "Only print the address"]);
        assert_eq!(shell.words("soong cobra --output=j\t"), ["soong", "cobra", "--output=json"]);
        assert_eq!(shell.words("soong short bash-o\t"), ["soong", "short", "bash-one"]);
    }
}

#[test]
fn what_comes_and_goes_is_seen_at_the_next_tab() {
    for kind in Kind::ALL {
        let sandbox = Sandbox::new();
        let mut shell = Shell::start(kind, &sandbox, "");
        assert_eq!(shell.words("soong zzhel\t"), ["soong", "zzhel"]);
        let file = script(&sandbox, "bin/soong-zzhello", "# soong:summary: Say hello");
        assert_eq!(shell.words("soong zzhel\t"), ["soong", "zzhello"]);
        fs::remove_file(file).unwrap();
        assert_eq!(shell.words("soong zzhel\t"), ["soong", "zzhel"]);
    }
}

/// Scripts that would be noticed if they ran, and all the ways in which they did not ask to be run.
#[test]
fn nothing_is_run_that_did_not_ask_for_it() {
    let sandbox = Sandbox::new();
    let ran = sandbox.path("ran");
    let bare = format!("touch {}; rm -rf \"$@\"", ran.display());
    for (name, mark) in [
        ("unmarked", ""),
        ("summary", "# soong:summary: Remove everything"),
        ("shell", "# soong:complete: shell"),
        ("none", "# soong:complete: none"),
        ("odd", "# soong:complete: SOONG"),
        ("late", "echo '\n# no comment soong:complete: soong\n'"),
    ] {
        let file = script(&sandbox, &format!("bin/soong-{name}"), &format!("{mark}\n{bare}"));
        for words in [["soong", name, ""], ["soong", name, file.to_str().unwrap()], ["soong", name, "-"]] {
            complete(&sandbox, &words).stdout_has(":").run();
        }
        assert!(file.exists() && !ran.exists(), "{name} was run");
    }
    for kind in Kind::ALL {
        let mut shell = Shell::start(kind, &sandbox, "");
        shell.words("soong unmarked a\t\t");
        shell.words("soong un\t \t");
        assert!(!ran.exists(), "{kind:?}");
    }
}

#[test]
fn nothing_is_run_that_others_can_write() {
    let mut sandbox = Sandbox::new();
    let ran = sandbox.path("ran");
    let body = format!("touch {}; echo hit; echo :4", ran.display());
    let marked = format!("# soong:complete: soong\n{body}");
    let close =
        |path: &str, mode| fs::set_permissions(sandbox.path(path), Permissions::from_mode(mode)).unwrap();
    script(&sandbox, "open/bin/soong-below", &marked);
    script(&sandbox, "wide/soong-wide", &marked);
    script(&sandbox, "bin/soong-file", &marked);
    std::os::unix::fs::symlink(sandbox.path("wide/soong-wide"), sandbox.path("bin/soong-link")).unwrap();
    close("open", 0o777);
    close("wide", 0o1777);
    close("bin/soong-file", 0o757);
    // A sidecar that others can write says nothing about what may be run.
    script(&sandbox, "prefix/bin/soong-beside", &body);
    sandbox.write(&sandbox.path("prefix/share/soong/extensions/beside.toml"), "complete = 'soong'\n");
    close("prefix/share/soong/extensions", 0o777);
    let path = path_of(&sandbox, &["bin", "open/bin", "wide", "prefix/bin"]);
    for name in ["below", "wide", "file", "link", "beside"] {
        let output = complete(&sandbox, &["soong", name, ""]).env("PATH", &path).stdout_has(":").run();
        assert!(!output.stdout.contains("hit") && !ran.exists(), "{name} was run");
    }
    close("prefix/share/soong/extensions", 0o755);
    sandbox.wait_for_candidates();
    complete(&sandbox, &["soong", "beside", ""]).env("PATH", &path).stdout("hit\n:4\n").run();
}

/// Whatever it does, the line goes on, and nothing of it stays.
#[test]
fn an_extension_that_misbehaves_is_passed_over() {
    let mut sandbox = Sandbox::new();
    let python = |code: &str| format!("#!/usr/bin/env python3\n# soong:complete: soong\n{code}\n");
    let shell = |code: &str| format!("#!/bin/sh\n# soong:complete: soong\n{code}\n");
    let setsid = tool("setsid");
    for (name, text) in [
        ("hangs", shell("sleep 600")),
        ("stubborn", shell("trap '' TERM INT HUP; while :; do sleep 600; done")),
        ("leaves", shell("sleep 600 & echo x; echo :4; exit 3")),
        (
            "detaches",
            shell(&format!(
                "{} sh -c 'sleep 600 & sleep 600' >/dev/null 2>&1 & sleep 0.2; exit 3",
                setsid.display()
            )),
        ),
        ("floods", shell("yes")),
        ("fails", shell("echo x; echo :4; exit 1")),
        ("dies", shell("echo x; echo :4; kill -SEGV $$")),
        ("rubbish", shell("head -c 100000 /dev/urandom")),
        ("usage", shell("echo 'usage: x'; echo 'no such command' >&2")),
        ("reads", shell("read line </dev/tty; read line; exit 1")),
        ("silent", shell("")),
        ("error", shell("echo x; echo :1")),
        ("traces", python("raise SystemError")),
    ] {
        program(&sandbox, &format!("bin/soong-{name}"), text);
        complete(&sandbox, &["soong", name, ""]).stdout(":4\n").run();
    }
    sandbox.wait_for_candidates();
    program(
        &sandbox,
        "bin/soong-acts",
        shell("printf 'ok\\tgood \\033[2J\\n\\033]0;x\\007bad\\n\\nlast\\n:4\\n'"),
    );
    complete(&sandbox, &["soong", "acts", ""]).stdout("ok\tgood \\u{1b}[2J\nlast\n:4\n").run();
    // Sleepers would still be there.
    sandbox.assert_idle();
}

#[test]
fn a_line_goes_on_behind_an_extension_that_hangs() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-hangs", "# soong:complete: soong\nsleep 600");
    for kind in Kind::ALL {
        let mut shell = Shell::start(kind, &sandbox, "");
        assert_eq!(shell.words("soong hangs a\tb"), ["soong", "hangs", "ab"], "{kind:?}");
    }
}

#[test]
fn how_long_is_waited_stands_in_the_config() {
    let mut sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-slow", "# soong:complete: soong\nsleep 1.5; echo hit; echo :4");
    complete(&sandbox, &["soong", "slow", ""]).stdout(":4\n").run();
    sandbox.wait_for_candidates();
    complete(&sandbox, &["soong", "slow", ""]).stdout("hit\n:4\n").run();
}

#[test]
fn what_an_extension_is_given_is_what_was_promised() {
    let mut sandbox = Sandbox::new();
    sandbox.wait_for_candidates();
    let out: PathBuf = sandbox.path("out");
    let body = "{ printf '<%s>' \"$@\"; echo \" $SOONG_COMPLETE $SOONG_API ${COMPLETE-unset}\"; \"$SOONG\" --version; } >\"$OUT\" 2>&1; echo :4";
    script(&sandbox, "bin/soong-given", &format!("# soong:complete: soong\n{body}"));
    complete(&sandbox, &["soong", "given", "a b", "", "--x=$(y)"])
        .env("OUT", &out)
        .env("COMPLETE", "bash")
        .stdout(":4\n")
        .run();
    let expected = format!("<a b><><--x=$(y)> 1 1 unset\nsoong {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(fs::read_to_string(out).unwrap(), expected);
}

/// It has no terminal: the user who presses TAB is typing there.
#[test]
fn an_extension_that_is_asked_cannot_write_to_the_terminal() {
    let mut sandbox = Sandbox::new();
    sandbox.wait_for_candidates();
    let body = "if echo LEAK >/dev/tty; then echo reached; else echo hidden; fi 2>/dev/null; echo :4";
    script(&sandbox, "bin/soong-leaky", &format!("# soong:complete: soong\n{body}"));
    let mut terminal = Terminal::run(&complete(&sandbox, &["soong", "leaky", ""]), 24, 80);
    assert_eq!(terminal.finish(), 0);
    terminal.wait_for(":4");
    assert!(
        terminal.screen().contains("hidden") && !terminal.screen().contains("LEAK"),
        "{}",
        terminal.screen()
    );
}
